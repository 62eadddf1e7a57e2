/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements of the log: what they do to the catalog, and the schema events that tell it on. What
 * is not understood is looked up on the server and compared; nothing here ever stops the stream. */
#include "engine/base/log.h"
#include "schema/diff.h"
#include "schema/fill.h"
#include "schema/mysql_ddl.h"
#include "sources/mysql/log.h"

enum { SQL_SHOWN_MAX = 400 };

/* A table as the server has it now, asked for before anything is changed: an error in the middle of
 * a statement would leave the catalog ahead of what was told. */
struct fetched {
    struct ddl_name name;
    struct table *draft;
    struct fetched *next;
};

struct statement {
    struct log_source *self;
    struct batch *batch;
    struct bytes sql;
    int64_t time_us;
    struct arena *arena;
    struct fetched *fetched;
    bool strict; /* what does not fit its new column fails, and is not altered */
};

static struct schema_change *change_add(struct batch *batch, enum change_kind kind,
                                        const struct table *before, const struct table *after,
                                        struct bytes sql, int64_t time_us)
{
    struct schema_change *change = arena_zalloc(&batch->arena, sizeof *change);
    *change = (struct schema_change){ .kind = kind, .before = before, .after = after };
    sql.size = sql.size > SQL_SHOWN_MAX ? SQL_SHOWN_MAX : sql.size;
    change->sql = arena_copy(&batch->arena, sql);
    struct event *event = batch_add(batch);
    *event = (struct event){
        .op = EVENT_SCHEMA, .table = after ? after : before, .change = change, .time_us = time_us
    };
    return change;
}

static uint64_t next_mark(const struct log_source *self)
{
    return mark_make(self->commit, self->row);
}

static bool wanted(const struct log_source *self, struct ddl_name name)
{
    return self->filter->matches(self->filter->context, name.database, (struct bytes){ 0 },
                                 name.name);
}

static const struct table *tracked(const struct log_source *self, struct ddl_name name)
{
    return catalog_find(self->catalog, name.database, (struct bytes){ 0 }, name.name);
}

bool log_same_shape(const struct table *a, const struct table *b, struct arena *arena)
{
    const struct schema_change change = { .kind = CHANGE_ALTER_TABLE, .before = a, .after = b };
    size_t count;
    diff_tables(&change, arena, &count);
    return count == 0 && a->column_count == b->column_count &&
           a->system_versioned == b->system_versioned;
}

/* ---- what a table becomes ---- */

/* What changes a table, and how much of it is known. */
struct reshaping {
    const struct table *before, *draft;
    const struct column_rename *renames;
    uint16_t rename_count;
    bool strict;
    bool fills;   /* rows have values that only reading tells */
    bool guessed; /* two shapes are compared: a column that seems new may be a renamed one */
};

static bool has_other(const struct table *table, struct bytes name, struct bytes own)
{
    const struct column *found = table_column(table, name);
    return found && found != table_column(table, own);
}

/* Names that change hands within the statement: a target cannot follow step by step, for after a
 * crash it could not tell how far it got. */
static bool names_move(const struct reshaping *shaping)
{
    for (uint16_t i = 0; i < shaping->rename_count; i++) {
        const struct column_rename *rename = &shaping->renames[i];
        if (has_other(shaping->before, rename->to, rename->from) ||
            has_other(shaping->draft, rename->from, rename->to))
            return true;
    }
    return false;
}

static bool adds_columns(const struct table *before, const struct table *after)
{
    for (uint16_t i = 0; i < after->column_count; i++)
        if (!table_column(before, after->columns[i].name))
            return true;
    return false;
}

static void put_resync(struct batch *batch, const struct table *table, struct bytes sql,
                       int64_t time_us)
{
    change_add(batch, CHANGE_RESYNC_TABLE, table, table, sql, time_us);
}

