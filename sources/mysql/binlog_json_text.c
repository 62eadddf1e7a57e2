/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON as MySQL prints it. A double has the fewest digits that read back as the same number, plain
 * when its point lies between 14 places in front of the digits and 15 behind the first one, else
 * with an exponent; an integral one keeps ".0". */
#include "sources/mysql/binlog_json_text.h"

#include "sources/mysql/charset.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* No binary form is printed at more than eight times its size. */
enum { GROWTH_MAX = 8, ROOM_SPARE = 64 };

struct json_text json_text_of(struct arena *arena, size_t source_size)
{
    struct json_text text = { .arena = arena, .limit = source_size * GROWTH_MAX + ROOM_SPARE };
    if (text.limit > UINT32_MAX)
        text.limit = UINT32_MAX;
    size_t room = source_size * 2 + ROOM_SPARE;
    text.start = text.at = arena_raw(arena, room);
    text.end = text.start + room;
    return text;
}

bool json_text_finish(struct json_text *text, struct bytes *out)
{
    arena_trim(text->arena, text->end, text->at);
    size_t size = (size_t)(text->at - text->start);
    if (text->failed || text_utf8_prefix(text->start, size) < size)
        return false;
    *out = (struct bytes){ text->start, size };
    return true;
}

/* Room for `size` bytes at text->at. */
static bool text_reserve(struct json_text *text, size_t size)
{
    size_t used = (size_t)(text->at - text->start);
    if (size <= (size_t)(text->end - text->at))
        return !text->failed;
    if (text->failed || size > text->limit - used) {
        text->failed = true;
        return false;
    }
    size_t room = used * 2 + size;
    room = room < text->limit ? room : text->limit;
    uint8_t *bigger = arena_raw(text->arena, room);
    memcpy(bigger, text->start, used);
    text->start = bigger;
    text->at = bigger + used;
    text->end = bigger + room;
    return true;
}

void json_text_put(struct json_text *text, struct bytes raw)
{
    if (!raw.size || !text_reserve(text, raw.size))
        return;
    memcpy(text->at, raw.data, raw.size);
    text->at += raw.size;
}

void json_text_uint(struct json_text *text, uint64_t number)
{
    uint8_t digits[20], *at = digits + sizeof digits;
    do
        *--at = (uint8_t)('0' + number % 10);
    while (number /= 10);
    json_text_put(text, (struct bytes){ at, (size_t)(digits + sizeof digits - at) });
}

