/* SPDX-License-Identifier: Apache-2.0
 *
 * How long the server keeps its binary log. A file goes when its last write is older than
 * binlog_expire_logs_seconds (expire_logs_days on older servers), so what follows a position is
 * there for at least that long after the position's own time; MariaDB 11.4 and later also bounds
 * the size of all files with max_binlog_total_size. */
#include "sources/mysql/retention.h"

#include <stdio.h>

#include "engine/base/parse.h"
#include "sources/mysql/connection.h"
#include "sources/mysql/token.h"

enum { TIMEOUT_MS = 3000, PERCENT_MAX = 999 };

/* 0: off, or this server does not know it. */
static uint64_t variable(struct connection *connection, const char *expression, struct arena *arena)
{
    struct error err;
    struct result result;
    struct bytes sql = arena_printf(arena, "SELECT FLOOR(%s)", expression);
    bool ok = connection_query(connection, sql, 1, arena, &result, &err) && result.row_count == 1;
    return ok && result.cells[0].data ? parse_digits(result.cells[0]) : 0;
}

static void limit_by(struct retention *out, uint64_t used, uint64_t limit, const char *name)
{
    if (limit == 0)
        return;
    uint64_t percent = used / limit > PERCENT_MAX / 100 ? PERCENT_MAX : used * 100 / limit;
    if ((int)percent <= out->used_percent)
        return;
    out->used_percent = (int)percent;
    snprintf(out->limit, sizeof out->limit, "%s=%llu", name, (unsigned long long)limit);
}

static void limit_by_time(struct connection *connection, int64_t age_ms, struct arena *arena,
                          struct retention *out)
{
    uint64_t purges = 1;
    bool mysql = connection_server(connection)->flavor == SERVER_MYSQL;
    if (mysql && connection_server(connection)->version >= 80029)
        purges = variable(connection, "@@global.binlog_expire_logs_auto_purge", arena);
    if (!purges)
        return;
    uint64_t seconds = variable(connection, "@@global.binlog_expire_logs_seconds", arena);
    if (seconds > 0)
        limit_by(out, (uint64_t)age_ms / 1000, seconds, "binlog_expire_logs_seconds");
    else
        limit_by(out, (uint64_t)age_ms / 1000,
                 variable(connection, "@@global.expire_logs_days * 86400", arena),
                 "expire_logs_days, in seconds,");
}

/* What lies behind the position, and how full the room for all files is. */
static bool limit_by_size(struct connection *connection, const struct token *from,
                          struct arena *arena, struct retention *out, struct error *err)
{
    struct result files;
    if (!connection_ask(connection, "SHOW BINARY LOGS", arena, &files, err))
        return false;
    for (uint32_t i = 0; i < files.row_count && files.column_count >= 2; i++) {
        struct token file = { .file = files.cells[i * files.column_count] };
        struct token place = { .file = from->file };
        if (token_place_compare(&file, &place) >= 0)
            out->behind_bytes += parse_digits(files.cells[i * files.column_count + 1]);
    }
    out->behind_bytes -= from->offset < out->behind_bytes ? from->offset : out->behind_bytes;
    limit_by(out, out->behind_bytes, variable(connection, "@@global.max_binlog_total_size", arena),
             "max_binlog_total_size");
    return true;
}

bool mysql_retention(const void *options, struct bytes token, int64_t age_ms, struct retention *out,
                     struct error *err)
{
    struct mysql_options brief = *(const struct mysql_options *)options;
    struct token from;
    struct connection *connection;
    struct arena arena = { 0 };
    if (brief.connect_timeout_ms > TIMEOUT_MS)
        brief.connect_timeout_ms = TIMEOUT_MS;
    *out = (struct retention){ .used_percent = -1 };
    if (!token_decode(token, &from, err) || !connection_open(&brief, &connection, err))
        return false;
    limit_by_time(connection, age_ms, &arena, out);
    bool ok = from.file.size == 0 || limit_by_size(connection, &from, &arena, out, err);
    connection_close(connection);
    arena_done(&arena);
    return ok;
}
