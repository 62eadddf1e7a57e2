/* SPDX-License-Identifier: Apache-2.0
 *
 * The system catalog to drafts: statements for tables, columns and unique indexes whatever the
 * number of tables, each sorted by OID, walked side by side.
 *
 * The key of a table is what the log identifies its old rows by: the index of REPLICA IDENTITY
 * USING INDEX, else the primary key. Under REPLICA IDENTITY FULL, where whole old rows are logged,
 * a unique index over columns that are NOT NULL serves as well; without any the table is a
 * multiset. */
#include "sources/postgres/listed_tables.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "sources/postgres/types.h"

enum { SQL_LIMIT = 64 << 20, OID_C_COLLATION = 950, OID_DEFAULT_COLLATION = 100 };

static uint32_t oid_of(struct bytes text)
{
    return text.data ? (uint32_t)strtoul((const char *)text.data, NULL, 10) : 0;
}

void table_quote(struct buf *out, const struct table *table)
{
    postgres_quote_identifier(out, table->schema);
    buf_u8(out, '.');
    postgres_quote_identifier(out, table->name);
}

/* ---- the statements ---- */

enum table_cell {
    T_OID,
    T_SCHEMA,
    T_NAME,
    T_KIND,
    T_IDENTITY,
    T_COMMENT,
    T_DATABASE,
    T_LEAVES,
    T_EVER,
    T_STORAGE,
    T_COUNT
};

static const char tables_sql[] =
    "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, "
    "obj_description(c.oid, 'pg_class'), current_database(), " LISTED_LEAVES ", c.relnatts, "
    "c.relfilenode FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
    "c.relpersistence = 'p' "
    "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')";

const char *listed_kinds(const struct postgres_options *options)
{
    return options->partitions == PARTITIONS_AS_LEAVES
               ? "c.relkind = 'r'"
               : "c.relkind IN ('r', 'p') AND NOT c.relispartition";
}

enum column_cell {
    C_TABLE,
    C_NAME,
    C_ATTNUM,
    C_NOT_NULL,
    C_GENERATED,
    C_IDENTITY,
    C_DECLARED,
    C_TYPE,
    C_TYPMOD,
    C_DEFAULT,
    C_COMMENT,
    C_COLLATION_OID,
    C_COLLATION,
    C_FILL,
    C_DOUBT,
    C_COUNT
};
static const char columns_sql[] =
    "SELECT a.attrelid, a.attname, a.attnum, a.attnotnull, a.attgenerated, a.attidentity, "
    "format_type(a.atttypid, a.atttypmod), a.atttypid, a.atttypmod, "
    "pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum), a.attcollation, "
    "CASE WHEN a.attcollation <> t.typcollation THEN (SELECT quote_ident(n.nspname) || '.' || "
    "quote_ident(l.collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace "
    "WHERE l.oid = a.attcollation) END, ";
static const char columns_from_sql[] =
    " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
    "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum ";
static const char columns_of_sql[] =
    "WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ANY (";

/* What an ADD COLUMN told the server to take for rows that lack it, until they are written anew. A
 * partitioned table has it in its leaves. Where it is gone, a default says nothing of these rows.
 */
static const char fills_sql[] = "m.fill, m.fill IS NULL AND (d.adbin IS NOT NULL OR "
                                "t.typdefault IS NOT NULL OR t.typdelim <> ',')";
static const char fills_from_sql[] =
    "JOIN pg_class r ON r.oid = a.attrelid LEFT JOIN LATERAL (SELECT a.attmissingval::text::text[] "
    "AS fill WHERE a.atthasmissing AND t.typdelim = ',' UNION ALL SELECT "
    "l.attmissingval::text::text[] FROM pg_partition_tree(a.attrelid) p JOIN pg_attribute l ON "
    "l.attrelid = p.relid AND l.attname = a.attname WHERE r.relkind = 'p' AND p.isleaf AND "
    "l.atthasmissing AND t.typdelim = ',' LIMIT 1) v ON true "
    "CROSS JOIN LATERAL (SELECT v.fill[1]) m(fill) ";

enum key_cell { K_TABLE, K_INDEX, K_NAME, K_PRIMARY, K_IDENTITY, K_ATTNUM, K_NOT_NULL, K_COUNT };
static const char keys_sql[] =
    "SELECT i.indrelid, i.indexrelid, c.relname, i.indisprimary, i.indisreplident, k.attnum, "
    "a.attnotnull FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place) "
    "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
    "WHERE i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL "
    "AND i.indexprs IS NULL AND k.place <= i.indnkeyatts AND i.indrelid = ANY (";

