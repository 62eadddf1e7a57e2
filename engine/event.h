/* SPDX-License-Identifier: Apache-2.0
 *
 * One change of one row, or one schema change. */
#pragma once

#include "schema/change.h"
#include "schema/mark.h"
#include "schema/table.h"
#include "schema/value.h"

struct target;

enum event_op { EVENT_INSERT, EVENT_UPDATE, EVENT_DELETE, EVENT_SCHEMA };

struct event {
    uint8_t op;    /* enum event_op */
    bool snapshot; /* READ: a row of a chunk, not a change; always EVENT_INSERT */
    bool dropped;  /* set by the intake: nobody is to see it */
    bool truncates; /* set by the intake on a RESYNC: the target is emptied first */
    bool recreates; /* likewise: the target is dropped and made anew, for its key changed */
    const struct table *table;         /* its version at that moment; may be NULL for SCHEMA */
    const struct value *before, *after; /* column_count values; NULL where the op has none */
    const struct schema_change *change; /* SCHEMA only */
    struct target *target; /* set by the intake from the routes; NULL: not captured */
    struct target *renamed_target; /* RENAME_TABLE: where its rows go from now on */
    uint64_t mark;
    int64_t time_us; /* commit time at the source, since the epoch; a second's precision at least */
};
