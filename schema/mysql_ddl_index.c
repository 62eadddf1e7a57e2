/* SPDX-License-Identifier: Apache-2.0
 *
 * Indexes and constraints of a table, as far as they can be its key. One with a prefix of a column
 * cannot, be it the primary key: rows are then found by less than their values. A prefix counts as
 * such only when it is shorter than its column: the servers drop it otherwise. */
#include "engine/base/assert.h"
#include "schema/mysql_ddl_parser.h"

size_t ddl_find_column(const struct column *columns, size_t count, struct bytes name)
{
    size_t i = 0;
    while (i < count && !text_equal_fold(columns[i].name, name))
        i++;
    return i;
}

static uint8_t upper(uint8_t c) { return c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c; }

/* Order without regard to case, as general_ci sorts ASCII; names that differ by case are equal. */
static int name_compare(struct bytes a, struct bytes b)
{
    for (size_t i = 0; i < a.size && i < b.size; i++) {
        int order = (int)upper(a.data[i]) - (int)upper(b.data[i]);
        if (order)
            return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

bool mysql_key_precedes(size_t count, struct bytes name, size_t other_count,
                        struct bytes other_name)
{
    if (count != other_count)
        return count < other_count;
    return name_compare(name, other_name) < 0;
}

bool ddl_key_fits(const struct ddl_key *key, const struct column *columns, size_t count)
{
    for (size_t i = 0; i < key->count; i++) {
        size_t at = ddl_find_column(columns, count, key->columns[i]);
        if (at == count)
            return false;
        const struct column *column = &columns[at];
        bool whole = key->prefixes[i] == 0 ||
                     (column->type.length > 0 && key->prefixes[i] >= column->type.length);
        if (!whole || (column->nullable && !key->primary))
            return false;
    }
    return key->count > 0;
}

bool ddl_at_index(const struct ddl_parser *parser)
{
    static const char *const words[] = { "primary", "unique",   "index",   "key",    "constraint",
                                         "check",   "fulltext", "spatial", "foreign" };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (lexer_is(&parser->lexer, words[i]))
            return true;
    }
    return lexer_is(&parser->lexer, "vector") &&
           (ddl_is_next(parser, "index") || ddl_is_next(parser, "key"));
}

bool ddl_skip_element(struct ddl_parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    while (!lexer_is_symbol(lexer, ',') && !lexer_is_symbol(lexer, ')')) {
        if (lexer->token.kind == TOKEN_END)
            return true;
        if (lexer->token.kind == TOKEN_BAD)
            return false;
        if (!lexer_is_symbol(lexer, '('))
            lexer_next(lexer);
        else if (!lexer_skip_parentheses(lexer, NULL))
            return false;
    }
    return true;
}

struct parts {
    struct bytes *columns;
    uint32_t *prefixes;
    size_t count, column_capacity, prefix_capacity;
};

static bool take_prefix(struct lexer *lexer, uint32_t *out)
{
    if (!lexer_accept_symbol(lexer, '('))
        return true;
    uint64_t number = 0;
    struct bytes text = lexer->token.text;
    if (lexer->token.kind != TOKEN_NUMBER || text.size > 9)
        return false;
    for (size_t i = 0; i < text.size; i++)
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    *out = (uint32_t)number;
    lexer_next(lexer);
    return lexer_accept_symbol(lexer, ')');
}

static bool take_part(struct ddl_parser *parser, struct ddl_index *out, struct parts *parts)
{
    struct lexer *lexer = &parser->lexer;
    if (lexer_is_symbol(lexer, '(')) {
        out->usable = false;
        if (!lexer_skip_parentheses(lexer, NULL))
            return false;
    } else if (lexer_is_name(lexer)) {
        struct bytes name = lexer->token.text;
        uint32_t prefix = 0;
        lexer_next(lexer);
        if (lexer_accept(lexer, "without")) {
            out->period = name;
            return lexer_accept(lexer, "overlaps");
        }
        if (!take_prefix(lexer, &prefix) || parts->count >= DDL_PARTS_MAX)
            return false;
        parts->columns = ddl_grow(parser->arena, parts->columns, parts->count,
                                  &parts->column_capacity, sizeof *parts->columns);
        parts->prefixes = ddl_grow(parser->arena, parts->prefixes, parts->count,
                                   &parts->prefix_capacity, sizeof *parts->prefixes);
        parts->columns[parts->count] = name;
        parts->prefixes[parts->count++] = prefix;
    } else {
        return false;
    }
    if (!lexer_accept(lexer, "asc"))
        lexer_accept(lexer, "desc");
    return true;
}

bool ddl_take_index_parts(struct ddl_parser *parser, struct ddl_index *out)
{
    struct parts parts = { 0 };
    if (!lexer_accept_symbol(&parser->lexer, '('))
        return false;
    do {
        if (!take_part(parser, out, &parts))
            return false;
    } while (lexer_accept_symbol(&parser->lexer, ','));
    if (!lexer_accept_symbol(&parser->lexer, ')'))
        return false;
    out->key.columns = parts.columns;
    out->key.prefixes = parts.prefixes;
    out->key.count = (uint16_t)parts.count;
    return true;
}

/* [IF NOT EXISTS] [name] [USING type | TYPE type] (parts) */
static bool take_index_body(struct ddl_parser *parser, struct ddl_index *out)
{
    struct lexer *lexer = &parser->lexer;
    out->if_exists |= ddl_take_if_exists(parser);
    if (lexer_is_name(lexer) && !lexer_is(lexer, "using")) {
        out->key.name = lexer->token.text;
        lexer_next(lexer);
    }
    if (lexer_accept(lexer, "using") || lexer_accept(lexer, "type"))
        lexer_next(lexer);
    return ddl_take_index_parts(parser, out);
}

static bool at_constraint_kind(const struct lexer *lexer)
{
    return lexer_is(lexer, "primary") || lexer_is(lexer, "unique") || lexer_is(lexer, "foreign") ||
           lexer_is(lexer, "check");
}

static bool take_index_kind(struct ddl_parser *parser, struct ddl_index *out)
{
    struct lexer *lexer = &parser->lexer;
    if (lexer_accept(lexer, "check")) {
        out->none = true;
        return lexer_skip_parentheses(lexer, NULL);
    }
    if (lexer_accept(lexer, "primary") || lexer_accept(lexer, "foreign")) {
        if (!lexer_accept(lexer, "key"))
            return false;
        return take_index_body(parser, out);
    }
    out->unique = lexer_accept(lexer, "unique");
    if (!out->unique && !lexer_accept(lexer, "fulltext") && !lexer_accept(lexer, "spatial"))
        lexer_accept(lexer, "vector");
    if (!lexer_accept(lexer, "index"))
        lexer_accept(lexer, "key");
    return take_index_body(parser, out);
}

bool ddl_take_index(struct ddl_parser *parser, struct ddl_index *out)
{
    struct lexer *lexer = &parser->lexer;
    *out = (struct ddl_index){ .usable = true };
    struct bytes symbol = { 0 };
    if (lexer_accept(lexer, "constraint")) {
        out->if_exists |= ddl_take_if_exists(parser);
        if (!at_constraint_kind(lexer) && !ddl_take_name(parser, &symbol))
            return false;
        out->if_exists |= ddl_take_if_exists(parser);
        if (!at_constraint_kind(lexer))
            return false;
    }
    bool primary = lexer_is(lexer, "primary");
    if (!take_index_kind(parser, out))
        return false;
    if (primary) {
        out->key.primary = out->unique = true;
        out->key.name = BYTES_LITERAL("PRIMARY");
    } else if (!out->key.name.data) {
        out->key.name = symbol;
    }
    return ddl_skip_element(parser);
}
