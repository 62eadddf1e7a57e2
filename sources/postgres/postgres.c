/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver for PostgreSQL: its settings, its table of functions, and the watermarks. */
#include <stdlib.h>

#include "config/setting.h"
#include "engine/base/clock.h"
#include "engine/base/wait.h"
#include "sources/postgres/check.h"
#include "sources/postgres/reader.h"
#include "sources/postgres/retention.h"
#include "sources/postgres/start_mode.h"
#include "sources/postgres/token.h"
#include "sources/postgres/wal.h"
#include "sources/sources.h"

enum { FORGET_ATTEMPTS = 100, FORGET_PAUSE_US = 100000 };

static const char *const start_modes[] = { "initial",  "latest-offset",   "committed-offset",
                                           "snapshot", "specific-offset", NULL };
const char *const postgres_tls_modes[] = { "disable",   "allow",       "prefer", "require",
                                           "verify-ca", "verify-full", NULL };
static const char *const detections[] = { "infer", "trigger", NULL };
static const char *const publication_modes[] = { "filtered", "disabled", NULL };
static const char *const array_modes[] = { "text", "array", NULL };
static const char *const partition_modes[] = { "root", "leaves", NULL };
static const char *const origin_filters[] = { "any", "none", NULL };

#define FIELD(field) SETTING_FIELD(postgres_options, field)
const struct setting postgres_settings[] = {
    { .name = "hostname",
      .type = SETTING_TEXT,
      .offset = FIELD(hostname),
      .default_text = "",
      .help =
          "Name or address of the server, or the folder of its socket; empty: 127.0.0.1, or what "
          "the service says." },
    { .name = "port",
      .type = SETTING_INT,
      .offset = FIELD(port),
      .default_text = "5432",
      .help = "TCP port of the server.",
      .minimum = 1,
      .maximum = 65535 },
    { .name = "database",
      .type = SETTING_TEXT,
      .offset = FIELD(database),
      .default_text = "",
      .help = "The database; empty: the first part of `tables` (database.schema.table)." },
    { .name = "databases",
      .type = SETTING_LIST,
      .offset = FIELD(databases),
      .default_text = "",
      .help = "Several databases of the server in one process, instead of `database`: a pipeline, "
              "a slot (`slot.name` and the database's name) and a checkpoint each." },
    { .name = "username",
      .type = SETTING_TEXT,
      .offset = FIELD(username),
      .default_text = NULL,
      .help = "User with REPLICATION, and SELECT on the captured tables." },
    { .name = "password",
      .type = SETTING_SECRET,
      .offset = FIELD(password),
      .default_text = "",
      .help =
          "Its password; take it from ${env:NAME} or ${file:/path}, or leave it to a passfile." },
    { .name = "passfile",
      .type = SETTING_TEXT,
      .offset = FIELD(passfile),
      .default_text = "",
      .help = "File of passwords in the form of .pgpass." },
    { .name = "service",
      .type = SETTING_TEXT,
      .offset = FIELD(service),
      .default_text = "",
      .help = "Name of a service in the client library's service file." },
    { .name = "ssl.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(tls_mode),
      .default_text = "prefer",
      .help = "TLS to the server, in libpq's words.",
      .choices = postgres_tls_modes },
    { .name = "ssl.ca",
      .type = SETTING_TEXT,
      .offset = FIELD(tls_ca),
      .default_text = "",
      .help = "PEM file of the authorities that are trusted." },
    { .name = "ssl.cert",
      .type = SETTING_TEXT,
      .offset = FIELD(tls_cert),
      .default_text = "",
      .help = "PEM file of our certificate, where the server asks for one." },
    { .name = "ssl.key",
      .type = SETTING_TEXT,
      .offset = FIELD(tls_key),
      .default_text = "",
      .help = "PEM file of its key." },
    { .name = "slot.name",
      .type = SETTING_TEXT,
      .offset = FIELD(slot),
      .default_text = "millrace",
      .help =
          "The replication slot; made when it is not there. With several sinks each has its own, "
          "the sink's name behind an underscore." },
    { .name = "slot.failover",
      .type = SETTING_BOOL,
      .offset = FIELD(failover),
      .default_text = "false",
      .help = "Make the slot one that standbys keep up with (PostgreSQL 17 and later)." },
    { .name = "publication.name",
      .type = SETTING_TEXT,
      .offset = FIELD(publication),
      .default_text = "millrace",
      .help = "The publication that the slot is read through." },
    { .name = "publication.autocreate.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(publication_mode),
      .default_text = "filtered",
      .help = "filtered: made for the captured tables, and kept up to date; disabled: it is yours.",
      .choices = publication_modes },
    { .name = "origin",
      .type = SETTING_CHOICE,
      .offset = FIELD(origin),
      .default_text = "any",
      .help = "none: of servers that replicate to each other, only what was written on this one "
              "(PostgreSQL 16 and later); the snapshot holds all rows.",
      .choices = origin_filters },
    { .name = "connect.timeout",
      .type = SETTING_DURATION,
      .offset = FIELD(connect_timeout_ms),
      .default_text = "30s",
      .help = "How long a connection may take to be made.",
      .minimum = 100,
      .maximum = 600000 },
    { .name = "heartbeat.interval",
      .type = SETTING_DURATION,
      .offset = FIELD(heartbeat_ms),
      .default_text = "1s",
      .help = "How often an idle server is asked for its place.",
      .minimum = 100,
      .maximum = 3600000 },
    { .name = "discovery.interval",
      .type = SETTING_DURATION,
      .offset = FIELD(discovery_ms),
      .default_text = "5s",
      .help = "How often new, renamed and dropped tables are looked for; 0: "
              "never.",
      .minimum = 0,
      .maximum = 3600000 },
    { .name = "partition.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(partitions),
      .default_text = "root",
      .help =
          "Partitioned tables: root, as one table; leaves, each partition as a table of its own, "
          "under its own name.",
      .choices = partition_modes },
    { .name = "schema-change.detection",
      .type = SETTING_CHOICE,
      .offset = FIELD(detection),
      .default_text = "infer",
      .help = "infer: from the rows that follow a change; trigger: at once, by event triggers in "
              "the source, which a superuser makes.",
      .choices = detections },
    { .name = "scan.startup.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(start_mode),
      .default_text = "initial",
      .help = "Where to begin when there is no checkpoint yet; "
              "committed-offset: where the slot stands; specific-offset: further on in its log.",
      .choices = start_modes },
    { .name = "scan.startup.specific-offset.lsn",
      .type = SETTING_TEXT,
      .offset = FIELD(start_lsn),
      .default_text = "",
      .help = "LSN to begin at, such as 16/B374D848; the slot must be there and not beyond it." },
    { .name = "scan.snapshot.fetch.size",
      .type = SETTING_INT,
      .offset = FIELD(fetch_rows),
      .default_text = "1024",
      .help = "Accepted for compatibility: rows are streamed.",
      .minimum = 1,
      .maximum = INT64_MAX },
    { .name = "array.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(arrays),
      .default_text = "text",
      .help = "text: arrays arrive as PostgreSQL prints them, whatever they hold; array: as arrays "
              "of one dimension, and a value that is none parks its table.",
      .choices = array_modes },
    { .name = "include-comments.enabled",
      .type = SETTING_BOOL,
      .offset = FIELD(comments),
      .default_text = "true",
      .help = "Carry comments of tables and columns." },
    { .name = NULL },
};
#undef FIELD

