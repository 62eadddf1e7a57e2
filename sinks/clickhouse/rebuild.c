/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows that move inside the server, without the source.
 *
 * A table whose key changed is made anew beside the old one, filled from it, and takes its name in
 * one step: readers see the old table or the new one, both whole. Deleted rows are not taken along;
 * everything that could bring them back is durable before a schema change. A crash leaves a table
 * beside that nobody reads, which the next attempt drops.
 *
 * A table that was read again is swept: rows from before it that did not come back get a tombstone
 * under the mark at which the reading began, which is above all of theirs and below everything that
 * came since, so that neither the moment nor a repeat of it matters. */
#include "engine/base/log.h"
#include "engine/pipeline.h"
#include "sinks/clickhouse/clickhouse.h"
#include "sinks/clickhouse/sql.h"

struct rebuild {
    struct clickhouse_sink *self;
    const struct schema_change *change;
    const struct clickhouse_shape *old;
    struct ddl ddl;    /* of the target */
    struct ddl beside; /* of the new table */
    struct clickhouse_shape new;
    struct moved {
        struct bytes to, from;
        bool not_null;
    } * moved; /* columns that are taken along */
    uint16_t moved_count;
    bool rows; /* the rows are taken along at all */
};

static struct buf *rebuild_sql(struct rebuild *rebuild)
{
    return server_sql(&rebuild->self->server);
}

static bool read_beside(struct rebuild *rebuild, struct error *err)
{
    return shape_read(&rebuild->self->server, rebuild->beside.database, rebuild->beside.name,
                      &rebuild->self->scratch, &rebuild->new, err);
}

static void move_column(struct rebuild *rebuild, struct bytes to,
                        const struct clickhouse_column *from, bool nullable)
{
    rebuild->moved[rebuild->moved_count++] = (struct moved){
        .to = to, .from = from->name, .not_null = from->type.nullable && !nullable
    };
}

/* A column of the new version. What the target's own type holds keeps that type. */
static bool place_column(struct rebuild *rebuild, const struct column *column, struct error *err)
{
    struct bytes name = change_old_name(rebuild->change, column->name);
    const struct clickhouse_column *old = shape_column(rebuild->old, name);
    struct clickhouse_type wanted = ddl_type(&rebuild->ddl, column);
    if (!old || old->computed)
        return true;
    bool holds = clickhouse_type_holds(&old->type, &wanted, &column->type);
    bool key = column->key_order > 0;
    if (!holds && !clickhouse_type_converts(&old->type, &wanted)) {
        rebuild->rows &= !key;
        return rebuild->change->rereads ||
               error_set(err, ERROR_DATA,
                         "column '%.*s' %.*s cannot become %.*s without changing values: drop or "
                         "rename the target, then resync the table",
                         BYTES_ARGS(name), BYTES_ARGS(old->type_text),
                         BYTES_ARGS(clickhouse_type_name(&wanted, true, rebuild->ddl.arena)));
    }
    bool own = holds && !key && (old->type.nullable || !wanted.nullable);
    move_column(rebuild, column->name, old, own ? old->type.nullable : wanted.nullable);
    if (!own)
        return true;
    ddl_modify_column(&rebuild->beside, column->name, old->type_text, rebuild_sql(rebuild));
    return target_execute(rebuild->self, "MODIFY COLUMN", err);
}

/* Was this column of the target one of the source's that went or got another name? */
static bool has_gone(const struct rebuild *rebuild, struct bytes name)
{
    const struct schema_change *change = rebuild->change;
    for (uint16_t i = 0; i < rebuild->moved_count; i++)
        if (bytes_equal(rebuild->moved[i].from, name))
            return true;
    bool kept = change->excluded & CHANGE_BIT_DROP_COLUMN;
    return !kept && table_column(change->before, name) && !table_column(change->after, name);
}

/* What the target has beyond the source's columns. */
static bool place_others(struct rebuild *rebuild, struct error *err)
{
    for (uint16_t i = 0; i < rebuild->old->column_count; i++) {
        const struct clickhouse_column *column = &rebuild->old->columns[i];
        if (column->computed || target_reserves(column->name) || has_gone(rebuild, column->name) ||
            shape_column(&rebuild->new, column->name))
            continue;
        struct buf *sql = rebuild_sql(rebuild);
        buf_text(sql, "ALTER TABLE ");
        sql_table(sql, rebuild->beside.database, rebuild->beside.name);
        buf_text(sql, " ADD COLUMN ");
        sql_identifier(sql, column->name);
        buf_printf(sql, " %.*s", BYTES_ARGS(column->type_text));
        if (!target_execute(rebuild->self, "ADD COLUMN", err))
            return false;
        move_column(rebuild, column->name, column, column->type.nullable);
    }
    return true;
}

static bool make_beside(struct rebuild *rebuild, struct error *err)
{
    const struct table *after = rebuild->change->after;
    ddl_drop_table(&rebuild->beside, rebuild_sql(rebuild));
    if (!target_execute(rebuild->self, "DROP TABLE", err))
        return false;
    ddl_create_table(&rebuild->beside, after, rebuild_sql(rebuild));
    if (!target_execute(rebuild->self, "CREATE TABLE", err) || !read_beside(rebuild, err))
        return false;
    for (uint16_t i = 0; i < after->column_count; i++)
        if (!place_column(rebuild, &after->columns[i], err))
            return false;
    return place_others(rebuild, err);
}

/* ---- the rows ---- */

