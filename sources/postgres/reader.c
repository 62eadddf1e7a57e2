/* SPDX-License-Identifier: Apache-2.0
 *
 * The snapshot reader. Each chunk is one short transaction, REPEATABLE READ and READ ONLY, whose
 * first statement asks for txid_current_snapshot() and the log's end: the snapshot tells of every
 * transaction of the log whether the chunk holds it, and all that it holds committed before that
 * end. A place in the log alone would not do: it moves before a commit becomes visible. Rows come
 * by COPY in its text form, which is what the log's rows are made of. */
#include "sources/postgres/reader.h"

#include <stdlib.h>

#include "engine/base/clock.h"
#include "sources/postgres/copy_text.h"
#include "sources/postgres/listed_tables.h"
#include "sources/postgres/publication.h"
#include "sources/postgres/session.h"
#include "sources/postgres/session_errors.h"
#include "sources/postgres/table_sql.h"
#include "sources/postgres/token.h"
#include "sources/sources.h"

enum {
    ROWS_FIRST = 2048,
    ROWS_LEAST = 64,
    SPLIT_ROWS_MIN = 65536,
    SQL_LIMIT = 64 << 20,
    GATE_TICK_US = 2000,
    PAGE = 8192,
    PAGE_HEADER = 24,
    SEGMENT_HEADER = 40
};

struct postgres_reader {
    struct table_reader base;
    const struct postgres_options *options;
    struct session *connection;
    uint64_t segment_size;
    struct buf scratch;
    struct arena plan_arena;
    struct copy_plan *plan;
    const struct table *examined; /* its identity and membership were looked at */
    bool only;
    const struct table *measured; /* whose rows take row_bytes */
    size_t row_bytes;
};

static struct postgres_reader *reader_of_base(struct table_reader *reader)
{
    return (struct postgres_reader *)reader;
}

bool postgres_reader_open(const void *options, struct arena *arena, struct table_reader **out,
                          struct error *err)
{
    struct postgres_reader *self = arena_zalloc(arena, sizeof *self);
    self->base.driver = &postgres_source;
    self->options = options;
    if (!session_open(options, SESSION_PLAIN, NULL, &self->connection, err))
        return false;
    struct arena scratch = { 0 };
    struct bytes size;
    bool ok = session_value(self->connection,
                            "SELECT setting FROM pg_settings WHERE name = "
                            "'wal_segment_size'",
                            &scratch, &size, err);
    self->segment_size = ok && size.data ? strtoull((const char *)size.data, NULL, 10) : 0;
    arena_done(&scratch);
    if (!ok) {
        session_close(self->connection);
        return false;
    }
    buf_init(&self->scratch, (size_t)2 << 30);
    *out = &self->base;
    return true;
}

void postgres_reader_close(struct table_reader *reader)
{
    struct postgres_reader *self = reader_of_base(reader);
    if (!self)
        return;
    session_close(self->connection);
    buf_done(&self->scratch);
    arena_done(&self->plan_arena);
}

void postgres_reader_interrupt(struct table_reader *reader)
{
    session_interrupt(reader_of_base(reader)->connection);
}

static bool shape_error(struct error *err)
{
    if (err->code == sqlstate_code("42703") || err->code == sqlstate_code("42P01") ||
        err->code == sqlstate_code("3F000")) {
        err->kind = ERROR_DATA;
        err->code = READER_SHAPE;
    }
    return false;
}

/* ---- may it be followed at all? ---- */

static bool is_published(struct postgres_reader *self, const struct table *table, bool *published,
                         struct error *err)
{
    struct arena arena = { 0 };
    struct result result;
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    buf_text(&sql, "SELECT 1 FROM pg_publication_tables WHERE pubname = ");
    postgres_quote_text(&sql, self->options->publication);
    buf_text(&sql, " AND schemaname = ");
    postgres_quote_text(&sql, table->schema);
    buf_text(&sql, " AND tablename = ");
    postgres_quote_text(&sql, table->name);
    bool ok = session_query(self->connection, buf_view(&sql), &arena, &result, err);
    *published = ok && result.row_count > 0;
    buf_done(&sql);
    arena_done(&arena);
    return ok;
}

static bool complain(const struct postgres_reader *self, const struct listed_table *listed,
                     struct error *err)
{
    struct buf text;
    buf_init(&text, 4096);
    if (!listed->replicable) {
        table_identity_complaint(listed, &text);
    } else {
        buf_text(&text, "it is not in the publication: ALTER PUBLICATION ");
        postgres_quote_identifier(&text, self->options->publication);
        buf_text(&text, " ADD TABLE ");
        table_quote(&text, listed->table);
    }
    error_set(err, ERROR_DATA, "%.*s", BYTES_ARGS(buf_view(&text)));
    buf_done(&text);
    return false;
}

