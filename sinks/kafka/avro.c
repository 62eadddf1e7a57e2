/* SPDX-License-Identifier: Apache-2.0
 *
 * avro-confluent: Debezium's key and envelope in Avro, as Confluent's serializer frames them:
 *
 *   00, u32 id of the schema (big endian), the value in Avro's binary form
 *
 * An optional value begins with the place of its branch: 0 for null, 1 for the value, and the other
 * way round where the column has a default, for Avro wants that of the first branch. The schemas
 * are registered when a version of a table is first met, so a DDL gives a new version of the
 * subject. Headers are JSON texts, as they are with Connect's converter for headers. */
#include <stdlib.h>

#include "engine/base/cleanup.h"
#include "engine/base/clock.h"
#include "engine/base/reader.h"
#include "schema/array.h"
#include "schema/default_value.h"
#include "sinks/kafka/avro_change.h"
#include "sinks/kafka/avro_put.h"
#include "sinks/kafka/avro_schema.h"
#include "sinks/kafka/avro_source.h"
#include "sinks/kafka/avro_transaction.h"
#include "sinks/kafka/debezium_gone.h"
#include "sinks/kafka/debezium_message.h"
#include "sinks/kafka/postgres_text.h"
#include "sinks/kafka/registry.h"

struct avro_column {
    struct json_column json; /* its form as a text, its units, its zero date */
    json_put put;
    bool nullable, temporal;
    bool turned;         /* the value is its union's first branch */
    struct bytes absent; /* stands for a value that the log does not hold, encoded; NULL: none */
    struct bytes gone;   /* likewise in a row that is gone, of which the log holds the key */
};

struct avro_plan {
    struct format_context context;
    struct row_key key; /* for what of a row changed, and the hash of a table without a key */
    struct avro_column *columns, *keys;
    struct debezium_messages messages;
    const char *connector; /* that the value's schema was registered for */
    uint32_t key_id, value_id;
    struct avro_changes changes;
};

/* ---- values ---- */

static bool avro_int(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    avro_put_long(out, value->integer);
    return true;
}

/* Avro has no unsigned long: what does not fit is refused. */
static bool avro_uint(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    avro_put_long(out, value->integer);
    return value->natural <= INT64_MAX;
}

static bool avro_units(const struct json_column *column, const struct value *value, struct buf *out)
{
    int64_t units = value->integer / column->divisor;
    avro_put_long(out, units - (value->integer % column->divisor < 0));
    return true;
}

static bool avro_boolean(const struct json_column *column, const struct value *value,
                         struct buf *out)
{
    (void)column;
    buf_u8(out, value->natural != 0);
    return value->natural <= 1;
}

static void put_float32(struct buf *out, float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    buf_le(out, bits, 4);
}

static void put_float64(struct buf *out, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    buf_le(out, bits, 8);
}

static bool avro_float(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    put_float32(out, (float)value->number);
    return true;
}

static bool avro_double(const struct json_column *column, const struct value *value,
                        struct buf *out)
{
    (void)column;
    put_float64(out, value->number);
    return true;
}

static bool avro_raw(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    avro_put_bytes(out, value_bytes(value));
    return true;
}

/* Values whose JSON is a plain text in quotes: the same text. */
static bool avro_text_of(json_put put, const struct json_column *column, const struct value *value,
                         struct buf *out)
{
    enum { ROOM = 128 };
    uint8_t room[ROOM];
    struct buf text = { .data = room, .capacity = ROOM, .limit = ROOM };
    if (value->tag == VALUE_TEXT && value->size > ROOM / 3) {
        buf_init(&text, (size_t)value->size * 2 + 16);
        bool ok = put(column, value, &text);
        avro_put_bytes(out, (struct bytes){ text.data + 1, text.size - 2 });
        buf_done(&text);
        return ok;
    }
    if (!put(column, value, &text))
        return false;
    avro_put_bytes(out, (struct bytes){ text.data + 1, text.size - 2 });
    return true;
}

#define TEXT_OF(name, json)                                                                        \
    static bool name(const struct json_column *column, const struct value *value, struct buf *out) \
    {                                                                                              \
        return avro_text_of(json, column, value, out);                                             \
    }
