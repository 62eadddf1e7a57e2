/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded queue of pointers: mutex, condition variables, ring. Many producers, one consumer.
 * At a thousand batches a second a lock-free ring would gain nothing and cost proof. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    void **items;
    uint32_t capacity, head, count;
    bool closed;
};

void queue_init(struct queue *queue, uint32_t capacity);
void queue_done(struct queue *queue);
bool queue_push(struct queue *queue, void *item); /* waits for room; false: closed */
/* The oldest item; NULL after timeout_ms (-1: for ever), or when closed and empty. */
void *queue_pop(struct queue *queue, int timeout_ms);
bool queue_is_over(struct queue *queue); /* closed, and nothing is left inside */
void queue_close(struct queue *queue);   /* wakes everybody; items inside can still be taken */