/* ---- columns ---- */

/* 'it''s'::text to its text; numbers and booleans as they are; all else is an expression. */
static void set_default(struct column *column, struct bytes text, struct arena *arena)
{
    if (!text.data || (text.size >= 6 && memcmp(text.data, "NULL::", 6) == 0))
        return;
    bool quoted = text.size >= 2 && text.data[0] == '\'';
    size_t end = quoted ? 1 : 0;
    struct buf plain;
    buf_init(&plain, SQL_LIMIT);
    for (; quoted && end < text.size; end++) {
        if (text.data[end] == '\'' && (end + 1 >= text.size || text.data[end + 1] != '\''))
            break;
        end += text.data[end] == '\'';
        buf_u8(&plain, text.data[end]);
    }
    bool cast = quoted && end < text.size && (end + 1 == text.size || text.data[end + 1] == ':');
    struct bytes rest = { text.data + end + 1, cast ? text.size - end - 1 : 0 };
    /* A date or a sequence's name may stand in quotes and still be a call's argument. */
    cast = cast && !memchr(rest.data, '(', rest.size ? rest.size : 0) &&
           !memchr(rest.data, ')', rest.size);
    bool number = text.size > 0 && strspn((const char *)text.data, "-0123456789.") == text.size;
    bool boolean = bytes_is(text, "true") || bytes_is(text, "false");
    if (boolean)
        column->default_text = arena_copy(arena, bytes_from(bytes_is(text, "true") ? "1" : "0"));
    else
        column->default_text = arena_copy(arena, cast ? buf_view(&plain) : text);
    column->default_is_expression = !cast && !number && !boolean;
    buf_done(&plain);
}

static void draft_column(const struct bytes *cells, const struct user_types *users,
                         const struct postgres_options *options, struct arena *arena,
                         struct column *column)
{
    bool is_generated = cells[C_GENERATED].size > 0;
    column->name = cells[C_NAME];
    column->source_id = oid_of(cells[C_ATTNUM]);
    column->nullable = bytes_is(cells[C_NOT_NULL], "f");
    column->generated = is_generated ? COLUMN_GENERATED_STORED : COLUMN_STORED_PLAIN;
    column->auto_increment = cells[C_IDENTITY].size > 0;
    column->source_type = cells[C_DECLARED];
    column->collation = cells[C_COLLATION];
    column->charset = oid_of(cells[C_COLLATION_OID]) ? BYTES_LITERAL("utf8") : (struct bytes){ 0 };
    if (options->comments)
        column->comment = cells[C_COMMENT];
    column->type =
        postgres_type(oid_of(cells[C_TYPE]),
                      (int32_t)strtol((const char *)cells[C_TYPMOD].data, NULL, 10), users);
    if (!is_generated)
        set_default(column, cells[C_DEFAULT], arena);
}

static bool column_is_carried(const struct bytes *cells, bool generated)
{
    return cells[C_GENERATED].size == 0 || (generated && bytes_is(cells[C_GENERATED], "s"));
}

/* As set_default() gives a literal. */
static struct listed_fill fill_of(const struct bytes *cells, const struct column *column)
{
    struct listed_fill fill = { .text = cells[C_FILL], .doubt = bytes_is(cells[C_DOUBT], "t") };
    if (fill.text.data && column->type.boolean)
        fill.text = bytes_is(fill.text, "t") ? BYTES_LITERAL("1") : BYTES_LITERAL("0");
    return fill;
}

/* ---- keys ---- */

struct candidate {
    uint32_t first, count, index;
    bool usable, primary, identity;
    struct bytes name;
};

static bool better(const struct candidate *a, const struct candidate *b)
{
    if (!b->usable || a->primary != b->primary)
        return !b->usable || a->primary;
    return a->count != b->count ? a->count < b->count : bytes_compare(a->name, b->name) < 0;
}

static bool serves(const struct candidate *candidate, char identity)
{
    if (identity == 'i')
        return candidate->identity;
    return candidate->usable && (candidate->primary || identity == 'f');
}

