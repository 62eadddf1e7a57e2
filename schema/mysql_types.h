/* SPDX-License-Identifier: Apache-2.0
 *
 * A data type of MySQL or MariaDB as a statement spells it, and what becomes of it: the canonical
 * type, and the spelling of information_schema's COLUMN_TYPE. */
#pragma once

#include "schema/mysql_lexer.h"
#include "schema/type.h"

enum mysql_family {
    MYSQL_INT,
    MYSQL_FLOAT,
    MYSQL_DOUBLE,
    MYSQL_DECIMAL,
    MYSQL_BIT,
    MYSQL_YEAR,
    MYSQL_DATE,
    MYSQL_TIME,
    MYSQL_DATETIME,
    MYSQL_TIMESTAMP,
    MYSQL_CHAR,
    MYSQL_VARCHAR,
    MYSQL_TEXT,
    MYSQL_BINARY,
    MYSQL_VARBINARY,
    MYSQL_BLOB,
    MYSQL_ENUM,
    MYSQL_SET,
    MYSQL_JSON,
    MYSQL_GEOMETRY,
    MYSQL_VECTOR,
    MYSQL_UUID,
    MYSQL_INET4,
    MYSQL_INET6,
};

struct mysql_spelling {
    enum mysql_family family;
    const char *base; /* "int", "mediumtext": the name in COLUMN_TYPE */
    uint8_t size;     /* INT: bits; TEXT and BLOB: 1 to 4, the bytes of their length */
    bool has_length, has_scale;
    uint32_t length, scale; /* in the parentheses */
    bool is_unsigned, zerofill, serial, compressed;
    bool binary_collation;           /* BINARY behind a text type: the _bin collation */
    struct bytes charset, collation; /* NULL data: not written */
    const struct bytes *labels;      /* of ENUM and SET */
    uint16_t label_count;
};

/* Takes a type with its attributes up to the character set. False: not a type that is known. */
bool mysql_type_take(struct lexer *lexer, struct mysql_spelling *out);

/* Fits the spelling to the character set that the column has after all: text in `binary` is bytes,
 * and TEXT(300) needs a length of two bytes in latin1 and of more in others. */
void mysql_type_settle(struct mysql_spelling *spelling, struct bytes charset);

/* JSON is LONGTEXT in MariaDB. */
void mysql_type_alias_json(struct mysql_spelling *spelling);

bool mysql_type_canonical(const struct mysql_spelling *spelling, struct arena *arena,
                          struct type *out);

/* COLUMN_TYPE as the server of this kind and version shows it. */
struct bytes mysql_type_spell(const struct mysql_spelling *spelling, bool mariadb,
                              uint32_t server_version, struct arena *arena);

/* Does the family have a character set? */
bool mysql_family_is_text(enum mysql_family family);
