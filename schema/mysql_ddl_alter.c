/* SPDX-License-Identifier: Apache-2.0
 *
 * ALTER TABLE behind its name: alter_option in the MySQL reference manual, alter_specification in
 * MariaDB's. Options of the table may follow one another without a comma. A specification that
 * moves rows without events makes the statement DDL_RESYNC_TABLE, for both tables where two are
 * involved. DISCARD TABLESPACE alone changes nothing: the table cannot be read until IMPORT, which
 * is what resyncs it. */
#include "engine/base/assert.h"
#include "schema/mysql_ddl_parser.h"

struct alter {
    struct ddl_parser *parser;
    struct ddl_name table;
    struct ddl_alter *specs;
    size_t count, capacity, key_count;
    bool fills, resync;
    bool in_options; /* the last one was an option: the next needs no comma */
};

static struct ddl_alter *add_spec(struct alter *alter, enum alter_kind kind)
{
    alter->specs = ddl_grow(alter->parser->arena, alter->specs, alter->count, &alter->capacity,
                            sizeof *alter->specs);
    struct ddl_alter *spec = &alter->specs[alter->count++];
    *spec = (struct ddl_alter){ .kind = kind };
    return spec;
}

static bool add_nothing(struct alter *alter)
{
    add_spec(alter, ALTER_NOTHING);
    return true;
}

static void add_key(struct alter *alter, const struct ddl_key *key, bool if_exists)
{
    struct ddl_key *copy = arena_alloc(alter->parser->arena, sizeof *copy);
    *copy = *key;
    struct ddl_alter *spec = add_spec(alter, ALTER_ADD_KEY);
    spec->key = copy;
    spec->if_exists = if_exists;
    alter->key_count++;
}

static void add_column_key(struct alter *alter, struct bytes column, bool primary, bool if_exists)
{
    struct bytes *name = arena_alloc(alter->parser->arena, sizeof *name);
    uint32_t *prefix = arena_zalloc(alter->parser->arena, sizeof *prefix);
    *name = column;
    struct ddl_key key = { .primary = primary, .columns = name, .prefixes = prefix, .count = 1 };
    if (primary)
        key.name = BYTES_LITERAL("PRIMARY");
    add_key(alter, &key, if_exists);
}

static bool add_drop_key(struct alter *alter, struct bytes name, bool if_exists)
{
    struct ddl_key *key = arena_zalloc(alter->parser->arena, sizeof *key);
    key->name = name;
    key->primary = text_is(name, "PRIMARY");
    struct ddl_alter *spec = add_spec(alter, ALTER_DROP_KEY);
    spec->old_name = name;
    spec->key = key;
    spec->if_exists = if_exists;
    return true;
}

/* ---- columns ---- */

static bool take_place(struct ddl_parser *parser, bool *first, struct bytes *after)
{
    if (lexer_accept(&parser->lexer, "first"))
        *first = true;
    else if (lexer_accept(&parser->lexer, "after"))
        return ddl_take_name(parser, after);
    return true;
}

/* A definition, its place where one may stand, and the keys that it makes. */
static bool take_definition(struct alter *alter, struct ddl_alter spec, bool placed)
{
    struct ddl_column *column = arena_alloc(alter->parser->arena, sizeof *column);
    if (!ddl_take_column(alter->parser, column))
        return false;
    if (placed && !take_place(alter->parser, &spec.first, &spec.after))
        return false;
    spec.column = &column->column;
    if (spec.kind == ALTER_CHANGE_COLUMN && !spec.old_name.data)
        spec.old_name = column->column.name;
    alter->fills |= (spec.kind == ALTER_ADD_COLUMN && column->fills) ||
                    column->column.generated != COLUMN_STORED_PLAIN;
    *add_spec(alter, spec.kind) = spec;
    if (column->primary)
        add_column_key(alter, column->column.name, true, spec.if_exists);
    if (column->unique)
        add_column_key(alter, column->column.name, false, spec.if_exists);
    return true;
}

/* An index, or a constraint that makes none. */
static bool take_index(struct alter *alter)
{
    struct ddl_index index;
    if (!ddl_take_index(alter->parser, &index) || index.period.data)
        return false;
    if (index.none || !index.unique || !index.usable)
        return add_nothing(alter);
    add_key(alter, &index.key, index.if_exists);
    return true;
}

