/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoding of binary rows into canonical values. */
#include "sources/mysql/reader_row.h"

#include <arpa/inet.h>

#include "engine/base/parse.h"
#include "engine/base/reader.h"
#include "engine/source.h"
#include "sources/mysql/binlog_value.h"
#include "sources/mysql/wire_type.h"

struct cell {
    bool (*decode)(const struct cell *cell, struct reader *in, struct batch *batch,
                   struct value *out);
    const struct column *column;
    const struct charset *charset;
    uint8_t width;
};
struct cell_plan {
    const struct table *table;
    struct cell cells[];
};

static inline struct bytes take_text(struct reader *in)
{
    uint8_t first = reader_u8(in);
    uint64_t size = first < 0xfb    ? first
                    : first == 0xfc ? reader_le(in, 2)
                    : first == 0xfd ? reader_le(in, 3)
                                    : reader_le(in, 8);
    return reader_take(in, (size_t)size);
}

#define CELL(name)                                                                                 \
    static bool name(const struct cell *cell, struct reader *in, struct batch *batch,              \
                     struct value *out)

CELL(decode_int)
{
    (void)batch;
    uint64_t raw = reader_le(in, cell->width);
    unsigned shift = 64u - 8u * cell->width;
    *out = value_int((int64_t)(raw << shift) >> shift);
    return true;
}

CELL(decode_uint)
{
    (void)batch;
    *out = value_uint(reader_le(in, cell->width));
    return true;
}

CELL(decode_year)
{
    (void)batch;
    *out = value_int((int64_t)reader_le(in, cell->width));
    return true;
}

CELL(decode_float)
{
    (void)cell;
    (void)batch;
    uint32_t raw = (uint32_t)reader_le(in, 4);
    float number;
    memcpy(&number, &raw, sizeof number);
    *out = value_double((double)number);
    return true;
}

CELL(decode_double)
{
    (void)cell;
    (void)batch;
    uint64_t raw = reader_le(in, 8);
    double number;
    memcpy(&number, &raw, sizeof number);
    *out = value_double(number);
    return true;
}

CELL(decode_decimal)
{
    const struct type *type = &cell->column->type;
    return value_decimal(take_text(in), type->precision, type->scale, &batch->arena, out);
}

CELL(decode_bit)
{
    (void)cell;
    (void)batch;
    *out = value_bit(take_text(in));
    return true;
}

/* u8 size (0, 4, 7 or 11), u16 year, month, day, [hour, minute, second, [u32 micro]] */
static struct value_clock take_clock(struct reader *in)
{
    struct reader part = reader_of(reader_take(in, reader_u8(in)));
    struct value_clock clock = { 0 };
    if (part.rest.size >= 4) {
        clock.year = (uint32_t)reader_le(&part, 2);
        clock.month = reader_u8(&part);
        clock.day = reader_u8(&part);
    }
    if (part.rest.size >= 3) {
        clock.hour = reader_u8(&part);
        clock.minute = reader_u8(&part);
        clock.second = reader_u8(&part);
    }
    if (part.rest.size >= 4)
        clock.micro = (uint32_t)reader_le(&part, 4);
    return clock;
}

CELL(decode_date)
{
    (void)cell;
    struct value_clock clock = take_clock(in);
    *out = value_date(clock.year, clock.month, clock.day, &batch->arena);
    return true;
}

CELL(decode_datetime)
{
    struct value_clock clock = take_clock(in);
    *out = value_datetime(&clock, cell->column->type.scale, &batch->arena);
    return true;
}

/* u8 size (0, 8 or 12), u8 negative, u32 days, hour, minute, second, [u32 micro] */
CELL(decode_time)
{
    (void)cell;
    (void)batch;
    struct reader part = reader_of(reader_take(in, reader_u8(in)));
    bool negative = false;
    uint32_t hours = 0, minute = 0, second = 0, micro = 0;
    if (part.rest.size >= 8) {
        negative = reader_u8(&part) != 0;
        hours = (uint32_t)reader_le(&part, 4) * 24;
        hours += reader_u8(&part);
        minute = reader_u8(&part);
        second = reader_u8(&part);
    }
    if (part.rest.size >= 4)
        micro = (uint32_t)reader_le(&part, 4);
    *out = value_time(negative, hours, minute, second, micro);
    return true;
}

CELL(decode_text)
{
    uint64_t characters = 0;
    struct bytes text = take_text(in);
    if (cell->charset)
        text = charset_decode(cell->charset, text, &batch->arena, &characters);
    *out = value_text(text);
    batch->replaced += characters > 0;
    return true;
}

CELL(decode_bytes)
{
    (void)cell;
    (void)batch;
    *out = value_text(take_text(in));
    return true;
}

CELL(decode_binary)
{
    struct bytes raw = take_text(in);
    *out = cell->column->type.fixed && raw.size < cell->column->type.length
               ? value_padded(raw, cell->column->type.length, &batch->arena)
               : value_text(raw);
    return true;
}

CELL(decode_uuid)
{
    (void)cell;
    struct bytes text = take_text(in);
    uint8_t *raw = arena_raw(&batch->arena, 16);
    size_t digits = 0;
    memset(raw, 0, 16);
    for (size_t i = 0; i < text.size && digits < 32; i++) {
        int digit = parse_hex_digit(text.data[i]);
        if (digit < 0)
            continue;
        raw[digits / 2] = (uint8_t)(raw[digits / 2] << 4 | digit);
        digits++;
    }
    *out = value_text((struct bytes){ raw, 16 });
    return digits == 32;
}

