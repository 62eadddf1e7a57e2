/* SPDX-License-Identifier: Apache-2.0
 *
 * The text is that of a literal as the catalog keeps it (table.h). Only what fill.h knows to be the
 * very value, and a few more forms that cannot be anything else, are converted; for what is left
 * out a reader sees no default, which is never wrong. */
#include "schema/default_value.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/base/arena.h"
#include "schema/fill.h"

enum { DAY_S = 86400, MICROS = 1000000, MICRO_DIGITS = 6, DIGITS_OF_INT64 = 18 };

static bool integer_of(const struct column *column, const char *text, struct value *out)
{
    errno = 0;
    *out = column->type.kind == TYPE_UINT ? value_uint(strtoull(text, NULL, 10))
                                          : value_int(strtoll(text, NULL, 10));
    return errno == 0;
}

static bool real_of(const struct column *column, const char *text, struct value *out)
{
    *out = value_double(column->type.kind == TYPE_FLOAT ? (double)strtof(text, NULL)
                                                        : strtod(text, NULL));
    return true;
}

/* [-]digits[.digits] with all digits of its scale, and none in front that says nothing. */
static struct bytes plain_decimal(struct bytes text, uint8_t scale, struct arena *arena)
{
    bool negative = text.data[0] == '-', zero = true;
    size_t start = negative, end = text.size;
    const uint8_t *found = memchr(text.data, '.', text.size);
    size_t point = found ? (size_t)(found - text.data) : end, given = found ? end - point - 1 : 0;
    while (start + 1 < point && text.data[start] == '0')
        start++;
    for (size_t i = start; i < end; i++)
        zero &= text.data[i] == '0' || text.data[i] == '.';
    uint8_t *plain = arena_raw(arena, text.size + scale + 3u), *to = plain;
    if (negative && !zero)
        *to++ = '-';
    memcpy(to, text.data + start, point - start);
    to += point - start;
    if (scale > 0)
        *to++ = '.';
    if (scale > 0 && given > 0)
        memcpy(to, text.data + point + 1, given);
    memset(to + given, '0', scale - given);
    to += scale;
    *to = '\0';
    return (struct bytes){ plain, (size_t)(to - plain) };
}

static bool decimal_of(const struct column *column, struct bytes text, struct arena *arena,
                       struct value *out)
{
    struct bytes plain = plain_decimal(text, column->type.scale, arena);
    *out = value_text(plain);
    if (column->type.precision > DIGITS_OF_INT64)
        return true;
    int64_t units = 0;
    for (size_t i = 0; i < plain.size; i++)
        if (plain.data[i] >= '0' && plain.data[i] <= '9')
            units = units * 10 + (plain.data[i] - '0');
    *out = value_int(plain.data[0] == '-' ? -units : units);
    return true;
}

/* b'1010' */
static bool bits_of(struct bytes text, struct value *out)
{
    uint64_t bits = 0;
    for (size_t i = 2; i + 1 < text.size; i++)
        bits = bits << 1 | (text.data[i] == '1');
    *out = value_uint(bits);
    return text.size <= 64 + 3;
}

static unsigned number_at(struct bytes text, size_t at, size_t digits)
{
    unsigned number = 0;
    for (size_t i = at; i < at + digits; i++)
        number = number * 10 + (unsigned)(text.data[i] - '0');
    return number;
}

/* Days since 1970-01-01 of a text that begins YYYY-MM-DD, from 1970 on. */
static bool day_of(struct bytes text, int64_t *out)
{
    static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    unsigned year = number_at(text, 0, 4), month = number_at(text, 5, 2);
    unsigned day = number_at(text, 8, 2);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month < 1 || month > 12 || day < 1 ||
        day > lengths[month - 1] + (unsigned)(leap && month == 2))
        return false;
    *out = 365 * (int64_t)(year - 1970) + (year - 1969) / 4 - (year - 1901) / 100 +
           (year - 1601) / 400 + day - 1;
    for (unsigned i = 0; i + 1 < month; i++)
        *out += lengths[i] + (leap && i == 1);
    return true;
}

