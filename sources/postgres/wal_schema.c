/* SPDX-License-Identifier: Apache-2.0
 *
 * Relation messages to table versions. A Relation message is the truth about names, types and the
 * identity at its place in the log, and says nothing else: whether a column may be NULL, defaults,
 * comments and the numbers that tell a rename from a drop and an add are looked up in the system
 * catalog, which may be ahead of the log. Three shapes meet: the message's, the tracked version's,
 * and the catalog's:
 *   - message = tracked: the plan is made; what only the catalog knows is brought up to date when
 *     the catalog agrees with the message too.
 *   - message = catalog: the table was altered; the version of the catalog comes next.
 *   - tracked = catalog: the log is behind (the tables were listed after the change); the table is
 *     read again, which passes over all that is older.
 *   - three different shapes: a version between, of the message's columns with what is known.
 * So the catalog must not be older than the message: see wait_visible(). A table is known by its
 * OID, so that a new name is a rename; the same name under another OID is another table. What rows
 * from before a change hold stands in wal_fill.c. */
#include "sources/postgres/wal.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "schema/diff.h"
#include "sources/postgres/ddl_trigger.h"
#include "sources/postgres/token.h"
#include "sources/postgres/types.h"

/* ---- putting events ---- */

static struct schema_change *put_change(struct wal_source *self, struct batch *batch,
                                        enum change_kind kind, const struct table *before,
                                        const struct table *after)
{
    wal_announce(self, batch);
    struct schema_change *change = arena_zalloc(&batch->arena, sizeof *change);
    *change = (struct schema_change){ .kind = kind, .before = before, .after = after };
    struct event *event = batch_add(batch);
    event->op = EVENT_SCHEMA;
    event->table = after ? after : before;
    event->change = change;
    event->time_us = self->time_us;
    event->mark = wal_schema_mark(self);
    wal_schema_marked(self);
    return change;
}

static void put_drop(struct wal_source *self, struct batch *batch, const struct table *table,
                     bool left)
{
    put_change(self, batch, CHANGE_DROP_TABLE, table, NULL)->left = left;
    catalog_drop(self->catalog, table);
}

static void put_resync(struct wal_source *self, struct batch *batch, const struct table *table)
{
    put_change(self, batch, CHANGE_RESYNC_TABLE, NULL, table);
}

static const struct table *put_version(struct wal_source *self, const struct table *draft,
                                       const struct table *tracked)
{
    return catalog_put(self->catalog, draft, tracked, wal_schema_mark(self));
}

const struct table *wal_table_of(const struct wal_source *self, uint32_t oid)
{
    for (struct map_entry *entry = NULL; (entry = map_next(&self->catalog->by_name, entry));) {
        const struct table *table = entry->value;
        if (table->source_id == oid)
            return table;
    }
    return NULL;
}

static bool wanted(const struct wal_source *self, const struct table *table)
{
    return self->filter->matches(self->filter->context, table->database, table->schema,
                                 table->name);
}

/* The name belongs to another table now: the one that had it is gone, or goes by another name,
 * under which it will be met as a new one. */
static void vacate(struct wal_source *self, struct batch *batch, const struct table *draft)
{
    const struct table *other =
        catalog_find(self->catalog, draft->database, draft->schema, draft->name);
    if (other && other->source_id != draft->source_id)
        put_drop(self, batch, other, false);
}

static const struct table *put_create(struct wal_source *self, struct batch *batch,
                                      const struct table *draft, struct error *err)
{
    if (!wal_raise_floor(self, err))
        return NULL;
    vacate(self, batch, draft);
    const struct table *table = put_version(self, draft, NULL);
    put_change(self, batch, CHANGE_CREATE_TABLE, NULL, table);
    put_resync(self, batch, table); /* what it held before it was met */
    return table;
}

/* ---- comparing ---- */

static bool same_columns(const struct table *a, const struct table *b)
{
    if (a->column_count != b->column_count || a->key_count != b->key_count)
        return false;
    for (uint16_t i = 0; i < a->column_count; i++)
        if (!bytes_equal(a->columns[i].name, b->columns[i].name) ||
            !type_equal(&a->columns[i].type, &b->columns[i].type) ||
            a->columns[i].key_order != b->columns[i].key_order)
            return false;
    return true;
}

