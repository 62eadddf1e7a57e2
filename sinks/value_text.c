/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts of canonical values. The calendar is the proleptic Gregorian one; days are counted in eras
 * of 400 years that begin on the first of March, so that the leap day ends a year. */
#include "sinks/value_text.h"

enum { ERA_DAYS = 146097, EPOCH_FROM_ERA_DAYS = 719468, ERA_YEARS = 400 };
static const int64_t DAY_MICROS = 86400000000;

struct civil_date {
    int64_t year;
    int month, day;
};

static int64_t divide_down(int64_t number, int64_t divisor)
{
    return number / divisor - (number % divisor < 0);
}

static struct civil_date civil_from_days(int64_t days)
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

/* At least `width` digits, zeros in front. */
static void digits_text(uint64_t number, int width, struct buf *out)
{
    uint8_t text[20];
    size_t at = sizeof text;
    for (; number || width > 0; number /= 10, width--)
        text[--at] = (uint8_t)('0' + number % 10);
    buf_put(out, text + at, sizeof text - at);
}

void date_text(int64_t days, struct buf *out)
{
    struct civil_date date = civil_from_days(days);
    if (date.year < 0)
        buf_u8(out, '-');
    digits_text((uint64_t)(date.year < 0 ? -date.year : date.year), 4, out);
    buf_u8(out, '-');
    digits_text((uint64_t)date.month, 2, out);
    buf_u8(out, '-');
    digits_text((uint64_t)date.day, 2, out);
}

static void fraction_text(int64_t micros, uint8_t scale, struct buf *out)
{
    if (scale == 0)
        return;
    uint8_t digits[7] = { '.' };
    for (int i = 6; i > 0; i--, micros /= 10)
        digits[i] = (uint8_t)('0' + micros % 10);
    buf_put(out, digits, (size_t)(scale < 6 ? scale : 6) + 1);
}

static void clock_text(int64_t micros, uint8_t scale, struct buf *out)
{
    uint64_t seconds = (uint64_t)(micros / 1000000);
    digits_text(seconds / 3600, 2, out);
    buf_u8(out, ':');
    digits_text(seconds / 60 % 60, 2, out);
    buf_u8(out, ':');
    digits_text(seconds % 60, 2, out);
    fraction_text(micros % 1000000, scale, out);
}

static void day_and_clock_text(int64_t micros, uint8_t scale, char between, struct buf *out)
{
    int64_t days = divide_down(micros, DAY_MICROS);
    date_text(days, out);
    buf_u8(out, (uint8_t)between);
    clock_text(micros - days * DAY_MICROS, scale, out);
}

void datetime_text(int64_t micros, uint8_t scale, struct buf *out)
{
    day_and_clock_text(micros, scale, ' ', out);
}

void instant_text(int64_t micros, uint8_t scale, struct buf *out)
{
    day_and_clock_text(micros, scale, 'T', out);
    buf_u8(out, 'Z');
}

void time_text(int64_t micros, uint8_t scale, struct buf *out)
{
    if (micros < 0)
        buf_u8(out, '-');
    clock_text(micros < 0 ? -micros : micros, scale, out);
}

void decimal_text(int64_t units, uint8_t scale, struct buf *out)
{
    uint8_t digits[48];
    size_t at = sizeof digits;
    uint64_t size = units < 0 ? 0 - (uint64_t)units : (uint64_t)units;
    for (int i = 0; i < scale; i++, size /= 10)
        digits[--at] = (uint8_t)('0' + size % 10);
    if (units < 0)
        buf_u8(out, '-');
    digits_text(size, 1, out);
    if (scale == 0)
        return;
    buf_u8(out, '.');
    buf_put(out, digits + at, scale);
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
