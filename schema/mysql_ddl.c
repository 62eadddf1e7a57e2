/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells a statement by its first words and takes the short ones: DROP, RENAME, TRUNCATE, CREATE and
 * DROP INDEX, databases. Tables are parsed in mysql_ddl_create.c and mysql_ddl_alter.c. Statement
 * DML is told by its first word alone, however long it is. */
#include "schema/mysql_ddl.h"

#include "engine/base/assert.h"
#include "schema/mysql_ddl_parser.h"

enum { NAMES_MAX = 65536 };

/* ---- shared with the other files ---- */

void *ddl_grow(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 4;
    void *grown = arena_array(arena, *capacity, size);
    if (count)
        memcpy(grown, items, count * size);
    return grown;
}

struct ddl_statement *ddl_add(struct ddl_parser *parser, enum ddl_kind kind, struct ddl_name name)
{
    parser->statements = ddl_grow(parser->arena, parser->statements, parser->count,
                                  &parser->capacity, sizeof *parser->statements);
    struct ddl_statement *statement = &parser->statements[parser->count++];
    *statement = (struct ddl_statement){ .kind = kind, .name = name };
    return statement;
}

bool ddl_take_name(struct ddl_parser *parser, struct bytes *out)
{
    if (!lexer_is_name(&parser->lexer) || parser->lexer.token.text.size == 0)
        return false;
    *out = parser->lexer.token.text;
    lexer_next(&parser->lexer);
    return true;
}

bool ddl_take_table(struct ddl_parser *parser, struct ddl_name *out)
{
    struct ddl_name name = { .database = parser->context->database };
    bool dot = lexer_accept_symbol(&parser->lexer, '.');
    if (!ddl_take_name(parser, &name.name))
        return false;
    if (!dot && lexer_accept_symbol(&parser->lexer, '.')) {
        name.database = name.name;
        if (!ddl_take_name(parser, &name.name))
            return false;
    }
    *out = name;
    return true;
}

bool ddl_take_if_exists(struct ddl_parser *parser)
{
    struct lexer ahead = parser->lexer;
    if (!lexer_accept(&ahead, "if"))
        return false;
    lexer_accept(&ahead, "not");
    if (!lexer_accept(&ahead, "exists"))
        return false;
    parser->lexer = ahead;
    return true;
}

void ddl_take_wait(struct ddl_parser *parser)
{
    if (lexer_accept(&parser->lexer, "wait"))
        lexer_next(&parser->lexer);
    else
        lexer_accept(&parser->lexer, "nowait");
}

bool ddl_take_text(struct ddl_parser *parser, struct bytes *out)
{
    lexer_accept_symbol(&parser->lexer, '=');
    if (parser->lexer.token.kind != TOKEN_STRING)
        return false;
    *out = parser->lexer.token.text;
    lexer_next(&parser->lexer);
    return true;
}

bool ddl_is_next(const struct ddl_parser *parser, const char *word)
{
    struct lexer ahead = parser->lexer;
    lexer_next(&ahead);
    return lexer_is(&ahead, word);
}

/* ---- character sets ---- */

struct bytes ddl_charset_name(const struct ddl_parser *parser, struct bytes name)
{
    if (!name.data)
        return name;
    const struct ddl_context *context = parser->context;
    uint32_t version = context->server_version;
    bool short_name = version > 0 && version < (context->mariadb ? 100600u : 80029u);
    bool utf8 = name.size >= 4 && text_is((struct bytes){ name.data, 4 }, "utf8") &&
                (name.size == 4 || name.data[4] == '_');
    uint8_t *out = arena_raw(parser->arena, name.size + 4);
    size_t size = 0;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (i == 4 && utf8 && !short_name) {
            memcpy(out + size, "mb3", 3);
            size += 3;
        }
        out[size++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
    }
    if (size == 4 && utf8 && !short_name) {
        memcpy(out + size, "mb3", 3);
        size += 3;
    }
    return (struct bytes){ out, size };
}

struct bytes ddl_collation_charset(struct bytes collation)
{
    const uint8_t *dash = collation.size ? memchr(collation.data, '_', collation.size) : NULL;
    struct bytes prefix = { collation.data,
                            dash ? (size_t)(dash - collation.data) : collation.size };
    return collation.size && charset_width(prefix) ? prefix : (struct bytes){ 0 };
}

