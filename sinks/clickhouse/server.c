/* SPDX-License-Identifier: Apache-2.0
 *
 * ClickHouse over HTTP (docs/en/interfaces/http). User and password travel in headers. Every
 * request sets wait_end_of_query=1, so that an error comes with its own status and code and never
 * in the middle of a reply whose status was 200; the code's header is looked at even then.
 *
 * Texts of the server's errors are shown as they are, but for INSERTs, whose errors may quote
 * values of rows: there everything in quotes is left out. */
#include "sinks/clickhouse/server.h"

#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/fault.h"
#include "sinks/clickhouse/errors.h"

enum {
    VERSION_MIN = 23002, /* ReplacingMergeTree(version, is_deleted) */
    ADDRESS_LIMIT = 1 << 20,
    SQL_LIMIT = 8 << 20,
    TEXT_SHOWN = 320,
    DAYS_0001 = -719162, /* 0001-01-01 */
    DAYS_9999 = 2932896, /* 9999-12-31 */
    DAYS_1900 = -25567,
    DAYS_2299 = 120529, /* 2299-12-31 */
    DAY_SECONDS = 86400,
};

bool server_open(struct clickhouse_server *server, const struct clickhouse_options *options,
                 struct arena *arena, struct error *err)
{
    *server = (struct clickhouse_server){ .options = options };
    buf_init(&server->address, ADDRESS_LIMIT);
    buf_init(&server->sql, SQL_LIMIT);
    if (!clickhouse_options_check(options, err))
        return false;
    const struct http_options http = {
        .ca = options->tls_ca,
        .cert = options->tls_cert,
        .key = options->tls_key,
        .verify = options->tls_verify == VERIFY_FULL,
        .connect_timeout_ms = options->connect_timeout_ms,
    };
    server->headers[0] =
        (const char *)arena_printf(arena, "X-ClickHouse-User: %.*s", BYTES_ARGS(options->username))
            .data;
    if (options->password.size > 0)
        server->headers[1] = (const char *)arena_printf(arena, "X-ClickHouse-Key: %.*s",
                                                        BYTES_ARGS(options->password))
                                 .data;
    return http_open(&http, arena, &server->http, err);
}

void server_close(struct clickhouse_server *server)
{
    http_close(server->http);
    buf_done(&server->address);
    buf_done(&server->sql);
}

struct buf *server_sql(struct clickhouse_server *server)
{
    buf_reset(&server->sql);
    return &server->sql;
}

struct bytes row_string(struct reader *rows)
{
    return reader_take(rows, (size_t)reader_varuint(rows));
}

/* ---- replies ---- */

/* "Code: 60. DB::Exception: Table a.b does not exist. (UNKNOWN_TABLE) (version ...)" without the
 * version, in one line; for INSERTs without what is quoted. */
