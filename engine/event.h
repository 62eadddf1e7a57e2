/* SPDX-License-Identifier: Apache-2.0
 *
 * One change of one row, or one schema change. */
#pragma once

#include "schema/change.h"
#include "schema/mark.h"
#include "schema/table.h"
#include "schema/value.h"

struct target;

/* Where a change stands in its source's log, for sinks that tell it on. Events that are neighbours
 * share one. Zero is what a source does not know. */
struct event_origin {
    const char *connector; /* static: "mysql", "mariadb", "postgresql" */
    struct bytes gtid;     /* of the transaction, as its source prints it */
    struct bytes file;
    uint64_t position;    /* where the change begins in `file`; PostgreSQL: its LSN */
    uint64_t transaction; /* PostgreSQL: xid */
    uint64_t boundary;   /* where its transaction begins in `file`; PostgreSQL: LSN of its commit */
    uint64_t thread;     /* that wrote it */
    uint64_t first_mark; /* of the first row at this position: counts rows from 0 */
    uint32_t server_id;
};

/* BEGIN and END come, where the sink asks for them, for a target of their own. */
enum event_op { EVENT_INSERT, EVENT_UPDATE, EVENT_DELETE, EVENT_SCHEMA, EVENT_BEGIN, EVENT_END };

/* The place of a change among those of its transaction, and among those of its table there, from 1.
 * A change of a key takes two of each: the old one goes and the new one comes. */
struct event_order {
    uint64_t total, table;
};

/* What a transaction held, told at its END. */
struct event_tally {
    uint64_t total;
    const struct tally_item {
        const struct table *table; /* its version at its first change there */
        uint64_t count;
    } * items; /* in the order of their first changes */
    uint32_t count;
};

struct event {
    uint8_t op;     /* enum event_op */
    bool snapshot;  /* READ: a row of a chunk, not a change; always EVENT_INSERT */
    bool dropped;   /* set by the intake: nobody is to see it */
    bool reading;   /* likewise: its table is being read, and brings some changes by itself */
    bool truncates; /* set by the intake on a RESYNC: the target is emptied first */
    bool shared;    /* likewise on any schema change: other tables are routed to the target too */
    const struct table *table;          /* its version at that moment; may be NULL for SCHEMA */
    const struct value *before, *after; /* column_count values; NULL where the op has none */
    const struct schema_change *change; /* SCHEMA only */
    const struct event_origin *origin;  /* in the batch's arena; NULL: not told */
    struct target *target;              /* set by the intake from the routes; NULL: not captured */
    struct target *renamed_target;      /* RENAME_TABLE: where its rows go from now on */
    const struct event_order *order;    /* NULL: not asked for, or not counted */
    const struct event_tally *tally;    /* END only */
    uint64_t mark;
    int64_t time_us; /* commit time at the source, since the epoch; a second's precision at least */
};

/* The number of the event's row among those at its position, from 0. */
static inline uint32_t event_row(const struct event *event)
{
    if (event->snapshot || !event->origin || event->mark < event->origin->first_mark)
        return 0;
    uint32_t first = mark_row(event->origin->first_mark), row = mark_row(event->mark);
    bool same = mark_commit(event->mark) == mark_commit(event->origin->first_mark);
    return same ? row - first : MARK_ROW_LAST + 1 - first + row;
}
