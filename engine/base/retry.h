/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting between attempts: each wait is longer than the one before, up to a maximum, with jitter
 * so that many agents do not knock together; and when to give up. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"

struct retry_policy {
    uint32_t initial_ms, maximum_ms;
    double multiplier; /* at least 1 */
    double jitter;     /* 0 to 1: the part of a wait that is added or taken by chance */
    uint32_t attempts; /* without success, then it is over; 0: for ever */
    uint32_t reset_ms; /* since the last failure, then waits begin anew; 0: with a success */
    bool never;        /* over with the first failure */
};

struct retry {
    struct retry_policy policy;
    uint32_t attempts;
    bool failing;      /* since the last success */
    int64_t failed_us; /* the last failure */
    uint64_t seed;     /* of the jitter; 0 takes the clock */
};

/* After a failure: counts it and says how long to wait. False: it is over, and err, which is the
 * failure, says so (ERROR_CONFIG). */
bool retry_again(struct retry *retry, uint32_t *wait_ms, struct error *err);
/* Had it failed before? */
bool retry_succeeded(struct retry *retry);