struct ddl_charset ddl_charset_or(struct ddl_charset written, struct ddl_charset otherwise,
                                  struct arena *arena)
{
    struct bytes named = ddl_collation_charset(written.collation);
    bool short_name = written.collation.data && !named.data;
    if (!written.charset.data && !named.data && !short_name)
        return otherwise;
    struct ddl_charset result = written;
    if (!result.charset.data)
        result.charset = named.data ? named : otherwise.charset;
    if (short_name && result.charset.data)
        result.collation = arena_printf(arena, "%.*s_%.*s", BYTES_ARGS(result.charset),
                                        BYTES_ARGS(written.collation));
    return result;
}

static bool take_charset_value(struct ddl_parser *parser, struct bytes *out)
{
    lexer_accept_symbol(&parser->lexer, '=');
    if (!lexer_is_name(&parser->lexer) && parser->lexer.token.kind != TOKEN_STRING)
        return false;
    bool none = lexer_is(&parser->lexer, "default");
    struct bytes name = ddl_charset_name(parser, parser->lexer.token.text);
    *out = none ? (struct bytes){ 0 } : name;
    lexer_next(&parser->lexer);
    return true;
}

bool ddl_take_charset(struct ddl_parser *parser, struct ddl_charset *out)
{
    struct lexer start = parser->lexer, *lexer = &parser->lexer;
    lexer_accept(lexer, "default");
    if (lexer_accept(lexer, "collate") && take_charset_value(parser, &out->collation))
        return true;
    bool set = (lexer_accept(lexer, "character") || lexer_accept(lexer, "char"))
                   ? lexer_accept(lexer, "set")
                   : lexer_accept(lexer, "charset");
    if (set && take_charset_value(parser, &out->charset))
        return true;
    *lexer = start;
    return false;
}

/* ---- lists of tables ---- */

/* [IF EXISTS] a, b.c ...; what follows the last is of no interest. */
static bool parse_drop_tables(struct ddl_parser *parser, bool temporary)
{
    struct lexer *lexer = &parser->lexer;
    bool if_exists = ddl_take_if_exists(parser);
    do {
        struct ddl_name name;
        if (parser->count >= NAMES_MAX || !ddl_take_table(parser, &name))
            return false;
        struct ddl_statement *statement = ddl_add(parser, DDL_DROP_TABLE, name);
        statement->if_exists = if_exists;
        statement->temporary = temporary;
    } while (lexer_accept_symbol(lexer, ','));
    return true;
}

/* [IF EXISTS] a [WAIT n] TO b, ... */
static bool parse_rename_tables(struct ddl_parser *parser)
{
    bool if_exists = ddl_take_if_exists(parser);
    do {
        struct ddl_name from, to;
        if (parser->count >= NAMES_MAX || !ddl_take_table(parser, &from))
            return false;
        ddl_take_wait(parser);
        if (!lexer_accept(&parser->lexer, "to") || !ddl_take_table(parser, &to))
            return false;
        struct ddl_statement *statement = ddl_add(parser, DDL_RENAME_TABLE, from);
        statement->to = to;
        statement->if_exists = if_exists;
    } while (lexer_accept_symbol(&parser->lexer, ','));
    return true;
}

/* ---- databases ---- */

static bool parse_database(struct ddl_parser *parser, enum ddl_kind kind, bool or_replace)
{
    struct lexer *lexer = &parser->lexer;
    bool if_exists = ddl_take_if_exists(parser);
    struct ddl_name name = { .database = parser->context->database };
    bool option = kind == DDL_ALTER_DATABASE && /* its name may be left out */
                  (lexer_is(lexer, "default") || lexer_is(lexer, "character") ||
                   lexer_is(lexer, "charset") || lexer_is(lexer, "collate"));
    if (!option && !ddl_take_name(parser, &name.database))
        return false;
    struct ddl_statement *statement = ddl_add(parser, kind, name);
    statement->if_exists = if_exists;
    statement->or_replace = or_replace;
    struct ddl_charset charset = { 0 };
    while (lexer->token.kind != TOKEN_END && lexer->token.kind != TOKEN_BAD) {
        if (!ddl_take_charset(parser, &charset))
            lexer_next(lexer);
    }
    if (!charset.charset.data)
        charset.charset = ddl_collation_charset(charset.collation);
    statement->charset = charset.charset;
    statement->collation = charset.collation;
    return true;
}

