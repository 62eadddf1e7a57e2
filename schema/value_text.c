/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts of canonical values. The calendar is the proleptic Gregorian one; days are counted in eras
 * of 400 years that begin on the first of March, so that the leap day ends a year. */
#include "schema/value_text.h"

#include "engine/base/digits.h"

enum { ERA_DAYS = 146097, EPOCH_FROM_ERA_DAYS = 719468, ERA_YEARS = 400 };
static const int64_t DAY_MICROS = 86400000000;

static int64_t divide_down(int64_t number, int64_t divisor)
{
    return number / divisor - (number % divisor < 0);
}

struct civil_date civil_from_days(int64_t days)
{
    int64_t shifted = days + EPOCH_FROM_ERA_DAYS;
    int64_t era = divide_down(shifted, ERA_DAYS);
    int64_t in_era = shifted - era * ERA_DAYS;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t from_march = (5 * in_year + 2) / 153;
    int day = (int)(in_year - (153 * from_march + 2) / 5 + 1);
    int month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    return (struct civil_date){ era * ERA_YEARS + year + (month <= 2), month, day };
}

enum { TEXT_MAX = 48, SCALE_MAX = 6 }; /* of any text below */

static uint8_t *put_date(uint8_t *to, int64_t days)
{
    struct civil_date date = civil_from_days(days);
    uint64_t year = (uint64_t)(date.year < 0 ? -date.year : date.year);
    if (date.year < 0)
        *to++ = '-';
    to = digits_write(to, year, year < 10000 ? 4 : digits_count(year));
    *to++ = '-';
    to = digits_write(to, (uint64_t)date.month, 2);
    *to++ = '-';
    return digits_write(to, (uint64_t)date.day, 2);
}

static uint8_t *put_clock(uint8_t *to, int64_t micros, uint8_t scale)
{
    uint64_t seconds = (uint64_t)micros / 1000000, hours = seconds / 3600;
    to = digits_write(to, hours, hours < 100 ? 2 : digits_count(hours));
    *to++ = ':';
    to = digits_write(to, seconds / 60 % 60, 2);
    *to++ = ':';
    to = digits_write(to, seconds % 60, 2);
    if (scale == 0)
        return to;
    *to = '.';
    digits_write(to + 1, (uint64_t)micros % 1000000, SCALE_MAX);
    return to + 1 + (scale < SCALE_MAX ? scale : SCALE_MAX);
}

static uint8_t *put_day_and_clock(uint8_t *to, int64_t micros, uint8_t scale, char between)
{
    int64_t days = divide_down(micros, DAY_MICROS);
    to = put_date(to, days);
    *to++ = (uint8_t)between;
    return put_clock(to, micros - days * DAY_MICROS, scale);
}

static void take(struct buf *out, const uint8_t *end) { out->size = (size_t)(end - out->data); }

void date_text(int64_t days, struct buf *out)
{
    uint8_t *to = buf_reserve(out, TEXT_MAX);
    if (to)
        take(out, put_date(to, days));
}

void datetime_text(int64_t micros, uint8_t scale, struct buf *out)
{
    uint8_t *to = buf_reserve(out, TEXT_MAX);
    if (to)
        take(out, put_day_and_clock(to, micros, scale, ' '));
}

void instant_text(int64_t micros, uint8_t scale, struct buf *out)
{
    uint8_t *to = buf_reserve(out, TEXT_MAX);
    if (!to)
        return;
    to = put_day_and_clock(to, micros, scale, 'T');
    *to++ = 'Z';
    take(out, to);
}

void time_text(int64_t micros, uint8_t scale, struct buf *out)
{
    uint8_t *to = buf_reserve(out, TEXT_MAX);
    if (!to)
        return;
    if (micros < 0)
        *to++ = '-';
    take(out, put_clock(to, micros < 0 ? -micros : micros, scale));
}

void decimal_text(int64_t units, uint8_t scale, struct buf *out)
{
    uint64_t size = units < 0 ? 0 - (uint64_t)units : (uint64_t)units;
    int count = digits_count(size) > scale ? digits_count(size) : scale + 1;
    uint8_t *to = buf_reserve(out, (size_t)count + 2);
    if (!to)
        return;
    if (units < 0)
        *to++ = '-';
    uint8_t *end = digits_write(to, size, count);
    if (scale > 0) {
        memmove(end - scale + 1, end - scale, scale);
        end[-scale] = '.';
        end++;
    }
    take(out, end);
}

void base64_text(struct bytes raw, bool url_safe, struct buf *out)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *alphabet = url_safe ? safe : plain;
    size_t size = (raw.size + 2) / 3 * 4;
    uint8_t *to = buf_reserve(out, size);
    if (!to)
        return;
    for (size_t i = 0; i < raw.size; i += 3, to += 4) {
        size_t left = raw.size - i;
        uint32_t word = (uint32_t)raw.data[i] << 16 |
                        (left > 1 ? (uint32_t)raw.data[i + 1] << 8 : 0) |
                        (left > 2 ? raw.data[i + 2] : 0);
        to[0] = (uint8_t)alphabet[word >> 18];
        to[1] = (uint8_t)alphabet[word >> 12 & 63];
        to[2] = left > 1 ? (uint8_t)alphabet[word >> 6 & 63] : '=';
        to[3] = left > 2 ? (uint8_t)alphabet[word & 63] : '=';
    }
    out->size += size;
}

void hex_text(struct bytes raw, struct buf *out)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t *to = buf_reserve(out, raw.size * 2);
    if (!to)
        return;
    for (size_t i = 0; i < raw.size; i++) {
        *to++ = (uint8_t)hex[raw.data[i] >> 4];
        *to++ = (uint8_t)hex[raw.data[i] & 15];
    }
    out->size += raw.size * 2;
}

void uuid_text(const uint8_t raw[16], struct buf *out)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            buf_u8(out, '-');
        buf_u8(out, (uint8_t)hex[raw[i] >> 4]);
        buf_u8(out, (uint8_t)hex[raw[i] & 15]);
    }
}
