/* SPDX-License-Identifier: Apache-2.0
 *
 * Exponential back-off. The jitter only ever shortens a wait, so that the maximum is a maximum. */
#include "engine/base/retry.h"

#include "engine/base/clock.h"

/* SplitMix64 (Steele, Lea, Flood 2014): any seed will do. */
static uint64_t retry_random(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t retry_next_ms(struct retry *retry)
{
    if (retry->seed == 0)
        retry->seed = (uint64_t)clock_now_us() ^ (uint64_t)(uintptr_t)retry;
    uint64_t wait = retry->initial_ms;
    for (uint32_t i = 0; i < retry->attempts && wait < retry->maximum_ms && wait > 0; i++)
        wait *= 2;
    if (wait > retry->maximum_ms)
        wait = retry->maximum_ms;
    if (retry->attempts < UINT32_MAX)
        retry->attempts++;
    return (uint32_t)(wait - retry_random(&retry->seed) % (wait / 5 + 1));
}
