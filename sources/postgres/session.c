/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection through libpq. It is made by the asynchronous calls, so that a stop is heard while
 * a host does not answer. SQLSTATEs of a refused login are only in the verbose form of its message,
 * which is taken apart here; statements have theirs as a field. */
#include "sources/postgres/session.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "sources/postgres/session_errors.h"

enum { POLL_SLICE_MS = 100, SQL_LIMIT = 64 << 20, TLS_RECORDS = 64 };

struct session {
    PGconn *pg;
    char *line; /* the newest COPY data, libpq's memory */
    atomic_bool interrupted;
};

/* How a session prints: fixed, whatever the server's or the user's defaults are. What it writes,
 * notes in the log, is written again where it is lost: it waits for no standby. */
static const char session_options[] =
    "-c datestyle=ISO,YMD -c intervalstyle=postgres -c extra_float_digits=3 -c bytea_output=hex "
    "-c timezone=UTC -c lc_monetary=C -c xmlbinary=base64 -c search_path=pg_catalog "
    "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 "
    "-c synchronous_commit=local -c standard_conforming_strings=on -c "
    "default_transaction_isolation=read\\ committed";

/* ---- errors ---- */

static struct bytes first_line(const char *text)
{
    while (*text == ' ' || *text == '\n')
        text++;
    return (struct bytes){ (const uint8_t *)text, strcspn(text, "\n") };
}

static bool interrupted(struct session *connection, struct error *err)
{
    return atomic_load(&connection->interrupted) && !error_set(err, ERROR_STOP, "interrupted");
}

static bool result_failed(struct session *connection, const PGresult *result, struct error *err)
{
    if (interrupted(connection, err))
        return false;
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (PQstatus(connection->pg) != CONNECTION_OK && !state)
        return error_set(err, ERROR_RETRY, "connection to the server lost: %.*s",
                         BYTES_ARGS(first_line(PQerrorMessage(connection->pg))));
    return session_failure(err, state ? state : "",
                           first_line(text ? text : PQerrorMessage(connection->pg)));
}

static bool is_state(const char *text)
{
    for (int i = 0; i < 5; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z')))
            return false;
    return text[5] == ':' && text[6] == ' ';
}

/* "connection to server at .. failed: FATAL:  28P01: password authentication failed ..", one line
 * an address that was tried. */
static bool login_failed(PGconn *pg, struct error *err)
{
    const char *text = PQerrorMessage(pg);
    for (const char *at = strstr(text, ":  "); at; at = strstr(at + 3, ":  "))
        if (is_state(at + 3)) {
            char state[6] = { 0 };
            memcpy(state, at + 3, 5);
            return session_failure(err, state, first_line(at + 10));
        }
    /* A line an address, or with advice for users of the library: one line for ours. */
    struct arena scratch = { 0 };
    struct bytes whole = bytes_from(text);
    while (whole.size > 0 && whole.data[whole.size - 1] == '\n')
        whole.size--;
    char *line = arena_text(&scratch, whole);
    for (char *at = line; (at = strchr(at, '\n'));)
        *at = ' ';
    session_failure(err, "", bytes_from(line));
    arena_done(&scratch);
    return false;
}

/* ---- opening ---- */

struct parameters {
    const char *keys[24], *values[24];
    size_t count;
    char port[24];
};

static void parameter(struct parameters *out, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    ASSERT(out->count + 1 < ARRAY_SIZE(out->keys));
    out->keys[out->count] = key;
    out->values[out->count++] = value;
}

static const char *text_of(struct bytes text) { return text.size ? (const char *)text.data : NULL; }

static void parameters_fill(struct parameters *out, const struct postgres_options *options,
                            enum session_kind kind)
{
    const char *host = text_of(options->hostname);
    bool service = options->service.size > 0;
    snprintf(out->port, sizeof out->port, "%lld", (long long)options->port);
    parameter(out, "service", text_of(options->service));
    parameter(out, "host", host || service ? host : "127.0.0.1");
    parameter(out, "port", service && options->port == 5432 ? NULL : out->port);
    parameter(out, "dbname", text_of(options->database));
    parameter(out, "user", text_of(options->username));
    parameter(out, "password", text_of(options->password));
    parameter(out, "passfile", text_of(options->passfile));
    parameter(out, "sslmode", postgres_tls_modes[options->tls_mode]);
    parameter(out, "sslrootcert", text_of(options->tls_ca));
    parameter(out, "sslcert", text_of(options->tls_cert));
    parameter(out, "sslkey", text_of(options->tls_key));
    parameter(out, "replication", kind == SESSION_REPLICATION ? "database" : NULL);
    parameter(out, "application_name", "millrace");
    parameter(out, "client_encoding", "UTF8");
    parameter(out, "options", session_options);
    parameter(out, "keepalives_idle", "30");
    parameter(out, "keepalives_interval", "10");
    parameter(out, "keepalives_count", "6");
}

static bool connect_poll(PGconn *pg, int64_t until_us, atomic_bool *stop, struct error *err)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED)
            return login_failed(pg, err);
        if (stop && atomic_load(stop))
            return error_set(err, ERROR_STOP, "interrupted");
        if (clock_now_us() > until_us)
            return error_set(err, ERROR_RETRY,
                             "the server did not answer in time (connect.timeout)");
        struct pollfd ready = { .fd = PQsocket(pg),
                                .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT };
        if (poll(&ready, 1, POLL_SLICE_MS) > 0)
            status = PQconnectPoll(pg);
    }
    return true;
}