static bool same_name(const struct table *a, const struct table *b)
{
    return bytes_equal(a->schema, b->schema) && bytes_equal(a->name, b->name);
}

/* The same number under another name: a rename. */
static void find_renames(const struct table *before, const struct table *after, struct arena *arena,
                         struct schema_change *change)
{
    struct column_rename *renames = arena_array(arena, after->column_count + 1u, sizeof *renames);
    uint16_t count = 0;
    for (uint16_t i = 0; i < after->column_count; i++) {
        const struct column *column = &after->columns[i];
        const struct column *old = wal_column_by_id(before, column->source_id);
        if (old && !bytes_equal(old->name, column->name))
            renames[count++] = (struct column_rename){ old->name, column->name };
    }
    change->renames = renames;
    change->rename_count = count;
}

/* ---- the shape of a message ---- */

static struct bytes relation_schema(const struct pgoutput_relation *relation)
{
    return relation->schema.size ? relation->schema : BYTES_LITERAL("pg_catalog");
}

/* Reads the types that neither the catalog nor the tracked version can vouch for. */
static bool relation_types(struct wal_source *self, const struct pgoutput_relation *relation,
                           struct arena *arena, struct user_types *out, struct error *err)
{
    uint32_t *oids = arena_array(arena, relation->column_count + 1u, sizeof *oids);
    for (uint16_t i = 0; i < relation->column_count; i++)
        oids[i] = relation->columns[i].type;
    return user_types_read(self->metadata, self->options, oids, relation->column_count, arena, out,
                           err);
}

/* The key as the message tells it, where neither of the others can: the flags of its columns. */
static void derive_key(const struct pgoutput_relation *relation, const struct table *model,
                       bool identified, struct column *columns)
{
    uint16_t found = 0, flagged = 0;
    for (uint16_t i = 0; i < relation->column_count; i++) {
        const struct column *known = wal_column_named(model, relation->columns[i].name);
        if (!identified)
            columns[i].key_order = known ? known->key_order : 0;
        found = (uint16_t)(found + (columns[i].key_order > 0));
    }
    if (model && found == model->key_count)
        return;
    for (uint16_t i = 0; i < relation->column_count; i++)
        columns[i].key_order =
            relation->identity != 'f' && relation->columns[i].key ? ++flagged : 0;
}

/* A column of the message: by its number, or else by its name, and then it has no number where the
 * catalog may be ahead. */
static struct column derive_column(const struct pgoutput_column *from, uint32_t id,
                                   const struct table *live, const struct table *tracked)
{
    const struct column *known =
        id ? wal_column_by_id(live, id) : wal_column_named(live, from->name);
    const struct column *old =
        id ? wal_column_by_id(tracked, id) : wal_column_named(tracked, from->name);
    struct column column = known ? *known : old ? *old : (struct column){ .nullable = true };
    column.source_id = id ? id : !live && old ? old->source_id : 0;
    column.name = from->name;
    return column;
}

/* `ids`: numbers of the columns; NULL: not known. */
static struct table *derive(const struct pgoutput_relation *relation, const struct table *live,
                            const struct table *tracked, const uint32_t *ids,
                            const struct user_types *users, struct bytes database,
                            struct arena *arena)
{
    const struct table *model = tracked ? tracked : live;
    struct table *table = arena_zalloc(arena, sizeof *table);
    struct column *columns = arena_array(arena, relation->column_count + 1u, sizeof *columns);
    table->columns_ever = tracked ? tracked->columns_ever : 0;
    for (uint16_t i = 0; i < relation->column_count; i++) {
        const struct pgoutput_column *from = &relation->columns[i];
        columns[i] = derive_column(from, ids ? ids[i] : 0, live, tracked);
        columns[i].type = postgres_type(from->type, from->typmod, users);
        if (columns[i].source_id > table->columns_ever)
            table->columns_ever = columns[i].source_id;
    }
    derive_key(relation, live && relation->identity != 'n' ? live : model, ids != NULL, columns);
    for (uint16_t i = 0; i < relation->column_count; i++)
        postgres_key_type(&columns[i]);
    table->database = database;
    table->schema = relation_schema(relation);
    table->name = relation->name;
    table->source_id = relation->oid;
    table->comment = model ? model->comment : (struct bytes){ 0 };
    table->key_name = model ? model->key_name : (struct bytes){ 0 };
    table->leaves = model ? model->leaves : (struct bytes){ 0 };
    table->storage = tracked ? tracked->storage : 0;
    table->columns = columns;
    table->column_count = relation->column_count;
    table_index_keys(arena, table);
    return table;
}

