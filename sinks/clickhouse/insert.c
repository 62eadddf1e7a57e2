/* SPDX-License-Identifier: Apache-2.0
 *
 * Sending a load, and finding out later whether it came through.
 *
 * A load is one INSERT of one block. Into one partition a block is one part, which becomes visible
 * whole or not at all; a target whose user partitioned it gets a part a partition, each visible on
 * its own. The label is the insert_deduplication_token: within the table's window a repeat writes
 * nothing, and completes what an interrupted one left out, partition by partition.
 *
 * A load is found by its last mark, which no other load's rows bear as _version: rows of a key that
 * were merged away gave way to a higher mark, and the last is the highest. In a partitioned target
 * one part may be there and another not, so there the answer is always "absent", and the repeat
 * under the old label puts it right. */
#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "sinks/clickhouse/clickhouse.h"
#include "sinks/clickhouse/errors.h"
#include "sinks/clickhouse/sql.h"

enum { RUNNING_PATIENCE_US = 40 * 1000 * 1000 }; /* http_receive_timeout is 30 s by default */

static void setting(struct buf *out, const char *name, struct bytes value)
{
    buf_printf(out, "&%s=", name);
    http_escape(out, value);
}

/* One block stays one block; no value changes on its way; nothing is said before it is stored. */
static void settings_begin(const struct clickhouse_sink *self, struct buf *out)
{
    static const char fixed[] =
        "&async_insert=0&insert_deduplicate=1&input_format_null_as_default=0"
        "&min_insert_block_size_rows=0&min_insert_block_size_bytes=0"
        "&max_insert_block_size=1000000000&max_insert_threads=1"
        "&max_partitions_per_insert_block=0";
    const struct setting_pairs *pairs = &self->options->insert_properties;
    buf_reset(out);
    buf_text(out, fixed);
    for (size_t i = 0; i < pairs->count; i++) {
        buf_printf(out, "&%.*s=", BYTES_ARGS(pairs->items[i].key));
        http_escape(out, pairs->items[i].value);
    }
}

/* A setting that the server does not know must not meet it first beside a large body: 26.7 ends its
 * process when it refuses such a request before it has read the body (measured). */
bool insert_settings_check(struct clickhouse_sink *self, struct error *err)
{
    settings_begin(self, &self->settings);
    return server_try_settings(&self->server, buf_view(&self->settings), err);
}

static struct bytes insert_settings(struct clickhouse_sink *self, const struct load *load)
{
    struct buf *out = &self->settings;
    char query_id[128];
    snprintf(query_id, sizeof query_id, "%s-%llu", load->label,
             (unsigned long long)++self->attempts);
    settings_begin(self, out);
    setting(out, "insert_deduplication_token", bytes_from(load->label));
    setting(out, "query_id", bytes_from(query_id));
    return buf_view(out);
}

static void insert_sql(const struct load *load, struct buf *sql)
{
    struct bytes name;
    uint32_t part = 0;
    const char *comma = " (";
    buf_text(sql, "INSERT INTO ");
    sql_table(sql, load->target->database, load->target->name);
    while (native_next_column(load, &part, &name)) {
        buf_text(sql, comma);
        sql_identifier(sql, name);
        comma = ", ";
    }
    buf_text(sql, ") FORMAT Native");
}

/* Servers differ: of a repeat that was dropped 26.7 counts the rows all the same, older ones none;
 * views behind the table may add to the count. */
static bool written_check(const struct clickhouse_sink *self, const struct load *load,
                          struct error *err)
{
    int64_t written = server_written_rows(&self->server);
    if (written < 0 || written >= load->rows || load->repeat || self->body.rewound)
        return true;
    return error_set(err, ERROR_CONFIG,
                     "the server wrote %lld of %u rows of load '%s': has another agent the same "
                     "pipeline name?",
                     (long long)written, load->rows, load->label);
}

bool insert_write(struct clickhouse_sink *self, const struct load *load, struct error *err)
{
    ASSERT(load->rows > 0);
    body_begin(&self->body, load);
    insert_sql(load, server_sql(&self->server));
    const struct clickhouse_upload upload = {
        .read = body_read,
        .rewind = body_rewind,
        .context = &self->body,
        .encoding = body_encoding(&self->body),
    };
    if (!server_insert(&self->server, insert_settings(self, load), &upload, err)) {
        if (err->kind == ERROR_DATA)
            target_state(self, load->target)->stale = true;
        return false;
    }
    return written_check(self, load, err);
}

