/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a target ready: it is looked at, made when missing, given what it lacks, and refused where
 * it could lose a value. Columns meet by name. What a target has beyond the source's columns is
 * left alone and takes its defaults. */
#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "sinks/clickhouse/clickhouse.h"

struct clickhouse_target *target_state(struct clickhouse_sink *self, struct target *target)
{
    if (!target->sink_data)
        target->sink_data = arena_zalloc(self->arena, sizeof(struct clickhouse_target));
    return target->sink_data;
}

struct ddl target_ddl(struct clickhouse_sink *self, const struct target *target)
{
    return (struct ddl){
        .options = self->options,
        .abilities = &self->server.abilities,
        .database = target->database,
        .name = target->name,
        .arena = &self->scratch,
    };
}

bool target_execute(struct clickhouse_sink *self, const char *what, struct error *err)
{
    return server_execute(&self->server, err) || error_context(err, "%s", what);
}

/* ---- what cannot be carried at all ---- */

bool target_reserves(struct bytes name)
{
    static const char *const reserved[] = { COLUMN_VERSION, COLUMN_DELETED, COLUMN_SIGN, "_copies",
                                            "_copy" };
    for (size_t k = 0; k < ARRAY_SIZE(reserved); k++)
        if (bytes_is(name, reserved[k]))
            return true;
    return false;
}

bool target_names_check(const struct table *table, struct error *err)
{
    for (uint16_t i = 0; i < table->column_count; i++)
        if (target_reserves(table->columns[i].name))
            return error_set(err, ERROR_DATA,
                             "the source has a column '%.*s', a name that the target needs for "
                             "itself: rename it at the source",
                             BYTES_ARGS(table->columns[i].name));
    return true;
}

static bool keys_check(const struct table *table, struct error *err)
{
    for (uint16_t i = 0; i < table->key_count; i++) {
        const struct column *column = &table->columns[table->key_columns[i]];
        if (column->nullable)
            return error_set(err, ERROR_DATA, "key column '%.*s' may be NULL",
                             BYTES_ARGS(column->name));
    }
    return true;
}

/* ---- an existing target ---- */

static bool engine_is(struct bytes engine, const char *name)
{
    static const char *const prefixes[] = { "", "Replicated", "Shared" };
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        size_t size = strlen(prefixes[i]);
        if (engine.size > size && memcmp(engine.data, prefixes[i], size) == 0 &&
            bytes_is((struct bytes){ engine.data + size, engine.size - size }, name))
            return true;
    }
    return false;
}

static bool own_column_check(const struct clickhouse_shape *shape, const char *name,
                             const char *type, struct error *err)
{
    const struct clickhouse_column *column = shape_column(shape, bytes_from(name));
    if (column && bytes_is(column->type_text, type))
        return true;
    return error_set(err, ERROR_DATA,
                     "the target has no column '%s %s': drop or rename it, and it is made anew",
                     name, type);
}

static bool engine_check(const struct clickhouse_shape *shape, bool keyed, struct error *err)
{
    static const char arguments[] = COLUMN_VERSION ", " COLUMN_DELETED;
    if (!engine_is(shape->engine, keyed ? "ReplacingMergeTree" : "MergeTree"))
        return error_set(err, ERROR_DATA,
                         "the target's engine is %.*s, and a table with%s a key needs %s: drop or "
                         "rename it, and it is made anew",
                         BYTES_ARGS(shape->engine), keyed ? "" : "out",
                         keyed ? "ReplacingMergeTree(" COLUMN_VERSION ", " COLUMN_DELETED ")"
                               : "MergeTree");
    if (keyed &&
        !memmem(shape->engine_full.data, shape->engine_full.size, arguments, sizeof arguments - 1))
        return error_set(err, ERROR_DATA,
                         "the target is a ReplacingMergeTree, but not one of (%s): drop or rename "
                         "it, and it is made anew",
                         arguments);
    if (!keyed && shape->partitioned)
        return error_set(err, ERROR_DATA,
                         "the target is partitioned: the rows of a table without a key arrive "
                         "exactly once only in a single partition");
    return own_column_check(shape, COLUMN_VERSION, "UInt64", err) &&
           own_column_check(shape, keyed ? COLUMN_DELETED : COLUMN_SIGN, keyed ? "UInt8" : "Int8",
                            err);
}