/* ---- plans ---- */

static void forget(struct wal_relation *relation)
{
    arena_done(&relation->arena);
    free(relation);
}

void wal_forget_relations(struct wal_source *self)
{
    for (struct map_entry *entry = NULL; (entry = map_next(&self->relations, entry));)
        forget(entry->value);
    map_done(&self->relations);
    self->newest = NULL;
}

static void enter(struct wal_source *self, struct wal_relation *relation)
{
    struct bytes key = { (const uint8_t *)&relation->oid, sizeof relation->oid };
    struct wal_relation *old = map_get(&self->relations, key);
    map_put(&self->relations, key, relation);
    if (old)
        forget(old);
    self->newest = NULL;
}

static uint16_t place_of(const struct table *table, struct bytes name)
{
    for (uint16_t i = 0; i < table->column_count; i++)
        if (bytes_equal(table->columns[i].name, name))
            return i;
    return NO_COLUMN;
}

static void plan(struct wal_source *self, const struct pgoutput_relation *from,
                 const struct table *table, bool behind)
{
    struct wal_relation *relation = memory_zalloc(1, sizeof *relation);
    relation->oid = from->oid;
    relation->table = table;
    relation->count = from->column_count;
    relation->behind = behind;
    enter(self, relation);
    if (!table)
        return;
    struct arena *arena = &relation->arena;
    relation->cells = arena_array(arena, from->column_count + 1u, sizeof *relation->cells);
    relation->missing = arena_array(arena, table->column_count + 1u, sizeof *relation->missing);
    bool *met = arena_array(arena, table->column_count + 1u, sizeof *met);
    for (uint16_t i = 0; i < from->column_count; i++) {
        struct cell_plan *cell = &relation->cells[i];
        cell->target = place_of(table, from->columns[i].name);
        cell->key = from->columns[i].key;
        if (cell->target == NO_COLUMN)
            continue;
        met[cell->target] = true;
        cell->type = &table->columns[cell->target].type;
        cell->decoder = text_decoder_of(cell->type);
    }
    for (uint16_t i = 0; i < table->column_count; i++)
        if (!met[i])
            relation->missing[relation->missing_count++] = i;
}

/* ---- a relation ---- */

/* A commit is in the log before other sessions see it: what is looked up must not be older. One
 * that waits for a synchronous standby is not waited for: then `seen` is false. */
static bool wait_visible(struct wal_source *self, bool *seen, struct error *err)
{
    enum { TICK_US = 2000, TICKS_MAX = 1000 };
    bool ok = true;
    *seen = self->seen_xid == self->xid;
    for (int tick = 0; ok && !*seen && tick < TICKS_MAX; tick++) {
        struct arena arena = { 0 };
        struct snapshot_text snapshot;
        if (tick > 0)
            clock_sleep_us(TICK_US);
        ok = wal_snapshot_now(self, &arena, &snapshot, err);
        *seen = ok && snapshot_sees(&snapshot, self->xid);
        arena_done(&arena);
    }
    if (*seen)
        self->seen_xid = self->xid;
    return ok;
}

struct meeting {
    struct wal_source *self;
    struct batch *batch;
    struct arena arena;
    struct pgoutput_relation relation;
    const struct table *tracked;
    struct listed_table *live; /* NULL: gone, or a partition */
    struct table *shape;       /* the message's */
    bool guessed;              /* its columns are known by their names alone */
};

/* One of the renames whose new name is free by now, and was not from the beginning; a rename that
 * stands alone needs no step of its own. */
