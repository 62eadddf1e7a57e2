/* SPDX-License-Identifier: Apache-2.0
 *
 * The one place that knows libpq: connecting, statements, COPY in both directions. One thread a
 * connection at a time, except session_interrupt(). Every session prints values alike, so that a
 * row of a table and a row of the log are the same text. */
#pragma once

#include <stdatomic.h>

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "sources/postgres/options.h"

struct session;

enum session_kind { SESSION_PLAIN, SESSION_REPLICATION };

/* Kinds of errors by SQLSTATE: see session_errors.c. `stop` (may be NULL) ends the attempt. */
bool session_open(const struct postgres_options *options, enum session_kind kind, atomic_bool *stop,
                  struct session **out, struct error *err);
void session_close(struct session *connection);             /* NULL is fine */
void session_interrupt(struct session *connection);         /* any thread: reads and writes fail */
uint32_t session_version(const struct session *connection); /* 150018 */
bool session_is_tls(const struct session *connection);

/* The result of the last of the statements in `sql`, as text in `arena`. Cells: data NULL for SQL
 * NULL. */
struct result {
    struct bytes *cells;
    uint32_t column_count, row_count;
};
bool session_query(struct session *connection, struct bytes sql, struct arena *arena,
                   struct result *result, struct error *err);
__attribute__((format(printf, 3, 4))) bool
session_execute(struct session *connection, struct error *err, const char *format, ...);
/* The first cell; data NULL when there is none. */
bool session_value(struct session *connection, const char *sql, struct arena *arena,
                   struct bytes *out, struct error *err);

/* COPY .. TO STDOUT: a line at a time, a view until the next call; *end: nothing follows. */
bool session_copy_begin(struct session *connection, struct bytes sql, struct error *err);
bool session_copy_line(struct session *connection, struct bytes *line, bool *end,
                       struct error *err);
/* Ends a COPY whose rest nobody wants; the transaction is over with it. */
bool session_copy_cancel(struct session *connection, struct error *err);

/* START_REPLICATION, then messages both ways. take: *message is a view until the next call, with
 * data NULL when none has been read yet; fill: reads what there is, about so much at most
 * (*rest: more is there for sure); wait,
 * which alone needs no lock where several threads write: true when something may have come. */
enum { SESSION_FILL = 32 * 1024 };
bool session_stream_begin(struct session *connection, struct bytes sql, struct error *err);
bool session_stream_take(struct session *connection, struct bytes *message, struct error *err);
bool session_stream_fill(struct session *connection, bool *rest, struct error *err);
bool session_stream_wait(struct session *connection, int timeout_ms);
bool session_stream_put(struct session *connection, struct bytes message, struct error *err);

/* Quoting of this dialect. */
void postgres_quote_identifier(struct buf *out, struct bytes name);
void postgres_quote_text(struct buf *out, struct bytes text);
