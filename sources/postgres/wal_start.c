/* SPDX-License-Identifier: Apache-2.0
 *
 * Connecting to the log: what must hold before streaming, the slot, and where to begin.
 *
 * The slot keeps the server's log for us from its confirmed position on. A stream that asks for
 * less is given what follows that position without a word, so it is compared first. A new slot
 * begins at a place where no transaction is under way, with a snapshot of that place, in which the
 * tables are listed. A slot that was there before the first start is moved to such a place, unless
 * the user wants what it holds (committed-offset). */
#include "sources/postgres/wal.h"

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/parse.h"
#include "sources/postgres/ddl_trigger.h"
#include "sources/postgres/publication.h"
#include "sources/postgres/start_mode.h"
#include "sources/postgres/token.h"

enum {
    FAILOVER_VERSION = 170000,
    INVALID_VERSION = 170000,
    CONFLICT_VERSION = 160000,
    STATUS_LEAST_MS = 1000,
    STATUS_MOST_MS = 10000,
    RUNNING_TICK_US = 50000,
    RUNNING_PATIENCE_US = 3000000
};

/* ---- connections ---- */

void wal_disconnect(struct wal_source *self)
{
    atomic_store(&self->stream_interruptible, NULL);
    atomic_store(&self->metadata_interruptible, NULL);
    pthread_mutex_lock(&self->lock);
    struct session *stream = self->stream;
    self->stream = NULL;
    pthread_mutex_unlock(&self->lock);
    session_close(stream);
    session_close(self->metadata);
    self->metadata = NULL;
    wal_forget_relations(self);
}

static bool connect_metadata(struct wal_source *self, struct error *err)
{
    if (!session_open(self->options, SESSION_PLAIN, &self->interrupted, &self->metadata, err))
        return false;
    atomic_store(&self->metadata_interruptible, self->metadata);
    return !atomic_load(&self->interrupted) || error_set(err, ERROR_STOP, "interrupted");
}

/* ---- what must hold ---- */

static bool check_server(struct wal_source *self, struct error *err)
{
    struct arena arena = { 0 };
    struct result result;
    uint32_t version = session_version(self->metadata);
    if (version < LEAST_VERSION)
        return error_set(err, ERROR_CONFIG, "PostgreSQL 12 or later is needed");
    if (self->options->origin == ORIGIN_NONE && version < ORIGIN_VERSION)
        return error_set(err, ERROR_CONFIG, "origin: none needs PostgreSQL 16 or later");
    if (self->options->detection == DETECT_TRIGGER && version < MESSAGES_VERSION)
        return error_set(
            err, ERROR_CONFIG,
            "schema-change.detection: trigger needs PostgreSQL 14 or later: set infer");
    bool ok = session_query(
        self->metadata,
        BYTES_LITERAL(
            "SELECT current_setting('wal_level'), (SELECT setting FROM pg_settings WHERE name = "
            "'wal_sender_timeout'), pg_is_in_recovery(), current_database()"),
        &arena, &result, err);
    if (ok && !bytes_is(result.cells[0], "logical"))
        ok = error_set(err, ERROR_CONFIG,
                       "wal_level is %.*s: ALTER SYSTEM SET wal_level = logical, "
                       "then restart the server",
                       BYTES_ARGS(result.cells[0]));
    if (ok) {
        int64_t third_ms = (int64_t)parse_digits(result.cells[1]) / 3;
        self->status_every_ms = third_ms == 0 || third_ms > STATUS_MOST_MS ? STATUS_MOST_MS
                                : third_ms < STATUS_LEAST_MS               ? STATUS_LEAST_MS
                                                                           : third_ms;
        self->standby = bytes_is(result.cells[2], "t");
        if (!bytes_equal(self->database, result.cells[3]))
            self->database = arena_copy(self->arena, result.cells[3]);
    }
    arena_done(&arena);
    return ok;
}

/* ---- the slot ---- */

struct slot {
    bool exists, usable, active;
    uint64_t confirmed;
    struct bytes trouble;
};