static bool examine(struct postgres_reader *self, const struct table *table, struct error *err)
{
    if (self->examined == table)
        return true;
    struct arena arena = { 0 };
    struct listed_table *listed;
    bool published = false;
    bool ok = listed_table_read(self->connection, self->options, table->source_id, false, &arena,
                                &listed, err) &&
              is_published(self, table, &published, err);
    if (ok && !listed)
        ok = error_code(err, ERROR_DATA, READER_SHAPE, "it is gone");
    if (ok && (!published || !listed->replicable))
        ok = complain(self, listed, err);
    if (ok) {
        self->only = !listed->partitioned;
        self->examined = table;
    }
    arena_done(&arena);
    return ok;
}

/* ---- snapshots ---- */

/* The insert position stands behind a page's header where the last record ended with the page
 * before: no commit lies between, and no commit will end there. */
static uint64_t commit_end(const struct postgres_reader *self, uint64_t lsn)
{
    uint64_t page = lsn - lsn % PAGE;
    bool segment = self->segment_size && page % self->segment_size == 0;
    return lsn % PAGE == (segment ? SEGMENT_HEADER : PAGE_HEADER) ? page : lsn;
}

static struct bytes token_kept(struct buf *token, struct arena *arena)
{
    struct bytes kept = arena_copy(arena, buf_view(token));
    buf_done(token);
    return kept;
}

static bool begin_snapshot(struct postgres_reader *self, const struct chunk_request *request,
                           struct arena *arena, struct chunk_result *out, bool *holds,
                           struct error *err)
{
    struct arena scratch = { 0 };
    struct result result;
    struct snapshot_text snapshot;
    uint64_t lsn;
    struct buf low, high;
    bool ok = session_query(
        self->connection,
        BYTES_LITERAL(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT txid_current_snapshot(), "
            "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
            "ELSE pg_current_wal_insert_lsn() END, CASE WHEN pg_is_in_recovery() THEN '0' "
            "ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END"),
        &scratch, &result, err);
    if (ok && (result.row_count != 1 || !snapshot_parse(result.cells[0], &scratch, &snapshot) ||
               !lsn_parse(result.cells[1], &lsn)))
        ok = error_set(err, ERROR_RETRY, "the server's snapshot cannot be read");
    if (ok && gate_token_is_elsewhere(
                  request->gate, (uint32_t)strtoul((const char *)result.cells[2].data, NULL, 16)))
        ok = error_set(err, ERROR_RETRY, "connected to another server than the log is read from");
    *holds = ok && gate_token_holds(request->gate, &snapshot);
    if (*holds) {
        buf_init(&low, SQL_LIMIT);
        buf_init(&high, 64);
        snapshot_token_put(&snapshot, &low);
        high_token_put(commit_end(self, lsn), &high);
        out->low = token_kept(&low, arena);
        out->high = token_kept(&high, arena);
    }
    arena_done(&scratch);
    return ok;
}

static bool take_snapshot(struct postgres_reader *self, const struct chunk_request *request,
                          struct arena *arena, struct chunk_result *out, struct error *err)
{
    int64_t until_us = clock_now_us() + (int64_t)request->timeout_ms * 1000;
    for (;;) {
        bool holds;
        if (!begin_snapshot(self, request, arena, out, &holds, err))
            return false;
        if (holds)
            return true;
        if (!session_execute(self->connection, err, "ROLLBACK"))
            return false;
        if (clock_now_us() > until_us)
            return error_code(err, ERROR_RETRY, READER_GATE,
                              "waiting for transactions to end that "
                              "were open when the log was joined (see pg_stat_activity)");
        clock_sleep_us(GATE_TICK_US);
    }
}

/* A statement that failed leaves the transaction open. */
static bool roll_back(struct postgres_reader *self)
{
    struct error ignored;
    session_execute(self->connection, &ignored, "ROLLBACK");
    return false;
}

/* ---- chunks ---- */

static bool copy(struct postgres_reader *self, const struct table *table,
                 const struct reader_range *range, struct error *err)
{
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    table_sql_copy(&sql, table, range);
    arena_reset(&self->plan_arena);
    self->plan = copy_plan_make(table, &self->plan_arena);
    bool ok = session_copy_begin(self->connection, buf_view(&sql), err) || shape_error(err);
    buf_done(&sql);
    return ok;
}

static bool take_rows(struct postgres_reader *self, struct batch *batch, size_t bytes_max,
                      bool *end, struct error *err)
{
    *end = false;
    while (batch->arena.total < bytes_max) {
        struct bytes line;
        if (!session_copy_line(self->connection, &line, end, err))
            return false;
        if (*end)
            return true;
        batch->bytes += line.size;
        if (!copy_row(self->plan, line, batch, &self->scratch, err))
            return false;
    }
    return true;
}

static uint32_t rows_limit(const struct postgres_reader *self, const struct chunk_request *request)
{
    uint64_t rows = ROWS_FIRST;
    if (self->measured && self->measured->id == request->table->id && self->row_bytes > 0)
        rows = request->bytes_max / self->row_bytes;
    rows = rows < ROWS_LEAST ? ROWS_LEAST : rows;
    return rows > request->rows_max ? request->rows_max : (uint32_t)rows;
}