/* ---- indexes: an ALTER of one specification when they are unique ---- */

static void add_key_alter(struct ddl_parser *parser, struct ddl_name name, enum alter_kind kind,
                          const struct ddl_key *key)
{
    struct ddl_alter *spec = arena_zalloc(parser->arena, sizeof *spec);
    spec->kind = kind;
    spec->key = key;
    spec->old_name = key->name;
    struct ddl_statement *statement = ddl_add(parser, DDL_ALTER_TABLE, name);
    statement->alters = spec;
    statement->alter_count = 1;
}

/* Behind INDEX: [IF NOT EXISTS] name [USING type] ON table [WAIT n] (parts). What depends on the
 * indexes that are there already makes the table be read again. */
static bool parse_create_index(struct ddl_parser *parser, bool unique, bool or_replace)
{
    struct lexer *lexer = &parser->lexer;
    if (!unique && !or_replace)
        return true;
    struct ddl_index *index = arena_zalloc(parser->arena, sizeof *index);
    index->usable = true;
    bool if_exists = ddl_take_if_exists(parser);
    struct bytes index_name;
    if (!ddl_take_name(parser, &index_name))
        return false;
    if (lexer_accept(lexer, "using") || lexer_accept(lexer, "type"))
        lexer_next(lexer);
    struct ddl_name name;
    if (!lexer_accept(lexer, "on") || !ddl_take_table(parser, &name))
        return false;
    ddl_take_wait(parser);
    bool understood = ddl_take_index_parts(parser, index) && !index->period.data;
    index->key.name = index_name;
    if (!understood || or_replace || if_exists)
        ddl_add(parser, DDL_REREAD_TABLE, name);
    else if (index->usable)
        add_key_alter(parser, name, ALTER_ADD_KEY, &index->key);
    return true;
}

/* Behind INDEX: [IF EXISTS] name ON table. */
static bool parse_drop_index(struct ddl_parser *parser)
{
    struct ddl_key *key = arena_zalloc(parser->arena, sizeof *key);
    struct ddl_name name;
    ddl_take_if_exists(parser);
    if (!ddl_take_name(parser, &key->name) || !lexer_accept(&parser->lexer, "on") ||
        !ddl_take_table(parser, &name))
        return false;
    key->primary = text_is(key->name, "PRIMARY");
    add_key_alter(parser, name, ALTER_DROP_KEY, key);
    return true;
}

/* ---- CREATE, ALTER, DROP ---- */

static bool parse_create_table(struct ddl_parser *parser, bool or_replace, bool temporary)
{
    bool if_exists = ddl_take_if_exists(parser);
    struct ddl_name name;
    if (!ddl_take_table(parser, &name))
        return false;
    struct ddl_statement statement = { .kind = DDL_CREATE_TABLE,
                                       .name = name,
                                       .or_replace = or_replace,
                                       .temporary = temporary,
                                       .if_exists = if_exists };
    size_t at = parser->count;
    ddl_add(parser, statement.kind, name);
    if (!temporary && !ddl_parse_create(parser, &statement)) {
        statement.like = (struct ddl_name){ 0 };
        statement.created = NULL;
    }
    parser->statements[at] = statement;
    return true;
}

static bool parse_create(struct ddl_parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    bool or_replace = lexer_is(lexer, "or") && ddl_is_next(parser, "replace");
    if (or_replace)
        lexer_next(lexer), lexer_next(lexer);
    bool temporary = lexer_accept(lexer, "temporary");
    if (lexer_accept(lexer, "table"))
        return parse_create_table(parser, or_replace, temporary);
    if (lexer_accept(lexer, "database") || lexer_accept(lexer, "schema"))
        return parse_database(parser, DDL_CREATE_DATABASE, or_replace);
    if (!lexer_accept(lexer, "online"))
        lexer_accept(lexer, "offline");
    bool unique = lexer_accept(lexer, "unique");
    if (lexer_accept(lexer, "index"))
        return parse_create_index(parser, unique, or_replace);
    return true;
}

