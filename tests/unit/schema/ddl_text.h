/* SPDX-License-Identifier: Apache-2.0
 *
 * A table as one line, for tables of cases: its columns as
 *   name:type[/charset][/collation][?][ kN][i][vV][+][=default][=(expression)]['comment']
 * (nullable, N-th of the key, invisible, virtual or stored, AUTO_INCREMENT), then what is set of
 * the table. */
#pragma once

#include "engine/base/buf.h"
#include "schema/mysql_ddl.h"

static inline void text_field(struct buf *out, const char *before, struct bytes text,
                              const char *after)
{
    if (!text.data)
        return;
    buf_text(out, before);
    buf_bytes(out, text);
    buf_text(out, after);
}

static inline void text_column(struct buf *out, const struct column *column)
{
    text_field(out, "", column->name, ":");
    buf_bytes(out, column->source_type);
    text_field(out, "/", column->charset, "");
    text_field(out, "/", column->collation, "");
    buf_text(out, column->nullable ? "?" : "");
    if (column->key_order)
        buf_printf(out, " k%u", column->key_order);
    buf_text(out, column->invisible ? "i" : "");
    buf_text(out, column->generated == COLUMN_GENERATED_VIRTUAL  ? "v"
                  : column->generated == COLUMN_GENERATED_STORED ? "V"
                                                                 : "");
    buf_text(out, column->auto_increment ? "+" : "");
    text_field(out, column->default_is_expression ? "=(" : "=", column->default_text,
               column->default_is_expression ? ")" : "");
    if (column->comment.size)
        text_field(out, "'", column->comment, "'");
}

static inline struct bytes table_text(const struct table *table, struct arena *arena)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    for (uint16_t i = 0; i < table->column_count; i++) {
        buf_text(&out, i ? ", " : "");
        text_column(&out, &table->columns[i]);
    }
    text_field(&out, "; key ", table->key_name, "");
    text_field(&out, "; ", table->charset, "");
    text_field(&out, " ", table->collation, "");
    text_field(&out, " '", table->comment, "'");
    buf_text(&out, table->system_versioned ? " versioned" : "");
    struct bytes text = arena_copy(arena, buf_view(&out));
    buf_done(&out);
    return text;
}