/* The digits behind the point at `at`, as microseconds. */
static int64_t fraction_of(struct bytes text, size_t at)
{
    int64_t micros = 0;
    for (size_t i = 0; i < MICRO_DIGITS; i++)
        micros = micros * 10 + (at + 1 + i < text.size ? text.data[at + 1 + i] - '0' : 0);
    return micros;
}

/* HH:MM:SS with two digits each, at `at`. */
static int64_t clock_of(struct bytes text, size_t at)
{
    int64_t seconds = number_at(text, at, 2) * 3600 + number_at(text, at + 3, 2) * 60 +
                      number_at(text, at + 6, 2);
    return seconds * MICROS + fraction_of(text, at + 8);
}

static bool moment_of(const struct column *column, struct bytes text, struct value *out)
{
    int64_t day;
    if (!day_of(text, &day))
        return false;
    *out =
        value_int(column->type.kind == TYPE_DATE ? day : day * DAY_S * MICROS + clock_of(text, 11));
    return true;
}

/* [-]HH:MM:SS[.digits] */
static bool time_of(const struct column *column, struct bytes text, struct value *out)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    struct bytes rest = { text.data + negative, text.size - negative };
    static const char form[] = "99:99:99";
    if (rest.size < 8 || rest.size == 9 || rest.size > 9u + column->type.scale)
        return false;
    for (size_t i = 0; i < rest.size; i++) {
        bool digit = rest.data[i] >= '0' && rest.data[i] <= '9';
        uint8_t wanted = i < 8 ? (uint8_t)form[i] : i == 8 ? '.' : '9';
        if (wanted == '9' ? !digit : rest.data[i] != wanted)
            return false;
    }
    *out = value_int(negative ? -clock_of(rest, 0) : clock_of(rest, 0));
    return true;
}

/* Labels with commas between, in the order of their declaration. */
static bool is_set(const struct type *type, struct bytes text)
{
    uint16_t next = 0;
    while (text.size > 0) {
        const uint8_t *comma = memchr(text.data, ',', text.size);
        struct bytes label = { text.data, comma ? (size_t)(comma - text.data) : text.size };
        while (next < type->member_count && !bytes_equal(type->members[next], label))
            next++;
        if (next++ == type->member_count)
            return false;
        text.data += label.size + (comma != NULL);
        text.size -= label.size + (comma != NULL);
    }
    return true;
}

bool default_value(const struct column *column, struct arena *arena, struct value *out)
{
    const struct type *type = &column->type;
    struct bytes text = column->default_text;
    if (!text.data || column->default_is_expression || column->auto_increment ||
        column->generated != COLUMN_STORED_PLAIN)
        return false;
    if (type->boolean) {
        *out = type->kind == TYPE_INT ? value_int(bytes_is(text, "1"))
                                      : value_uint(bytes_is(text, "1"));
        return bytes_is(text, "0") || bytes_is(text, "1");
    }
    if (type->kind == TYPE_TIME)
        return time_of(column, text, out);
    if (type->kind == TYPE_SET) {
        *out = value_text(text);
        return is_set(type, text);
    }
    if (!fill_literal_is_told(type, text))
        return false;
    const char *copy = arena_text(arena, text);
    switch (type->kind) {
    case TYPE_INT:
    case TYPE_UINT:
    case TYPE_YEAR:
        return integer_of(column, copy, out);
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        return real_of(column, copy, out);
    case TYPE_DECIMAL:
        return decimal_of(column, text, arena, out);
    case TYPE_BIT:
        return bits_of(text, out);
    case TYPE_DATE:
    case TYPE_DATETIME:
        return moment_of(column, text, out);
    default:
        *out = value_text(text);
        return true;
    }
}