static const struct column_rename *next_rename(const struct schema_change *change,
                                               const struct table *first, const struct table *now)
{
    bool meets = false;
    for (uint16_t i = 0; i < change->rename_count; i++)
        meets |= wal_column_named(first, change->renames[i].to) != NULL;
    for (uint16_t i = 0; meets && i < change->rename_count; i++)
        if (wal_column_named(now, change->renames[i].from) &&
            !wal_column_named(now, change->renames[i].to))
            return &change->renames[i];
    return NULL;
}

/* A target cannot give a column a name that another one still has: such renames go one by one. */
static const struct table *put_renames(struct meeting *m, const struct table *before,
                                       const struct table *draft)
{
    struct schema_change all = { .kind = CHANGE_ALTER_TABLE };
    const struct table *now = before;
    const struct column_rename *one;
    find_renames(before, draft, &m->arena, &all);
    while ((one = next_rename(&all, before, now))) {
        struct table *step = table_copy(&m->arena, now);
        struct column *columns = arena_array(&m->arena, now->column_count, sizeof *columns);
        memcpy(columns, step->columns, now->column_count * sizeof *columns);
        for (uint16_t i = 0; i < now->column_count; i++)
            if (bytes_equal(columns[i].name, one->from))
                columns[i].name = one->to;
        step->columns = columns;
        const struct table *after = put_version(m->self, step, now);
        struct schema_change *change =
            put_change(m->self, m->batch, CHANGE_ALTER_TABLE, now, after);
        find_renames(now, after, &m->batch->arena, change);
        now = after;
    }
    return now;
}

static void put_step(struct meeting *m, const struct table *draft, bool rereads)
{
    struct wal_source *self = m->self;
    const struct table *before = put_renames(m, m->tracked, draft);
    bool renamed = !same_name(before, draft);
    if (renamed)
        vacate(self, m->batch, draft);
    const struct table *after = put_version(self, draft, before);
    struct schema_change *change = put_change(
        self, m->batch, renamed ? CHANGE_RENAME_TABLE : CHANGE_ALTER_TABLE, before, after);
    find_renames(before, after, &m->batch->arena, change);
    bool circle = false; /* names that changed places: read again instead */
    for (uint16_t i = 0; i < change->rename_count; i++)
        circle |= wal_column_named(before, change->renames[i].to) != NULL;
    if (circle)
        change->rename_count = 0;
    change->rereads = circle || rereads;
    if (change->rereads)
        put_resync(self, m->batch, after);
    m->tracked = after;
}

/* Columns come with what the rows hold in them, and get their default behind that. */
static void put_alter(struct meeting *m, const struct table *draft, bool guessed)
{
    const struct table *filled = wal_fill_table(m->tracked, draft, m->live, &m->arena);
    bool rereads = guessed || wal_fill_rereads(m->tracked, filled, m->live);
    if (filled != draft && !rereads)
        put_step(m, filled, false);
    put_step(m, draft, rereads);
}

/* What the catalog knows beyond the shape: it counts when the shape is the same. */
static bool details_differ(const struct table *tracked, const struct table *live,
                           struct arena *arena)
{
    size_t count;
    struct schema_change change = { .kind = CHANGE_ALTER_TABLE, .before = tracked, .after = live };
    find_renames(tracked, live, arena, &change);
    diff_tables(&change, arena, &count);
    return count > 0 || wal_columns_unknown(tracked) || wal_fill_replaces(tracked, live);
}

static bool meet_tracked(struct meeting *m)
{
    const struct table *live = m->live ? m->live->table : NULL;
    bool is_live = live && same_columns(live, m->shape) && same_name(live, m->shape);
    if (same_columns(m->shape, m->tracked) && same_name(m->shape, m->tracked)) {
        if (is_live && details_differ(m->tracked, live, &m->arena))
            put_alter(m, live, false);
        plan(m->self, &m->relation, m->tracked, false);
        return true;
    }
    bool log_is_behind = live && same_columns(live, m->tracked) && same_name(live, m->tracked);
    if (log_is_behind) {
        const struct wal_relation *known =
            map_get(&m->self->relations, (struct bytes){ (const uint8_t *)&m->relation.oid, 4 });
        if (!known || !known->behind)
            put_resync(m->self, m->batch, m->tracked);
        plan(m->self, &m->relation, m->tracked, true);
        return true;
    }
    put_alter(m, is_live ? live : m->shape, m->guessed);
    plan(m->self, &m->relation, m->tracked, false);
    return true;
}

