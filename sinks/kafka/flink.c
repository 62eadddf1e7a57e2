/* SPDX-License-Identifier: Apache-2.0
 *
 * debezium-json-flink: the envelope as Flink CDC's pipeline writes it, with Flink SQL's texts of
 * times and plain numbers:
 *
 *   key    {"TableId":"shop.orders","id":1001}
 *   value  {"before":null,"after":{..},"op":"c","source":{"db":"shop","table":"orders"}} */
#include "engine/base/json_write.h"
#include "sinks/kafka/flat.h"
#include "sinks/kafka/json_text.h"

static const json_put forms[FLAT_KINDS] = {
    [TYPE_INT] = put_int,
    [TYPE_UINT] = put_uint,
    [TYPE_FLOAT] = put_float,
    [TYPE_DOUBLE] = put_double,
    [TYPE_DECIMAL] = put_decimal_stripped,
    [TYPE_BIT] = put_bits,
    [TYPE_YEAR] = put_int,
    [TYPE_DATE] = put_date_or_zero,
    [TYPE_TIME] = put_time_stripped,
    [TYPE_DATETIME] = put_datetime_stripped,
    [TYPE_TIMESTAMP] = put_instant_stripped,
    [TYPE_TEXT] = put_text,
    [TYPE_BYTES] = put_base64,
    [TYPE_JSON] = put_text,
    [TYPE_ENUM] = put_text,
    [TYPE_SET] = put_set_array,
    [TYPE_GEOMETRY] = put_geometry,
    [TYPE_VECTOR] = put_vector,
    [TYPE_UUID] = put_uuid,
    [TYPE_INET4] = put_address,
    [TYPE_INET6] = put_address,
    [TYPE_ARRAY] = put_array,
    [FLAT_BOOLEAN] = put_boolean,
    [FLAT_ONE_BIT] = put_bit_boolean,
};

static struct json_column flink_column(const struct format_context *context,
                                       const struct column *column, bool key)
{
    struct json_column out = flat_column(context, column, forms);
    int mode = context->options->zero_date;
    enum type_kind kind = column->type.kind;
    if (key || mode == ZERO_FAIL)
        return out;
    if (mode == ZERO_NULL && column->nullable)
        out.zero = BYTES_LITERAL("null");
    else if (kind == TYPE_DATE)
        out.zero = BYTES_LITERAL("\"1970-01-01\"");
    else if (kind == TYPE_TIMESTAMP)
        out.zero = BYTES_LITERAL("\"1970-01-01 00:00:00Z\"");
    else
        out.zero = BYTES_LITERAL("\"1970-01-01 00:00:00\"");
    return out;
}

static bool flink_plan(const struct format_context *context, void **out, struct error *err)
{
    const struct target *target = context->target;
    const struct table *table = context->table;
    struct buf text;
    buf_init(&text, 1 << 16);
    struct bytes id = arena_printf(context->arena, "%.*s.%.*s", BYTES_ARGS(target->database),
                                   BYTES_ARGS(target->name));
    buf_text(&text, "{\"TableId\":");
    json_put_text(&text, id);
    buf_u8(&text, ',');
    struct key_form form = { .column = flink_column,
                             .members = arena_copy(context->arena, buf_view(&text)) };
    struct flat_plan *plan = flat_plan_make(context, &form, forms);
    for (uint16_t i = 0; i < table->column_count; i++)
        plan->columns[i] = flink_column(context, &table->columns[i], false);
    buf_reset(&text);
    struct json_writer json = json_writer_of(&text);
    buf_text(&text, "\",\"source\":");
    json_object(&json);
    json_member_string(&json, "db", target->database);
    json_member_string(&json, "table", target->name);
    json_object_end(&json);
    buf_u8(&text, '}');
    plan->pieces[0] = arena_copy(context->arena, buf_view(&text));
    buf_done(&text);
    *out = plan;
    return json_columns_check(plan->columns, context->table, err);
}

static bool put_image(const struct flat_plan *plan, const struct value *row, struct buf *out,
                      struct error *err)
{
    if (row)
        return json_put_row(plan->columns, plan->context.table, row, out, err);
    buf_put(out, "null", 4);
    return true;
}

static bool put_value(const struct flat_plan *plan, const struct event *event,
                      const struct row_change *change, struct buf *out, struct error *err)
{
    (void)event;
    buf_text(out, "{\"before\":");
    if (!put_image(plan, change->before, out, err))
        return false;
    buf_text(out, ",\"after\":");
    if (!put_image(plan, change->after, out, err))
        return false;
    buf_text(out, ",\"op\":\"");
    buf_u8(out, (uint8_t)change->op);
    buf_bytes(out, plan->pieces[0]);
    return true;
}

static bool flink_encode(void *plan, const struct event *event, struct buf *out, struct error *err)
{
    return flat_encode(plan, event, put_value, out, err);
}

const struct format format_debezium_json_flink = { .plan = flink_plan, .encode = flink_encode };
