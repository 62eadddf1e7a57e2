/* SPDX-License-Identifier: Apache-2.0
 *
 * What was handed to the workers and is not yet durable. Each batch gets a sequence number; each
 * worker says up to which number all its rows are durable; the lowest of them decides the position
 * that may be stored. Positions inside the ring are bounded: when it is full the newest entry is
 * moved on instead, which only makes the steps coarser. Any thread. */
#pragma once

#include <pthread.h>

#include "engine/batch.h"

enum { INFLIGHT_MAX = 1024, INFLIGHT_WORKERS_MAX = 16 };

struct inflight_entry {
    uint64_t sequence;
    struct position position; /* the token is owned */
    int64_t time_us;
};

struct inflight {
    pthread_mutex_t lock;
    struct inflight_entry entries[INFLIGHT_MAX];
    uint32_t head, count;
    uint64_t next_sequence; /* from 1 */
    uint64_t durable[INFLIGHT_WORKERS_MAX];
    uint32_t worker_count;
};

void inflight_init(struct inflight *inflight, uint32_t worker_count);
void inflight_done(struct inflight *inflight);

/* The number of the next batch; intake only. `end` may have no token. */
uint64_t inflight_push(struct inflight *inflight, const struct position *end, int64_t time_us);

/* Everything of `worker` up to `sequence` is durable. Never goes back. */
/* The newest place that was given; 0: none yet. */
uint64_t inflight_last(struct inflight *inflight);
void inflight_durable(struct inflight *inflight, uint32_t worker, uint64_t sequence);

/* The newest position at or below what every worker has durable, when it has moved since the last
 * call: copied into `arena`. */
bool inflight_advance(struct inflight *inflight, struct arena *arena, struct position *position,
                      int64_t *time_us);

/* Is everything up to `sequence` durable in every worker? */
bool inflight_is_durable(struct inflight *inflight, uint64_t sequence);
