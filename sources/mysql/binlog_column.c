/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of row events, one function a layout. Numbers are little endian; DECIMAL, BIT and the
 * temporal types with a fraction are big endian, so that they sort. Layouts: MySQL internals
 * "Rows_event"; my_time_packed_from_binary, my_datetime_packed_from_binary and
 * my_timestamp_from_binary for the temporal types; MariaDB's pack_time for those of servers with
 * mysql56_temporal_format=OFF, and its Field_longstr::uncompress for COMPRESSED columns. */
#include "sources/mysql/binlog_cell.h"

#include <zlib.h>

#include "engine/base/assert.h"
#include "sources/mysql/binlog_json.h"

static inline uint32_t load32_be(const uint8_t *at) { return __builtin_bswap32(load32(at)); }

static inline uint64_t load_le(const uint8_t *at, size_t width)
{
    uint64_t number = 0;
    for (size_t i = width; i > 0; i--)
        number = number << 8 | at[i - 1];
    return number;
}

static inline uint64_t load_be(const uint8_t *at, size_t width)
{
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | at[i];
    return number;
}

/* ---- numbers ---- */

static const uint8_t *decode_float(const struct column_decoder *self, const uint8_t *at,
                                   struct decode_scope *scope, struct value *out)
{
    (void)self, (void)scope;
    float number;
    memcpy(&number, at, sizeof number);
    *out = value_double((double)number);
    return at + sizeof number;
}

static const uint8_t *decode_decimal_text(const struct column_decoder *self, const uint8_t *at,
                                          struct decode_scope *scope, struct value *out)
{
    uint8_t *text = arena_raw(scope->arena, DECIMAL_TEXT_MAX);
    size_t size = decimal_print(&self->decimal, at, text);
    arena_trim(scope->arena, text + DECIMAL_TEXT_MAX, text + size);
    if (!size)
        return cell_malformed(scope, "not a decimal");
    *out = value_text((struct bytes){ text, size });
    return at + self->width;
}

/* ---- dates and times ---- */

static const uint8_t *decode_year(const struct column_decoder *self, const uint8_t *at,
                                  struct decode_scope *scope, struct value *out)
{
    (void)self, (void)scope;
    *out = value_int(*at ? 1900 + *at : 0);
    return at + 1;
}

/* Microseconds of a fraction in (scale + 1) / 2 bytes, which hold an even number of digits. */
static const uint32_t fraction_unit[7] = { 0, 10000, 10000, 100, 100, 1, 1 };

/* 24 bits (sign, unused, 10 hours, 6 minutes, 6 seconds) and the fraction: one signed number with
 * an offset, so that -00:00:00.5 borrows from the seconds. */
static const uint8_t *decode_time2(const struct column_decoder *self, const uint8_t *at,
                                   struct decode_scope *scope, struct value *out)
{
    uint32_t width = self->width, fraction_bits = (width - 3) * 8;
    int64_t packed = (int64_t)load_be(at, width) - ((int64_t)0x800000 << fraction_bits);
    bool negative = packed < 0;
    uint64_t span = (uint64_t)(negative ? -packed : packed), clock = span >> fraction_bits;
    uint64_t micro = (span - (clock << fraction_bits)) * (uint32_t)self->unit;
    uint32_t minutes = clock >> 6 & 63, seconds = clock & 63;
    if (minutes > 59 || seconds > 59 || micro > 999999)
        return cell_malformed(scope, "not a time");
    *out = value_time(negative, (uint32_t)(clock >> 12 & 1023), minutes, seconds, (uint32_t)micro);
    return at + width;
}

static bool clock_is_valid(const struct value_clock *clock)
{
    return clock->hour < 24 && clock->minute < 60 && clock->second < 60 && clock->micro < 1000000;
}

const uint8_t *column_no_datetime(const struct column_decoder *self, const uint8_t *at,
                                  uint64_t packed, uint32_t micro, struct decode_scope *scope,
                                  struct value *out)
{
    uint32_t months = (uint32_t)(packed >> 22);
    struct value_clock clock = {
        .year = months / 13,
        .month = months % 13,
        .day = packed >> 17 & 31,
        .hour = packed >> 12 & 31,
        .minute = packed >> 6 & 63,
        .second = packed & 63,
        .micro = micro,
    };
    if (packed >> 39)
        return cell_malformed(scope, "not a datetime");
    *out = value_datetime(&clock, self->scale, scope->arena);
    return at + self->width;
}

/* ---- the formats of before 5.6 ---- */

