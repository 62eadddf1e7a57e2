/* SPDX-License-Identifier: Apache-2.0
 *
 * Connecting to the log: what must hold before streaming, where to begin, and the dump command.
 *
 * MySQL with gtid_mode=ON: COM_BINLOG_DUMP_GTID with an empty file name (with a name the server
 * does not look whether what we miss was purged). MariaDB: SET @slave_connect_state to the list of
 * every domain, then COM_BINLOG_DUMP from 4. Otherwise COM_BINLOG_DUMP by file and offset. Sources:
 * the protocol pages of both manuals. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/parse.h"
#include "sources/mysql/log.h"
#include "sources/mysql/rights.h"
#include "sources/mysql/snapshot_place.h"

enum {
    COM_BINLOG_DUMP_COMMAND = 0x12,
    COM_BINLOG_DUMP_GTID_COMMAND = 0x1e,
    DUMP_ANNOTATE_OR_HEARTBEAT_V2 = 2
};

/* ---- small questions ---- */

/* The first cell of the first row; data NULL when there is none. */
static bool ask_one(struct connection *connection, const char *sql, struct arena *arena,
                    struct bytes *out, struct error *err)
{
    struct result result;
    if (!connection_ask(connection, sql, arena, &result, err))
        return false;
    *out = result.row_count > 0 && result.column_count > 0 ? result.cells[0] : (struct bytes){ 0 };
    return true;
}

struct connection *log_metadata(struct log_source *self, struct error *err)
{
    struct arena scratch = { 0 };
    struct bytes one;
    if (self->metadata && !ask_one(self->metadata, "SELECT 1", &scratch, &one, err)) {
        connection_close(self->metadata); /* it slept too long */
        self->metadata = NULL;
    }
    arena_done(&scratch);
    if (!self->metadata && !connection_open(self->options, &self->metadata, err))
        return NULL;
    return self->metadata;
}

void log_disconnect(struct log_source *self)
{
    struct connection *connection = self->connection;
    atomic_store(&self->interruptible, NULL);
    self->connection = NULL;
    connection_close(connection);
    connection_close(self->metadata);
    self->metadata = NULL;
    self->streaming = false;
    self->cursor_active = false;
    log_forget_tables(self);
    arena_reset(&self->session);
}

/* ---- what must hold ---- */

static bool check_settings(struct log_source *self, struct arena *arena, struct error *err)
{
    struct result result;
    if (!connection_ask(self->connection, "SELECT @@log_bin, @@binlog_format, @@server_id", arena,
                        &result, err))
        return false;
    if (!bytes_is(result.cells[0], "1"))
        return error_set(err, ERROR_CONFIG,
                         "the server writes no binary log: set log_bin in its "
                         "configuration and restart it");
    if (!bytes_is(result.cells[1], "ROW"))
        return error_set(err, ERROR_CONFIG,
                         "binlog_format is %.*s, rows are not in the log: SET GLOBAL "
                         "binlog_format=ROW, and set it in the server's configuration",
                         BYTES_ARGS(result.cells[1]));
    snprintf(self->server, sizeof self->server, "%.*s", BYTES_ARGS(result.cells[2]));
    self->by_gtid = self->mariadb;
    if (self->mariadb)
        return true;
    struct bytes mode, uuid;
    if (!ask_one(self->connection, "SELECT @@global.gtid_mode", arena, &mode, err) ||
        !ask_one(self->connection, "SELECT @@server_uuid", arena, &uuid, err))
        return false;
    self->by_gtid = bytes_is(mode, "ON");
    snprintf(self->server, sizeof self->server, "%.*s", BYTES_ARGS(uuid));
    return true;
}

static bool lost(struct error *err, const char *what)
{
    return error_set(err, ERROR_LOST, "%s", what);
}

