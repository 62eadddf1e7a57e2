/* SPDX-License-Identifier: Apache-2.0
 *
 * A barrier that can be closed. */
#include "engine/gate.h"

void gate_init(struct gate *gate, uint32_t members)
{
    *gate = (struct gate){ .members = members };
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
}

void gate_done(struct gate *gate)
{
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
}

bool gate_pass(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    uint64_t round = gate->round;
    if (++gate->arrived == gate->members) {
        gate->arrived = 0;
        gate->round++;
        pthread_cond_broadcast(&gate->changed);
    }
    while (gate->round == round && !gate->closed)
        pthread_cond_wait(&gate->changed, &gate->lock);
    bool passed = gate->round != round;
    pthread_mutex_unlock(&gate->lock);
    return passed;
}

void gate_close(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->closed = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}
