/* SPDX-License-Identifier: Apache-2.0
 *
 * The snapshot reader. Each chunk is one short transaction with a consistent snapshot, whose
 * watermarks say which transactions it holds:
 *   MariaDB   binlog_snapshot_file/position of the snapshot itself: exact, low and high at once.
 *   MySQL     @@gtid_executed before the snapshot is low; the log's end right after it is taken is
 *             high: what is visible lies before it. (The log's end before the snapshot would be no
 *             low watermark: it moves before the engine makes a commit visible.)
 *   MySQL without GTIDs, or when asked to: the table is held still by LOCK TABLES .. READ of a
 *             second session for the moment in which the snapshot is taken: its end is exact.
 * Rows come by the binary protocol, packet by packet, and are decoded here. */
#include "sources/mysql/reader.h"

#include <stdatomic.h>
#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/parse.h"
#include "engine/base/reader.h"
#include "sources/mysql/connection.h"
#include "sources/mysql/reader_row.h"
#include "sources/mysql/reader_sql.h"
#include "sources/mysql/snapshot_place.h"
#include "sources/mysql/token.h"
#include "sources/sources.h"

enum {
    COM_STMT_PREPARE_COMMAND = 0x16,
    COM_STMT_EXECUTE_COMMAND = 0x17,
    COM_STMT_CLOSE_COMMAND = 0x19
};
enum { DATABASE_DENIED = 1044, UNKNOWN_COLUMN = 1054, TABLE_DENIED = 1142, NO_SUCH_TABLE = 1146 };
enum {
    ROWS_FIRST = 64,
    ROWS_GROWTH = 16,
    PASSED_BYTES_MAX = 256 << 20,
    SPLIT_ROWS_MIN = 65536,
    SQL_LIMIT = 64 << 20
};

struct mysql_reader {
    struct table_reader base;
    const struct mysql_options *options;
    struct connection *connection;
    _Atomic(struct connection *) locker; /* holds a table still for a moment */
    bool mariadb, by_gtid;
    char server[64]; /* uuid or server id, as in the log's tokens */
    uint32_t version;
    struct arena plan_arena;
    uint32_t statement; /* of the result under way */
    struct cell_plan *plan;
    bool scanning;
    const struct table *measured; /* whose rows take row_bytes */
    size_t row_bytes;
    uint32_t rows_before; /* of its chunk before, at most */
};

static struct mysql_reader *reader_of_base(struct table_reader *reader)
{
    return (struct mysql_reader *)reader;
}

/* ---- small questions ---- */

bool reader_open(const void *options, struct arena *arena, struct table_reader **out,
                 struct error *err)
{
    struct mysql_reader *self = arena_zalloc(arena, sizeof *self);
    self->base.driver = &mysql_source;
    self->options = options;
    if (!connection_open(options, &self->connection, err))
        return false;
    const struct server_info *server = connection_server(self->connection);
    self->mariadb = server->flavor == SERVER_MARIADB;
    self->version = server->version;
    struct arena scratch = { 0 };
    struct result result;
    bool ok = connection_execute(self->connection, err,
                                 "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    if (ok && !self->mariadb) {
        ok = connection_ask(self->connection, "SELECT @@global.gtid_mode", &scratch, &result, err);
        self->by_gtid = ok && result.row_count > 0 && bytes_is(result.cells[0], "ON");
    }
    ok = ok && connection_ask(self->connection,
                              self->mariadb ? "SELECT @@server_id" : "SELECT @@server_uuid",
                              &scratch, &result, err);
    if (ok && result.row_count > 0)
        snprintf(self->server, sizeof self->server, "%.*s", BYTES_ARGS(result.cells[0]));
    arena_done(&scratch);
    if (!ok) {
        connection_close(self->connection);
        return false;
    }
    *out = &self->base;
    return true;
}

void reader_close(struct table_reader *reader)
{
    struct mysql_reader *self = reader_of_base(reader);
    if (!self)
        return;
    connection_close(atomic_exchange(&self->locker, NULL));
    connection_close(self->connection);
    arena_done(&self->plan_arena);
}

void reader_interrupt(struct table_reader *reader)
{
    connection_interrupt(reader_of_base(reader)->connection);
}

/* ---- watermarks ---- */

static struct bytes place_token(struct bytes file, uint64_t offset, struct bytes gtid,
                                struct arena *arena)
{
    struct buf token;
    buf_init(&token, SQL_LIMIT);
    token_encode(&(struct token){ .file = file, .offset = offset, .gtid = gtid }, &token);
    struct bytes kept = arena_copy(arena, buf_view(&token));
    buf_done(&token);
    return kept;
}

