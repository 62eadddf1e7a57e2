/* SPDX-License-Identifier: Apache-2.0
 *
 * information_schema to drafts of table versions: three statements whatever the number of tables,
 * each sorted by database and table, walked side by side. */
#include "sources/mysql/tables.h"

#include <stdlib.h>

#include "engine/base/buf.h"
#include "engine/base/parse.h"
#include "schema/mysql_ddl.h"

#define NOT_SYSTEM " NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')"

/* ---- one table's columns ---- */

enum column_cell {
    C_DATABASE,
    C_TABLE,
    C_NAME,
    C_DEFAULT,
    C_NULLABLE,
    C_TYPE,
    C_CHARSET,
    C_COLLATION,
    C_EXTRA,
    C_COMMENT,
    C_COUNT
};

static bool holds(struct bytes text, const char *word)
{
    return text.data && memmem(text.data, text.size, word, strlen(word)) != NULL;
}

/* 'it''s' as an SQL literal to its text. */
static struct bytes unquote(struct bytes text, struct arena *arena)
{
    uint8_t *out = arena_raw(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 1; i + 1 < text.size; i++) {
        if ((text.data[i] == '\'' || text.data[i] == '\\') && i + 2 < text.size)
            i++;
        out[size++] = text.data[i];
    }
    return (struct bytes){ out, size };
}

/* MariaDB gives an SQL expression ('text', 12, current_timestamp(), NULL); MySQL the text itself,
 * and says in EXTRA when it is an expression. */
