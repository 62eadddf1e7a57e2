/* SPDX-License-Identifier: Apache-2.0
 *
 * The unit that moves: events, their values and their texts in one arena, copied once from the
 * packet. A batch has one owner (who fills it), then only readers (`holders`); the last one gives
 * it back to its pool. A pool holds a fixed number: none free, its taker waits. That is the whole
 * back-pressure. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/event.h"

/* A position is an opaque token of the driver (GTID set and file/offset; LSN), only ever at a
 * transaction boundary. `mark` is the last mark at or before it: a replay from here gives the next
 * transaction the commit number mark_commit(mark) + 1. */
struct position {
    uint64_t mark;
    struct bytes token;
};

/* A transaction (or the first piece of one) inside a batch. Its rows are events[first_event] up to
 * the next transaction's. `id` is what the driver needs to judge membership in a snapshot (GTID,
 * start position); opaque. The batch's first events may go on with the transaction of the batch
 * before: then transactions[0].continued. */
struct transaction {
    struct bytes id;
    uint32_t first_event;
    bool continued;
};

struct pool;
struct batch {
    struct arena arena;
    struct event *events; /* a malloc'd array, grown by batch_add, kept between uses */
    uint32_t count;
    size_t capacity;
    struct transaction *transactions;
    uint32_t transaction_count;
    size_t transaction_capacity;
    uint64_t bytes;      /* of the source's packets, for metrics */
    uint64_t replaced;   /* texts that were invalid in their character set, for metrics */
    struct position end; /* token.data NULL: the batch ends inside a transaction */
    uint64_t
        stream_mark; /* set by the intake: all events up to here were delivered, held or dropped */
    uint64_t sequence;           /* set by the intake: place in the ring */
    struct target *chunk_target; /* a batch of snapshot rows: where they go; else NULL */
    const struct table *chunk_table;
    struct chunk_record *chunk; /* what is done once these rows are durable; may be NULL */
    atomic_uint holders;
    struct pool *pool;
    struct batch *next_free;
    bool warm; /* in the pool, and its arena kept its memory */
};

/* The next event, zeroed. A driver ends its batch at a good size (BATCH_BYTES_GOAL of arena). */
void batch_grow_events(struct batch *batch);
static inline struct event *batch_add(struct batch *batch)
{
    if (batch->count == batch->capacity)
        batch_grow_events(batch);
    struct event *event = &batch->events[batch->count++];
    *event = (struct event){ 0 };
    return event;
}
struct transaction *batch_add_transaction(struct batch *batch);

/* A deep copy, for an event that outlives its batch; NULL stays NULL. */
const struct event_origin *event_origin_copy(struct arena *arena,
                                             const struct event_origin *origin);

enum { BATCH_BYTES_GOAL = 512 * 1024, BATCH_EVENTS_MAX = 8192 };
static inline bool batch_is_full(const struct batch *batch)
{
    return batch->count >= BATCH_EVENTS_MAX || batch->arena.total >= BATCH_BYTES_GOAL;
}

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct batch *batches, *free;
    uint32_t count;
    uint32_t warm; /* batches that keep their memory while they are free */
    bool closed;
};
void pool_init(struct pool *pool, uint32_t count);
void pool_done(struct pool *pool);  /* every batch must be back */
void pool_close(struct pool *pool); /* wakes takers, who then get NULL */
/* An empty batch, or NULL after timeout_ms (-1: waits for ever) or when the pool is closed. */
struct batch *pool_take(struct pool *pool, int timeout_ms);
/* One holder less; the last one resets the batch and gives it back. */
void batch_release(struct batch *batch);
