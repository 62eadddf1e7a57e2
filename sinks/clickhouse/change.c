/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema changes, step by step, each compared with the target first, so that a repeat after a crash
 * goes on where it ended.
 *
 * What a target never does: lose a value that is not read again. A column whose type or nullability
 * became narrower at the source keeps the wider one; one that is in the way of a name is moved
 * aside. A changed default is not carried at all: in ClickHouse it would change what the rows from
 * before an ADD COLUMN show. Databases are left alone; they may hold more. */
#include "engine/base/log.h"
#include "engine/pipeline.h"
#include "schema/diff.h"
#include "sinks/clickhouse/clickhouse.h"

struct change {
    struct clickhouse_sink *self;
    struct target *target;
    const struct schema_change *schema;
    struct ddl ddl;
    struct clickhouse_shape shape; /* read again after each statement */
};

static struct buf *change_sql(struct change *change) { return server_sql(&change->self->server); }

static bool change_read(struct change *change, struct error *err)
{
    return shape_read(&change->self->server, change->target->database, change->target->name,
                      &change->self->scratch, &change->shape, err);
}

static bool change_run(struct change *change, const char *what, struct error *err)
{
    return target_execute(change->self, what, err) && change_read(change, err);
}

static const struct clickhouse_column *find(const struct change *change, struct bytes name)
{
    return shape_column(&change->shape, name);
}

/* ---- the steps of an ALTER ---- */

/* A column of the target that the source no longer has, or never had, in the way of a name. */
static bool move_aside(struct change *change, struct bytes name, struct error *err)
{
    struct bytes free_name = arena_printf(change->ddl.arena, "%.*s_before", BYTES_ARGS(name));
    for (unsigned i = 2; find(change, free_name); i++)
        free_name = arena_printf(change->ddl.arena, "%.*s_before%u", BYTES_ARGS(name), i);
    log_warn("table '%.*s.%.*s': the target's own column '%.*s' becomes '%.*s'",
             BYTES_ARGS(change->ddl.database), BYTES_ARGS(change->ddl.name), BYTES_ARGS(name),
             BYTES_ARGS(free_name));
    ddl_rename_column(&change->ddl, name, free_name, change_sql(change));
    return change_run(change, "RENAME COLUMN", err);
}

static bool step_rename(struct change *change, const struct step *step, struct error *err)
{
    struct bytes from = step->old->name, to = step->new->name;
    const struct clickhouse_column *old = find(change, from), *new = find(change, to);
    if (!old || old->in_sorting_key || bytes_equal(old->name, to))
        return true; /* done before; or not there, and prepare() adds it */
    struct bytes old_name = old->name;
    if (new &&new != old && !move_aside(change, new->name, err))
        return false;
    ddl_rename_column(&change->ddl, old_name, to, change_sql(change));
    return change_run(change, "RENAME COLUMN", err);
}

static bool add_column(struct change *change, const struct column *column, struct bytes behind,
                       struct error *err)
{
    const struct clickhouse_column *after = behind.data ? find(change, behind) : NULL;
    ddl_add_column(&change->ddl, column, after ? after->name : (struct bytes){ 0 },
                   change_sql(change));
    return change_run(change, "ADD COLUMN", err);
}

static bool step_modify(struct change *change, const struct step *step, struct error *err);

/* The target has a column of this name: kept from one that was dropped, or made by the user. Its
 * rows get what the source's rows have now. Rows of other tables in the target stay as they are. */
static bool step_add_over(struct change *change, const struct step *step,
                          const struct clickhouse_column *column, struct error *err)
{
    struct clickhouse_type wanted = ddl_type(&change->ddl, step->new);
    if (column->in_sorting_key || column->computed || change->schema->shared)
        return true;
    if (!clickhouse_type_holds(&column->type, &wanted, &step->new->type))
        return move_aside(change, column->name, err) &&
               add_column(change, step->new, step->after, err);
    if (!step_modify(change, step, err))
        return false;
    if (change->schema->rereads)
        return true;
    ddl_fill_column(&change->ddl, step->new, find(change, step->new->name)->name,
                    change_sql(change));
    return change_run(change, "UPDATE", err);
}