static bool mariadb_snapshot(struct mysql_reader *self, const struct token *gate,
                             struct arena *arena, struct chunk_result *out, bool *early,
                             struct error *err)
{
    struct arena scratch = { 0 };
    struct token place;
    bool ok = snapshot_place(self->connection, &scratch, &place, err);
    *early = ok && gate->file.size > 0 && token_place_compare(&place, gate) < 0;
    if (ok && !*early)
        out->low = out->high = place_token(place.file, place.offset, (struct bytes){ 0 }, arena);
    arena_done(&scratch);
    return ok;
}

static bool log_end(struct mysql_reader *self, struct connection *connection, struct arena *arena,
                    struct bytes *out, struct error *err)
{
    struct arena scratch = { 0 };
    struct result result;
    const char *sql =
        self->mariadb || self->version < 80200 ? "SHOW MASTER STATUS" : "SHOW BINARY LOG STATUS";
    bool ok = connection_ask(connection, sql, &scratch, &result, err);
    if (ok && result.row_count == 0)
        ok = error_set(err, ERROR_CONFIG, "the server writes no binary log");
    if (ok)
        *out =
            place_token(result.cells[0], parse_digits(result.cells[1]), (struct bytes){ 0 }, arena);
    arena_done(&scratch);
    return ok;
}

static bool gtid_gate(struct mysql_reader *self, const struct chunk_request *request,
                      const struct token *gate, struct error *err)
{
    if (gate->gtid.size == 0)
        return true;
    struct buf sql;
    struct arena scratch = { 0 };
    buf_init(&sql, SQL_LIMIT);
    buf_text(&sql, "SELECT WAIT_FOR_EXECUTED_GTID_SET(");
    mysql_quote_text(&sql, gate->gtid);
    buf_printf(&sql, ", %u)", request->timeout_ms / 1000 + 1);
    struct result result;
    bool ok = connection_query(self->connection, buf_view(&sql), 1, &scratch, &result, err);
    if (ok && (result.row_count == 0 || !bytes_is(result.cells[0], "0")))
        ok = error_code(err, ERROR_RETRY, READER_GATE,
                        "what the log told is not visible yet (semi-sync, or a slow commit)");
    buf_done(&sql);
    arena_done(&scratch);
    return ok;
}

static bool gtid_snapshot(struct mysql_reader *self, struct arena *arena, struct chunk_result *out,
                          struct error *err)
{
    struct arena scratch = { 0 };
    struct result result;
    bool ok =
        connection_ask(self->connection, "SELECT @@global.gtid_executed", &scratch, &result, err);
    if (ok)
        out->low = place_token((struct bytes){ (const uint8_t *)"", 0 }, 0, result.cells[0], arena);
    arena_done(&scratch);
    return ok &&
           connection_execute(self->connection, err,
                              "START TRANSACTION WITH CONSISTENT SNAPSHOT") &&
           log_end(self, self->connection, arena, &out->high, err);
}

static bool lock_error(struct error *err)
{
    if (err->code == DATABASE_DENIED || err->code == TABLE_DENIED)
        return error_code(err, ERROR_CONFIG, err->code,
                          "the table must be held still for a moment to be read exactly, and the "
                          "user may not: GRANT LOCK TABLES ON *.* TO the user of this pipeline");
    return false;
}

/* The table is held still by another session while the snapshot is taken. */
static bool locked_snapshot(struct mysql_reader *self, const struct table *table,
                            struct arena *arena, struct chunk_result *out, struct error *err)
{
    struct connection *locker = atomic_load(&self->locker);
    if (!locker && !connection_open(self->options, &locker, err))
        return false;
    atomic_store(&self->locker, locker);
    struct buf name;
    buf_init(&name, 4096);
    reader_sql_table(&name, table);
    bool ok =
        connection_execute(locker, err, "SET SESSION lock_wait_timeout = 10") &&
        (connection_execute(locker, err, "LOCK TABLES %.*s READ", BYTES_ARGS(buf_view(&name))) ||
         lock_error(err)) &&
        connection_execute(self->connection, err, "START TRANSACTION WITH CONSISTENT SNAPSHOT") &&
        log_end(self, locker, arena, &out->high, err);
    struct error unlocked;
    if (!connection_execute(locker, &unlocked, "UNLOCK TABLES"))
        connection_close(atomic_exchange(&self->locker, NULL)); /* which unlocks */
    out->low = out->high;
    buf_done(&name);
    return ok;
}

