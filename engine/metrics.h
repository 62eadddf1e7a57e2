/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters and gauges. Written by the engine's threads with relaxed atomics, read by anyone. They
 * live as long as the pipeline; tables are appended, never removed. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/checkpoint.h"
#include "engine/flush_watch.h"
#include "engine/inflight.h"
#include "engine/sink.h"

struct target_metrics {            /* one captured table and its target */
    char source[196], target[196]; /* "db.table" */
    atomic_int state;              /* enum table_state */
    atomic_ullong snapshot_rows, snapshot_estimate;
    atomic_ullong inserts, updates, deletes; /* delivered and durable */
    atomic_ullong bytes, loads, retries, schema_changes;
    atomic_llong event_time_us;  /* commit time of the newest durable change */
    pthread_mutex_t lock;        /* of reason */
    char reason[480];            /* why it is parked; "" otherwise */
    struct target_metrics *next; /* set once, before it becomes visible */
};

enum { METRICS_NAME_SIZE = 96 };

struct pipeline_metrics {
    char name[METRICS_NAME_SIZE], source[METRICS_NAME_SIZE],
        sink[METRICS_NAME_SIZE];             /* "mysql", "clickhouse olap" */
    _Atomic(struct target_metrics *) tables; /* newest first */
    struct target_metrics boundaries;        /* of the target of BEGIN and END, which is no table */
    atomic_ullong source_bytes, source_events, source_transactions, reconnects;
    atomic_ullong rows_durable, bytes_durable, loads, checkpoints;
    atomic_llong read_time_us;    /* commit time of the newest change read */
    atomic_llong durable_time_us; /* commit time at the durable position */
    atomic_bool connected, caught_up, snapshotting;
    atomic_ullong behind_bytes;     /* of log behind the durable position, when last looked */
    atomic_llong retention_percent; /* of what the server keeps; -1: no limit, or not known */
    struct sink_counters changed;   /* values that a policy of the sink changed */
    atomic_ullong replaced_text; /* texts that were invalid in their character set at the source */
    struct flush_watch flushes[INFLIGHT_WORKERS_MAX]; /* one a worker */
    pthread_mutex_t lock;                             /* of the texts below */
    char position[480];                               /* the durable one, readable */
    char retention[200]; /* the same in words; "" before the first look */
    char trouble[480];   /* what the pipeline is retrying now; "" when all is well */
};

void metrics_init(struct pipeline_metrics *metrics);
struct target_metrics *metrics_add_table(struct pipeline_metrics *metrics, struct bytes source,
                                         struct bytes target);
void metrics_reason(struct target_metrics *table, const char *reason);
void metrics_trouble(struct pipeline_metrics *metrics, const char *trouble);
void metrics_retention(struct pipeline_metrics *metrics, const char *text);
/* Is a table being read, or parked: are there changes that no load of the log will bring? */
bool metrics_reading(struct pipeline_metrics *metrics);
void metrics_done(struct pipeline_metrics *metrics);

/* Milliseconds between the newest change at the source and what is durable; 0 when caught up. */
int64_t metrics_lag_ms(const struct pipeline_metrics *metrics);
