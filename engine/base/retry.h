/* SPDX-License-Identifier: Apache-2.0
 *
 * Back-off: doubles from `initial_ms` to `maximum_ms`, with jitter of up to a fifth so that many
 * agents do not knock together. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct retry {
    uint32_t initial_ms, maximum_ms;
    uint32_t attempts; /* since the last success */
    uint64_t seed;     /* of the jitter; 0 takes the clock */
};

uint32_t retry_next_ms(struct retry *retry); /* counts an attempt, returns how long to wait */
static inline void retry_succeeded(struct retry *retry) { retry->attempts = 0; }
