/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/json_value.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "engine/base/cleanup.h"
#include "engine/base/json_write.h"
#include "engine/base/reader.h"
#include "schema/array.h"
#include "schema/value_text.h"
#include "sinks/kafka/postgres_text.h"

const char *json_refusal_cure(const struct column *column)
{
    if (column->type.kind == TYPE_ARRAY)
        return ": an array of more dimensions, of another lower bound than 1, or of such an "
               "element; array.mode: text at the source carries it";
    if (bytes_is(column->source_type, "numeric"))
        return ": NaN, an infinity, or more than 1000 digits; decimal.handling.mode: string "
               "carries it";
    if (bytes_begins(column->source_type, "interval"))
        return ": an infinity, or more than 292000 years; interval.handling.mode: string carries "
               "it";
    return "";
}

static bool refuse(const struct column *column, struct error *err)
{
    return error_set(err, ERROR_DATA,
                     "column '%.*s': a value that this format or its settings cannot carry%s",
                     BYTES_ARGS(column->name), json_refusal_cure(column));
}

bool json_columns_check(const struct json_column *columns, const struct table *table,
                        struct error *err)
{
    for (uint16_t i = 0; i < table->column_count; i++)
        if (!columns[i].put)
            return error_set(err, ERROR_DATA,
                             "column '%.*s': value.format has no form for type "
                             "%.*s",
                             BYTES_ARGS(table->columns[i].name),
                             BYTES_ARGS(table->columns[i].source_type));
    return true;
}

bool json_put_gone(const struct json_column *columns, const struct table *table,
                   const struct value *row, struct buf *out, struct error *err)
{
    bool ok = true;
    buf_u8(out, '{');
    for (uint16_t i = 0; i < table->column_count && ok; i++) {
        bool gone = row[i].tag == VALUE_ABSENT && columns[i].gone.data;
        buf_put(out, columns[i].lead.data + !i, columns[i].lead.size - !i);
        if (gone)
            buf_bytes(out, columns[i].gone);
        else if (row[i].tag == VALUE_NULL)
            buf_put(out, "null", 4);
        else if (!columns[i].put(&columns[i], &row[i], out))
            ok = refuse(&table->columns[i], err);
    }
    buf_u8(out, '}');
    return ok;
}

bool json_put_members(const struct json_column *columns, const uint16_t *places, uint16_t count,
                      const struct value *row, struct buf *out, uint16_t *refused)
{
    bool comma = false;
    for (uint16_t i = 0; i < count; i++) {
        const struct json_column *column = &columns[i];
        const struct value *value = &row[places ? places[i] : i];
        if (value->tag == VALUE_ABSENT && !column->absent.data)
            continue;
        buf_put(out, column->lead.data + !comma, column->lead.size - !comma);
        comma = true;
        if (value->tag == VALUE_NULL) {
            buf_put(out, "null", 4);
        } else if (value->tag == VALUE_ABSENT) {
            buf_bytes(out, column->absent);
        } else if (!column->put(column, value, out)) {
            *refused = i;
            return false;
        }
    }
    return true;
}

bool json_put_row(const struct json_column *columns, const struct table *table,
                  const struct value *row, struct buf *out, struct error *err)
{
    uint16_t refused;
    buf_u8(out, '{');
    if (!json_put_members(columns, NULL, table->column_count, row, out, &refused))
        return refuse(&table->columns[refused], err);
    buf_u8(out, '}');
    return true;
}

bool json_put_changed(const struct json_column *columns, const struct table *table,
                      const struct row_images *images, struct buf *out, struct error *err)
{
    bool comma = false;
    buf_u8(out, '{');
    for (uint16_t i = 0; i < table->column_count; i++) {
        uint16_t refused;
        const struct value *before = &images->before[i];
        if (before->tag == VALUE_ABSENT || value_equal(before, &images->after[i]))
            continue;
        if (comma)
            buf_u8(out, ',');
        comma = true;
        if (!json_put_members(&columns[i], NULL, 1, before, out, &refused))
            return refuse(&table->columns[i], err);
    }
    buf_u8(out, '}');
    return true;
}

struct bytes json_lead(struct arena *arena, struct bytes name)
{
    struct buf lead;
    buf_init(&lead, 8192);
    buf_u8(&lead, ',');
    json_put_text(&lead, name);
    buf_u8(&lead, ':');
    struct bytes out = arena_copy(arena, buf_view(&lead));
    buf_done(&lead);
    return out;
}