/* MySQL: is everything that we miss still there, and everything that we have known to it? */
static bool check_gtids(struct log_source *self, struct arena *arena, struct error *err)
{
    struct bytes purged, executed;
    if (!ask_one(self->connection, "SELECT @@global.gtid_purged", arena, &purged, err) ||
        !ask_one(self->connection, "SELECT @@global.gtid_executed", arena, &executed, err))
        return false;
    struct gtid_set gone = { 0 }, all = { 0 };
    bool ok = gtid_set_parse(&gone, purged, err) && gtid_set_parse(&all, executed, err);
    if (ok && !gtid_set_covers(&self->executed, &gone))
        ok = lost(err, "the server has purged binary logs that were not read yet");
    if (ok && !gtid_set_covers(&all, &self->executed))
        ok = lost(err, "the server lacks transactions that were already delivered (it was "
                       "replaced, restored or reset)");
    gtid_set_done(&gone);
    gtid_set_done(&all);
    return ok;
}

/* ---- where to begin ---- */

static void set_place(struct log_source *self, struct bytes file, uint64_t offset)
{
    memset(self->file, 0, sizeof self->file);
    memcpy(self->file, file.data,
           file.size < sizeof self->file - 1 ? file.size : sizeof self->file - 1);
    self->offset = offset;
}

static const char *status_statement(const struct log_source *self)
{
    uint32_t version = connection_server(self->connection)->version;
    return !self->mariadb && version >= 80200 ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS";
}

static bool mariadb_gtid_of(struct log_source *self, struct bytes file, uint64_t offset,
                            struct gtid_set *set, struct arena *arena, struct error *err)
{
    struct buf sql;
    buf_init(&sql, 4096);
    buf_text(&sql, "SELECT BINLOG_GTID_POS(");
    mysql_quote_text(&sql, file);
    buf_printf(&sql, ", %llu)", (unsigned long long)offset);
    buf_u8(&sql, 0);
    struct bytes list;
    bool ok = ask_one(self->connection, (const char *)sql.data, arena, &list, err);
    buf_done(&sql);
    if (ok && !list.data)
        return lost(err, "the server does not know this place in its binary log");
    return ok && gtid_set_parse(set, list, err);
}

/* MariaDB: where the log stands for a snapshot of now, and what is visible there. */
static bool visible_place(struct log_source *self, struct token *place, struct gtid_set *set,
                          struct arena *arena, struct error *err)
{
    return snapshot_place(self->connection, arena, place, err) &&
           connection_execute(self->connection, err, "COMMIT") &&
           mariadb_gtid_of(self, place->file, place->offset, set, arena, err);
}

/* The end of the log, such that the tables may be read after it: everything before is visible. */
static bool begin_at_end(struct log_source *self, struct arena *arena, struct error *err)
{
    struct result result;
    if (self->mariadb) {
        struct token place = { 0 };
        if (!visible_place(self, &place, &self->executed, arena, err))
            return false;
        set_place(self, place.file, place.offset);
        return true;
    }
    struct bytes executed;
    if (self->by_gtid)
        return ask_one(self->connection, "SELECT @@global.gtid_executed", arena, &executed, err) &&
               gtid_set_parse(&self->executed, executed, err);
    if (!connection_ask(self->connection, status_statement(self), arena, &result, err))
        return false;
    if (result.row_count == 0)
        return error_set(err, ERROR_CONFIG, "the server writes no binary log");
    set_place(self, result.cells[0], parse_digits(result.cells[1]));
    self->place_known = true;
    return true;
}

static bool begin_earliest(struct log_source *self, struct arena *arena, struct error *err)
{
    struct result result;
    if (self->by_gtid && !self->mariadb) {
        struct bytes purged;
        return ask_one(self->connection, "SELECT @@global.gtid_purged", arena, &purged, err) &&
               gtid_set_parse(&self->executed, purged, err);
    }
    if (!connection_ask(self->connection, "SHOW BINARY LOGS", arena, &result, err))
        return false;
    if (result.row_count == 0)
        return error_set(err, ERROR_CONFIG, "the server writes no binary log");
    set_place(self, result.cells[0], 4);
    return !self->mariadb || mariadb_gtid_of(self, result.cells[0], 4, &self->executed, arena, err);
}

