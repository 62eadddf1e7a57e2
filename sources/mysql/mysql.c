/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver for MySQL and MariaDB: its settings, its table of functions, and the watermarks. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/setting.h"
#include "sources/mysql/check.h"
#include "sources/mysql/log.h"
#include "sources/mysql/reader.h"
#include "sources/mysql/retention.h"
#include "sources/sources.h"

static const char *const start_modes[] = {
    "initial", "earliest-offset", "latest-offset", "specific-offset", "timestamp", "snapshot", NULL
};
static const char *const tls_modes[] = { "disabled",  "preferred",       "required",
                                         "verify-ca", "verify-identity", NULL };

#define FIELD(field) SETTING_FIELD(mysql_options, field)
const struct setting mysql_settings[] = {
    { .name = "hostname",
      .type = SETTING_TEXT,
      .offset = FIELD(hostname),
      .default_text = "127.0.0.1",
      .help = "Name or address of the server." },
    { .name = "port",
      .type = SETTING_INT,
      .offset = FIELD(port),
      .default_text = "3306",
      .help = "TCP port of the server.",
      .minimum = 1,
      .maximum = 65535 },
    { .name = "socket",
      .type = SETTING_TEXT,
      .offset = FIELD(socket),
      .default_text = "",
      .help = "Unix socket, instead of hostname and port." },
    { .name = "username",
      .type = SETTING_TEXT,
      .offset = FIELD(username),
      .default_text = NULL,
      .help = "User with SELECT, REPLICATION SLAVE and REPLICATION CLIENT (BINLOG MONITOR)." },
    { .name = "password",
      .type = SETTING_SECRET,
      .offset = FIELD(password),
      .default_text = "",
      .help = "Its password; take it from ${env:NAME} or ${file:/path}." },
    { .name = "ssl.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(tls_mode),
      .default_text = "preferred",
      .help = "TLS to the server.",
      .choices = tls_modes },
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
    { .name = "server.public-key",
      .type = SETTING_TEXT,
      .offset = FIELD(server_public_key),
      .default_text = "",
      .help = "PEM file of the server's RSA key, for caching_sha2_password "
              "without TLS; without it the server is asked." },
    { .name = "server-id",
      .type = SETTING_TEXT,
      .offset = FIELD(server_id),
      .default_text = "",
      .help = "Our id among the server's replicas; empty: a free high one." },
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
      .help = "How often an idle server says that it is there.",
      .minimum = 100,
      .maximum = 3600000 },
    { .name = "scan.startup.mode",
      .type = SETTING_CHOICE,
      .offset = FIELD(start_mode),
      .default_text = "initial",
      .help = "Where to begin when there is no checkpoint yet.",
      .choices = start_modes },
    { .name = "scan.startup.specific-offset.file",
      .type = SETTING_TEXT,
      .offset = FIELD(start_file),
      .default_text = "",
      .help = "Log file to begin in." },
    { .name = "scan.startup.specific-offset.pos",
      .type = SETTING_INT,
      .offset = FIELD(start_pos),
      .default_text = "4",
      .help = "Offset in that file.",
      .minimum = 4,
      .maximum = INT64_MAX },
    { .name = "scan.startup.specific-offset.gtid-set",
      .type = SETTING_TEXT,
      .offset = FIELD(start_gtid),
      .default_text = "",
      .help = "GTIDs that count as read." },
    { .name = "scan.startup.timestamp-millis",
      .type = SETTING_INT,
      .offset = FIELD(start_timestamp_ms),
      .default_text = "0",
      .help = "Transactions before this time are passed over.",
      .minimum = 0,
      .maximum = INT64_MAX / 1000 },
    { .name = "scan.snapshot.fetch.size",
      .type = SETTING_INT,
      .offset = FIELD(fetch_rows),
      .default_text = "1024",
      .help = "Accepted for compatibility: rows are streamed.",
      .minimum = 1,
      .maximum = INT64_MAX },
    { .name = "include-comments.enabled",
      .type = SETTING_BOOL,
      .offset = FIELD(comments),
      .default_text = "true",
      .help = "Carry comments of tables and columns." },
    { .name = "treat-tinyint1-as-boolean.enabled",
      .type = SETTING_BOOL,
      .offset = FIELD(tinyint1_is_bool),
      .default_text = "false",
      .help = "TINYINT(1) becomes a boolean; it may hold other numbers, so this is off." },
    { .name = "xa.memory",
      .type = SETTING_SIZE,
      .offset = FIELD(transaction_memory),
      .default_text = "1mb",
      .help = "What a prepared XA branch keeps in memory until its XA COMMIT; "
              "more waits in a file beside the checkpoint." },
    { .name = NULL },
};
#undef FIELD

