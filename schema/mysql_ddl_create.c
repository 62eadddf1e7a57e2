/* SPDX-License-Identifier: Apache-2.0
 *
 * CREATE TABLE behind its name: LIKE, the list of columns and indexes, the options, and what may
 * follow them (partitions, a SELECT). The draft is as information_schema would show the table, with
 * the exceptions that types of a numeric default are not applied to its text ("1", not "1.00") and
 * expressions keep the spelling of the statement.
 *
 * A SELECT is in the log under STATEMENT format only (under ROW both servers write the columns in
 * full): its columns are not known here, and its rows are in no event, so a DDL_STATEMENT_DML
 * follows the statement. */
#include "engine/base/assert.h"
#include "schema/mysql_ddl_parser.h"

struct create {
    struct ddl_parser *parser;
    struct column *columns;
    size_t column_count, column_capacity;
    struct ddl_index *indexes;
    size_t index_count, index_capacity;
    struct bytes period, period_start, period_end;
    struct ddl_charset charset;
    struct bytes comment;
    bool versioned, select;
};

static void add_index(struct create *create, struct ddl_index index)
{
    create->indexes = ddl_grow(create->parser->arena, create->indexes, create->index_count,
                               &create->index_capacity, sizeof index);
    create->indexes[create->index_count++] = index;
}

static void add_column_index(struct create *create, const struct column *column, bool primary)
{
    struct bytes *name = arena_alloc(create->parser->arena, sizeof *name);
    uint32_t *prefix = arena_zalloc(create->parser->arena, sizeof *prefix);
    *name = column->name;
    add_index(create,
              (struct ddl_index){
                  .unique = true,
                  .usable = true,
                  .key = { .primary = primary,
                           .columns = name,
                           .prefixes = prefix,
                           .count = 1,
                           .name = primary ? BYTES_LITERAL("PRIMARY") : (struct bytes){ 0 } },
              });
}

static bool take_column(struct create *create)
{
    struct ddl_column column;
    if (!ddl_take_column(create->parser, &column) || create->column_count >= DDL_COLUMNS_MAX)
        return false;
    create->columns = ddl_grow(create->parser->arena, create->columns, create->column_count,
                               &create->column_capacity, sizeof *create->columns);
    create->columns[create->column_count++] = column.column;
    create->versioned |= column.versioned_in;
    if (column.primary)
        add_column_index(create, &column.column, true);
    if (column.unique)
        add_column_index(create, &column.column, false);
    return true;
}

/* PERIOD FOR name (start, end) */
static bool take_period(struct create *create)
{
    struct ddl_parser *parser = create->parser;
    lexer_next(&parser->lexer);
    lexer_next(&parser->lexer);
    struct bytes name, start, end;
    if (!ddl_take_name(parser, &name) || !lexer_accept_symbol(&parser->lexer, '(') ||
        !ddl_take_name(parser, &start) || !lexer_accept_symbol(&parser->lexer, ',') ||
        !ddl_take_name(parser, &end) || !lexer_accept_symbol(&parser->lexer, ')'))
        return false;
    if (!text_is(name, "system_time")) {
        create->period = name;
        create->period_start = start;
        create->period_end = end;
    }
    return true;
}

static bool take_element(struct create *create)
{
    struct ddl_parser *parser = create->parser;
    if (lexer_is(&parser->lexer, "period") && ddl_is_next(parser, "for"))
        return take_period(create);
    if (!ddl_at_index(parser))
        return take_column(create);
    struct ddl_index index;
    if (!ddl_take_index(parser, &index))
        return false;
    if (!index.none)
        add_index(create, index);
    return true;
}

/* ---- options ---- */

static bool at_select(const struct lexer *lexer)
{
    return lexer_is(lexer, "select") || lexer_is(lexer, "values") || lexer_is(lexer, "table") ||
           lexer_is(lexer, "with");
}

