/* SPDX-License-Identifier: Apache-2.0
 *
 * One cell of a row, inline: what most rows are made of is decoded in the loop over their columns,
 * the rest by a call. Behind the end of the bytes COLUMN_SPARE more can be read, so a number is
 * loaded whole, whatever its width, and the bytes that are not its own are shifted out. */
#pragma once

#include "sources/mysql/binlog_column.h"

static inline uint32_t load32(const uint8_t *at)
{
    uint32_t number;
    memcpy(&number, at, sizeof number);
    return le32toh(number);
}

static inline uint64_t load64(const uint8_t *at)
{
    uint64_t number;
    memcpy(&number, at, sizeof number);
    return le64toh(number);
}

static inline uint64_t load64_be(const uint8_t *at) { return __builtin_bswap64(load64(at)); }

static inline const uint8_t *cell_malformed(struct decode_scope *scope, const char *reason)
{
    scope->reason = reason;
    return NULL;
}

static inline const uint8_t *cell_cut_off(struct decode_scope *scope)
{
    return cell_malformed(scope, "the value is cut off");
}

static inline const struct value_month *cell_month(struct decode_scope *scope, uint32_t number)
{
    struct value_month *month = &scope->months[number % VALUE_MONTHS];
    if (month->number != number)
        *month = value_month_of(number);
    return month;
}

/* 24 bits: 15 year, 4 month, 5 day. */
static inline struct value cell_date(struct decode_scope *scope, const uint8_t *at)
{
    uint32_t packed = load32(at) & 0xffffff, year = packed >> 9, month = packed >> 5 & 15,
             day = packed & 31;
    if (month <= 12) {
        const struct value_month *found = cell_month(scope, year * 13 + month);
        if (day - 1 < found->days)
            return value_int(found->first_day + day - 1);
    }
    return value_date(year, month, day, scope->arena);
}

/* 40 bits (sign, 17 of year * 13 + month, 5 day, 5 hour, 6 minute, 6 second) and the fraction. */
static inline const uint8_t *cell_datetime(const struct column_decoder *self, const uint8_t *at,
                                           struct decode_scope *scope, struct value *out)
{
    uint64_t raw = load64_be(at), packed = raw >> 24 ^ 0x8000000000u;
    int32_t clock = (int32_t)packed, day = clock >> 17 & 31, hour = clock >> 12 & 31,
            minute = clock >> 6 & 63, second = clock & 63;
    int32_t micro = (int32_t)(((uint32_t)raw & 0xffffff) >> self->shift) * self->unit;
    if (((23 - hour) | (59 - minute) | (59 - second) | (999999 - micro)) < 0)
        return cell_malformed(scope, "not a datetime");
    const struct value_month *month = cell_month(scope, (uint32_t)(packed >> 22));
    if ((uint32_t)day - 1 >= month->days)
        return column_no_datetime(self, at, packed, (uint32_t)micro, scope, out);
    int64_t seconds = (month->first_day + day - 1) * 86400 + hour * 3600 + minute * 60 + second;
    *out = value_int(seconds * 1000000 + micro);
    return at + self->width;
}

/* Second 0 is the zero date; MariaDB counts unsigned, up to the year 2106. */
static inline struct value cell_instant(uint64_t seconds, uint64_t micro, uint8_t scale,
                                        struct arena *arena)
{
    if (seconds)
        return value_int((int64_t)(seconds * 1000000 + micro));
    return value_datetime(&(struct value_clock){ 0 }, scale, arena);
}

/* 32 bits of seconds and the fraction. */
static inline const uint8_t *cell_timestamp(const struct column_decoder *self, const uint8_t *at,
                                            struct decode_scope *scope, struct value *out)
{
    uint64_t raw = load64_be(at), seconds = raw >> 32;
    uint64_t micro = ((raw & UINT32_MAX) >> self->shift) * (uint32_t)self->unit;
    if (micro > 999999)
        return cell_malformed(scope, "not a timestamp");
    *out = cell_instant(seconds, micro, self->scale, scope->arena);
    return at + self->width;
}

/* The bytes behind a length; data NULL when cut off. */
static inline struct bytes cell_sized(const struct column_decoder *self, const uint8_t *at,
                                      const uint8_t *end)
{
    size_t size = load32(at) & self->size_mask;
    const uint8_t *data = at + self->prefix;
    return (size_t)(end - data) < size ? (struct bytes){ 0 } : (struct bytes){ data, size };
}

static inline const uint8_t *cell_text(const struct column_decoder *self, const uint8_t *at,
                                       const uint8_t *end, struct decode_scope *scope,
                                       struct value *out)
{
    struct bytes raw = cell_sized(self, at, end);
    if (!raw.data)
        return cell_cut_off(scope);
    if (text_is_ascii(raw.data, raw.size, raw.size + COLUMN_SPARE))
        *out = value_text(raw);
    else if (!column_convert(self, raw, scope, out))
        return NULL;
    return raw.data + raw.size;
}

/* Decodes the value at `at`, which is not NULL; `end` is the scope's. Returns what follows it, or
 * NULL with scope->reason. */
__attribute__((always_inline)) static inline const uint8_t *
cell_decode(const struct column_decoder *self, const uint8_t *at, const uint8_t *end,
            struct decode_scope *scope, struct value *out)
{
    if ((size_t)(end - at) < self->least)
        return cell_cut_off(scope);
    switch ((enum column_shape)self->shape) {
    case COLUMN_INT:
        *out = value_int((int64_t)(load64(at) << self->shift) >> self->shift);
        return at + self->width;
    case COLUMN_UINT:
        *out = value_uint(load64(at) << self->shift >> self->shift);
        return at + self->width;
    case COLUMN_BIT:
        *out = value_uint(load64_be(at) >> self->shift);
        return at + self->width;
    case COLUMN_DOUBLE: {
        double number;
        memcpy(&number, at, sizeof number);
        *out = value_double(number);
        return at + sizeof number;
    }
    case COLUMN_DECIMAL: {
        int64_t number;
        if (!decimal_scaled(&self->decimal, at, &number))
            return cell_malformed(scope, "not a decimal");
        *out = value_int(number);
        return at + self->width;
    }
    case COLUMN_DATE:
        *out = cell_date(scope, at);
        return at + self->width;
    case COLUMN_DATETIME:
        return cell_datetime(self, at, scope, out);
    case COLUMN_TIMESTAMP:
        return cell_timestamp(self, at, scope, out);
    case COLUMN_ENUM:
        if (!value_enum(&self->column->type, load32(at) & self->size_mask, out))
            return cell_malformed(scope, "an ENUM number without a label");
        return at + self->width;
    case COLUMN_TEXT:
        return cell_text(self, at, end, scope, out);
    case COLUMN_BYTES: {
        struct bytes raw = cell_sized(self, at, end);
        *out = value_text(raw);
        return raw.data ? raw.data + raw.size : cell_cut_off(scope);
    }
    case COLUMN_OTHER:
        return self->decode(self, at, scope, out);
    }
    __builtin_unreachable(); /* column_decoder_make() gives no other shape */
}