/* The sorting key's columns must be the key's: with more, an UPDATE would leave the old row; with
 * fewer, different rows would become one. */
static bool sorting_check(const struct clickhouse_shape *shape, const struct table *table,
                          struct error *err)
{
    uint16_t sorted = 0;
    for (uint16_t i = 0; i < shape->column_count; i++)
        sorted += shape->columns[i].in_sorting_key;
    for (uint16_t i = 0; i < table->key_count; i++) {
        struct bytes name = table->columns[table->key_columns[i]].name;
        const struct clickhouse_column *column = shape_column(shape, name);
        if (column && column->in_sorting_key)
            sorted--;
        else
            return error_set(
                err, ERROR_DATA,
                "key column '%.*s' is not in the target's ORDER BY: drop or rename the "
                "target, and it is made anew",
                BYTES_ARGS(name));
    }
    return sorted == 0 ||
           error_set(err, ERROR_DATA,
                     "the target's ORDER BY has columns that are not in the source's key: drop or "
                     "rename the target, and it is made anew");
}

bool target_key_fits(const struct clickhouse_shape *shape, const struct table *table,
                     const struct clickhouse_abilities *abilities)
{
    struct error ignored;
    bool keyed = table->key_count > 0;
    if (!engine_check(shape, keyed, &ignored) || (keyed && !sorting_check(shape, table, &ignored)))
        return false;
    for (uint16_t i = 0; i < table->key_count; i++) {
        const struct column *column = &table->columns[table->key_columns[i]];
        struct clickhouse_type wanted = clickhouse_type_of(&column->type, abilities);
        if (!clickhouse_type_holds(&shape_column(shape, column->name)->type, &wanted,
                                   &column->type))
            return false;
    }
    return true;
}

static bool column_check(const struct clickhouse_column *target, const struct column *source,
                         const struct clickhouse_abilities *abilities, struct error *err)
{
    struct clickhouse_type type = clickhouse_type_of(&source->type, abilities);
    if (target->computed)
        return error_set(err, ERROR_DATA, "the target computes column '%.*s' and takes no values",
                         BYTES_ARGS(target->name));
    if (!clickhouse_type_holds(&target->type, &type, &source->type))
        return error_set(
            err, ERROR_DATA,
            "column '%.*s' %.*s of the target cannot hold every %s of the source (%.*s)%s",
            BYTES_ARGS(target->name), BYTES_ARGS(target->type_text),
            type_kind_name(source->type.kind), BYTES_ARGS(source->source_type),
            clickhouse_type_is_array(&target->type) != clickhouse_type_is_array(&type)
                ? ": drop the column and resync the table, or put array.mode back"
                : "");
    /* An array cannot be Nullable: native.c decides what becomes of its NULL. */
    if (source->nullable && !target->type.nullable && !clickhouse_type_is_array(&type))
        return error_set(err, ERROR_DATA,
                         "column '%.*s' may be NULL at the source, and the target's takes no NULL: "
                         "make it Nullable(%.*s)",
                         BYTES_ARGS(target->name), BYTES_ARGS(target->type_text));
    return true;
}

/* ---- making it fit ---- */

static bool table_create(struct clickhouse_sink *self, struct target *target,
                         const struct table *table, const struct clickhouse_shape *shape,
                         struct error *err)
{
    struct ddl ddl = target_ddl(self, target);
    if (!shape->database_exists) {
        ddl_create_database(&ddl, server_sql(&self->server));
        if (!target_execute(self, "CREATE DATABASE", err))
            return false;
    }
    ddl_create_table(&ddl, table, server_sql(&self->server));
    return target_execute(self, "CREATE TABLE", err);
}

/* The column before it at the source that the target has too. */
static struct bytes place_of(const struct table *table, uint16_t index,
                             const struct clickhouse_shape *shape)
{
    while (index-- > 0) {
        const struct clickhouse_column *before = shape_column(shape, table->columns[index].name);
        if (before)
            return before->name;
    }
    return (struct bytes){ 0 };
}