bool put_boolean(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    if (value->natural > 1) /* a TINYINT(1) that is no boolean after all */
        return false;
    buf_text(out, value->natural ? "true" : "false");
    return true;
}

bool put_int(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    json_put_int(out, value->integer);
    return true;
}

bool put_uint(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    json_put_uint(out, value->natural);
    return true;
}

bool put_float(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    json_put_float(out, value->number);
    return true;
}

bool put_double(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    json_put_double(out, value->number);
    return true;
}

bool put_text(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    json_put_text(out, value_bytes(value));
    return true;
}

bool put_bit_boolean(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    buf_text(out, value->natural ? "true" : "false");
    return true;
}

static void quoted_base64(struct bytes raw, bool url_safe, struct buf *out)
{
    buf_u8(out, '"');
    base64_text(raw, url_safe, out);
    buf_u8(out, '"');
}

bool put_bits(const struct json_column *column, const struct value *value, struct buf *out)
{
    uint8_t raw[8];
    for (size_t i = 0; i < 8; i++)
        raw[i] = (uint8_t)(value->natural >> 8 * i);
    quoted_base64((struct bytes){ raw, column->width }, false, out);
    return true;
}

/* ---- decimals ---- */

bool put_decimal_bytes(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    uint8_t room[UNSCALED_MAX];
    struct bytes raw = value->tag == VALUE_TEXT ? unscaled_of_text(value_bytes(value), room)
                                                : unscaled_of_int(value->integer, room);
    if (!raw.data)
        return false;
    quoted_base64(raw, false, out);
    return true;
}

static void decimal_digits(const struct json_column *column, const struct value *value,
                           struct buf *out)
{
    if (value->tag == VALUE_TEXT)
        buf_bytes(out, value_bytes(value));
    else
        decimal_text(value->integer, column->scale, out);
}

bool put_decimal_text(const struct json_column *column, const struct value *value, struct buf *out)
{
    buf_u8(out, '"');
    decimal_digits(column, value, out);
    buf_u8(out, '"');
    return true;
}

bool put_decimal_double(const struct json_column *column, const struct value *value,
                        struct buf *out)
{
    size_t at = out->size;
    decimal_digits(column, value, out);
    buf_u8(out, '\0');
    if (out->failed)
        return true;
    double number = strtod((const char *)out->data + at, NULL);
    out->size = at;
    json_put_double(out, number);
    return true;
}

bool put_uint_bytes(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    uint8_t room[UNSCALED_MAX];
    quoted_base64(unscaled_of_uint(value->natural, room), false, out);
    return true;
}

bool put_uint_text(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    buf_u8(out, '"');
    json_put_uint(out, value->natural);
    buf_u8(out, '"');
    return true;
}

bool put_uint_double(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    json_put_double(out, (double)value->natural);
    return true;
}

/* ---- time ---- */

bool put_zero_date(const struct json_column *column, struct buf *out)
{
    if (!column->zero.data)
        return false;
    atomic_fetch_add_explicit(column->zeros, 1, memory_order_relaxed);
    buf_bytes(out, column->zero);
    return true;
}

bool put_days(const struct json_column *column, const struct value *value, struct buf *out)
{
    if (value->tag == VALUE_TEXT)
        return put_zero_date(column, out);
    json_put_int(out, value->integer);
    return true;
}

bool put_units(const struct json_column *column, const struct value *value, struct buf *out)
{
    if (value->tag == VALUE_TEXT)
        return put_zero_date(column, out);
    int64_t units = value->integer / column->divisor;
    json_put_int(out, units - (value->integer % column->divisor < 0));
    return true;
}

bool put_instant(const struct json_column *column, const struct value *value, struct buf *out)
{
    if (value->tag == VALUE_TEXT)
        return put_zero_date(column, out);
    buf_u8(out, '"');
    instant_text(value->integer, column->scale, out);
    buf_u8(out, '"');
    return true;
}

/* ---- bytes ---- */

bool put_base64(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    quoted_base64(value_bytes(value), false, out);
    return true;
}

bool put_base64_url(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    quoted_base64(value_bytes(value), true, out);
    return true;
}

bool put_hex(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    buf_u8(out, '"');
    hex_text(value_bytes(value), out);
    buf_u8(out, '"');
    return true;
}

static void put_wkb_and_srid(struct reader in, struct buf *out)
{
    uint32_t srid = (uint32_t)reader_le(&in, 4);
    buf_text(out, "\"wkb\":");
    quoted_base64(in.rest, false, out);
    buf_text(out, ",\"srid\":");
    if (srid)
        json_put_uint(out, srid);
    else
        buf_text(out, "null");
    buf_u8(out, '}');
}

