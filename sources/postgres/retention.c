/* SPDX-License-Identifier: Apache-2.0
 *
 * How much of its log the server may keep for our slot: max_slot_wal_keep_size, and what the slot
 * has left of it (safe_wal_size in pg_replication_slots). "unreserved": the next checkpoint of the
 * server may take it. */
#include "sources/postgres/retention.h"

#include <stdio.h>

#include "engine/base/parse.h"
#include "sources/postgres/session.h"

enum { TIMEOUT_MS = 3000 };

static const char question[] =
    "SELECT greatest(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
    "ELSE pg_current_wal_lsn() END, confirmed_flush_lsn), 0)::bigint, "
    "current_setting('max_slot_wal_keep_size'), "
    "CASE WHEN wal_status IN ('unreserved', 'lost') THEN 100 "
    "WHEN safe_wal_size IS NULL THEN NULL "
    "ELSE greatest(100 - 100 * greatest(safe_wal_size, 0) / "
    "greatest(pg_size_bytes(current_setting('max_slot_wal_keep_size')), 1), 0)::int END "
    "FROM pg_replication_slots WHERE slot_name = ";

/* Before 13 a slot keeps all there is. */
static const char question_without_limit[] =
    "SELECT greatest(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
    "ELSE pg_current_wal_lsn() END, confirmed_flush_lsn), 0)::bigint, '-1', NULL "
    "FROM pg_replication_slots WHERE slot_name = ";

bool postgres_retention(const void *options, struct bytes token, int64_t age_ms,
                        struct retention *out, struct error *err)
{
    struct postgres_options brief = *(const struct postgres_options *)options;
    struct session *session;
    struct result result;
    struct arena arena = { 0 };
    struct buf sql;
    (void)token; /* the slot stands where the position is */
    (void)age_ms;
    if (brief.connect_timeout_ms > TIMEOUT_MS)
        brief.connect_timeout_ms = TIMEOUT_MS;
    *out = (struct retention){ .used_percent = -1 };
    if (!session_open(&brief, SESSION_PLAIN, NULL, &session, err))
        return false;
    buf_init(&sql, 4096);
    buf_text(&sql, session_version(session) < ROOTS_VERSION ? question_without_limit : question);
    postgres_quote_text(&sql, brief.slot);
    bool ok = session_query(session, buf_view(&sql), &arena, &result, err);
    if (ok && result.row_count == 1 && result.column_count == 3) {
        out->behind_bytes = parse_digits(result.cells[0]);
        if (result.cells[2].data)
            out->used_percent = (int)parse_digits(result.cells[2]);
        snprintf(out->limit, sizeof out->limit, "max_slot_wal_keep_size=%.*s",
                 BYTES_ARGS(result.cells[1]));
    }
    buf_done(&sql);
    session_close(session);
    arena_done(&arena);
    return ok;
}
