/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: u8 (odd: MariaDB), the body of a TABLE_MAP event. */
#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "sources/mysql/binlog_rows.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = { 0 };
    struct error err;
    struct table_map *map;
    struct table_map_name name;
    struct table *table, *again;
    struct buf why;
    if (size == 0)
        return 0;
    struct bytes body = { data + 1, size - 1 };
    buf_init(&why, 1 << 20);
    if (table_map_parse(body, data[0] & 1, &arena, &map, &err)) {
        ASSERT(table_map_peek(body, &name, &err) && name.table_id == map->table_id);
        if (table_map_derive(map, NULL, NULL, &arena, &table, &err)) {
            table_map_fits(map, table, &why);
            if (table_map_derive(map, table, NULL, &arena, &again, &err))
                ASSERT(again->column_count == table->column_count);
        }
    } else {
        ASSERT(err.kind == ERROR_DATA && err.message[0]);
    }
    buf_done(&why);
    arena_done(&arena);
    return 0;
}
