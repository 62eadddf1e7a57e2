/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/jdbc.h"

enum {
    SQL_BIT = -7,
    SQL_TINYINT = -6,
    SQL_BIGINT = -5,
    SQL_CHAR = 1,
    SQL_DECIMAL = 3,
    SQL_INTEGER = 4,
    SQL_SMALLINT = 5,
    SQL_REAL = 7,
    SQL_DOUBLE = 8,
    SQL_VARCHAR = 12,
    SQL_DATE = 91,
    SQL_TIME = 92,
    SQL_TIMESTAMP = 93,
    SQL_BLOB = 2004,
    SQL_CLOB = 2005
};

static int text_type(const struct column *column)
{
    struct bytes name = column->source_type;
    if (name.size >= 7 && memcmp(name.data, "varchar", 7) == 0)
        return SQL_VARCHAR;
    return name.size >= 4 && memcmp(name.data, "char", 4) == 0 ? SQL_CHAR : SQL_CLOB;
}

int jdbc_type(const struct column *column)
{
    static const int by_kind[TYPE_KIND_COUNT] = {
        [TYPE_FLOAT] = SQL_REAL,          [TYPE_DOUBLE] = SQL_DOUBLE,
        [TYPE_DECIMAL] = SQL_DECIMAL,     [TYPE_BIT] = SQL_BIT,
        [TYPE_YEAR] = SQL_VARCHAR,        [TYPE_DATE] = SQL_DATE,
        [TYPE_TIME] = SQL_TIME,           [TYPE_DATETIME] = SQL_TIMESTAMP,
        [TYPE_TIMESTAMP] = SQL_TIMESTAMP, [TYPE_BYTES] = SQL_BLOB,
        [TYPE_JSON] = SQL_VARCHAR,        [TYPE_ENUM] = SQL_VARCHAR,
        [TYPE_SET] = SQL_VARCHAR,         [TYPE_GEOMETRY] = SQL_BLOB,
        [TYPE_VECTOR] = SQL_BLOB,         [TYPE_UUID] = SQL_VARCHAR,
        [TYPE_INET4] = SQL_VARCHAR,       [TYPE_INET6] = SQL_VARCHAR,
    };
    const struct type *type = &column->type;
    if (type->kind == TYPE_TEXT)
        return text_type(column);
    if (type->kind != TYPE_INT && type->kind != TYPE_UINT)
        return by_kind[type->kind];
    return type->bits <= 8    ? SQL_TINYINT
           : type->bits <= 16 ? SQL_SMALLINT
           : type->bits <= 32 ? SQL_INTEGER
                              : SQL_BIGINT;
}