static bool step_add(struct change *change, const struct step *step, struct error *err)
{
    const struct clickhouse_column *column = find(change, step->new->name);
    return column ? step_add_over(change, step, column, err)
                  : add_column(change, step->new, step->after, err);
}

static bool step_drop(struct change *change, const struct step *step, struct error *err)
{
    const struct clickhouse_column *column = find(change, step->old->name);
    if (!column || column->in_sorting_key)
        return true;
    ddl_drop_column(&change->ddl, column->name, change_sql(change));
    return change_run(change, "DROP COLUMN", err);
}

/* The target's own type, made Nullable. */
static struct bytes nullable_name(const struct clickhouse_column *column, struct arena *arena)
{
    struct bytes text = column->type_text;
    if (!column->type.low_cardinality)
        return arena_printf(arena, "Nullable(%.*s)", BYTES_ARGS(text));
    size_t prefix = sizeof "LowCardinality(" - 1;
    struct bytes inside = { text.data + prefix, text.size - prefix - 1 };
    return arena_printf(arena, "LowCardinality(Nullable(%.*s))", BYTES_ARGS(inside));
}

/* Its rows are read again: nothing of the old column is needed. */
static bool replace_column(struct change *change, const struct step *step, struct error *err)
{
    struct bytes behind = { 0 };
    const struct table *after = change->schema->after;
    for (uint16_t i = 1; i < after->column_count; i++)
        if (bytes_equal(after->columns[i].name, step->new->name))
            behind = after->columns[i - 1].name;
    ddl_drop_column(&change->ddl, find(change, step->new->name)->name, change_sql(change));
    return change_run(change, "DROP COLUMN", err) && add_column(change, step->new, behind, err);
}

static bool step_modify(struct change *change, const struct step *step, struct error *err)
{
    const struct clickhouse_column *column = find(change, step->new->name);
    if (!column)
        return true; /* prepare() adds it */
    struct clickhouse_type wanted = ddl_type(&change->ddl, step->new);
    bool holds = clickhouse_type_holds(&column->type, &wanted, &step->new->type);
    bool nulls = !wanted.nullable || column->type.nullable;
    if ((holds && nulls) || column->in_sorting_key)
        return true;
    if (!holds && !clickhouse_type_converts(&column->type, &wanted)) {
        if (change->schema->rereads && !change->schema->shared)
            return replace_column(change, step, err);
        return error_set(err, ERROR_DATA,
                         "column '%.*s' %.*s cannot become %.*s without changing values: drop the "
                         "target's column, then resync the table",
                         BYTES_ARGS(column->name), BYTES_ARGS(column->type_text),
                         BYTES_ARGS(clickhouse_type_name(&wanted, true, change->ddl.arena)));
    }
    wanted.nullable |= column->type.nullable;
    struct bytes type = holds ? nullable_name(column, change->ddl.arena)
                              : clickhouse_type_name(&wanted, true, change->ddl.arena);
    ddl_modify_column(&change->ddl, column->name, type, change_sql(change));
    return change_run(change, "MODIFY COLUMN", err);
}

static bool step_comment(struct change *change, const struct step *step, struct error *err)
{
    const struct clickhouse_column *column = find(change, step->new->name);
    if (!column || bytes_equal(column->comment, step->new->comment))
        return true;
    ddl_comment_column(&change->ddl, column->name, step->new->comment, change_sql(change));
    return change_run(change, "COMMENT COLUMN", err);
}

static bool step_comment_table(struct change *change, struct error *err)
{
    struct bytes comment = change->schema->after->comment;
    if (bytes_equal(change->shape.comment, comment))
        return true;
    ddl_comment_table(&change->ddl, comment, change_sql(change));
    return change_run(change, "MODIFY COMMENT", err);
}

static uint32_t step_bit(enum step_kind kind)
{
    switch (kind) {
    case STEP_RENAME_COLUMN:
        return CHANGE_BIT_RENAME_COLUMN;
    case STEP_ADD_COLUMN:
        return CHANGE_BIT_ADD_COLUMN;
    case STEP_MODIFY_TYPE:
    case STEP_MODIFY_DEFAULT:
        return CHANGE_BIT_ALTER_COLUMN_TYPE;
    case STEP_DROP_COLUMN:
        return CHANGE_BIT_DROP_COLUMN;
    case STEP_COMMENT_COLUMN:
    case STEP_COMMENT_TABLE:
        return CHANGE_BIT_ALTER_TABLE_COMMENT;
    case STEP_CHANGE_KEY:
        break;
    }
    return 0;
}

