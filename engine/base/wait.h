/* SPDX-License-Identifier: Apache-2.0
 *
 * Condition variables on the monotonic clock, with a timeout in milliseconds; -1 waits for ever. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

static inline void wait_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static inline struct timespec wait_deadline(int timeout_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (timeout_ms > 0) {
        now.tv_sec += timeout_ms / 1000;
        now.tv_nsec += timeout_ms % 1000 * 1000000L;
        if (now.tv_nsec >= 1000000000L) {
            now.tv_sec++;
            now.tv_nsec -= 1000000000L;
        }
    }
    return now;
}

/* One wait, as pthread_cond_wait; false when the deadline has passed. */
static inline bool wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int timeout_ms,
                              const struct timespec *deadline)
{
    if (timeout_ms < 0)
        return pthread_cond_wait(condition, lock) == 0;
    return pthread_cond_timedwait(condition, lock, deadline) == 0;
}