/* The new version, and behind it the reading of the rows where they changed without events. */
static void put_reshaped(struct log_source *self, struct batch *batch, struct reshaping *shaping,
                         struct bytes sql, int64_t time_us)
{
    if (names_move(shaping)) {
        shaping->rename_count = 0;
        shaping->fills = true;
    }
    const struct table *before = shaping->before;
    const struct table *after = catalog_put(self->catalog, shaping->draft, before, next_mark(self));
    struct schema_change *change =
        change_add(batch, CHANGE_ALTER_TABLE, before, after, sql, time_us);
    struct column_rename *kept =
        arena_array(&batch->arena, shaping->rename_count + 1u, sizeof *kept);
    for (uint16_t i = 0; i < shaping->rename_count; i++)
        kept[i] = (struct column_rename){ arena_copy(&batch->arena, shaping->renames[i].from),
                                          arena_copy(&batch->arena, shaping->renames[i].to) };
    change->renames = kept;
    change->rename_count = shaping->rename_count;
    change->rereads = shaping->fills || (shaping->guessed && adds_columns(before, after)) ||
                      fill_needs_reading(change, shaping->strict, &batch->arena);
    if (change->rereads)
        put_resync(batch, after, sql, time_us);
}

void log_put_shape(struct log_source *self, struct batch *batch, const struct table *before,
                   const struct table *draft, int64_t time_us)
{
    if (before) {
        struct reshaping shaping = { .before = before, .draft = draft, .guessed = true };
        put_reshaped(self, batch, &shaping, (struct bytes){ 0 }, time_us);
        return;
    }
    const struct table *after = catalog_put(self->catalog, draft, NULL, next_mark(self));
    change_add(batch, CHANGE_CREATE_TABLE, NULL, after, (struct bytes){ 0 }, time_us);
}

void log_put_resync(struct log_source *self, struct batch *batch, const struct table *draft,
                    int64_t time_us)
{
    const struct table *table = tracked(self, (struct ddl_name){ draft->database, draft->name });
    put_resync(batch, table, (struct bytes){ 0 }, time_us);
}

void log_put_refusal(struct log_source *self, struct batch *batch)
{
    change_add(batch, CHANGE_PARK_TABLE, self->refused, self->refused,
               bytes_from(self->refusal.message), self->refused_us);
    self->refused = NULL;
}

static void put_create(const struct statement *s, const struct table *draft)
{
    const struct table *after = catalog_put(s->self->catalog, draft, NULL, next_mark(s->self));
    change_add(s->batch, CHANGE_CREATE_TABLE, NULL, after, s->sql, s->time_us);
}

static void put_drop(const struct statement *s, const struct table *table)
{
    catalog_drop(s->self->catalog, table);
    change_add(s->batch, CHANGE_DROP_TABLE, table, NULL, s->sql, s->time_us);
}

/* The table left the captured ones: it is no longer followed, and its target stays as it is. */
static void put_left(const struct statement *s, const struct table *table)
{
    catalog_drop(s->self->catalog, table);
    struct schema_change *change =
        change_add(s->batch, CHANGE_DROP_TABLE, table, NULL, s->sql, s->time_us);
    change->left = true;
}

static const struct fetched *find_fetched(const struct statement *s, struct ddl_name name)
{
    for (const struct fetched *item = s->fetched; item; item = item->next)
        if (bytes_equal(item->name.database, name.database) &&
            bytes_equal(item->name.name, name.name))
            return item;
    return NULL;
}

static bool fetch(struct statement *s, struct ddl_name name, struct error *err)
{
    if (find_fetched(s, name))
        return true;
    struct connection *metadata = log_metadata(s->self, err);
    struct table *draft;
    if (!metadata ||
        !tables_read(metadata, s->self->options, name.database, name.name, s->arena, &draft, err))
        return false;
    struct fetched *item = arena_alloc(s->arena, sizeof *item);
    *item = (struct fetched){ name, draft, s->fetched };
    s->fetched = item;
    return true;
}

/* The table as the server has it now. False: it cannot be asked. */
static bool read_now(struct statement *s, struct ddl_name name, struct table **draft,
                     struct error *err)
{
    if (!fetch(s, name, err))
        return false;
    *draft = find_fetched(s, name)->draft;
    return true;
}