static bool parse_alter_table(struct ddl_parser *parser, bool ignores)
{
    bool if_exists = ddl_take_if_exists(parser);
    struct ddl_name name;
    if (!ddl_take_table(parser, &name))
        return false;
    ddl_take_wait(parser);
    if (!ddl_parse_alter(parser, name, if_exists))
        ddl_add(parser, DDL_REREAD_TABLE, name)->if_exists = if_exists;
    parser->statements[parser->count - 1].ignores = ignores;
    return true;
}

static bool parse_alter(struct ddl_parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    if (lexer_accept(lexer, "database") || lexer_accept(lexer, "schema"))
        return parse_database(parser, DDL_ALTER_DATABASE, false);
    if (!lexer_accept(lexer, "online"))
        lexer_accept(lexer, "offline");
    bool ignores = lexer_accept(lexer, "ignore");
    return !lexer_accept(lexer, "table") || parse_alter_table(parser, ignores);
}

static bool parse_drop(struct ddl_parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    bool temporary = lexer_accept(lexer, "temporary");
    if (lexer_accept(lexer, "table") || lexer_accept(lexer, "tables"))
        return parse_drop_tables(parser, temporary);
    if (lexer_accept(lexer, "database") || lexer_accept(lexer, "schema"))
        return parse_database(parser, DDL_DROP_DATABASE, false);
    if (!lexer_accept(lexer, "online"))
        lexer_accept(lexer, "offline");
    return !lexer_accept(lexer, "index") || parse_drop_index(parser);
}

static bool parse_rename(struct ddl_parser *parser)
{
    if (lexer_accept(&parser->lexer, "table") || lexer_accept(&parser->lexer, "tables"))
        return parse_rename_tables(parser);
    return true;
}

static bool parse_truncate(struct ddl_parser *parser)
{
    lexer_accept(&parser->lexer, "table");
    struct ddl_name name;
    if (!ddl_take_table(parser, &name))
        return false;
    ddl_add(parser, DDL_TRUNCATE_TABLE, name);
    return true;
}

/* IMPORT TABLE FROM 'file': the tables are named in the files alone. */
static bool parse_import(struct ddl_parser *parser) { return !lexer_is(&parser->lexer, "table"); }

/* ---- statement DML ---- */

static void skip_words(struct lexer *lexer, const char *const *words)
{
    for (const char *const *word = words; *word;) {
        if (lexer_accept(lexer, *word))
            word = words;
        else
            word++;
    }
}

/* What may follow the table of a DELETE or UPDATE of one table. */
static bool at_one_table(struct lexer *lexer, bool update)
{
    static const char *const words[] = { "where",     "order", "limit", "returning",
                                         "partition", "for",   NULL };
    if (lexer_accept(lexer, "as"))
        lexer_next(lexer);
    if (update && lexer_is(lexer, "set"))
        return true;
    for (const char *const *word = words; *word; word++) {
        if (lexer_is(lexer, *word))
            return true;
    }
    return lexer->token.kind == TOKEN_END && !update;
}

static bool take_insert_table(struct ddl_parser *parser, struct ddl_name *out)
{
    static const char *const words[] = { "low_priority", "delayed", "high_priority",
                                         "ignore",       "into",    NULL };
    skip_words(&parser->lexer, words);
    return ddl_take_table(parser, out);
}

static bool take_update_table(struct ddl_parser *parser, struct ddl_name *out)
{
    static const char *const words[] = { "low_priority", "ignore", NULL };
    skip_words(&parser->lexer, words);
    return ddl_take_table(parser, out) && at_one_table(&parser->lexer, true);
}

static bool take_delete_table(struct ddl_parser *parser, struct ddl_name *out)
{
    static const char *const words[] = { "low_priority", "quick", "ignore", "history", NULL };
    skip_words(&parser->lexer, words);
    return lexer_accept(&parser->lexer, "from") && ddl_take_table(parser, out) &&
           at_one_table(&parser->lexer, false);
}

static bool take_load_table(struct ddl_parser *parser, struct ddl_name *out)
{
    struct lexer *lexer = &parser->lexer;
    for (int i = 0; i < 16 && lexer->token.kind != TOKEN_END; i++, lexer_next(lexer)) {
        if (lexer_accept(lexer, "table"))
            return ddl_take_table(parser, out);
    }
    return false;
}

