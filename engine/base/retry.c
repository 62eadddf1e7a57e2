/* SPDX-License-Identifier: Apache-2.0
 *
 * The jitter may lengthen a wait, but never over the maximum. */
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

static uint32_t next_wait_ms(struct retry *retry)
{
    const struct retry_policy *policy = &retry->policy;
    double wait = policy->initial_ms, maximum = policy->maximum_ms;
    for (uint32_t i = 0; i < retry->attempts && wait < maximum && policy->multiplier > 1; i++)
        wait *= policy->multiplier;
    wait = wait > maximum ? maximum : wait;
    double chance = (double)(retry_random(&retry->seed) >> 11) / (double)(UINT64_C(1) << 53);
    wait += wait * policy->jitter * (2 * chance - 1);
    return (uint32_t)(wait > maximum ? maximum : wait);
}

bool retry_again(struct retry *retry, uint32_t *wait_ms, struct error *err)
{
    const struct retry_policy *policy = &retry->policy;
    int64_t now_us = clock_now_us();
    if (policy->reset_ms && now_us - retry->failed_us >= policy->reset_ms * INT64_C(1000))
        retry->attempts = 0;
    if (policy->never || (policy->attempts && retry->attempts >= policy->attempts)) {
        if (policy->never)
            error_context(err, "gave up, restart-strategy.type is none");
        else
            error_context(err, "gave up after %u attempts", retry->attempts);
        err->kind = ERROR_CONFIG;
        return false;
    }
    if (retry->seed == 0)
        retry->seed = (uint64_t)now_us ^ (uint64_t)(uintptr_t)retry;
    *wait_ms = next_wait_ms(retry);
    retry->failing = true;
    retry->failed_us = now_us;
    if (retry->attempts < UINT32_MAX)
        retry->attempts++;
    return true;
}

bool retry_succeeded(struct retry *retry)
{
    bool failing = retry->failing;
    retry->failing = false;
    if (!retry->policy.reset_ms)
        retry->attempts = 0;
    return failing;
}