static bool step_apply(struct change *change, const struct step *step, struct error *err)
{
    if (change->schema->excluded & step_bit(step->kind) ||
        (step->old && target_reserves(step->old->name)))
        return true;
    switch (step->kind) {
    case STEP_RENAME_COLUMN:
        return step_rename(change, step, err);
    case STEP_ADD_COLUMN:
        return step_add(change, step, err);
    case STEP_MODIFY_TYPE:
        return step_modify(change, step, err);
    case STEP_DROP_COLUMN:
        return step_drop(change, step, err);
    case STEP_COMMENT_COLUMN:
        return step_comment(change, step, err);
    case STEP_COMMENT_TABLE:
        return step_comment_table(change, err);
    case STEP_CHANGE_KEY: /* rebuilt before */
    case STEP_MODIFY_DEFAULT:
        break;
    }
    return true;
}

struct bytes change_old_name(const struct schema_change *change, struct bytes name)
{
    if (change->excluded & CHANGE_BIT_RENAME_COLUMN)
        return name;
    for (uint16_t i = 0; i < change->rename_count; i++)
        if (bytes_equal(change->renames[i].to, name))
            return change->renames[i].from;
    return name;
}

/* Does the user's policy leave out what the key needs? */
static bool key_is_excluded(const struct schema_change *schema)
{
    const struct table *before = schema->before, *after = schema->after;
    bool types = false, names = false;
    for (uint16_t i = 0; i < after->key_count && i < before->key_count; i++) {
        const struct column *old = &before->columns[before->key_columns[i]];
        const struct column *new = &after->columns[after->key_columns[i]];
        types |= !type_equal(&old->type, &new->type);
        names |= !bytes_equal(old->name, new->name);
    }
    return (types && schema->excluded & CHANGE_BIT_ALTER_COLUMN_TYPE) ||
           (names && schema->rename_count > 0 && schema->excluded & CHANGE_BIT_RENAME_COLUMN);
}

/* ClickHouse never changes an ORDER BY or the types in it: the table is made anew. One that was not
 * of the old key's shape is not ours to make, and prepare() will say so. */
static bool alter_key(struct change *change, struct error *err)
{
    const struct clickhouse_abilities *abilities = &change->self->server.abilities;
    const struct schema_change *schema = change->schema;
    if (key_is_excluded(schema) || target_key_fits(&change->shape, schema->after, abilities) ||
        !target_key_fits(&change->shape, schema->before, abilities))
        return true;
    return rebuild_target(change->self, change->target, schema, &change->shape, err) &&
           change_read(change, err);
}

static bool alter_apply(struct change *change, struct error *err)
{
    if (!target_names_check(change->schema->after, err) || !alter_key(change, err))
        return false;
    size_t count;
    const struct step *steps = diff_tables(change->schema, &change->self->scratch, &count);
    for (size_t i = 0; i < count; i++)
        if (!step_apply(change, &steps[i], err))
            return false;
    const struct table *after = change->schema->after;
    return target_view(change->self, change->target, after, &change->shape, err);
}

/* ---- the others ---- */

static bool views_drop(struct change *change, struct error *err)
{
    for (int keyed = 0; keyed < 2; keyed++) {
        struct clickhouse_shape view;
        struct bytes name = ddl_view_name(&change->ddl, keyed);
        if (!shape_read(&change->self->server, change->target->database, name,
                        &change->self->scratch, &view, err))
            return false;
        if (!view.exists || !bytes_is(view.engine, "View"))
            continue;
        ddl_drop_view(&change->ddl, keyed, change_sql(change));
        if (!target_execute(change->self, "DROP VIEW", err))
            return false;
    }
    return true;
}

static bool drop_apply(struct change *change, struct error *err)
{
    target_state(change->self, change->target)->seen = false;
    if (!change->shape.exists)
        return true;
    if (!views_drop(change, err))
        return false;
    ddl_drop_table(&change->ddl, change_sql(change));
    return target_execute(change->self, "DROP TABLE", err);
}

