/* SPDX-License-Identifier: Apache-2.0
 *
 * A pipeline while it runs, as the agent's other threads see it: HTTP and the terminal read the
 * metrics, and how it ended. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "engine/pipeline.h"

enum running_state { RUNNING_LIVE, RUNNING_DONE, RUNNING_FAILED };
const char *running_state_name(enum running_state state); /* "running", "done", "failed" */

struct running {
    const char *pipeline_name, *sink_name;
    struct pipeline *pipeline;
    struct pipeline_metrics *metrics;
    pthread_t thread;
    atomic_int state;       /* enum running_state */
    struct error err;       /* FAILED: written before the state */
    uint32_t parked_tables; /* DONE: likewise */
};

struct running_set {
    struct running *items;
    uint32_t count;
};
