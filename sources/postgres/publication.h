/* SPDX-License-Identifier: Apache-2.0
 *
 * The publication that the stream is read through: looked at, made, and extended. */
#pragma once

#include "sources/postgres/listed_tables.h"

struct publication {
    bool exists, all_tables, all_changes;
    bool partitions; /* some are in it, or would be */
    bool fits;       /* and come as partition.mode says */
    bool generated;  /* stored generated columns are carried, or would be once it is made */
};

bool publication_read(struct session *connection, const struct postgres_options *options,
                      struct publication *out, struct error *err);

/* ERROR_CONFIG: rows of partitions would come as those of tables that are not read. */
bool publication_check(const struct postgres_options *options,
                       const struct publication *publication, struct error *err);

/* Makes it, or adds those tables that it lacks and may hold. */
bool publication_prepare(struct session *connection, const struct postgres_options *options,
                         const struct publication *publication, const struct listed_table *tables,
                         size_t count, struct error *err);

bool publication_add(struct session *connection, const struct postgres_options *options,
                     const struct table *table, struct error *err);