static const uint8_t *decode_old_timestamp(const struct column_decoder *self, const uint8_t *at,
                                           struct decode_scope *scope, struct value *out)
{
    *out = cell_instant(load32(at), 0, self->scale, scope->arena);
    return at + 4;
}

/* The decimal number HHMMSS, signed. */
static const uint8_t *decode_old_time(const struct column_decoder *self, const uint8_t *at,
                                      struct decode_scope *scope, struct value *out)
{
    (void)self;
    int32_t packed = (int32_t)(load32(at) << 8) >> 8;
    uint32_t number = (uint32_t)(packed < 0 ? -packed : packed);
    if (number % 100 > 59 || number / 100 % 100 > 59)
        return cell_malformed(scope, "not a time");
    *out = value_time(packed < 0, number / 10000, number / 100 % 100, number % 100, 0);
    return at + 3;
}

/* The decimal number YYYYMMDDHHMMSS. */
static const uint8_t *decode_old_datetime(const struct column_decoder *self, const uint8_t *at,
                                          struct decode_scope *scope, struct value *out)
{
    uint64_t packed = load64(at);
    uint32_t date = (uint32_t)(packed / 1000000), time = (uint32_t)(packed % 1000000);
    struct value_clock clock = {
        .year = date / 10000,
        .month = date / 100 % 100,
        .day = date % 100,
        .hour = time / 10000,
        .minute = time / 100 % 100,
        .second = time % 100,
    };
    if (packed > 99991231235959 || !clock_is_valid(&clock))
        return cell_malformed(scope, "not a datetime");
    *out = value_datetime(&clock, self->scale, scope->arena);
    return at + 8;
}

/* MariaDB's fractional types without mysql56_temporal_format: one big-endian number in units of the
 * fraction, the clock in mixed radix (13 months, 32 days); TIME has an offset. The event does not
 * tell the digits of the fraction: they come from the version. */
static const uint32_t hires_unit[7] = { 1000000, 100000, 10000, 1000, 100, 10, 1 };

static const uint8_t *decode_hires_timestamp(const struct column_decoder *self, const uint8_t *at,
                                             struct decode_scope *scope, struct value *out)
{
    uint64_t micro = load_be(at + 4, self->width - 4) * hires_unit[self->scale];
    if (micro > 999999)
        return cell_malformed(scope, "not a timestamp");
    *out = cell_instant(load32_be(at), micro, self->scale, scope->arena);
    return at + self->width;
}

static const uint8_t *decode_hires_time(const struct column_decoder *self, const uint8_t *at,
                                        struct decode_scope *scope, struct value *out)
{
    (void)scope;
    const int64_t time_max_seconds = 838 * 3600 + 59 * 60 + 59;
    uint32_t unit = hires_unit[self->scale];
    int64_t zero = (time_max_seconds + 1) * 1000000 / unit;
    *out = value_int(((int64_t)load_be(at, self->width) - zero) * unit);
    return at + self->width;
}

static const uint8_t *decode_hires_datetime(const struct column_decoder *self, const uint8_t *at,
                                            struct decode_scope *scope, struct value *out)
{
    uint64_t unit = hires_unit[self->scale], packed = load_be(at, self->width);
    if (packed > UINT64_MAX / unit)
        return cell_malformed(scope, "not a datetime");
    uint64_t seconds = packed * unit / 1000000;
    uint32_t days = (uint32_t)(seconds / 86400), second = (uint32_t)(seconds % 86400);
    struct value_clock clock = {
        .year = days / 32 / 13,
        .month = days / 32 % 13,
        .day = days % 32,
        .hour = second / 3600,
        .minute = second / 60 % 60,
        .second = second % 60,
        .micro = (uint32_t)(packed * unit % 1000000),
    };
    if (seconds / 86400 / 32 / 13 > 9999)
        return cell_malformed(scope, "not a datetime");
    *out = value_datetime(&clock, self->scale, scope->arena);
    return at + self->width;
}

/* ---- texts and bytes ---- */

static const uint8_t *decode_padded(const struct column_decoder *self, const uint8_t *at,
                                    struct decode_scope *scope, struct value *out)
{
    struct bytes raw = cell_sized(self, at, scope->end);
    if (!raw.data)
        return cell_cut_off(scope);
    *out = value_padded(raw, self->length, scope->arena);
    return raw.data + raw.size;
}