void json_text_int(struct json_text *text, int64_t number)
{
    if (number < 0)
        json_text_put(text, BYTES_LITERAL("-"));
    json_text_uint(text, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

/* ---- doubles ---- */

/* 0.d1d2d3... * 10^point */
struct digits {
    char text[24];
    int count, point;
};

static void digits_strip(struct digits *digits)
{
    while (digits->count > 1 && digits->text[digits->count - 1] == '0')
        digits->count--;
}

/* A decimal of at most 15 digits that reads back as the number is the shortest. It does so when
 * dividing its digits by an exact power of ten gives the number. */
static bool digits_of_short(double number, struct digits *out)
{
    static const double powers[] = { 1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    for (int i = 0; i < 16; i++) {
        double scaled = number * powers[i];
        if (scaled >= 1e15)
            return false;
        uint64_t whole = (uint64_t)scaled;
        if ((double)whole != scaled || scaled / powers[i] != number)
            continue;
        char reversed[20];
        int count = 0;
        for (; whole; whole /= 10)
            reversed[count++] = (char)('0' + whole % 10);
        for (int j = 0; j < count; j++)
            out->text[j] = reversed[count - 1 - j];
        out->count = count;
        out->point = count - i;
        return true;
    }
    return false;
}

/* d.ddde+xx, as printf gives it, to digits; returns whether it reads back as the number. */
static bool digits_try(double number, int precision, bool above, struct digits *out)
{
    char printed[40];
    snprintf(printed, sizeof printed, "%.*e", precision - 1, number);
    int last = precision == 1 ? 0 : precision;
    if (above && printed[last] < '9')
        printed[last]++;
    if (strtod(printed, NULL) != number)
        return false;
    out->text[0] = printed[0];
    memcpy(out->text + 1, printed + 2, (size_t)precision - 1);
    out->count = precision;
    out->point = (int)strtol(strchr(printed, 'e') + 1, NULL, 10) + 1;
    return true;
}

/* Fifteen digits with their zeros stripped are the shortest form of every number that has one of at
 * most fifteen, save the denormal ones. A power of two has a narrower interval below it than above:
 * there the shortest digits may be the next ones above the nearest. */
static struct digits digits_of(double number)
{
    struct digits digits;
    int exponent;
    bool power_of_two = frexp(number, &exponent) == 0.5;
    if (!digits_of_short(number, &digits)) {
        for (int precision = number < DBL_MIN ? 1 : 15; precision <= 17; precision++)
            if (digits_try(number, precision, false, &digits) ||
                (power_of_two && digits_try(number, precision, true, &digits)))
                break;
    }
    digits_strip(&digits);
    return digits;
}

static void put_zeros(struct json_text *text, int count)
{
    for (int i = 0; i < count; i++)
        json_text_put(text, BYTES_LITERAL("0"));
}

static void put_digits(struct json_text *text, const struct digits *digits, int from, int to)
{
    if (to > from)
        json_text_put(text,
                      (struct bytes){ (const uint8_t *)digits->text + from, (size_t)(to - from) });
}

static void put_plain(struct json_text *text, const struct digits *digits)
{
    if (digits->point <= 0) {
        json_text_put(text, BYTES_LITERAL("0."));
        put_zeros(text, -digits->point);
        put_digits(text, digits, 0, digits->count);
    } else if (digits->point < digits->count) {
        put_digits(text, digits, 0, digits->point);
        json_text_put(text, BYTES_LITERAL("."));
        put_digits(text, digits, digits->point, digits->count);
    } else {
        put_digits(text, digits, 0, digits->count);
        put_zeros(text, digits->point - digits->count);
        json_text_put(text, BYTES_LITERAL(".0"));
    }
}

static void put_scientific(struct json_text *text, const struct digits *digits)
{
    put_digits(text, digits, 0, 1);
    if (digits->count > 1)
        json_text_put(text, BYTES_LITERAL("."));
    put_digits(text, digits, 1, digits->count);
    json_text_put(text, BYTES_LITERAL("e"));
    json_text_int(text, digits->point - 1);
}

void json_text_double(struct json_text *text, double number)
{
    if (!isfinite(number)) {
        text->failed = true;
        return;
    }
    if (signbit(number))
        json_text_put(text, BYTES_LITERAL("-"));
    if (number == 0) {
        json_text_put(text, BYTES_LITERAL("0.0"));
        return;
    }
    struct digits digits = digits_of(fabs(number));
    if (digits.point >= -14 && (digits.point <= 15 || digits.count > digits.point))
        put_plain(text, &digits);
    else
        put_scientific(text, &digits);
}

/* ---- strings ---- */

static void put_escape(struct json_text *text, uint8_t code)
{
    static const char hex[] = "0123456789abcdef";
    static const char named[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
    };
    uint8_t escape[6] = { '\\', code };
    size_t size = 2;
    if (code < 32 && named[code]) {
        escape[1] = (uint8_t)named[code];
    } else if (code < 32) {
        memcpy(escape + 1, "u00", 3);
        escape[4] = (uint8_t)hex[code >> 4];
        escape[5] = (uint8_t)hex[code & 15];
        size = 6;
    }
    json_text_put(text, (struct bytes){ escape, size });
}

void json_text_string(struct json_text *text, struct bytes string)
{
    json_text_put(text, BYTES_LITERAL("\""));
    size_t start = 0;
    for (size_t i = 0; i < string.size; i++) {
        uint8_t code = string.data[i];
        if (code >= 32 && code != '"' && code != '\\')
            continue;
        json_text_put(text, (struct bytes){ string.data + start, i - start });
        put_escape(text, code);
        start = i + 1;
    }
    json_text_put(text, (struct bytes){ string.data + start, string.size - start });
    json_text_put(text, BYTES_LITERAL("\""));
}

void json_text_base64(struct json_text *text, uint8_t type, struct bytes raw)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { LINE_BYTES = 57 };
    json_text_put(text, BYTES_LITERAL("\"base64:type"));
    json_text_uint(text, type);
    json_text_put(text, BYTES_LITERAL(":"));
    for (size_t i = 0; i < raw.size; i += 3) {
        size_t left = raw.size - i;
        uint32_t bits = (uint32_t)(raw.data[i] << 16 | (left > 1 ? raw.data[i + 1] << 8 : 0) |
                                   (left > 2 ? raw.data[i + 2] : 0));
        uint8_t group[4] = { (uint8_t)alphabet[bits >> 18], (uint8_t)alphabet[bits >> 12 & 63],
                             (uint8_t)(left > 1 ? alphabet[bits >> 6 & 63] : '='),
                             (uint8_t)(left > 2 ? alphabet[bits & 63] : '=') };
        if (i && i % LINE_BYTES == 0)
            json_text_put(text, BYTES_LITERAL("\\n"));
        json_text_put(text, (struct bytes){ group, sizeof group });
    }
    json_text_put(text, BYTES_LITERAL("\""));
}
