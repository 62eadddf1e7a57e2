/* SPDX-License-Identifier: Apache-2.0
 *
 * debezium-json: Debezium's envelope, as Kafka Connect's JsonConverter writes it, with its schema
 * or without.
 *
 *   key    {"id":1001}
 *   value  {"before":..,"after":..,"source":{..},"transaction":null,"op":"u","ts_ms":..,..}
 *
 * A change of the key is a DELETE of the old one and an INSERT of the new one, each with a header
 * that names the other; a tombstone follows each DELETE. All that is alike for the rows of a table
 * version is written once, when the plan is made. */
#include "engine/base/clock.h"
#include "engine/base/digits.h"
#include "sinks/kafka/debezium_change.h"
#include "sinks/kafka/debezium_schema.h"
#include "sinks/kafka/debezium_source.h"
#include "sinks/kafka/debezium_transaction.h"
#include "sinks/kafka/row_key.h"

struct debezium_plan {
    struct format_context context;
    struct row_key key;
    struct json_column *columns;
    struct value *merged;    /* room for an `after` completed from its `before` */
    const char *connector;   /* that the head was made for */
    struct bytes head, tail; /* around the envelope's members: with the schema, when wanted */
    struct debezium_source *source;
};

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
    plan->merged = arena_array(context->arena, table->column_count, sizeof *plan->merged);
    plan->tail = BYTES_LITERAL("}");
    plan->source = debezium_source_plan(context);
    struct key_form form = { .column = debezium_column };
    if (context->options->include_schema)
        debezium_key_schema(context, &form.head, &form.tail);
    row_key_plan(context, &form, &plan->key);
    *out = plan;
    return true;
}

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

static bool put_value(const struct debezium_plan *plan, const struct event *event,
                      const struct row_change *change, struct buf *out, struct error *err)
{
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

/* A tombstone has the key and the headers of the DELETE before it. */
static bool put_message(const struct debezium_plan *plan, const struct event *event,
                        const struct row_change *change, bool tombstone, struct buf *out,
                        struct error *err)
{
    struct frame frame;
    size_t at = frame_open(out);
    if (!row_key_put(&plan->key, change->after ? change->after : change->before, out, &frame, err))
        return false;
    size_t value_at = out->size;
    if (!tombstone && !put_value(plan, event, change, out, err))
        return false;
    frame.null_value = tombstone;
    frame.value_size = (uint32_t)(out->size - value_at);
    size_t headers_at = out->size;
    const char *header = change->op == 'd' ? "__debezium.newkey" : "__debezium.oldkey";
    if (change->other && !row_key_header(&plan->key, header, change->other, out, err))
        return false;
    frame.headers_size = (uint32_t)(out->size - headers_at);
    frame_close(out, at, &frame);
    return true;
}

static bool debezium_encode(void *context, const struct event *event, struct buf *out,
                            struct error *err)
{
    struct debezium_plan *plan = context;
    struct event placed = debezium_placed(event);
    plan_connector(plan, placed.origin->connector);
    bool tombstones = plan->context.options->tombstones && plan->context.table->key_count > 0;
    struct row_change changes[2];
    uint32_t count = row_changes(&plan->key, event, plan->merged, changes);
    for (uint32_t i = 0; i < count; i++) {
        if (!put_message(plan, &placed, &changes[i], false, out, err))
            return false;
        if (changes[i].op == 'd' && tombstones &&
            !put_message(plan, &placed, &changes[i], true, out, err))
            return false;
    }
    return true;
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