/* May applying it ask the server for a table? Too often is no harm. */
static bool fetch_for(struct statement *s, const struct ddl_statement *ddl, struct error *err)
{
    bool untold = ddl->kind == DDL_CREATE_TABLE &&
                  (ddl->like.name.data ? !tracked(s->self, ddl->like) : !ddl->created);
    if ((untold || ddl->kind == DDL_REREAD_TABLE) && wanted(s->self, ddl->name))
        return fetch(s, ddl->name, err);
    if (ddl->kind == DDL_RENAME_TABLE && wanted(s->self, ddl->to) && !tracked(s->self, ddl->name))
        return fetch(s, ddl->to, err);
    return true;
}

/* Compares the table with the server's and follows it. */
static bool reread(struct statement *s, struct ddl_name name, struct error *err)
{
    if (!wanted(s->self, name))
        return true;
    struct table *draft;
    if (!read_now(s, name, &draft, err))
        return false;
    const struct table *table = tracked(s->self, name);
    if (!draft)
        return true; /* gone meanwhile: its DROP will come */
    if (!table)
        put_create(s, draft);
    else if (!log_same_shape(table, draft, s->arena)) {
        struct reshaping shaping = { .before = table, .draft = draft, .guessed = true };
        put_reshaped(s->self, s->batch, &shaping, s->sql, s->time_us);
    }
    return true;
}

static bool on_create(struct statement *s, const struct ddl_statement *ddl, struct error *err)
{
    if (!wanted(s->self, ddl->name))
        return true;
    const struct table *old = tracked(s->self, ddl->name);
    if (old && !ddl->or_replace)
        return true; /* IF NOT EXISTS, or seen in a snapshot of the catalog that is newer */
    if (old)
        put_drop(s, old);
    if (ddl->like.name.data) {
        const struct table *model = tracked(s->self, ddl->like);
        if (!model)
            return reread(s, ddl->name, err);
        struct table *draft = table_copy(s->arena, model);
        draft->database = ddl->name.database;
        draft->name = ddl->name.name;
        put_create(s, draft);
        return true;
    }
    if (!ddl->created)
        return reread(s, ddl->name, err);
    struct table *draft = table_copy(s->arena, ddl->created);
    tables_settle(draft, s->self->options, s->arena);
    put_create(s, draft);
    return true;
}

static bool on_rename(struct statement *s, struct ddl_name from, struct ddl_name to,
                      struct error *err)
{
    const struct table *table = tracked(s->self, from);
    bool into = wanted(s->self, to);
    if (table && !into) {
        put_left(s, table);
        return true;
    }
    /* Already there under the new name: the catalog was read after this statement had run. */
    if (table && tracked(s->self, to)) {
        put_drop(s, table);
        return true;
    }
    if (!table && into) {
        if (!reread(s, to, err))
            return false;
        const struct table *made = tracked(s->self, to);
        if (made)
            put_resync(s->batch, made, s->sql, s->time_us); /* its rows were never sent */
        return true;
    }
    if (!table)
        return true;
    struct table *draft = table_copy(s->arena, table);
    draft->database = to.database;
    draft->name = to.name;
    const struct table *after = catalog_put(s->self->catalog, draft, table, next_mark(s->self));
    change_add(s->batch, CHANGE_RENAME_TABLE, table, after, s->sql, s->time_us);
    return true;
}

