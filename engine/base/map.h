/* SPDX-License-Identifier: Apache-2.0
 *
 * Hash map from bytes to pointers: open addressing, grows by doubling. Keys are copied. One owner.
 */
#pragma once

#include "engine/base/bytes.h"

struct map_entry {
    struct bytes key; /* owned by the map; data NULL marks a free slot */
    void *value;
    uint64_t hash;
};
struct map {
    struct map_entry *entries;
    size_t count, capacity;
};

/* A zeroed struct map is empty and ready. */
void *map_get(const struct map *map, struct bytes key);       /* NULL: not there */
void map_put(struct map *map, struct bytes key, void *value); /* replaces; value not NULL */
void *map_remove(struct map *map, struct bytes key);          /* what was there, or NULL */
void map_done(struct map *map);                               /* frees keys, not values */
/* for (struct map_entry *e = NULL; (e = map_next(map, e));) : any order; no changes meanwhile */
struct map_entry *map_next(const struct map *map, struct map_entry *entry);