/* ADD (a int, b int, KEY (a)) */
static bool take_add_list(struct alter *alter, bool if_exists)
{
    struct ddl_parser *parser = alter->parser;
    struct ddl_alter spec = { .kind = ALTER_ADD_COLUMN, .if_exists = if_exists };
    lexer_next(&parser->lexer);
    do {
        if (alter->count >= DDL_SPECS_MAX)
            return false;
        if (ddl_at_index(parser) ? !take_index(alter) : !take_definition(alter, spec, false))
            return false;
    } while (lexer_accept_symbol(&parser->lexer, ','));
    return lexer_accept_symbol(&parser->lexer, ')');
}

/* The rest of the statement says nothing about columns. */
static bool take_rest(struct alter *alter)
{
    struct lexer *lexer = &alter->parser->lexer;
    while (lexer->token.kind != TOKEN_END && lexer->token.kind != TOKEN_BAD)
        lexer_next(lexer);
    return lexer->token.kind == TOKEN_END && add_nothing(alter);
}

static bool take_versioning(struct alter *alter, bool flag)
{
    lexer_next(&alter->parser->lexer);
    add_spec(alter, ALTER_VERSIONING)->flag = flag;
    return lexer_accept(&alter->parser->lexer, "versioning");
}

static bool take_add(struct alter *alter)
{
    struct ddl_parser *parser = alter->parser;
    struct lexer *lexer = &parser->lexer;
    bool column = lexer_accept(lexer, "column");
    bool if_exists = ddl_take_if_exists(parser);
    if (lexer_is_symbol(lexer, '('))
        return take_add_list(alter, if_exists);
    if (!column && ddl_at_index(parser))
        return take_index(alter);
    if (!column && lexer_is(lexer, "partition"))
        return take_rest(alter);
    if (!column && lexer_is(lexer, "system") && ddl_is_next(parser, "versioning"))
        return take_versioning(alter, true);
    if (!column && lexer_is(lexer, "period") && ddl_is_next(parser, "for"))
        return false; /* it makes its columns NOT NULL */
    struct ddl_alter spec = { .kind = ALTER_ADD_COLUMN, .if_exists = if_exists };
    return take_definition(alter, spec, true);
}

static bool take_change(struct alter *alter, bool rename)
{
    struct ddl_parser *parser = alter->parser;
    struct ddl_alter spec = { .kind = ALTER_CHANGE_COLUMN };
    lexer_accept(&parser->lexer, "column");
    spec.if_exists = ddl_take_if_exists(parser);
    if (rename && !ddl_take_name(parser, &spec.old_name))
        return false;
    return take_definition(alter, spec, true);
}

static bool take_drop(struct alter *alter)
{
    struct ddl_parser *parser = alter->parser;
    struct lexer *lexer = &parser->lexer;
    if (lexer_is(lexer, "primary") && ddl_is_next(parser, "key")) {
        lexer_next(lexer);
        lexer_next(lexer);
        return add_drop_key(alter, BYTES_LITERAL("PRIMARY"), false);
    }
    if (lexer_is(lexer, "partition")) {
        alter->resync = true;
        return take_rest(alter);
    }
    if (lexer_is(lexer, "system") && ddl_is_next(parser, "versioning"))
        return take_versioning(alter, false);
    if (lexer_is(lexer, "period") && ddl_is_next(parser, "for"))
        return ddl_skip_element(parser) && add_nothing(alter);
    bool foreign = lexer_is(lexer, "foreign") && ddl_is_next(parser, "key");
    bool key = !foreign && (lexer_accept(lexer, "index") || lexer_accept(lexer, "key") ||
                            lexer_accept(lexer, "constraint") || lexer_accept(lexer, "check"));
    if (foreign)
        lexer_next(lexer), lexer_next(lexer);
    else if (!key)
        lexer_accept(lexer, "column");
    bool if_exists = ddl_take_if_exists(parser);
    struct bytes name;
    if (!ddl_take_name(parser, &name))
        return false;
    if (!lexer_accept(lexer, "restrict"))
        lexer_accept(lexer, "cascade");
    if (foreign)
        return add_nothing(alter);
    if (key)
        return add_drop_key(alter, name, if_exists);
    struct ddl_alter *spec = add_spec(alter, ALTER_DROP_COLUMN);
    spec->old_name = name;
    spec->if_exists = if_exists;
    return true;
}

static bool take_set_default(struct alter *alter, struct ddl_alter spec)
{
    struct ddl_parser *parser = alter->parser;
    struct column *column = arena_zalloc(parser->arena, sizeof *column);
    column->name = spec.old_name;
    column->type.kind = TYPE_TEXT;
    bool fills = false;
    if (!ddl_take_default(parser, column, &fills))
        return false;
    spec.kind = ALTER_DEFAULT;
    spec.column = column;
    *add_spec(alter, spec.kind) = spec;
    return true;
}

