/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches and their pool. The arrays of events live as long as the pool, so that a steady stream
 * allocates nothing. */
#include "engine/batch.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/memory.h"
#include "engine/base/wait.h"

/* As many as are on their way in a steady stream; what a burst took more of is given back. */
enum { WARM_MAX = 6 };

void batch_grow_events(struct batch *batch)
{
    batch->events =
        memory_grow(batch->events, batch->count, &batch->capacity, sizeof *batch->events);
}

struct transaction *batch_add_transaction(struct batch *batch)
{
    batch->transactions = memory_grow(batch->transactions, batch->transaction_count,
                                      &batch->transaction_capacity, sizeof *batch->transactions);
    struct transaction *transaction = &batch->transactions[batch->transaction_count++];
    *transaction = (struct transaction){ .first_event = batch->count };
    return transaction;
}

const struct event_origin *event_origin_copy(struct arena *arena, const struct event_origin *origin)
{
    if (!origin)
        return NULL;
    struct event_origin *copy = arena_alloc(arena, sizeof *copy);
    *copy = *origin;
    copy->gtid = arena_copy(arena, origin->gtid);
    copy->file = arena_copy(arena, origin->file);
    return copy;
}

static void batch_reset(struct batch *batch)
{
    if (batch->warm)
        arena_rewind(&batch->arena);
    else
        arena_reset(&batch->arena);
    batch->count = 0;
    batch->transaction_count = 0;
    batch->bytes = 0;
    batch->replaced = 0;
    batch->end = (struct position){ 0 };
    batch->stream_mark = 0;
    batch->sequence = 0;
    batch->chunk = NULL;
    batch->chunk_target = NULL;
    batch->chunk_table = NULL;
}

void pool_init(struct pool *pool, uint32_t count)
{
    *pool = (struct pool){ .count = count };
    pthread_mutex_init(&pool->lock, NULL);
    wait_init(&pool->freed);
    pool->batches = memory_zalloc(count, sizeof *pool->batches);
    for (uint32_t i = 0; i < count; i++) {
        pool->batches[i].pool = pool;
        pool->batches[i].next_free = pool->free;
        pool->free = &pool->batches[i];
    }
}

void pool_done(struct pool *pool)
{
    uint32_t back = 0;
    for (struct batch *batch = pool->free; batch; batch = batch->next_free)
        back++;
    ASSERT(back == pool->count);
    for (uint32_t i = 0; i < pool->count; i++) {
        arena_done(&pool->batches[i].arena);
        free(pool->batches[i].events);
        free(pool->batches[i].transactions);
    }
    free(pool->batches);
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->lock);
    *pool = (struct pool){ 0 };
}

void pool_close(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    pthread_cond_broadcast(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

struct batch *pool_take(struct pool *pool, int timeout_ms)
{
    struct timespec until = wait_deadline(timeout_ms);
    pthread_mutex_lock(&pool->lock);
    while (!pool->free && !pool->closed)
        if (!wait_until(&pool->freed, &pool->lock, timeout_ms, &until))
            break;
    struct batch *batch = pool->closed ? NULL : pool->free;
    if (batch) {
        pool->free = batch->next_free;
        batch->next_free = NULL;
        pool->warm -= batch->warm;
        batch->warm = false;
        atomic_store(&batch->holders, 1);
    }
    pthread_mutex_unlock(&pool->lock);
    return batch;
}

void batch_release(struct batch *batch)
{
    unsigned before = atomic_fetch_sub(&batch->holders, 1);
    ASSERT(before > 0);
    if (before > 1)
        return;
    struct pool *pool = batch->pool;
    pthread_mutex_lock(&pool->lock);
    batch->warm = pool->warm < WARM_MAX;
    pool->warm += batch->warm;
    pthread_mutex_unlock(&pool->lock);
    batch_reset(batch);
    pthread_mutex_lock(&pool->lock);
    batch->next_free = pool->free;
    pool->free = batch;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}