static bool columns_add(struct clickhouse_sink *self, struct target *target,
                        const struct table *table, struct clickhouse_shape *shape,
                        struct error *err)
{
    struct ddl ddl = target_ddl(self, target);
    bool added = false;
    for (uint16_t i = 0; i < table->column_count; i++) {
        if (shape_column(shape, table->columns[i].name))
            continue;
        if (target->keeps_columns) {
            log_warn("table '%.*s.%.*s': the target has no column '%.*s' and add.column is not "
                     "followed: its values are left out",
                     BYTES_ARGS(target->database), BYTES_ARGS(target->name),
                     BYTES_ARGS(table->columns[i].name));
            continue;
        }
        ddl_add_column(&ddl, &table->columns[i], place_of(table, i, shape),
                       server_sql(&self->server));
        if (!target_execute(self, "ADD COLUMN", err))
            return false;
        added = true;
    }
    return !added ||
           shape_read(&self->server, target->database, target->name, &self->scratch, shape, err);
}

/* Plain MergeTree remembers no labels unless it is told to. */
static bool window_set(struct clickhouse_sink *self, struct target *target,
                       const struct clickhouse_shape *shape, bool keyed, struct error *err)
{
    static const char setting[] = "non_replicated_deduplication_window";
    bool plain =
        bytes_is(shape->engine, "MergeTree") || bytes_is(shape->engine, "ReplacingMergeTree");
    if (!plain ||
        memmem(shape->engine_full.data, shape->engine_full.size, setting, sizeof setting - 1))
        return true;
    struct ddl ddl = target_ddl(self, target);
    ddl_set_window(&ddl, server_sql(&self->server));
    if (target_execute(self, "MODIFY SETTING", err))
        return true;
    /* With a key a repeat changes nothing anyway. */
    return keyed && err->kind != ERROR_RETRY && err->kind != ERROR_UNKNOWN &&
           err->kind != ERROR_STOP;
}

/* ---- the view ---- */

static bool view_fits(const struct clickhouse_shape *view, const struct bytes *names,
                      const struct bytes *types, uint16_t count)
{
    if (view->column_count != count)
        return false;
    for (uint16_t i = 0; i < count; i++)
        if (!bytes_equal(view->columns[i].name, names[i]) ||
            !bytes_equal(view->columns[i].type_text, types[i]))
            return false;
    return true;
}

bool target_view(struct clickhouse_sink *self, struct target *target, const struct table *table,
                 const struct clickhouse_shape *shape, struct error *err)
{
    bool keyed = table->key_count > 0;
    if (keyed && !self->options->final_view)
        return true;
    struct ddl ddl = target_ddl(self, target);
    struct clickhouse_shape view;
    struct bytes name = ddl_view_name(&ddl, keyed);
    struct bytes *names = arena_array(&self->scratch, table->column_count + 1u, sizeof *names);
    struct bytes *types = arena_array(&self->scratch, table->column_count + 1u, sizeof *types);
    uint16_t count = 0;
    for (uint16_t i = 0; i < table->column_count; i++) {
        const struct clickhouse_column *column = shape_column(shape, table->columns[i].name);
        if (!column)
            continue;
        names[count] = column->name;
        types[count++] = column->type_text;
    }
    if (!shape_read(&self->server, target->database, name, &self->scratch, &view, err))
        return false;
    if (view.exists && !bytes_is(view.engine, "View"))
        return error_set(err, ERROR_DATA,
                         "'%.*s' is the name of the view beside the target, and a "
                         "%.*s has it: rename that, or route the table elsewhere",
                         BYTES_ARGS(name), BYTES_ARGS(view.engine));
    if (count == 0 || (view.exists && view_fits(&view, names, types, count)))
        return true;
    ddl_create_view(&ddl, keyed, names, count, server_sql(&self->server));
    return target_execute(self, "CREATE VIEW", err);
}

/* ---- prepare ---- */