static bool slot_read(struct wal_source *self, struct arena *arena, struct slot *out,
                      struct error *err)
{
    uint32_t version = session_version(self->metadata);
    struct buf sql;
    struct result result;
    buf_init(&sql, 4096);
    buf_printf(&sql,
               "SELECT confirmed_flush_lsn, %s, active, plugin = 'pgoutput' AND "
               "database = current_database(), %s, %s FROM pg_replication_slots WHERE slot_name = ",
               version >= ROOTS_VERSION ? "wal_status" : "NULL",
               version >= INVALID_VERSION ? "invalidation_reason" : "NULL",
               version >= CONFLICT_VERSION ? "conflicting" : "false");
    postgres_quote_text(&sql, self->options->slot);
    bool ok = session_query(self->metadata, buf_view(&sql), arena, &result, err);
    buf_done(&sql);
    *out = (struct slot){ 0 };
    if (!ok || result.row_count == 0)
        return ok;
    const struct bytes *cells = result.cells;
    if (!bytes_is(cells[3], "t"))
        return error_set(err, ERROR_CONFIG,
                         "the slot '%.*s' belongs to another database or plugin: "
                         "set another slot.name",
                         BYTES_ARGS(self->options->slot));
    out->exists = true;
    out->active = bytes_is(cells[2], "t");
    out->trouble = cells[4].size             ? cells[4]
                   : bytes_is(cells[5], "t") ? BYTES_LITERAL("conflicting")
                                             : cells[1];
    out->usable = lsn_parse(cells[0], &out->confirmed) && !cells[4].size &&
                  !bytes_is(cells[5], "t") && !bytes_is(cells[1], "lost");
    return true;
}

static bool lost(const struct wal_source *self, struct error *err, const char *what)
{
    return error_set(err, ERROR_LOST,
                     "the slot '%.*s' %s: the tables must be read again "
                     "(on-lost-position, or a new checkpoint.directory)",
                     BYTES_ARGS(self->options->slot), what);
}

/* Waits for the transactions to end that are under way now. */
static bool wait_running(struct wal_source *self, struct error *err)
{
    int64_t since_us = clock_now_us();
    bool told = false, over = false;
    uint64_t xmax = 0;
    while (!over) {
        struct arena arena = { 0 };
        struct snapshot_text snapshot;
        bool ok = wal_snapshot_now(self, &arena, &snapshot, err);
        over = ok && xmax && snapshot.xmin >= xmax;
        xmax = xmax || !ok ? xmax : snapshot.xmax;
        arena_done(&arena);
        if (!ok)
            return false;
        if (atomic_load(&self->interrupted))
            return error_set(err, ERROR_STOP, "interrupted");
        if (!told && clock_now_us() - since_us > RUNNING_PATIENCE_US) {
            log_warn("waiting for transactions to end that were open before the slot: see "
                     "pg_stat_activity, ordered by xact_start");
            told = true;
        }
        if (!over)
            clock_sleep_us(RUNNING_TICK_US);
    }
    return true;
}