static bool begin_specific(struct log_source *self, struct arena *arena, struct error *err)
{
    const struct mysql_options *options = self->options;
    if (options->start_gtid.size > 0)
        return gtid_set_parse(&self->executed, options->start_gtid, err);
    if (options->start_file.size == 0)
        return error_set(err, ERROR_CONFIG,
                         "scan.startup.mode is specific-offset: give "
                         "scan.startup.specific-offset.gtid-set, or .file and .pos");
    set_place(self, options->start_file, (uint64_t)options->start_pos);
    if (self->mariadb)
        return mariadb_gtid_of(self, options->start_file, (uint64_t)options->start_pos,
                               &self->executed, arena, err);
    self->by_gtid = false;
    return true;
}

static bool begin(struct log_source *self, struct arena *arena, struct error *err)
{
    switch ((enum start_mode)self->options->start_mode) {
    case START_EARLIEST:
        return begin_earliest(self, arena, err);
    case START_SPECIFIC:
        return begin_specific(self, arena, err);
    case START_TIMESTAMP:
        self->skip_before_us = self->options->start_timestamp_ms * 1000;
        return begin_earliest(self, arena, err);
    case START_INITIAL:
    case START_LATEST:
    case START_SNAPSHOT:
        break;
    }
    return begin_at_end(self, arena, err);
}

static bool resume(struct log_source *self, const struct position *from, struct error *err)
{
    struct token token;
    if (!token_decode(from->token, &token, err))
        return false;
    set_place(self, token.file, token.offset);
    self->created = token.created;
    self->commit = mark_commit(from->mark);
    if (token.gtid.size == 0 && self->by_gtid && !self->mariadb && token.file.size > 0)
        self->by_gtid = false;
    if (!self->by_gtid && token.server.size > 0 && !bytes_is(token.server, self->server))
        return lost(err, "this is another server, and without GTIDs a place in the log means "
                         "nothing to it");
    return gtid_set_parse(&self->executed, token.gtid, err) &&
           gtid_state_parse(&self->state, token.state, err);
}

/* Is each of ours visible in the log, or by what a replica applied before its log was reset? */
static bool is_visible(const struct gtid_set *ours, const struct gtid_set *logged,
                       const struct gtid_set *applied)
{
    for (uint32_t i = 0; i < ours->count; i++) {
        struct gtid_set part = { .sources = &ours->sources[i], .count = 1 };
        if (!gtid_set_covers(logged, &part) && !gtid_set_covers(applied, &part))
            return false;
    }
    return true;
}

/* MariaDB: the place of our position means nothing on another server, and readers wait for it: its
 * log may never come so far, or be far beyond it. What was given is visible at another place. */
static bool place_elsewhere(struct log_source *self, struct arena *arena, struct error *err)
{
    struct bytes replicated;
    struct token place = { 0 };
    struct gtid_set logged = { 0 }, applied = { 0 };
    bool ok =
        ask_one(self->connection, "SELECT @@global.gtid_slave_pos", arena, &replicated, err) &&
        gtid_set_parse(&applied, replicated, err) &&
        visible_place(self, &place, &logged, arena, err);
    if (ok && !is_visible(&self->executed, &logged, &applied))
        ok = error_set(err, ERROR_RETRY,
                       "what was delivered is not visible yet on the server that the log goes on "
                       "at (semi-sync, or a slow commit)");
    if (ok)
        set_place(self, place.file, place.offset);
    gtid_set_done(&logged);
    gtid_set_done(&applied);
    return ok;
}

/* Servers that wrote before us are known by what the server knows of them. */
static bool fill_state(struct log_source *self, struct arena *arena, struct error *err)
{
    struct bytes state;
    return !self->mariadb || self->state.count > 0 ||
           (ask_one(self->connection, "SELECT @@global.gtid_binlog_state", arena, &state, err) &&
            gtid_state_parse(&self->state, state, err));
}

/* Is the log still the one that we read? Not asked of a place that the user gave. */
static bool check_identity(struct log_source *self, const struct position *from, struct error *err)
{
    struct token token;
    bool moved = self->streamed_from[0] && strcmp(self->streamed_from, self->server) != 0;
    self->base.moves += moved;
    self->base.elsewhere = false;
    if (!from->token.data)
        return true;
    if (!token_decode(from->token, &token, err) || !log_identity_check(self, &token, err))
        return false;
    self->base.elsewhere = token.server.size > 0 && !bytes_is(token.server, self->server);
    return true;
}