static const struct native_layout *layout_make(struct clickhouse_sink *self,
                                               const struct table *table,
                                               const struct clickhouse_shape *shape)
{
    struct native_field *fields =
        arena_array(&self->scratch, table->column_count + 1u, sizeof *fields);
    uint16_t count = 0;
    for (uint16_t i = 0; i < table->column_count; i++) {
        const struct clickhouse_column *column = shape_column(shape, table->columns[i].name);
        if (!column)
            continue; /* left out: columns_check() has let it pass */
        fields[count++] = (struct native_field){
            .name = arena_copy(self->arena, column->name),
            .source = i,
            .nullable = column->type.nullable,
            .in_key = table->columns[i].key_order > 0,
        };
    }
    return native_layout_make(table, fields, count, &self->server.abilities, self->arena);
}

static bool columns_check(const struct target *target, const struct clickhouse_shape *shape,
                          const struct table *table, const struct clickhouse_abilities *abilities,
                          struct error *err)
{
    for (uint16_t i = 0; i < table->column_count; i++) {
        const struct clickhouse_column *column = shape_column(shape, table->columns[i].name);
        if (!column && target->keeps_columns && table->columns[i].key_order == 0)
            continue;
        if (!column)
            return error_set(err, ERROR_RETRY, "column '%.*s' was added and is not there yet",
                             BYTES_ARGS(table->columns[i].name));
        if (!column_check(column, &table->columns[i], abilities, err))
            return false;
    }
    return true;
}

static bool target_fit(struct clickhouse_sink *self, struct target *target,
                       const struct table *table, struct clickhouse_shape *shape, struct error *err)
{
    bool keyed = table->key_count > 0;
    return engine_check(shape, keyed, err) && (!keyed || sorting_check(shape, table, err)) &&
           columns_add(self, target, table, shape, err) &&
           columns_check(target, shape, table, &self->server.abilities, err) &&
           window_set(self, target, shape, keyed, err) &&
           target_view(self, target, table, shape, err);
}

static bool target_look(struct clickhouse_sink *self, struct target *target,
                        const struct table *table, struct clickhouse_shape *shape,
                        struct error *err)
{
    struct clickhouse_target *state = target_state(self, target);
    if (!shape_read(&self->server, target->database, target->name, &self->scratch, shape, err))
        return false;
    if (!shape->exists && state->seen) {
        state->seen = false; /* asked again, after a resync, it is made anew */
        return error_set(err, ERROR_DATA,
                         "the target was dropped under us, and its rows with it: resync the table");
    }
    if (shape->exists)
        return true;
    if (target->keeps_absent)
        return error_set(err, ERROR_DATA,
                         "there is no target, and create.table is not followed: "
                         "make it, then restart the agent");
    return table_create(self, target, table, shape, err) &&
           shape_read(&self->server, target->database, target->name, &self->scratch, shape, err) &&
           (shape->exists ||
            error_set(err, ERROR_RETRY, "the target was made and is not there yet"));
}

static const struct native_layout *layout_find(const struct clickhouse_target *state,
                                               const struct table *table)
{
    for (const struct target_layout *item = state->layouts; item; item = item->next)
        if (item->layout->table == table)
            return item->layout;
    return NULL;
}

static void layout_keep(struct clickhouse_sink *self, struct clickhouse_target *state,
                        const struct native_layout *layout)
{
    struct target_layout *item = arena_alloc(self->arena, sizeof *item);
    *item = (struct target_layout){ .layout = layout, .next = state->layouts };
    state->layouts = item;
}

bool target_prepare(struct clickhouse_sink *self, struct target *target, const struct table *table,
                    uint32_t *parts, struct error *err)
{
    struct clickhouse_target *state = target_state(self, target);
    const struct native_layout *layout = state->stale ? NULL : layout_find(state, table);
    if (!layout) {
        struct clickhouse_shape shape;
        if (!target_names_check(table, err) || !keys_check(table, err) ||
            !target_look(self, target, table, &shape, err) ||
            !target_fit(self, target, table, &shape, err))
            return false;
        layout = layout_make(self, table, &shape);
        if (state->stale)
            state->layouts = NULL;
        layout_keep(self, state, layout);
        state->seen = true;
        state->stale = false;
    }
    state->layout = layout;
    *parts = layout->parts;
    return true;
}
