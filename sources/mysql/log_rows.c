/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables and rows of the log. A TABLE_MAP comes before almost every rows event, mostly the same one
 * again: it is known by its id and its bytes, and then nothing is parsed or looked up. A map that is
 * new is checked against the tracked version of its table; where they differ the map's own metadata
 * decides, or the table is read from the server again. */
#include <stdlib.h>
#include <zlib.h>

#include "engine/base/assert.h"
#include "sources/mysql/log.h"

enum { TABLES_KEPT_MAX = 4096, UNPACKED_MAX = 1 << 30 };

static void table_free(struct log_table *table) { arena_done(&table->arena); }

void log_forget_tables(struct log_source *self)
{
    if (self->cursor_active)
        return; /* rows of one are still being read; a file cannot end inside of an event */
    for (uint32_t i = 0; i < self->table_count; i++)
        table_free(&self->tables[i]);
    self->table_count = 0;
    self->newest_table = 0;
}

static struct log_table *find_table(struct log_source *self, uint64_t id)
{
    if (self->newest_table < self->table_count && self->tables[self->newest_table].id == id)
        return &self->tables[self->newest_table];
    for (uint32_t i = 0; i < self->table_count; i++)
        if (self->tables[i].id == id) {
            self->newest_table = i;
            return &self->tables[i];
        }
    return NULL;
}

static struct log_table *make_table(struct log_source *self, uint64_t id)
{
    struct log_table *table = find_table(self, id);
    if (table) {
        table_free(table);
        *table = (struct log_table){ .id = id };
        return table;
    }
    if (self->table_count == TABLES_KEPT_MAX)
        log_forget_tables(self);
    if (self->table_count == self->table_capacity) {
        self->table_capacity = self->table_capacity ? self->table_capacity * 2 : 64;
        self->tables = realloc(self->tables, self->table_capacity * sizeof *self->tables);
        ASSERT(self->tables);
    }
    self->newest_table = self->table_count++;
    table = &self->tables[self->newest_table];
    *table = (struct log_table){ .id = id };
    return table;
}

/* Another shape than the tracked one: from the map's own names, else from the server as it is now. */
static bool reshape(struct log_source *self, struct log_table *entry, const struct table_map *map,
                    const struct table *tracked, struct table **draft, struct error *err)
{
    if (map->has_names)
        return table_map_derive(map, tracked, &self->collations, &entry->arena, draft, err);
    struct connection *metadata = log_metadata(self, err);
    if (!metadata || !tables_read(metadata, self->options, map->database, map->name, &entry->arena,
                                  draft, err))
        return false;
    struct buf why;
    buf_init(&why, 400);
    bool fits = *draft && table_map_fits(map, *draft, &why);
    if (!fits)
        error_set(err, ERROR_DATA,
                  "table '%.*s.%.*s': the log's rows do not fit the table as it is now (%.*s): set "
                  "binlog_row_metadata=FULL, and read the table again", BYTES_ARGS(map->database),
                  BYTES_ARGS(map->name), BYTES_ARGS(buf_view(&why)));
    buf_done(&why);
    return fits;
}

static bool resolve_table(struct log_source *self, struct batch *batch, struct log_table *entry,
                          const struct table_map *map, bool *again, struct error *err)
{
    const struct table *tracked = catalog_find(self->catalog, map->database, (struct bytes){ 0 },
                                               map->name);
    struct buf why;
    buf_init(&why, 400);
    bool fits = tracked && table_map_fits(map, tracked, &why);
    buf_done(&why);
    if (!fits) {
        if (batch->count > 0) {
            *again = true; /* the change of shape is a batch of its own */
            return true;
        }
        struct table *draft;
        if (!reshape(self, entry, map, tracked, &draft, err))
            return false;
        draft->database = map->database;
        draft->name = map->name;
        log_put_alter(self, batch, tracked, draft, (struct bytes){ 0 }, 0);
        log_stamp(self, batch, 0);
        *again = true; /* the map itself comes again, and fits then */
        return true;
    }
    entry->table = tracked;
    struct row_plan *plan;
    if (!row_plan_make(map, tracked, &self->collations, &entry->arena, &plan, err))
        return false;
    entry->plan = plan;
    return true;
}

/* u48 id, u16 flags, u8 size, database, NUL, u8 size, name, NUL, ... */
static bool map_names(struct bytes body, uint64_t *id, struct bytes *database, struct bytes *name)
{
    struct reader in = reader_of(body);
    *id = reader_le(&in, 6);
    reader_take(&in, 2);
    *database = reader_take(&in, reader_u8(&in));
    reader_u8(&in);
    *name = reader_take(&in, reader_u8(&in));
    return !in.failed;
}

bool log_table_map(struct log_source *self, struct batch *batch, struct bytes body, bool *again,
                   struct error *err)
{
    uint64_t id;
    struct bytes database, name;
    if (self->skipping)
        return true; /* nobody decodes its rows, and its shape may be long gone */
    if (!map_names(body, &id, &database, &name))
        return error_set(err, ERROR_RETRY, "a malformed TABLE_MAP event");
    struct log_table *entry = find_table(self, id);
    if (entry && bytes_equal(entry->body, body) &&
        entry->catalog_generation == self->catalog->generation)
        return true;
    entry = make_table(self, id);
    bool captured = self->filter->matches(self->filter->context, database, (struct bytes){ 0 }, name);
    struct table_map *map;
    bool ok = !captured || (table_map_parse(body, self->mariadb, &entry->arena, &map, err) &&
                            resolve_table(self, batch, entry, map, again, err));
    if (!ok || *again) {
        entry->id = UINT64_MAX; /* nothing can find it */
        return ok;
    }
    entry->body = arena_copy(&entry->arena, body);
    entry->catalog_generation = self->catalog->generation;
    return true;
}

