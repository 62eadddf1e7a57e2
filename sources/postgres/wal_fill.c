/* SPDX-License-Identifier: Apache-2.0
 *
 * What rows from before a change of their table hold: no event of the log tells it, and the catalog
 * may be further on. A new column's default may be another one by then, or gone, as migrations have
 * it; but the server keeps the value that it gives to rows which lack the column (attmissingval).
 * Where that cannot be known, or a column is not the one that had its name, the table is read
 * again. */
#include "schema/default_value.h"
#include "schema/fill.h"
#include "sources/postgres/wal.h"

/* The column of that name, if it is not another one. */
static const struct column *old_of(const struct table *before, const struct column *column)
{
    const struct column *old = wal_column_by_id(before, column->source_id);
    return old ? old : column->source_id ? NULL : wal_column_named(before, column->name);
}

static const struct listed_fill *fill_of(const struct listed_table *live,
                                         const struct column *column)
{
    for (uint16_t i = 0; live && live->fills && i < live->table->column_count; i++)
        if (live->table->columns[i].source_id == column->source_id)
            return &live->fills[i];
    return NULL;
}

/* ---- a default that is not what rows were filled with ---- */

static bool is_default(const struct column *column, struct bytes fill, struct arena *arena)
{
    struct column filled = *column;
    struct value a, b;
    filled.default_text = fill;
    filled.default_is_expression = false;
    return (fill.data && !column->default_is_expression && column->default_text.data &&
            bytes_equal(fill, column->default_text)) ||
           (default_value(column, arena, &a) && default_value(&filled, arena, &b) &&
            value_equal(&a, &b));
}

const struct table *wal_fill_table(const struct table *before, const struct table *draft,
                                   const struct listed_table *live, struct arena *arena)
{
    struct table *filled = NULL;
    struct column *columns = NULL;
    for (uint16_t i = 0; i < draft->column_count; i++) {
        const struct column *column = &draft->columns[i];
        const struct listed_fill *fill = fill_of(live, column);
        if (!fill || fill->doubt || old_of(before, column) ||
            column->generated != COLUMN_STORED_PLAIN || column->auto_increment ||
            (!fill->text.data && !column->default_text.data) ||
            is_default(column, fill->text, arena))
            continue;
        if (!filled) {
            filled = table_copy(arena, draft);
            columns = arena_array(arena, draft->column_count, sizeof *columns);
            memcpy(columns, draft->columns, draft->column_count * sizeof *columns);
            filled->columns = columns;
        }
        columns[i].default_text = fill->text;
        columns[i].default_is_expression = false;
    }
    return filled ? filled : draft;
}

/* ---- values that nothing tells ---- */

/* A boolean's text is always one of two; a CHAR's is filled up with spaces. */
static bool default_is_told(const struct column *column)
{
    const struct type *type = &column->type;
    bool filled_up = type->kind == TYPE_TEXT && type->fixed;
    return !column->default_text.data || type->boolean ||
           (!filled_up && fill_literal_is_told(type, column->default_text));
}

/* All rows were written anew since, so that none lacks the column. */
static bool is_rewritten(const struct table *before, const struct listed_table *live)
{
    return live && before->storage && before->storage != live->table->storage;
}

static bool fill_is_unknown(const struct column *column, const struct listed_fill *fill,
                            bool rewritten)
{
    return column->default_is_expression || column->auto_increment ||
           (fill && (fill->doubt || (rewritten && !fill->text.data))) ||
           column->type.kind == TYPE_ARRAY || column->generated != COLUMN_STORED_PLAIN ||
           (!column->nullable && !column->default_text.data) || !default_is_told(column);
}

/* Did the ALTER write values that no log tells of? */
static bool wrote_values(const struct table *before, const struct table *after,
                         const struct listed_table *live)
{
    bool rewritten = is_rewritten(before, live);
    for (uint16_t i = 0; i < after->column_count; i++) {
        const struct column *column = &after->columns[i], *old = old_of(before, column);
        if (!old && fill_is_unknown(column, fill_of(live, column), rewritten))
            return true;
        if (old && !type_equal(&old->type, &column->type) &&
            (old->type.kind != column->type.kind || column->type.kind != TYPE_TEXT) &&
            column->type.kind != TYPE_ENUM)
            return true;
    }
    return false;
}

bool wal_fill_replaces(const struct table *before, const struct table *after)
{
    for (uint16_t i = 0; i < after->column_count; i++) {
        const struct column *column = &after->columns[i];
        const struct column *old = wal_column_named(before, column->name);
        if (old && old->source_id && column->source_id && old->source_id != column->source_id &&
            !wal_column_by_id(before, column->source_id) &&
            !wal_column_by_id(after, old->source_id))
            return true;
    }
    return false;
}

bool wal_fill_rereads(const struct table *before, const struct table *after,
                      const struct listed_table *live)
{
    return wal_columns_unknown(before) || wal_fill_replaces(before, after) ||
           wrote_values(before, after, live);
}
