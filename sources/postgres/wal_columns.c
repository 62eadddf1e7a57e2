/* SPDX-License-Identifier: Apache-2.0
 *
 * Which columns those of a Relation message are. It has their names, in the order of their numbers,
 * and not the numbers; the catalog has these, and may be ahead: a name may be another column's by
 * then. But numbers only grow, and none is used again, so that it tells what came and what went
 * since the tracked version:
 *   - nothing went: the message has the tracked columns, under whatever names, and the first of
 * those that came.
 *   - nothing came: it has the columns of before or of now, by their count.
 *   - some came and some went: one column may have had another's name in between; nothing tells. */
#include "sources/postgres/wal.h"

const struct column *wal_column_by_id(const struct table *table, uint32_t id)
{
    for (uint16_t i = 0; table && id && i < table->column_count; i++)
        if (table->columns[i].source_id == id)
            return &table->columns[i];
    return NULL;
}

const struct column *wal_column_named(const struct table *table, struct bytes name)
{
    for (uint16_t i = 0; table && i < table->column_count; i++)
        if (bytes_equal(table->columns[i].name, name))
            return &table->columns[i];
    return NULL;
}

bool wal_columns_unknown(const struct table *table)
{
    for (uint16_t i = 0; i < table->column_count; i++)
        if (!table->columns[i].source_id)
            return true;
    return false;
}

struct difference {
    uint32_t came, went;
    bool hidden; /* some came and went again, or have no place in the log */
};

static struct difference compare(const struct table *tracked, const struct table *live)
{
    struct difference out = { 0 };
    uint32_t before = tracked->columns_ever;
    for (uint16_t i = 0; i < tracked->column_count; i++) {
        uint32_t id = tracked->columns[i].source_id;
        out.went += !wal_column_by_id(live, id);
        before = id > before ? id : before;
    }
    for (uint16_t i = 0; i < live->column_count; i++)
        out.came += live->columns[i].source_id > before;
    out.hidden = live->columns_ever > before + out.came ||
                 live->column_count + out.went != tracked->column_count + out.came;
    return out;
}

const uint32_t *wal_columns_identify(const struct table *tracked, const struct table *live,
                                     uint16_t count, struct arena *arena)
{
    if (!tracked || !live || wal_columns_unknown(tracked))
        return NULL;
    struct difference since = compare(tracked, live);
    const struct table *of = NULL;
    if (!since.hidden && since.went == 0 && count >= tracked->column_count)
        of = live;
    else if (!since.hidden && since.came == 0)
        of = count == tracked->column_count ? tracked : count == live->column_count ? live : NULL;
    if (!of || count > of->column_count)
        return NULL;
    uint32_t *ids = arena_array(arena, count + 1u, sizeof *ids);
    for (uint16_t i = 0; i < count; i++)
        ids[i] = of->columns[i].source_id;
    return ids;
}