static bool readable(struct bytes path, const char *name, struct error *err)
{
    return path.size == 0 || access((const char *)path.data, R_OK) == 0 ||
           error_code(err, ERROR_CONFIG, errno, "%s: '%.*s': %s", name, BYTES_ARGS(path),
                      strerror(errno));
}

static bool start_valid(const struct mysql_options *options, struct error *err)
{
    static const char place[] = "scan.startup.specific-offset.gtid-set";
    struct gtid_set set = { 0 };
    bool specific = options->start_mode == START_SPECIFIC;
    if (specific && options->start_gtid.size == 0 && options->start_file.size == 0)
        return error_set(err, ERROR_CONFIG,
                         "scan.startup.mode: specific-offset needs %s, or "
                         "scan.startup.specific-offset.file and .pos",
                         place);
    if (options->start_mode == START_TIMESTAMP && options->start_timestamp_ms == 0)
        return error_set(err, ERROR_CONFIG,
                         "scan.startup.mode: timestamp needs scan.startup.timestamp-millis");
    bool ok = gtid_set_parse(&set, options->start_gtid, err) || error_context(err, "%s", place);
    gtid_set_done(&set);
    return ok;
}

static bool options_valid(const void *raw, struct error *err)
{
    const struct mysql_options *options = raw;
    return readable(options->tls_ca, "ssl.ca", err) &&
           readable(options->tls_cert, "ssl.cert", err) &&
           readable(options->tls_key, "ssl.key", err) &&
           readable(options->server_public_key, "server.public-key", err) &&
           start_valid(options, err);
}

static struct log_source *log_of(struct source *source) { return (struct log_source *)source; }

static bool open_log(const void *options, struct arena *arena, struct source **out,
                     struct error *err)
{
    (void)err;
    struct log_source *self = arena_zalloc(arena, sizeof *self);
    self->base.driver = &mysql_source;
    self->options = options;
    self->arena = arena;
    buf_init(&self->unpacked, (size_t)2 << 30);
    buf_init(&self->waiting, (size_t)2 << 30);
    buf_init(&self->payload, (size_t)2 << 30);
    buf_init(&self->fragments, (size_t)2 << 30);
    buf_init(&self->replay_event, (size_t)2 << 30);
    buf_init(&self->low_text, 64 << 20);
    *out = &self->base;
    return true;
}

static bool start(struct source *source, const struct position *from, struct catalog *catalog,
                  const struct table_filter *filter, struct position *begin, struct error *err)
{
    struct log_source *self = log_of(source);
    self->catalog = catalog;
    self->filter = filter;
    return log_start(self, from, begin, err);
}

static bool read_log(struct source *source, struct batch *batch, int timeout_ms, struct error *err)
{
    struct log_source *self = log_of(source);
    if (atomic_load(&self->interrupted))
        return error_set(err, ERROR_STOP, "interrupted");
    return log_read(self, batch, timeout_ms, err);
}

static bool confirm(struct source *source, const struct position *position, struct error *err)
{
    (void)source; /* the server keeps its log by its own rules */
    (void)position;
    (void)err;
    return true;
}

/* What was given, the transaction under way included: its GTID counts as given, and for MariaDB the
 * place inside of it, which no snapshot can have without all of it. Not the place where the stream
 * stands: behind a rotation no transaction may have come yet. */
static void processed(struct source *source, struct buf *token)
{
    struct log_source *self = log_of(source);
    struct buf gtids;
    buf_init(&gtids, 64 << 20);
    gtid_set_text(&self->executed, &gtids);
    if (self->inside && self->has_gtid && !self->mariadb) {
        if (gtids.size > 0)
            buf_u8(&gtids, ',');
        gtid_text(&self->gtid, &gtids);
    }
    struct token given = { .file = bytes_from(self->given_file),
                           .offset = self->given_offset,
                           .gtid = buf_view(&gtids),
                           .server = bytes_from(self->server) };
    token_encode(&given, token);
    buf_done(&gtids);
}