/* One step over the options; those of partitions look the same and are of no interest. */
static bool take_option(struct create *create, bool partitions)
{
    struct ddl_parser *parser = create->parser;
    struct lexer *lexer = &parser->lexer;
    if (lexer_is(lexer, "with") && ddl_is_next(parser, "system")) {
        lexer_next(lexer);
        lexer_next(lexer);
        create->versioned = true;
        return lexer_accept(lexer, "versioning");
    }
    if (at_select(lexer)) {
        create->select = true;
        return true;
    }
    if (!partitions && ddl_take_charset(parser, &create->charset))
        return true;
    if (!partitions && lexer_is(lexer, "comment")) {
        lexer_next(lexer);
        return ddl_take_text(parser, &create->comment);
    }
    if (lexer_is_symbol(lexer, '=')) { /* its value may look like an option */
        lexer_next(lexer);
        if (!lexer_is_symbol(lexer, '('))
            lexer_next(lexer);
        return true;
    }
    if (!lexer_is_symbol(lexer, '(')) {
        lexer_next(lexer);
        return true;
    }
    struct lexer inside = *lexer;
    while (lexer_accept_symbol(&inside, '('))
        ;
    create->select |= at_select(&inside) && !partitions;
    return create->select || lexer_skip_parentheses(lexer, NULL);
}

static bool take_options(struct create *create)
{
    struct lexer *lexer = &create->parser->lexer;
    bool partitions = false;
    while (lexer->token.kind != TOKEN_END && !create->select) {
        if (lexer->token.kind == TOKEN_BAD)
            return false;
        partitions |= lexer_is(lexer, "partition");
        if (!take_option(create, partitions))
            return false;
    }
    return true;
}

/* ---- names of indexes without one ---- */

static bool name_taken(const struct create *create, size_t until, struct bytes name)
{
    for (size_t i = 0; i < until; i++) {
        if (text_equal_fold(create->indexes[i].key.name, name))
            return true;
    }
    return false;
}

/* The servers' rule: the first column's name, with _2, _3 ... while an earlier index has it. */
static void name_indexes(struct create *create)
{
    for (size_t i = 0; i < create->index_count; i++) {
        struct ddl_index *index = &create->indexes[i];
        if (index->key.name.data || index->key.count == 0)
            continue;
        struct bytes name = index->key.columns[0];
        bool number = text_is(name, "primary");
        for (int n = 2; n < 100 && (number || name_taken(create, i, name)); n++, number = false)
            name = arena_printf(create->parser->arena, "%.*s_%d", BYTES_ARGS(index->key.columns[0]),
                                n);
        index->key.name = name;
    }
}

/* ---- the key ---- */

/* MariaDB's period in a key stands for its end and its start. */
static bool expand_period(struct create *create, struct ddl_index *index)
{
    if (!index->period.data)
        return true;
    if (!create->period.data || !text_equal_fold(create->period, index->period))
        return false;
    size_t count = index->key.count;
    struct bytes *names = arena_array(create->parser->arena, count + 2, sizeof *names);
    uint32_t *prefixes = arena_array(create->parser->arena, count + 2, sizeof *prefixes);
    for (size_t i = 0; i < count; i++) {
        names[i] = index->key.columns[i];
        prefixes[i] = index->key.prefixes[i];
    }
    names[count] = create->period_end;
    names[count + 1] = create->period_start;
    index->key.columns = names;
    index->key.prefixes = prefixes;
    index->key.count = (uint16_t)(count + 2);
    return true;
}

static const struct ddl_key *choose_key(const struct create *create)
{
    const struct ddl_key *best = NULL;
    for (size_t i = 0; i < create->index_count; i++) {
        const struct ddl_index *index = &create->indexes[i];
        const struct ddl_key *key = &index->key;
        if (!index->unique || !index->usable ||
            !ddl_key_fits(key, create->columns, create->column_count))
            continue;
        if (key->primary)
            return key;
        if (!best || mysql_key_precedes(key->count, key->name, best->count, best->name))
            best = key;
    }
    return best;
}

static struct column *key_column(const struct create *create, struct bytes name)
{
    size_t at = ddl_find_column(create->columns, create->column_count, name);
    return at < create->column_count ? &create->columns[at] : NULL;
}