bool column_convert(const struct column_decoder *self, struct bytes raw, struct decode_scope *scope,
                    struct value *out)
{
    uint64_t characters = 0;
    struct bytes text = charset_decode(self->charset, raw, scope->arena, &characters);
    scope->replaced += characters > 0;
    if (text.size > UINT32_MAX)
        return cell_malformed(scope, "a text of more than 4 GiB");
    *out = value_text(text);
    return true;
}

static const uint8_t *decode_wide_text(const struct column_decoder *self, const uint8_t *at,
                                       struct decode_scope *scope, struct value *out)
{
    struct bytes raw = cell_sized(self, at, scope->end);
    if (!raw.data)
        return cell_cut_off(scope);
    return column_convert(self, raw, scope, out) ? raw.data + raw.size : NULL;
}

static const uint8_t *decode_json(const struct column_decoder *self, const uint8_t *at,
                                  struct decode_scope *scope, struct value *out)
{
    struct bytes raw = cell_sized(self, at, scope->end), text;
    if (!raw.data)
        return cell_cut_off(scope);
    if (!json_binary_print(raw, scope->arena, &text))
        return cell_malformed(scope, "not a JSON document");
    *out = value_text(text);
    return raw.data + raw.size;
}

static const uint8_t *decode_set(const struct column_decoder *self, const uint8_t *at,
                                 struct decode_scope *scope, struct value *out)
{
    if (!value_set(&self->column->type, load_le(at, self->width), scope->arena, out))
        return cell_malformed(scope, "a SET bit without a label");
    return at + self->width;
}

/* ---- MariaDB's COMPRESSED columns ---- */

/* Nothing for the empty value; else a byte (0: the value follows as it is; otherwise 4 bits method,
 * 8; a bit that is set when zlib's wrapper is missing; 3 bits size of the size), the size big
 * endian, the deflated bytes. */
static bool inflate_value(struct bytes raw, struct arena *arena, struct bytes *out)
{
    uint8_t header = raw.data[0];
    size_t width = header & 7;
    int window = header & 8 ? -MAX_WBITS : MAX_WBITS;
    if (header >> 4 != 8 || width == 0 || width > 4 || raw.size < 1 + width)
        return false;
    uint64_t size = load_be(raw.data + 1, width);
    struct bytes body = { raw.data + 1 + width, raw.size - 1 - width };
    if (size > (uint64_t)body.size * 1100 + 64) /* deflate cannot do better: the size lies */
        return false;
    uint8_t *plain = arena_raw(arena, size);
    z_stream stream = { .next_in = (Bytef *)(uintptr_t)body.data,
                        .avail_in = (uInt)body.size,
                        .next_out = plain,
                        .avail_out = (uInt)size };
    if (inflateInit2(&stream, window) != Z_OK)
        return false;
    bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == size;
    inflateEnd(&stream);
    *out = (struct bytes){ plain, size };
    return whole;
}

static const uint8_t *decode_compressed(const struct column_decoder *self, const uint8_t *at,
                                        struct decode_scope *scope, struct value *out)
{
    struct bytes raw = cell_sized(self, at, scope->end), plain;
    if (!raw.data)
        return cell_cut_off(scope);
    if (raw.size == 0)
        plain = raw;
    else if (raw.data[0] == 0)
        plain = (struct bytes){ raw.data + 1, raw.size - 1 };
    else if (!inflate_value(raw, scope->arena, &plain))
        return cell_malformed(scope, "not a compressed value");
    if (!self->charset)
        *out = value_text(plain);
    else if (!column_convert(self, plain, scope, out))
        return NULL;
    return raw.data + raw.size;
}

/* ---- the choice ---- */

static bool choose_integer(uint8_t wire, struct column_decoder *self)
{
    static const struct {
        uint8_t wire, width;
    } rows[] = {
        { WIRE_TINY, 1 }, { WIRE_SHORT, 2 },    { WIRE_INT24, 3 },
        { WIRE_LONG, 4 }, { WIRE_LONGLONG, 8 },
    };
    const struct type *type = &self->column->type;
    if (type->kind != TYPE_INT && type->kind != TYPE_UINT)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].wire != wire || rows[i].width * 8 != type->bits)
            continue;
        self->width = rows[i].width;
        self->shape = type->kind == TYPE_UINT ? COLUMN_UINT : COLUMN_INT;
        self->shift = (uint8_t)(64 - type->bits);
        return true;
    }
    return false;
}

