/* SPDX-License-Identifier: Apache-2.0
 *
 * TABLE_MAP events and row events: from packet bytes to values. Pure functions over bounds-checked
 * bytes; no connection, no state but what is passed in. Formats: MySQL internals "Table_map_event",
 * "Rows_event"; MariaDB knowledge base "TABLE_MAP_EVENT", "Rows Event". */
#pragma once

#include "engine/batch.h"
#include "sources/mysql/charset.h"

/* One TABLE_MAP. Everything lies in the arena it was parsed into. */
struct table_map {
    uint64_t table_id;
    struct bytes database, name;
    uint16_t column_count;
    const uint8_t *types;     /* wire types; STRING already unfolded to its real type */
    const uint16_t *metadata; /* per column: length, fsp, bits, (precision << 8 | scale) */
    const uint8_t *nullable;  /* bitmap */
    bool has_signedness, has_names, has_charsets, has_keys;
    const bool *is_unsigned;   /* per column, with has_signedness */
    const struct bytes *names; /* with has_names */
    const uint32_t *collation; /* per column, 0: not a character column; with has_charsets */
    const struct bytes *const *members;
    const uint16_t *member_counts; /* ENUM, SET; may be NULL */
    const uint16_t *key_columns;
    uint16_t key_count;    /* with has_keys */
    const bool *invisible; /* NULL: not told */
    const uint32_t *vector_dimension;
    const uint8_t *geometry_type; /* NULL: not told */
};
/* Only whose table it is, which costs nothing: for tables that are not captured. */
struct table_map_name {
    uint64_t table_id;
    struct bytes database, name;
};
bool table_map_peek(struct bytes body, struct table_map_name *out, struct error *err);

/* `mariadb`: its lists of character columns count GEOMETRY, MySQL's do not. */
bool table_map_parse(struct bytes body, bool mariadb, struct arena *arena, struct table_map **out,
                     struct error *err);

/* Does the tracked version fit what the log says (number, wire types, metadata, and names,
 * signedness, members, keys where they are told)? When not, *why gets a short text. */
bool table_map_fits(const struct table_map *map, const struct table *table, struct buf *why);

/* A draft version from a map with names (binlog_row_metadata=FULL), taking from `tracked` (or NULL)
 * what the map cannot tell: comments, defaults, UUID and INET types, NOT NULL is told. `collations`
 * maps ids to names. ERROR_DATA when the map does not say enough. */
bool table_map_derive(const struct table_map *map, const struct table *tracked,
                      const struct collation_table *collations, struct arena *arena,
                      struct table **draft, struct error *err);

/* How to decode the rows of one map into one version: a function and its parameters per column,
 * chosen once. Lives in `arena`. */
struct row_plan;
bool row_plan_make(const struct table_map *map, const struct table *table,
                   const struct collation_table *collations, struct arena *arena,
                   struct row_plan **out, struct error *err);

/* The body of a WRITE/UPDATE/DELETE_ROWS event (v1, v2, PARTIAL_UPDATE; MariaDB's compressed types
 * already unpacked), after its post-header has been read into this. */
struct rows_event {
    uint8_t type; /* plain wire type: 23-25, 30-32, 39 */
    uint64_t table_id;
    uint16_t flags;
    struct bytes body; /* from the column count on; must stay valid while rows are decoded */
};
enum { ROWS_STMT_END = 1, ROWS_DUMMY_TABLE = 0xffffff }; /* a dummy only ends its statement */
bool rows_event_parse(struct bytes event_body, uint8_t type, struct rows_event *out,
                      struct error *err);

/* Decodes rows until the body is used up or the batch is full; call again with the same cursor to
 * go on. The body's bytes are copied once into the batch's arena, by pieces in a big event; texts
 * are views into that copy. Fills op, table, before, after, time; the caller sets mark and target.
 * ERROR_DATA with the column's name when a value is malformed or the plan does not fit; the rows
 * before it are in the batch. Diffs of JSON columns of PARTIAL_UPDATE are applied to the before
 * image, which must hold the column. */
struct rows_cursor {
    struct rows_event event;
    struct row_plan *plan;
    int64_t time_us;
    struct bytes rest; /* what is not decoded yet; starts as NULL */
    bool started;
};
bool rows_decode(struct rows_cursor *cursor, struct batch *batch, bool *end, struct error *err);