/* Warnings of the server are not ours to print: libpq would do so by itself. */
static void ignore_notice(void *context, const char *text)
{
    (void)context;
    (void)text;
}

bool session_open(const struct postgres_options *options, enum session_kind kind, atomic_bool *stop,
                  struct session **out, struct error *err)
{
    struct parameters parameters = { .count = 0 };
    parameters_fill(&parameters, options, kind);
    PGconn *pg = PQconnectStartParams(parameters.keys, parameters.values, 0);
    ASSERT(pg);
    PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    bool ok = PQstatus(pg) != CONNECTION_BAD || login_failed(pg, err);
    ok = ok && connect_poll(pg, clock_now_us() + options->connect_timeout_ms * 1000, stop, err);
    if (!ok) {
        PQfinish(pg);
        return false;
    }
    PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
    PQsetNoticeProcessor(pg, ignore_notice, NULL);
    struct session *connection = memory_zalloc(1, sizeof *connection);
    connection->pg = pg;
    *out = connection;
    return true;
}

void session_close(struct session *connection)
{
    if (!connection)
        return;
    PQfreemem(connection->line);
    PQfinish(connection->pg);
    free(connection);
}

void session_interrupt(struct session *connection)
{
    atomic_store(&connection->interrupted, true);
    shutdown(PQsocket(connection->pg), SHUT_RDWR);
}

uint32_t session_version(const struct session *connection)
{
    return (uint32_t)PQserverVersion(connection->pg);
}

bool session_is_tls(const struct session *connection) { return PQsslInUse(connection->pg) != 0; }

/* ---- statements ---- */

static void take_cells(const PGresult *from, struct arena *arena, struct result *result)
{
    result->row_count = (uint32_t)PQntuples(from);
    result->column_count = (uint32_t)PQnfields(from);
    result->cells = arena_array(arena, (size_t)result->row_count * result->column_count + 1,
                                sizeof *result->cells);
    struct bytes *cell = result->cells;
    for (int row = 0; row < (int)result->row_count; row++)
        for (int column = 0; column < (int)result->column_count; column++, cell++)
            if (!PQgetisnull(from, row, column))
                *cell = arena_copy(arena,
                                   (struct bytes){ (const uint8_t *)PQgetvalue(from, row, column),
                                                   (size_t)PQgetlength(from, row, column) });
}

bool session_query(struct session *connection, struct bytes sql, struct arena *arena,
                   struct result *result, struct error *err)
{
    struct arena scratch = { 0 };
    PGresult *answer = PQexec(connection->pg, arena_text(&scratch, sql));
    arena_done(&scratch);
    ExecStatusType status = PQresultStatus(answer);
    bool ok = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (ok)
        take_cells(answer, arena, result);
    else
        result_failed(connection, answer, err);
    PQclear(answer);
    return ok;
}

bool session_execute(struct session *connection, struct error *err, const char *format, ...)
{
    struct arena scratch = { 0 };
    struct result result;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    ASSERT(size >= 0);
    char *sql = arena_alloc(&scratch, (size_t)size + 1);
    vsnprintf(sql, (size_t)size + 1, format, again);
    va_end(again);
    va_end(args);
    bool ok = session_query(connection, bytes_from(sql), &scratch, &result, err);
    arena_done(&scratch);
    return ok;
}

bool session_value(struct session *connection, const char *sql, struct arena *arena,
                   struct bytes *out, struct error *err)
{
    struct result result;
    if (!session_query(connection, bytes_from(sql), arena, &result, err))
        return false;
    *out = result.row_count > 0 && result.column_count > 0 ? result.cells[0] : (struct bytes){ 0 };
    return true;
}

/* ---- COPY ---- */

static bool copy_begin(struct session *connection, struct bytes sql, ExecStatusType expected,
                       struct error *err)
{
    struct arena scratch = { 0 };
    PGresult *answer = PQexec(connection->pg, arena_text(&scratch, sql));
    arena_done(&scratch);
    bool ok = PQresultStatus(answer) == expected || result_failed(connection, answer, err);
    PQclear(answer);
    return ok;
}