/* ALTER [COLUMN] c SET DEFAULT v | DROP DEFAULT | SET VISIBLE | SET INVISIBLE; ALTER INDEX, CHECK
 * and CONSTRAINT, which say nothing about rows. */
static bool take_alter(struct alter *alter)
{
    struct ddl_parser *parser = alter->parser;
    struct lexer *lexer = &parser->lexer;
    bool column = lexer_accept(lexer, "column");
    if (!column && (lexer_is(lexer, "index") || lexer_is(lexer, "key") ||
                    lexer_is(lexer, "check") || lexer_is(lexer, "constraint"))) {
        add_spec(alter, ALTER_INDEX_VISIBLE);
        return ddl_skip_element(parser);
    }
    struct ddl_alter spec = { .if_exists = ddl_take_if_exists(parser) };
    if (!ddl_take_name(parser, &spec.old_name))
        return false;
    if (lexer_accept(lexer, "drop")) {
        spec.kind = ALTER_DEFAULT;
        spec.column = arena_zalloc(parser->arena, sizeof *spec.column);
        *add_spec(alter, spec.kind) = spec;
        return lexer_accept(lexer, "default");
    }
    if (!lexer_accept(lexer, "set"))
        return false;
    if (lexer_accept(lexer, "default"))
        return take_set_default(alter, spec);
    spec.kind = ALTER_COLUMN_VISIBLE;
    spec.flag = lexer_accept(lexer, "visible");
    *add_spec(alter, spec.kind) = spec;
    return spec.flag || lexer_accept(lexer, "invisible");
}

/* RENAME COLUMN a TO b; RENAME INDEX a TO b; RENAME [TO | AS | =] t */
static bool take_rename(struct alter *alter)
{
    struct ddl_parser *parser = alter->parser;
    struct lexer *lexer = &parser->lexer;
    bool column = lexer_accept(lexer, "column");
    if (column || lexer_is(lexer, "index") || lexer_is(lexer, "key")) {
        if (!column)
            lexer_next(lexer);
        struct ddl_alter spec = { .if_exists = ddl_take_if_exists(parser) };
        struct bytes name;
        if (!ddl_take_name(parser, &spec.old_name) || !lexer_accept(lexer, "to") ||
            !ddl_take_name(parser, &name))
            return false;
        struct column *target = arena_zalloc(parser->arena, sizeof *target);
        struct ddl_key *key = arena_zalloc(parser->arena, sizeof *key);
        target->name = key->name = name;
        spec.kind = column ? ALTER_RENAME_COLUMN : ALTER_RENAME_KEY;
        spec.column = column ? target : NULL;
        spec.key = column ? NULL : key;
        *add_spec(alter, spec.kind) = spec;
        return true;
    }
    if (!lexer_accept(lexer, "to") && !lexer_accept(lexer, "as"))
        lexer_accept_symbol(lexer, '=');
    return ddl_take_table(parser, &add_spec(alter, ALTER_RENAME_TABLE)->to);
}

/* ---- partitions and tablespaces ---- */

static void add_resync(struct alter *alter, enum ddl_kind kind, struct ddl_name name)
{
    ddl_add(alter->parser, kind, name);
    alter->resync = true;
}

/* EXCHANGE PARTITION p WITH TABLE t, behind PARTITION. */
static bool take_exchange(struct alter *alter)
{
    struct ddl_parser *parser = alter->parser;
    struct bytes partition;
    struct ddl_name other;
    if (!ddl_take_name(parser, &partition) || !lexer_accept(&parser->lexer, "with") ||
        !lexer_accept(&parser->lexer, "table") || !ddl_take_table(parser, &other))
        return false;
    add_resync(alter, DDL_RESYNC_TABLE, other);
    return take_rest(alter);
}

/* MariaDB: CONVERT PARTITION p TO TABLE t makes a table, CONVERT TABLE t TO PARTITION takes it. */
static bool take_convert_partition(struct alter *alter)
{
    struct ddl_parser *parser = alter->parser;
    struct lexer *lexer = &parser->lexer;
    struct ddl_name other;
    if (lexer_accept(lexer, "table")) {
        if (!ddl_take_table(parser, &other))
            return false;
        add_resync(alter, DDL_DROP_TABLE, other);
        return take_rest(alter);
    }
    struct bytes partition;
    if (!lexer_accept(lexer, "partition") || !ddl_take_name(parser, &partition) ||
        !lexer_accept(lexer, "to") || !lexer_accept(lexer, "table") ||
        !ddl_take_table(parser, &other))
        return false;
    ddl_add(parser, DDL_REREAD_TABLE, other);
    add_resync(alter, DDL_RESYNC_TABLE, other);
    return take_rest(alter);
}