bool put_geometry(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    if (value->size < 4)
        return false;
    buf_u8(out, '{');
    put_wkb_and_srid(reader_of(value_bytes(value)), out);
    return true;
}

static double coordinate(struct reader *in)
{
    uint64_t bits = reader_le(in, 8);
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* Little endian WKB, as the servers store it: order u8, type u32, x, y. */
bool put_point(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    struct reader in = reader_of(value_bytes(value));
    reader_take(&in, 4 + 1 + 4);
    double x = coordinate(&in), y = coordinate(&in);
    if (in.failed)
        return false;
    buf_text(out, "{\"x\":");
    json_put_double(out, x);
    buf_text(out, ",\"y\":");
    json_put_double(out, y);
    buf_u8(out, ',');
    put_wkb_and_srid(reader_of(value_bytes(value)), out);
    return true;
}

bool put_vector(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    struct reader in = reader_of(value_bytes(value));
    buf_u8(out, '[');
    for (uint32_t i = 0; i < value->size / 4; i++) {
        uint32_t bits = (uint32_t)reader_le(&in, 4);
        float number;
        memcpy(&number, &bits, sizeof number);
        if (i > 0)
            buf_u8(out, ',');
        json_put_float(out, (double)number);
    }
    buf_u8(out, ']');
    return value->size % 4 == 0;
}

bool put_array(const struct json_column *column, const struct value *value, struct buf *out)
{
    struct bytes rest = value_bytes(value);
    struct value item;
    bool ok = array_is_list(value), comma = false;
    buf_u8(out, '[');
    while (ok && array_next(&rest, &item)) {
        if (comma)
            buf_u8(out, ',');
        comma = true;
        if (item.tag == VALUE_NULL)
            buf_text(out, "null");
        else
            ok = column->element->put(column->element, &item, out);
    }
    buf_u8(out, ']');
    return ok && rest.size == 0;
}

bool put_uuid(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    if (value->size != 16)
        return false;
    buf_u8(out, '"');
    uuid_text(value->data, out);
    buf_u8(out, '"');
    return true;
}

bool put_address(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    char text[INET6_ADDRSTRLEN];
    if ((value->size != 4 && value->size != 16) ||
        !inet_ntop(value->size == 4 ? AF_INET : AF_INET6, value->data, text, sizeof text))
        return false;
    buf_u8(out, '"');
    buf_text(out, text);
    buf_u8(out, '"');
    return true;
}

/* ---- PostgreSQL's texts ---- */

bool put_bits_text(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    CLEANUP(buf_done) struct buf raw;
    buf_init(&raw, value->size / 8 + 16);
    bits_of_text(value_bytes(value), &raw);
    quoted_base64(buf_view(&raw), false, out);
    return !raw.failed;
}

bool put_bit_text(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    buf_text(out, value->size > 0 && value->data[0] == '1' ? "true" : "false");
    return true;
}

bool put_point_text(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    struct point point;
    if (!point_of_text(value_bytes(value), &point))
        return false;
    buf_text(out, "{\"x\":");
    json_put_double(out, point.x);
    buf_text(out, ",\"y\":");
    json_put_double(out, point.y);
    buf_text(out, ",\"wkb\":");
    quoted_base64((struct bytes){ point.wkb, sizeof point.wkb }, false, out);
    buf_text(out, ",\"srid\":null}");
    return true;
}

bool put_zoned_time(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    buf_u8(out, '"');
    bool ok = zoned_time_of_text(value_bytes(value), out);
    buf_u8(out, '"');
    return ok;
}

bool put_interval(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    struct interval interval;
    int64_t micros;
    if (!interval_of_text(value_bytes(value), &interval) || !interval_micros(&interval, &micros))
        return false;
    json_put_int(out, micros);
    return true;
}

/* What has none of its fields, as `infinity`, is its text. */
bool put_interval_iso(const struct json_column *column, const struct value *value, struct buf *out)
{
    struct interval interval;
    if (!interval_of_text(value_bytes(value), &interval))
        return put_text(column, value, out);
    buf_u8(out, '"');
    interval_put_iso(&interval, out);
    buf_u8(out, '"');
    return true;
}

bool put_scaled(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    struct scaled scaled;
    if (!scaled_of_text(value_bytes(value), &scaled))
        return false;
    buf_text(out, "{\"scale\":");
    json_put_uint(out, scaled.scale);
    buf_text(out, ",\"value\":");
    quoted_base64(scaled.unscaled, false, out);
    buf_u8(out, '}');
    return true;
}
