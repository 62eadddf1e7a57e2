/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables that are made, renamed without a change of a row, dropped, or become fit for the log:
 * nothing of that is in the stream. The system catalog is asked now and then, between transactions,
 * and what is found is written into the log as a logical message, in one transaction with the
 * change of the publication that it takes. The message is then met in the stream, at a place that
 * is the same on every replay:
 *   - "table OID": look at it; it may be new, gone, or have another name.
 *   - "read OID": it is in the publication from here on; read it again.
 * A server before 14 leaves messages out of the stream, but not their transactions: what such a one
 * says is noted here by its number. After a restart the note is gone, and the catalog is asked
 * again; a table that waited to be read is parked, and is read at the start. A writer that was
 * under way when the publication changed has its earlier rows outside the stream; so a chunk of
 * such a table waits for all of them to end (the floor of the gate). */
#include "sources/postgres/wal.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/parse.h"
#include "sources/postgres/publication.h"

enum { SQL_LIMIT = 1 << 20, ASK_AGAIN_S = 60 };

const char wal_message_prefix[] = "millrace";

enum cell { D_OID, D_SCHEMA, D_NAME, D_REPLICABLE, D_PUBLISHED, D_LEAVES, D_COUNT };

static void put_sql(struct buf *sql, const struct postgres_options *options)
{
    buf_text(sql,
             "SELECT c.oid, n.nspname, c.relname, (c.relreplident IN ('f', 'i') OR "
             "(c.relreplident = 'd' AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid "
             "AND i.indisprimary AND i.indisvalid))) AND (c.relkind = 'r' OR "
             "current_setting('server_version_num')::int >= 130000), p.tablename IS NOT "
             "NULL, " LISTED_LEAVES " FROM pg_class c "
             "JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN (SELECT DISTINCT schemaname, "
             "tablename FROM pg_publication_tables WHERE pubname = ");
    postgres_quote_text(sql, options->publication);
    buf_printf(sql,
               ") p ON p.schemaname = n.nspname AND p.tablename = c.relname "
               "WHERE %s AND c.relpersistence = 'p' "
               "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')",
               listed_kinds(options));
}

static bool asked_lately(const struct wal_source *self, uint32_t oid)
{
    uintptr_t when =
        (uintptr_t)map_get(&self->asked, (struct bytes){ (const uint8_t *)&oid, sizeof oid });
    return when && clock_now_us() / 1000000 - (int64_t)when < ASK_AGAIN_S;
}

bool wal_has_note(const struct wal_source *self, uint32_t xid)
{
    for (uint32_t i = 0; i < self->note_count; i++)
        if (self->notes[i].xid == xid)
            return true;
    return false;
}

static bool note(struct wal_source *self, const char *verb, uint32_t oid, struct error *err)
{
    struct arena arena = { 0 };
    struct bytes xid;
    bool ok = session_value(self->metadata, "SELECT txid_current()", &arena, &xid, err);
    self->notes =
        memory_grow(self->notes, self->note_count, &self->note_capacity, sizeof *self->notes);
    struct wal_note *made = &self->notes[self->note_count];
    *made = (struct wal_note){ .xid = ok ? (uint32_t)parse_digits(xid) : 0, .oid = oid };
    snprintf(made->verb, sizeof made->verb, "%s", verb);
    self->note_count += ok;
    arena_done(&arena);
    return ok;
}

static bool tell(struct wal_source *self, const char *verb, uint32_t oid,
                 const struct table *publish, struct error *err)
{
    struct session *connection = self->metadata;
    struct error refused;
    if (asked_lately(self, oid))
        return true;
    if (!session_execute(connection, err, "BEGIN"))
        return false;
    if (publish && !publication_add(connection, self->options, publish, &refused) &&
        (!session_execute(connection, err, "ROLLBACK") ||
         !session_execute(connection, err, "BEGIN")))
        return false;
    map_put(&self->asked, (struct bytes){ (const uint8_t *)&oid, sizeof oid },
            (void *)(uintptr_t)(clock_now_us() / 1000000 + 1));
    return session_execute(connection, err, "SELECT pg_logical_emit_message(true, '%s', '%s %u')",
                           wal_message_prefix, verb, oid) &&
           (session_version(connection) >= MESSAGES_VERSION || note(self, verb, oid, err)) &&
           session_execute(connection, err, "COMMIT");
}

static bool discover_one(struct wal_source *self, const struct bytes *cells, struct error *err)
{
    struct table table = { .database = self->database,
                           .schema = cells[D_SCHEMA],
                           .name = cells[D_NAME] };
    uint32_t oid = (uint32_t)strtoul((const char *)cells[D_OID].data, NULL, 10);
    if (!self->filter->matches(self->filter->context, table.database, table.schema, table.name))
        return true;
    const struct table *tracked = wal_table_of(self, oid);
    bool add = bytes_is(cells[D_REPLICABLE], "t") && bytes_is(cells[D_PUBLISHED], "f") &&
               self->options->publication_mode == PUBLICATION_FILTERED;
    if (!tracked)
        return tell(self, "table", oid, add ? &table : NULL, err);
    if (add)
        return tell(self, "read", oid, &table, err);
    bool renamed =
        !bytes_equal(tracked->name, table.name) || !bytes_equal(tracked->schema, table.schema);
    bool other = renamed || wal_leaves_differ(cells[D_LEAVES], tracked->leaves);
    return !other || tell(self, "table", oid, NULL, err);
}

/* Tables that are followed and no longer there; few questions, for few are ever found. */
static bool discover_gone(struct wal_source *self, const struct result *found, struct error *err)
{
    struct map there = { 0 };
    bool ok = true;
    for (uint32_t i = 0; i < found->row_count; i++) {
        uint32_t oid = (uint32_t)strtoul((const char *)found->cells[i * D_COUNT].data, NULL, 10);
        map_put(&there, (struct bytes){ (const uint8_t *)&oid, sizeof oid }, self);
    }
    for (struct map_entry *entry = NULL;
         ok && (entry = map_next(&self->catalog->by_name, entry));) {
        const struct table *table = entry->value;
        struct bytes key = { (const uint8_t *)&table->source_id, sizeof table->source_id };
        if (!map_get(&there, key))
            ok = tell(self, "table", table->source_id, NULL, err);
    }
    map_done(&there);
    return ok;
}

bool wal_discover(struct wal_source *self, struct error *err)
{
    int64_t now_us = clock_now_us();
    if (self->standby || self->options->discovery_ms == 0 ||
        now_us - self->discovered_us < self->options->discovery_ms * 1000)
        return true;
    self->discovered_us = now_us;
    struct arena arena = { 0 };
    struct result found;
    struct buf sql;
    buf_init(&sql, SQL_LIMIT);
    put_sql(&sql, self->options);
    bool ok = session_query(self->metadata, buf_view(&sql), &arena, &found, err);
    buf_done(&sql);
    for (uint32_t i = 0; ok && i < found.row_count; i++)
        ok = discover_one(self, &found.cells[i * D_COUNT], err);
    ok = ok && discover_gone(self, &found, err);
    arena_done(&arena);
    return ok;
}
