/* SPDX-License-Identifier: Apache-2.0
 *
 * The newest version of each table by name, and every version in the order it came. */
#include "schema/catalog.h"

#include <stdlib.h>

#include "engine/base/buf.h"
#include "engine/base/memory.h"

enum { NAME_LIMIT = 4096 };

void catalog_init(struct catalog *catalog) { *catalog = (struct catalog){ .next_id = 1 }; }

void catalog_done(struct catalog *catalog)
{
    map_done(&catalog->by_name);
    free(catalog->all);
    arena_done(&catalog->arena);
    *catalog = (struct catalog){ 0 };
}

static void put_folded(const struct catalog *catalog, struct buf *out, struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        buf_u8(out, catalog->fold_names && c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
    }
}

static void name_key(const struct catalog *catalog, struct bytes database, struct bytes schema,
                     struct bytes name, struct buf *key)
{
    buf_init(key, NAME_LIMIT);
    put_folded(catalog, key, database);
    buf_u8(key, 0);
    if (schema.size) {
        buf_bytes(key, schema);
        buf_u8(key, 0);
    }
    put_folded(catalog, key, name);
}

const struct table *catalog_find(const struct catalog *catalog, struct bytes database,
                                 struct bytes schema, struct bytes name)
{
    struct buf key;
    name_key(catalog, database, schema, name, &key);
    const struct table *table = key.failed ? NULL : map_get(&catalog->by_name, buf_view(&key));
    buf_done(&key);
    return table;
}

static void enter_name(struct catalog *catalog, struct table *table)
{
    struct buf key;
    name_key(catalog, table->database, table->schema, table->name, &key);
    map_put(&catalog->by_name, buf_view(&key), table);
    buf_done(&key);
}

static void remember(struct catalog *catalog, struct table *table)
{
    catalog->all =
        memory_grow(catalog->all, catalog->all_count, &catalog->all_capacity, sizeof *catalog->all);
    catalog->all[catalog->all_count++] = table;
    catalog->generation++;
    enter_name(catalog, table);
}

void catalog_drop(struct catalog *catalog, const struct table *table)
{
    struct buf key;
    name_key(catalog, table->database, table->schema, table->name, &key);
    const struct table *found = map_get(&catalog->by_name, buf_view(&key));
    if (found && found->id == table->id)
        map_remove(&catalog->by_name, buf_view(&key));
    buf_done(&key);
    catalog->generation++;
}

const struct table *catalog_put(struct catalog *catalog, const struct table *draft,
                                const struct table *previous, uint64_t valid_from)
{
    struct table *table = table_copy(&catalog->arena, draft);
    table->previous = previous;
    table->id = previous ? previous->id : catalog->next_id++;
    table->version = previous ? previous->version + 1 : 1;
    table->valid_from = valid_from;
    if (previous)
        catalog_drop(catalog, previous);
    remember(catalog, table);
    return table;
}

static struct table *newest_of(const struct catalog *catalog, uint32_t id)
{
    for (size_t i = catalog->all_count; i > 0; i--)
        if (catalog->all[i - 1]->id == id)
            return catalog->all[i - 1];
    return NULL;
}

const struct table *catalog_restore(struct catalog *catalog, const struct table *saved)
{
    struct table *table = table_copy(&catalog->arena, saved);
    /* Versions of an id come one after the other, so the search ends at once where there are any.
     */
    struct table *older =
        catalog->all_count && catalog->all[catalog->all_count - 1]->id == saved->id
            ? newest_of(catalog, saved->id)
            : NULL;
    table->previous = older;
    if (older)
        catalog_drop(catalog, older);
    if (table->id >= catalog->next_id)
        catalog->next_id = table->id + 1;
    remember(catalog, table);
    return table;
}

void catalog_settle(struct catalog *catalog)
{
    map_done(&catalog->by_name);
    catalog->by_name = (struct map){ 0 };
    for (size_t i = 0; i < catalog->all_count; i++) {
        struct table *table = catalog->all[i];
        bool newest = i + 1 == catalog->all_count || catalog->all[i + 1]->id != table->id;
        if (newest && table->version != TABLE_DROPPED_VERSION)
            enter_name(catalog, table);
    }
    catalog->generation++;
}