bool session_copy_begin(struct session *connection, struct bytes sql, struct error *err)
{
    return copy_begin(connection, sql, PGRES_COPY_OUT, err);
}

/* What the server says at the end of a COPY. */
static bool copy_end(struct session *connection, struct error *err)
{
    bool ok = true;
    PGresult *answer;
    while ((answer = PQgetResult(connection->pg))) {
        if (ok && PQresultStatus(answer) != PGRES_COMMAND_OK)
            ok = result_failed(connection, answer, err);
        PQclear(answer);
    }
    return ok;
}

static void forget_line(struct session *connection)
{
    PQfreemem(connection->line);
    connection->line = NULL;
}

bool session_copy_line(struct session *connection, struct bytes *line, bool *end, struct error *err)
{
    forget_line(connection);
    int size = PQgetCopyData(connection->pg, &connection->line, 0);
    *end = size == -1;
    if (size > 0)
        *line = (struct bytes){ (const uint8_t *)connection->line, (size_t)size };
    return size > 0 ||
           (size == -1 ? copy_end(connection, err) : result_failed(connection, NULL, err));
}

bool session_copy_cancel(struct session *connection, struct error *err)
{
    char text[200];
    struct error cancelled;
    struct bytes line;
    PGcancel *cancel = PQgetCancel(connection->pg);
    bool asked = cancel && PQcancel(cancel, text, sizeof text);
    PQfreeCancel(cancel);
    if (!asked)
        return error_set(err, ERROR_RETRY, "a statement could not be cancelled");
    for (bool end = false; !end;)
        if (!session_copy_line(connection, &line, &end, &cancelled))
            break;
    return session_execute(connection, err, "ROLLBACK");
}

/* ---- the log ---- */

/* The library reads as much at once as its buffer holds. That doubles for a message that is larger,
 * so it gets one; beyond 32 KiB it would read again and again, as fast as a server sends. */
static bool make_room(struct session *connection, struct error *err)
{
    return session_execute(connection, err, "SELECT pg_catalog.repeat(' ', %d)",
                           SESSION_FILL * 3 / 4);
}

bool session_stream_begin(struct session *connection, struct bytes sql, struct error *err)
{
    if (!make_room(connection, err) || !copy_begin(connection, sql, PGRES_COPY_BOTH, err))
        return false;
    PQsetnonblocking(connection->pg, 1);
    return true;
}

bool session_stream_take(struct session *connection, struct bytes *message, struct error *err)
{
    forget_line(connection);
    *message = (struct bytes){ 0 };
    int size = PQgetCopyData(connection->pg, &connection->line, 1);
    if (size > 0)
        *message = (struct bytes){ (const uint8_t *)connection->line, (size_t)size };
    if (size >= 0)
        return true;
    if (size == -1 && copy_end(connection, err))
        return error_set(err, ERROR_RETRY, "the server ended the stream: it is shutting down");
    return size == -1 ? false : result_failed(connection, NULL, err);
}

/* With TLS the library takes one record at a time, which is a row mostly. */
bool session_stream_fill(struct session *connection, bool *rest, struct error *err)
{
    int records = PQsslInUse(connection->pg) ? TLS_RECORDS : 1, i = 0;
    do {
        if (PQconsumeInput(connection->pg) != 1)
            return result_failed(connection, NULL, err);
    } while (++i < records && session_stream_wait(connection, 0));
    *rest = records > 1 && i == records;
    return true;
}

bool session_stream_put(struct session *connection, struct bytes message, struct error *err)
{
    int put = PQputCopyData(connection->pg, (const char *)message.data, (int)message.size);
    return (put >= 0 && PQflush(connection->pg) >= 0) || result_failed(connection, NULL, err);
}

bool session_stream_wait(struct session *connection, int timeout_ms)
{
    struct pollfd ready = { .fd = PQsocket(connection->pg), .events = POLLIN };
    int found = poll(&ready, 1, timeout_ms);
    return found > 0 || (found < 0 && errno == EINTR);
}

/* ---- quoting ---- */

static void put_quoted(struct buf *out, struct bytes text, uint8_t quote)
{
    buf_u8(out, quote);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == quote)
            buf_u8(out, quote);
        buf_u8(out, text.data[i]);
    }
    buf_u8(out, quote);
}

void postgres_quote_identifier(struct buf *out, struct bytes name) { put_quoted(out, name, '"'); }

/* standard_conforming_strings is on: a backslash is a character like any other. */
void postgres_quote_text(struct buf *out, struct bytes text) { put_quoted(out, text, '\''); }