static bool take_convert(struct alter *alter)
{
    struct ddl_parser *parser = alter->parser;
    struct lexer *lexer = &parser->lexer;
    if (!lexer_accept(lexer, "to"))
        return take_convert_partition(alter);
    struct ddl_charset charset = { 0 };
    if (!ddl_take_charset(parser, &charset))
        return false;
    ddl_take_charset(parser, &charset);
    const struct ddl_context *context = parser->context;
    if (!charset.charset.data && !charset.collation.data) { /* CHARACTER SET DEFAULT */
        charset.charset = ddl_charset_name(parser, context->default_charset);
        charset.collation = ddl_charset_name(parser, context->default_collation);
    }
    if (!charset.charset.data)
        charset.charset = ddl_collation_charset(charset.collation);
    struct ddl_alter *spec = add_spec(alter, ALTER_CONVERT);
    spec->charset = charset.charset;
    spec->collation = charset.collation;
    return charset.charset.data != NULL;
}

/* Words in front of PARTITION or TABLESPACE; *moves: rows come or go without events. */
static bool is_partition_verb(const struct lexer *lexer, bool *moves)
{
    static const struct {
        const char *word;
        bool moves;
    } verbs[] = {
        { "truncate", true },   { "reorganize", true },      { "import", true },
        { "discard", false },   { "coalesce", false },       { "analyze", false },
        { "check", false },     { "optimize", false },       { "rebuild", false },
        { "repair", false },    { "remove", false },         { "upgrade", false },
        { "partition", false }, { "secondary_load", false }, { "secondary_unload", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (lexer_is(lexer, verbs[i].word)) {
            *moves = verbs[i].moves;
            return true;
        }
    }
    return false;
}

/* ---- the rest ---- */

static bool at_spec(const struct lexer *lexer)
{
    static const char *const words[] = { "add",   "alter",  "change", "convert", "drop",
                                         "force", "modify", "rename", "order",   "engine" };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (lexer_is(lexer, words[i]))
            return true;
    }
    return false;
}

/* ORDER BY a, b DESC: its commas part columns until a specification starts. */
static bool take_order(struct alter *alter)
{
    struct lexer *lexer = &alter->parser->lexer;
    if (!lexer_accept(lexer, "by"))
        return false;
    for (;;) {
        if (!ddl_skip_element(alter->parser))
            return false;
        struct lexer ahead = *lexer;
        if (!lexer_accept_symbol(&ahead, ',') || at_spec(&ahead))
            return add_nothing(alter);
        *lexer = ahead;
        lexer_next(lexer);
    }
}

static bool take_default_charset(struct alter *alter, bool *found)
{
    struct ddl_parser *parser = alter->parser;
    struct ddl_charset charset = { 0 };
    *found = false;
    while (ddl_take_charset(parser, &charset))
        *found = true;
    if (!*found)
        return true;
    if (!charset.charset.data)
        charset.charset = ddl_collation_charset(charset.collation);
    struct ddl_alter *spec = add_spec(alter, ALTER_DEFAULT_CHARSET);
    spec->charset = charset.charset;
    spec->collation = charset.collation;
    alter->in_options = true;
    return true;
}

static bool is_option(const struct lexer *lexer)
{
    static const char *const words[] = {
        "algorithm",
        "auto_increment",
        "autoextend_size",
        "avg_row_length",
        "checksum",
        "compression",
        "connection",
        "delay_key_write",
        "encryption",
        "encrypted",
        "encryption_key_id",
        "engine",
        "engine_attribute",
        "ietf_quotes",
        "insert_method",
        "key_block_size",
        "lock",
        "max_rows",
        "min_rows",
        "pack_keys",
        "page_checksum",
        "page_compressed",
        "page_compression_level",
        "password",
        "row_format",
        "secondary_engine",
        "secondary_engine_attribute",
        "stats_auto_recalc",
        "stats_persistent",
        "stats_sample_pages",
        "storage",
        "table_checksum",
        "tablespace",
        "transactional",
        "type",
        "union",
        "sequence",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (lexer_is(lexer, words[i]))
            return true;
    }
    return false;
}

/* name [=] value; an unknown name only with the sign, so that a new kind of specification is not
 * taken for an option. */
