/* SPDX-License-Identifier: Apache-2.0
 *
 * The publication that the stream is read through: looked at, made, and extended. */
#pragma once

#include "sources/postgres/listed_tables.h"

struct publication {
    bool exists, by_root, all_tables, all_changes;
    bool generated; /* stored generated columns are carried, or would be once it is made */
};

bool publication_read(struct session *connection, const struct postgres_options *options,
                      struct publication *out, struct error *err);

/* Makes it, or adds those tables that it lacks and may hold. */
bool publication_prepare(struct session *connection, const struct postgres_options *options,
                         const struct publication *publication, const struct listed_table *tables,
                         size_t count, struct error *err);

bool publication_add(struct session *connection, const struct postgres_options *options,
                     const struct table *table, struct error *err);
