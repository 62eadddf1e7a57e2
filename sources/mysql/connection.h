/* SPDX-License-Identifier: Apache-2.0
 *
 * The one place that knows the client library (libmariadb): connecting, TLS, authentication, and
 * raw packets in both directions. Everything else of the driver decodes packets itself. One thread
 * a connection, except connection_interrupt(). */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "sources/mysql/options.h"

struct connection;

enum server_flavor { SERVER_MYSQL, SERVER_MARIADB };
struct server_info {
    enum server_flavor flavor;
    uint32_t version; /* 100 * (100 * major + minor) + patch: 90704, 101119; parsed as numbers */
    char text[64];    /* as the server says it */
};

/* ERROR_CONFIG: wrong password, unknown host, TLS refused, no right to connect: the text says what
 * to do. ERROR_RETRY: nobody answers, too many connections, the server is starting. The session has
 * time_zone '+00:00', a fixed sql_mode, character_set_results NULL (values come in their column's
 * charset), autocommit on, no statement time limit. */
bool connection_open(const struct mysql_options *options, struct connection **out,
                     struct error *err);
void connection_close(struct connection *connection);     /* NULL is fine; never blocks for long */
void connection_interrupt(struct connection *connection); /* any thread: reads and writes fail */
const struct server_info *connection_server(const struct connection *connection);
bool connection_is_tls(const struct connection *connection);

/* The whole result of a statement, as text, in `arena`. Cells: data NULL for SQL NULL. Texts of
 * metadata queries are UTF-8 (the query must CONVERT what is not). At most `limit` rows (0: 1
 * million), else ERROR_DATA. A statement without a result gives 0 rows. */
struct result {
    struct bytes *cells;
    uint32_t column_count, row_count;
};
bool connection_query(struct connection *connection, struct bytes sql, uint32_t limit,
                      struct arena *arena, struct result *result, struct error *err);
/* The same for a statement as it stands in our source. */
static inline bool connection_ask(struct connection *connection, const char *sql,
                                  struct arena *arena, struct result *result, struct error *err)
{
    return connection_query(connection, bytes_from(sql), 0, arena, result, err);
}
/* The same for statements whose result nobody wants; printf-like, caller quotes. */
__attribute__((format(printf, 3, 4))) bool
connection_execute(struct connection *connection, struct error *err, const char *format, ...);

/* Raw protocol, for COM_BINLOG_DUMP* and COM_STMT_*: a command with its payload, then packets. A
 * packet's view is valid until the next call; packets over 16 MiB are joined; an ERR packet becomes
 * an error classified by the table in connection.c, with the server's text and number. */
bool connection_command(struct connection *connection, uint8_t command, struct bytes payload,
                        struct error *err);
/* ERROR_RETRY when the connection broke or nothing came for the read timeout; ERROR_STOP after an
 * interrupt. */
bool connection_packet(struct connection *connection, struct bytes *packet, struct error *err);
/* Is a packet (or a part of one) waiting, within timeout_ms? Looks at the library's buffer, TLS's
 * buffer and the socket. */
bool connection_wait(struct connection *connection, int timeout_ms);
/* Has nothing come for the read timeout? For those who wait with connection_wait(). */
bool connection_is_silent(const struct connection *connection);
/* Seconds that a read may take before the connection counts as dead: 2-3 heartbeats. */
void connection_read_timeout(struct connection *connection, uint32_t seconds);

/* Kinds of MySQL error numbers, by table: shared with replies inside the dump. */
enum error_kind connection_error_kind(int code);

/* The one function that quotes for this dialect. */
void mysql_quote_identifier(struct buf *out, struct bytes name); /* `a``b` */
void mysql_quote_text(struct buf *out, struct bytes text);       /* as hex literal with _utf8mb4 */
