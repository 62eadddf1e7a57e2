/* SPDX-License-Identifier: Apache-2.0
 *
 * MySQL's values in their canonical form (schema/value.h). The first part is shared by the log and
 * by the snapshot reader, so that one value has one form on both ways; the second decodes the
 * binary values of row events. Formats: MySQL internals "Rows_event", strings/decimal.c and
 * sql-common/my_time.c describe the layouts of DECIMAL and of the temporal types. */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "schema/table.h"
#include "schema/value.h"
#include "sources/mysql/charset.h"

/* ---- the canonical forms ---- */

/* A wall clock as the server sends it, in the calendar or not. */
struct value_clock {
    uint32_t year, month, day, hour, minute, second, micro;
};

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
bool value_enum(const struct type *type, uint64_t number, struct value *out);
bool value_set(const struct type *type, uint64_t bits, struct arena *arena, struct value *out);
