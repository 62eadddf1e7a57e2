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
#include "sinks/kafka/debezium_change.h"
#include "sinks/kafka/debezium_schema.h"
#include "sinks/kafka/row_key.h"

struct debezium_plan {
    struct format_context context;
    struct row_key key;
    struct json_column *columns;
    struct value *merged;    /* room for an `after` completed from its `before` */
    const char *connector;   /* that the head was made for */
    struct bytes head, tail; /* around the envelope's members: with the schema, when wanted */
    struct bytes source_begin, source_db, source_table; /* pieces of the source block */
};

static struct bytes source_begin(const struct format_context *context, const char *connector)
{
    const struct kafka_options *options = context->options;
    struct buf out;
    buf_init(&out, 4096);
    struct json_writer json = json_writer_of(&out);
    json_object(&json);
    json_member_string(&json, "version", bytes_from(MILLRACE_VERSION));
    json_member_string(&json, "connector", bytes_from(connector));
    json_member_string(&json, "name", debezium_server_name(options));
    json_key(&json, bytes_from("ts_ms"));
    struct bytes text = arena_copy(context->arena, buf_view(&out));
    buf_done(&out);
    return text;
}

/* `,"key":"text",` and the key that follows. */
static struct bytes member(const struct format_context *context, const char *key, struct bytes text,
                           const char *next)
{
    struct buf out;
    buf_init(&out, 8192);
    buf_printf(&out, ",\"%s\":", key);
    json_put_text(&out, text);
    buf_printf(&out, ",\"%s\":", next);
    struct bytes copy = arena_copy(context->arena, buf_view(&out));
    buf_done(&out);
    return copy;
}

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
    plan->source_table = member(context, "table", table->name, "server_id");
    plan->source_db = member(context, "db", table->database, "sequence");
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
    plan->source_begin = source_begin(&plan->context, connector);
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

/* ---- the source block ---- */

static void put_times(int64_t time_us, const char *ms, const char *us, const char *ns,
                      struct buf *out)
{
    buf_text(out, ms);
    json_put_int(out, time_us / 1000);
    buf_text(out, us);
    json_put_int(out, time_us);
    buf_text(out, ns);
    json_put_int(out, time_us);
    buf_put(out, "000", 3);
}

static void put_text_or_null(const char *key, struct bytes text, struct buf *out)
{
    buf_text(out, key);
    if (text.data)
        json_put_text(out, text);
    else
        buf_put(out, "null", 4);
}

static void put_number_or_null(const char *key, uint64_t number, struct buf *out)
{
    buf_text(out, key);
    if (number)
        json_put_uint(out, number);
    else
        buf_put(out, "null", 4);
}

static void put_binlog_place(const struct debezium_plan *plan, const struct event *event,
                             struct buf *out)
{
    const struct event_origin *origin = event->origin;
    buf_bytes(out, plan->source_table);
    json_put_uint(out, origin->server_id);
    put_text_or_null(",\"gtid\":", origin->gtid, out);
    buf_text(out, ",\"file\":");
    json_put_text(out, origin->file);
    buf_text(out, ",\"pos\":");
    json_put_uint(out, origin->position);
    buf_text(out, ",\"row\":");
    json_put_uint(out, event_row(event));
    put_number_or_null(",\"thread\":", origin->thread, out);
    buf_text(out, ",\"query\":null}");
}

static void put_wal_place(const struct debezium_plan *plan, const struct event *event,
                          struct buf *out)
{
    const struct event_origin *origin = event->origin;
    const struct table *table = plan->context.table;
    put_text_or_null(",\"schema\":", table->schema, out);
    put_text_or_null(",\"table\":", table->name, out);
    put_number_or_null(",\"txId\":", origin->transaction, out);
    put_number_or_null(",\"lsn\":", origin->position, out);
    buf_text(out, ",\"xmin\":null,\"origin\":null,\"origin_lsn\":null}");
}

static void put_source(const struct debezium_plan *plan, const struct event *event, int64_t now_us,
                       struct buf *out)
{
    int64_t time_us = event->time_us ? event->time_us : now_us;
    bool wal = plan->context.table->schema.data != NULL;
    buf_text(out, ",\"source\":");
    buf_bytes(out, plan->source_begin);
    json_put_int(out, time_us / 1000);
    buf_text(out, event->snapshot ? ",\"snapshot\":\"true\"" : ",\"snapshot\":\"false\"");
    buf_bytes(out, plan->source_db);
    if (wal && event->origin->position) {
        buf_text(out, "\"[null,\\\"");
        json_put_uint(out, event->origin->position);
        buf_text(out, "\\\"]\"");
    } else {
        buf_put(out, "null", 4);
    }
    buf_text(out, ",\"ts_us\":");
    json_put_int(out, time_us);
    buf_text(out, ",\"ts_ns\":");
    json_put_int(out, time_us);
    buf_put(out, "000", 3);
    if (wal)
        put_wal_place(plan, event, out);
    else
        put_binlog_place(plan, event, out);
}