TEXT_OF(avro_decimal_text, put_decimal_text)
TEXT_OF(avro_uint_text, put_uint_text)
TEXT_OF(avro_instant, put_instant)
TEXT_OF(avro_base64, put_base64)
TEXT_OF(avro_base64_url, put_base64_url)
TEXT_OF(avro_hex, put_hex)
TEXT_OF(avro_uuid, put_uuid)
TEXT_OF(avro_address, put_address)
TEXT_OF(avro_zoned_time, put_zoned_time)
TEXT_OF(avro_interval_iso, put_interval_iso)

static bool avro_bits(const struct json_column *column, const struct value *value, struct buf *out)
{
    avro_put_long(out, column->width);
    buf_le(out, value->natural, column->width);
    return true;
}

static bool avro_decimal(const struct json_column *column, const struct value *value,
                         struct buf *out)
{
    (void)column;
    uint8_t room[UNSCALED_MAX];
    struct bytes raw = value->tag == VALUE_TEXT ? unscaled_of_text(value_bytes(value), room)
                                                : unscaled_of_int(value->integer, room);
    avro_put_bytes(out, raw);
    return raw.data != NULL;
}

static bool avro_uint_decimal(const struct json_column *column, const struct value *value,
                              struct buf *out)
{
    (void)column;
    uint8_t room[UNSCALED_MAX];
    avro_put_bytes(out, unscaled_of_uint(value->natural, room));
    return true;
}

/* Through the JSON number, which is the double that Debezium gives. */
static bool avro_number_of(json_put put, const struct json_column *column,
                           const struct value *value, struct buf *out)
{
    size_t at = out->size;
    put(column, value, out);
    buf_u8(out, '\0');
    if (out->failed)
        return true;
    const char *text = (const char *)out->data + at;
    double number = strtod(text + (*text == '"'), NULL); /* "NaN" and infinities have quotes */
    out->size = at;
    put_float64(out, number);
    return true;
}

static bool avro_decimal_double(const struct json_column *column, const struct value *value,
                                struct buf *out)
{
    return avro_number_of(put_decimal_double, column, value, out);
}

static bool avro_uint_double(const struct json_column *column, const struct value *value,
                             struct buf *out)
{
    return avro_number_of(put_uint_double, column, value, out);
}

static void put_srid(struct buf *out, uint32_t srid)
{
    avro_put_long(out, srid ? 1 : 0);
    if (srid)
        avro_put_long(out, srid);
}

static bool avro_geometry(const struct json_column *column, const struct value *value,
                          struct buf *out)
{
    (void)column;
    struct reader in = reader_of(value_bytes(value));
    uint32_t srid = (uint32_t)reader_le(&in, 4);
    avro_put_bytes(out, in.rest);
    put_srid(out, srid);
    return !in.failed;
}

static bool avro_point(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    struct reader in = reader_of(value_bytes(value));
    uint32_t srid = (uint32_t)reader_le(&in, 4);
    struct bytes wkb = in.rest;
    reader_take(&in, 1 + 4);
    buf_bytes(out, reader_take(&in, 16)); /* x and y lie there as Avro wants them */
    avro_put_long(out, 1);
    avro_put_bytes(out, wkb);
    put_srid(out, srid);
    return !in.failed;
}

static bool avro_vector(const struct json_column *column, const struct value *value,
                        struct buf *out)
{
    (void)column;
    if (value->size >= 4) {
        avro_put_long(out, value->size / 4);
        buf_bytes(out, value_bytes(value));
    }
    avro_put_long(out, 0);
    return value->size % 4 == 0;
}

static bool put_cell(const struct avro_column *column, const struct value *value, struct buf *out);

static bool avro_bits_text(const struct json_column *column, const struct value *value,
                           struct buf *out)
{
    (void)column;
    CLEANUP(buf_done) struct buf raw;
    buf_init(&raw, value->size / 8 + 16);
    bits_of_text(value_bytes(value), &raw);
    avro_put_bytes(out, buf_view(&raw));
    return !raw.failed;
}

static bool avro_bit_text(const struct json_column *column, const struct value *value,
                          struct buf *out)
{
    (void)column;
    buf_u8(out, value->size > 0 && value->data[0] == '1');
    return true;
}

static bool avro_point_text(const struct json_column *column, const struct value *value,
                            struct buf *out)
{
    (void)column;
    struct point point;
    if (!point_of_text(value_bytes(value), &point))
        return false;
    put_float64(out, point.x);
    put_float64(out, point.y);
    avro_put_long(out, 1);
    avro_put_bytes(out, (struct bytes){ point.wkb, sizeof point.wkb });
    avro_put_long(out, 0); /* srid */
    return true;
}

