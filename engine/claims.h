/* SPDX-License-Identifier: Apache-2.0
 *
 * Who fills a target, where several pipelines write into one sink: marks of two sources cannot be
 * compared, and reading a table again removes the rows that another one put there. The first to ask
 * has the target for as long as the agent lives. */
#pragma once

#include <pthread.h>

#include "engine/base/map.h"

struct claims {
    pthread_mutex_t lock;
    struct map owners;
};

void claims_init(struct claims *claims);
void claims_done(struct claims *claims);
/* Who has the target: `claimant` itself, or who was first. The texts outlive the claims. */
const char *claims_take(struct claims *claims, const char *claimant, struct bytes database,
                        struct bytes name);

/* Begins the reason of a table that is parked because its target is another's. */
#define CLAIMS_REASON "its target is filled from "