static void set_default(struct column *column, struct bytes text, struct bytes extra, bool mariadb,
                        struct arena *arena)
{
    if (!text.data || (mariadb && bytes_is(text, "NULL")))
        return;
    bool quoted = mariadb && text.size >= 2 && text.data[0] == '\'';
    bool number =
        text.size > 0 && (text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9'));
    bool bits = text.size > 2 && text.data[0] == 'b' && text.data[1] == '\'';
    column->default_text = quoted ? unquote(text, arena) : arena_copy(arena, text);
    column->default_is_expression =
        mariadb ? !quoted && !number && !bits
                : holds(extra, "DEFAULT_GENERATED") ||
                      (text.size >= 17 &&
                       !strncasecmp((const char *)text.data, "CURRENT_TIMESTAMP", 17));
}

static bool draft_column(const struct bytes *cells, const struct mysql_options *options,
                         bool mariadb, struct arena *arena, struct column *column)
{
    column->name = arena_copy(arena, cells[C_NAME]);
    column->nullable = bytes_is(cells[C_NULLABLE], "YES");
    column->charset = arena_copy(arena, cells[C_CHARSET]);
    column->collation = arena_copy(arena, cells[C_COLLATION]);
    column->source_type = arena_copy(arena, cells[C_TYPE]);
    if (options->comments)
        column->comment = arena_copy(arena, cells[C_COMMENT]);
    struct bytes extra = cells[C_EXTRA];
    column->auto_increment = holds(extra, "auto_increment");
    column->invisible = holds(extra, "INVISIBLE");
    column->generated = holds(extra, "VIRTUAL GENERATED") ? COLUMN_GENERATED_VIRTUAL
                        : holds(extra, "STORED GENERATED") || holds(extra, "PERSISTENT")
                            ? COLUMN_GENERATED_STORED
                            : COLUMN_STORED_PLAIN;
    set_default(column, cells[C_DEFAULT], extra, mariadb, arena);
    if (!mysql_type_parse(cells[C_TYPE], cells[C_CHARSET], mariadb, arena, &column->type))
        return false;
    column->type.boolean = column->type.boolean && options->tinyint1_is_bool;
    return true;
}

/* ---- keys ---- */

enum key_cell { K_DATABASE, K_TABLE, K_INDEX, K_COLUMN, K_SUB_PART, K_NULLABLE, K_COUNT };

struct candidate {
    struct bytes name;
    uint32_t first, count;
    bool usable, primary;
};

static bool better(const struct candidate *a, const struct candidate *b)
{
    if (a->primary != b->primary)
        return a->primary;
    return mysql_key_precedes(a->count, a->name, b->count, b->name);
}

/* The rows first..end of the statement are this table's unique indexes, column by column. Marks the
 * key's columns and returns its name, NULL data when there is none. */
static struct bytes choose_key(const struct result *keys, uint32_t first, uint32_t end,
                               struct column *columns, uint16_t column_count)
{
    struct candidate best = { 0 }, current = { 0 };
    for (uint32_t i = first; i <= end; i++) {
        const struct bytes *cells = i < end ? &keys->cells[i * K_COUNT] : NULL;
        if (!cells || !bytes_equal(cells[K_INDEX], current.name) || i == first) {
            if (i > first && current.usable && (!best.usable || better(&current, &best)))
                best = current;
            if (!cells)
                break;
            current = (struct candidate){ .name = cells[K_INDEX],
                                          .first = i,
                                          .usable = true,
                                          .primary = bytes_is(cells[K_INDEX], "PRIMARY") };
        }
        current.count++;
        current.usable &=
            cells[K_COLUMN].data && !cells[K_SUB_PART].data && !bytes_is(cells[K_NULLABLE], "YES");
    }
    for (uint32_t k = 0; best.usable && k < best.count; k++)
        for (uint16_t c = 0; c < column_count; c++)
            if (bytes_equal(columns[c].name, keys->cells[(best.first + k) * K_COUNT + K_COLUMN]))
                columns[c].key_order = (uint16_t)(k + 1);
    return best.usable ? best.name : (struct bytes){ 0 };
}

/* ---- the three statements ---- */

enum table_cell { T_DATABASE, T_TABLE, T_TYPE, T_COLLATION, T_COMMENT, T_COUNT };

struct listing {
    struct result tables, columns, keys;
};

static bool query(struct connection *connection, const char *select, const char *condition,
                  const char *order, struct arena *arena, struct result *result, struct error *err)
{
    struct bytes sql = arena_printf(arena, "%s %s %s", select, condition, order);
    return connection_query(connection, sql, 20000000, arena, result, err);
}

static bool list(struct connection *connection, const char *condition, struct arena *arena,
                 struct listing *out, struct error *err)
{
    return query(connection,
                 "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, TABLE_COLLATION, "
                 "TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_TYPE IN "
                 "('BASE TABLE', 'SYSTEM VERSIONED') AND",
                 condition, "ORDER BY BINARY TABLE_SCHEMA, BINARY TABLE_NAME", arena, &out->tables,
                 err) &&
           query(connection,
                 "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_DEFAULT, "
                 "IS_NULLABLE, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, EXTRA, "
                 "COLUMN_COMMENT FROM information_schema.COLUMNS WHERE",
                 condition, "ORDER BY BINARY TABLE_SCHEMA, BINARY TABLE_NAME, ORDINAL_POSITION",
                 arena, &out->columns, err) &&
           query(connection,
                 "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, "
                 "NULLABLE FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 AND",
                 condition,
                 "ORDER BY BINARY TABLE_SCHEMA, BINARY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX", arena,
                 &out->keys, err);
}

/* Moves *at to the first row of this table; the end is where its rows end. */
static uint32_t rows_of(const struct result *result, struct bytes database, struct bytes name,
                        uint32_t *at)
{
    uint32_t width = result->column_count;
    while (*at < result->row_count) {
        const struct bytes *cells = &result->cells[*at * width];
        int order = bytes_compare(cells[0], database);
        order = order ? order : bytes_compare(cells[1], name);
        if (order >= 0)
            break;
        ++*at;
    }
    uint32_t end = *at;
    while (end < result->row_count && bytes_equal(result->cells[end * width], database) &&
           bytes_equal(result->cells[end * width + 1], name))
        end++;
    return end;
}

static bool draft_table(const struct listing *listing, uint32_t row, uint32_t *column_at,
                        uint32_t *key_at, const struct mysql_options *options, bool mariadb,
                        struct arena *arena, struct table **out, struct error *err)
{
    const struct bytes *cells = &listing->tables.cells[row * T_COUNT];
    struct table *table = arena_zalloc(arena, sizeof *table);
    table->database = arena_copy(arena, cells[T_DATABASE]);
    table->name = arena_copy(arena, cells[T_TABLE]);
    table->collation = arena_copy(arena, cells[T_COLLATION]);
    const uint8_t *underscore = cells[T_COLLATION].size
                                    ? memchr(cells[T_COLLATION].data, '_', cells[T_COLLATION].size)
                                    : NULL;
    if (underscore)
        table->charset =
            arena_copy(arena, (struct bytes){ cells[T_COLLATION].data,
                                              (size_t)(underscore - cells[T_COLLATION].data) });
    if (options->comments)
        table->comment = arena_copy(arena, cells[T_COMMENT]);
    table->system_versioned = bytes_is(cells[T_TYPE], "SYSTEM VERSIONED");
    uint32_t end = rows_of(&listing->columns, table->database, table->name, column_at);
    struct column *columns = arena_array(arena, end - *column_at + 1, sizeof *columns);
    for (uint32_t i = *column_at; i < end; i++) {
        const struct bytes *column = &listing->columns.cells[i * C_COUNT];
        if (!draft_column(column, options, mariadb, arena, &columns[table->column_count++]))
            return error_set(err, ERROR_CONFIG,
                             "table '%.*s.%.*s', column '%.*s': the type '%.*s' is "
                             "not known: leave the table out by tables.exclude",
                             BYTES_ARGS(table->database), BYTES_ARGS(table->name),
                             BYTES_ARGS(column[C_NAME]), BYTES_ARGS(column[C_TYPE]));
    }
    *column_at = end;
    uint32_t keys_end = rows_of(&listing->keys, table->database, table->name, key_at);
    if (keys_end > *key_at)
        table->key_name = arena_copy(
            arena, choose_key(&listing->keys, *key_at, keys_end, columns, table->column_count));
    *key_at = keys_end;
    table->columns = columns;
    table_index_keys(arena, table);
    *out = table;
    return true;
}

bool tables_list(struct connection *connection, const struct mysql_options *options,
                 const struct table_filter *filter, struct arena *arena, struct table ***drafts,
                 size_t *count, struct error *err)
{
    struct arena scratch = { 0 };
    struct listing listing;
    bool mariadb = connection_server(connection)->flavor == SERVER_MARIADB;
    bool ok = list(connection, "TABLE_SCHEMA" NOT_SYSTEM, &scratch, &listing, err);
    uint32_t column_at = 0, key_at = 0;
    *count = 0;
    *drafts = arena_array(arena, ok ? listing.tables.row_count + 1 : 1, sizeof **drafts);
    for (uint32_t i = 0; ok && i < listing.tables.row_count; i++) {
        const struct bytes *cells = &listing.tables.cells[i * T_COUNT];
        if (!filter->matches(filter->context, cells[T_DATABASE], (struct bytes){ 0 },
                             cells[T_TABLE]))
            continue;
        ok = draft_table(&listing, i, &column_at, &key_at, options, mariadb, arena,
                         &(*drafts)[*count], err);
        *count += ok;
    }
    arena_done(&scratch);
    return ok;
}

bool tables_are_new(struct connection *connection, const struct table_filter *filter,
                    const struct catalog *catalog, bool *some, struct error *err)
{
    struct arena scratch = { 0 };
    struct result names;
    struct bytes none = { 0 };
    bool ok = query(connection,
                    "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES "
                    "WHERE",
                    "TABLE_SCHEMA" NOT_SYSTEM, "", &scratch, &names, err);
    *some = false;
    for (uint32_t i = 0; ok && i < names.row_count && !*some; i++) {
        const struct bytes *cells = &names.cells[i * 2];
        *some = filter->matches(filter->context, cells[0], none, cells[1]) &&
                !catalog_find(catalog, cells[0], none, cells[1]);
    }
    arena_done(&scratch);
    return ok;
}

bool tables_read(struct connection *connection, const struct mysql_options *options,
                 struct bytes database, struct bytes name, struct arena *arena,
                 struct table **draft, struct error *err)
{
    struct arena scratch = { 0 };
    struct buf condition;
    buf_init(&condition, 8192);
    buf_text(&condition, "TABLE_SCHEMA = ");
    mysql_quote_text(&condition, database);
    buf_text(&condition, " AND TABLE_NAME = ");
    mysql_quote_text(&condition, name);
    buf_u8(&condition, 0);
    struct listing listing;
    bool mariadb = connection_server(connection)->flavor == SERVER_MARIADB;
    bool ok = list(connection, (const char *)condition.data, &scratch, &listing, err);
    uint32_t column_at = 0, key_at = 0;
    *draft = NULL;
    if (ok && listing.tables.row_count > 0)
        ok = draft_table(&listing, 0, &column_at, &key_at, options, mariadb, arena, draft, err);
    buf_done(&condition);
    arena_done(&scratch);
    return ok;
}

void tables_settle(struct table *draft, const struct mysql_options *options, struct arena *arena)
{
    struct column *columns = arena_array(arena, draft->column_count + 1u, sizeof *columns);
    memcpy(columns, draft->columns, draft->column_count * sizeof *columns);
    for (uint16_t i = 0; i < draft->column_count; i++) {
        columns[i].type.boolean &= options->tinyint1_is_bool;
        if (!options->comments)
            columns[i].comment = (struct bytes){ 0 };
    }
    if (!options->comments)
        draft->comment = (struct bytes){ 0 };
    draft->columns = columns;
}

/* ---- collations ---- */

static int by_id(const void *a, const void *b)
{
    uint32_t left = ((const struct collation_entry *)a)->id;
    uint32_t right = ((const struct collation_entry *)b)->id;
    return (left > right) - (left < right);
}

static void collations_add(struct collation_entry *entries, size_t *count,
                           const struct result *result, struct arena *arena)
{
    for (uint32_t i = 0; i < result->row_count; i++) {
        const struct bytes *cells = &result->cells[i * 3];
        if (cells[0].data)
            entries[(*count)++] = (struct collation_entry){ (uint32_t)parse_digits(cells[0]),
                                                            arena_copy(arena, cells[1]),
                                                            arena_copy(arena, cells[2]) };
    }
}

bool tables_collations(struct connection *connection, struct arena *arena,
                       struct collation_table *out, struct error *err)
{
    struct arena scratch = { 0 };
    struct result first, second = { 0 };
    struct error ignored;
    bool ok =
        connection_query(connection,
                         BYTES_LITERAL("SELECT ID, COLLATION_NAME, "
                                       "CHARACTER_SET_NAME FROM information_schema.COLLATIONS"),
                         0, &scratch, &first, err);
    /* MariaDB 10.10 lists the UCA 14.0 collations by character set here alone. */
    if (ok && !connection_query(connection,
                                BYTES_LITERAL("SELECT ID, FULL_COLLATION_NAME, "
                                              "CHARACTER_SET_NAME FROM information_schema."
                                              "COLLATION_CHARACTER_SET_APPLICABILITY"),
                                0, &scratch, &second, &ignored))
        second = (struct result){ 0 };
    if (ok) {
        size_t count = 0;
        struct collation_entry *entries =
            arena_array(arena, first.row_count + second.row_count + 1u, sizeof *entries);
        collations_add(entries, &count, &first, arena);
        collations_add(entries, &count, &second, arena);
        qsort(entries, count, sizeof *entries, by_id);
        *out = (struct collation_table){ entries, count };
    }
    arena_done(&scratch);
    return ok;
}

bool tables_fold_names(struct connection *connection, bool *fold, struct error *err)
{
    struct arena scratch = { 0 };
    struct result result;
    bool ok = connection_query(connection, BYTES_LITERAL("SELECT @@lower_case_table_names"), 1,
                               &scratch, &result, err);
    if (ok)
        *fold = result.row_count > 0 && !bytes_is(result.cells[0], "0");
    arena_done(&scratch);
    return ok;
}

bool tables_implicit_timestamps(struct connection *connection)
{
    struct arena scratch = { 0 };
    struct result result;
    struct error ignored;
    bool implicit =
        connection_query(connection,
                         BYTES_LITERAL("SELECT @@global.explicit_defaults_for_timestamp"), 1,
                         &scratch, &result, &ignored) &&
        result.row_count > 0 && bytes_is(result.cells[0], "0");
    arena_done(&scratch);
    return implicit;
}