static struct candidate choose_key(const struct result *keys, uint32_t first, uint32_t end,
                                   char identity)
{
    struct candidate best = { 0 };
    for (uint32_t at = first; at < end;) {
        const struct bytes *cells = &keys->cells[at * K_COUNT];
        struct candidate one = { .first = at,
                                 .index = oid_of(cells[K_INDEX]),
                                 .usable = true,
                                 .primary = bytes_is(cells[K_PRIMARY], "t"),
                                 .identity = bytes_is(cells[K_IDENTITY], "t"),
                                 .name = cells[K_NAME] };
        for (; at < end && oid_of(keys->cells[at * K_COUNT + K_INDEX]) == one.index; at++) {
            one.usable &= bytes_is(keys->cells[at * K_COUNT + K_NOT_NULL], "t");
            one.count++;
        }
        if (serves(&one, identity) && better(&one, &best))
            best = one;
    }
    return best;
}

static void mark_key(const struct result *keys, const struct candidate *key, struct table *table,
                     struct column *columns)
{
    for (uint32_t k = 0; k < key->count; k++)
        for (uint16_t c = 0; c < table->column_count; c++)
            if (columns[c].source_id == oid_of(keys->cells[(key->first + k) * K_COUNT + K_ATTNUM]))
                columns[c].key_order = (uint16_t)(k + 1);
    table->key_name = key->usable ? key->name : (struct bytes){ 0 };
}

/* ---- putting it together ---- */

struct listing {
    bool fills; /* are they asked for? */
    struct result tables, columns, keys;
    struct user_types users;
};

static uint32_t rows_of(const struct result *result, uint32_t width, uint32_t oid, uint32_t *at)
{
    while (*at < result->row_count && oid_of(result->cells[*at * width]) < oid)
        ++*at;
    uint32_t end = *at;
    while (end < result->row_count && oid_of(result->cells[end * width]) == oid)
        end++;
    return end;
}

static void draft_table(const struct listing *listing, uint32_t row, uint32_t *column_at,
                        uint32_t *key_at, const struct postgres_options *options, bool generated,
                        struct arena *arena, struct listed_table *out)
{
    const struct bytes *cells = &listing->tables.cells[row * T_COUNT];
    struct table *table = arena_zalloc(arena, sizeof *table);
    table->source_id = oid_of(cells[T_OID]);
    table->database = cells[T_DATABASE];
    table->schema = cells[T_SCHEMA];
    table->name = cells[T_NAME];
    table->leaves = cells[T_LEAVES];
    table->columns_ever = oid_of(cells[T_EVER]);
    table->storage = oid_of(cells[T_STORAGE]);
    if (options->comments)
        table->comment = cells[T_COMMENT];
    uint32_t end = rows_of(&listing->columns, C_COUNT, table->source_id, column_at);
    struct column *columns = arena_array(arena, end - *column_at + 1, sizeof *columns);
    struct listed_fill *fills =
        listing->fills ? arena_array(arena, end - *column_at + 1, sizeof *fills) : NULL;
    for (; *column_at < end; ++*column_at) {
        const struct bytes *column = &listing->columns.cells[*column_at * C_COUNT];
        out->generated |= bytes_is(column[C_GENERATED], "s");
        if (!column_is_carried(column, generated))
            continue;
        struct column *drafted = &columns[table->column_count];
        draft_column(column, &listing->users, options, arena, drafted);
        if (fills)
            fills[table->column_count] = fill_of(column, drafted);
        table->column_count++;
    }
    uint32_t keys_end = rows_of(&listing->keys, K_COUNT, table->source_id, key_at);
    out->identity = (char)cells[T_IDENTITY].data[0];
    out->partitioned = bytes_is(cells[T_KIND], "p");
    struct candidate key = choose_key(&listing->keys, *key_at, keys_end, out->identity);
    *key_at = keys_end;
    mark_key(&listing->keys, &key, table, columns);
    for (uint16_t i = 0; i < table->column_count; i++)
        postgres_key_type(&columns[i]);
    table->columns = columns;
    table_index_keys(arena, table);
    out->table = table;
    out->fills = fills;
    out->replicable = out->identity == 'f' || (out->identity != 'n' && table->key_count > 0);
}