static bool take_option(struct alter *alter)
{
    struct lexer *lexer = &alter->parser->lexer;
    bool known = is_option(lexer);
    bool directory = lexer_is(lexer, "data") || lexer_is(lexer, "index");
    if (!lexer_is_name(lexer))
        return false;
    lexer_next(lexer);
    if (directory && !lexer_accept(lexer, "directory"))
        return false;
    if (!lexer_accept_symbol(lexer, '=') && !known && !directory)
        return false;
    alter->in_options = true;
    if (lexer_is_symbol(lexer, '('))
        return lexer_skip_parentheses(lexer, NULL) && add_nothing(alter);
    if (lexer->token.kind == TOKEN_END || lexer->token.kind == TOKEN_SYMBOL)
        return false;
    lexer_next(lexer);
    return add_nothing(alter);
}

static bool take_comment(struct alter *alter)
{
    alter->in_options = true;
    return ddl_take_text(alter->parser, &add_spec(alter, ALTER_COMMENT)->comment);
}

/* FORCE, ENABLE | DISABLE KEYS, WITH | WITHOUT VALIDATION: true when it was one of them. */
static bool take_plain(struct alter *alter, bool *ok)
{
    struct ddl_parser *parser = alter->parser;
    struct lexer *lexer = &parser->lexer;
    *ok = true;
    if (lexer_accept(lexer, "force"))
        return add_nothing(alter);
    bool keys =
        (lexer_is(lexer, "enable") || lexer_is(lexer, "disable")) && ddl_is_next(parser, "keys");
    bool validation = (lexer_is(lexer, "with") || lexer_is(lexer, "without")) &&
                      ddl_is_next(parser, "validation");
    if (!keys && !validation)
        return false;
    lexer_next(lexer);
    lexer_next(lexer);
    return add_nothing(alter);
}

static bool take_partition_verb(struct alter *alter, bool moves)
{
    alter->resync |= moves;
    return take_rest(alter);
}

static bool take_spec(struct alter *alter)
{
    struct ddl_parser *parser = alter->parser;
    struct lexer *lexer = &parser->lexer;
    bool found = false, ok = true, moves = false;
    alter->in_options = false;
    if (lexer_accept(lexer, "add"))
        return take_add(alter);
    if (lexer_accept(lexer, "change"))
        return take_change(alter, true);
    if (lexer_accept(lexer, "modify"))
        return take_change(alter, false);
    if (lexer_accept(lexer, "drop"))
        return take_drop(alter);
    if (lexer_accept(lexer, "alter"))
        return take_alter(alter);
    if (lexer_accept(lexer, "rename"))
        return take_rename(alter);
    if (lexer_accept(lexer, "convert"))
        return take_convert(alter);
    if (lexer_accept(lexer, "order"))
        return take_order(alter);
    if (lexer_accept(lexer, "exchange"))
        return lexer_accept(lexer, "partition") && take_exchange(alter);
    if (lexer_accept(lexer, "comment"))
        return take_comment(alter);
    if (take_plain(alter, &ok))
        return ok;
    if (is_partition_verb(lexer, &moves))
        return take_partition_verb(alter, moves);
    if (!take_default_charset(alter, &found))
        return false;
    return found || take_option(alter);
}

/* A column that is dropped and added again under its name is another one. */
static bool replaces_column(const struct alter *alter)
{
    for (size_t i = 0; i < alter->count; i++)
        for (size_t k = 0; k < alter->count; k++)
            if (alter->specs[i].kind == ALTER_ADD_COLUMN &&
                alter->specs[k].kind == ALTER_DROP_COLUMN &&
                text_equal_fold(alter->specs[i].column->name, alter->specs[k].old_name))
                return true;
    return false;
}

bool ddl_parse_alter(struct ddl_parser *parser, struct ddl_name name, bool if_exists)
{
    struct alter alter = { .parser = parser, .table = name };
    struct lexer *lexer = &parser->lexer;
    while (lexer->token.kind != TOKEN_END) {
        if (alter.count >= DDL_SPECS_MAX || !take_spec(&alter))
            return false;
        if (lexer_accept_symbol(lexer, ','))
            continue;
        bool partition = lexer_is(lexer, "partition") || lexer_is(lexer, "remove");
        if (lexer->token.kind != TOKEN_END && !alter.in_options && !partition)
            return false;
    }
    if (alter.key_count > DDL_INDEXES_MAX || alter.count > DDL_SPECS_MAX)
        return false;
    struct ddl_statement *statement =
        ddl_add(parser, alter.resync ? DDL_RESYNC_TABLE : DDL_ALTER_TABLE, name);
    statement->if_exists = if_exists;
    statement->alters = alter.specs;
    statement->alter_count = (uint16_t)alter.count;
    statement->fills_rows = alter.fills || replaces_column(&alter);
    return true;
}