/* Its tables are listed in the snapshot that the slot exports; *listed tells that it was used. */
static bool slot_create(struct wal_source *self, struct error *err)
{
    struct arena arena = { 0 };
    struct result result;
    struct buf sql;
    bool failover = self->options->failover && session_version(self->metadata) >= FAILOVER_VERSION;
    buf_init(&sql, 4096);
    buf_text(&sql, "CREATE_REPLICATION_SLOT ");
    postgres_quote_identifier(&sql, self->options->slot);
    buf_text(&sql, failover ? " LOGICAL pgoutput (SNAPSHOT 'export', FAILOVER true)"
                            : " LOGICAL pgoutput EXPORT_SNAPSHOT");
    bool ok = (self->standby || wait_running(self, err)) &&
              session_query(self->stream, buf_view(&sql), &arena, &result, err);
    if (ok && (result.row_count != 1 || !lsn_parse(result.cells[1], &self->lsn)))
        ok = error_set(err, ERROR_RETRY,
                       "the server's answer to CREATE_REPLICATION_SLOT is malformed");
    if (ok && result.cells[2].data)
        ok = session_execute(self->metadata, err,
                             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") &&
             session_execute(self->metadata, err, "SET TRANSACTION SNAPSHOT '%.*s'",
                             BYTES_ARGS(result.cells[2]));
    buf_done(&sql);
    arena_done(&arena);
    return ok;
}

/* Nothing that commits before the place is missing from a snapshot that is taken later. */
static bool slot_advance(struct wal_source *self, struct error *err)
{
    struct arena arena = { 0 };
    struct bytes end;
    struct buf sql;
    buf_init(&sql, 4096);
    bool ok =
        wait_running(self, err) &&
        session_value(self->metadata, "SELECT pg_current_wal_insert_lsn()", &arena, &end, err);
    if (ok && !lsn_parse(end, &self->lsn))
        ok = error_set(err, ERROR_RETRY, "the server's place in its log cannot be read");
    buf_text(&sql, "SELECT pg_replication_slot_advance(");
    postgres_quote_text(&sql, self->options->slot);
    buf_printf(&sql, ", '" LSN_FORMAT "')", LSN_ARGS(self->lsn));
    struct result result;
    ok = ok && session_query(self->metadata, buf_view(&sql), &arena, &result, err);
    buf_done(&sql);
    arena_done(&arena);
    return ok;
}

/* ---- where to begin ---- */

/* The user's own place: between where the slot stands and the log's end. */
static bool begin_specific(struct wal_source *self, const struct slot *slot, struct error *err)
{
    struct arena arena = { 0 };
    struct bytes end;
    uint64_t lsn = 0, last = 0;
    bool chosen = lsn_parse(self->options->start_lsn, &lsn);
    ASSERT(chosen);
    bool ok = session_value(self->metadata,
                            self->standby ? "SELECT pg_last_wal_replay_lsn()"
                                          : "SELECT pg_current_wal_insert_lsn()",
                            &arena, &end, err);
    if (ok && !lsn_parse(end, &last))
        ok = error_set(err, ERROR_RETRY, "the server's place in its log cannot be read");
    arena_done(&arena);
    if (ok && lsn < slot->confirmed)
        ok = error_set(err, ERROR_CONFIG,
                       "the slot '%.*s' stands at " LSN_FORMAT
                       ", and the server sends nothing from before that: begin there or later",
                       BYTES_ARGS(self->options->slot), LSN_ARGS(slot->confirmed));
    if (ok && lsn > last)
        ok = error_set(err, ERROR_CONFIG,
                       LSN_FORMAT " is behind the end of the server's log, " LSN_FORMAT,
                       LSN_ARGS(lsn), LSN_ARGS(last));
    if (ok)
        self->lsn = lsn;
    return ok;
}

/* A slot that no longer serves. */
static bool slot_replace(struct wal_source *self, struct error *err)
{
    struct buf sql;
    struct arena arena = { 0 };
    struct result result;
    buf_init(&sql, 4096);
    buf_text(&sql, "SELECT pg_drop_replication_slot(");
    postgres_quote_text(&sql, self->options->slot);
    buf_u8(&sql, ')');
    bool ok = session_query(self->metadata, buf_view(&sql), &arena, &result, err);
    buf_done(&sql);
    arena_done(&arena);
    return ok && slot_create(self, err);
}

/* `anew`: a position was lost, so that what the user once chose may be gone too. */
static bool begin(struct wal_source *self, const struct slot *slot, bool anew, struct error *err)
{
    int mode = anew ? MODE_LATEST : self->options->start_mode;
    bool chosen = mode == MODE_COMMITTED || mode == MODE_SPECIFIC;
    if (slot->exists && slot->active)
        return error_set(err, ERROR_RETRY,
                         "the slot '%.*s' is in use by another reader: end it, or "
                         "set another slot.name",
                         BYTES_ARGS(self->options->slot));
    if (chosen && !slot->exists)
        return error_set(err, ERROR_CONFIG,
                         "there is no slot '%.*s' yet, so nothing was kept for it to begin at",
                         BYTES_ARGS(self->options->slot));
    if (slot->exists && !slot->usable)
        return chosen ? lost(self, err, "is no longer usable") : slot_replace(self, err);
    if (!slot->exists)
        return slot_create(self, err);
    self->lsn = slot->confirmed;
    if (mode == MODE_SPECIFIC)
        return begin_specific(self, slot, err);
    return chosen || self->standby || slot_advance(self, err);
}

static bool resume(struct wal_source *self, const struct position *from, const struct slot *slot,
                   struct error *err)
{
    struct wal_place place;
    if (!position_token_parse(from->token, &place))
        return error_set(err, ERROR_CONFIG, "the checkpoint's position is not one of PostgreSQL");
    if (!wal_same_log(self, &place, err))
        return false;
    self->lsn = place.lsn;
    if (!slot->exists && self->standby)
        return error_set(err, ERROR_RETRY,
                         "the server is a standby without the slot '%.*s': is its promotion under "
                         "way?",
                         BYTES_ARGS(self->options->slot));
    if (!slot->exists)
        return lost(self, err, "is gone");
    if (!slot->usable)
        return lost(self, err,
                    "was invalidated by the server (max_slot_wal_keep_size, or a timeout)");
    if (slot->confirmed > self->lsn)
        return lost(self, err, "was moved on by somebody else, past what was delivered");
    self->commit = mark_commit(from->mark);
    return true;
}

/* ---- tables ---- */

static bool fill_catalog(struct wal_source *self, struct error *err)
{
    struct arena arena = { 0 };
    struct listed_table *tables;
    size_t count = 0;
    bool ok = listed_tables_read(self->metadata, self->options, self->filter, self->generated,
                                 &arena, &tables, &count, err);
    for (size_t i = 0; ok && i < count; i++) {
        const struct table *table = tables[i].table;
        if (!catalog_find(self->catalog, table->database, table->schema, table->name))
            catalog_put(self->catalog, table, NULL, mark_make(self->commit, MARK_ROW_LAST));
    }
    arena_done(&arena);
    return ok;
}

static bool prepare_publication(struct wal_source *self, struct error *err)
{
    struct arena arena = { 0 };
    struct publication publication;
    struct listed_table *tables;
    size_t count = 0;
    bool ok = publication_read(self->metadata, self->options, &publication, err) &&
              publication_check(self->options, &publication, err) &&
              listed_tables_read(self->metadata, self->options, self->filter, publication.generated,
                                 &arena, &tables, &count, err);
    /* Later tables are added in one transaction with a message in the log: see wal_discover.c. */
    ok = ok && (self->standby || publication_prepare(self->metadata, self->options, &publication,
                                                     tables, count, err));
    self->generated = publication.generated;
    arena_done(&arena);
    return ok;
}

/* ---- streaming ---- */

static bool start_stream(struct wal_source *self, struct error *err)
{
    struct buf sql, list;
    buf_init(&sql, 8192);
    buf_init(&list, 4096);
    buf_text(&sql, "START_REPLICATION SLOT ");
    postgres_quote_identifier(&sql, self->options->slot);
    buf_printf(&sql, " LOGICAL " LSN_FORMAT " (proto_version '1', %s%spublication_names ",
               LSN_ARGS(self->lsn),
               session_version(self->metadata) >= MESSAGES_VERSION ? "messages 'true', " : "",
               self->options->origin == ORIGIN_NONE ? "origin 'none', " : "");
    postgres_quote_identifier(&list, self->options->publication);
    postgres_quote_text(&sql, buf_view(&list));
    buf_u8(&sql, ')');
    bool ok = session_stream_begin(self->stream, buf_view(&sql), err);
    buf_done(&sql);
    buf_done(&list);
    return ok;
}

static void reset(struct wal_source *self)
{
    self->inside = self->announced = self->moved = self->has_waiting = false;
    self->row = self->changes = 0;
    self->lsn = self->wanted = 0;
    self->hole_count = 0;
    self->flows = false;
    self->taken_bytes = self->wakes = 0;
    map_done(&self->asked);
    self->note_count = 0;
}

static bool connect_log(struct wal_source *self, const struct position *from,
                        struct session *stream, struct error *err)
{
    bool fresh = !from->token.data;
    struct arena arena = { 0 };
    struct slot slot;
    self->stream = stream;
    bool ok = wal_identify(self, err) && slot_read(self, &arena, &slot, err);
    if (ok && fresh) {
        self->commit = mark_first_commit(from->mark, clock_wall_us());
        ok = prepare_publication(self, err) && begin(self, &slot, from->mark > 0, err);
    } else if (ok) {
        struct publication publication;
        ok = resume(self, from, &slot, err) &&
             publication_read(self->metadata, self->options, &publication, err) &&
             publication_check(self->options, &publication, err);
        self->generated = ok && publication.generated;
        if (ok && !publication.exists)
            ok = error_set(err, ERROR_CONFIG,
                           "the publication '%.*s' is gone: make it again as it "
                           "was, or begin with a new checkpoint.directory",
                           BYTES_ARGS(self->options->publication));
    }
    /* Only from nothing: later the names in the catalog are those of the log's place, and tables
     * that were made or renamed since are met in the log. */
    ok = ok && (!fresh || self->catalog_filled || fill_catalog(self, err)) &&
         session_execute(self->metadata, err, "ROLLBACK") && wal_raise_floor(self, err);
    self->catalog_filled |= ok;
    self->flushed = self->lsn;
    arena_done(&arena);
    return ok && start_stream(self, err);
}

bool wal_start(struct wal_source *self, const struct position *from, struct position *begin_out,
               struct error *err)
{
    struct session *stream = NULL;
    wal_disconnect(self);
    reset(self);
    bool triggers = self->options->detection == DETECT_TRIGGER;
    bool ok = connect_metadata(self, err) && check_server(self, err) &&
              (!triggers || self->standby || ddl_trigger_prepare(self->metadata, err)) &&
              session_open(self->options, SESSION_REPLICATION, &self->interrupted, &stream, err);
    if (ok) {
        atomic_store(&self->stream_interruptible, stream);
        pthread_mutex_lock(&self->lock);
        /* The answer to a first status tells that the server reads its log from there. */
        ok = connect_log(self, from, stream, err) && wal_status(self, true, err);
        self->unanswered = ok;
        pthread_mutex_unlock(&self->lock);
    }
    if (!ok) {
        wal_disconnect(self);
        return false;
    }
    if (!from->token.data) {
        struct buf token;
        buf_init(&token, 64);
        wal_put_position(self, &token);
        *begin_out = (struct position){ mark_make(self->commit, MARK_ROW_LAST),
                                        arena_copy(self->arena, buf_view(&token)) };
        buf_done(&token);
    }
    wal_keeper_start(self);
    return true;
}