static bool on_alter(struct statement *s, const struct ddl_statement *ddl, struct error *err)
{
    const struct table *table = tracked(s->self, ddl->name);
    if (!table)
        return true;
    struct table *draft;
    struct reshaping shaping = { .before = table,
                                 .strict = s->strict && !ddl->ignores,
                                 .fills = ddl->fills_rows || ddl->ignores };
    if (!ddl_apply(table, ddl, s->arena, &draft, &shaping.renames, &shaping.rename_count)) {
        if (!reread(s, ddl->name, err))
            return false;
    } else {
        draft->database = table->database;
        draft->name = table->name;
        tables_settle(draft, s->self->options, s->arena);
        shaping.draft = draft;
        if (shaping.rename_count > 0 || shaping.fills || !log_same_shape(table, draft, s->arena))
            put_reshaped(s->self, s->batch, &shaping, s->sql, s->time_us);
    }
    for (uint16_t i = 0; i < ddl->alter_count; i++)
        if (ddl->alters[i].kind == ALTER_RENAME_TABLE &&
            !on_rename(s, ddl->name, ddl->alters[i].to, err))
            return false;
    return true;
}

/* INSERT, UPDATE, DELETE as a text: another session's binlog_format. Its rows are not in the log,
 * nor what its triggers did. */
static void on_statement_dml(const struct statement *s, const struct ddl_statement *ddl)
{
    const struct catalog *catalog = s->self->catalog;
    const struct table *named = ddl->name.name.data ? tracked(s->self, ddl->name) : NULL;
    if (ddl->name.name.data && !named)
        return;
    struct bytes what = named ? named->name : BYTES_LITERAL("every table");
    log_warn("a statement changed rows and the log does not hold them: %.*s is read again; set "
             "binlog_format=ROW for every session: %.*s",
             BYTES_ARGS(what), (int)(s->sql.size > SQL_SHOWN_MAX ? SQL_SHOWN_MAX : s->sql.size),
             (const char *)s->sql.data);
    if (named) {
        put_resync(s->batch, named, s->sql, s->time_us);
        return;
    }
    for (struct map_entry *entry = NULL; (entry = map_next(&catalog->by_name, entry));)
        put_resync(s->batch, entry->value, s->sql, s->time_us);
}

static void on_drop_database(const struct statement *s, struct bytes database)
{
    struct catalog *catalog = s->self->catalog;
    for (bool found = true; found;) {
        found = false;
        for (struct map_entry *entry = NULL;
             !found && (entry = map_next(&catalog->by_name, entry));) {
            const struct table *table = entry->value;
            if (!bytes_equal(table->database, database))
                continue;
            put_drop(s, table); /* changes the map: begin anew */
            found = true;
        }
    }
}

static bool on_statement(struct statement *s, const struct ddl_statement *ddl, struct error *err)
{
    const struct table *table = ddl->name.name.data ? tracked(s->self, ddl->name) : NULL;
    if (ddl->temporary)
        return true;
    switch (ddl->kind) {
    case DDL_CREATE_TABLE:
        return on_create(s, ddl, err);
    case DDL_DROP_TABLE:
        if (table)
            put_drop(s, table);
        return true;
    case DDL_RENAME_TABLE:
        return on_rename(s, ddl->name, ddl->to, err);
    case DDL_TRUNCATE_TABLE:
        if (table)
            change_add(s->batch, CHANGE_TRUNCATE_TABLE, table, table, s->sql, s->time_us);
        return true;
    case DDL_ALTER_TABLE:
        return on_alter(s, ddl, err);
    case DDL_DROP_DATABASE:
        on_drop_database(s, ddl->name.database);
        return true;
    case DDL_REREAD_TABLE:
        return reread(s, ddl->name, err);
    case DDL_RESYNC_TABLE:
        if (table)
            put_resync(s->batch, table, s->sql, s->time_us);
        return true;
    case DDL_STATEMENT_DML:
        on_statement_dml(s, ddl);
        return true;
    case DDL_IGNORED:
    case DDL_CREATE_DATABASE:
    case DDL_ALTER_DATABASE:
        return true;
    }
    return true;
}

/* ---- the text ---- */

static struct ddl_context context_of(const struct log_source *self, const struct log_query *query)
{
    const struct server_info *server = connection_server(self->connection);
    bool implicit = query->timestamps == TIMESTAMPS_NOT_TOLD
                        ? self->implicit_timestamps
                        : query->timestamps == TIMESTAMPS_IMPLICIT;
    return (struct ddl_context){ .database = query->database,
                                 .sql_mode = query->sql_mode,
                                 .server_version = server->version,
                                 .mariadb = self->mariadb,
                                 .implicit_timestamps = implicit };
}

