/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables and rows of the log. A TABLE_MAP comes before almost every rows event, mostly the same one
 * again: it is known by its id and its bytes, and then nothing is parsed or looked up.
 * A map that is new is checked against the tracked version of its table; where they differ the
 * map's own metadata decides, or the table is read from the server again. */
#include "engine/base/log.h"
#include "sources/mysql/log.h"
#include "sources/mysql/log_history.h"

enum { TABLES_BYTES_MAX = 8 << 20 };

void log_forget_tables(struct log_source *self)
{
    if (self->cursor_active)
        return; /* rows of one are still being read; a file cannot end inside of an event */
    map_done(&self->tables);
    arena_reset(&self->tables_arena);
    self->newest_table = NULL;
}

/* Between groups, where nothing is in use: what was mapped anew again and again has piled up. */
void log_trim_tables(struct log_source *self)
{
    if (self->tables_arena.total > TABLES_BYTES_MAX)
        log_forget_tables(self);
}

static struct log_table *find_table(struct log_source *self, uint64_t id)
{
    struct log_table *newest = self->newest_table;
    if (newest && newest->id == id)
        return newest;
    struct log_table *found =
        map_get(&self->tables, (struct bytes){ (const uint8_t *)&id, sizeof id });
    if (found)
        self->newest_table = found;
    return found;
}

static void enter_table(struct log_source *self, struct log_table *entry)
{
    map_put(&self->tables, (struct bytes){ (const uint8_t *)&entry->id, sizeof entry->id }, entry);
    self->newest_table = entry;
}

/* A table that nobody announced: made while the log was off, or before what is left of the log. As
 * the server has it now, if that fits; else as the map names it. NULL: not a table to follow. */
static bool discover(struct log_source *self, const struct table_map *map, struct table **draft,
                     bool *is_there, struct error *err)
{
    struct arena *arena = &self->tables_arena;
    struct connection *metadata = log_metadata(self, err);
    if (!metadata ||
        !tables_read(metadata, self->options, map->database, map->name, arena, draft, err))
        return false;
    struct buf why;
    buf_init(&why, 400);
    *is_there = *draft != NULL;
    bool fits = *draft && (table_map_fits(map, *draft, &why) || history_is_hidden(map, *draft));
    buf_done(&why);
    if (fits)
        return true;
    *draft = NULL;
    /* Gone again without a trace of its shape: what follows in the log is its DROP. */
    if (!map->has_names || map_is_sequence(map))
        return true;
    return table_map_derive(map, NULL, &self->collations, arena, draft, err);
}

/* Another shape than the tracked one, told by the map's own names. */
static bool reshape(struct log_source *self, const struct table_map *map,
                    const struct table *tracked, struct table **draft, struct error *err)
{
    struct arena *arena = &self->tables_arena;
    if (!table_map_derive(map, tracked, &self->collations, arena, draft, err))
        return false;
    if (tracked->system_versioned && !table_column(tracked, BYTES_LITERAL("row_end")))
        history_hide(*draft, arena);
    return true;
}

/* ---- rows of a shape that nothing tells ---- */

static struct bytes unfit_key(const struct table *table)
{
    return (struct bytes){ (const uint8_t *)&table->id, sizeof table->id };
}

/* The map has no names (binlog_row_metadata is not FULL) and the table is another one by now: these
 * rows cannot be told apart. They are passed over and the table is read again, which is exact: the
 * server's shape is newer than theirs, so whatever is read now holds them. Once for each version:
 * *again stays false when it is known. */
static bool pass_over(struct log_source *self, struct batch *batch, const struct table_map *map,
                      const struct table *tracked, int64_t time_us, bool *again, struct error *err)
{
    uintptr_t known = (uintptr_t)map_get(&self->unfit, unfit_key(tracked));
    if (known == tracked->version)
        return true;
    struct arena *arena = &self->tables_arena;
    struct connection *metadata = log_metadata(self, err);
    struct table *draft;
    if (!metadata ||
        !tables_read(metadata, self->options, map->database, map->name, arena, &draft, err))
        return false;
    struct buf why;
    buf_init(&why, 400);
    bool fits = draft && table_map_fits(map, draft, &why);
    buf_done(&why);
    if (draft)
        log_put_shape(self, batch, tracked, draft, time_us);
    *again = true;
    if (fits)
        return true;
    log_warn(
        "table '%.*s.%.*s' was altered since, and the log's rows do not name their columns: it "
        "is read again (binlog_row_metadata=FULL avoids that)",
        BYTES_ARGS(map->database), BYTES_ARGS(map->name));
    const struct table *now =
        catalog_find(self->catalog, tracked->database, (struct bytes){ 0 }, tracked->name);
    log_put_resync(self, batch, now, time_us);
    map_put(&self->unfit, unfit_key(now), (void *)(uintptr_t)now->version);
    return true;
}

/* Makes the catalog follow the map, as a batch of its own: the map itself comes again behind it.
 * *again stays false where there is nothing to follow. */
