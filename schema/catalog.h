/* SPDX-License-Identifier: Apache-2.0
 *
 * All versions of all tables, and the way to find the newest by name. Owned by the source's thread;
 * other threads see single immutable versions through events. Tables live in the catalog's arena,
 * which is never reset: an endless stream of DDL grows it by some kilobytes a change. */
#pragma once

#include "engine/base/map.h"
#include "schema/table.h"

struct catalog {
    struct arena arena;
    struct map by_name;  /* "database\0name" (schema between, where there is one) -> struct table */
    uint32_t next_id;    /* from 1 */
    uint32_t generation; /* grows with every change: what is newer than saved must be saved */
    struct table **all;  /* every version, in the order it came; for the checkpoint */
    size_t all_count, all_capacity;
    bool fold_names; /* lower_case_table_names != 0: names of databases and tables fold to lower
                        case */
};

void catalog_init(struct catalog *catalog);
void catalog_done(struct catalog *catalog);

/* The newest version under this name, or NULL. `schema` may be empty. */
const struct table *catalog_find(const struct catalog *catalog, struct bytes database,
                                 struct bytes schema, struct bytes name);

/* Enters `draft` (deep-copied) as the newest version of its name. With `previous` it keeps that
 * table's id, takes the next version number and, if the name differs, the old name is forgotten (a
 * rename); without, it gets a new id. Returns the version that now stands. */
const struct table *catalog_put(struct catalog *catalog, const struct table *draft,
                                const struct table *previous, uint64_t valid_from);

/* Enters a version as it was saved: id, version and all. The versions of an id come one after the
 * other; once all are there, catalog_settle gives the newest of each id its name, dropped ones
 * none: names change hands, so the order of ids says nothing about who has one. */
const struct table *catalog_restore(struct catalog *catalog, const struct table *saved);
void catalog_settle(struct catalog *catalog);

void catalog_drop(struct catalog *catalog, const struct table *table); /* forgets the name */
