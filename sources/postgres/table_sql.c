/* SPDX-License-Identifier: Apache-2.0
 *
 * Keysets are row comparisons, which an index over the same columns serves. A literal without a
 * type takes its column's; where no column is near it is cast and given the column's collation. */
#include "sources/postgres/table_sql.h"

#include "sources/postgres/listed_tables.h"
#include "sources/postgres/text_value.h"

enum { LITERAL_LIMIT = 64 << 20 };

static void put_literal(struct buf *out, const struct column *column, const struct value *value)
{
    if (value->tag <= VALUE_ABSENT) {
        buf_text(out, "NULL");
        return;
    }
    struct buf text;
    buf_init(&text, LITERAL_LIMIT);
    value_sql_text(&column->type, value, &text);
    postgres_quote_text(out, buf_view(&text));
    buf_done(&text);
}

static const struct column *key_column(const struct table *table, uint16_t index)
{
    return &table->columns[table->key_columns[index]];
}

static void put_key_names(struct buf *out, const struct table *table)
{
    for (uint16_t i = 0; i < table->key_count; i++) {
        buf_text(out, i ? ", " : "");
        postgres_quote_identifier(out, key_column(table, i)->name);
    }
}

static void put_bound(struct buf *out, const struct table *table, const char *operator,
                      const struct value * bound)
{
    buf_text(out, "ROW(");
    put_key_names(out, table);
    buf_printf(out, ") %s ROW(", operator);
    for (uint16_t i = 0; i < table->key_count; i++) {
        buf_text(out, i ? ", " : "");
        put_literal(out, key_column(table, i), &bound[i]);
    }
    buf_u8(out, ')');
}

void table_sql_copy(struct buf *out, const struct table *table, const struct reader_range *range)
{
    buf_text(out, "COPY (SELECT ");
    for (uint16_t i = 0; i < table->column_count; i++) {
        buf_text(out, i ? ", " : "");
        postgres_quote_identifier(out, table->columns[i].name);
    }
    buf_text(out, range->only ? " FROM ONLY " : " FROM ");
    table_quote(out, table);
    if (range->after || range->until)
        buf_text(out, " WHERE ");
    if (range->after)
        put_bound(out, table, ">", range->after);
    if (range->after && range->until)
        buf_text(out, " AND ");
    if (range->until)
        put_bound(out, table, "<=", range->until);
    if (range->limit > 0) {
        buf_text(out, " ORDER BY ");
        put_key_names(out, table);
        buf_printf(out, " LIMIT %u", range->limit);
    }
    buf_text(out, ") TO STDOUT");
}
