/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements of the snapshot reader. Text travels as hex with an introducer, so that no byte of a
 * key can end a literal; a comparison with a column uses the column's own collation and index. */
#include "sources/mysql/reader_sql.h"

#include "schema/value_text.h"
#include "sources/mysql/connection.h"

enum { MICROS_SCALE = 6 };

static void put_hex(struct buf *out, struct bytes raw)
{
    buf_text(out, "x'");
    hex_text(raw, out);
    buf_u8(out, '\'');
}

static void put_integer(struct buf *out, const struct type *type, int64_t number)
{
    switch (type->kind) {
    case TYPE_DECIMAL:
        decimal_text(number, type->scale, out);
        return;
    case TYPE_DATE:
        buf_u8(out, '\'');
        date_text(number, out);
        break;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
        buf_u8(out, '\'');
        datetime_text(number, MICROS_SCALE, out);
        break;
    case TYPE_TIME:
        buf_u8(out, '\'');
        time_text(number, MICROS_SCALE, out);
        break;
    default:
        buf_printf(out, "%lld", (long long)number);
        return;
    }
    buf_u8(out, '\'');
}

static void put_address(struct buf *out, const struct type *type, struct bytes raw)
{
    static const char *const functions[] = { "INET_NTOA(CONV(HEX(", "INET6_NTOA(" };
    if (type->kind == TYPE_UUID && raw.size == 16) {
        buf_u8(out, '\'');
        uuid_text(raw.data, out);
        buf_u8(out, '\'');
        return;
    }
    bool four = type->kind == TYPE_INET4;
    buf_text(out, functions[!four]);
    put_hex(out, raw);
    buf_text(out, four ? "), 16, 10))" : ")");
}

static uint64_t member_number(const struct type *type, struct bytes label)
{
    for (uint16_t i = 0; i < type->member_count; i++)
        if (bytes_equal(type->members[i], label))
            return i + 1u;
    return 0;
}

/* ENUM is ordered by the numbers of its labels and SET by their bits, but a comparison with a text
 * goes by the letters. */
static void put_members(struct buf *out, const struct type *type, struct bytes text)
{
    uint64_t number = 0;
    if (type->kind == TYPE_ENUM)
        number = member_number(type, text);
    while (type->kind == TYPE_SET && text.size > 0) {
        const uint8_t *comma = memchr(text.data, ',', text.size);
        struct bytes label = { text.data, comma ? (size_t)(comma - text.data) : text.size };
        uint64_t member = member_number(type, label);
        number |= member ? UINT64_C(1) << (member - 1) : 0;
        size_t used = label.size + (comma ? 1 : 0);
        text = (struct bytes){ text.data + used, text.size - used };
    }
    buf_printf(out, "%llu", (unsigned long long)number);
}

static void put_text(struct buf *out, const struct column *column, struct bytes text)
{
    switch (column->type.kind) {
    case TYPE_ENUM:
    case TYPE_SET:
        put_members(out, &column->type, text);
        return;
    case TYPE_DECIMAL: /* plain digits, made by ourselves */
        buf_bytes(out, text);
        return;
    case TYPE_BYTES:
    case TYPE_GEOMETRY:
    case TYPE_VECTOR:
        put_hex(out, text);
        return;
    case TYPE_UUID:
    case TYPE_INET4:
    case TYPE_INET6:
        put_address(out, &column->type, text);
        return;
    default:
        mysql_quote_text(out, text);
    }
}

void reader_sql_literal(struct buf *out, const struct column *column, const struct value *value)
{
    switch (value->tag) {
    case VALUE_INT:
        put_integer(out, &column->type, value->integer);
        return;
    case VALUE_UINT:
        buf_printf(out, "%llu", (unsigned long long)value->natural);
        return;
    case VALUE_DOUBLE:
        buf_printf(out, "%.17e", value->number);
        return;
    case VALUE_TEXT:
        put_text(out, column, value_bytes(value));
        return;
    default:
        buf_text(out, "NULL");
    }
}

void reader_sql_table(struct buf *out, const struct table *table)
{
    mysql_quote_identifier(out, table->database);
    buf_u8(out, '.');
    mysql_quote_identifier(out, table->name);
}

void reader_sql_select(struct buf *out, const struct table *table)
{
    buf_text(out, "SELECT ");
    for (uint16_t i = 0; i < table->column_count; i++) {
        if (i > 0)
            buf_text(out, ", ");
        mysql_quote_identifier(out, table->columns[i].name);
    }
    buf_text(out, " FROM ");
    reader_sql_table(out, table);
}

static const struct column *key_column(const struct table *table, uint16_t index)
{
    return &table->columns[table->key_columns[index]];
}

/* a > x OR (a = x AND (b > y OR (b = y AND ...))); the last operator is strict or not. */
static void put_bound(struct buf *out, const struct table *table, const struct value *bound,
                      const char *strict, const char *last)
{
    buf_u8(out, '(');
    for (uint16_t i = 0; i < table->key_count; i++) {
        const struct column *column = key_column(table, i);
        bool final = i + 1 == table->key_count;
        mysql_quote_identifier(out, column->name);
        buf_text(out, final ? last : strict);
        reader_sql_literal(out, column, &bound[i]);
        if (final)
            break;
        buf_text(out, " OR (");
        mysql_quote_identifier(out, column->name);
        buf_text(out, " = ");
        reader_sql_literal(out, column, &bound[i]);
        buf_text(out, " AND (");
    }
    for (uint16_t i = 1; i < table->key_count; i++)
        buf_text(out, "))");
    buf_u8(out, ')');
}

/* The first column alone bounds the range for the optimizer; the rest is exact. */
static void put_first(struct buf *out, const struct table *table, const struct value *bound,
                      const char *operator)
{
    if (table->key_count < 2)
        return;
    mysql_quote_identifier(out, key_column(table, 0)->name);
    buf_text(out, operator);
    reader_sql_literal(out, key_column(table, 0), &bound[0]);
    buf_text(out, " AND ");
}

void reader_sql_after(struct buf *out, const struct table *table, const struct value *bound)
{
    put_first(out, table, bound, " >= ");
    put_bound(out, table, bound, " > ", " > ");
}

void reader_sql_not_after(struct buf *out, const struct table *table, const struct value *bound)
{
    put_first(out, table, bound, " <= ");
    put_bound(out, table, bound, " < ", " <= ");
}

void reader_sql_order(struct buf *out, const struct table *table)
{
    buf_text(out, " ORDER BY ");
    for (uint16_t i = 0; i < table->key_count; i++) {
        if (i > 0)
            buf_text(out, ", ");
        mysql_quote_identifier(out, key_column(table, i)->name);
    }
}
