/* SPDX-License-Identifier: Apache-2.0
 *
 * The places of changes within their transaction, and its BEGIN and END, for a sink that tells them
 * on. Counted is what goes to the sink as a change, wherever it is routed to. Changes of a table
 * that is being read are not: rows may bring them along, and what they do bring, a replay does not
 * know. For the same reason no reading makes progress while the log is inside a transaction. One of
 * which nothing is counted is not told.
 *
 * A position is at a transaction's boundary, so a replay numbers alike; one within the life of the
 * agent (the source was lost) comes by again under marks that were counted, and goes on from there.
 * BEGIN has the mark of the first change and END the last one of the transaction's, which no row
 * has by far: all that a worker has durable lies at or below the highest mark of its targets, so
 * after a restart that mark tells which of the two were, or would have been, told before.
 *
 * The intake's, on its thread. */
#pragma once

#include "engine/batch.h"
#include "engine/sink.h"

struct numbering {
    struct target *target; /* of BEGIN and END; NULL: nothing is numbered */
    struct table table;    /* theirs: without a column */
    struct buf current;    /* id of the transaction that the log is at */
    bool inside;           /* it is not over */
    struct buf id;         /* of the one that began and has not ended */
    bool open;
    uint64_t last_mark; /* of its newest event */
    int64_t time_us;    /* of its newest change, and the origin of that, in `arena` */
    const struct event_origin *origin;
    struct arena arena;
    uint64_t total;
    struct tally_item *items;
    size_t item_count, item_capacity;
    struct place *places; /* of a table in `items`, by its id */
    size_t place_count;
    uint64_t serial;             /* of the transaction: which places are its own */
    struct boundary *boundaries; /* to be put into the batch that is numbered */
    size_t boundary_count, boundary_capacity;
};

void numbering_init(struct numbering *numbering, struct target *target);
void numbering_done(struct numbering *numbering); /* a zeroed one is fine */

/* Numbers the changes of a batch that was sorted, and puts BEGIN and END between them. `reached`:
 * the newest mark that the source gave since it was connected. True: it put some. */
bool numbering_batch(struct numbering *numbering, struct batch *batch, uint64_t reached);

/* A batch of a schema change, which goes alone. True: the transaction that is open was over before
 * it, and its END is to go first. */
bool numbering_schema(struct numbering *numbering, const struct batch *batch);
/* Puts the END of the open one into an empty batch. */
void numbering_end(struct numbering *numbering, struct batch *batch);