/* History of a system-versioned table comes as rows of its own: a row whose end is not for ever is
 * past. An UPDATE that only ends a row is a DELETE. */
static void sort_history(const struct table *table, struct batch *batch, uint32_t from)
{
    uint16_t end = table->column_count;
    for (uint16_t i = 0; i < table->column_count; i++)
        if (table->columns[i].generated && bytes_is(table->columns[i].name, "row_end"))
            end = i;
    if (end == table->column_count)
        return;
    int64_t latest_us = INT64_C(2147483647) * 1000000; /* '2038-01-19 03:14:07', or 2106 later on */
    uint32_t kept = from;
    for (uint32_t i = from; i < batch->count; i++) {
        struct event event = batch->events[i];
        bool past = event.after && event.after[end].tag == VALUE_INT &&
                    event.after[end].integer < latest_us;
        if (past && event.op == EVENT_INSERT)
            continue;
        if (past && event.op == EVENT_UPDATE) {
            event.op = EVENT_DELETE;
            event.after = NULL;
        }
        batch->events[kept++] = event;
    }
    batch->count = kept;
}

bool log_rows_go_on(struct log_source *self, struct batch *batch, struct error *err)
{
    uint32_t before = batch->count;
    bool end;
    if (!rows_decode(&self->cursor, batch, &end, err))
        return error_context(err, "binlog %s:%llu", self->file, (unsigned long long)self->offset);
    self->cursor_active = !end;
    if (batch->count > before && batch->events[before].table->system_versioned)
        sort_history(batch->events[before].table, batch, before);
    return true;
}

bool log_rows(struct log_source *self, struct batch *batch, const struct event_header *header,
              struct bytes body, struct error *err)
{
    struct rows_event event;
    if (!rows_event_parse(body, header->type, &event, err))
        return false;
    if (event.table_id == ROWS_DUMMY_TABLE)
        return true;
    const struct log_table *entry = find_table(self, event.table_id);
    if (!entry)
        return error_set(err, ERROR_RETRY, "binlog %s:%llu: rows of a table that no TABLE_MAP named",
                         self->file, (unsigned long long)self->offset);
    if (!entry->table)
        return true;
    self->cursor = (struct rows_cursor){ .event = event, .plan = entry->plan,
                                         .time_us = (int64_t)header->time * 1000000 };
    return log_rows_go_on(self, batch, err);
}

/* MariaDB's packed events: what is not packed, then u8 (low 3 bits: how many bytes the size takes,
 * high nibble: 0 for zlib), the size big endian, the packed rest. Of rows the post-header, the column
 * count and the bitmaps are not packed; of a statement only its text is. */
static struct bytes packed_rows(struct bytes body, uint8_t type)
{
    enum { FIRST_V2 = 169 };
    struct reader in = reader_of(body);
    reader_take(&in, 8);
    if (type >= FIRST_V2) {
        uint64_t extra = reader_le(&in, 2); /* counts itself */
        reader_take(&in, extra >= 2 ? (size_t)extra - 2 : SIZE_MAX);
    }
    uint8_t first = reader_u8(&in);
    uint64_t columns = first < 0xfb ? first : reader_le(&in, first == 0xfc ? 2 : 3);
    bool update = type == 167 || type == 170;
    reader_take(&in, (size_t)(columns + 7) / 8 * (update ? 2 : 1));
    return in.failed ? (struct bytes){ 0 } : in.rest;
}

static struct bytes packed_statement(struct bytes body)
{
    struct reader in = reader_of(body);
    reader_take(&in, 8);
    size_t database = reader_u8(&in);
    reader_take(&in, 2);
    reader_take(&in, (size_t)reader_le(&in, 2));
    reader_take(&in, database + 1);
    return in.failed ? (struct bytes){ 0 } : in.rest;
}

bool log_unpack(struct log_source *self, uint8_t type, struct bytes body, struct bytes *out,
                struct error *err)
{
    enum { QUERY_COMPRESSED = 165 };
    struct bytes packed = type == QUERY_COMPRESSED ? packed_statement(body) : packed_rows(body, type);
    struct reader in = reader_of(packed);
    uint8_t head = reader_u8(&in);
    uint64_t size = reader_be(&in, head & 7u);
    buf_reset(&self->unpacked);
    buf_put(&self->unpacked, body.data, packed.data ? (size_t)(packed.data - body.data) : 0);
    bool sane = packed.data && !in.failed && !(head & 0x70) && size <= UNPACKED_MAX;
    uint8_t *room = sane ? buf_reserve(&self->unpacked, (size_t)size + 1) : NULL;
    uLongf made = (uLongf)size;
    if (!room || uncompress(room, &made, in.rest.data, (uLong)in.rest.size) != Z_OK || made != size)
        return error_set(err, ERROR_RETRY, "a malformed packed event");
    self->unpacked.size += (size_t)size;
    *out = buf_view(&self->unpacked);
    return true;
}