bool log_statement_matters(struct log_source *self, const struct log_query *query)
{
    struct arena arena = { 0 };
    struct ddl_context context = context_of(self, query);
    const struct ddl_statement *statements;
    size_t count;
    bool doubt = false, matters = false;
    ddl_parse(log_query_text(self, query, &arena), &context, &arena, &statements, &count, &doubt);
    for (size_t i = 0; i < count; i++)
        matters |= statements[i].kind != DDL_IGNORED;
    arena_done(&arena);
    return matters || doubt;
}

/* The default character set of a database, for a table that does not say one: as the event tells it
 * of the current database, else as it is now. */
static void database_defaults(struct log_source *self, const struct log_query *query,
                              struct bytes database, struct ddl_context *context,
                              struct arena *arena)
{
    const struct collation_entry *told =
        query->database_collation && bytes_equal(database, query->database)
            ? collation_find(&self->collations, query->database_collation)
            : NULL;
    if (told) {
        context->default_charset = told->charset;
        context->default_collation = told->collation;
        return;
    }
    struct error err;
    struct connection *metadata = log_metadata(self, &err);
    struct buf sql;
    buf_init(&sql, 4096);
    buf_text(&sql, "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM "
                   "information_schema.SCHEMATA WHERE SCHEMA_NAME = ");
    mysql_quote_text(&sql, database);
    struct result result;
    if (metadata && connection_query(metadata, buf_view(&sql), 1, arena, &result, &err) &&
        result.row_count == 1) {
        context->default_charset = result.cells[0];
        context->default_collation = result.cells[1];
    }
    buf_done(&sql);
}

/* A statement that may be about any table of the database, or of all: they are compared. */
static bool compare_database(struct statement *s, struct bytes database, struct error *err)
{
    const struct catalog *catalog = s->self->catalog;
    struct ddl_name *names = arena_array(s->arena, catalog->by_name.count + 1, sizeof *names);
    size_t count = 0;
    for (struct map_entry *entry = NULL; (entry = map_next(&catalog->by_name, entry));) {
        const struct table *table = entry->value;
        if (database.size == 0 || bytes_equal(table->database, database))
            names[count++] = (struct ddl_name){ table->database, table->name };
    }
    for (size_t i = 0; i < count; i++)
        if (!fetch(s, names[i], err))
            return false;
    for (size_t i = 0; i < count; i++)
        if (!reread(s, names[i], err))
            return false;
    return true;
}

bool log_statement(struct log_source *self, struct batch *batch, const struct log_query *query,
                   int64_t time_us, struct error *err)
{
    enum { STRICT_MODES = 3 << 21 }; /* STRICT_TRANS_TABLES, STRICT_ALL_TABLES */
    struct arena arena = { 0 };
    struct ddl_context context = context_of(self, query);
    struct bytes sql = log_query_text(self, query, &arena);
    const struct ddl_statement *statements;
    size_t count;
    bool doubt = false, ok = true;
    ddl_parse(sql, &context, &arena, &statements, &count, &doubt);
    for (size_t i = 0; i < count && !context.default_charset.data; i++)
        if (statements[i].kind == DDL_CREATE_TABLE && wanted(self, statements[i].name)) {
            database_defaults(self, query, statements[i].name.database, &context, &arena);
            ddl_parse(sql, &context, &arena, &statements, &count, &doubt);
        }
    struct statement s = {
        self, batch, sql, time_us, &arena, NULL, (query->sql_mode & STRICT_MODES) != 0
    };
    for (size_t i = 0; i < count && ok; i++)
        ok = fetch_for(&s, &statements[i], err);
    for (size_t i = 0; i < count && ok; i++)
        ok = on_statement(&s, &statements[i], err);
    ok = ok && (!doubt || compare_database(&s, query->database, err));
    arena_done(&arena);
    return ok;
}
