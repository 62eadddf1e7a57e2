/* SPDX-License-Identifier: Apache-2.0
 *
 * Is the log at the other end still the one that was read?
 *
 * A standby that is promoted goes on in a new timeline, from the place that it had come to. LSNs
 * and xids up to there mean the same on both servers; what the old primary wrote behind it is in
 * no table of the new one. So a position behind that place is lost, and the server itself would
 * not tell: it has an LSN of that number soon. The history of a timeline, a file that each server
 * of it has, tells where each of those before ended. A copy of the server that was restored without
 * a promotion has the same timeline, and a log that ends before our position. */
#include "sources/postgres/wal.h"

#include "engine/base/log.h"
#include "engine/base/parse.h"

/* An insert position may stand behind the header of a page that is not written yet. */
enum { PAGE = 8192 };

bool wal_identify(struct wal_source *self, struct error *err)
{
    struct arena arena = { 0 };
    struct result result;
    bool ok = session_query(self->stream, BYTES_LITERAL("IDENTIFY_SYSTEM"), &arena, &result, err);
    if (ok && (result.row_count != 1 || result.column_count < 3 ||
               !lsn_parse(result.cells[2], &self->log_end)))
        ok = error_set(err, ERROR_RETRY, "the server's answer to IDENTIFY_SYSTEM is malformed");
    if (ok) {
        self->cluster = parse_digits(result.cells[0]);
        self->timeline = self->standby ? 0 : (uint32_t)parse_digits(result.cells[1]);
        self->base.moves += self->streamed_from && self->timeline != self->streamed_from;
        self->base.elsewhere = false;
        self->streamed_from = self->timeline;
    }
    arena_done(&arena);
    return ok;
}

/* History := {u32 timeline '\t' LSN '\t' reason '\n'}, with comments and empty lines. */
static bool find_end(struct bytes history, uint32_t timeline, uint64_t *end)
{
    while (history.size > 0) {
        const uint8_t *newline = memchr(history.data, '\n', history.size);
        size_t size = newline ? (size_t)(newline - history.data) : history.size;
        struct bytes line = { history.data, size };
        const uint8_t *tab = size > 0 ? memchr(line.data, '\t', size) : NULL;
        if (tab && parse_digits(line) == timeline) {
            struct bytes lsn = { tab + 1, size - (size_t)(tab + 1 - line.data) };
            const uint8_t *rest = lsn.size > 0 ? memchr(lsn.data, '\t', lsn.size) : NULL;
            lsn.size = rest ? (size_t)(rest - lsn.data) : lsn.size;
            return lsn_parse(lsn, end);
        }
        size += newline != NULL;
        history = (struct bytes){ history.data + size, history.size - size };
    }
    return false;
}

static bool timeline_end(struct wal_source *self, uint32_t timeline, bool *found, uint64_t *end,
                         struct error *err)
{
    struct arena arena = { 0 };
    struct result result;
    struct bytes sql = arena_printf(&arena, "TIMELINE_HISTORY %u", self->timeline);
    bool ok = session_query(self->stream, sql, &arena, &result, err);
    *found = ok && result.row_count == 1 && result.column_count == 2 &&
             find_end(result.cells[1], timeline, end);
    arena_done(&arena);
    return ok;
}

static bool other_timeline(struct wal_source *self, const struct wal_place *from, struct error *err)
{
    bool found = false;
    uint64_t end = 0;
    if (from->timeline < self->timeline && !timeline_end(self, from->timeline, &found, &end, err))
        return false;
    if (!found)
        return error_set(err, ERROR_LOST,
                         "the server's log is of timeline %u, which does not come of timeline %u "
                         "that was read: its tables may differ from what was delivered "
                         "(on-lost-position, or a new checkpoint.directory)",
                         self->timeline, from->timeline);
    if (from->lsn > end)
        return error_set(err, ERROR_LOST,
                         "the server was promoted at " LSN_FORMAT ", before " LSN_FORMAT
                         " that was read: it lacks what was delivered in between "
                         "(on-lost-position, or a new checkpoint.directory)",
                         LSN_ARGS(end), LSN_ARGS(from->lsn));
    log_info("the log goes on at another server: timeline %u, which began at " LSN_FORMAT,
             self->timeline, LSN_ARGS(end));
    self->base.elsewhere = true;
    return true;
}

bool wal_same_log(struct wal_source *self, const struct wal_place *from, struct error *err)
{
    if (from->cluster != self->cluster)
        return error_set(err, ERROR_LOST,
                         "this is another cluster than the one that was read: the "
                         "tables must be read again (on-lost-position, or a new "
                         "checkpoint.directory)");
    if (self->timeline && from->timeline && self->timeline != from->timeline)
        return other_timeline(self, from, err);
    if (self->timeline && from->lsn > self->log_end + PAGE)
        return error_set(err, ERROR_LOST,
                         "the server's log ends at " LSN_FORMAT ", before " LSN_FORMAT
                         " that was read: an older copy of the server was restored "
                         "(on-lost-position, or a new checkpoint.directory)",
                         LSN_ARGS(self->log_end), LSN_ARGS(from->lsn));
    return true;
}
