/* SPDX-License-Identifier: Apache-2.0
 *
 * Two versions of a table, column by column. */
#include "schema/diff.h"

#include "engine/base/assert.h"

struct steps {
    struct step *items;
    size_t count;
};

static void step_add(struct steps *steps, struct step step) { steps->items[steps->count++] = step; }

/* The name that a column of `before` has in `after`. */
static struct bytes renamed(const struct schema_change *change, struct bytes name)
{
    for (uint16_t i = 0; i < change->rename_count; i++)
        if (bytes_equal(change->renames[i].from, name))
            return change->renames[i].to;
    return name;
}

static const struct column *old_of(const struct schema_change *change, const struct column *column)
{
    const struct table *before = change->before;
    for (uint16_t i = 0; i < before->column_count; i++)
        if (bytes_equal(renamed(change, before->columns[i].name), column->name))
            return &before->columns[i];
    return NULL;
}

static bool key_differs(const struct schema_change *change)
{
    const struct table *before = change->before, *after = change->after;
    if (before->key_count != after->key_count)
        return true;
    for (uint16_t i = 0; i < before->key_count; i++) {
        struct bytes old = renamed(change, before->columns[before->key_columns[i]].name);
        if (!bytes_equal(old, after->columns[after->key_columns[i]].name))
            return true;
    }
    return false;
}

static bool texts_differ(struct bytes a, struct bytes b)
{
    return (a.size || b.size) && !bytes_equal(a, b);
}

static bool defaults_differ(const struct column *a, const struct column *b)
{
    return (a->default_text.data == NULL) != (b->default_text.data == NULL) ||
           a->default_is_expression != b->default_is_expression ||
           texts_differ(a->default_text, b->default_text);
}

static void diff_column(struct steps *steps, const struct column *old, const struct column *new)
{
    if (!type_equal(&old->type, &new->type) || old->nullable != new->nullable)
        step_add(steps, (struct step){ .kind = STEP_MODIFY_TYPE, .old = old, .new = new });
    else if (defaults_differ(old, new))
        step_add(steps, (struct step){ .kind = STEP_MODIFY_DEFAULT, .old = old, .new = new });
    if (texts_differ(old->comment, new->comment))
        step_add(steps, (struct step){ .kind = STEP_COMMENT_COLUMN, .old = old, .new = new });
}

static void diff_renames(struct steps *steps, const struct schema_change *change)
{
    for (uint16_t i = 0; i < change->after->column_count; i++) {
        const struct column *new = &change->after->columns[i], *old = old_of(change, new);
        if (old && !bytes_equal(old->name, new->name))
            step_add(steps, (struct step){ .kind = STEP_RENAME_COLUMN, .old = old, .new = new });
    }
}

static void diff_columns(struct steps *steps, const struct schema_change *change)
{
    const struct table *after = change->after;
    for (uint16_t i = 0; i < after->column_count; i++) {
        const struct column *new = &after->columns[i], *old = old_of(change, new);
        if (old)
            diff_column(steps, old, new);
        else
            step_add(steps, (struct step){ .kind = STEP_ADD_COLUMN,
                                           .new = new,
                                           .after = i ? after->columns[i - 1].name
                                                      : (struct bytes){ 0 } });
    }
}

static void diff_drops(struct steps *steps, const struct schema_change *change)
{
    const struct table *before = change->before;
    for (uint16_t i = 0; i < before->column_count; i++) {
        const struct column *old = &before->columns[i];
        struct bytes name = renamed(change, old->name);
        bool kept = false;
        for (uint16_t j = 0; j < change->after->column_count && !kept; j++)
            kept = bytes_equal(change->after->columns[j].name, name);
        if (!kept)
            step_add(steps, (struct step){ .kind = STEP_DROP_COLUMN, .old = old });
    }
}

const struct step *diff_tables(const struct schema_change *change, struct arena *arena,
                               size_t *count)
{
    ASSERT(change->before && change->after);
    size_t room = 3u * change->after->column_count + change->before->column_count + 2u;
    struct steps steps = { .items = arena_array(arena, room, sizeof(struct step)) };
    diff_renames(&steps, change);
    diff_columns(&steps, change);
    if (texts_differ(change->before->comment, change->after->comment))
        step_add(&steps, (struct step){ .kind = STEP_COMMENT_TABLE });
    if (key_differs(change))
        step_add(&steps, (struct step){ .kind = STEP_CHANGE_KEY });
    diff_drops(&steps, change);
    ASSERT(steps.count <= room);
    *count = steps.count;
    return steps.items;
}
