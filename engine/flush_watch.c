/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/flush_watch.h"

#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/metrics.h"

void flush_begin(struct flush_watch *watch)
{
    atomic_store(&watch->told, false);
    atomic_store(&watch->part, FLUSH_NONE);
    atomic_store(&watch->since_us, clock_now_us());
}

int64_t flush_end(struct flush_watch *watch)
{
    int64_t took_us = clock_now_us() - atomic_exchange(&watch->since_us, 0);
    return atomic_exchange(&watch->told, false) ? took_us : 0;
}

enum flush_part flush_enter(struct flush_watch *watch, enum flush_part part,
                            const struct target_metrics *target)
{
    atomic_store(&watch->target, target);
    return (enum flush_part)atomic_exchange(&watch->part, (int)part);
}

bool flush_is_slow(struct flush_watch *watch, int64_t timeout_ms, char *out, size_t size)
{
    static const char *const names[] = {
        [FLUSH_NONE] = "preparing loads",
        [FLUSH_BEGIN] = "beginning a transaction of the sink",
        [FLUSH_WRITE] = "writing to the sink",
        [FLUSH_COMMIT] = "committing a transaction of the sink",
        [FLUSH_DECIDE] = "asking the sink what became of a load",
        [FLUSH_STORE] = "storing the checkpoint",
        [FLUSH_WAIT] = "waiting to try again",
    };
    int64_t since_us = atomic_load(&watch->since_us), now_us = clock_now_us();
    if (!since_us || now_us - since_us < timeout_ms * 1000 || atomic_exchange(&watch->told, true))
        return false;
    const struct target_metrics *target = atomic_load(&watch->target);
    snprintf(out, size, "%s%s%s%s, after %lld s", names[atomic_load(&watch->part)],
             target ? " of '" : "", target ? target->target : "", target ? "'" : "",
             (long long)((now_us - since_us) / 1000000));
    return true;
}
