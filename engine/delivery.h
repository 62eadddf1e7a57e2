/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink worker: takes batches from its inbox, encodes the rows of its targets into loads, sends
 * each load under the protocol of exactly-once (intend, write, done), and tells the ring what is
 * durable. One thread and one sink instance a worker; a table has one worker, which keeps its
 * order.
 *
 * The protocol, for each flush: the intents of all loads are written in one synced record; each
 * load is sent; one record makes them done and moves the position. After a restart, or when an
 * answer was lost, a load whose outcome is not known is resolved by asking the sink before anything
 * else is sent to that table. A load that is absent is sent again under its old label with the same
 * rows (its last mark cuts it), so that even the original, arriving late, changes nothing. */
#pragma once

#include "engine/checkpoint.h"
#include "engine/gate.h"
#include "engine/inflight.h"
#include "engine/pipeline.h"
#include "engine/queue.h"

/* What all workers of a pipeline share. Set up before they start; then read-only but for the parts
 * with locks or atomics of their own. */
struct delivery_shared {
    const struct pipeline_options *options;
    const struct sink_driver *driver;
    const void *sink_options;
    struct checkpoint *checkpoint; /* NULL: nothing is kept */
    struct inflight *inflight;
    struct pipeline_metrics *metrics;
    struct gate gate;
    uint64_t epoch;
    bool restored; /* something was delivered before this start: targets may be ahead of us */
    uint64_t stored_mark;      /* of the position that the checkpoint holds */
    uint64_t held;             /* of the image that is older; 0: it is not */
    const struct map *targets; /* the intake's: those of the image, until the workers are ready */
    uint64_t applied[INFLIGHT_WORKERS_MAX]; /* the highest of each worker's targets, there too */
    atomic_bool stopping;                   /* asked to stop: one attempt, no retries */
    atomic_bool failed;                     /* a worker gave up: error holds why */
    pthread_mutex_t storing; /* a position is stored and confirmed before the next one is taken */
    pthread_mutex_t parking; /* a target parks, or a record of one of its tables is written */
    pthread_mutex_t lock;    /* of error */
    struct error error;
    /* Called when a source position became durable; any worker's thread. */
    void (*confirmed)(void *context, const struct position *position);
    void *context;
};

struct worker;
/* A load that was under way when the agent last ended. The worker sets `visible` before it is
 * ready: its chunks then count as read. */
struct pending_intent {
    const struct intent *intent;
    struct target *target;
    bool visible;
};

bool worker_start(struct delivery_shared *shared, uint32_t index, struct pending_intent *pending,
                  uint32_t pending_count, struct worker **out, struct error *err);
/* Hands a batch on; the worker releases it. False: the worker has ended. */
bool worker_push(struct worker *worker, struct batch *batch);
void worker_interrupt(struct worker *worker); /* a write under way fails soon */
void worker_end(
    struct worker *worker); /* no more batches come: it flushes and ends; NULL is fine */
void worker_free(struct worker *worker); /* one that has ended; NULL is fine */

/* Waits until the pending intents of all workers are decided; false when one failed. */
bool worker_wait_ready(struct worker *worker);
