/* SPDX-License-Identifier: Apache-2.0
 *
 * Does the server keep its log long enough? A thread of its own asks now and then, on a connection
 * of the driver's own, because the intake may be waiting for a sink just when it matters. The
 * answer goes to the metrics; a warning tells while there is still time. */
#pragma once

#include <pthread.h>

#include "engine/metrics.h"
#include "engine/source.h"

struct retention_watch {
    const struct source_driver *driver;
    const void *options; /* the driver's */
    struct pipeline_metrics *metrics;
    int64_t interval_ms; /* 0: nobody asks */
    int level;           /* what was told last: see retention.c */
    bool running, stopping;
    pthread_t thread;
    pthread_mutex_t lock; /* of stopping and token */
    pthread_cond_t wake;
    struct buf token; /* the durable position; empty: none yet */
};

/* Makes the thread, where the driver can tell and somebody wants to know. */
void retention_start(struct retention_watch *watch);
/* The durable position has moved. Any thread, but not after retention_stop(). */
void retention_moved(struct retention_watch *watch, struct bytes token);
/* Ends the thread: a question under way is waited for, seconds at most. */
void retention_stop(struct retention_watch *watch);
