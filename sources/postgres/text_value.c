/* SPDX-License-Identifier: Apache-2.0
 *
 * One function a kind of type, chosen once a table version. Dates are proleptic Gregorian on both
 * sides, with years before 1 as "0044-03-15 BC" (44 BC is the year -43). What no calendar holds,
 * "infinity", stays text: the sink's policy decides. */
#include "sources/postgres/text_value.h"

#include <endian.h>
#include <float.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/parse.h"
#include "engine/base/reader.h"
#include "schema/value_text.h"
#include "sources/postgres/array_text.h"

#define DECODER(name)                                                                              \
    static bool name(struct bytes text, const struct type *type, struct arena *arena,              \
                     struct value *out)
#define UNUSED_TYPE()  (void)type
#define UNUSED_ARENA() (void)arena

enum { MICROS_SCALE = 6 };
static const int64_t day_us = INT64_C(86400) * 1000000;

/* ---- numbers ---- */

static bool take_digits(struct bytes *text, size_t least, size_t most, int64_t *out)
{
    int64_t number = 0;
    size_t i = 0;
    for (; i < text->size && i < most && text->data[i] >= '0' && text->data[i] <= '9'; i++)
        number = number * 10 + (text->data[i] - '0');
    *text = (struct bytes){ text->data + i, text->size - i };
    *out = number;
    return i >= least;
}

static bool take_char(struct bytes *text, uint8_t wanted)
{
    if (text->size == 0 || text->data[0] != wanted)
        return false;
    *text = (struct bytes){ text->data + 1, text->size - 1 };
    return true;
}

/* Two digits; a large number where they are none. */
static uint32_t two_digits(const uint8_t *at)
{
    uint32_t tens = at[0] - (uint32_t)'0', ones = at[1] - (uint32_t)'0';
    return tens > 9 || ones > 9 ? UINT32_MAX : tens * 10 + ones;
}

/* Eight digits at once: neighbours are joined to numbers of two, four, then eight digits. */
static bool eight_digits(const uint8_t *at, uint64_t *out)
{
    const uint64_t high_halves = 0xf0f0f0f0f0f0f0f0, each = 0x0101010101010101;
    uint64_t word;
    memcpy(&word, at, sizeof word);
    word = le64toh(word);
    if (((word & high_halves) | ((word + 6 * each) & high_halves) >> 4) != 0x33 * each)
        return false;
    word -= '0' * each;
    word = word * 10 + (word >> 8);
    const uint64_t pairs = 0xff000000ff;
    *out = ((word & pairs) * (UINT64_C(1000000) << 32 | 100) +
            (word >> 16 & pairs) * (UINT64_C(10000) << 32 | 1)) >>
           32;
    return true;
}

/* The digits of a whole text behind those that `number` has; 19 fit. */
static bool more_digits(struct bytes text, uint64_t *number)
{
    size_t i = 0;
    for (uint64_t eight; i + 8 <= text.size; i += 8) {
        if (!eight_digits(text.data + i, &eight))
            return false;
        *number = *number * 100000000 + eight;
    }
    for (; i < text.size; i++) {
        uint8_t digit = (uint8_t)(text.data[i] - '0');
        if (digit > 9)
            return false;
        *number = *number * 10 + digit;
    }
    return true;
}

DECODER(decode_int)
{
    UNUSED_TYPE();
    UNUSED_ARENA();
    uint64_t size = 0;
    bool negative = take_char(&text, '-');
    if (text.size == 0 || text.size > 19 || !more_digits(text, &size))
        return false;
    *out = value_int((int64_t)(negative ? 0 - size : size));
    return true;
}

DECODER(decode_uint)
{
    UNUSED_TYPE();
    UNUSED_ARENA();
    uint64_t number = 0;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9' ||
            __builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.data[i] - '0'), &number))
            return false;
    *out = value_uint(number);
    return text.size > 0;
}

DECODER(decode_boolean)
{
    UNUSED_TYPE();
    UNUSED_ARENA();
    *out = value_int(bytes_is(text, "t"));
    return out->integer || bytes_is(text, "f");
}