static bool change_shape(struct log_source *self, struct batch *batch, const struct table_map *map,
                         const struct table *tracked, int64_t time_us, bool *again,
                         struct error *err)
{
    if (batch->count > 0) {
        *again = true;
        return true;
    }
    if (tracked && !map->has_names)
        return pass_over(self, batch, map, tracked, time_us, again, err);
    struct table *draft;
    bool is_there = false;
    bool known = tracked ? reshape(self, map, tracked, &draft, err)
                         : discover(self, map, &draft, &is_there, err);
    if (!known || !draft)
        return known;
    draft->database = tracked ? tracked->database : map->database;
    draft->name = tracked ? tracked->name : map->name;
    log_put_shape(self, batch, tracked, draft, time_us);
    if (is_there)
        log_put_resync(self, batch, draft, time_us);
    *again = true;
    return true;
}

static bool resolve_table(struct log_source *self, struct batch *batch, struct log_table *entry,
                          const struct table_map *map, int64_t time_us, bool *again,
                          struct error *err)
{
    const struct table *tracked =
        catalog_find(self->catalog, map->database, (struct bytes){ 0 }, map->name);
    const struct table *decoded = tracked;
    if (tracked && history_is_hidden(map, tracked))
        decoded = history_unhide(map, tracked, &self->tables_arena);
    struct buf why;
    buf_init(&why, 400);
    bool fits = tracked && table_map_fits(map, decoded, &why);
    buf_done(&why);
    if (!fits)
        return change_shape(self, batch, map, tracked, time_us, again, err);
    struct row_plan *plan;
    if (!row_plan_make(map, decoded, &self->collations, &self->tables_arena, &plan, err))
        return false;
    entry->table = tracked;
    entry->plan = plan;
    entry->history_end = tracked->system_versioned ? history_end_of(decoded) : -1;
    return true;
}

/* What cannot be read stops its table and not the stream: the table is parked, the others go on.
 * False: it is another kind of error. */
static bool refuse(struct log_source *self, const struct table *table, int64_t time_us,
                   const struct error *err)
{
    if (err->kind != ERROR_DATA || !table)
        return false;
    self->refused = table;
    self->refused_us = time_us;
    self->refusal = *err;
    error_context(&self->refusal, "binlog %s:%llu", self->file, (unsigned long long)self->offset);
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

bool log_table_map(struct log_source *self, struct batch *batch, struct bytes body, int64_t time_us,
                   bool *again, struct error *err)
{
    uint64_t id;
    struct bytes database, name;
    if (self->skipping)
        return true; /* nobody decodes its rows, and its shape may be long gone */
    if (!map_names(body, &id, &database, &name))
        return error_set(err, ERROR_RETRY, "a malformed TABLE_MAP event");
    const struct log_table *known = find_table(self, id);
    if (known && bytes_equal(known->body, body) &&
        known->catalog_generation == self->catalog->generation)
        return true;
    struct log_table *entry = arena_zalloc(&self->tables_arena, sizeof *entry);
    *entry = (struct log_table){ .id = id, .history_end = -1 };
    struct table_map *map;
    if (self->filter->matches(self->filter->context, database, (struct bytes){ 0 }, name) &&
        (!table_map_parse(body, self->mariadb, &self->tables_arena, &map, err) ||
         !resolve_table(self, batch, entry, map, time_us, again, err)) &&
        !refuse(self, catalog_find(self->catalog, database, (struct bytes){ 0 }, name), time_us,
                err))
        return false;
    if (*again)
        return true;
    entry->body = arena_copy(&self->tables_arena, body);
    entry->catalog_generation = self->catalog->generation;
    enter_table(self, entry);
    return true;
}

bool log_rows_go_on(struct log_source *self, struct batch *batch, struct error *err)
{
    uint32_t before = batch->count;
    bool end = true;
    struct log_table *entry = self->cursor_table;
    const struct table *table = entry->table;
    if (!rows_decode(&self->cursor, batch, &end, err)) {
        if (!refuse(self, table, self->cursor.time_us, err))
            return error_context(err, "binlog %s:%llu", self->file,
                                 (unsigned long long)self->offset);
        end = true;
        entry->table = NULL; /* no more of it */
    }
    self->cursor_active = !end;
    if (entry->history_end >= 0)
        history_sort(table, (uint16_t)entry->history_end, batch, before);
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
    struct log_table *entry = find_table(self, event.table_id);
    if (!entry)
        return error_set(err, ERROR_RETRY,
                         "binlog %s:%llu: rows of a table that no TABLE_MAP named", self->file,
                         (unsigned long long)self->offset);
    if (!entry->table)
        return true;
    self->cursor = (struct rows_cursor){ .event = event,
                                         .plan = entry->plan,
                                         .time_us = (int64_t)header->time * 1000000 };
    self->cursor_table = entry;
    return log_rows_go_on(self, batch, err);
}
