/* SPDX-License-Identifier: Apache-2.0
 *
 * canal-json: Canal's flat messages, one row each. All values are texts; the message has no key,
 * its row's key decides the partition.
 *
 *   {"data":[{"id":"1001"}],"database":"shop","es":..,"gtid":"","id":9,"isDdl":false,
 *    "mysqlType":{"id":"bigint"},"old":null,"pkNames":["id"],"sql":"","sqlType":{"id":-5},
 *    "table":"orders","ts":..,"type":"INSERT"}
 *
 * `id` is the number of the source's transaction. Rows of the snapshot are INSERTs. */
#include "engine/base/clock.h"
#include "engine/base/json_write.h"
#include "sinks/kafka/debezium_type.h"
#include "sinks/kafka/flat.h"
#include "sinks/kafka/jdbc.h"
#include "sinks/kafka/json_text.h"

static const json_put forms[FLAT_KINDS] = {
    [TYPE_INT] = put_int_text,
    [TYPE_UINT] = put_uint_text,
    [TYPE_FLOAT] = put_float_text,
    [TYPE_DOUBLE] = put_double_text,
    [TYPE_DECIMAL] = put_decimal_text,
    [TYPE_BIT] = put_uint_text,
    [TYPE_YEAR] = put_int_text,
    [TYPE_DATE] = put_date,
    [TYPE_TIME] = put_time,
    [TYPE_DATETIME] = put_datetime,
    [TYPE_TIMESTAMP] = put_datetime,
    [TYPE_TEXT] = put_text,
    [TYPE_BYTES] = put_latin1,
    [TYPE_JSON] = put_text,
    [TYPE_ENUM] = put_text,
    [TYPE_SET] = put_text,
    [TYPE_GEOMETRY] = put_latin1,
    [TYPE_VECTOR] = put_latin1,
    [TYPE_UUID] = put_uuid,
    [TYPE_INET4] = put_address,
    [TYPE_INET6] = put_address,
    [TYPE_ARRAY] = put_array,
    [FLAT_BOOLEAN] = put_int_text,
    [FLAT_ONE_BIT] = put_uint_text,
};

static void types_json(const struct table *table, bool sql, struct json_writer *json)
{
    json_object(json);
    for (uint16_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        json_key(json, column->name);
        if (sql)
            json_int(json, jdbc_type(column));
        else
            json_string(json, column->source_type);
    }
    json_object_end(json);
}

static struct bytes take(const struct format_context *context, struct buf *text)
{
    struct bytes copy = arena_copy(context->arena, buf_view(text));
    buf_reset(text);
    return copy;
}

static bool canal_plan(const struct format_context *context, void **out, struct error *err)
{
    const struct table *table = context->table;
    struct key_form form = { .column = debezium_column, .hidden = true };
    struct flat_plan *plan = flat_plan_make(context, &form, forms);
    struct buf text;
    buf_init(&text, 64 << 20);
    buf_text(&text, "],\"database\":");
    json_put_text(&text, table->database);
    buf_text(&text, ",\"es\":");
    plan->pieces[0] = take(context, &text);
    struct json_writer json = json_writer_of(&text);
    buf_text(&text, ",\"isDdl\":false,\"mysqlType\":");
    types_json(table, false, &json);
    buf_text(&text, ",\"old\":");
    plan->pieces[1] = take(context, &text);
    json = json_writer_of(&text);
    buf_text(&text, ",\"pkNames\":");
    json_array(&json);
    for (uint16_t i = 0; i < table->key_count; i++)
        json_string(&json, table->columns[table->key_columns[i]].name);
    json_array_end(&json);
    json = json_writer_of(&text);
    buf_text(&text, ",\"sql\":\"\",\"sqlType\":");
    types_json(table, true, &json);
    buf_text(&text, ",\"table\":");
    json_put_text(&text, table->name);
    buf_text(&text, ",\"ts\":");
    plan->pieces[2] = take(context, &text);
    buf_done(&text);
    *out = plan;
    return json_columns_check(plan->columns, context->table, err);
}