static struct wal_source *wal_of(struct source *source) { return (struct wal_source *)source; }

static bool open_log(const void *options, struct arena *arena, struct source **out,
                     struct error *err)
{
    (void)err;
    struct wal_source *self = arena_zalloc(arena, sizeof *self);
    self->base.driver = &postgres_source;
    self->options = options;
    self->arena = arena;
    pthread_mutex_init(&self->lock, NULL);
    wait_init(&self->wake);
    buf_init(&self->waiting, (size_t)2 << 30);
    *out = &self->base;
    return true;
}

static bool start(struct source *source, const struct position *from, struct catalog *catalog,
                  const struct table_filter *filter, struct position *begin, struct error *err)
{
    struct wal_source *self = wal_of(source);
    self->catalog = catalog;
    self->filter = filter;
    return wal_start(self, from, begin, err);
}

static bool read_log(struct source *source, struct batch *batch, int timeout_ms, struct error *err)
{
    struct wal_source *self = wal_of(source);
    if (atomic_load(&self->interrupted))
        return error_set(err, ERROR_STOP, "interrupted");
    return wal_read(self, batch, timeout_ms, err);
}

/* The server may forget its log up to here. A broken connection is noticed by the next read(). */
static bool confirm(struct source *source, const struct position *position, struct error *err)
{
    (void)err;
    struct wal_source *self = wal_of(source);
    struct error ignored;
    struct wal_place place;
    if (!position_token_parse(position->token, &place))
        return true;
    pthread_mutex_lock(&self->lock);
    if (place.lsn > self->flushed)
        self->flushed = place.lsn;
    if (self->stream && clock_now_us() - self->status_us > 100000)
        wal_status(self, false, &ignored);
    pthread_mutex_unlock(&self->lock);
    return true;
}

static void processed(struct source *source, struct buf *token)
{
    struct wal_source *self = wal_of(source);
    struct wal_gate gate = { self->timeline, self->floor, self->recent, self->recent_count };
    gate_token_put(&gate, token);
}

static bool passed(struct source *source, struct bytes high)
{
    struct wal_source *self = wal_of(source);
    uint64_t lsn;
    if (!high_token_parse(high, &lsn))
        return false;
    if (lsn > self->wanted)
        self->wanted = lsn;
    return self->lsn >= lsn;
}