static bool avro_interval(const struct json_column *column, const struct value *value,
                          struct buf *out)
{
    (void)column;
    struct interval interval;
    int64_t micros;
    if (!interval_of_text(value_bytes(value), &interval) || !interval_micros(&interval, &micros))
        return false;
    avro_put_long(out, micros);
    return true;
}

static bool avro_scaled(const struct json_column *column, const struct value *value,
                        struct buf *out)
{
    (void)column;
    struct scaled scaled;
    if (!scaled_of_text(value_bytes(value), &scaled))
        return false;
    avro_put_long(out, scaled.scale);
    avro_put_bytes(out, scaled.unscaled);
    return true;
}

/* One block with all elements, each a branch and a value; then an empty block. */
static bool avro_array(const struct json_column *column, const struct value *value, struct buf *out)
{
    const struct avro_column *element = (const void *)column->element; /* its first member */
    struct bytes rest = value_bytes(value);
    struct value item;
    int64_t count = 0;
    bool ok = array_is_list(value);
    while (ok && array_next(&rest, &item))
        count++;
    if (!ok || rest.size > 0)
        return false;
    if (count > 0)
        avro_put_long(out, count);
    rest = value_bytes(value);
    while (ok && array_next(&rest, &item))
        ok = put_cell(element, &item, out);
    avro_put_long(out, 0);
    return ok;
}

/* ---- columns ---- */

static json_put form_of(json_put json, const char *type)
{
    static const struct {
        json_put json, avro;
    } forms[] = {
        { put_int, avro_int },
        { put_uint, avro_uint },
        { put_boolean, avro_boolean },
        { put_bit_boolean, avro_boolean },
        { put_float, avro_float },
        { put_double, avro_double },
        { put_text, avro_raw },
        { put_bits, avro_bits },
        { put_decimal_bytes, avro_decimal },
        { put_decimal_text, avro_decimal_text },
        { put_decimal_double, avro_decimal_double },
        { put_uint_bytes, avro_uint_decimal },
        { put_uint_text, avro_uint_text },
        { put_uint_double, avro_uint_double },
        { put_days, avro_int },
        { put_units, avro_units },
        { put_instant, avro_instant },
        { put_base64, avro_base64 },
        { put_base64_url, avro_base64_url },
        { put_hex, avro_hex },
        { put_geometry, avro_geometry },
        { put_point, avro_point },
        { put_vector, avro_vector },
        { put_array, avro_array },
        { put_bits_text, avro_bits_text },
        { put_bit_text, avro_bit_text },
        { put_point_text, avro_point_text },
        { put_zoned_time, avro_zoned_time },
        { put_interval, avro_interval },
        { put_interval_iso, avro_interval_iso },
        { put_scaled, avro_scaled },
        { put_uuid, avro_uuid },
        { put_address, avro_address },
    };
    if (json == put_base64 && strcmp(type, "bytes") == 0)
        return avro_raw;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (forms[i].json == json)
            return forms[i].avro;
    return NULL;
}

static struct bytes encoded(struct arena *arena, const struct avro_column *column,
                            const struct value *value)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    if (column->nullable)
        avro_put_long(&out, !column->turned);
    column->put(&column->json, value, &out);
    struct bytes copy = arena_copy(arena, buf_view(&out));
    buf_done(&out);
    return copy;
}

static struct bytes gone_value(const struct format_context *context, const struct column *column,
                               const struct connect_schema *schema, const struct avro_column *own)
{
    static const uint8_t null_branch[] = { 0, 2 };
    struct value value;
    if (column->nullable)
        return (struct bytes){ null_branch + own->turned, 1 };
    if (schema->fallback.data && default_value(column, context->arena, &value))
        return encoded(context->arena, own, &value);
    return debezium_gone(schema).avro;
}