static void error_text(struct bytes body, bool masked, char out[TEXT_SHOWN])
{
    const uint8_t *version = body.size ? memmem(body.data, body.size, " (version ", 10) : NULL;
    size_t size = version ? (size_t)(version - body.data) : body.size;
    size_t used = 0;
    bool quoted = false;
    for (size_t i = 0; i < size && used < TEXT_SHOWN - 1; i++) {
        uint8_t c = body.data[i];
        if (masked && c == '\'')
            quoted = !quoted;
        else if (quoted)
            continue;
        out[used++] = (char)(c < ' ' ? ' ' : c);
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
}

static int header_number(struct bytes text)
{
    int number = 0;
    for (size_t i = 0; i < text.size && number < 1000000; i++)
        if (text.data[i] >= '0' && text.data[i] <= '9')
            number = number * 10 + (text.data[i] - '0');
    return number;
}

static bool reply_judge(const struct clickhouse_server *server, const struct http_reply *reply,
                        bool is_insert, struct error *err)
{
    char text[TEXT_SHOWN];
    int code = header_number(http_header(server->http, "X-ClickHouse-Exception-Code"));
    if (code == 0 && reply->status == 200)
        return true;
    error_text(reply->body, is_insert, text);
    if (code != 0)
        return error_code(err, clickhouse_error_kind(code), code, "ClickHouse: %s", text);
    if (reply->status == 401 || reply->status == 403)
        return error_set(err, ERROR_CONFIG, "ClickHouse refuses the login (HTTP %ld): %s",
                         reply->status, text);
    if (reply->status >= 300 && reply->status < 500 && reply->status != 408 && reply->status != 429)
        return error_set(err, ERROR_CONFIG, "this is no ClickHouse HTTP port (HTTP %ld): %.160s",
                         reply->status, text);
    return error_set(err, is_insert ? ERROR_UNKNOWN : ERROR_RETRY, "HTTP %ld: %.160s",
                     reply->status, text);
}

static bool server_send(struct clickhouse_server *server, struct http_request *request,
                        bool is_insert, struct http_reply *reply, struct error *err)
{
    struct bytes url = server->options->urls.items[server->url];
    if (server->address.failed || server->sql.failed)
        return error_set(err, ERROR_DATA, "a statement is too long");
    buf_u8(&server->address, '\0');
    request->url = (const char *)server->address.data;
    request->headers = server->headers;
    fault_point("clickhouse.before_request");
    bool answered = http_send(server->http, request, reply, err);
    fault_point("clickhouse.after_reply");
    if (answered)
        return reply_judge(server, reply, is_insert, err);
    server->url = (server->url + 1) % server->options->urls.count;
    return error_context(err, "%.*s", BYTES_ARGS(url));
}

static void address_begin(struct clickhouse_server *server)
{
    struct bytes url = server->options->urls.items[server->url];
    while (url.size > 0 && url.data[url.size - 1] == '/')
        url.size--;
    buf_reset(&server->address);
    buf_bytes(&server->address, url);
    buf_text(&server->address, "/?wait_end_of_query=1");
}

bool server_execute(struct clickhouse_server *server, struct error *err)
{
    struct http_request request = { .data = buf_view(&server->sql) };
    address_begin(server);
    buf_text(&server->address, "&alter_sync=2&mutations_sync=2");
    struct http_reply reply;
    return server_send(server, &request, false, &reply, err);
}

static bool server_ask(struct clickhouse_server *server, struct bytes settings, struct reader *rows,
                       struct error *err)
{
    struct http_request request = { .data = buf_view(&server->sql),
                                    .timeout_ms = server->options->request_timeout_ms };
    struct http_reply reply;
    address_begin(server);
    buf_bytes(&server->address, settings);
    if (!server_send(server, &request, false, &reply, err)) {
        if (err->kind == ERROR_UNKNOWN)
            err->kind = ERROR_RETRY; /* a question changes nothing */
        return false;
    }
    *rows = reader_of(reply.body);
    return true;
}

bool server_query(struct clickhouse_server *server, struct reader *rows, struct error *err)
{
    return server_ask(server, (struct bytes){ 0 }, rows, err);
}

bool server_try_settings(struct clickhouse_server *server, struct bytes settings, struct error *err)
{
    struct reader rows;
    buf_text(server_sql(server), "SELECT 1 FORMAT RowBinary");
    if (server_ask(server, settings, &rows, err))
        return true;
    if (err->kind == ERROR_DATA) /* a value that does not fit the setting */
        err->kind = ERROR_CONFIG;
    return error_context(err, "sink.properties");
}

bool server_insert(struct clickhouse_server *server, struct bytes settings,
                   const struct clickhouse_upload *upload, struct error *err)
{
    struct http_request request = {
        .read = upload->read,
        .rewind = upload->rewind,
        .context = upload->context,
        .timeout_ms = server->options->request_timeout_ms,
    };
    address_begin(server);
    buf_bytes(&server->address, settings);
    buf_text(&server->address, "&query=");
    http_escape(&server->address, buf_view(&server->sql));
    size_t last = server->headers[1] ? 2 : 1;
    server->headers[last] = upload->encoding;
    struct http_reply reply;
    bool ok = server_send(server, &request, true, &reply, err);
    server->headers[last] = NULL;
    return ok;
}

int64_t server_written_rows(const struct clickhouse_server *server)
{
    static const char key[] = "\"written_rows\":\"";
    struct bytes summary = http_header(server->http, "X-ClickHouse-Summary");
    const uint8_t *found =
        summary.size ? memmem(summary.data, summary.size, key, sizeof key - 1) : NULL;
    if (!found)
        return -1;
    int64_t rows = 0;
    const uint8_t *end = summary.data + summary.size;
    for (const uint8_t *at = found + sizeof key - 1; at < end && *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(rows, 10, &rows) ||
            __builtin_add_overflow(rows, *at - '0', &rows))
            return -1;
    return rows;
}

/* ---- what the server is ---- */

static uint32_t version_number(struct bytes text)
{
    uint32_t parts[2] = { 0, 0 };
    size_t part = 0;
    for (size_t i = 0; i < text.size && part < 2; i++) {
        if (text.data[i] == '.')
            part++;
        else if (text.data[i] >= '0' && text.data[i] <= '9' && parts[part] < 100000)
            parts[part] = parts[part] * 10 + (uint32_t)(text.data[i] - '0');
    }
    return parts[0] * 1000 + parts[1];
}

static bool server_ask_version(struct clickhouse_server *server, struct error *err)
{
    struct reader rows;
    buf_text(server_sql(server),
             "SELECT version(), countIf(name = 'enable_time_time64_type' AND value = '1') "
             "FROM system.settings FORMAT RowBinary");
    if (!server_query(server, &rows, err))
        return false;
    struct bytes version = row_string(&rows);
    server->version = version_number(version);
    server->abilities.time64 = reader_le(&rows, 8) == 1;
    if (rows.failed || server->version == 0)
        return error_set(err, ERROR_CONFIG, "the answer to SELECT version() is not ClickHouse's");
    if (server->version < VERSION_MIN)
        return error_set(err, ERROR_CONFIG,
                         "ClickHouse %.*s is too old: 23.2 is the first whose ReplacingMergeTree "
                         "knows deleted rows",
                         BYTES_ARGS(version));
    return true;
}

/* Servers differ in the years that they show. What does not come back as it was sent is out of
 * range: the policy decides then, instead of the server. */
static bool server_ask_ranges(struct clickhouse_server *server, struct error *err)
{
    struct reader rows;
    buf_text(server_sql(server),
             "SELECT toString(d) IN ('0001-01-01', '9999-12-31'), toString(t) IN "
             "('0001-01-01 00:00:00.000000', '9999-12-31 23:59:59.999999') "
             "FROM format(RowBinary, 'd Date32, t DateTime64(6, \\'UTC\\')', unhex('"
             /* -719162, -62135596800000000; 2932896, 253402300799999999: little endian */
             "C606F5FF0040D400014023FFA0C02C00FF5F73CC0C448403"
             "')) FORMAT RowBinary");
    bool wide_date = false, wide_time = false;
    if (server_query(server, &rows, err)) {
        bool low_date = reader_u8(&rows) == 1, low_time = reader_u8(&rows) == 1;
        wide_date = reader_u8(&rows) == 1 && low_date;
        wide_time = reader_u8(&rows) == 1 && low_time && !rows.failed;
    } else if (err->kind != ERROR_DATA && err->code == 0) {
        return false;
    }
    struct clickhouse_abilities *abilities = &server->abilities;
    abilities->date_min = wide_date ? DAYS_0001 : DAYS_1900;
    abilities->date_max = wide_date ? DAYS_9999 : DAYS_2299;
    abilities->seconds_min = (wide_time ? (int64_t)DAYS_0001 : DAYS_1900) * DAY_SECONDS;
    abilities->seconds_max = ((wide_time ? (int64_t)DAYS_9999 : DAYS_2299) + 1) * DAY_SECONDS - 1;
    return true;
}

bool server_connect(struct clickhouse_server *server, struct error *err)
{
    for (size_t tried = 0; tried < server->options->urls.count; tried++) {
        if (server_ask_version(server, err))
            return server_ask_ranges(server, err);
        if (err->kind != ERROR_RETRY && err->kind != ERROR_UNKNOWN)
            return false;
    }
    return false;
}