static bool number_text(struct bytes text, char *out, size_t size)
{
    if (text.size == 0 || text.size >= size)
        return false;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

DECODER(decode_float)
{
    UNUSED_TYPE();
    UNUSED_ARENA();
    char copy[64], *end;
    if (!number_text(text, copy, sizeof copy))
        return false;
    *out = value_double((double)strtof(copy, &end));
    return *end == '\0';
}

/* What most doubles look like, "[-]digits[.digits]" of up to 19 digits, as an integer and a power
 * of ten. Both are exact in a long double of 64 bits or more, so the quotient is off by half its
 * last place at most: where all within that gives one double, it is the one. */
static bool double_plain(struct bytes text, double *out)
{
    static const long double tens[] = { 1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
                                        1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                        1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L };
    bool negative = take_char(&text, '-');
    uint64_t number = 0;
    size_t whole = 0, fraction = 0;
    while (whole < text.size && text.data[whole] != '.')
        whole++;
    if (whole == 0 || text.size > 20 || !more_digits((struct bytes){ text.data, whole }, &number))
        return false;
    if (whole < text.size)
        fraction = text.size - whole - 1;
    if (whole + fraction > 19 ||
        !more_digits((struct bytes){ text.data + text.size - fraction, fraction }, &number))
        return false;
    long double quotient = (long double)number / tens[fraction];
    double low = (double)(quotient - quotient * 0x1p-62L);
    double high = (double)(quotient + quotient * 0x1p-62L);
    *out = negative ? -low : low;
    return LDBL_MANT_DIG >= 64 && low == high;
}

DECODER(decode_double)
{
    UNUSED_TYPE();
    UNUSED_ARENA();
    char copy[64], *end;
    double number;
    if (double_plain(text, &number)) {
        *out = value_double(number);
        return true;
    }
    if (!number_text(text, copy, sizeof copy))
        return false;
    *out = value_double(strtod(copy, &end));
    return *end == '\0';
}

/* As the column is declared, and so as it is printed: exactly `scale` digits behind the point. */
static bool decimal_int(struct bytes text, uint8_t scale, int64_t *out)
{
    bool negative = take_char(&text, '-');
    size_t point = scale ? text.size - scale - 1u : text.size;
    if (text.size == 0 || text.size > DECIMAL_INT_PRECISION + 1u + (scale > 0) || point > text.size)
        return false;
    uint64_t number = 0; /* of 19 digits at most */
    if (scale && text.data[point] != '.')
        return false;
    if (!more_digits((struct bytes){ text.data, point }, &number) ||
        !more_digits((struct bytes){ text.data + text.size - scale, scale }, &number))
        return false;
    *out = negative ? -(int64_t)number : (int64_t)number;
    return number <= INT64_MAX;
}

/* The digits alone, with exactly `scale` behind the point; money has '$' and ',' in between. */
static bool decimal_plain(struct bytes text, uint8_t scale, uint8_t *out, size_t *size)
{
    size_t used = 0, fraction = 0;
    bool point = false, digits = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '$' || c == ',')
            continue;
        if (c >= '0' && c <= '9') {
            digits = true;
            fraction += point;
        } else if (c == '.' && !point) {
            point = true;
        } else if (c != '-' || used > 0) {
            return false;
        }
        out[used++] = c;
    }
    if (!point && scale > 0)
        out[used++] = '.';
    for (; fraction < scale; fraction++)
        out[used++] = '0';
    *size = used;
    return digits && fraction == scale;
}

DECODER(decode_decimal)
{
    int64_t number = 0;
    if (type->precision <= DECIMAL_INT_PRECISION && decimal_int(text, type->scale, &number)) {
        *out = value_int(number);
        return true;
    }
    size_t room = text.size + type->scale + 2u, size;
    uint8_t *plain = arena_raw(arena, room);
    if (!decimal_plain(text, type->scale, plain, &size)) {
        arena_trim(arena, plain + room, plain);
        *out = value_text(arena_copy(arena, text)); /* NaN */
        return bytes_is(text, "NaN") || bytes_is(text, "Infinity") || bytes_is(text, "-Infinity");
    }
    *out = value_text((struct bytes){ plain, size });
    if (type->precision > DECIMAL_INT_PRECISION) {
        arena_trim(arena, plain + room, plain + size);
        return true;
    }
    number = 0;
    bool over = false;
    for (size_t i = 0; i < size; i++)
        if (plain[i] >= '0' && plain[i] <= '9')
            over |= __builtin_mul_overflow(number, 10, &number) ||
                    __builtin_add_overflow(number, plain[i] - '0', &number);
    *out = value_int(plain[0] == '-' ? -number : number);
    arena_trim(arena, plain + room, plain);
    return !over;
}

