/* SPDX-License-Identifier: Apache-2.0
 *
 * Linear probing over a power of two of slots, at most three quarters full. A removal shifts the
 * entries behind it back, so there are no tombstones and a map that lives for years stays fast. */
#include "engine/base/map.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"

enum { MAP_CAPACITY_FIRST = 16 };

static void *map_memory(void *memory)
{
    if (!memory) {
        fprintf(stderr, "millrace: out of memory (map)\n");
        abort();
    }
    return memory;
}

/* The slot of the key, or the free slot where it belongs. */
static struct map_entry *map_slot(const struct map *map, struct bytes key, uint64_t hash)
{
    size_t mask = map->capacity - 1;
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        struct map_entry *entry = &map->entries[i];
        if (!entry->key.data || (entry->hash == hash && bytes_equal(entry->key, key)))
            return entry;
    }
}

static void map_grow(struct map *map)
{
    struct map old = *map;
    map->capacity = old.capacity ? old.capacity * 2 : MAP_CAPACITY_FIRST;
    map->entries = map_memory(calloc(map->capacity, sizeof *map->entries));
    for (size_t i = 0; i < old.capacity; i++)
        if (old.entries[i].key.data)
            *map_slot(map, old.entries[i].key, old.entries[i].hash) = old.entries[i];
    free(old.entries);
}

void *map_get(const struct map *map, struct bytes key)
{
    return map->count ? map_slot(map, key, bytes_hash(key))->value : NULL;
}

void map_put(struct map *map, struct bytes key, void *value)
{
    ASSERT(value);
    if ((map->count + 1) * 4 > map->capacity * 3)
        map_grow(map);
    uint64_t hash = bytes_hash(key);
    struct map_entry *entry = map_slot(map, key, hash);
    if (!entry->key.data) {
        uint8_t *copy = map_memory(malloc(key.size + 1));
        if (key.size)
            memcpy(copy, key.data, key.size);
        copy[key.size] = '\0';
        *entry = (struct map_entry){ .key = { copy, key.size }, .hash = hash };
        map->count++;
    }
    entry->value = value;
}

static void map_close_gap(struct map *map, size_t gap)
{
    size_t mask = map->capacity - 1;
    for (size_t i = (gap + 1) & mask; map->entries[i].key.data; i = (i + 1) & mask) {
        size_t home = (size_t)map->entries[i].hash & mask;
        if (((i - home) & mask) < ((i - gap) & mask))
            continue; /* it would come to stand before its home */
        map->entries[gap] = map->entries[i];
        gap = i;
    }
    map->entries[gap] = (struct map_entry){ 0 };
}

void *map_remove(struct map *map, struct bytes key)
{
    if (!map->count)
        return NULL;
    struct map_entry *entry = map_slot(map, key, bytes_hash(key));
    if (!entry->key.data)
        return NULL;
    void *value = entry->value;
    free((void *)(uintptr_t)entry->key.data);
    map_close_gap(map, (size_t)(entry - map->entries));
    map->count--;
    return value;
}

void map_done(struct map *map)
{
    for (size_t i = 0; i < map->capacity; i++)
        free((void *)(uintptr_t)map->entries[i].key.data);
    free(map->entries);
    *map = (struct map){ 0 };
}

struct map_entry *map_next(const struct map *map, struct map_entry *entry)
{
    for (size_t i = entry ? (size_t)(entry - map->entries) + 1 : 0; i < map->capacity; i++)
        if (map->entries[i].key.data)
            return &map->entries[i];
    return NULL;
}