/* ---- messages ---- */

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
    if (!put_image(plan, change->before, out, err))
        return false;
    buf_text(out, ",\"after\":");
    if (!put_image(plan, change->after, out, err))
        return false;
    put_source(plan, event, now_us, out);
    buf_text(out, ",\"transaction\":null,\"op\":\"");
    buf_u8(out, (uint8_t)change->op);
    put_times(now_us, "\",\"ts_ms\":", ",\"ts_us\":", ",\"ts_ns\":", out);
    buf_bytes(out, plan->tail);
    return true;
}

static bool put_message(const struct debezium_plan *plan, const struct event *event,
                        const struct row_change *change, struct buf *out, struct error *err)
{
    struct frame frame;
    size_t at = frame_open(out);
    if (!row_key_put(&plan->key, change->after ? change->after : change->before, out, &frame, err))
        return false;
    size_t value_at = out->size;
    if (!put_value(plan, event, change, out, err))
        return false;
    frame.value_size = (uint32_t)(out->size - value_at);
    size_t headers_at = out->size;
    const char *header = change->op == 'd' ? "__debezium.newkey" : "__debezium.oldkey";
    if (change->other && !row_key_header(&plan->key, header, change->other, out, err))
        return false;
    frame.headers_size = (uint32_t)(out->size - headers_at);
    frame_close(out, at, &frame);
    return true;
}

static bool put_tombstone(const struct debezium_plan *plan, const struct value *row,
                          struct buf *out, struct error *err)
{
    if (!plan->context.options->tombstones || plan->context.table->key_count == 0)
        return true;
    struct frame frame;
    size_t at = frame_open(out);
    if (!row_key_put(&plan->key, row, out, &frame, err))
        return false;
    frame.null_value = true;
    frame_close(out, at, &frame);
    return true;
}

static bool debezium_encode(void *context, const struct event *event, struct buf *out,
                            struct error *err)
{
    struct debezium_plan *plan = context;
    struct event placed = debezium_placed(event);
    plan_connector(plan, placed.origin->connector);
    struct row_change changes[2];
    uint32_t count = row_changes(&plan->key, event, plan->merged, changes);
    for (uint32_t i = 0; i < count; i++) {
        if (!put_message(plan, &placed, &changes[i], out, err))
            return false;
        if (changes[i].op == 'd' && !put_tombstone(plan, changes[i].before, out, err))
            return false;
    }
    return true;
}

/* ---- schema changes ---- */

static void debezium_change(void *context, const struct event *event, struct buf *out)
{
    struct debezium_plan *plan = context;
    struct event placed = debezium_placed(event);
    plan_connector(plan, placed.origin->connector);
    const struct table *table = plan->context.table;
    int64_t now_us = clock_wall_us();
    struct frame frame = { .to = FRAME_CHANGES };
    size_t at = frame_open(out), key_at = out->size;
    buf_text(out, "{\"databaseName\":");
    json_put_text(out, table->database);
    buf_u8(out, '}');
    frame.key_size = (uint32_t)(out->size - key_at);
    size_t value_at = out->size;
    buf_u8(out, '{');
    struct buf source;
    buf_init(&source, 1 << 16);
    put_source(plan, &placed, now_us, &source);
    struct bytes block = buf_view(&source);
    buf_bytes(out, (struct bytes){ block.data + 1, block.size - 1 }); /* without its comma */
    buf_done(&source);
    buf_text(out, ",\"ts_ms\":");
    json_put_int(out, now_us / 1000);
    buf_text(out, ",\"databaseName\":");
    json_put_text(out, table->database);
    put_text_or_null(",\"schemaName\":", table->schema, out);
    put_text_or_null(",\"ddl\":", event->change->sql, out);
    buf_text(out, ",\"tableChanges\":");
    debezium_table_changes(event->change, out);
    buf_u8(out, '}');
    frame.value_size = (uint32_t)(out->size - value_at);
    frame_close(out, at, &frame);
}

const struct format format_debezium_json = { .plan = debezium_plan,
                                             .encode = debezium_encode,
                                             .change = debezium_change };