static bool is_among(const struct table *table, struct table *const *drafts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(table->database, drafts[i]->database) &&
            bytes_equal(table->name, drafts[i]->name))
            return true;
    return false;
}

/* The log between what the catalog knows and now is lost: tables may be gone. */
static void drop_absent(struct log_source *self, struct table *const *drafts, size_t count)
{
    struct map_entry *entry = map_next(&self->catalog->by_name, NULL);
    while (entry) {
        const struct table *table = entry->value;
        if (is_among(table, drafts, count)) {
            entry = map_next(&self->catalog->by_name, entry);
        } else {
            catalog_drop(self->catalog, table);
            entry = map_next(&self->catalog->by_name, NULL); /* the map moved */
        }
    }
}

/* `anew`: what the catalog says of tables may be older than the place where the log begins. */
static bool fill_catalog(struct log_source *self, bool anew, struct error *err)
{
    struct table **drafts;
    size_t count;
    struct arena arena = { 0 };
    bool some = true;
    bool ok = tables_fold_names(self->connection, &self->catalog->fold_names, err) &&
              (anew || tables_are_new(self->connection, self->filter, self->catalog, &some, err));
    if (!ok || !some)
        return ok;
    ok = tables_list(self->connection, self->options, self->filter, &arena, &drafts, &count, err);
    if (ok && anew)
        drop_absent(self, drafts, count);
    for (size_t i = 0; ok && i < count; i++) {
        const struct table *known =
            catalog_find(self->catalog, drafts[i]->database, drafts[i]->schema, drafts[i]->name);
        if (!known || (anew && !log_same_shape(known, drafts[i], &arena)))
            catalog_put(self->catalog, drafts[i], known, mark_make(self->commit, MARK_ROW_LAST));
    }
    arena_done(&arena);
    return ok;
}

/* ---- the dump ---- */

uint32_t log_server_id(const struct log_source *self)
{
    uint64_t given = parse_digits(self->options->server_id);
    if (given > 0 && given <= UINT32_MAX)
        return (uint32_t)given;
    /* Far above what people give by hand; another try gets another one. */
    return 0x60000000u | (uint32_t)((uint64_t)clock_wall_us() * 2654435761u >> 8 & 0x0fffffff);
}

static bool prepare_session(struct log_source *self, struct error *err)
{
    struct connection *connection = self->connection;
    struct arena scratch = { 0 };
    struct bytes checksum;
    bool asked = ask_one(connection, "SELECT @@global.binlog_checksum", &scratch, &checksum, err);
    self->checksums = asked && checksum.data && !bytes_is(checksum, "NONE");
    arena_done(&scratch);
    if (!asked)
        return false;
    unsigned long long heartbeat_ns = (unsigned long long)self->options->heartbeat_ms * 1000000u;
    if (self->mariadb) {
        struct buf list;
        buf_init(&list, 1 << 20);
        gtid_set_text(&self->executed, &list);
        bool ok = connection_execute(connection, err,
                                     "SET @master_binlog_checksum = "
                                     "@@global.binlog_checksum, @mariadb_slave_capability = 4, "
                                     "@master_heartbeat_period = %llu",
                                     heartbeat_ns) &&
                  connection_execute(connection, err,
                                     "SET @slave_connect_state = '%.*s', @slave_gtid_strict_mode "
                                     "= 0, @slave_gtid_ignore_duplicates = 0",
                                     BYTES_ARGS(buf_view(&list)));
        buf_done(&list);
        return ok;
    }
    return connection_execute(connection, err,
                              "SET @master_binlog_checksum = @@global.binlog_checksum, "
                              "@source_binlog_checksum = @@global.binlog_checksum, "
                              "@master_heartbeat_period = %llu, @source_heartbeat_period = %llu",
                              heartbeat_ns, heartbeat_ns) &&
           connection_execute(connection, err,
                              "SET @slave_uuid = UUID(), @replica_uuid = @slave_uuid");
}

