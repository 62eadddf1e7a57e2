/* SPDX-License-Identifier: Apache-2.0
 *
 * What Debezium tells of a schema change (`tableChanges`), in its words: for debezium-json, and for
 * Avro, which writes the same. Source: ConnectTableChangeSerializer of its documentation's "Schema
 * change topic" page. */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "schema/change.h"

struct told_column {
    const struct column *column;
    struct bytes type;     /* "DECIMAL UNSIGNED" */
    int64_t length, scale; /* -1: none */
    int jdbc_type;
    struct bytes comment; /* NULL: none */
};
struct told_column debezium_told_column(struct arena *arena, const struct column *column);

struct told_change {
    const char *type;          /* NULL: the statement (a TRUNCATE) left all tables as they are */
    struct bytes id;           /* "shop"."orders", of a rename both with a comma between */
    const struct table *table; /* as it is now; NULL: dropped */
};
struct told_change debezium_told_change(struct arena *arena, const struct schema_change *change);

/* Appends `tableChanges` as JSON. */
void debezium_table_changes(const struct schema_change *change, struct buf *out);
