/* SPDX-License-Identifier: Apache-2.0
 *
 * The system's clocks behind a table, which a simulation replaces before threads start. */
#include "engine/base/clock.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

static struct clock_source replaced;

static int64_t clock_read(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return replaced.now_us ? replaced.now_us(replaced.context) : clock_read(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return replaced.wall_us ? replaced.wall_us(replaced.context) : clock_read(CLOCK_REALTIME);
}

void clock_sleep_us(int64_t time_us)
{
    if (time_us <= 0)
        return;
    if (replaced.sleep_us) {
        replaced.sleep_us(replaced.context, time_us);
        return;
    }
    struct timespec rest = { .tv_sec = (time_t)(time_us / 1000000),
                             .tv_nsec = (long)(time_us % 1000000) * 1000 };
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, &rest) == EINTR)
        continue;
}

void clock_replace(const struct clock_source *source)
{
    replaced = source ? *source : (struct clock_source){ 0 };
}
