/* SPDX-License-Identifier: Apache-2.0
 *
 * A column of CREATE TABLE and ALTER TABLE: column_definition in the MySQL reference manual,
 * "CREATE TABLE" in MariaDB's. What both servers do and the manuals hardly say:
 *   - a column that is AUTO_INCREMENT or ROW START is NOT NULL, whatever is written;
 *   - MariaDB takes DEFAULT with an expression without parentheses, so its end must be found;
 *   - COLLATE alone names the character set too. */
#include "engine/base/assert.h"
#include "schema/mysql_ddl_parser.h"

bool ddl_is_unsettled(const struct column *column)
{
    enum type_kind kind = column->type.kind;
    return !column->charset.data && (kind == TYPE_TEXT || kind == TYPE_ENUM || kind == TYPE_SET);
}

bool ddl_settle_column(struct column *column, struct ddl_charset table, struct arena *arena)
{
    if (!ddl_is_unsettled(column))
        return true;
    struct ddl_charset written = { .collation = column->collation };
    struct ddl_charset settled = ddl_charset_or(written, table, arena);
    if (!settled.charset.data)
        return false;
    struct lexer lexer = lexer_of(column->source_type, arena);
    lexer.mariadb = true;
    lexer_start(&lexer);
    struct mysql_spelling spelling;
    if (!mysql_type_take(&lexer, &spelling))
        return false;
    if (spelling.binary_collation)
        settled.collation = arena_printf(arena, "%.*s_bin", BYTES_ARGS(settled.charset));
    spelling.charset = settled.charset;
    mysql_type_settle(&spelling, settled.charset);
    if (!mysql_type_canonical(&spelling, arena, &column->type))
        return false;
    column->source_type = mysql_type_spell(&spelling, true, 0, arena);
    bool text = mysql_family_is_text(spelling.family);
    column->charset = text ? settled.charset : (struct bytes){ 0 };
    column->collation = text ? settled.collation : (struct bytes){ 0 };
    return true;
}

/* ---- DEFAULT ---- */

static bool is_now(const struct lexer *lexer)
{
    return lexer_is(lexer, "current_timestamp") || lexer_is(lexer, "now") ||
           lexer_is(lexer, "localtime") || lexer_is(lexer, "localtimestamp");
}

/* Words that start what may follow a default: where an expression without parentheses ends. */
static bool at_attribute(const struct lexer *lexer)
{
    static const char *const words[] = {
        "not",
        "null",
        "default",
        "comment",
        "auto_increment",
        "primary",
        "unique",
        "key",
        "on",
        "collate",
        "column_format",
        "storage",
        "check",
        "references",
        "constraint",
        "invisible",
        "visible",
        "generated",
        "as",
        "with",
        "without",
        "first",
        "after",
        "compressed",
        "engine_attribute",
        "secondary_engine_attribute",
        "srid",
        "ref_system_id",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (lexer_is(lexer, words[i]))
            return true;
    }
    return false;
}

static bool at_end(const struct lexer *lexer)
{
    return lexer->token.kind == TOKEN_END || lexer_is_symbol(lexer, ',') ||
           lexer_is_symbol(lexer, ')');
}

static bool take_expression(struct lexer *lexer, struct column *column)
{
    size_t start = lexer->token.start;
    while (!at_end(lexer) && !at_attribute(lexer)) {
        if (lexer->token.kind == TOKEN_BAD)
            return false;
        if (!lexer_is_symbol(lexer, '('))
            lexer_next(lexer);
        else if (!lexer_skip_parentheses(lexer, NULL))
            return false;
    }
    column->default_text = lexer_since(lexer, start);
    column->default_is_expression = true;
    return column->default_text.size > 0;
}

