/* SPDX-License-Identifier: Apache-2.0
 *
 * A map from targets to the names of their owners, asked once for each target of a pipeline. */
#include "engine/claims.h"

#include "engine/base/arena.h"

void claims_init(struct claims *claims)
{
    *claims = (struct claims){ .owners = { 0 } };
    pthread_mutex_init(&claims->lock, NULL);
}

void claims_done(struct claims *claims)
{
    map_done(&claims->owners);
    pthread_mutex_destroy(&claims->lock);
}

const char *claims_take(struct claims *claims, const char *claimant, struct bytes database,
                        struct bytes name)
{
    struct arena scratch = { 0 };
    struct bytes key =
        arena_printf(&scratch, "%.*s%c%.*s", BYTES_ARGS(database), 0, BYTES_ARGS(name));
    pthread_mutex_lock(&claims->lock);
    const char *owner = map_get(&claims->owners, key);
    if (!owner) {
        map_put(&claims->owners, key, (void *)(uintptr_t)claimant);
        owner = claimant;
    }
    pthread_mutex_unlock(&claims->lock);
    arena_done(&scratch);
    return owner;
}
