/* SPDX-License-Identifier: Apache-2.0
 *
 * Unchanged TOAST values. Without REPLICA IDENTITY FULL the log does not have them, so they are
 * looked up by the row's key once the change is visible, a whole batch of rows at a time. The table
 * may be ahead of the log by then:
 *   - the row holds a newer value: the change that wrote it comes later in the log and brings it
 *     again, so the target ends right;
 *   - the row is gone: the change that removed it comes later, so it may as well go at once.
 * What cannot be looked up (the column has another name by now) stays absent, and parks the table.
 */
#include "sources/postgres/wal.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "schema/key.h"
#include "sources/postgres/token.h"

enum { ROWS_AT_ONCE = 200, SQL_LIMIT = 64 << 20, VISIBLE_WAIT_MS = 10000, VISIBLE_TICK_US = 2000 };

/* Events of one table, one after the other among the holes. */
struct group {
    struct wal_hole *holes;
    uint32_t count;
    const struct table *table;
};

static bool are_visible(struct wal_source *self, const struct group *group, bool *visible,
                        struct error *err)
{
    struct arena arena = { 0 };
    struct snapshot_text snapshot;
    bool ok = wal_snapshot_now(self, &arena, &snapshot, err);
    *visible = ok;
    for (uint32_t i = 0; *visible && i < group->count; i++)
        *visible = snapshot_sees(&snapshot, group->holes[i].xid);
    arena_done(&arena);
    return ok;
}

static bool wait_visible(struct wal_source *self, const struct group *group, struct error *err)
{
    int64_t until_us = clock_now_us() + VISIBLE_WAIT_MS * 1000;
    for (;;) {
        bool visible;
        if (!are_visible(self, group, &visible, err))
            return false;
        if (visible)
            return true;
        if (atomic_load(&self->interrupted))
            return error_set(err, ERROR_STOP, "interrupted");
        if (clock_now_us() > until_us)
            return error_set(err, ERROR_RETRY,
                             "a commit in the log does not become visible: is a "
                             "synchronous standby down?");
        clock_sleep_us(VISIBLE_TICK_US);
    }
}

/* ---- the statement ---- */

static bool is_wanted(const struct batch *batch, const struct group *group, uint16_t column)
{
    for (uint32_t i = 0; i < group->count; i++)
        if (batch->events[group->holes[i].event].after[column].tag == VALUE_ABSENT)
            return true;
    return false;
}

static void put_name(struct buf *sql, const struct table *table, uint16_t column)
{
    if (sql->size > 0 && sql->data[sql->size - 1] != '(' && sql->data[sql->size - 1] != ' ')
        buf_text(sql, ", ");
    postgres_quote_identifier(sql, table->columns[column].name);
}

static void put_literal(struct buf *sql, const struct type *type, const struct value *value)
{
    struct buf text;
    buf_init(&text, SQL_LIMIT);
    value_sql_text(type, value, &text);
    postgres_quote_text(sql, buf_view(&text));
    buf_done(&text);
}

/* Columns of the key, then those that are wanted; *count of both into `columns`. */
static void put_select(struct buf *sql, const struct batch *batch, const struct group *group,
                       uint16_t *columns, uint16_t *count)
{
    const struct table *table = group->table;
    buf_text(sql, "SELECT ");
    *count = 0;
    for (uint16_t k = 0; k < table->key_count; k++)
        columns[(*count)++] = table->key_columns[k];
    for (uint16_t c = 0; c < table->column_count; c++)
        if (is_wanted(batch, group, c))
            columns[(*count)++] = c;
    for (uint16_t i = 0; i < *count; i++)
        put_name(sql, table, columns[i]);
    buf_text(sql, " FROM ");
    table_quote(sql, table);
    buf_text(sql, " WHERE (");
    for (uint16_t k = 0; k < table->key_count; k++)
        put_name(sql, table, table->key_columns[k]);
    buf_text(sql, ") IN (");
    for (uint32_t i = 0; i < group->count; i++) {
        const struct value *row = batch->events[group->holes[i].event].after;
        buf_text(sql, i ? ", (" : "(");
        for (uint16_t k = 0; k < table->key_count; k++) {
            uint16_t column = table->key_columns[k];
            buf_text(sql, k ? ", " : "");
            put_literal(sql, &table->columns[column].type, &row[column]);
        }
        buf_u8(sql, ')');
    }
    buf_u8(sql, ')');
}