static bool passed(struct source *source, struct bytes high)
{
    struct log_source *self = log_of(source);
    struct token mark, here = { .file = bytes_from(self->file), .offset = self->offset };
    struct error err;
    return self->place_known && token_decode(high, &mark, &err) &&
           token_place_compare(&here, &mark) >= 0;
}

/* Low watermarks come again for every change of a window: parsed once. */
static const struct gtid_set *low_set(struct log_source *self, struct bytes text)
{
    struct error err;
    if (!bytes_equal(buf_view(&self->low_text), text)) {
        gtid_set_done(&self->low_set);
        buf_reset(&self->low_text);
        buf_bytes(&self->low_text, text);
        if (!gtid_set_parse(&self->low_set, text, &err))
            gtid_set_done(&self->low_set);
    }
    return &self->low_set;
}

static enum membership member(struct source *source, struct bytes transaction_id, struct bytes low,
                              struct bytes high)
{
    struct log_source *self = log_of(source);
    struct token transaction, from, to;
    struct error err;
    if (!token_decode(transaction_id, &transaction, &err) || !token_decode(low, &from, &err) ||
        !token_decode(high, &to, &err))
        return MEMBER_MAYBE;
    if (from.file.size > 0 && token_place_compare(&transaction, &from) < 0)
        return MEMBER_IN;
    if (!self->mariadb && from.gtid.size > 0 && transaction.gtid.size > 0) {
        struct gtid_set one = { 0 };
        bool in = gtid_set_parse(&one, transaction.gtid, &err) &&
                  gtid_set_covers(low_set(self, from.gtid), &one);
        gtid_set_done(&one);
        if (in)
            return MEMBER_IN;
    }
    return token_place_compare(&transaction, &to) >= 0 ? MEMBER_OUT : MEMBER_MAYBE;
}

static void describe(struct source *source, struct bytes raw, struct buf *out)
{
    (void)source;
    struct token token;
    struct error err;
    if (!token_decode(raw, &token, &err))
        return;
    buf_printf(out, "%.*s:%llu", BYTES_ARGS(token.file), (unsigned long long)token.offset);
    if (token.gtid.size > 0)
        buf_printf(out, " gtid %.*s", token.gtid.size > 300 ? 300 : (int)token.gtid.size,
                   (const char *)token.gtid.data);
}

static void interrupt(struct source *source)
{
    struct log_source *self = log_of(source);
    atomic_store(&self->interrupted, true);
    struct connection *connection = atomic_load(&self->interruptible);
    if (connection)
        connection_interrupt(connection);
}

static void close_log(struct source *source)
{
    struct log_source *self = log_of(source);
    if (!self)
        return;
    log_disconnect(self);
    xa_forget(self);
    log_free_stream(self);
    gtid_set_done(&self->executed);
    gtid_state_done(&self->state);
    gtid_set_done(&self->low_set);
    buf_done(&self->unpacked);
    buf_done(&self->waiting);
    buf_done(&self->payload);
    buf_done(&self->fragments);
    buf_done(&self->replay_event);
    buf_done(&self->low_text);
    arena_done(&self->session);
    map_done(&self->tables);
    map_done(&self->unfit);
    arena_done(&self->tables_arena);
}

#define MYSQL_DRIVER                                                                               \
    .settings = mysql_settings, .options_size = sizeof(struct mysql_options), .open = open_log,    \
    .start = start, .read = read_log, .confirm = confirm, .processed = processed,                  \
    .passed = passed, .member = member, .describe = describe, .interrupt = interrupt,              \
    .close = close_log, .reader_open = reader_open, .reader_split = reader_split,                  \
    .reader_chunk = reader_chunk, .reader_scan_open = reader_scan_open,                            \
    .reader_scan_next = reader_scan_next, .reader_interrupt = reader_interrupt,                    \
    .reader_close = reader_close, .check = mysql_check, .retention = mysql_retention,              \
    .valid = options_valid, .begin_from = mysql_begin_from

const struct source_driver mysql_source = { .name = "mysql",
                                            .help = "MySQL 5.7 to 9.x, by its binary log.",
                                            MYSQL_DRIVER };
const struct source_driver mariadb_source = { .name = "mariadb",
                                              .help = "MariaDB 10.5 to 11.x, by its binary log.",
                                              MYSQL_DRIVER };