/* ---- dates and times ---- */

/* Days since 1970 of a civil date (Howard Hinnant's algorithm, public domain). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, yoe = year - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool take_suffix(struct bytes *text, const char *suffix)
{
    size_t size = strlen(suffix);
    if (text->size < size || memcmp(text->data + text->size - size, suffix, size) != 0)
        return false;
    text->size -= size;
    return true;
}

static bool take_date(struct bytes *text, bool before_christ, int64_t *days)
{
    int64_t year;
    if (!take_digits(text, 4, 7, &year) || text->size < 6)
        return false;
    const uint8_t *at = text->data;
    uint32_t month = two_digits(at + 1), day = two_digits(at + 4);
    if (at[0] != '-' || at[3] != '-' || month - 1 > 11 || day - 1 > 30)
        return false;
    *text = (struct bytes){ at + 6, text->size - 6 };
    *days = days_of(before_christ ? 1 - year : year, month, day);
    return true;
}

/* hh:mm:ss[.ffffff] */
static bool take_clock(struct bytes *text, int64_t *micros)
{
    if (text->size < 8)
        return false;
    const uint8_t *at = text->data;
    uint32_t hour = two_digits(at), minute = two_digits(at + 3), second = two_digits(at + 6);
    int64_t fraction = 0;
    if (at[2] != ':' || at[5] != ':' || hour > 99 || minute > 99 || second > 99)
        return false;
    *text = (struct bytes){ at + 8, text->size - 8 };
    if (take_char(text, '.')) {
        size_t before = text->size;
        if (!take_digits(text, 1, 6, &fraction))
            return false;
        for (size_t digits = before - text->size; digits < 6; digits++)
            fraction *= 10;
    }
    *micros = ((hour * 60 + minute) * 60 + second) * INT64_C(1000000) + fraction;
    return true;
}

static bool is_infinite(struct bytes text)
{
    return bytes_is(text, "infinity") || bytes_is(text, "-infinity");
}

DECODER(decode_date)
{
    UNUSED_TYPE();
    int64_t days = 0;
    if (is_infinite(text)) {
        *out = value_text(arena_copy(arena, text));
        return true;
    }
    bool before_christ = take_suffix(&text, " BC");
    bool ok = take_date(&text, before_christ, &days) && text.size == 0;
    *out = value_int(days);
    return ok;
}

DECODER(decode_time)
{
    UNUSED_TYPE();
    UNUSED_ARENA();
    int64_t micros = 0;
    bool ok = take_clock(&text, &micros) && text.size == 0;
    *out = value_int(micros);
    return ok;
}

DECODER(decode_moment)
{
    if (is_infinite(text)) {
        *out = value_text(arena_copy(arena, text));
        return true;
    }
    int64_t days = 0, micros = 0;
    bool before_christ = take_suffix(&text, " BC");
    bool ok = take_date(&text, before_christ, &days) && take_char(&text, ' ') &&
              take_clock(&text, &micros);
    if (ok && type->kind == TYPE_TIMESTAMP)
        ok = take_suffix(&text, "+00");
    int64_t whole = 0;
    ok = ok && text.size == 0 && !__builtin_mul_overflow(days, day_us, &whole) &&
         !__builtin_add_overflow(whole, micros, &whole);
    *out = value_int(whole);
    return ok;
}

/* ---- bytes and texts ---- */

static bool hex_decode(struct bytes text, uint8_t *out)
{
    int bad = 0;
    for (size_t i = 0; i + 1 < text.size; i += 2) {
        int high = parse_hex_digit(text.data[i]), low = parse_hex_digit(text.data[i + 1]);
        bad |= high | low; /* negative where one is none */
        out[i / 2] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    }
    return text.size % 2 == 0 && bad >= 0;
}

