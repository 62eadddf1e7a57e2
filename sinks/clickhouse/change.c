/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema changes, step by step, each compared with the target first, so that a repeat after a crash
 * goes on where it ended.
 *
 * What a target never does: lose a value. A column whose type or nullability became narrower at the
 * source keeps the wider one. A changed default is not carried at all: in ClickHouse it would
 * change what the rows from before an ADD COLUMN show. Databases are left alone; they may hold
 * more. */
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

/* Both names are there when this ran before and the old name was given to a new column, or when the
 * target kept a column that the source had dropped: only the first may pass. */
static bool step_rename(struct change *change, const struct step *step, struct error *err)
{
    struct bytes from = step->old->name, to = step->new->name;
    const struct clickhouse_column *old = find(change, from), *new = find(change, to);
    if (!old || (new &&bytes_equal(new->name, to) && new != old)) {
        bool reused = table_column(change->schema->after, from) != NULL;
        if (old && !reused)
            return error_set(
                err, ERROR_DATA,
                "column '%.*s' became '%.*s', and the target has both: drop one there, "
                "then resync the table",
                BYTES_ARGS(from), BYTES_ARGS(to));
        return true; /* done before; or not there, and prepare() adds it */
    }
    if (bytes_equal(old->name, to))
        return true;
    ddl_rename_column(&change->ddl, old->name, to, change_sql(change));
    return change_run(change, "RENAME COLUMN", err);
}

static bool step_add(struct change *change, const struct step *step, struct error *err)
{
    if (find(change, step->new->name))
        return true;
    const struct clickhouse_column *after = step->after.data ? find(change, step->after) : NULL;
    ddl_add_column(&change->ddl, step->new, after ? after->name : (struct bytes){ 0 },
                   change_sql(change));
    return change_run(change, "ADD COLUMN", err);
}

static bool step_drop(struct change *change, const struct step *step, struct error *err)
{
    const struct clickhouse_column *column = find(change, step->old->name);
    if (!column)
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

static bool step_modify(struct change *change, const struct step *step, struct error *err)
{
    const struct clickhouse_column *column = find(change, step->new->name);
    if (!column)
        return true; /* prepare() adds it */
    struct clickhouse_type wanted = ddl_type(&change->ddl, step->new);
    bool holds = clickhouse_type_holds(&column->type, &wanted, &step->new->type);
    bool nulls = !wanted.nullable || column->type.nullable;
    if (holds && nulls)
        return true;
    if (column->in_sorting_key)
        return error_set(
            err, ERROR_DATA,
            "key column '%.*s' changed its type, and ClickHouse cannot follow: drop or "
            "rename the target, then resync the table",
            BYTES_ARGS(column->name));
    if (!holds && !clickhouse_type_converts(&column->type, &wanted))
        return error_set(err, ERROR_DATA,
                         "column '%.*s' %.*s cannot become %.*s without changing values: drop the "
                         "target's column, then resync the table",
                         BYTES_ARGS(column->name), BYTES_ARGS(column->type_text),
                         BYTES_ARGS(clickhouse_type_name(&wanted, true, change->ddl.arena)));
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
    if (change->schema->excluded & step_bit(step->kind))
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
    case STEP_CHANGE_KEY:
        return error_set(err, ERROR_DATA,
                         "the key of the table changed: the target has to be made "
                         "anew and read again");
    case STEP_MODIFY_DEFAULT:
        break;
    }
    return true;
}

static bool alter_apply(struct change *change, struct error *err)
{
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

static bool rename_move(struct change *change, struct target *renamed,
                        const struct clickhouse_shape *there, struct error *err)
{
    if (there->exists)
        return error_set(
            err, ERROR_DATA,
            "the table became '%.*s.%.*s', and the target has one of that name: drop or "
            "rename it there, then resync the table",
            BYTES_ARGS(renamed->database), BYTES_ARGS(renamed->name));
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

/* The old name is gone: done before, or never made; prepare() sees to the rest. */
static bool rename_apply(struct change *change, struct target *renamed, struct error *err)
{
    struct clickhouse_target *old = target_state(change->self, change->target);
    struct clickhouse_target *new = target_state(change->self, renamed);
    bool same = bytes_equal(change->target->database, renamed->database) &&
                bytes_equal(change->target->name, renamed->name);
    if (!same && change->shape.exists) {
        struct clickhouse_shape there;
        if (!shape_read(&change->self->server, renamed->database, renamed->name,
                        &change->self->scratch, &there, err) ||
            !rename_move(change, renamed, &there, err))
            return false;
    }
    old->seen = old->seen && same;
    new->stale = true;
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
    case CHANGE_CREATE_TABLE:
    case CHANGE_CREATE_DATABASE:
    case CHANGE_DROP_DATABASE:
    case CHANGE_RESYNC_TABLE:
    case CHANGE_PARK_TABLE:
        break;
    }
    return true;
}