static bool take_snapshot(struct mysql_reader *self, const struct chunk_request *request,
                          struct arena *arena, struct chunk_result *out, struct error *err)
{
    struct token gate = { 0 };
    if (request->gate.size > 0 && !token_decode(request->gate, &gate, err))
        return false;
    if (gate.server.size > 0 && !bytes_is(gate.server, self->server))
        return error_set(err, ERROR_RETRY,
                         "this connection leads to server %s, that of the log to %.*s: places in "
                         "their logs cannot be compared",
                         self->server, BYTES_ARGS(gate.server));
    if (!self->mariadb) {
        if (self->by_gtid && !gtid_gate(self, request, &gate, err))
            return false;
        return self->by_gtid && !request->lock
                   ? gtid_snapshot(self, arena, out, err)
                   : locked_snapshot(self, request->table, arena, out, err);
    }
    int64_t until_us = clock_now_us() + (int64_t)request->timeout_ms * 1000;
    for (;;) {
        bool early;
        if (!mariadb_snapshot(self, &gate, arena, out, &early, err))
            return false;
        if (!early)
            return true;
        if (!connection_execute(self->connection, err, "ROLLBACK"))
            return false;
        if (clock_now_us() > until_us)
            return error_code(err, ERROR_RETRY, READER_GATE,
                              "what the log told is not visible yet (semi-sync, or a slow commit)");
        clock_sleep_us(2000);
    }
}

/* ---- results ---- */

static bool is_end(struct bytes packet) { return packet.size < 9 && packet.data[0] == 0xfe; }

/* A definition ends with 0c, u16 charset, u32 length, u8 type, u16 flags, u8 decimals, u16 0; what
 * stands before it differs by server (MariaDB puts extended metadata there). */
static bool definition_type(struct bytes packet, uint8_t *type)
{
    enum { FIXED = 13, TYPE_FROM_END = 6 };
    if (packet.size < FIXED || packet.data[packet.size - FIXED] != 0x0c)
        return false;
    *type = packet.data[packet.size - TYPE_FROM_END];
    return true;
}

/* The definitions of a result's columns, up to the packet that ends them. */
static bool take_definitions(struct connection *connection, uint8_t *types, uint16_t count,
                             struct error *err)
{
    for (uint16_t i = 0;; i++) {
        struct bytes packet;
        if (!connection_packet(connection, &packet, err))
            return false;
        if (packet.size > 0 && is_end(packet))
            return true;
        if (i < count && !definition_type(packet, &types[i]))
            return error_set(err, ERROR_RETRY, "the server's definition of a column is malformed");
    }
}

static bool shape_error(struct error *err)
{
    if (err->code == UNKNOWN_COLUMN || err->code == NO_SUCH_TABLE) {
        err->kind = ERROR_DATA;
        err->code = READER_SHAPE;
    }
    return false;
}

static bool prepare(struct mysql_reader *self, const struct table *table, struct bytes sql,
                    uint8_t *types, struct error *err)
{
    struct bytes packet;
    if (!connection_command(self->connection, COM_STMT_PREPARE_COMMAND, sql, err) ||
        !connection_packet(self->connection, &packet, err))
        return shape_error(err);
    struct reader in = reader_of(packet);
    reader_u8(&in);
    self->statement = (uint32_t)reader_le(&in, 4);
    uint64_t columns = reader_le(&in, 2);
    if (in.failed || columns != table->column_count)
        return error_set(err, ERROR_RETRY, "the server's answer to PREPARE is malformed");
    return take_definitions(self->connection, types, table->column_count, err);
}

/* A MariaDB server does not repeat the definitions that PREPARE gave, and says so behind the number
 * of columns; the packet that ends them comes all the same. */
static bool execute(struct mysql_reader *self, const struct table *table, struct bytes sql,
                    struct error *err)
{
    arena_reset(&self->plan_arena);
    uint8_t *types = arena_zalloc(&self->plan_arena, table->column_count + 1u);
    if (!prepare(self, table, sql, types, err))
        return false;
    uint8_t payload[9] = { (uint8_t)self->statement,
                           (uint8_t)(self->statement >> 8),
                           (uint8_t)(self->statement >> 16),
                           (uint8_t)(self->statement >> 24),
                           0,
                           1 };
    struct bytes packet;
    if (!connection_command(self->connection, COM_STMT_EXECUTE_COMMAND,
                            (struct bytes){ payload, sizeof payload }, err) ||
        !connection_packet(self->connection, &packet, err))
        return shape_error(err);
    return take_definitions(self->connection, types, table->column_count, err) &&
           cell_plan_make(table, types, &self->plan_arena, &self->plan, err);
}