static bool meet_new(struct meeting *m, struct error *err)
{
    const struct table *table = m->live ? m->live->table : NULL;
    if (!table || !wanted(m->self, table)) {
        plan(m->self, &m->relation, NULL, false); /* a partition, or gone without a trace */
        return true;
    }
    const struct table *made = put_create(m->self, m->batch, table, err);
    if (made)
        plan(m->self, &m->relation, made, !same_columns(m->shape, made));
    return made != NULL;
}

static bool meet(struct meeting *m, bool *again, struct error *err)
{
    struct wal_source *self = m->self;
    struct bytes database = self->database;
    m->tracked = wal_table_of(self, m->relation.oid);
    bool captured = self->filter->matches(self->filter->context, database,
                                          relation_schema(&m->relation), m->relation.name);
    if (!captured && !m->tracked) {
        plan(self, &m->relation, NULL, false);
        return true;
    }
    if (m->batch->count > 0) {
        *again = true; /* a change of shape may come of it */
        return true;
    }
    struct user_types users;
    bool seen;
    if (!wait_visible(self, &seen, err) ||
        !listed_table_read(self->metadata, self->options, m->relation.oid, self->generated,
                           &m->arena, &m->live, err) ||
        !relation_types(self, &m->relation, &m->arena, &users, err))
        return false;
    if (!seen)
        m->live = NULL; /* older than the message, which would look like one of long ago */
    const struct table *live = m->live ? m->live->table : NULL;
    const uint32_t *ids =
        wal_columns_identify(m->tracked, live, m->relation.column_count, &m->arena);
    m->guessed = live && !ids;
    m->shape = derive(&m->relation, live, m->tracked, ids, &users, database, &m->arena);
    if (!captured) {
        put_drop(self, m->batch, m->tracked, true); /* renamed out of the captured tables */
        plan(self, &m->relation, NULL, false);
        return true;
    }
    return m->tracked ? meet_tracked(m) : meet_new(m, err);
}

bool wal_relation(struct wal_source *self, struct batch *batch, struct bytes message, bool *again,
                  struct error *err)
{
    struct meeting m = { .self = self, .batch = batch };
    *again = false;
    bool ok = pgoutput_relation_parse(message, &m.arena, &m.relation) ||
              error_set(err, ERROR_RETRY, "a malformed Relation message in the server's log");
    ok = ok && meet(&m, again, err);
    arena_done(&m.arena);
    return ok;
}

/* ---- TRUNCATE ---- */

bool wal_truncate(struct wal_source *self, struct batch *batch, struct bytes message, bool *again,
                  struct error *err)
{
    struct pgoutput_truncate truncate;
    *again = batch->count > 0;
    if (*again)
        return true;
    if (!pgoutput_truncate_parse(message, &truncate))
        return error_set(err, ERROR_RETRY, "a malformed TRUNCATE in the server's log");
    uint64_t mark = wal_row_mark(self);
    for (uint32_t i = 0; i < truncate.count; i++) {
        const struct table *table = wal_table_of(self, (uint32_t)reader_be(&truncate.oids, 4));
        if (!table)
            continue;
        put_change(self, batch, CHANGE_TRUNCATE_TABLE, table, table);
        batch->events[batch->count - 1].mark = mark;
    }
    return true;
}

/* ---- our own messages: see wal_discover.c ---- */

/* A statement of a table that is followed: the catalog is what it made, if the sums agree. */
static bool look_at_shape(struct meeting *m, const struct table *live, struct bytes sum,
                          struct error *err)
{
    struct wal_source *self = m->self;
    struct bytes now;
    bool rewritten = self->rewritten == live->source_id;
    self->rewritten = 0;
    if (!ddl_trigger_shape(self->metadata, live->source_id, &m->arena, &now, err))
        return false;
    if (!bytes_equal(now, sum))
        return true;
    bool changed = !same_name(live, m->tracked) || !same_columns(live, m->tracked) ||
                   details_differ(m->tracked, live, &m->arena);
    if (changed)
        put_alter(m, live, false);
    const struct event *last = m->batch->count ? &m->batch->events[m->batch->count - 1] : NULL;
    if (rewritten && !(last && last->change->kind == CHANGE_RESYNC_TABLE))
        put_resync(self, m->batch, m->tracked);
    return true;
}