/* What a dropped or renamed table left behind under the name that a table of the source has now. */
static bool table_aside(struct change *change, struct target *renamed, struct error *err)
{
    struct ddl ddl = target_ddl(change->self, renamed);
    struct clickhouse_shape taken = { .exists = true };
    struct bytes name = { 0 };
    for (unsigned i = 1; taken.exists; i++) {
        name = i == 1 ? arena_printf(ddl.arena, "%.*s_before", BYTES_ARGS(ddl.name))
                      : arena_printf(ddl.arena, "%.*s_before%u", BYTES_ARGS(ddl.name), i);
        if (!shape_read(&change->self->server, ddl.database, name, ddl.arena, &taken, err))
            return false;
    }
    log_warn("table '%.*s.%.*s' of the target becomes '%.*s': another one has its name now",
             BYTES_ARGS(ddl.database), BYTES_ARGS(ddl.name), BYTES_ARGS(name));
    ddl_rename_table(&ddl, ddl.database, name, change_sql(change));
    return target_execute(change->self, "RENAME TABLE", err);
}

static bool rename_move(struct change *change, struct target *renamed,
                        const struct clickhouse_shape *there, struct error *err)
{
    bool ours = there->exists && shape_column(there, BYTES_LITERAL(COLUMN_VERSION));
    if (there->exists && !ours)
        return error_set(
            err, ERROR_DATA,
            "the table became '%.*s.%.*s', and the target has one of that name: drop or "
            "rename it there, then resync the table",
            BYTES_ARGS(renamed->database), BYTES_ARGS(renamed->name));
    if (ours && !table_aside(change, renamed, err))
        return false;
    if (!there->database_exists) {
        struct ddl ddl = target_ddl(change->self, renamed);
        ddl_create_database(&ddl, change_sql(change));
        if (!target_execute(change->self, "CREATE DATABASE", err))
            return false;
    }
    if (!views_drop(change, err))
        return false;
    ddl_rename_table(&change->ddl, renamed->database, renamed->name, change_sql(change));
    return target_execute(change->self, "RENAME TABLE", err);
}

/* The old name is gone: done before, or never made; prepare() sees to the rest. What the sink knows
 * of the new name is its own worker's: nothing of it is touched here. */
static bool rename_apply(struct change *change, struct target *renamed, struct error *err)
{
    struct clickhouse_target *old = target_state(change->self, change->target);
    if (change->shape.exists) {
        struct clickhouse_shape there;
        if (!shape_read(&change->self->server, renamed->database, renamed->name,
                        &change->self->scratch, &there, err) ||
            !rename_move(change, renamed, &there, err))
            return false;
    }
    old->seen = false;
    change->target = renamed;
    change->ddl = target_ddl(change->self, renamed);
    return change_read(change, err) && (!change->shape.exists || alter_apply(change, err));
}

static bool truncate_apply(struct change *change, struct error *err)
{
    if (!change->shape.exists)
        return true;
    ddl_truncate(&change->ddl, change_sql(change));
    return target_execute(change->self, "TRUNCATE TABLE", err);
}

bool change_apply(struct clickhouse_sink *self, struct target *target, struct target *renamed,
                  const struct schema_change *schema, struct error *err)
{
    if (!target)
        return true;
    struct change change = {
        .self = self, .target = target, .schema = schema, .ddl = target_ddl(self, target)
    };
    target_state(self, target)->stale = true;
    if (!change_read(&change, err))
        return false;
    switch (schema->kind) {
    case CHANGE_DROP_TABLE:
        return drop_apply(&change, err);
    case CHANGE_RENAME_TABLE:
        return renamed ? rename_apply(&change, renamed, err)
                       : !change.shape.exists || alter_apply(&change, err);
    case CHANGE_ALTER_TABLE:
        return !change.shape.exists || alter_apply(&change, err);
    case CHANGE_TRUNCATE_TABLE:
        return truncate_apply(&change, err);
    case CHANGE_SWEEP_TABLE:
        return !change.shape.exists ||
               rebuild_sweep(self, target, schema->after, schema->sweep, err);
    case CHANGE_CREATE_TABLE:
    case CHANGE_CREATE_DATABASE:
    case CHANGE_DROP_DATABASE:
    case CHANGE_RESYNC_TABLE:
    case CHANGE_PARK_TABLE:
        break;
    }
    return true;
}
