/* SPDX-License-Identifier: Apache-2.0
 *
 * A system-versioned table keeps each row's past beside it, under a key that ends with row_end: the
 * row that is true now has the greatest timestamp there. The log shows the bookkeeping: an UPDATE
 * is an UPDATE and an INSERT of what was; a DELETE is an UPDATE that sets row_end; DELETE HISTORY
 * deletes past rows. A target holds what is true now. Source: MariaDB's manual, "System-Versioned
 * Tables", and what its servers log. */
#include "sources/mysql/log_history.h"

#include "engine/base/assert.h"

static const int64_t time_without_end_us = INT64_C(2147483647) * 1000000; /* later on 11.5: 2106 */

static bool has_names(const struct table_map *map, uint16_t first, const char *const *names,
                      uint16_t count)
{
    for (uint16_t i = 0; map->has_names && i < count; i++)
        if (!bytes_is(map->names[first + i], names[i]))
            return false;
    return true;
}

bool history_is_hidden(const struct table_map *map, const struct table *table)
{
    static const char *const names[] = { "row_start", "row_end" };
    return table->system_versioned && map->column_count == table->column_count + 2 &&
           has_names(map, table->column_count, names, 2);
}

const struct table *history_unhide(const struct table_map *map, const struct table *table,
                                   struct arena *arena)
{
    enum { WIRE_TYPE_LONGLONG = 8 };
    struct table *wide = table_copy(arena, table);
    uint16_t count = table->column_count;
    struct column *columns = arena_array(arena, count + 2u, sizeof *columns);
    memcpy(columns, wide->columns, count * sizeof *columns);
    for (uint16_t i = count; i < count + 2; i++) {
        bool by_transaction = map->types[i] == WIRE_TYPE_LONGLONG;
        columns[i] = (struct column){ .generated = COLUMN_GENERATED_STORED };
        columns[i].name = i == count ? BYTES_LITERAL("row_start") : BYTES_LITERAL("row_end");
        columns[i].type = by_transaction ? (struct type){ .kind = TYPE_UINT, .bits = 64 }
                                         : (struct type){ .kind = TYPE_TIMESTAMP, .scale = 6 };
        columns[i].source_type =
            by_transaction ? BYTES_LITERAL("bigint(20) unsigned") : BYTES_LITERAL("timestamp(6)");
    }
    /* The server ends a primary key with it. */
    columns[count + 1].key_order =
        map->has_keys && map->key_count > table->key_count ? (uint16_t)(table->key_count + 1) : 0;
    wide->columns = columns;
    wide->column_count = (uint16_t)(count + 2);
    table_index_keys(arena, wide);
    return wide;
}

void history_hide(struct table *draft, struct arena *arena)
{
    uint16_t count = draft->column_count;
    if (count < 3 || !bytes_is(draft->columns[count - 2].name, "row_start") ||
        !bytes_is(draft->columns[count - 1].name, "row_end"))
        return;
    draft->system_versioned = true;
    draft->column_count = (uint16_t)(count - 2);
    table_index_keys(arena, draft);
}

static bool may_be_end(const struct column *column)
{
    bool time = column->type.kind == TYPE_TIMESTAMP && column->type.scale == 6;
    bool transaction = column->type.kind == TYPE_UINT && column->type.bits == 64;
    return column->generated == COLUMN_GENERATED_STORED && !column->nullable &&
           (time || transaction);
}

int32_t history_end_of(const struct table *table)
{
    if (table->key_count > 0) {
        uint16_t last = table->key_columns[table->key_count - 1];
        if (may_be_end(&table->columns[last]))
            return last;
    }
    for (int32_t i = table->column_count - 1; i >= 0; i--)
        if (may_be_end(&table->columns[i]))
            return i;
    return -1;
}

static bool is_past(const struct value *row, uint16_t end)
{
    if (!row)
        return false;
    return row[end].tag == VALUE_UINT
               ? row[end].natural != UINT64_MAX
               : row[end].tag == VALUE_INT && row[end].integer < time_without_end_us;
}

void history_sort(const struct table *table, uint16_t end, struct batch *batch, uint32_t from)
{
    uint32_t kept = from;
    for (uint32_t i = from; i < batch->count; i++) {
        struct event event = batch->events[i];
        event.table = table;
        if (is_past(event.before, end) || (event.op == EVENT_INSERT && is_past(event.after, end)))
            continue;
        if (event.op == EVENT_UPDATE && is_past(event.after, end)) {
            event.op = EVENT_DELETE;
            event.after = NULL;
        }
        batch->events[kept++] = event;
    }
    batch->count = kept;
}

bool map_is_sequence(const struct table_map *map)
{
    static const char *const names[] = { "next_not_cached_value", "minimum_value", "maximum_value",
                                         "start_value",           "increment",     "cache_size",
                                         "cycle_option",          "cycle_count" };
    return map->column_count == ARRAY_SIZE(names) && map->has_names &&
           has_names(map, 0, names, ARRAY_SIZE(names));
}