static bool choose_decimal(uint16_t metadata, struct column_decoder *self)
{
    const struct type *type = &self->column->type;
    uint8_t precision = (uint8_t)(metadata >> 8), scale = (uint8_t)metadata;
    if (type->kind != TYPE_DECIMAL || type->precision != precision || type->scale != scale ||
        !decimal_layout_of(precision, scale, &self->decimal))
        return false;
    self->width = self->decimal.size;
    self->shape = precision <= DECIMAL_INT_PRECISION ? COLUMN_DECIMAL : COLUMN_OTHER;
    self->decode = decode_decimal_text;
    return true;
}

static bool choose_fraction(uint8_t wire, uint16_t metadata, struct column_decoder *self)
{
    const struct type *type = &self->column->type;
    uint32_t extra = (metadata + 1u) / 2;
    if (metadata > 6 || metadata != type->scale)
        return false;
    if (wire == WIRE_TIME2 && type->kind == TYPE_TIME) {
        self->width = 3 + extra;
        self->decode = decode_time2;
    } else if (wire == WIRE_DATETIME2 && type->kind == TYPE_DATETIME) {
        self->width = 5 + extra;
        self->shape = COLUMN_DATETIME;
        self->shift = (uint8_t)(24 - 8 * extra);
    } else if (wire == WIRE_TIMESTAMP2 && type->kind == TYPE_TIMESTAMP) {
        self->width = 4 + extra;
        self->shape = COLUMN_TIMESTAMP;
        self->shift = (uint8_t)(32 - 8 * extra);
    } else {
        return false;
    }
    self->unit = (int32_t)fraction_unit[metadata];
    return true;
}

static bool choose_old_time(uint8_t wire, struct column_decoder *self)
{
    static const uint8_t timestamp_extra[7] = { 0, 1, 1, 2, 2, 3, 3 };
    static const uint8_t time_width[7] = { 3, 4, 4, 5, 5, 5, 6 };
    static const uint8_t datetime_width[7] = { 8, 6, 6, 7, 7, 7, 8 };
    const struct type *type = &self->column->type;
    if (type->scale > 6)
        return false;
    if (wire == WIRE_TIME && type->kind == TYPE_TIME) {
        self->width = time_width[type->scale];
        self->decode = type->scale ? decode_hires_time : decode_old_time;
    } else if (wire == WIRE_DATETIME && type->kind == TYPE_DATETIME) {
        self->width = datetime_width[type->scale];
        self->decode = type->scale ? decode_hires_datetime : decode_old_datetime;
    } else if (wire == WIRE_TIMESTAMP && type->kind == TYPE_TIMESTAMP) {
        self->width = 4u + timestamp_extra[type->scale];
        self->decode = type->scale ? decode_hires_timestamp : decode_old_timestamp;
    } else {
        return false;
    }
    return true;
}

static bool choose_text(struct column_decoder *self)
{
    static const uint8_t probe[] = "a";
    if (!self->charset)
        return false;
    uint64_t replaced = 0;
    struct arena arena = { 0 }; /* stays empty when ASCII passes as it is */
    struct bytes text =
        charset_decode(self->charset, (struct bytes){ probe, 1 }, &arena, &replaced);
    bool ascii = text.data == probe;
    arena_done(&arena);
    self->shape = ascii ? COLUMN_TEXT : COLUMN_OTHER;
    self->decode = decode_wide_text;
    return true;
}

/* STRING, VARCHAR and the BLOBs carry texts, bytes, and MariaDB's types that are only a way to show
 * them. */
static bool choose_sized(struct column_decoder *self)
{
    const struct type *type = &self->column->type;
    self->shape = COLUMN_BYTES;
    switch (type->kind) {
    case TYPE_TEXT:
    case TYPE_JSON:
        return choose_text(self);
    case TYPE_BYTES:
        self->length = type->fixed && self->wire == WIRE_STRING ? type->length : 0;
        break;
    case TYPE_UUID:
    case TYPE_INET6:
        self->length = 16;
        break;
    case TYPE_INET4:
        self->length = 4;
        break;
    case TYPE_GEOMETRY:
    case TYPE_VECTOR:
        return true;
    default:
        return false;
    }
    if (self->length)
        self->shape = COLUMN_OTHER;
    self->decode = decode_padded;
    return true;
}

static bool choose_compressed(struct column_decoder *self)
{
    enum type_kind kind = self->column->type.kind;
    if (kind == TYPE_BYTES)
        self->charset = NULL;
    else if (kind != TYPE_TEXT && kind != TYPE_JSON)
        return false;
    else if (!self->charset)
        return false;
    self->decode = decode_compressed;
    return true;
}

