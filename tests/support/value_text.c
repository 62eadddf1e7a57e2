/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/value_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void civil(int64_t days, int *year, unsigned *month, unsigned *day)
{
    time_t seconds = (time_t)(days * 86400);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    *year = parts.tm_year + 1900;
    *month = (unsigned)parts.tm_mon + 1;
    *day = (unsigned)parts.tm_mday;
}

static void show_fraction(struct buf *out, uint64_t micro, uint8_t scale)
{
    char digits[8];
    snprintf(digits, sizeof digits, ".%06u", (unsigned)micro);
    if (scale)
        buf_put(out, digits, scale + 1u);
}

static void show_time(struct buf *out, uint64_t span, uint8_t scale)
{
    uint64_t seconds = span / 1000000;
    buf_printf(out, "%02u:%02u:%02u", (unsigned)(seconds / 3600), (unsigned)(seconds / 60 % 60),
               (unsigned)(seconds % 60));
    show_fraction(out, span % 1000000, scale);
}

static void show_datetime(struct buf *out, int64_t micros, uint8_t scale)
{
    const int64_t day = INT64_C(86400000000);
    int64_t days = micros / day - (micros % day < 0);
    int year;
    unsigned month, date;
    civil(days, &year, &month, &date);
    buf_printf(out, "%04d-%02u-%02u ", year, month, date);
    show_time(out, (uint64_t)(micros - days * day), scale);
}

static void show_decimal(struct buf *out, int64_t number, uint8_t scale)
{
    char digits[48];
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    int length = snprintf(digits, sizeof digits, "%0*" PRIu64, scale + 1, size);
    buf_text(out, number < 0 ? "-" : "");
    buf_put(out, digits, (size_t)length - scale);
    if (scale)
        buf_printf(out, ".%s", digits + length - scale);
}

static bool is_hex(enum type_kind kind)
{
    return kind == TYPE_TEXT || kind == TYPE_BYTES || kind == TYPE_JSON || kind == TYPE_ENUM ||
           kind == TYPE_SET || kind >= TYPE_GEOMETRY;
}

void value_show(struct buf *out, const struct type *type, const struct value *value)
{
    bool text = value->tag == VALUE_TEXT;
    int year;
    unsigned month, day;
    if (value->tag == VALUE_NULL || value->tag == VALUE_ABSENT) {
        buf_text(out, value->tag == VALUE_NULL ? "NULL" : "ABSENT");
    } else if (value->tag == VALUE_DOUBLE) {
        buf_printf(out, "%.17g", value->number);
    } else if (text && !is_hex(type->kind)) {
        buf_bytes(out, value_bytes(value));
    } else if (text) {
        for (uint32_t i = 0; i < value->size; i++)
            buf_printf(out, "%02X", value->data[i]);
    } else if (value->tag == VALUE_UINT) {
        buf_printf(out, "%" PRIu64, value->natural);
    } else if (type->kind == TYPE_DECIMAL) {
        show_decimal(out, value->integer, type->scale);
    } else if (type->kind == TYPE_DATE) {
        civil(value->integer, &year, &month, &day);
        buf_printf(out, "%04d-%02u-%02u", year, month, day);
    } else if (type->kind == TYPE_TIME) {
        buf_text(out, value->integer < 0 ? "-" : "");
        show_time(out, (uint64_t)llabs(value->integer), type->scale);
    } else if (type->kind == TYPE_DATETIME || type->kind == TYPE_TIMESTAMP) {
        show_datetime(out, value->integer, type->scale);
    } else {
        buf_printf(out, "%" PRId64, value->integer);
    }
}
