/* SPDX-License-Identifier: Apache-2.0
 *
 * MySQL's values in their canonical form (schema/value.h), shared by the log and by the snapshot
 * reader, so that one value has one form on both ways. */
#pragma once

#include <endian.h>

#include "engine/base/arena.h"
#include "schema/table.h"
#include "schema/value.h"

/* A wall clock as the server sends it, in the calendar or not. */
struct value_clock {
    uint32_t year, month, day, hour, minute, second, micro;
};

/* A month of the calendar, by the number that rows hold for it. */
struct value_month {
    uint32_t number;   /* year * 13 + month */
    uint32_t days;     /* 0: there is no such month */
    int64_t first_day; /* since 1970 */
};
struct value_month value_month_of(uint32_t number);

/* Days since 1970, or the server's text of what no calendar holds: "0000-00-00", "2020-00-31". */
struct value value_date(uint32_t year, uint32_t month, uint32_t day, struct arena *arena);

/* DATETIME, and TIMESTAMP of a session in UTC: microseconds since 1970, or the server's text with
 * `scale` digits of fraction: "0000-00-00 00:00:00.000". An all-zero clock is the zero date. */
struct value value_datetime(const struct value_clock *clock, uint8_t scale, struct arena *arena);

/* A span: hours may exceed 23. */
static inline struct value value_time(bool negative, uint32_t hours, uint32_t minutes,
                                      uint32_t seconds, uint32_t micro)
{
    int64_t span = ((int64_t)hours * 3600 + (int64_t)minutes * 60 + seconds) * 1000000 + micro;
    return value_int(negative ? -span : span);
}

/* BIT: big endian, 1 to 8 bytes. */
struct value value_bit(struct bytes raw);

/* The server's text of a DECIMAL ("-12.50", "007.1" of a ZEROFILL column) to a scaled integer or,
 * above DECIMAL_INT_PRECISION digits, to the plain text. False: not a number of that shape. */
bool value_decimal(struct bytes text, uint8_t precision, uint8_t scale, struct arena *arena,
                   struct value *out);

/* BINARY(n) without the zeros at its end, as row events hold it, back to its length. */
struct value value_padded(struct bytes raw, uint32_t length, struct arena *arena);

/* ENUM by number (0: the error value "") and SET by bitmap, to labels. False: out of range. */
static inline bool value_enum(const struct type *type, uint64_t number, struct value *out)
{
    if (number > type->member_count)
        return false;
    *out = value_text(number ? type->members[number - 1] : BYTES_LITERAL(""));
    return true;
}
bool value_set(const struct type *type, uint64_t bits, struct arena *arena, struct value *out);

/* ---- DECIMAL as rows and JSON documents hold it ---- */

/* Digits in groups of nine, four bytes each, big endian; what is left over in front of the integer
 * part and behind the fraction takes as many bytes as it needs. The first bit is flipped, so that
 * the bytes sort; a negative number has all its bits flipped. */
enum { DECIMAL_DIGITS_MAX = 81, DECIMAL_TEXT_MAX = DECIMAL_DIGITS_MAX + 4, DECIMAL_PARTS = 3 };

struct decimal_group {
    uint32_t limit;               /* 10^digits */
    uint8_t digits, width, shift; /* the width in bytes, and 32 - its bits */
};
/* The same for numbers that are read at once: at most three groups, after such as are always 0. */
struct decimal_part {
    uint32_t limit, sign; /* sign: the bit to undo in the first group */
    uint8_t offset, shift;
};
struct decimal_layout {
    struct decimal_part parts[DECIMAL_PARTS]; /* precision <= DECIMAL_INT_PRECISION */
    uint8_t precision, scale;
    uint8_t group_count;    /* at most 5 + 5, or one more for each part that has leftovers */
    uint8_t integer_groups; /* of them, before the point */
    uint8_t size;           /* in bytes */
    struct decimal_group groups[12];
};
enum { DECIMAL_SIZE_MAX = 40, DECIMAL_SPARE = 3 };

/* False: no such DECIMAL. */
bool decimal_layout_of(uint8_t precision, uint8_t scale, struct decimal_layout *out);
/* The digits of one group; `sign`: the bit to undo in the first. */
static inline uint32_t decimal_group_read(const struct decimal_group *group, const uint8_t *at,
                                          uint32_t flip, uint32_t sign)
{
    uint32_t number;
    memcpy(&number, at, sizeof number);
    return (be32toh(number) ^ flip ^ sign) >> group->shift;
}

static inline uint64_t decimal_part_read(const struct decimal_part *part, const uint8_t *raw,
                                         uint32_t flip)
{
    uint32_t number;
    memcpy(&number, raw + part->offset, sizeof number);
    return (uint64_t)(be32toh(number) ^ flip ^ part->sign) >> part->shift;
}

/* At most DECIMAL_INT_PRECISION digits, with DECIMAL_SPARE readable bytes behind them, for groups
 * are read by four. False: malformed. */
static inline bool decimal_scaled(const struct decimal_layout *layout, const uint8_t *raw,
                                  int64_t *out)
{
    const struct decimal_part *parts = layout->parts;
    uint32_t flip = raw[0] & 0x80 ? 0 : UINT32_MAX;
    uint64_t a = decimal_part_read(&parts[0], raw, flip),
             b = decimal_part_read(&parts[1], raw, flip),
             c = decimal_part_read(&parts[2], raw, flip);
    uint64_t number = (a * parts[1].limit + b) * parts[2].limit + c;
    uint64_t sign = (uint64_t)(int64_t)(int32_t)flip;
    *out = (int64_t)((number ^ sign) - sign);
    return (a < parts[0].limit) & (b < parts[1].limit) & (c < parts[2].limit);
}

/* Up to DECIMAL_TEXT_MAX bytes in the canonical form; returns how many, 0 for malformed ones. */
size_t decimal_print(const struct decimal_layout *layout, const uint8_t *raw, uint8_t *out);
