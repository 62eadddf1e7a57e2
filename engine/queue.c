/* SPDX-License-Identifier: Apache-2.0
 *
 * The hand-off between two threads. */
#include "engine/queue.h"

#include <stdlib.h>
#include <time.h>

#include "engine/base/assert.h"
#include "engine/base/memory.h"
#include "engine/base/wait.h"

void queue_init(struct queue *queue, uint32_t capacity)
{
    ASSERT(capacity > 0);
    *queue = (struct queue){ .capacity = capacity };
    queue->items = memory_zalloc(capacity, sizeof *queue->items);
    pthread_mutex_init(&queue->lock, NULL);
    wait_init(&queue->not_empty);
    wait_init(&queue->not_full);
}

void queue_done(struct queue *queue)
{
    free(queue->items);
    pthread_cond_destroy(&queue->not_full);
    pthread_cond_destroy(&queue->not_empty);
    pthread_mutex_destroy(&queue->lock);
    *queue = (struct queue){ 0 };
}

bool queue_push(struct queue *queue, void *item)
{
    ASSERT(item);
    pthread_mutex_lock(&queue->lock);
    while (queue->count == queue->capacity && !queue->closed)
        pthread_cond_wait(&queue->not_full, &queue->lock);
    bool open = !queue->closed;
    if (open) {
        queue->items[(queue->head + queue->count++) % queue->capacity] = item;
        pthread_cond_signal(&queue->not_empty);
    }
    pthread_mutex_unlock(&queue->lock);
    return open;
}

void *queue_pop(struct queue *queue, int timeout_ms)
{
    void *item = NULL;
    struct timespec until = wait_deadline(timeout_ms);
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed)
        if (!wait_until(&queue->not_empty, &queue->lock, timeout_ms, &until))
            break;
    if (queue->count > 0) {
        item = queue->items[queue->head];
        queue->head = (queue->head + 1) % queue->capacity;
        queue->count--;
        pthread_cond_signal(&queue->not_full);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

bool queue_is_over(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    bool over = queue->closed && queue->count == 0;
    pthread_mutex_unlock(&queue->lock);
    return over;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->not_empty);
    pthread_cond_broadcast(&queue->not_full);
    pthread_mutex_unlock(&queue->lock);
}