static struct avro_column avro_column(const struct format_context *context,
                                      const struct column *column, bool key)
{
    struct json_column json = debezium_column(context, column, key);
    enum type_kind kind = column->type.kind;
    struct avro_column out = { .json = json, .nullable = !key && column->nullable };
    struct connect_schema schema = debezium_schema(context, column);
    out.put = form_of(json.put, schema.type);
    out.turned = schema.fallback.data != NULL;
    out.temporal = kind == TYPE_DATE || kind == TYPE_DATETIME || kind == TYPE_TIMESTAMP;
    if (out.temporal && json.zero.data) {
        const struct value epoch = value_int(0);
        static const uint8_t null_branch[] = { 0, 2 };
        out.json.zero = bytes_is(json.zero, "null") ? (struct bytes){ null_branch + out.turned, 1 }
                                                    : encoded(context->arena, &out, &epoch);
    }
    if (kind == TYPE_ARRAY) {
        struct column element = array_element_column(column);
        struct avro_column *inner = arena_zalloc(context->arena, sizeof *inner);
        *inner = avro_column(context, &element, false);
        out.json.element = &inner->json;
    }
    if (!key && out.put)
        out.gone = gone_value(context, column, &schema, &out);
    if (json.absent.data && out.put) {
        struct value placeholder = value_text(context->options->placeholder);
        out.absent = encoded(context->arena, &out, &placeholder);
    }
    return out;
}

/* False: the value cannot be carried. */
static bool put_cell(const struct avro_column *column, const struct value *value, struct buf *out)
{
    if (value->tag == VALUE_NULL) {
        avro_put_long(out, column->turned);
        return column->nullable;
    }
    if (value->tag == VALUE_ABSENT) {
        buf_bytes(out, column->absent);
        return column->absent.data != NULL;
    }
    if (column->temporal && value->tag == VALUE_TEXT)
        return put_zero_date(&column->json, out);
    if (column->nullable)
        avro_put_long(out, !column->turned);
    return column->put(&column->json, value, out);
}

static bool refuse_column(const struct column *column, struct error *err)
{
    const char *cure = json_refusal_cure(column);
    return error_set(err, ERROR_DATA,
                     "column '%.*s': a value that Avro cannot carry as the settings ask%s",
                     BYTES_ARGS(column->name),
                     *cure ? cure
                           : " (bigint.unsigned.handling.mode: precise carries every BIGINT "
                             "UNSIGNED; binlog_row_image=FULL logs every value)");
}

/* ---- plans ---- */

static bool names_differ(const struct table *table, struct arena *arena, struct error *err)
{
    for (uint16_t i = 0; i < table->column_count; i++)
        for (uint16_t k = 0; k < i; k++)
            if (bytes_equal(avro_field_name(arena, table->columns[i].name),
                            avro_field_name(arena, table->columns[k].name)))
                return error_set(err, ERROR_DATA,
                                 "columns '%.*s' and '%.*s' have the same name in "
                                 "Avro",
                                 BYTES_ARGS(table->columns[k].name),
                                 BYTES_ARGS(table->columns[i].name));
    return true;
}

static bool register_key(struct avro_plan *plan, struct error *err)
{
    const struct format_context *context = &plan->context;
    if (context->table->key_count == 0)
        return true;
    struct buf schema;
    buf_init(&schema, 16 << 20);
    avro_key_schema(context, &schema);
    bool ok = registry_register(context->registry, context->topic, "key", buf_view(&schema),
                                &plan->key_id, err);
    buf_done(&schema);
    return ok;
}

static bool register_value(struct avro_plan *plan, const char *connector, struct error *err)
{
    if (plan->connector == connector)
        return true;
    struct buf schema;
    buf_init(&schema, 16 << 20);
    avro_envelope_schema(&plan->context, connector, &schema);
    bool ok = registry_register(plan->context.registry, plan->context.topic, "value",
                                buf_view(&schema), &plan->value_id, err);
    buf_done(&schema);
    if (ok)
        plan->connector = connector;
    return ok;
}

/* ---- messages ---- */

static bool put_key(const void *context, const struct value *row, struct buf *out,
                    struct frame *frame, struct error *err)
{
    const struct avro_plan *plan = context;
    const struct table *table = plan->context.table;
    size_t at = out->size;
    *frame = (struct frame){ .null_key = table->key_count == 0, .hash = plan->key.table_hash };
    if (!frame->null_key)
        avro_put_prefix(plan->key_id, out);
    for (uint16_t i = 0; i < table->key_count; i++)
        if (!put_cell(&plan->keys[i], &row[table->key_columns[i]], out))
            return refuse_column(&table->columns[table->key_columns[i]], err);
    frame->key_size = (uint32_t)(out->size - at);
    if (plan->key.partition.count > 0)
        return row_key_part(&plan->key, row, out, &frame->hash, err);
    if (plan->key.strategy == PARTITION_ALL_TO_ZERO)
        frame->hash = 0;
    else if (plan->key.strategy == PARTITION_BY_KEY && !frame->null_key && !out->failed)
        frame->hash = murmur2((struct bytes){ out->data + at, frame->key_size });
    return true;
}

