/* SPDX-License-Identifier: Apache-2.0
 *
 * maxwell-json: Maxwell's messages.
 *
 *   key    {"database":"shop","table":"orders","pk.id":1001}
 *   value  {"database":"shop","table":"orders","type":"update","ts":..,"xid":..,"xoffset":..,
 *           "data":{..},"old":{"note":"hi"}}
 *
 * `xid` is the number of the source's transaction and `xoffset` that of the row in it; `commit` is
 * not told, since rows go out before their transaction has ended. Rows of the snapshot are inserts:
 * Flink's reader knows no others. */
#include "engine/base/json_write.h"
#include "sinks/kafka/flat.h"
#include "sinks/kafka/json_text.h"

static const json_put forms[FLAT_KINDS] = {
    [TYPE_INT] = put_int,
    [TYPE_UINT] = put_uint,
    [TYPE_FLOAT] = put_float,
    [TYPE_DOUBLE] = put_double,
    [TYPE_DECIMAL] = put_decimal_number,
    [TYPE_BIT] = put_uint,
    [TYPE_YEAR] = put_int,
    [TYPE_DATE] = put_date,
    [TYPE_TIME] = put_time,
    [TYPE_DATETIME] = put_datetime,
    [TYPE_TIMESTAMP] = put_datetime,
    [TYPE_TEXT] = put_text,
    [TYPE_BYTES] = put_base64,
    [TYPE_JSON] = put_document,
    [TYPE_ENUM] = put_text,
    [TYPE_SET] = put_set_array,
    [TYPE_GEOMETRY] = put_wkt,
    [TYPE_VECTOR] = put_vector,
    [TYPE_UUID] = put_uuid,
    [TYPE_INET4] = put_address,
    [TYPE_INET6] = put_address,
    [TYPE_ARRAY] = put_array,
    [FLAT_BOOLEAN] = put_int,
    [FLAT_ONE_BIT] = put_uint,
};

static struct json_column maxwell_column(const struct format_context *context,
                                         const struct column *column, bool key)
{
    (void)key;
    return flat_column(context, column, forms);
}

static bool maxwell_plan(const struct format_context *context, void **out, struct error *err)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_text(&text, "{\"database\":");
    json_put_text(&text, context->table->database);
    buf_text(&text, ",\"table\":");
    json_put_text(&text, context->table->name);
    buf_u8(&text, ',');
    struct bytes begin = arena_copy(context->arena, buf_view(&text));
    buf_done(&text);
    struct key_form form = {
        .column = maxwell_column, .members = begin, .prefix = "pk.", .fold = true
    };
    struct flat_plan *plan = flat_plan_make(context, &form, forms);
    plan->pieces[0] = begin;
    *out = plan;
    return json_columns_check(plan->columns, context->table, err);
}

static bool put_value(const struct flat_plan *plan, const struct event *event,
                      const struct row_change *change, struct buf *out, struct error *err)
{
    const struct value *row = change->after ? change->after : change->before;
    buf_bytes(out, plan->pieces[0]);
    buf_text(out, change->op == 'd'   ? "\"type\":\"delete\",\"ts\":"
                  : change->op == 'u' ? "\"type\":\"update\",\"ts\":"
                                      : "\"type\":\"insert\",\"ts\":");
    json_put_int(out, flat_time_us(event) / 1000000);
    buf_text(out, ",\"xid\":");
    json_put_uint(out, mark_commit(event->mark));
    buf_text(out, ",\"xoffset\":");
    json_put_uint(out, mark_row(event->mark));
    buf_text(out, ",\"data\":");
    if (!json_put_row(plan->columns, plan->context.table, row, out, err))
        return false;
    struct row_images images = { change->before, change->after };
    if (change->op == 'u' && change->before) {
        buf_text(out, ",\"old\":");
        if (!json_put_changed(plan->columns, plan->context.table, &images, out, err))
            return false;
    }
    buf_u8(out, '}');
    return true;
}

static bool maxwell_encode(void *plan, const struct event *event, struct buf *out,
                           struct error *err)
{
    return flat_encode(plan, event, put_value, out, err);
}

/* ---- schema changes ---- */

static struct bytes base_type(struct bytes type)
{
    size_t size = 0;
    while (size < type.size && type.data[size] != '(' && type.data[size] != ' ')
        size++;
    return (struct bytes){ type.data, size };
}

static void column_json(const struct column *column, struct json_writer *json)
{
    const struct type *type = &column->type;
    bool fraction =
        type->kind == TYPE_DATETIME || type->kind == TYPE_TIMESTAMP || type->kind == TYPE_TIME;
    json_object(json);
    json_member_string(json, "type", base_type(column->source_type));
    json_member_string(json, "name", column->name);
    if (type->kind == TYPE_INT || type->kind == TYPE_UINT) {
        json_key(json, bytes_from("signed"));
        json_bool(json, type->kind == TYPE_INT);
    }
    if (type->kind == TYPE_TEXT && column->charset.data)
        json_member_string(json, "charset", column->charset);
    if (fraction && type->scale > 0)
        json_member_int(json, "column-length", type->scale);
    if (type->member_count > 0) {
        json_key(json, bytes_from("enum-values"));
        json_array(json);
        for (uint16_t i = 0; i < type->member_count; i++)
            json_string(json, type->members[i]);
        json_array_end(json);
    }
    json_object_end(json);
}

static void table_json(const char *key, const struct table *table, struct json_writer *json)
{
    if (!table)
        return;
    json_key(json, bytes_from(key));
    json_object(json);
    json_member_string(json, "database", table->database);
    if (table->charset.data)
        json_member_string(json, "charset", table->charset);
    json_member_string(json, "table", table->name);
    json_key(json, bytes_from("columns"));
    json_array(json);
    for (uint16_t i = 0; i < table->column_count; i++)
        column_json(&table->columns[i], json);
    json_array_end(json);
    json_key(json, bytes_from("primary-key"));
    json_array(json);
    for (uint16_t i = 0; i < table->key_count; i++)
        json_string(json, table->columns[table->key_columns[i]].name);
    json_array_end(json);
    json_object_end(json);
}

static bool maxwell_change(void *context, const struct event *event, struct buf *out,
                           struct error *err)
{
    (void)err;
    const struct flat_plan *plan = context;
    const struct schema_change *change = event->change;
    struct frame frame = { .null_key = true, .to = FRAME_CHANGES };
    size_t at = frame_open(out), value_at = out->size;
    struct json_writer json = json_writer_of(out);
    bool create = change->kind == CHANGE_CREATE_TABLE, drop = change->kind == CHANGE_DROP_TABLE;
    json_object(&json);
    json_member_string(&json, "type",
                       bytes_from(create ? "table-create"
                                  : drop ? "table-drop"
                                         : "table-alter"));
    json_member_string(&json, "database", plan->context.table->database);
    json_member_string(&json, "table",
                       change->before ? change->before->name : plan->context.table->name);
    if (!create && !drop)
        table_json("old", change->before, &json);
    if (!drop)
        table_json("def", change->after, &json);
    json_member_int(&json, "ts", flat_time_us(event) / 1000);
    json_member_string(&json, "sql", change->sql);
    json_object_end(&json);
    frame.value_size = (uint32_t)(out->size - value_at);
    frame_close(out, at, &frame);
    return true;
}

const struct format format_maxwell_json = { .plan = maxwell_plan,
                                            .encode = maxwell_encode,
                                            .change = maxwell_change };