static void statement_close(struct mysql_reader *self)
{
    uint8_t id[4] = { (uint8_t)self->statement, (uint8_t)(self->statement >> 8),
                      (uint8_t)(self->statement >> 16), (uint8_t)(self->statement >> 24) };
    struct error err;
    connection_command(self->connection, COM_STMT_CLOSE_COMMAND, (struct bytes){ id, sizeof id },
                       &err);
}

/* Rows up to the result's end, or until the batch is full. */
static bool take_rows(struct mysql_reader *self, struct batch *batch, bool *end, struct error *err)
{
    *end = false;
    while (!batch_is_full(batch)) {
        struct bytes packet;
        if (!connection_packet(self->connection, &packet, err))
            return false;
        if (packet.size == 0 || is_end(packet)) {
            *end = true;
            return true;
        }
        batch->bytes += packet.size;
        if (!cell_row(self->plan, packet, batch, err))
            return false;
    }
    return true;
}

/* ---- chunks ---- */

/* Rows of a snapshot stand where its low watermark is. */
static void rows_origin(struct mysql_reader *self, struct batch *batch, struct bytes low)
{
    struct token place = { 0 };
    struct error err;
    if (low.data)
        token_decode(low, &place, &err);
    struct event_origin *origin = arena_alloc(&batch->arena, sizeof *origin);
    *origin = (struct event_origin){ .connector = self->mariadb ? "mariadb" : "mysql",
                                     .file = arena_copy(&batch->arena, place.file),
                                     .position = place.offset };
    for (uint32_t i = 0; i < batch->count; i++)
        batch->events[i].origin = origin;
}

/* By the rows of the chunk before; a table's first chunk is small, for its rows may be large. */
static uint32_t rows_limit(const struct mysql_reader *self, const struct chunk_request *request)
{
    uint64_t rows = ROWS_FIRST;
    if (self->measured && self->measured->id == request->table->id) {
        uint64_t most = (uint64_t)self->rows_before * ROWS_GROWTH;
        rows = request->bytes_max / self->row_bytes;
        rows = rows == 0 ? 1 : rows > most ? most : rows;
    }
    return rows > request->rows_max ? request->rows_max : (uint32_t)rows;
}

/* What rows take in memory: their packets, cells and events. */
static size_t rows_size(const struct table *table, const struct batch *batch)
{
    size_t row = table->column_count * sizeof(struct value) + sizeof(struct event);
    return (size_t)batch->bytes + batch->count * row;
}

/* Rows up to the result's end. Where they are larger than those before made believe, the chunk ends
 * earlier, and what else the server sends is passed over: *cut is then the largest row's size. */
static bool take_chunk(struct mysql_reader *self, const struct chunk_request *request,
                       struct batch *batch, size_t *cut, struct error *err)
{
    size_t passed = 0, largest = 0;
    *cut = 0;
    for (;;) {
        struct bytes packet;
        if (!connection_packet(self->connection, &packet, err))
            return false;
        if (packet.size == 0 || is_end(packet))
            return true;
        largest = packet.size > largest ? packet.size : largest;
        if (rows_size(request->table, batch) > 2 * request->bytes_max) {
            *cut = largest;
            passed += packet.size;
            if (passed > PASSED_BYTES_MAX) /* the reader that comes then begins with few rows */
                return error_set(err, ERROR_RETRY, "its rows have become much larger");
            continue;
        }
        batch->bytes += packet.size;
        if (!cell_row(self->plan, packet, batch, err))
            return false;
    }
}

static bool chunk_rows(struct mysql_reader *self, const struct chunk_request *request,
                       struct batch *batch, struct chunk_result *result, struct error *err)
{
    const struct table *table = request->table;
    uint32_t limit = rows_limit(self, request);
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    reader_sql_select(&sql, table);
    if (request->after || request->until)
        buf_text(&sql, " WHERE ");
    if (request->after)
        reader_sql_after(&sql, table, request->after);
    if (request->after && request->until)
        buf_text(&sql, " AND ");
    if (request->until)
        reader_sql_not_after(&sql, table, request->until);
    reader_sql_order(&sql, table);
    buf_printf(&sql, " LIMIT %u", limit);
    size_t cut;
    bool ok =
        execute(self, table, buf_view(&sql), err) && take_chunk(self, request, batch, &cut, err);
    buf_done(&sql);
    if (!ok)
        return false;
    statement_close(self);
    result->last = !cut && batch->count < limit;
    if (batch->count > 0) {
        self->measured = table;
        self->rows_before = cut ? batch->count : limit;
        self->row_bytes = cut ? cut : rows_size(table, batch) / batch->count;
    }
    return true;
}