DECODER(decode_bytes)
{
    UNUSED_TYPE();
    if (!take_char(&text, '\\') || !take_char(&text, 'x'))
        return false;
    uint8_t *raw = arena_raw(arena, text.size / 2 + 1);
    *out = value_text((struct bytes){ raw, text.size / 2 });
    return hex_decode(text, raw);
}

DECODER(decode_uuid)
{
    UNUSED_TYPE();
    uint8_t digits[32];
    size_t used = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '-')
            continue;
        if (used == sizeof digits)
            return false;
        digits[used++] = text.data[i];
    }
    uint8_t *raw = arena_raw(arena, 16);
    *out = value_text((struct bytes){ raw, 16 });
    return used == sizeof digits && hex_decode((struct bytes){ digits, sizeof digits }, raw);
}

DECODER(decode_text)
{
    UNUSED_TYPE();
    if (text.size > UINT32_MAX)
        return false;
    uint8_t *copy = arena_raw(arena, text.size + 1);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    *out = value_text((struct bytes){ copy, text.size });
    return true;
}

DECODER(decode_array) { return array_text_decode(text, type, arena, out); }

struct text_decoder text_decoder_of(const struct type *type)
{
    static const struct text_decoder decoders[TYPE_KIND_COUNT] = {
        [TYPE_INT] = { decode_int },          [TYPE_UINT] = { decode_uint },
        [TYPE_FLOAT] = { decode_float },      [TYPE_DOUBLE] = { decode_double },
        [TYPE_DECIMAL] = { decode_decimal },  [TYPE_DATE] = { decode_date },
        [TYPE_TIME] = { decode_time },        [TYPE_DATETIME] = { decode_moment },
        [TYPE_TIMESTAMP] = { decode_moment }, [TYPE_BYTES] = { decode_bytes },
        [TYPE_UUID] = { decode_uuid },          [TYPE_ARRAY] = { decode_array },
    };
    ASSERT(type->kind < TYPE_KIND_COUNT);
    if (type->kind == TYPE_INT && type->boolean)
        return (struct text_decoder){ decode_boolean };
    return decoders[type->kind].decode ? decoders[type->kind]
                                       : (struct text_decoder){ decode_text };
}

/* ---- back ---- */

static void put_date(struct buf *out, int64_t day, bool *before_christ)
{
    struct civil_date date = civil_from_days(day);
    *before_christ = date.year <= 0;
    if (*before_christ)
        buf_printf(out, "%04lld-%02d-%02d", (long long)(1 - date.year), date.month, date.day);
    else
        date_text(day, out);
}

static void put_moment(const struct type *type, int64_t number, struct buf *out)
{
    bool before_christ = false;
    int64_t day = number, rest = 0;
    if (type->kind != TYPE_DATE) {
        day = number / day_us - (number % day_us < 0);
        rest = number - day * day_us;
    }
    put_date(out, day, &before_christ);
    if (type->kind != TYPE_DATE) {
        buf_u8(out, ' ');
        time_text(rest, MICROS_SCALE, out);
    }
    if (type->kind == TYPE_TIMESTAMP)
        buf_text(out, "+00");
    if (before_christ)
        buf_text(out, " BC");
}

void value_sql_text(const struct type *type, const struct value *value, struct buf *out)
{
    ASSERT(value->tag > VALUE_ABSENT);
    if (value->tag == VALUE_TEXT) {
        if (type->kind == TYPE_BYTES)
            buf_text(out, "\\x");
        if (type->kind == TYPE_BYTES || type->kind == TYPE_UUID)
            hex_text(value_bytes(value), out);
        else
            buf_bytes(out, value_bytes(value));
        return;
    }
    if (value->tag == VALUE_UINT) {
        buf_printf(out, "%llu", (unsigned long long)value->natural);
    } else if (value->tag == VALUE_DOUBLE) {
        buf_printf(out, "%.17g", value->number);
    } else if (type->kind == TYPE_DECIMAL) {
        decimal_text(value->integer, type->scale, out);
    } else if (type->kind == TYPE_TIME) {
        time_text(value->integer, MICROS_SCALE, out);
    } else if (type->kind == TYPE_DATE || type->kind == TYPE_DATETIME ||
               type->kind == TYPE_TIMESTAMP) {
        put_moment(type, value->integer, out);
    } else {
        buf_printf(out, "%lld", (long long)value->integer);
    }
}