static bool put_old(const struct flat_plan *plan, const struct row_change *change, struct buf *out,
                    struct error *err)
{
    if (change->op != 'u' || !change->before) {
        buf_put(out, "null", 4);
        return true;
    }
    struct row_images images = { change->before, change->after };
    buf_u8(out, '[');
    if (!json_put_changed(plan->columns, plan->context.table, &images, out, err))
        return false;
    buf_u8(out, ']');
    return true;
}

static bool put_value(const struct flat_plan *plan, const struct event *event,
                      const struct row_change *change, struct buf *out, struct error *err)
{
    const struct value *row = change->after ? change->after : change->before;
    buf_text(out, "{\"data\":[");
    if (!json_put_row(plan->columns, plan->context.table, row, out, err))
        return false;
    buf_bytes(out, plan->pieces[0]);
    json_put_int(out, flat_time_us(event) / 1000);
    buf_text(out, ",\"gtid\":");
    json_put_text(out, event->origin && event->origin->gtid.data ? event->origin->gtid
                                                                 : BYTES_LITERAL(""));
    buf_text(out, ",\"id\":");
    json_put_uint(out, mark_commit(event->mark));
    buf_bytes(out, plan->pieces[1]);
    if (!put_old(plan, change, out, err))
        return false;
    buf_bytes(out, plan->pieces[2]);
    json_put_int(out, clock_wall_us() / 1000);
    buf_text(out, change->op == 'd'   ? ",\"type\":\"DELETE\"}"
                  : change->op == 'u' ? ",\"type\":\"UPDATE\"}"
                                      : ",\"type\":\"INSERT\"}");
    return true;
}

static bool canal_encode(void *plan, const struct event *event, struct buf *out, struct error *err)
{
    return flat_encode(plan, event, put_value, out, err);
}

/* Canal's words for statements. */
static const char *change_word(const struct schema_change *change)
{
    switch (change->kind) {
    case CHANGE_CREATE_TABLE:
        return "CREATE";
    case CHANGE_DROP_TABLE:
        return "ERASE";
    case CHANGE_RENAME_TABLE:
        return "RENAME";
    case CHANGE_TRUNCATE_TABLE:
        return "TRUNCATE";
    default:
        return "ALTER";
    }
}

static bool canal_change(void *context, const struct event *event, struct buf *out,
                         struct error *err)
{
    (void)err;
    const struct flat_plan *plan = context;
    struct frame frame = { .null_key = true, .to = FRAME_CHANGES };
    size_t at = frame_open(out), value_at = out->size;
    struct json_writer json = json_writer_of(out);
    json_object(&json);
    json_key(&json, bytes_from("data"));
    json_null(&json);
    json_member_string(&json, "database", plan->context.table->database);
    json_member_int(&json, "es", flat_time_us(event) / 1000);
    json_member_string(&json, "gtid",
                       event->origin && event->origin->gtid.data ? event->origin->gtid
                                                                 : BYTES_LITERAL(""));
    json_member_uint(&json, "id", mark_commit(event->mark));
    json_key(&json, bytes_from("isDdl"));
    json_bool(&json, true);
    static const char *const nothing[] = { "mysqlType", "old", "pkNames" };
    for (size_t i = 0; i < 3; i++) {
        json_key(&json, bytes_from(nothing[i]));
        json_null(&json);
    }
    json_member_string(&json, "sql", event->change->sql);
    json_key(&json, bytes_from("sqlType"));
    json_null(&json);
    json_member_string(&json, "table", plan->context.table->name);
    json_member_int(&json, "ts", clock_wall_us() / 1000);
    json_member_string(&json, "type", bytes_from(change_word(event->change)));
    json_object_end(&json);
    frame.value_size = (uint32_t)(out->size - value_at);
    frame_close(out, at, &frame);
    return true;
}

const struct format format_canal_json = { .plan = canal_plan,
                                          .encode = canal_encode,
                                          .change = canal_change };
