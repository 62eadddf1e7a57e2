/* SPDX-License-Identifier: Apache-2.0
 *
 * Applies an ALTER TABLE to a version, in the order in which the servers prepare it whatever the
 * order of the specifications:
 *   1. the columns that were there, each dropped, changed in place or renamed; their names in the
 *      specifications are the old ones, so that two columns can swap their names;
 *   2. columns that are added or moved, in the order written; AFTER means the new names;
 *   3. character sets: the new default holds for all columns of the statement, CONVERT for all
 * text;
 *   4. the key.
 *
 * A version knows its key but not the other unique indexes of its table. Whenever one of them could
 * become the key, the answer is false: the table is then read again. */
#include "engine/base/assert.h"
#include "schema/change.h"
#include "schema/mysql_ddl_parser.h"

struct apply {
    const struct ddl_statement *statement;
    struct arena *arena;
    const struct table *table;
    struct table *draft;
    struct column *columns;
    size_t count, capacity;
    struct column_rename *renames;
    size_t rename_count;
    bool *met;                     /* of each specification: its column was there */
    const struct ddl_key *new_key; /* not the one of the version before; NULL: none added */
    bool key_lost;
    bool not_null; /* a column lost its NULLs: an index that was none may be a key now */
};

static void push(struct apply *apply, const struct column *column, size_t at)
{
    memmove(&apply->columns[at + 1], &apply->columns[at],
            (apply->count - at) * sizeof *apply->columns);
    apply->columns[at] = *column;
    apply->count++;
}

static const struct ddl_alter *spec_at(const struct apply *apply, size_t i)
{
    return &apply->statement->alters[i];
}

static void note_rename(struct apply *apply, struct bytes from, struct bytes to)
{
    if (!bytes_equal(from, to))
        apply->renames[apply->rename_count++] = (struct column_rename){ from, to };
}

static void apply_default(struct column *column, const struct column *from)
{
    column->default_text = from->default_text;
    column->default_is_expression = from->default_is_expression;
}

/* What a definition does not say: the place in the key, and NOT NULL of a primary key's column. */
static void redefine(struct apply *apply, struct column *column, const struct ddl_alter *spec)
{
    struct column old = *column;
    *column = *spec->column;
    column->key_order = old.key_order;
    bool primary = text_is(apply->draft->key_name, "PRIMARY");
    if (old.key_order && primary)
        column->nullable = false;
    else if (old.key_order && column->nullable)
        apply->key_lost = true;
    apply->not_null |= old.nullable && !column->nullable;
    note_rename(apply, old.name, column->name);
}

/* ---- 1: the columns that were there ---- */

enum fate { FATE_STAYS, FATE_GOES, FATE_MOVES };

static enum fate change_column(struct apply *apply, struct column *column,
                               const struct ddl_alter *spec)
{
    switch (spec->kind) {
    case ALTER_DROP_COLUMN:
        apply->key_lost |= column->key_order > 0;
        return FATE_GOES;
    case ALTER_RENAME_COLUMN:
        note_rename(apply, column->name, spec->column->name);
        column->name = spec->column->name;
        return FATE_STAYS;
    case ALTER_CHANGE_COLUMN:
        redefine(apply, column, spec);
        return spec->first || spec->after.data ? FATE_MOVES : FATE_STAYS;
    case ALTER_DEFAULT:
        apply_default(column, spec->column);
        return FATE_STAYS;
    case ALTER_COLUMN_VISIBLE:
        column->invisible = !spec->flag;
        return FATE_STAYS;
    default:
        return FATE_STAYS;
    }
}

static bool concerns_column(enum alter_kind kind)
{
    return kind == ALTER_DROP_COLUMN || kind == ALTER_RENAME_COLUMN ||
           kind == ALTER_CHANGE_COLUMN || kind == ALTER_DEFAULT || kind == ALTER_COLUMN_VISIBLE;
}

/* Columns that move are kept aside, at the place of their specification. */
static void take_old_columns(struct apply *apply, struct column *aside)
{
    for (size_t c = 0; c < apply->table->column_count; c++) {
        struct column column = apply->table->columns[c];
        struct bytes name = column.name;
        enum fate fate = FATE_STAYS;
        for (size_t i = 0; i < apply->statement->alter_count && fate == FATE_STAYS; i++) {
            const struct ddl_alter *spec = spec_at(apply, i);
            if (!concerns_column(spec->kind) || !text_equal_fold(spec->old_name, name))
                continue;
            apply->met[i] = true;
            fate = change_column(apply, &column, spec);
            if (fate == FATE_MOVES)
                aside[i] = column;
        }
        if (fate == FATE_STAYS)
            push(apply, &column, apply->count);
    }
}

/* ---- 2: columns that are new or move ---- */

static bool place_column(struct apply *apply, const struct column *column,
                         const struct ddl_alter *spec)
{
    size_t at = apply->count;
    if (ddl_find_column(apply->columns, apply->count, column->name) < apply->count)
        return spec->kind == ALTER_ADD_COLUMN && spec->if_exists;
    if (spec->first)
        at = 0;
    else if (spec->after.data)
        at = ddl_find_column(apply->columns, apply->count, spec->after) + 1;
    if (at > apply->count)
        return false;
    push(apply, column, at);
    return true;
}