/* The shape is left to the log, which tells it with the next row. */
static bool look_at_leaves(struct meeting *m, const struct table *live, struct error *err)
{
    struct table draft = *m->tracked;
    bool rows = false;
    if (m->tracked->leaves.data &&
        !wal_leaves_move_rows(m->self, m->tracked->leaves, live->leaves, &rows, err))
        return false;
    draft.leaves = live->leaves;
    put_alter(m, &draft, false);
    if (rows && !wal_raise_floor(m->self, err))
        return false;
    if (rows)
        put_resync(m->self, m->batch, m->tracked);
    return true;
}

static bool look(struct meeting *m, uint32_t oid, const char *verb, struct bytes sum,
                 struct error *err)
{
    struct wal_source *self = m->self;
    m->tracked = wal_table_of(self, oid);
    if (!listed_table_read(self->metadata, self->options, oid, self->generated, &m->arena, &m->live,
                           err))
        return false;
    const struct table *live = m->live ? m->live->table : NULL;
    bool follows = live && wanted(self, live);
    if (m->tracked && !follows)
        put_drop(self, m->batch, m->tracked, live != NULL);
    else if (!m->tracked && follows)
        return put_create(self, m->batch, live, err) != NULL;
    else if (m->tracked && sum.size > 0)
        return look_at_shape(m, live, sum, err);
    else if (m->tracked && wal_leaves_differ(live->leaves, m->tracked->leaves))
        return look_at_leaves(m, live, err);
    else if (m->tracked && !same_name(live, m->tracked) && same_columns(live, m->tracked))
        put_alter(m, live, false);
    else if (m->tracked && strcmp(verb, "read") == 0 && wal_raise_floor(self, err))
        put_resync(self, m->batch, m->tracked);
    return true;
}

/* Message := verb ' ' OID [' ' sum of the shape]: wal_discover.c, ddl_trigger.c. */
static bool obey(struct meeting *m, const char *text, struct error *err)
{
    struct wal_source *self = m->self;
    unsigned long number = 0;
    char verb[8] = "", sum[33] = "";
    sscanf(text, "%7s %lu %32s", verb, &number, sum);
    uint32_t oid = (uint32_t)number;
    if (strcmp(verb, "rewrite") == 0) {
        self->rewritten = oid;
        return true;
    }
    if (sum[0] && !wal_table_of(self, oid)) {
        self->discovered_us = 0; /* a table that was made: it may have to be published first */
        return true;
    }
    map_remove(&self->asked, (struct bytes){ (const uint8_t *)&oid, sizeof oid });
    return oid == 0 || look(m, oid, verb, bytes_from(sum), err);
}

static bool hear(struct wal_source *self, struct batch *batch, struct bytes text, struct error *err)
{
    struct meeting m = { .self = self, .batch = batch };
    bool seen; /* if not, rows or the next look tell it later */
    bool ok = wait_visible(self, &seen, err) && obey(&m, arena_text(&m.arena, text), err);
    arena_done(&m.arena);
    return ok;
}

bool wal_noted(struct wal_source *self, struct batch *batch, struct error *err)
{
    bool ok = true;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->note_count; i++) {
        struct wal_note note = self->notes[i];
        char text[32];
        if (note.xid != self->xid) {
            self->notes[kept++] = note;
            continue;
        }
        snprintf(text, sizeof text, "%s %u", note.verb, note.oid);
        ok = ok && hear(self, batch, bytes_from(text), err);
    }
    self->note_count = kept;
    return ok;
}

bool wal_message(struct wal_source *self, struct batch *batch, struct bytes message, bool *again,
                 struct error *err)
{
    struct pgoutput_message parsed;
    *again = false;
    if (!pgoutput_message_parse(message, &parsed))
        return error_set(err, ERROR_RETRY, "a malformed logical message in the server's log");
    if (!parsed.transactional || !self->inside || !bytes_is(parsed.prefix, wal_message_prefix))
        return true;
    *again = batch->count > 0;
    if (*again)
        return true;
    return hear(self, batch, parsed.content, err);
}
