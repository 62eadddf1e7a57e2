/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: u8 (odd: MariaDB), u16 size, the body of a TABLE_MAP event, u8 type, the body of a rows
 * event, which is decoded with the version that the map describes. */
#include "engine/base/assert.h"
#include "engine/base/reader.h"
#include "sources/mysql/binlog_rows.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static volatile uint64_t touched; /* keeps the compiler from leaving touch() out */

/* Reads every byte of every value, so that a sanitizer sees a view that points astray. */
static uint64_t touch(const struct event *event)
{
    const struct value *images[] = { event->before, event->after };
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_SIZE(images); i++)
        for (uint16_t j = 0; images[i] && j < event->table->column_count; j++) {
            const struct value *value = &images[i][j];
            ASSERT(value->tag <= VALUE_TEXT);
            sum += value->tag == VALUE_TEXT ? 0 : value->tag;
            for (uint32_t k = 0; value->tag == VALUE_TEXT && k < value->size; k++)
                sum += value->data[k];
        }
    return sum;
}

static void decode(struct row_plan *plan, uint8_t type, struct bytes body)
{
    struct rows_cursor cursor = { .plan = plan };
    struct batch batch = { 0 };
    struct error err;
    bool end = !rows_event_parse(body, type, &cursor.event, &err);
    while (!end) {
        size_t before = cursor.rest.size;
        bool started = cursor.started;
        if (!rows_decode(&cursor, &batch, &end, &err)) {
            ASSERT(err.kind == ERROR_DATA && err.message[0]);
            break;
        }
        ASSERT(end || !started || cursor.rest.size < before);
        for (uint32_t i = 0; i < batch.count; i++)
            touched += touch(&batch.events[i]);
        arena_reset(&batch.arena);
        batch.count = 0;
    }
    arena_done(&batch.arena);
    free(batch.events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = { 0 };
    struct error err;
    struct table_map *map;
    struct table *table;
    struct row_plan *plan;
    struct reader in = reader_of((struct bytes){ data, size });
    bool mariadb = reader_u8(&in) & 1;
    struct bytes body = reader_take(&in, reader_le(&in, 2));
    uint8_t type = reader_u8(&in);
    if (!in.failed && table_map_parse(body, mariadb, &arena, &map, &err) &&
        table_map_derive(map, NULL, NULL, &arena, &table, &err) &&
        row_plan_make(map, table, NULL, &arena, &plan, &err))
        decode(plan, type, in.rest);
    arena_done(&arena);
    return 0;
}
