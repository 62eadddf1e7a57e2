/* SPDX-License-Identifier: Apache-2.0
 *
 * A schema change as it travels in the stream, in order with the rows: a batch of its own, a
 * barrier for its table. */
#pragma once

#include "schema/table.h"

enum change_kind {
    CHANGE_CREATE_TABLE,    /* after */
    CHANGE_DROP_TABLE,      /* before */
    CHANGE_RENAME_TABLE,    /* before, after (same id, another name; columns may differ too) */
    CHANGE_ALTER_TABLE,     /* before, after */
    CHANGE_TRUNCATE_TABLE,  /* before == after */
    CHANGE_CREATE_DATABASE, /* database */
    CHANGE_DROP_DATABASE,   /* database; the tables' own drops come before it */
    CHANGE_RESYNC_TABLE,    /* after: its rows changed without events; read it again */
    CHANGE_PARK_TABLE,      /* after; sql: why its rows cannot be read from here on */
    CHANGE_SWEEP_TABLE,     /* after: it was read again; rows of before that did not come back go */
};

struct schema_change {
    enum change_kind kind;
    const struct table *before, *after;
    struct bytes database;
    struct bytes sql; /* the statement, for logs and for sinks that pass DDL on; may be cut */
    /* Renamed columns, which before and after alone cannot tell from drop + add: pairs old, new. */
    const struct column_rename {
        struct bytes from, to;
    } * renames;
    uint16_t rename_count;
    bool rereads;   /* ALTER_TABLE: a RESYNC follows it, so values that cannot be kept may go */
    bool shared;    /* several tables are routed to the target: what is not this one's stays */
    uint64_t sweep; /* SWEEP_TABLE: versions up to this mark are from before the reading */
    bool left;      /* DROP_TABLE: it only left the captured tables; its target stays */
    uint32_t
        excluded; /* enum change_bit: parts of an ALTER that the user's policy keeps from a sink */
};

const char *change_kind_name(enum change_kind kind); /* "create.table", "alter.table", ... */