static bool place_new_columns(struct apply *apply, const struct column *aside)
{
    for (size_t i = 0; i < apply->statement->alter_count; i++) {
        const struct ddl_alter *spec = spec_at(apply, i);
        bool moves = spec->kind == ALTER_CHANGE_COLUMN && (spec->first || spec->after.data);
        if (concerns_column(spec->kind) && !apply->met[i]) {
            if (!spec->if_exists)
                return false;
        } else if (spec->kind == ALTER_ADD_COLUMN || moves) {
            if (!place_column(apply, moves ? &aside[i] : spec->column, spec))
                return false;
        }
    }
    return apply->count > 0 && apply->count <= DDL_COLUMNS_MAX;
}

static bool names_distinct(const struct apply *apply)
{
    for (size_t i = 1; i < apply->count; i++) {
        if (ddl_find_column(apply->columns, i, apply->columns[i].name) < i)
            return false;
    }
    return true;
}

/* ---- 3: character sets and properties of the table ---- */

/* A text in a wider set may need a longer type: TEXT becomes MEDIUMTEXT, as on the servers. */
static bool convert_column(struct apply *apply, struct column *column, const struct ddl_alter *spec)
{
    if (!column->charset.data)
        return true;
    enum type_kind kind = column->type.kind;
    uint8_t before = charset_width(column->charset), after = charset_width(spec->charset);
    column->charset = column->collation = (struct bytes){ 0 };
    if (kind == TYPE_TEXT && after > before) {
        static const char *const sizes[] = { "tinytext", "text", "mediumtext", "longtext" };
        for (size_t i = 0; i + 1 < ARRAY_SIZE(sizes); i++) {
            if (text_is(column->source_type, sizes[i])) {
                column->source_type = bytes_from(sizes[i + 1]);
                break;
            }
        }
    }
    struct ddl_charset charset = { spec->charset, spec->collation };
    return ddl_settle_column(column, charset, apply->arena);
}

static bool apply_convert(struct apply *apply, const struct ddl_alter *spec)
{
    apply->draft->charset = spec->charset;
    apply->draft->collation = spec->collation;
    for (size_t i = 0; i < apply->count; i++) {
        if (!convert_column(apply, &apply->columns[i], spec))
            return false;
    }
    return true;
}

/* DEFAULT CHARACTER SET; COLLATE alone with a name that has no set in it keeps the set. */
static void apply_charset(struct apply *apply, const struct ddl_alter *spec)
{
    struct ddl_charset written = { spec->charset, spec->collation };
    struct ddl_charset old = { apply->draft->charset, apply->draft->collation };
    struct ddl_charset now = ddl_charset_or(written, old, apply->arena);
    apply->draft->charset = now.charset;
    apply->draft->collation = now.collation;
}

static void apply_table(struct apply *apply, const struct ddl_alter *spec)
{
    struct table *draft = apply->draft;
    if (spec->kind == ALTER_RENAME_TABLE) {
        draft->database = spec->to.database;
        draft->name = spec->to.name;
    } else if (spec->kind == ALTER_COMMENT) {
        draft->comment = spec->comment;
    } else if (spec->kind == ALTER_VERSIONING) {
        draft->system_versioned = spec->flag;
    } else if (spec->kind == ALTER_DEFAULT_CHARSET) {
        apply_charset(apply, spec);
    }
}

static bool settle_columns(struct apply *apply)
{
    for (size_t i = 0; i < apply->statement->alter_count; i++)
        apply_table(apply, spec_at(apply, i));
    const struct ddl_alter *convert = NULL;
    for (size_t i = 0; i < apply->statement->alter_count; i++) {
        if (spec_at(apply, i)->kind == ALTER_CONVERT)
            convert = spec_at(apply, i);
    }
    struct ddl_charset charset = { apply->draft->charset, apply->draft->collation };
    if (convert)
        charset = (struct ddl_charset){ convert->charset, convert->collation };
    for (size_t i = 0; i < apply->count; i++) {
        if (!ddl_settle_column(&apply->columns[i], charset, apply->arena))
            return false;
    }
    return !convert || apply_convert(apply, convert);
}

/* ---- 4: the key ---- */

static void clear_key(struct apply *apply)
{
    for (size_t i = 0; i < apply->count; i++)
        apply->columns[i].key_order = 0;
    apply->draft->key_name = (struct bytes){ 0 };
}

static size_t key_size(const struct apply *apply)
{
    size_t size = 0;
    for (size_t i = 0; i < apply->count; i++)
        size += apply->columns[i].key_order > 0;
    return size;
}

static bool set_key(struct apply *apply, const struct ddl_key *key)
{
    clear_key(apply);
    for (size_t i = 0; i < key->count; i++) {
        size_t at = ddl_find_column(apply->columns, apply->count, key->columns[i]);
        if (at == apply->count || apply->columns[at].key_order)
            return false;
        apply->columns[at].key_order = (uint16_t)(i + 1);
        if (key->primary)
            apply->columns[at].nullable = false;
    }
    apply->draft->key_name = key->name;
    return true;
}