static bool put_image(const struct avro_plan *plan, const struct value *row, struct buf *out,
                      struct error *err)
{
    const struct table *table = plan->context.table;
    avro_put_long(out, row ? 1 : 0);
    for (uint16_t i = 0; row && i < table->column_count; i++)
        if (!put_cell(&plan->columns[i], &row[i], out))
            return refuse_column(&table->columns[i], err);
    return true;
}

static bool put_gone(const struct avro_plan *plan, const struct value *row, struct buf *out,
                     struct error *err)
{
    const struct table *table = plan->context.table;
    avro_put_long(out, 1);
    for (uint16_t i = 0; i < table->column_count; i++) {
        if (row[i].tag == VALUE_ABSENT)
            buf_bytes(out, plan->columns[i].gone);
        else if (!put_cell(&plan->columns[i], &row[i], out))
            return refuse_column(&table->columns[i], err);
    }
    return true;
}

/* A record cannot leave a field out: an image of a log that holds less is not told. */
static const struct value *whole(const struct avro_plan *plan, const struct value *row)
{
    for (uint16_t i = 0; row && i < plan->context.table->column_count; i++)
        if (row[i].tag == VALUE_ABSENT && !plan->columns[i].absent.data)
            return NULL;
    return row;
}

static bool put_value(const void *context, const struct event *event,
                      const struct row_change *change, struct buf *out, struct error *err)
{
    const struct avro_plan *plan = context;
    int64_t now_us = clock_wall_us();
    avro_put_prefix(plan->value_id, out);
    bool gone = change->op == 'd' && change->before;
    if (gone ? !put_gone(plan, change->before, out, err)
             : !put_image(plan, whole(plan, change->before), out, err))
        return false;
    if (!put_image(plan, change->after, out, err))
        return false;
    avro_put_source(plan->context.options, event, now_us, out);
    avro_put_transaction(event, change->nth, out);
    avro_put_bytes(out, (struct bytes){ (const uint8_t *)&change->op, 1 });
    avro_put_optional_long(out, now_us / 1000);
    avro_put_times(now_us, out);
    return true;
}

/* ---- the format ---- */

static bool avro_plan(const struct format_context *context, void **out, struct error *err)
{
    const struct table *table = context->table;
    struct arena *arena = context->arena;
    struct avro_plan *plan = arena_zalloc(arena, sizeof *plan);
    struct key_form form = { .column = debezium_column };
    plan->context = *context;
    row_key_plan(context, &form, &plan->key);
    plan->columns = arena_array(arena, table->column_count, sizeof *plan->columns);
    plan->keys = arena_array(arena, table->key_count + 1u, sizeof *plan->keys);
    plan->messages = debezium_messages_of(context, &plan->key);
    plan->messages.put_key = put_key;
    plan->messages.put_value = put_value;
    for (uint16_t i = 0; i < table->column_count; i++) {
        plan->columns[i] = avro_column(context, &table->columns[i], false);
        if (!plan->columns[i].put)
            return error_set(err, ERROR_DATA,
                             "column '%.*s': avro-confluent has no form for type "
                             "%.*s",
                             BYTES_ARGS(table->columns[i].name),
                             BYTES_ARGS(table->columns[i].source_type));
    }
    for (uint16_t i = 0; i < table->key_count; i++)
        plan->keys[i] = avro_column(context, &table->columns[table->key_columns[i]], true);
    *out = plan;
    return names_differ(table, arena, err) && register_key(plan, err);
}

static bool avro_encode(void *context, const struct event *event, struct buf *out,
                        struct error *err)
{
    struct avro_plan *plan = context;
    struct event placed = debezium_placed(event);
    return register_value(plan, placed.origin->connector, err) &&
           debezium_messages_put(&plan->messages, plan, &placed, out, err);
}

static bool avro_change(void *context, const struct event *event, struct buf *out,
                        struct error *err)
{
    struct avro_plan *plan = context;
    struct event placed = debezium_placed(event);
    return avro_put_change(&plan->changes, &plan->context, &placed, out, err);
}

const struct format format_avro_confluent = { .plan = avro_plan,
                                              .encode = avro_encode,
                                              .change = avro_change,
                                              .plan_boundaries = avro_boundary_plan,
                                              .boundary = avro_boundary };