static bool take_no_table(struct ddl_parser *parser, struct ddl_name *out)
{
    (void)parser;
    (void)out;
    return false;
}

/* The names outlive the statement, which is not copied: it may be long. */
static void parse_dml(struct ddl_parser *parser,
                      bool (*take)(struct ddl_parser *, struct ddl_name *))
{
    struct ddl_name name = { 0 };
    if (!take(parser, &name))
        name = (struct ddl_name){ .database = parser->context->database };
    name.database = arena_copy(parser->arena, name.database);
    name.name = arena_copy(parser->arena, name.name);
    ddl_add(parser, DDL_STATEMENT_DML, name);
}

/* ---- the first word ---- */

static const struct {
    const char *word;
    bool (*parse)(struct ddl_parser *);                    /* DDL */
    bool (*table)(struct ddl_parser *, struct ddl_name *); /* statement DML */
} heads[] = {
    { "create", parse_create, NULL },      { "alter", parse_alter, NULL },
    { "drop", parse_drop, NULL },          { "rename", parse_rename, NULL },
    { "truncate", parse_truncate, NULL },  { "import", parse_import, NULL },
    { "insert", NULL, take_insert_table }, { "replace", NULL, take_insert_table },
    { "update", NULL, take_update_table }, { "delete", NULL, take_delete_table },
    { "load", NULL, take_load_table },     { "with", NULL, take_no_table },
    { "call", NULL, take_no_table },       { "do", NULL, take_no_table },
    { "select", NULL, take_no_table },     { "values", NULL, take_no_table },
};

/* First words of statements that change no table. */
static bool is_harmless(const struct lexer *lexer)
{
    static const char *const words[] = {
        "begin",    "commit",   "rollback",   "savepoint", "release",   "start",    "xa",
        "set",      "grant",    "revoke",     "flush",     "analyze",   "optimize", "repair",
        "check",    "checksum", "use",        "install",   "uninstall", "lock",     "unlock",
        "prepare",  "execute",  "deallocate", "handler",   "cache",     "reset",    "purge",
        "change",   "stop",     "shutdown",   "kill",      "signal",    "show",     "explain",
        "describe", "help",     "binlog",     "backup",    "clone",     "end",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (lexer_is(lexer, words[i]))
            return true;
    }
    return false;
}

static void start(struct ddl_parser *parser, struct bytes sql)
{
    const struct ddl_context *context = parser->context;
    parser->lexer = lexer_of(sql, parser->arena);
    parser->lexer.sql_mode = context->sql_mode;
    parser->lexer.server_version = context->server_version;
    parser->lexer.mariadb = context->mariadb;
    lexer_start(&parser->lexer);
}

/* DDL works on a copy, so that every name in its result is a view of the arena. */
static void parse_ddl(struct ddl_parser *parser, bool (*parse)(struct ddl_parser *))
{
    start(parser, arena_copy(parser->arena, parser->lexer.sql));
    lexer_next(&parser->lexer);
    if (!parse(parser))
        parser->doubt = true;
}

static void parse_statement(struct ddl_parser *parser)
{
    while (lexer_accept_symbol(&parser->lexer, '('))
        ;
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        if (!lexer_is(&parser->lexer, heads[i].word))
            continue;
        if (heads[i].parse) {
            parse_ddl(parser, heads[i].parse);
        } else {
            lexer_next(&parser->lexer);
            parse_dml(parser, heads[i].table);
        }
        return;
    }
    parser->doubt = !is_harmless(&parser->lexer);
}

void ddl_parse(struct bytes sql, const struct ddl_context *context, struct arena *arena,
               const struct ddl_statement **out, size_t *count, bool *doubt)
{
    struct ddl_context own = *context;
    own.database = arena_copy(arena, context->database);
    own.default_charset = arena_copy(arena, context->default_charset);
    own.default_collation = arena_copy(arena, context->default_collation);
    struct ddl_parser parser = { .arena = arena, .context = &own };
    start(&parser, sql);
    if (parser.lexer.token.kind != TOKEN_END) {
        parse_statement(&parser);
        if (parser.count == 0)
            ddl_add(&parser, DDL_IGNORED, (struct ddl_name){ .database = own.database });
    }
    *out = parser.statements;
    *count = parser.count;
    *doubt = parser.doubt;
}