/* Is this the index behind the key? False in *known: it cannot be told. */
static bool is_key(const struct apply *apply, struct bytes name, bool *known)
{
    if (apply->table->key_count == 0)
        return false;
    *known &= apply->table->key_name.data != NULL;
    return text_equal_fold(apply->table->key_name, name);
}

/* Gone indexes first: a key may be dropped and added in one statement. */
static bool drop_keys(struct apply *apply)
{
    bool known = true,
         unique = apply->table->key_count > 0 && !text_is(apply->table->key_name, "PRIMARY");
    for (size_t i = 0; i < apply->statement->alter_count; i++) {
        const struct ddl_alter *spec = spec_at(apply, i);
        if (spec->kind == ALTER_DROP_KEY)
            apply->key_lost |= is_key(apply, spec->old_name, &known);
        else if (spec->kind == ALTER_RENAME_KEY && unique)
            known = false; /* the first by name may be another one now */
    }
    return known;
}

static bool has_primary(const struct apply *apply)
{
    return apply->table->key_count > 0 && text_is(apply->table->key_name, "PRIMARY");
}

/* The best of the added indexes: the primary key, else the one that precedes the others. */
static bool choose_added(struct apply *apply, bool *named)
{
    const struct ddl_key *best = NULL;
    for (size_t i = 0; i < apply->statement->alter_count; i++) {
        const struct ddl_alter *spec = spec_at(apply, i);
        if (spec->kind != ALTER_ADD_KEY)
            continue;
        const struct ddl_key *key = spec->key;
        if (spec->if_exists && has_primary(apply))
            continue;
        bool fits = ddl_key_fits(key, apply->columns, apply->count);
        if ((key->primary && !fits) || spec->if_exists)
            return false;
        if (!fits || (best && best->primary))
            continue;
        *named &= key->name.data != NULL || key->primary;
        if (key->primary || !best ||
            mysql_key_precedes(key->count, key->name, best->count, best->name))
            best = key;
    }
    apply->new_key = best;
    return true;
}

/* Several candidates, and one of them without a name to compare by. */
static size_t count_added(const struct apply *apply)
{
    size_t count = 0;
    for (size_t i = 0; i < apply->statement->alter_count; i++) {
        const struct ddl_alter *spec = spec_at(apply, i);
        count +=
            spec->kind == ALTER_ADD_KEY && ddl_key_fits(spec->key, apply->columns, apply->count);
    }
    return count;
}

static bool apply_keys(struct apply *apply)
{
    bool named = true;
    if (!drop_keys(apply) || !choose_added(apply, &named))
        return false;
    const struct ddl_key *added = apply->new_key;
    struct bytes name = apply->draft->key_name;
    if (added && added->primary)
        return set_key(apply, added);
    bool primary = text_is(name, "PRIMARY"), keyless = apply->table->key_count == 0;
    if (apply->key_lost || (apply->not_null && !primary))
        return false;
    if (!added || primary)
        return true;
    if (keyless)
        return (named || count_added(apply) == 1) && set_key(apply, added);
    if (!name.data || !named)
        return false;
    if (!mysql_key_precedes(added->count, added->name, key_size(apply), name))
        return true;
    return set_key(apply, added);
}

/* ---- */

static bool is_table_rename(const struct ddl_statement *statement)
{
    return statement->kind == DDL_RENAME_TABLE;
}

static void start_draft(struct apply *apply)
{
    apply->draft = table_copy(apply->arena, apply->table);
    apply->draft->previous = NULL;
    apply->table = table_copy(apply->arena, apply->table);
    if (is_table_rename(apply->statement)) {
        apply->draft->database = apply->statement->to.database;
        apply->draft->name = apply->statement->to.name;
    }
}

static bool apply_columns(struct apply *apply)
{
    size_t specs = apply->statement->alter_count;
    size_t room = apply->table->column_count + specs + 1;
    apply->columns = arena_array(apply->arena, room, sizeof *apply->columns);
    apply->renames = arena_array(apply->arena, room, sizeof *apply->renames);
    apply->met = arena_array(apply->arena, specs + 1, sizeof *apply->met);
    struct column *aside = arena_array(apply->arena, specs + 1, sizeof *aside);
    take_old_columns(apply, aside);
    return place_new_columns(apply, aside) && names_distinct(apply);
}

bool ddl_apply(const struct table *table, const struct ddl_statement *statement,
               struct arena *arena, struct table **draft, const struct column_rename **renames,
               uint16_t *rename_count)
{
    if (statement->kind != DDL_ALTER_TABLE && !is_table_rename(statement))
        return false;
    struct apply apply = { .statement = statement, .arena = arena, .table = table };
    start_draft(&apply);
    if (!apply_columns(&apply) || !settle_columns(&apply) || !apply_keys(&apply))
        return false;
    apply.draft->columns = apply.columns;
    apply.draft->column_count = (uint16_t)apply.count;
    table_index_keys(arena, apply.draft);
    *draft = apply.draft;
    *renames = apply.renames;
    *rename_count = (uint16_t)apply.rename_count;
    return true;
}
