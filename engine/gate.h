/* SPDX-License-Identifier: Apache-2.0
 *
 * Where all workers of a pipeline meet for a schema change: everybody has flushed what came before
 * it, one applies it, then all go on. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t members, arrived;
    uint64_t round;
    bool closed;
};

void gate_init(struct gate *gate, uint32_t members);
void gate_done(struct gate *gate);
/* Waits until all members have come; false: the gate was closed, go home. */
bool gate_pass(struct gate *gate);
void gate_close(struct gate *gate); /* a member failed: nobody waits any more */
