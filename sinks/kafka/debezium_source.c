/* SPDX-License-Identifier: Apache-2.0
 *
 * See debezium_source.h. The rows of a statement stand at one place in the log, so their blocks
 * differ in the number of the row alone: the last block is kept, and taken again when all else that
 * it was made of is the same. */
#include "sinks/kafka/debezium_source.h"

#include "engine/base/json_write.h"
#include "sinks/kafka/debezium_schema.h"

struct debezium_source {
    struct format_context context;
    struct bytes db, table; /* members that are alike for all rows */
    struct event_origin origin;
    int64_t time_us; /* 0: not told */
    bool snapshot, kept;
    struct bytes head, tail; /* of the last block: before and behind its row */
    uint8_t *room;           /* for both and for the texts of `origin` */
    size_t room_size;
};

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

struct debezium_source *debezium_source_plan(const struct format_context *context)
{
    struct debezium_source *source = arena_zalloc(context->arena, sizeof *source);
    source->context = *context;
    source->db = member(context, "db", context->table->database, "sequence");
    source->table = member(context, "table", context->table->name, "server_id");
    return source;
}

/* ---- a block ---- */

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

static void put_binlog_place(const struct debezium_source *source,
                             const struct event_origin *origin, struct buf *out)
{
    buf_bytes(out, source->table);
    json_put_uint(out, origin->server_id);
    put_text_or_null(",\"gtid\":", origin->gtid, out);
    buf_text(out, ",\"file\":");
    json_put_text(out, origin->file);
    buf_text(out, ",\"pos\":");
    json_put_uint(out, origin->position);
    buf_text(out, ",\"row\":");
}

static void put_wal_place(const struct debezium_source *source, const struct event_origin *origin,
                          struct buf *out)
{
    const struct table *table = source->context.table;
    put_text_or_null(",\"schema\":", table->schema, out);
    put_text_or_null(",\"table\":", table->name, out);
    put_number_or_null(",\"txId\":", origin->transaction, out);
    put_number_or_null(",\"lsn\":", origin->position, out);
    buf_text(out, ",\"xmin\":null,\"origin\":null,\"origin_lsn\":null}");
}

static bool is_wal(const struct debezium_source *source)
{
    return source->context.table->schema.data != NULL;
}

static void put_head(const struct debezium_source *source, const struct event *event,
                     int64_t now_us, struct buf *out)
{
    const struct event_origin *origin = event->origin;
    int64_t time_us = event->time_us ? event->time_us : now_us;
    buf_text(out, "{\"version\":\"" MILLRACE_VERSION "\",\"connector\":");
    json_put_text(out, bytes_from(origin->connector));
    buf_text(out, ",\"name\":");
    json_put_text(out, debezium_server_name(source->context.options));
    buf_text(out, ",\"ts_ms\":");
    json_put_int(out, time_us / 1000);
    buf_text(out, event->snapshot ? ",\"snapshot\":\"true\"" : ",\"snapshot\":\"false\"");
    buf_bytes(out, source->db);
    if (is_wal(source) && origin->position) {
        buf_text(out, "\"[null,\\\"");
        json_put_uint(out, origin->position);
        buf_text(out, "\\\"]\"");
    } else {
        buf_put(out, "null", 4);
    }
    buf_text(out, ",\"ts_us\":");
    json_put_int(out, time_us);
    buf_text(out, ",\"ts_ns\":");
    json_put_int(out, time_us);
    buf_put(out, "000", 3);
    if (is_wal(source))
        put_wal_place(source, origin, out);
    else
        put_binlog_place(source, origin, out);
}

static void put_tail(const struct debezium_source *source, const struct event *event,
                     struct buf *out)
{
    if (is_wal(source))
        return;
    put_number_or_null(",\"thread\":", event->origin->thread, out);
    buf_text(out, ",\"query\":null}");
}

/* ---- the last block ---- */

static bool is_kept(const struct debezium_source *source, const struct event *event)
{
    const struct event_origin *a = &source->origin, *b = event->origin;
    return source->kept && source->time_us == event->time_us &&
           source->snapshot == event->snapshot && a->connector == b->connector &&
           a->position == b->position && a->transaction == b->transaction &&
           a->thread == b->thread && a->server_id == b->server_id &&
           bytes_equal(a->gtid, b->gtid) && bytes_equal(a->file, b->file);
}

static struct bytes keep_text(uint8_t **to, struct bytes text)
{
    if (text.size)
        memcpy(*to, text.data, text.size);
    struct bytes copy = { text.data ? *to : NULL, text.size };
    *to += text.size;
    return copy;
}

static void keep(struct debezium_source *source, const struct event *event, struct bytes head,
                 struct bytes tail)
{
    const struct event_origin *origin = event->origin;
    size_t size = head.size + tail.size + origin->gtid.size + origin->file.size;
    if (size > source->room_size) {
        source->room_size = size * 2;
        source->room = arena_raw(source->context.arena, source->room_size);
    }
    uint8_t *to = source->room;
    source->origin = *origin;
    source->origin.gtid = keep_text(&to, origin->gtid);
    source->origin.file = keep_text(&to, origin->file);
    source->head = keep_text(&to, head);
    source->tail = keep_text(&to, tail);
    source->time_us = event->time_us;
    source->snapshot = event->snapshot;
    source->kept = true;
}

void debezium_source_put(struct debezium_source *source, const struct event *event, int64_t now_us,
                         struct buf *out)
{
    bool kept = is_kept(source, event);
    size_t head_at = out->size;
    if (kept)
        buf_bytes(out, source->head);
    else
        put_head(source, event, now_us, out);
    size_t row_at = out->size;
    if (!is_wal(source))
        json_put_uint(out, event_row(event));
    size_t tail_at = out->size;
    if (kept)
        buf_bytes(out, source->tail);
    else
        put_tail(source, event, out);
    if (!kept && !out->failed)
        keep(source, event, (struct bytes){ out->data + head_at, row_at - head_at },
             (struct bytes){ out->data + tail_at, out->size - tail_at });
}
