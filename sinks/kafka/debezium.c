/* SPDX-License-Identifier: Apache-2.0
 *
 * debezium-json: Debezium's envelope, as Kafka Connect's JsonConverter writes it, with its schema
 * or without.
 *
 *   key    {"id":1001}
 *   value  {"before":..,"after":..,"source":{..},"transaction":null,"op":"u","ts_ms":..,..}
 *
 * Which messages an event becomes stands in debezium_message.h. All that is alike for the rows of a
 * table version is written once, when the plan is made. */
#include "engine/base/clock.h"
#include "engine/base/digits.h"
#include "sinks/kafka/debezium_change.h"
#include "sinks/kafka/debezium_message.h"
#include "sinks/kafka/debezium_schema.h"
#include "sinks/kafka/debezium_source.h"
#include "sinks/kafka/debezium_transaction.h"

struct debezium_plan {
    struct format_context context;
    struct row_key key;
    struct json_column *columns;
    struct debezium_messages messages;
    const char *connector;   /* that the head was made for */
    struct bytes head, tail; /* around the envelope's members: with the schema, when wanted */
    struct debezium_source *source;
};

/* The source's kind is first known by its first event. */
static void plan_connector(struct debezium_plan *plan, const char *connector)
{
    if (plan->connector == connector)
        return;
    plan->connector = connector;
    plan->head = BYTES_LITERAL("{\"before\":");
    if (!plan->context.options->include_schema)
        return;
    struct buf out;
    buf_init(&out, 64 << 20);
    buf_text(&out, "{\"schema\":");
    debezium_envelope_schema(&plan->context, connector, &out);
    buf_text(&out, ",\"payload\":{\"before\":");
    plan->head = arena_copy(plan->context.arena, buf_view(&out));
    plan->tail = BYTES_LITERAL("}}");
    buf_done(&out);
}

/* ---- messages ---- */

/* The three units differ in what is cut off or added: one conversion does for all. */
static void put_times(int64_t time_us, struct buf *out)
{
    uint8_t digits[DIGITS_MAX];
    uint64_t us = time_us < 1000 ? 1000 : (uint64_t)time_us; /* a clock that stands at 1970 */
    size_t count = (size_t)(digits_write(digits, us, digits_count(us)) - digits);
    buf_text(out, "\",\"ts_ms\":");
    buf_put(out, digits, count - 3);
    buf_text(out, ",\"ts_us\":");
    buf_put(out, digits, count);
    buf_text(out, ",\"ts_ns\":");
    buf_put(out, digits, count);
    buf_put(out, "000", 3);
}

static bool put_image(const struct debezium_plan *plan, const struct value *row, struct buf *out,
                      struct error *err)
{
    if (row)
        return json_put_row(plan->columns, plan->context.table, row, out, err);
    buf_put(out, "null", 4);
    return true;
}

static bool put_value(const void *context, const struct event *event,
                      const struct row_change *change, struct buf *out, struct error *err)
{
    const struct debezium_plan *plan = context;
    int64_t now_us = clock_wall_us();
    buf_bytes(out, plan->head);
    bool gone = change->op == 'd' && change->before;
    if (gone ? !json_put_gone(plan->columns, plan->context.table, change->before, out, err)
             : !put_image(plan, change->before, out, err))
        return false;
    buf_text(out, ",\"after\":");
    if (!put_image(plan, change->after, out, err))
        return false;
    buf_text(out, ",\"source\":");
    debezium_source_put(plan->source, event, now_us, out);
    buf_text(out, ",\"transaction\":");
    debezium_transaction_put(event, change->nth, out);
    buf_text(out, ",\"op\":\"");
    buf_u8(out, (uint8_t)change->op);
    put_times(now_us, out);
    buf_bytes(out, plan->tail);
    return true;
}

static bool put_key(const void *context, const struct value *row, struct buf *out,
                    struct frame *frame, struct error *err)
{
    const struct debezium_plan *plan = context;
    return row_key_put(&plan->key, row, out, frame, err);
}

/* ---- the format ---- */

static bool debezium_plan(const struct format_context *context, void **out, struct error *err)
{
    struct debezium_plan *plan = arena_zalloc(context->arena, sizeof *plan);
    const struct table *table = context->table;
    plan->context = *context;
    plan->columns = arena_array(context->arena, table->column_count, sizeof *plan->columns);
    for (uint16_t i = 0; i < table->column_count; i++)
        plan->columns[i] = debezium_column(context, &table->columns[i], false);
    if (!json_columns_check(plan->columns, table, err))
        return false;
    plan->tail = BYTES_LITERAL("}");
    plan->source = debezium_source_plan(context);
    struct key_form form = { .column = debezium_column };
    if (context->options->include_schema)
        debezium_key_schema(context, &form.head, &form.tail);
    row_key_plan(context, &form, &plan->key);
    plan->messages = debezium_messages_of(context, &plan->key);
    plan->messages.put_key = put_key;
    plan->messages.put_value = put_value;
    *out = plan;
    return true;
}

static bool debezium_encode(void *context, const struct event *event, struct buf *out,
                            struct error *err)
{
    struct debezium_plan *plan = context;
    struct event placed = debezium_placed(event);
    plan_connector(plan, placed.origin->connector);
    return debezium_messages_put(&plan->messages, plan, &placed, out, err);
}

/* ---- schema changes ---- */

static void put_text_or_null(struct bytes text, struct buf *out)
{
    if (text.data)
        json_put_text(out, text);
    else
        buf_put(out, "null", 4);
}

static bool debezium_change(void *context, const struct event *event, struct buf *out,
                            struct error *err)
{
    (void)err;
    struct debezium_plan *plan = context;
    struct event placed = debezium_placed(event);
    plan_connector(plan, placed.origin->connector);
    const struct table *table = plan->context.table;
    bool schema = plan->context.options->include_schema;
    int64_t now_us = clock_wall_us();
    struct frame frame = { .to = FRAME_CHANGES };
    size_t at = frame_open(out), key_at = out->size;
    if (schema)
        debezium_change_key_schema(placed.origin->connector, out);
    buf_text(out, "{\"databaseName\":");
    json_put_text(out, table->database);
    buf_text(out, schema ? "}}" : "}");
    frame.key_size = (uint32_t)(out->size - key_at);
    size_t value_at = out->size;
    if (schema)
        debezium_change_schema(&plan->context, placed.origin->connector, out);
    buf_text(out, "{\"source\":");
    debezium_source_put(plan->source, &placed, now_us, out);
    buf_text(out, ",\"ts_ms\":");
    json_put_int(out, now_us / 1000);
    buf_text(out, ",\"databaseName\":");
    json_put_text(out, table->database);
    buf_text(out, ",\"schemaName\":");
    put_text_or_null(table->schema, out);
    buf_text(out, ",\"ddl\":");
    put_text_or_null(event->change->sql, out);
    buf_text(out, ",\"tableChanges\":");
    debezium_table_changes(event->change, out);
    buf_text(out, schema ? "}}" : "}");
    frame.value_size = (uint32_t)(out->size - value_at);
    frame_close(out, at, &frame);
    return true;
}

const struct format format_debezium_json = { .plan = debezium_plan,
                                             .encode = debezium_encode,
                                             .change = debezium_change,
                                             .plan_boundaries = debezium_boundary_plan,
                                             .boundary = debezium_boundary };