static bool send_dump(struct log_source *self, struct error *err)
{
    struct buf payload;
    uint32_t server_id = log_server_id(self);
    buf_init(&payload, 64 << 20);
    bool by_set = self->by_gtid && !self->mariadb;
    if (by_set) {
        struct buf set;
        buf_init(&set, 64 << 20);
        gtid_set_encode(&self->executed, &set);
        buf_le(&payload, 4, 2); /* BINLOG_THROUGH_GTID */
        buf_le(&payload, server_id, 4);
        buf_le(&payload, 0, 4);
        buf_le(&payload, 4, 8);
        buf_le(&payload, set.size, 4);
        buf_bytes(&payload, buf_view(&set));
        buf_done(&set);
    } else {
        buf_le(&payload, self->mariadb ? 4 : self->offset, 4);
        buf_le(&payload, 0, 2);
        buf_le(&payload, server_id, 4);
        if (!self->mariadb)
            buf_text(&payload, self->file);
    }
    bool fits = self->mariadb || by_set || self->offset <= UINT32_MAX;
    bool ok =
        fits ? connection_command(self->connection,
                                  by_set ? COM_BINLOG_DUMP_GTID_COMMAND : COM_BINLOG_DUMP_COMMAND,
                                  buf_view(&payload), err)
             : lost(err, "a place behind 4 GiB of a log file cannot be asked for without "
                         "GTIDs");
    buf_done(&payload);
    return ok;
}

static bool connect_log(struct log_source *self, const struct position *from, bool fresh,
                        struct arena *arena, struct error *err)
{
    self->mariadb = connection_server(self->connection)->flavor == SERVER_MARIADB;
    struct rights rights;
    if (!check_settings(self, arena, err) || !rights_read(self->connection, &rights, err) ||
        !rights_suffice(&rights, err) ||
        !tables_collations(self->connection, &self->session, &self->collations, err))
        return false;
    self->implicit_timestamps = tables_implicit_timestamps(self->connection);
    if (!check_identity(self, from, err))
        return false;
    gtid_set_done(&self->executed);
    gtid_state_done(&self->state);
    self->created = 0;
    self->place_known = false;
    self->inside = self->moved = self->has_waiting = self->payload_active = false;
    self->has_gtid = false;
    self->refused = NULL;
    self->fragment_next = 0;
    xa_forget(self);
    if (fresh)
        self->commit = mark_first_commit(from->mark, clock_wall_us());
    /* Where a position was lost, what the user once chose may be gone too. */
    bool lost_before = fresh && from->mark > 0;
    if (!(lost_before ? begin_at_end(self, arena, err)
          : fresh     ? begin(self, arena, err)
                      : resume(self, from, err)) ||
        !fill_state(self, arena, err))
        return false;
    if (self->by_gtid && !self->mariadb && !check_gtids(self, arena, err))
        return false;
    if (self->base.elsewhere && self->mariadb && !place_elsewhere(self, arena, err))
        return false;
    if ((fresh || !self->catalog_filled) && !fill_catalog(self, fresh, err))
        return false;
    self->catalog_filled = true;
    memcpy(self->given_file, self->file, sizeof self->file);
    self->given_offset = self->offset;
    connection_read_timeout(self->connection,
                            (uint32_t)(self->options->heartbeat_ms / 1000 * 3 + 10));
    return prepare_session(self, err) && send_dump(self, err);
}

bool log_start(struct log_source *self, const struct position *from, struct position *begin_out,
               struct error *err)
{
    bool fresh = !from->token.data;
    log_disconnect(self);
    if (!connection_open(self->options, &self->connection, err))
        return false;
    atomic_store(&self->interruptible, self->connection);
    if (atomic_load(&self->interrupted))
        return error_set(err, ERROR_STOP, "interrupted");
    struct arena arena = { 0 };
    bool ok = connect_log(self, from, fresh, &arena, err);
    arena_done(&arena);
    if (!ok) {
        log_disconnect(self);
        return false;
    }
    if (fresh) {
        struct buf token;
        buf_init(&token, 64 << 20);
        log_put_token(self, &token);
        *begin_out = (struct position){ mark_make(self->commit, MARK_ROW_LAST),
                                        arena_copy(self->arena, buf_view(&token)) };
        buf_done(&token);
    }
    memcpy(self->streamed_from, self->server, sizeof self->server);
    self->streaming = self->unanswered = true;
    return true;
}