static enum membership member(struct source *source, struct bytes transaction_id, struct bytes low,
                              struct bytes high)
{
    (void)source;
    (void)high;
    return snapshot_token_member(low, transaction_id);
}

static void describe(struct source *source, struct bytes token, struct buf *out)
{
    (void)source;
    struct wal_place place;
    if (position_token_parse(token, &place))
        buf_printf(out, LSN_FORMAT, LSN_ARGS(place.lsn));
}

static void interrupt(struct source *source)
{
    struct wal_source *self = wal_of(source);
    atomic_store(&self->interrupted, true);
    struct session *stream = atomic_load(&self->stream_interruptible);
    struct session *metadata = atomic_load(&self->metadata_interruptible);
    if (stream)
        session_interrupt(stream);
    if (metadata)
        session_interrupt(metadata);
}

static void close_log(struct source *source)
{
    struct wal_source *self = wal_of(source);
    if (!self)
        return;
    wal_keeper_stop(self);
    wal_disconnect(self);
    map_done(&self->asked);
    buf_done(&self->waiting);
    free(self->holes);
    free(self->recent);
    free(self->notes);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
}

static bool forget(const void *options, struct error *err)
{
    const struct postgres_options *self = options;
    struct session *session;
    if (!session_open(options, SESSION_PLAIN, NULL, &session, err))
        return false;
    struct arena arena = { 0 };
    struct result result;
    struct buf sql;
    buf_init(&sql, 4096);
    buf_text(&sql, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE "
                   "slot_name = ");
    postgres_quote_text(&sql, self->slot);
    struct error ignored;
    bool ok = false;
    /* The server notices only after a moment that the stream was closed. */
    for (int attempt = 0; !ok && attempt < FORGET_ATTEMPTS; attempt++) {
        if (attempt > 0)
            clock_sleep_us(FORGET_PAUSE_US);
        if (attempt > 0)
            session_execute(session, &ignored,
                            "SELECT pg_terminate_backend(active_pid) FROM "
                            "pg_replication_slots WHERE slot_name = '%.*s' AND active",
                            BYTES_ARGS(self->slot)); /* a name without quotes: the server took it */
        ok = session_query(session, buf_view(&sql), &arena, &result, err);
    }
    buf_done(&sql);
    arena_done(&arena);
    session_close(session);
    return ok;
}

static bool begin_from(void *raw, struct bytes place, struct error *err)
{
    struct postgres_options *options = raw;
    uint64_t lsn;
    if (bytes_is(place, "earliest")) {
        options->start_mode = MODE_COMMITTED;
    } else if (bytes_is(place, "latest")) {
        options->start_mode = MODE_LATEST;
    } else if (lsn_parse(place, &lsn)) {
        options->start_mode = MODE_SPECIFIC;
        options->start_lsn = place;
    } else {
        return error_set(err, ERROR_CONFIG,
                         "'%.*s' is no place in PostgreSQL's log: give earliest (where the slot "
                         "stands), latest, or an LSN such as 16/B374D848; no slot can be read from "
                         "a time",
                         BYTES_ARGS(place));
    }
    return true;
}

static bool options_valid(const void *raw, struct error *err)
{
    const struct postgres_options *options = raw;
    uint64_t lsn;
    bool specific = options->start_mode == MODE_SPECIFIC;
    if (specific && options->start_lsn.size == 0)
        return error_set(err, ERROR_CONFIG,
                         "scan.startup.mode: specific-offset needs "
                         "scan.startup.specific-offset.lsn");
    return options->start_lsn.size == 0 || lsn_parse(options->start_lsn, &lsn) ||
           error_set(err, ERROR_CONFIG,
                     "scan.startup.specific-offset.lsn: '%.*s' is no LSN such as 16/B374D848",
                     BYTES_ARGS(options->start_lsn));
}

const struct source_driver postgres_source = {
    .name = "postgres",
    .help = "PostgreSQL 12 to 18, by logical decoding (pgoutput).",
    .settings = postgres_settings,
    .options_size = sizeof(struct postgres_options),
    .forgets = true,
    .open = open_log,
    .start = start,
    .read = read_log,
    .confirm = confirm,
    .processed = processed,
    .passed = passed,
    .member = member,
    .describe = describe,
    .interrupt = interrupt,
    .close = close_log,
    .reader_open = postgres_reader_open,
    .reader_split = postgres_reader_split,
    .reader_chunk = postgres_reader_chunk,
    .reader_scan_open = postgres_reader_scan_open,
    .reader_scan_next = postgres_reader_scan_next,
    .reader_interrupt = postgres_reader_interrupt,
    .reader_close = postgres_reader_close,
    .valid = options_valid,
    .begin_from = begin_from,
    .forget = forget,
    .check = postgres_check,
    .retention = postgres_retention,
};
