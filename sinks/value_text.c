/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts of canonical values. The calendar is the proleptic Gregorian one; days are counted in eras
 * of 400 years that begin on the first of March, so that the leap day ends a year. */
#include "sinks/value_text.h"

#include <inttypes.h>
#include <stdio.h>

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

void date_text(int64_t days, struct buf *out)
{
    struct civil_date date = civil_from_days(days);
    buf_printf(out, "%04" PRId64 "-%02d-%02d", date.year, date.month, date.day);
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
    int64_t seconds = micros / 1000000;
    buf_printf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600, seconds / 60 % 60,
               seconds % 60);
    fraction_text(micros % 1000000, scale, out);
}

void datetime_text(int64_t micros, uint8_t scale, struct buf *out)
{
    int64_t days = divide_down(micros, DAY_MICROS);
    date_text(days, out);
    buf_u8(out, ' ');
    clock_text(micros - days * DAY_MICROS, scale, out);
}

void time_text(int64_t micros, uint8_t scale, struct buf *out)
{
    if (micros < 0)
        buf_u8(out, '-');
    clock_text(micros < 0 ? -micros : micros, scale, out);
}

void decimal_text(int64_t units, uint8_t scale, struct buf *out)
{
    char digits[48];
    uint64_t size = units < 0 ? 0 - (uint64_t)units : (uint64_t)units;
    int count = snprintf(digits, sizeof digits, "%0*" PRIu64, scale + 1, size);
    if (units < 0)
        buf_u8(out, '-');
    buf_put(out, digits, (size_t)count - scale);
    if (scale == 0)
        return;
    buf_u8(out, '.');
    buf_put(out, digits + count - scale, scale);
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
