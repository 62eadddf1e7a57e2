/* SPDX-License-Identifier: Apache-2.0
 *
 * A version of a table: immutable, shared by every thread, alive until the process ends, so nobody
 * counts references. Rows are arrays of `column_count` values in this order, and are matched to a
 * target by column name, never by place. */
#pragma once

#include "engine/base/arena.h"
#include "schema/type.h"

enum column_generated { COLUMN_STORED_PLAIN, COLUMN_GENERATED_VIRTUAL, COLUMN_GENERATED_STORED };

struct column {
    struct bytes name; /* UTF-8, as the source spells it */
    struct type type;
    bool nullable;
    bool invisible;
    uint8_t generated; /* enum column_generated */
    bool auto_increment;
    uint16_t key_order;         /* place in the key from 1; 0: not in it */
    struct bytes charset;       /* of text, ENUM and SET in the source: "latin1"; NULL: bytes */
    struct bytes collation;     /* "utf8mb4_general_ci"; NULL when not known */
    struct bytes source_type;   /* as the source spells it: "int(10) unsigned" */
    struct bytes default_text;  /* NULL: no default (or DEFAULT NULL); unquoted text of a literal */
    bool default_is_expression; /* default_text is SQL of the source (CURRENT_TIMESTAMP, uuid()) */
    struct bytes comment;       /* NULL or empty: none */
    uint32_t source_id; /* the source's own number of it, kept through renames; 0: it has none */
};

struct table {
    uint32_t id;      /* ours: stays through renames and versions, never reused in a checkpoint */
    uint32_t version; /* from 1 */
    uint64_t valid_from;                 /* mark of the change that made it; 0: seen at a start */
    struct bytes database, schema, name; /* schema: NULL for MySQL */
    const struct column *columns;
    uint16_t column_count;
    uint16_t key_count;          /* 0: keyless, a signed multiset */
    const uint16_t *key_columns; /* indexes into columns, in key order */
    struct bytes
        key_name; /* index behind the key: "PRIMARY", "uk_a"; NULL data: none or not known */
    struct bytes charset; /* default of the table, for columns that a DDL adds */
    struct bytes collation;
    struct bytes comment;
    bool system_versioned; /* MariaDB: history rows arrive as events of their own */
    uint32_t source_id;    /* the source's own number of it (PostgreSQL: OID); 0: none */
    struct bytes leaves;   /* of a partitioned one of PostgreSQL: OIDs of its leaves, sorted, with
                              commas between; NULL: none, or not known */
    uint32_t columns_ever; /* of PostgreSQL: how many columns it has had, dropped ones too; 0: not
                              known */
    uint32_t storage;      /* of PostgreSQL: number of its file, another one once its rows were
                              written anew; 0: not known */
    const struct table *previous;
};

/* In a checkpoint: the table was dropped at `valid_from`. A position before that still has it. */
static const uint32_t TABLE_DROPPED_VERSION = UINT32_MAX;

/* NULL when there is none. Names of columns compare case-insensitively (ASCII and UTF-8 bytes as
 * they are), as in MySQL. */
const struct column *table_column(const struct table *table, struct bytes name);

/* Same columns in the same order (names, types, nullability) and the same key: rows of both fit
 * together. */
bool table_same_columns(const struct table *a, const struct table *b);

/* A deep copy into `arena` (names, members and all); id and version as in `table`. */
struct table *table_copy(struct arena *arena, const struct table *table);

/* Fills key_columns and key_count from the columns' key_order. */
void table_index_keys(struct arena *arena, struct table *table);

/* Binary form for the checkpoint, with a format number in front; decode refuses what it does not
 * know. */
struct buf;
struct error;
void table_encode(const struct table *table, struct buf *out);
bool table_decode(struct bytes record, struct arena *arena, struct table **out, struct error *err);