/* ---- the answer ---- */

static struct bytes key_of(const struct table *table, const struct value *row, struct arena *arena)
{
    struct buf key;
    buf_init(&key, SQL_LIMIT);
    key_encode(table, row, &key);
    struct bytes kept = arena_copy(arena, buf_view(&key));
    buf_done(&key);
    return kept;
}

static struct map rows_by_key(const struct table *table, const struct result *result,
                              const uint16_t *columns, struct arena *arena)
{
    struct map map = { 0 };
    for (uint32_t i = 0; i < result->row_count; i++) {
        struct value *row = arena_array(arena, table->column_count, sizeof *row);
        for (uint32_t c = 0; c < result->column_count; c++) {
            struct bytes text = result->cells[i * result->column_count + c];
            const struct type *type = &table->columns[columns[c]].type;
            struct value *value = &row[columns[c]];
            if (!text.data)
                *value = value_null();
            else if (!text_decoder_of(type).decode(text, type, arena, value))
                *value = value_absent(); /* another type by now */
        }
        map_put(&map, key_of(table, row, arena), row);
    }
    return map;
}

static void fill(struct batch *batch, const struct group *group, const struct map *rows)
{
    const struct table *table = group->table;
    for (uint32_t i = 0; i < group->count; i++) {
        struct event *event = &batch->events[group->holes[i].event];
        struct arena scratch = { 0 };
        const struct value *row = map_get(rows, key_of(table, event->after, &scratch));
        arena_done(&scratch);
        if (!row) {
            event->op = EVENT_DELETE;
            event->before = event->before ? event->before : event->after;
            event->after = NULL;
            continue;
        }
        struct value *after = arena_array(&batch->arena, table->column_count, sizeof *after);
        memcpy(after, event->after, table->column_count * sizeof *after);
        for (uint16_t c = 0; c < table->column_count; c++) {
            if (after[c].tag != VALUE_ABSENT)
                continue;
            after[c] = row[c];
            if (row[c].tag == VALUE_TEXT)
                after[c].data = arena_copy(&batch->arena, value_bytes(&row[c])).data;
        }
        event->after = after;
    }
}

static bool fill_group(struct wal_source *self, struct batch *batch, const struct group *group,
                       struct error *err)
{
    if (group->table->key_count == 0)
        return true; /* only FULL is followed without a key, and it leaves no holes */
    if (!wait_visible(self, group, err))
        return false;
    struct arena arena = { 0 };
    struct buf sql;
    struct result result;
    uint16_t count;
    uint16_t *columns = arena_array(&arena, group->table->column_count * 2u, sizeof *columns);
    buf_init(&sql, SQL_LIMIT);
    put_select(&sql, batch, group, columns, &count);
    bool ok = session_query(self->metadata, buf_view(&sql), &arena, &result, err);
    buf_done(&sql);
    if (ok) {
        struct map rows = rows_by_key(group->table, &result, columns, &arena);
        fill(batch, group, &rows);
        map_done(&rows);
    }
    arena_done(&arena);
    return ok || err->kind == ERROR_DATA || err->kind == ERROR_CONFIG;
}

bool wal_fill_holes(struct wal_source *self, struct batch *batch, struct error *err)
{
    for (uint32_t at = 0; at < self->hole_count;) {
        struct group group = { &self->holes[at], 0, batch->events[self->holes[at].event].table };
        while (at < self->hole_count && group.count < ROWS_AT_ONCE &&
               batch->events[self->holes[at].event].table == group.table) {
            group.count++;
            at++;
        }
        if (!fill_group(self, batch, &group, err))
            return false;
    }
    self->hole_count = 0;
    return true;
}