/* ---- after a restart or a lost reply ---- */

static bool ask_number(struct clickhouse_sink *self, uint64_t *number, struct error *err)
{
    struct reader rows;
    if (!server_query(&self->server, &rows, err))
        return false;
    *number = reader_le(&rows, 8);
    return !rows.failed || error_set(err, ERROR_RETRY, "a number that was cut off");
}

/* Whose query id begins with the label and a dash: ...-1 is no prefix of ...-12. */
static void where_label(struct buf *sql, const char *label, struct arena *scratch)
{
    buf_text(sql, " WHERE startsWith(query_id, ");
    sql_string(sql, arena_printf(scratch, "%s-", label));
    buf_text(sql, ")");
}

/* An INSERT of ours whose connection broke waits for the rest of its body: end it. */
static void running_kill(struct clickhouse_sink *self, const char *label)
{
    struct error ignored;
    struct buf *sql = server_sql(&self->server);
    buf_text(sql, "KILL QUERY");
    where_label(sql, label, &self->scratch);
    buf_text(sql, " ASYNC");
    server_execute(&self->server, &ignored);
}

/* May we look? Otherwise the load has ended when the server's patience has. */
static bool running_by_clock(struct clickhouse_sink *self, const char *label)
{
    uint64_t hash = bytes_hash(bytes_from(label));
    int64_t now_us = clock_now_us();
    if (self->asked_label != hash) {
        self->asked_label = hash;
        self->asked_until_us = now_us + RUNNING_PATIENCE_US;
    }
    return now_us < self->asked_until_us;
}

static bool is_running(struct clickhouse_sink *self, const char *label, bool *running,
                       struct error *err)
{
    uint64_t count;
    struct buf *sql = server_sql(&self->server);
    buf_text(sql, "SELECT count() FROM system.processes");
    where_label(sql, label, &self->scratch);
    buf_text(sql, " FORMAT RowBinary");
    if (!ask_number(self, &count, err)) {
        if (err->code != CODE_ACCESS_DENIED)
            return false;
        *running = running_by_clock(self, label);
        return true;
    }
    *running = count > 0;
    if (count > 0)
        running_kill(self, label);
    return true;
}

static bool is_visible(struct clickhouse_sink *self, const struct target *target, uint64_t last,
                       bool *visible, struct error *err)
{
    uint64_t count;
    struct buf *sql = server_sql(&self->server);
    buf_text(sql, "SELECT count() FROM (SELECT 1 FROM ");
    sql_table(sql, target->database, target->name);
    buf_printf(sql, " WHERE " COLUMN_VERSION " = %llu LIMIT 1) FORMAT RowBinary",
               (unsigned long long)last);
    if (!ask_number(self, &count, err))
        return false;
    *visible = count > 0;
    return true;
}

/* Asked in this order: what ends between the two questions is then seen by the second. */
bool insert_resolve(struct clickhouse_sink *self, struct target *target, const char *label,
                    uint64_t last, enum load_state *out, struct error *err)
{
    struct clickhouse_shape shape;
    bool running, visible = false;
    if (!is_running(self, label, &running, err))
        return false;
    if (running) {
        *out = LOAD_RUNNING;
        return true;
    }
    if (!shape_read(&self->server, target->database, target->name, &self->scratch, &shape, err))
        return false;
    bool has_version = shape.exists && shape_column(&shape, BYTES_LITERAL(COLUMN_VERSION));
    if (has_version && !shape.partitioned && !is_visible(self, target, last, &visible, err))
        return false;
    *out = visible ? LOAD_VISIBLE : LOAD_ABSENT;
    return true;
}

/* Rows of a table without a key stay as they came, and come in the order of their marks. */
bool insert_edge(struct clickhouse_sink *self, struct target *target, const char *function,
                 uint64_t *mark, struct error *err)
{
    struct clickhouse_shape shape;
    *mark = 0;
    if (!shape_read(&self->server, target->database, target->name, &self->scratch, &shape, err))
        return false;
    if (!shape.exists || !shape_column(&shape, BYTES_LITERAL(COLUMN_VERSION)))
        return true;
    struct buf *sql = server_sql(&self->server);
    buf_printf(sql, "SELECT %s(" COLUMN_VERSION ") FROM ", function);
    sql_table(sql, target->database, target->name);
    buf_text(sql, " FORMAT RowBinary");
    return ask_number(self, mark, err);
}