static void moved_names(const struct rebuild *rebuild, bool from, struct buf *sql)
{
    for (uint16_t i = 0; i < rebuild->moved_count; i++) {
        const struct moved *moved = &rebuild->moved[i];
        bool wrap = from && moved->not_null;
        buf_text(sql, wrap ? "assumeNotNull(" : "");
        sql_identifier(sql, from ? moved->from : moved->to);
        buf_text(sql, wrap ? "), " : ", ");
    }
}

static void group_names(const struct rebuild *rebuild, struct buf *sql)
{
    for (uint16_t i = 0; i < rebuild->moved_count; i++) {
        buf_text(sql, i ? ", " : "");
        sql_identifier(sql, rebuild->moved[i].from);
    }
}

/* A table with a key gives its living rows; one without, each row as often as its signs sum to. */
static bool copy_rows(struct rebuild *rebuild, struct error *err)
{
    const struct schema_change *change = rebuild->change;
    bool was_keyed = change->before->key_count > 0, keyed = change->after->key_count > 0;
    struct buf *sql = rebuild_sql(rebuild);
    buf_text(sql, "INSERT INTO ");
    sql_table(sql, rebuild->beside.database, rebuild->beside.name);
    buf_text(sql, " (");
    moved_names(rebuild, false, sql);
    buf_printf(sql, COLUMN_VERSION ", %s) SELECT ", keyed ? COLUMN_DELETED : COLUMN_SIGN);
    moved_names(rebuild, true, sql);
    buf_printf(sql, "%s, %d FROM ", was_keyed ? COLUMN_VERSION : "max(" COLUMN_VERSION ")", !keyed);
    sql_table(sql, rebuild->ddl.database, rebuild->ddl.name);
    if (was_keyed) {
        buf_text(sql, " FINAL");
    } else {
        buf_text(sql, " GROUP BY ");
        group_names(rebuild, sql);
        buf_text(sql, " HAVING sum(" COLUMN_SIGN ") > 0");
    }
    buf_text(sql, " SETTINGS insert_deduplicate = 0, max_partitions_per_insert_block = 0");
    return target_execute(rebuild->self, "copying the rows to the new key", err);
}

/* In one step where the kind of database can, and else by two renames of one statement. */
static bool take_place(struct rebuild *rebuild, struct error *err)
{
    ddl_exchange_table(&rebuild->ddl, rebuild->beside.name, rebuild_sql(rebuild));
    if (!target_execute(rebuild->self, "EXCHANGE TABLES", err)) {
        if (err->kind != ERROR_DATA && err->kind != ERROR_CONFIG)
            return false;
        struct ddl old = rebuild->ddl;
        old.name = arena_printf(old.arena, "%.*s_millrace_old", BYTES_ARGS(old.name));
        ddl_replace_table(&rebuild->ddl, old.name, rebuild->beside.name, rebuild_sql(rebuild));
        if (!target_execute(rebuild->self, "RENAME TABLE", err))
            return false;
        rebuild->beside = old;
    }
    ddl_drop_table(&rebuild->beside, rebuild_sql(rebuild));
    return target_execute(rebuild->self, "DROP TABLE", err);
}

bool rebuild_target(struct clickhouse_sink *self, struct target *target,
                    const struct schema_change *change, const struct clickhouse_shape *shape,
                    struct error *err)
{
    struct rebuild rebuild = { .self = self, .change = change, .old = shape, .rows = true };
    rebuild.ddl = rebuild.beside = target_ddl(self, target);
    rebuild.beside.name =
        arena_printf(&self->scratch, "%.*s_millrace_new", BYTES_ARGS(target->name));
    rebuild.moved =
        arena_array(&self->scratch, (size_t)change->after->column_count + shape->column_count + 1u,
                    sizeof *rebuild.moved);
    log_info("the key of '%.*s.%.*s' changed: the target is made anew from its rows",
             BYTES_ARGS(target->database), BYTES_ARGS(target->name));
    return make_beside(&rebuild, err) && (!rebuild.rows || copy_rows(&rebuild, err)) &&
           take_place(&rebuild, err);
}

/* ---- sweeping ---- */

static void key_names(const struct clickhouse_shape *shape, struct buf *sql)
{
    for (uint16_t i = 0; i < shape->column_count; i++) {
        if (!shape->columns[i].in_sorting_key)
            continue;
        sql_identifier(sql, shape->columns[i].name);
        buf_text(sql, ", ");
    }
}

bool rebuild_sweep(struct clickhouse_sink *self, struct target *target, const struct table *table,
                   uint64_t upto, struct error *err)
{
    struct clickhouse_shape shape;
    if (!shape_read(&self->server, target->database, target->name, &self->scratch, &shape, err))
        return false;
    if (!target_key_fits(&shape, table, &self->server.abilities))
        return error_set(err, ERROR_DATA, "the target changed its key while its table was read");
    unsigned long long mark = upto;
    struct buf *sql = server_sql(&self->server);
    buf_text(sql, "INSERT INTO ");
    sql_table(sql, target->database, target->name);
    buf_text(sql, " (");
    key_names(&shape, sql);
    buf_text(sql, COLUMN_VERSION ", " COLUMN_DELETED ") SELECT ");
    key_names(&shape, sql);
    buf_printf(sql, "%llu, 1 FROM ", mark);
    sql_table(sql, target->database, target->name);
    buf_printf(sql,
               " FINAL WHERE " COLUMN_VERSION " <= %llu SETTINGS use_skip_indexes_if_final = 0, "
               "insert_deduplicate = 0, max_partitions_per_insert_block = 0",
               mark);
    return target_execute(self, "sweeping", err);
}
