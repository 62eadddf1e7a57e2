/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the DDL parser share. Functions that take something return false when the text
 * is not what they know; the statement is then DDL_REREAD_TABLE, so nobody needs to repair. */
#pragma once

#include "schema/mysql_ddl.h"
#include "schema/mysql_lexer.h"
#include "schema/mysql_types.h"

enum {
    DDL_COLUMNS_MAX = 4096, /* as the servers */
    DDL_SPECS_MAX = 8192,   /* of one ALTER: these three bound what a statement can cost */
    DDL_INDEXES_MAX = 512,
    DDL_PARTS_MAX = 64,
};

struct ddl_parser {
    struct lexer lexer;
    struct arena *arena;
    const struct ddl_context *context;
    struct ddl_statement *statements;
    size_t count, capacity;
    bool doubt;
};

/* `items` with room for one more, in the arena. */
void *ddl_grow(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size);

/* The new statement, at the end of the list. */
struct ddl_statement *ddl_add(struct ddl_parser *parser, enum ddl_kind kind, struct ddl_name name);

bool ddl_take_name(struct ddl_parser *parser, struct bytes *out);
bool ddl_take_table(struct ddl_parser *parser, struct ddl_name *out); /* [db.]name */
bool ddl_take_if_exists(struct ddl_parser *parser);                  /* IF [NOT] EXISTS was there */
void ddl_take_wait(struct ddl_parser *parser);                       /* WAIT n, NOWAIT */
bool ddl_take_text(struct ddl_parser *parser, struct bytes *out);    /* [=] 'text' */
bool ddl_is_next(const struct ddl_parser *parser, const char *word); /* of the following token */

/* ---- character sets ---- */

struct ddl_charset {
    struct bytes charset, collation; /* NULL data: not written */
};

/* [DEFAULT] CHARACTER SET [=] x or [DEFAULT] COLLATE [=] x; false: neither is here. */
bool ddl_take_charset(struct ddl_parser *parser, struct ddl_charset *out);
/* The name as the server shows it: lower case, utf8mb3 for utf8 on newer ones. */
struct bytes ddl_charset_name(const struct ddl_parser *parser, struct bytes name);
/* The character set that a collation names with its prefix; NULL data: none (uca1400_ai_ci). */
struct bytes ddl_collation_charset(struct bytes collation);
/* What was written, completed by what holds without it. */
struct ddl_charset ddl_charset_or(struct ddl_charset written, struct ddl_charset otherwise,
                                  struct arena *arena);

/* ---- columns ---- */

struct ddl_column {
    struct column column;
    bool primary, unique; /* PRIMARY KEY and UNIQUE in its definition */
    bool fills;           /* gives existing rows values that no constant tells */
    bool versioned_out;   /* WITHOUT SYSTEM VERSIONING */
    bool versioned_in;    /* WITH SYSTEM VERSIONING */
};

/* Name, type and attributes. */
bool ddl_take_column(struct ddl_parser *parser, struct ddl_column *out);
/* DEFAULT's value, behind the word. */
bool ddl_take_default(struct ddl_parser *parser, struct column *column, bool *fills);
/* Finishes text whose character set was not written. */
bool ddl_settle_column(struct column *column, struct ddl_charset table, struct arena *arena);
bool ddl_is_unsettled(const struct column *column);

/* ---- keys ---- */

struct ddl_index {
    struct ddl_key key;
    bool none;           /* a constraint, not an index */
    bool unique;         /* PRIMARY too */
    bool usable;         /* made of columns alone */
    bool if_exists;      /* IF NOT EXISTS: it may be there already */
    struct bytes period; /* of "p WITHOUT OVERLAPS" */
};

/* Does an index or a constraint of the table start here? */
bool ddl_at_index(const struct ddl_parser *parser);
/* Takes it up to the comma or the end. */
bool ddl_take_index(struct ddl_parser *parser, struct ddl_index *out);
bool ddl_take_index_parts(struct ddl_parser *parser, struct ddl_index *out);
/* The end of an element: a comma, a closing parenthesis or the end of the text. */
bool ddl_skip_element(struct ddl_parser *parser);
/* Can these columns of a table make a key: there, whole, NOT NULL (a primary key makes them so)? */
bool ddl_key_fits(const struct ddl_key *key, const struct column *columns, size_t count);
/* Index of a column by name, or `count`. */
size_t ddl_find_column(const struct column *columns, size_t count, struct bytes name);

/* ---- statements: the words before are taken. False: not understood ---- */

bool ddl_parse_create(struct ddl_parser *parser, struct ddl_statement *statement);
bool ddl_parse_alter(struct ddl_parser *parser, struct ddl_name name, bool if_exists);
