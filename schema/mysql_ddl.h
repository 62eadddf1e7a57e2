/* SPDX-License-Identifier: Apache-2.0
 *
 * MySQL's and MariaDB's DDL, as it stands in QUERY events: a tokenizer and a small parser for what
 * changes tables. Everything else is told apart (statement DML, statements of no interest); table
 * DDL that is not understood is said to be so, and the table is then read again: a statement never
 * stops the stream. */
#pragma once

#include "engine/base/error.h"
#include "schema/table.h"

enum ddl_kind {
    DDL_IGNORED, /* nothing of ours: BEGIN, GRANT, FLUSH, ANALYZE, views, triggers, indexes, ... */
    DDL_CREATE_TABLE, /* created, or like, or neither */
    DDL_DROP_TABLE,
    DDL_RENAME_TABLE, /* name -> to; one statement each for a list, in order */
    DDL_TRUNCATE_TABLE,
    DDL_ALTER_TABLE,     /* specs */
    DDL_CREATE_DATABASE, /* name.database; charset, collation */
    DDL_ALTER_DATABASE,
    DDL_DROP_DATABASE,
    DDL_REREAD_TABLE,  /* about this table, but not understood: compare with information_schema */
    DDL_RESYNC_TABLE,  /* rows changed without events: TRUNCATE/DROP/EXCHANGE PARTITION, IMPORT
                          TABLESPACE */
    DDL_STATEMENT_DML, /* INSERT, UPDATE, DELETE, REPLACE, LOAD, CREATE..SELECT under STATEMENT
                        * format: name, or name.name NULL when several tables or one that is not
                        * told */
};

struct ddl_name {
    struct bytes database, name;
}; /* database: the event's when not written */

enum alter_kind {
    ALTER_ADD_COLUMN,    /* column, place */
    ALTER_DROP_COLUMN,   /* old_name */
    ALTER_RENAME_COLUMN, /* old_name, column->name */
    ALTER_CHANGE_COLUMN, /* old_name (== new name for MODIFY), column, place */
    ALTER_DEFAULT,       /* old_name, column->default_* */
    ALTER_ADD_KEY,       /* key: primary or unique, key_columns */
    ALTER_DROP_KEY,      /* index_name; primary: key->primary */
    ALTER_RENAME_TABLE,  /* to */
    ALTER_CONVERT,       /* charset, collation of the table and of all text columns */
    ALTER_DEFAULT_CHARSET,
    ALTER_COMMENT,
    ALTER_VERSIONING,     /* MariaDB: add / drop system versioning; flag */
    ALTER_RENAME_KEY,     /* old_name -> key->name, of any index */
    ALTER_COLUMN_VISIBLE, /* old_name, flag */
    ALTER_INDEX_VISIBLE,
    ALTER_NOTHING, /* engine, indexes that are no keys, partitions that move nothing, ... */
};

struct ddl_key {
    bool primary;
    struct bytes name; /* NULL data: the server chooses one */
    const struct bytes *columns;
    const uint32_t *prefixes; /* characters or bytes of each column, 0: all of it */
    uint16_t count;
};

struct ddl_alter {
    enum alter_kind kind;
    struct bytes old_name;
    /* Text without a character set of its own has `charset` NULL and the type as it is written:
     * ddl_apply settles it by the table's default. */
    const struct column *column;
    bool first;
    struct bytes after; /* place; neither: at the end (ADD) or where it is */
    bool if_exists;     /* IF EXISTS / IF NOT EXISTS: a miss is no error */
    const struct ddl_key *key;
    struct ddl_name to;
    struct bytes charset, collation, comment;
    bool flag;
};

struct ddl_statement {
    enum ddl_kind kind;
    struct ddl_name name, to, like; /* like.name NULL: not LIKE */
    bool or_replace, if_exists;     /* IF NOT EXISTS for creations */
    bool temporary;                 /* never to be applied; nothing but names is told */
    /* Rows that were there before have values that are in no event and in no literal: a new column
     * with AUTO_INCREMENT or an expression, a generated one that changed, one in the place of
     * another of its name. */
    bool fills_rows;
    bool ignores; /* MariaDB's ALTER IGNORE: what does not fit is altered or left out */
    /* Draft: columns, keys, comment, charset. NULL without `like`: the columns cannot be told from
     * the text (a SELECT, a default character set that is not known), the table must be read. */
    const struct table *created;
    const struct ddl_alter *alters;
    uint16_t alter_count;
    struct bytes charset, collation, comment;
};

struct ddl_context {
    struct bytes database;   /* current one of the event */
    uint64_t sql_mode;       /* bits as in the event's status variables: ANSI_QUOTES 4,
                                NO_BACKSLASH_ESCAPES 1<<20 */
    uint32_t server_version; /* as in sources/mysql/connection.h: opens executable comments */
    bool mariadb;
    bool implicit_timestamps; /* explicit_defaults_for_timestamp is off: TIMESTAMP is NOT NULL */
    /* Defaults for a new table: of its database, asked by name; NULL data when not known. */
    struct bytes default_charset, default_collation;
};

/* `sql` is UTF-8; the caller converts it from the client's character set (status variables).
 *
 * One SQL text may give several statements (DROP TABLE a, b; RENAME TABLE a TO b, c TO d). In
 * `arena`; *count may be 0. Never fails: what is not understood is DDL_REREAD_TABLE when a table's
 * name can be told (for a CREATE TABLE: without `created`), else DDL_IGNORED with *doubt set (then
 * all tables of the database are compared). */
void ddl_parse(struct bytes sql, const struct ddl_context *context, struct arena *arena,
               const struct ddl_statement **out, size_t *count, bool *doubt);

/* Which of two unique indexes over NOT NULL columns is the key of a table without a primary key:
 * the one of fewer columns, then the first by name. Alike here and for information_schema. */
bool mysql_key_precedes(size_t count, struct bytes name, size_t other_count,
                        struct bytes other_name);

/* Applies the specs of an ALTER to a version: a draft in `arena` with its renames for
 * schema_change. False: it cannot be told (a column that is not there): read the table again. */
struct column_rename;
bool ddl_apply(const struct table *table, const struct ddl_statement *statement,
               struct arena *arena, struct table **draft, const struct column_rename **renames,
               uint16_t *rename_count);

/* schema/mysql_types.c: "int(10) unsigned", "enum('a','b')", "varchar(20)" (information_schema's
 * COLUMN_TYPE and what a DDL writes) to a canonical type; also MariaDB's uuid, inet4, inet6, JSON
 * alias (LONGTEXT, which is how MariaDB itself shows it), COMPRESSED. Labels are read with
 * backslash escapes, as COLUMN_TYPE has them. False: not a type of ours. `charset` decides text or
 * bytes for CHARACTER SET binary. */
bool mysql_type_parse(struct bytes text, struct bytes charset, bool mariadb, struct arena *arena,
                      struct type *out);
