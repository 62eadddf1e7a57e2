/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables as the system catalog has them now, as drafts of table versions. Leaves of partitioned
 * tables, temporary and unlogged tables are no tables here: the root is. A table's source_id is its
 * OID, a column's its attnum. */
#pragma once

#include "sources/postgres/session.h"

/* SQL: table.leaves of pg_class c. */
#define LISTED_LEAVES                                                                              \
    "CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(string_agg(l.relid::oid::text, ',' "          \
    "ORDER BY l.relid::oid), '') FROM pg_partition_tree(c.oid) l WHERE l.isleaf) END"

/* SQL: is pg_class c a table here? */
const char *listed_kinds(const struct postgres_options *options);

/* What the rows from before a column was added hold in it. */
struct listed_fill {
    struct bytes text; /* NULL: NULL */
    bool doubt;        /* or something else: they may have been written anew since */
};

struct listed_table {
    struct table *table;
    const struct listed_fill *fills; /* of the columns; of listed_table_read() alone */
    char identity; /* d, n, f, i */
    bool partitioned;
    bool rootless; /* and the server is too old to publish it */
    bool replicable; /* an UPDATE of it would not fail once it is published */
    bool generated;  /* it has stored generated columns */
};

/* All that match; in `arena`. With `generated` their stored generated columns too. */
bool listed_tables_read(struct session *connection, const struct postgres_options *options,
                        const struct table_filter *filter, bool generated, struct arena *arena,
                        struct listed_table **out, size_t *count, struct error *err);

/* One, by OID; *out NULL when it is no table (any more) that could be followed. */
bool listed_table_read(struct session *connection, const struct postgres_options *options,
                       uint32_t oid, bool generated, struct arena *arena, struct listed_table **out,
                       struct error *err);

/* Why its changes cannot be followed, and the statement that mends it. */
void table_identity_complaint(const struct listed_table *listed, struct buf *out);

/* "schema"."name" */
void table_quote(struct buf *out, const struct table *table);
