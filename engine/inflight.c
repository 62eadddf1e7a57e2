/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring of positions that wait for their rows to become durable. */
#include "engine/inflight.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/memory.h"

void inflight_init(struct inflight *inflight, uint32_t worker_count)
{
    ASSERT(worker_count > 0 && worker_count <= INFLIGHT_WORKERS_MAX);
    *inflight = (struct inflight){ .worker_count = worker_count, .next_sequence = 1 };
    pthread_mutex_init(&inflight->lock, NULL);
}

static struct inflight_entry *entry_at(struct inflight *inflight, uint32_t index)
{
    return &inflight->entries[(inflight->head + index) % INFLIGHT_MAX];
}

void inflight_done(struct inflight *inflight)
{
    for (uint32_t i = 0; i < inflight->count; i++)
        free((void *)(uintptr_t)entry_at(inflight, i)->position.token.data);
    pthread_mutex_destroy(&inflight->lock);
    *inflight = (struct inflight){ 0 };
}

uint64_t inflight_push(struct inflight *inflight, const struct position *end, int64_t time_us)
{
    pthread_mutex_lock(&inflight->lock);
    uint64_t sequence = inflight->next_sequence++;
    if (end->token.data) {
        struct inflight_entry *entry;
        if (inflight->count == INFLIGHT_MAX) {
            entry = entry_at(inflight, inflight->count - 1);
            free((void *)(uintptr_t)entry->position.token.data);
        } else {
            entry = entry_at(inflight, inflight->count++);
        }
        *entry =
            (struct inflight_entry){ sequence, { end->mark, memory_copy(end->token) }, time_us };
    }
    pthread_mutex_unlock(&inflight->lock);
    return sequence;
}

uint64_t inflight_last(struct inflight *inflight)
{
    pthread_mutex_lock(&inflight->lock);
    uint64_t last = inflight->next_sequence - 1;
    pthread_mutex_unlock(&inflight->lock);
    return last;
}

void inflight_durable(struct inflight *inflight, uint32_t worker, uint64_t sequence)
{
    pthread_mutex_lock(&inflight->lock);
    ASSERT(worker < inflight->worker_count && sequence < inflight->next_sequence);
    if (sequence > inflight->durable[worker])
        inflight->durable[worker] = sequence;
    pthread_mutex_unlock(&inflight->lock);
}

static uint64_t lowest(const struct inflight *inflight)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < inflight->worker_count; i++)
        least = inflight->durable[i] < least ? inflight->durable[i] : least;
    return least;
}

bool inflight_advance(struct inflight *inflight, struct arena *arena, struct position *position,
                      int64_t *time_us)
{
    pthread_mutex_lock(&inflight->lock);
    uint64_t durable = lowest(inflight);
    struct inflight_entry newest = { 0 };
    while (inflight->count > 0 && entry_at(inflight, 0)->sequence <= durable) {
        free((void *)(uintptr_t)newest.position.token.data);
        newest = *entry_at(inflight, 0);
        inflight->head = (inflight->head + 1) % INFLIGHT_MAX;
        inflight->count--;
    }
    pthread_mutex_unlock(&inflight->lock);
    if (!newest.position.token.data)
        return false;
    *position = (struct position){ newest.position.mark, arena_copy(arena, newest.position.token) };
    *time_us = newest.time_us;
    free((void *)(uintptr_t)newest.position.token.data);
    return true;
}

bool inflight_is_durable(struct inflight *inflight, uint64_t sequence)
{
    pthread_mutex_lock(&inflight->lock);
    bool durable = lowest(inflight) >= sequence;
    pthread_mutex_unlock(&inflight->lock);
    return durable;
}
