/* SPDX-License-Identifier: Apache-2.0
 *
 * Time, in microseconds. Behind one table so that a simulation can own it. */
#pragma once

#include <stdint.h>

int64_t clock_now_us(void);  /* monotonic: for intervals and deadlines */
int64_t clock_wall_us(void); /* since 1970, UTC: for logs, lag and labels, never for ordering */
void clock_sleep_us(int64_t time_us);

/* Replaces the real clock (NULL restores it). For tests, before threads start. */
struct clock_source {
    int64_t (*now_us)(void *context);
    int64_t (*wall_us)(void *context);
    void (*sleep_us)(void *context, int64_t time_us);
    void *context;
};
void clock_replace(const struct clock_source *source);