static bool choose_shape(struct column_decoder *self, enum type_kind kind, uint32_t width,
                         enum column_shape shape)
{
    self->width = width;
    self->shape = (uint8_t)shape;
    return self->column->type.kind == kind;
}

static bool choose_other(struct column_decoder *self, enum type_kind kind, uint32_t width,
                         column_decode *decode)
{
    self->decode = decode;
    return choose_shape(self, kind, width, COLUMN_OTHER);
}

static bool choose(uint8_t wire, uint16_t metadata, struct column_decoder *self)
{
    switch (wire) {
    case WIRE_FLOAT:
        return choose_other(self, TYPE_FLOAT, 4, decode_float);
    case WIRE_DOUBLE:
        return choose_shape(self, TYPE_DOUBLE, 8, COLUMN_DOUBLE);
    case WIRE_YEAR:
        return choose_other(self, TYPE_YEAR, 1, decode_year);
    case WIRE_DATE:
    case WIRE_NEWDATE:
        return choose_shape(self, TYPE_DATE, 3, COLUMN_DATE);
    case WIRE_NEWDECIMAL:
        return choose_decimal(metadata, self);
    case WIRE_TIME2:
    case WIRE_DATETIME2:
    case WIRE_TIMESTAMP2:
        return choose_fraction(wire, metadata, self);
    case WIRE_TIME:
    case WIRE_DATETIME:
    case WIRE_TIMESTAMP:
        return choose_old_time(wire, self);
    case WIRE_BIT:
        self->shift = (uint8_t)(64 - (metadata + 7u) / 8 * 8);
        return metadata >= 1 && metadata <= 64 &&
               choose_shape(self, TYPE_BIT, (metadata + 7u) / 8, COLUMN_BIT);
    case WIRE_ENUM:
        return (metadata == 1 || metadata == 2) &&
               choose_shape(self, TYPE_ENUM, metadata, COLUMN_ENUM);
    case WIRE_SET:
        return metadata >= 1 && metadata <= 8 && choose_other(self, TYPE_SET, metadata, decode_set);
    case WIRE_STRING:
    case WIRE_VAR_STRING:
    case WIRE_VARCHAR:
    case WIRE_BLOB:
        return choose_sized(self);
    case WIRE_JSON:
        return choose_other(self, TYPE_JSON, 0, decode_json);
    case WIRE_GEOMETRY:
        return choose_shape(self, TYPE_GEOMETRY, 0, COLUMN_BYTES);
    case WIRE_VECTOR:
        return choose_shape(self, TYPE_VECTOR, 0, COLUMN_BYTES);
    case WIRE_BLOB_COMPRESSED:
    case WIRE_VARCHAR_COMPRESSED:
        return choose_compressed(self);
    default:
        return choose_integer(wire, self);
    }
}

static uint8_t length_prefix(uint8_t wire, uint16_t metadata)
{
    switch (wire) {
    case WIRE_STRING:
    case WIRE_VAR_STRING:
    case WIRE_VARCHAR:
    case WIRE_VARCHAR_COMPRESSED:
        return metadata > 255 ? 2 : 1;
    case WIRE_BLOB:
    case WIRE_JSON:
    case WIRE_GEOMETRY:
    case WIRE_VECTOR:
    case WIRE_BLOB_COMPRESSED:
        return metadata >= 1 && metadata <= 4 ? (uint8_t)metadata : 0;
    default:
        return 0;
    }
}

bool column_decoder_make(uint8_t wire, uint16_t metadata, const struct column *column,
                         const struct charset *charset, struct column_decoder *out,
                         struct error *err)
{
    struct column_decoder self = { .column = column,
                                   .charset = charset,
                                   .wire = wire,
                                   .scale = column->type.scale,
                                   .prefix = length_prefix(wire, metadata) };
    bool text = column->type.kind == TYPE_TEXT && !charset;
    if (text)
        return error_set(err, ERROR_DATA, "column '%.*s': character set '%.*s' is not known",
                         BYTES_ARGS(column->name), BYTES_ARGS(column->charset));
    if (!choose(wire, metadata, &self) || (!self.prefix && !self.width))
        return error_set(
            err, ERROR_DATA, "column '%.*s' is %s, but the log has wire type %u (metadata 0x%x)",
            BYTES_ARGS(column->name), type_kind_name(column->type.kind), wire, metadata);
    self.least = (uint8_t)(self.prefix ? self.prefix : self.width);
    self.size_mask = UINT32_MAX >> (32 - 8 * (self.least < 4 ? self.least : 4));
    *out = self;
    return true;
}
