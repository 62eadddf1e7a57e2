/* SPDX-License-Identifier: Apache-2.0
 *
 * What a target looks like on the server, as system.tables and system.columns tell it. */
#pragma once

#include "sinks/clickhouse/server.h"

struct clickhouse_column {
    struct bytes name, type_text, comment;
    struct clickhouse_type type;
    bool in_sorting_key;
    bool computed; /* ALIAS or MATERIALIZED: takes no values */
};

struct clickhouse_shape {
    bool exists;
    bool database_exists;
    bool partitioned;
    struct bytes engine, engine_full, comment;
    struct clickhouse_column *columns;
    uint16_t column_count;
};

/* Everything in `arena`. */
bool shape_read(struct clickhouse_server *server, struct bytes database, struct bytes name,
                struct arena *arena, struct clickhouse_shape *out, struct error *err);

/* By exact name, else by the only one that differs in case alone; NULL: none. */
const struct clickhouse_column *shape_column(const struct clickhouse_shape *shape,
                                             struct bytes name);