/* CURRENT_TIMESTAMP and its synonyms, spelled as information_schema does. */
static bool take_now(struct ddl_parser *parser, struct column *column)
{
    struct lexer *lexer = &parser->lexer;
    struct bytes inside = { 0 };
    lexer_next(lexer);
    if (lexer_is_symbol(lexer, '(') && !lexer_skip_parentheses(lexer, &inside))
        return false;
    bool mariadb = parser->context->mariadb, parentheses = mariadb || inside.size > 0;
    column->default_text = arena_printf(
        parser->arena, "%s%s%.*s%s", mariadb ? "current_timestamp" : "CURRENT_TIMESTAMP",
        parentheses ? "(" : "", (int)inside.size, inside.data ? (const char *)inside.data : "",
        parentheses ? ")" : "");
    column->default_is_expression = true;
    return true;
}

/* The number that hexadecimal or binary digits mean; false above 64 bits. */
static bool digits_number(const struct token *token, uint64_t *out)
{
    uint64_t number = 0, base = token->kind == TOKEN_HEX ? 16 : 2;
    for (size_t i = 0; i < token->text.size; i++) {
        uint8_t c = token->text.data[i];
        if (number > UINT64_MAX / base)
            return false;
        number = number * base + (uint64_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    *out = number;
    return true;
}

static struct bytes bit_text(struct arena *arena, uint64_t number)
{
    char digits[65];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + (number & 1));
    while ((number >>= 1) && at > 0);
    return arena_printf(arena, "b'%.*s'", (int)(sizeof digits - at), digits + at);
}

static uint8_t hex_value(uint8_t c) { return (uint8_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10); }

static struct bytes hex_bytes(struct arena *arena, struct bytes digits)
{
    uint8_t *data = arena_raw(arena, digits.size / 2 + 1);
    for (size_t i = 0; i + 1 < digits.size; i += 2)
        data[i / 2] =
            (uint8_t)(hex_value(digits.data[i]) << 4 | (hex_value(digits.data[i + 1]) & 15));
    return (struct bytes){ data, digits.size / 2 };
}

static bool is_numeric(enum type_kind kind) { return kind <= TYPE_DECIMAL; }

/* The text of a literal for a column: x'41' is a text for text and a number for numbers. */
static struct bytes literal_text(struct arena *arena, const struct token *token,
                                 enum type_kind kind)
{
    uint64_t number = 0;
    bool digits = token->kind == TOKEN_HEX || token->kind == TOKEN_BIT;
    if (kind == TYPE_BIT && token->kind == TOKEN_NUMBER && token->text.size < 19) {
        for (size_t i = 0; i < token->text.size; i++)
            number = number * 10 + (uint64_t)(token->text.data[i] - '0');
        return bit_text(arena, number);
    }
    if (!digits)
        return token->text;
    if (token->kind == TOKEN_HEX && !is_numeric(kind) && kind != TYPE_BIT)
        return hex_bytes(arena, token->text);
    if (!digits_number(token, &number))
        return token->text;
    return is_numeric(kind) ? arena_printf(arena, "%ju", (uintmax_t)number)
                            : bit_text(arena, number);
}

/* A literal with its sign; false and nothing taken when there is none or it goes on. */
static bool take_literal(struct ddl_parser *parser, struct column *column, bool *fills)
{
    struct lexer ahead = parser->lexer;
    bool negative = lexer_is_symbol(&ahead, '-');
    bool sign = negative || lexer_is_symbol(&ahead, '+');
    if (sign)
        lexer_next(&ahead);
    bool typed =
        lexer_is(&ahead, "date") || lexer_is(&ahead, "time") || lexer_is(&ahead, "timestamp");
    if (typed)
        lexer_next(&ahead);
    struct token token = ahead.token;
    bool truth = lexer_is(&ahead, "true"), word = truth || lexer_is(&ahead, "false");
    bool literal = token.kind == TOKEN_STRING || token.kind == TOKEN_NUMBER ||
                   token.kind == TOKEN_HEX || token.kind == TOKEN_BIT || word;
    if (!literal || (typed && token.kind != TOKEN_STRING) || (sign && token.kind != TOKEN_NUMBER))
        return false;
    lexer_next(&ahead);
    if (ahead.token.kind == TOKEN_SYMBOL && !at_end(&ahead))
        return false;
    parser->lexer = ahead;
    bool bytes = (token.kind == TOKEN_HEX || token.kind == TOKEN_BIT) &&
                 !is_numeric(column->type.kind) && column->type.kind != TYPE_BIT;
    *fills |= bytes || token.introducer.data; /* in a character set that is not the text's */
    struct bytes text = literal_text(parser->arena, &token, column->type.kind);
    if (word)
        text = truth ? BYTES_LITERAL("1") : BYTES_LITERAL("0");
    column->default_text = negative ? arena_printf(parser->arena, "-%.*s", BYTES_ARGS(text)) : text;
    return true;
}

bool ddl_take_default(struct ddl_parser *parser, struct column *column, bool *fills)
{
    struct lexer *lexer = &parser->lexer, start = *lexer;
    column->default_text = (struct bytes){ 0 };
    column->default_is_expression = false;
    if (lexer_accept(lexer, "null") || take_literal(parser, column, fills))
        return true;
    *fills = true;
    if (lexer_is_symbol(lexer, '(')) {
        column->default_is_expression = true;
        if (!lexer_skip_parentheses(lexer, &column->default_text))
            return false;
    } else if (is_now(lexer) && !take_now(parser, column)) {
        return false;
    }
    if (lexer->at != start.at && (at_end(lexer) || lexer->token.kind != TOKEN_SYMBOL))
        return true;
    *lexer = start;
    return take_expression(lexer, column);
}

/* ---- the other attributes ---- */

static void take_equals_value(struct lexer *lexer)
{
    lexer_accept_symbol(lexer, '=');
    lexer_next(lexer);
}

/* REFERENCES t (a) MATCH FULL ON DELETE SET NULL ON UPDATE NO ACTION, behind the first word. */
static bool take_references(struct ddl_parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    struct ddl_name ignored;
    if (!ddl_take_table(parser, &ignored))
        return false;
    if (lexer_is_symbol(lexer, '(') && !lexer_skip_parentheses(lexer, NULL))
        return false;
    for (;;) {
        if (lexer_accept(lexer, "match")) {
            lexer_next(lexer);
        } else if (lexer_is(lexer, "on") &&
                   (ddl_is_next(parser, "delete") || ddl_is_next(parser, "update"))) {
            lexer_next(lexer);
            lexer_next(lexer);
            bool two = lexer_is(lexer, "set") || lexer_is(lexer, "no");
            lexer_next(lexer);
            if (two)
                lexer_next(lexer);
        } else {
            return true;
        }
    }
}

static bool take_check(struct ddl_parser *parser)
{
    if (!lexer_skip_parentheses(&parser->lexer, NULL))
        return false;
    if (lexer_is(&parser->lexer, "not") && ddl_is_next(parser, "enforced"))
        lexer_next(&parser->lexer);
    lexer_accept(&parser->lexer, "enforced");
    return true;
}

/* AS (expression) [VIRTUAL | STORED | PERSISTENT], AS ROW START | END; behind AS. */
static bool take_generated(struct ddl_parser *parser, struct ddl_column *out)
{
    struct lexer *lexer = &parser->lexer;
    out->fills = true;
    if (lexer_accept(lexer, "row")) {
        out->column.generated = COLUMN_GENERATED_STORED;
        out->column.nullable = false;
        return lexer_accept(lexer, "start") || lexer_accept(lexer, "end");
    }
    if (!lexer_skip_parentheses(lexer, NULL))
        return false;
    bool stored = lexer_accept(lexer, "stored") || lexer_accept(lexer, "persistent");
    if (!stored)
        lexer_accept(lexer, "virtual");
    out->column.generated = stored ? COLUMN_GENERATED_STORED : COLUMN_GENERATED_VIRTUAL;
    return true;
}

static bool take_not(struct ddl_parser *parser, struct ddl_column *out)
{
    if (lexer_accept(&parser->lexer, "null"))
        out->column.nullable = false;
    else if (!lexer_accept(&parser->lexer, "secondary"))
        return false;
    return true;
}

static bool take_versioning(struct ddl_parser *parser, bool *flag)
{
    *flag = true;
    return lexer_accept(&parser->lexer, "system") && lexer_accept(&parser->lexer, "versioning");
}

static bool take_collate(struct ddl_parser *parser, struct mysql_spelling *spelling)
{
    struct lexer *lexer = &parser->lexer;
    if (!lexer_is_name(lexer) && lexer->token.kind != TOKEN_STRING)
        return false;
    spelling->collation = lexer->token.text;
    lexer_next(lexer);
    return true;
}

static bool take_on_update(struct ddl_parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    if (!lexer_accept(lexer, "update") || !is_now(lexer))
        return false;
    lexer_next(lexer);
    return !lexer_is_symbol(lexer, '(') || lexer_skip_parentheses(lexer, NULL);
}

static bool take_serial_default(struct ddl_parser *parser, struct ddl_column *out)
{
    if (!lexer_accept(&parser->lexer, "default") || !lexer_accept(&parser->lexer, "value"))
        return false;
    out->column.nullable = false;
    out->column.auto_increment = out->unique = out->fills = true;
    return true;
}

/* Attributes that take an argument that is of no interest; false: it is none of them. */
static bool take_unused(struct lexer *lexer)
{
    static const char *const words[] = {
        "column_format", "storage",          "srid",
        "ref_system_id", "engine_attribute", "secondary_engine_attribute"
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (lexer_accept(lexer, words[i])) {
            take_equals_value(lexer);
            return true;
        }
    }
    struct lexer ahead = *lexer; /* MariaDB's engines: `option`=value */
    if (!lexer_is_name(&ahead))
        return false;
    lexer_next(&ahead);
    if (!lexer_is_symbol(&ahead, '='))
        return false;
    *lexer = ahead;
    take_equals_value(lexer);
    return true;
}

static bool take_key_word(struct ddl_parser *parser, struct ddl_column *out)
{
    struct lexer *lexer = &parser->lexer;
    if (lexer_accept(lexer, "unique")) {
        lexer_accept(lexer, "key");
        return out->unique = true;
    }
    if (lexer_accept(lexer, "primary"))
        return out->primary = lexer_accept(lexer, "key");
    return out->primary = lexer_accept(lexer, "key");
}

enum taken { TAKEN_NONE, TAKEN_YES, TAKEN_FAILED };

static enum taken taken(bool ok) { return ok ? TAKEN_YES : TAKEN_FAILED; }

static enum taken take_constraint(struct ddl_parser *parser, struct ddl_column *out)
{
    struct lexer *lexer = &parser->lexer;
    if (lexer_accept(lexer, "constraint")) {
        struct bytes ignored;
        return taken(lexer_is(lexer, "check") || ddl_take_name(parser, &ignored));
    }
    if (lexer_accept(lexer, "check"))
        return taken(take_check(parser));
    if (lexer_accept(lexer, "references"))
        return taken(take_references(parser));
    if (lexer_accept(lexer, "with"))
        return taken(take_versioning(parser, &out->versioned_in));
    if (lexer_accept(lexer, "without"))
        return taken(take_versioning(parser, &out->versioned_out));
    return TAKEN_NONE;
}

static enum taken take_value(struct ddl_parser *parser, struct ddl_column *out)
{
    struct lexer *lexer = &parser->lexer;
    if (lexer_accept(lexer, "default"))
        return taken(ddl_take_default(parser, &out->column, &out->fills));
    if (lexer_accept(lexer, "on"))
        return taken(take_on_update(parser));
    if (lexer_accept(lexer, "generated"))
        return taken(lexer_accept(lexer, "always") && lexer_accept(lexer, "as") &&
                     take_generated(parser, out));
    if (lexer_accept(lexer, "as"))
        return taken(take_generated(parser, out));
    if (lexer_accept(lexer, "serial"))
        return taken(take_serial_default(parser, out));
    if (lexer_accept(lexer, "auto_increment")) {
        out->column.auto_increment = out->fills = true;
        return TAKEN_YES;
    }
    return TAKEN_NONE;
}

static enum taken take_flag(struct ddl_parser *parser, struct ddl_column *out,
                            struct mysql_spelling *spelling, bool *null)
{
    struct lexer *lexer = &parser->lexer;
    if (lexer_accept(lexer, "not"))
        return taken(take_not(parser, out));
    if (lexer_accept(lexer, "null"))
        return taken(*null = true);
    if (lexer_accept(lexer, "comment"))
        return taken(ddl_take_text(parser, &out->column.comment));
    if (lexer_accept(lexer, "collate"))
        return taken(take_collate(parser, spelling));
    if (lexer_accept(lexer, "invisible"))
        return taken(out->column.invisible = true);
    if (lexer_accept(lexer, "visible"))
        return TAKEN_YES;
    if (lexer_accept(lexer, "compressed"))
        return taken(spelling->compressed = true);
    if (lexer_is(lexer, "unique") || lexer_is(lexer, "primary") || lexer_is(lexer, "key"))
        return taken(take_key_word(parser, out));
    return take_unused(lexer) ? TAKEN_YES : TAKEN_NONE;
}

static bool take_attributes(struct ddl_parser *parser, struct ddl_column *out,
                            struct mysql_spelling *spelling, bool *null)
{
    for (;;) {
        enum taken state = take_value(parser, out);
        if (state == TAKEN_NONE)
            state = take_constraint(parser, out);
        if (state == TAKEN_NONE)
            state = take_flag(parser, out, spelling, null);
        if (state != TAKEN_YES)
            return state == TAKEN_NONE && parser->lexer.token.kind != TOKEN_BAD;
    }
}

/* Type, spelling and character set, as far as the definition alone tells them. */
static bool fill_type(struct ddl_parser *parser, struct mysql_spelling *spelling,
                      struct column *column)
{
    const struct ddl_context *context = parser->context;
    bool json = spelling->family == MYSQL_JSON && context->mariadb;
    struct ddl_charset written = { ddl_charset_name(parser, spelling->charset),
                                   ddl_charset_name(parser, spelling->collation) };
    if (json)
        written = (struct ddl_charset){ BYTES_LITERAL("utf8mb4"), BYTES_LITERAL("utf8mb4_bin") };
    if (!written.charset.data)
        written.charset = ddl_collation_charset(written.collation);
    if (json)
        mysql_type_alias_json(spelling);
    bool settled = written.charset.data != NULL;
    if (settled || !mysql_family_is_text(spelling->family))
        mysql_type_settle(spelling, written.charset);
    spelling->charset = written.charset;
    if (!mysql_type_canonical(spelling, parser->arena, &column->type))
        return false;
    bool text = mysql_family_is_text(spelling->family), bin = spelling->binary_collation && text;
    column->source_type =
        mysql_type_spell(spelling, context->mariadb, context->server_version, parser->arena);
    if (bin && settled)
        written.collation = arena_printf(parser->arena, "%.*s_bin", BYTES_ARGS(written.charset));
    else if (bin)
        column->source_type =
            arena_printf(parser->arena, "%.*s binary", BYTES_ARGS(column->source_type));
    if (text) {
        column->charset = written.charset;
        column->collation = written.collation;
    }
    return true;
}

bool ddl_take_column(struct ddl_parser *parser, struct ddl_column *out)
{
    *out = (struct ddl_column){ .column.nullable = true };
    struct column *column = &out->column;
    struct mysql_spelling spelling;
    if (!ddl_take_name(parser, &column->name) || !mysql_type_take(&parser->lexer, &spelling) ||
        !mysql_type_canonical(&spelling, parser->arena, &column->type))
        return false;
    bool null = false;
    if (!take_attributes(parser, out, &spelling, &null) || !fill_type(parser, &spelling, column))
        return false;
    if (spelling.serial)
        column->auto_increment = out->unique = out->fills = true;
    bool timestamp = column->type.kind == TYPE_TIMESTAMP && parser->context->implicit_timestamps;
    if (out->primary || column->auto_increment || (timestamp && !null && !column->generated))
        column->nullable = false;
    return true;
}