bool reader_chunk(struct table_reader *reader, const struct chunk_request *request,
                  struct batch *batch, struct chunk_result *result, struct error *err)
{
    struct mysql_reader *self = reader_of_base(reader);
    if (!take_snapshot(self, request, &batch->arena, result, err) ||
        !chunk_rows(self, request, batch, result, err))
        return false;
    rows_origin(self, batch, result->low);
    return connection_execute(self->connection, err, "COMMIT");
}

bool reader_scan_open(struct table_reader *reader, const struct chunk_request *request,
                      struct arena *arena, struct chunk_result *result, struct error *err)
{
    struct mysql_reader *self = reader_of_base(reader);
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    reader_sql_select(&sql, request->table);
    bool ok = take_snapshot(self, request, arena, result, err) &&
              execute(self, request->table, buf_view(&sql), err);
    buf_done(&sql);
    self->scanning = ok;
    return ok;
}

bool reader_scan_next(struct table_reader *reader, struct batch *batch, bool *end,
                      struct error *err)
{
    struct mysql_reader *self = reader_of_base(reader);
    if (!take_rows(self, batch, end, err))
        return false;
    rows_origin(self, batch, (struct bytes){ 0 });
    if (!*end)
        return true;
    self->scanning = false;
    statement_close(self);
    return connection_execute(self->connection, err, "COMMIT");
}

/* ---- splitting and comparing ---- */

static bool estimate(struct mysql_reader *self, const struct table *table, struct arena *arena,
                     uint64_t *rows, struct error *err)
{
    struct buf sql;
    buf_init(&sql, 8192);
    buf_text(&sql, "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = ");
    mysql_quote_text(&sql, table->database);
    buf_text(&sql, " AND TABLE_NAME = ");
    mysql_quote_text(&sql, table->name);
    struct result result;
    bool ok = connection_query(self->connection, buf_view(&sql), 1, arena, &result, err);
    buf_done(&sql);
    *rows = ok && result.row_count > 0 ? parse_digits(result.cells[0]) : 0;
    return ok;
}

/* Decimal text to a number with its sign; false when it is NULL or too large to be cut evenly. */
static bool signed_of(struct bytes text, int64_t *out)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    struct bytes digits = { text.data + negative, text.size - negative };
    if (!text.data || digits.size == 0 || digits.size > 18)
        return false;
    *out = (int64_t)parse_digits(digits) * (negative ? -1 : 1);
    return true;
}

bool reader_split(struct table_reader *reader, const struct table *table, uint32_t want,
                  struct arena *arena, struct value ***bounds, uint32_t *count,
                  uint64_t *estimated_rows, struct error *err)
{
    struct mysql_reader *self = reader_of_base(reader);
    *count = 0;
    if (!estimate(self, table, arena, estimated_rows, err))
        return false;
    const struct column *first = &table->columns[table->key_columns[0]];
    bool cuttable = table->key_count == 1 && want > 1 && *estimated_rows >= SPLIT_ROWS_MIN &&
                    (first->type.kind == TYPE_INT || first->type.kind == TYPE_UINT);
    if (!cuttable)
        return true;
    struct buf sql;
    buf_init(&sql, 8192);
    buf_text(&sql, "SELECT MIN(");
    mysql_quote_identifier(&sql, first->name);
    buf_text(&sql, "), MAX(");
    mysql_quote_identifier(&sql, first->name);
    buf_text(&sql, ") FROM ");
    reader_sql_table(&sql, table);
    struct result result;
    bool ok = connection_query(self->connection, buf_view(&sql), 1, arena, &result, err);
    buf_done(&sql);
    int64_t low, high;
    if (!ok)
        return shape_error(err);
    if (result.row_count == 0 || !signed_of(result.cells[0], &low) ||
        !signed_of(result.cells[1], &high) || high - low < want)
        return true;
    *bounds = arena_array(arena, want, sizeof **bounds);
    for (uint32_t i = 1; i < want; i++) {
        int64_t cut = low + (high - low) / (int64_t)want * (int64_t)i;
        struct value *bound = arena_zalloc(arena, sizeof *bound);
        *bound = first->type.kind == TYPE_INT ? value_int(cut) : value_uint((uint64_t)cut);
        (*bounds)[(*count)++] = bound;
    }
    return true;
}