static bool chunk_rows(struct postgres_reader *self, const struct chunk_request *request,
                       struct batch *batch, struct chunk_result *result, struct error *err)
{
    struct reader_range range = { .after = request->after,
                                  .until = request->until,
                                  .limit = rows_limit(self, request),
                                  .only = self->only };
    size_t before = batch->arena.total;
    bool end;
    if (!copy(self, request->table, &range, err))
        return roll_back(self);
    if (!take_rows(self, batch, 4 * request->bytes_max, &end, err)) {
        struct error ignored;
        session_copy_cancel(self->connection, &ignored);
        return false;
    }
    result->last = end && batch->count < range.limit;
    if (batch->count > 0) {
        self->measured = request->table;
        self->row_bytes = (batch->arena.total - before) / batch->count + 1;
    }
    /* Rows are larger than they were thought to be: the chunk ends here. */
    return end ? session_execute(self->connection, err, "COMMIT")
               : session_copy_cancel(self->connection, err);
}

bool postgres_reader_chunk(struct table_reader *reader, const struct chunk_request *request,
                           struct batch *batch, struct chunk_result *result, struct error *err)
{
    struct postgres_reader *self = reader_of_base(reader);
    return examine(self, request->table, err) &&
           take_snapshot(self, request, &batch->arena, result, err) &&
           chunk_rows(self, request, batch, result, err);
}

bool postgres_reader_scan_open(struct table_reader *reader, const struct chunk_request *request,
                               struct arena *arena, struct chunk_result *result, struct error *err)
{
    struct postgres_reader *self = reader_of_base(reader);
    if (!examine(self, request->table, err) || !take_snapshot(self, request, arena, result, err))
        return false;
    return copy(self, request->table, &(struct reader_range){ .only = self->only }, err) ||
           roll_back(self);
}

bool postgres_reader_scan_next(struct table_reader *reader, struct batch *batch, bool *end,
                               struct error *err)
{
    struct postgres_reader *self = reader_of_base(reader);
    if (!take_rows(self, batch, BATCH_BYTES_GOAL, end, err))
        return false;
    return !*end || session_execute(self->connection, err, "COMMIT");
}

/* ---- splitting and comparing ---- */

static bool estimate(struct postgres_reader *self, const struct table *table, struct arena *arena,
                     uint64_t *rows, struct error *err)
{
    struct bytes text;
    struct bytes sql = arena_printf(
        arena,
        "SELECT greatest(sum(c.reltuples), 0)::bigint FROM pg_class c WHERE c.oid = %u OR "
        "(c.relispartition AND c.oid IN (SELECT relid FROM pg_partition_tree(%u) WHERE isleaf))",
        table->source_id, table->source_id);
    if (!session_value(self->connection, (const char *)sql.data, arena, &text, err))
        return shape_error(err);
    *rows = text.data ? strtoull((const char *)text.data, NULL, 10) : 0;
    return true;
}

bool postgres_reader_split(struct table_reader *reader, const struct table *table, uint32_t want,
                           struct arena *arena, struct value ***bounds, uint32_t *count,
                           uint64_t *estimated_rows, struct error *err)
{
    struct postgres_reader *self = reader_of_base(reader);
    *count = 0;
    if (!examine(self, table, err) || !estimate(self, table, arena, estimated_rows, err))
        return false;
    const struct column *first = &table->columns[table->key_columns[0]];
    if (table->key_count != 1 || want < 2 || *estimated_rows < SPLIT_ROWS_MIN ||
        first->type.kind != TYPE_INT)
        return true;
    struct buf sql;
    struct result result;
    buf_init(&sql, SQL_LIMIT);
    buf_text(&sql, "SELECT min(");
    postgres_quote_identifier(&sql, first->name);
    buf_text(&sql, "), max(");
    postgres_quote_identifier(&sql, first->name);
    buf_text(&sql, ") FROM ");
    table_quote(&sql, table);
    bool ok = session_query(self->connection, buf_view(&sql), arena, &result, err);
    buf_done(&sql);
    if (!ok)
        return shape_error(err);
    if (!result.cells[0].data || !result.cells[1].data)
        return true;
    int64_t low = strtoll((const char *)result.cells[0].data, NULL, 10);
    int64_t high = strtoll((const char *)result.cells[1].data, NULL, 10);
    uint64_t step = ((uint64_t)high - (uint64_t)low) / want;
    if (step == 0)
        return true;
    *bounds = arena_array(arena, want, sizeof **bounds);
    for (uint32_t i = 1; i < want; i++) {
        struct value *bound = arena_zalloc(arena, sizeof *bound);
        *bound = value_int((int64_t)((uint64_t)low + step * i));
        (*bounds)[(*count)++] = bound;
    }
    return true;
}
