/* SPDX-License-Identifier: Apache-2.0
 *
 * What a worker's flush is at, and since when: written by the worker, read by whoever tells a
 * person that it takes long. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flush_part {
    FLUSH_NONE,
    FLUSH_BEGIN,  /* a transaction of the sink */
    FLUSH_WRITE,  /* a load */
    FLUSH_COMMIT, /* the transaction */
    FLUSH_DECIDE, /* what became of a load */
    FLUSH_STORE,  /* the checkpoint */
    FLUSH_WAIT    /* between two attempts */
};

struct target_metrics;
struct flush_watch {
    atomic_llong since_us;                         /* 0: none is under way */
    atomic_int part;                               /* enum flush_part */
    _Atomic(const struct target_metrics *) target; /* NULL: of all together */
    atomic_bool told;
};

/* The worker. flush_end gives how long it took, if that was told; else 0. */
void flush_begin(struct flush_watch *watch);
int64_t flush_end(struct flush_watch *watch);
/* Gives the part before. */
enum flush_part flush_enter(struct flush_watch *watch, enum flush_part part,
                            const struct target_metrics *target);

/* Any other thread: true once for each flush that takes longer. *out: what it is at. */
bool flush_is_slow(struct flush_watch *watch, int64_t timeout_ms, char *out, size_t size);