static bool details_read(struct session *connection, const struct postgres_options *options,
                         const uint32_t *oids, size_t count, struct arena *arena,
                         struct listing *out, struct error *err)
{
    struct buf list, sql;
    buf_init(&list, SQL_LIMIT);
    buf_init(&sql, SQL_LIMIT);
    buf_text(&list, "'{");
    for (size_t i = 0; i < count; i++)
        buf_printf(&list, "%s%u", i ? "," : "", oids[i]);
    buf_text(&list, "}'::oid[])");
    buf_text(&sql, columns_sql);
    buf_text(&sql, out->fills ? fills_sql : "NULL, NULL");
    buf_text(&sql, columns_from_sql);
    buf_text(&sql, out->fills ? fills_from_sql : "");
    buf_text(&sql, columns_of_sql);
    buf_bytes(&sql, buf_view(&list));
    buf_text(&sql, " ORDER BY a.attrelid, a.attnum");
    bool ok = session_query(connection, buf_view(&sql), arena, &out->columns, err);
    buf_reset(&sql);
    buf_text(&sql, keys_sql);
    buf_bytes(&sql, buf_view(&list));
    buf_text(&sql, " ORDER BY i.indrelid, i.indexrelid, k.place");
    ok = ok && session_query(connection, buf_view(&sql), arena, &out->keys, err);
    buf_done(&sql);
    buf_done(&list);
    if (!ok)
        return false;
    uint32_t *types = arena_array(arena, out->columns.row_count + 1u, sizeof *types);
    for (uint32_t i = 0; i < out->columns.row_count; i++)
        types[i] = oid_of(out->columns.cells[i * C_COUNT + C_TYPE]);
    return user_types_read(connection, options, types, out->columns.row_count, arena, &out->users,
                           err);
}

/* Keeps the rows of listing->tables that the filter wants. */
static bool drafts_make(struct session *connection, const struct postgres_options *options,
                        const struct table_filter *filter, bool generated, struct arena *arena,
                        struct listing *listing, struct listed_table **out, size_t *count,
                        struct error *err)
{
    struct result *tables = &listing->tables;
    uint32_t *oids = arena_array(arena, tables->row_count + 1u, sizeof *oids);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < tables->row_count; i++) {
        const struct bytes *cells = &tables->cells[i * T_COUNT];
        if (filter &&
            !filter->matches(filter->context, cells[T_DATABASE], cells[T_SCHEMA], cells[T_NAME]))
            continue;
        memmove(&tables->cells[kept * T_COUNT], cells, T_COUNT * sizeof *cells);
        oids[kept++] = oid_of(cells[T_OID]);
    }
    tables->row_count = kept;
    *count = kept;
    *out = arena_array(arena, kept + 1u, sizeof **out);
    if (kept == 0)
        return true;
    if (!details_read(connection, options, oids, kept, arena, listing, err))
        return false;
    uint32_t column_at = 0, key_at = 0;
    for (uint32_t i = 0; i < kept; i++)
        draft_table(listing, i, &column_at, &key_at, options, generated, arena, &(*out)[i]);
    for (uint32_t i = 0; i < kept && session_version(connection) < ROOTS_VERSION; i++) {
        (*out)[i].rootless = (*out)[i].partitioned;
        (*out)[i].replicable &= !(*out)[i].partitioned;
    }
    return true;
}

bool listed_tables_read(struct session *connection, const struct postgres_options *options,
                        const struct table_filter *filter, bool generated, struct arena *arena,
                        struct listed_table **out, size_t *count, struct error *err)
{
    struct listing listing = { 0 };
    struct bytes sql =
        arena_printf(arena, "%s AND %s ORDER BY c.oid", tables_sql, listed_kinds(options));
    return session_query(connection, sql, arena, &listing.tables, err) &&
           drafts_make(connection, options, filter, generated, arena, &listing, out, count, err);
}

bool listed_table_read(struct session *connection, const struct postgres_options *options,
                       uint32_t oid, bool generated, struct arena *arena, struct listed_table **out,
                       struct error *err)
{
    struct listing listing = { .fills = true };
    size_t count;
    struct listed_table *found;
    struct bytes sql =
        arena_printf(arena, "%s AND %s AND c.oid = %u", tables_sql, listed_kinds(options), oid);
    if (!session_query(connection, sql, arena, &listing.tables, err) ||
        !drafts_make(connection, options, NULL, generated, arena, &listing, &found, &count, err))
        return false;
    *out = count > 0 ? found : NULL;
    return true;
}

void table_identity_complaint(const struct listed_table *listed, struct buf *out)
{
    bool nothing = listed->identity == 'n';
    if (listed->rootless) {
        buf_text(out, "it is partitioned, and PostgreSQL 12 cannot put such a table into its log: "
                      "upgrade to 13 or later");
        return;
    }
    buf_printf(out, "it has %s, so its updates and deletes cannot be followed: ALTER TABLE ",
               nothing ? "REPLICA IDENTITY NOTHING" : "no primary key");
    table_quote(out, listed->table);
    buf_text(out, nothing && listed->table->key_count > 0 ? " REPLICA IDENTITY DEFAULT"
                                                          : " REPLICA IDENTITY FULL");
}
