/* SPDX-License-Identifier: Apache-2.0
 *
 * Quoting. Inside both kinds of quotes ClickHouse's lexer takes backslash escapes, so a backslash
 * and the quote itself are escaped; all other bytes stand as they are, NUL as \0. */
#include "sinks/clickhouse/sql.h"

static void sql_quoted(struct buf *out, struct bytes text, uint8_t quote)
{
    buf_u8(out, quote);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == quote || byte == '\\')
            buf_u8(out, '\\');
        if (byte == '\0')
            buf_put(out, "\\0", 2);
        else
            buf_u8(out, byte);
    }
    buf_u8(out, quote);
}

void sql_identifier(struct buf *out, struct bytes name) { sql_quoted(out, name, '`'); }

void sql_string(struct buf *out, struct bytes text) { sql_quoted(out, text, '\''); }

void sql_table(struct buf *out, struct bytes database, struct bytes name)
{
    sql_identifier(out, database);
    buf_u8(out, '.');
    sql_identifier(out, name);
}