CELL(decode_inet)
{
    bool four = cell->column->type.kind == TYPE_INET4;
    struct bytes text = take_text(in);
    uint8_t *raw = arena_raw(&batch->arena, 16);
    char address[64];
    if (text.size >= sizeof address)
        return false;
    memcpy(address, text.data, text.size);
    address[text.size] = '\0';
    *out = value_text((struct bytes){ raw, four ? 4 : 16 });
    return inet_pton(four ? AF_INET : AF_INET6, address, raw) == 1;
}

static bool choose_number(struct cell *cell, uint8_t wire)
{
    bool is_unsigned = cell->column->type.kind == TYPE_UINT;
    cell->width = wire == WIRE_TINY                         ? 1
                  : wire == WIRE_SHORT || wire == WIRE_YEAR ? 2
                  : wire == WIRE_LONG || wire == WIRE_INT24 ? 4
                  : wire == WIRE_LONGLONG                   ? 8
                                                            : 0;
    cell->decode = cell->column->type.kind == TYPE_YEAR ? decode_year
                   : is_unsigned                        ? decode_uint
                                                        : decode_int;
    return cell->width > 0;
}

static bool choose(struct cell *cell, uint8_t wire)
{
    bool clock = wire == WIRE_TIMESTAMP || wire == WIRE_DATETIME || wire == WIRE_DATE ||
                 wire == WIRE_NEWDATE;
    bool text = wire == 15 || wire == 16 || wire == 0 || wire >= 240;
    switch (cell->column->type.kind) {
    case TYPE_INT:
    case TYPE_UINT:
    case TYPE_YEAR:
        return choose_number(cell, wire);
    case TYPE_FLOAT:
        cell->decode = decode_float;
        return wire == WIRE_FLOAT;
    case TYPE_DOUBLE:
        cell->decode = decode_double;
        return wire == WIRE_DOUBLE;
    case TYPE_DECIMAL:
        cell->decode = decode_decimal;
        return text;
    case TYPE_BIT:
        cell->decode = decode_bit;
        return text;
    case TYPE_DATE:
        cell->decode = decode_date;
        return clock;
    case TYPE_TIME:
        cell->decode = decode_time;
        return wire == WIRE_TIME;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
        cell->decode = decode_datetime;
        return clock;
    case TYPE_TEXT:
    case TYPE_JSON:
    case TYPE_ENUM:
    case TYPE_SET:
        cell->decode = decode_text;
        return text;
    case TYPE_BYTES:
        cell->decode = decode_binary;
        return text;
    case TYPE_GEOMETRY:
    case TYPE_VECTOR:
        cell->decode = decode_bytes;
        return text;
    case TYPE_UUID:
        cell->decode = decode_uuid;
        return text;
    case TYPE_INET4:
    case TYPE_INET6:
        cell->decode = decode_inet;
        return text;
    case TYPE_ARRAY: /* PostgreSQL's */
    case TYPE_KIND_COUNT:
        break;
    }
    return false;
}

bool cell_plan_make(const struct table *table, const uint8_t *wire_types, struct arena *arena,
                    struct cell_plan **out, struct error *err)
{
    struct cell_plan *plan =
        arena_zalloc(arena, sizeof *plan + table->column_count * sizeof(struct cell));
    plan->table = table;
    for (uint16_t i = 0; i < table->column_count; i++) {
        struct cell *cell = &plan->cells[i];
        const struct column *column = &table->columns[i];
        cell->column = column;
        bool json = column->type.kind == TYPE_JSON;
        cell->charset = column->charset.size > 0 && !json ? charset_find(column->charset) : NULL;
        if (json)
            cell->charset = charset_find(BYTES_LITERAL("utf8mb4"));
        if (!choose(cell, wire_types[i]))
            return error_code(err, ERROR_DATA, READER_SHAPE,
                              "table '%.*s.%.*s', column '%.*s': the server sends another type "
                              "(%u) than '%.*s'",
                              BYTES_ARGS(table->database), BYTES_ARGS(table->name),
                              BYTES_ARGS(column->name), wire_types[i],
                              BYTES_ARGS(column->source_type));
    }
    *out = plan;
    return true;
}

bool cell_row(const struct cell_plan *plan, struct bytes packet, struct batch *batch,
              struct error *err)
{
    uint8_t *copy = arena_raw(&batch->arena, packet.size);
    memcpy(copy, packet.data, packet.size);
    const struct table *table = plan->table;
    struct reader in = reader_of((struct bytes){ copy, packet.size });
    reader_u8(&in);
    struct bytes nulls = reader_take(&in, (table->column_count + 9u) / 8);
    if (in.failed)
        return error_set(err, ERROR_RETRY, "a row that the server sent is cut off");
    struct value *values = arena_alloc(&batch->arena, table->column_count * sizeof *values);
    for (uint16_t i = 0; i < table->column_count; i++) {
        unsigned bit = i + 2u;
        if (nulls.data[bit / 8] >> bit % 8 & 1)
            values[i] = value_null();
        else if (!plan->cells[i].decode(&plan->cells[i], &in, batch, &values[i]))
            return error_set(err, ERROR_DATA,
                             "table '%.*s.%.*s', column '%.*s': a value that the "
                             "server sent is malformed",
                             BYTES_ARGS(table->database), BYTES_ARGS(table->name),
                             BYTES_ARGS(table->columns[i].name));
    }
    if (in.failed)
        return error_set(err, ERROR_RETRY, "a row that the server sent is cut off");
    struct event *event = batch_add(batch);
    event->op = EVENT_INSERT;
    event->snapshot = true;
    event->table = table;
    event->after = values;
    return true;
}