/* Columns of the primary key are NOT NULL, those of periods too. */
static bool fill_not_null(struct create *create)
{
    for (size_t i = 0; i < create->index_count; i++) {
        const struct ddl_key *key = &create->indexes[i].key;
        if (!expand_period(create, &create->indexes[i]))
            return false;
        for (size_t k = 0; key->primary && k < key->count; k++) {
            struct column *column = key_column(create, key->columns[k]);
            if (!column)
                return false;
            column->nullable = false;
        }
    }
    struct column *start = key_column(create, create->period_start);
    struct column *end = key_column(create, create->period_end);
    if (start && end)
        start->nullable = end->nullable = false;
    return true;
}

static bool fill_key(struct create *create, struct table *table)
{
    name_indexes(create);
    if (!fill_not_null(create))
        return false;
    const struct ddl_key *key = choose_key(create);
    for (size_t i = 0; key && i < key->count; i++) {
        struct column *column = key_column(create, key->columns[i]);
        if (!column || column->key_order)
            return false;
        column->key_order = (uint16_t)(i + 1);
    }
    if (key)
        table->key_name = key->name;
    return true;
}

/* ---- the draft ---- */

static bool columns_distinct(const struct create *create)
{
    for (size_t i = 1; i < create->column_count; i++) {
        if (ddl_find_column(create->columns, i, create->columns[i].name) < i)
            return false;
    }
    return true;
}

static bool fill_table(struct create *create, struct ddl_statement *statement)
{
    struct ddl_parser *parser = create->parser;
    const struct ddl_context *context = parser->context;
    struct ddl_charset otherwise = { ddl_charset_name(parser, context->default_charset),
                                     ddl_charset_name(parser, context->default_collation) };
    struct ddl_charset charset = ddl_charset_or(create->charset, otherwise, parser->arena);
    for (size_t i = 0; i < create->column_count; i++) {
        if (!ddl_settle_column(&create->columns[i], charset, parser->arena))
            return false;
    }
    struct table *table = arena_zalloc(parser->arena, sizeof *table);
    *table = (struct table){ .database = statement->name.database,
                             .name = statement->name.name,
                             .charset = charset.charset,
                             .collation = charset.collation,
                             .comment = create->comment,
                             .system_versioned = create->versioned,
                             .columns = create->columns,
                             .column_count = (uint16_t)create->column_count };
    if (create->index_count > DDL_INDEXES_MAX || !columns_distinct(create) ||
        !fill_key(create, table))
        return false;
    table_index_keys(parser->arena, table);
    statement->created = table;
    return true;
}

/* ( LIKE t ) or LIKE t */
static bool take_like(struct ddl_parser *parser, struct ddl_statement *statement, bool *found)
{
    struct lexer ahead = parser->lexer;
    lexer_accept_symbol(&ahead, '(');
    *found = lexer_accept(&ahead, "like");
    if (!*found)
        return true;
    parser->lexer = ahead;
    return ddl_take_table(parser, &statement->like);
}

/* A list of columns in parentheses, not a SELECT in them? */
static bool at_columns(const struct lexer *lexer)
{
    struct lexer ahead = *lexer;
    if (!lexer_accept_symbol(&ahead, '('))
        return false;
    return !at_select(&ahead) && !lexer_is_symbol(&ahead, '(');
}

bool ddl_parse_create(struct ddl_parser *parser, struct ddl_statement *statement)
{
    struct create create = { .parser = parser };
    bool like = false;
    if (!take_like(parser, statement, &like) || like)
        return like && statement->like.name.data;
    bool columns = at_columns(&parser->lexer);
    if (columns) {
        lexer_next(&parser->lexer);
        do {
            if (!take_element(&create))
                return false;
        } while (lexer_accept_symbol(&parser->lexer, ','));
        if (!lexer_accept_symbol(&parser->lexer, ')'))
            return false;
    }
    if (!take_options(&create))
        return false;
    if (create.select) {
        ddl_add(parser, DDL_STATEMENT_DML, statement->name);
        return false;
    }
    return create.column_count > 0 && fill_table(&create, statement);
}
