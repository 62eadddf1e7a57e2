/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the figures live. Tables form a list that only grows at its head, so that readers need no
 * lock. */
#include "engine/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

void metrics_init(struct pipeline_metrics *metrics)
{
    memset(metrics, 0, sizeof *metrics);
    pthread_mutex_init(&metrics->lock, NULL);
    pthread_mutex_init(&metrics->boundaries.lock, NULL);
    atomic_init(&metrics->retention_percent, -1);
}

struct target_metrics *metrics_add_table(struct pipeline_metrics *metrics, struct bytes source,
                                         struct bytes target)
{
    struct target_metrics *table = memory_zalloc(1, sizeof *table);
    snprintf(table->source, sizeof table->source, "%.*s", BYTES_ARGS(source));
    snprintf(table->target, sizeof table->target, "%.*s", BYTES_ARGS(target));
    pthread_mutex_init(&table->lock, NULL);
    table->next = atomic_load(&metrics->tables);
    while (!atomic_compare_exchange_weak(&metrics->tables, &table->next, table))
        ;
    return table;
}

static void set_text(pthread_mutex_t *lock, char *text, size_t size, const char *value)
{
    pthread_mutex_lock(lock);
    snprintf(text, size, "%s", value);
    pthread_mutex_unlock(lock);
}

void metrics_reason(struct target_metrics *table, const char *reason)
{
    set_text(&table->lock, table->reason, sizeof table->reason, reason);
}

void metrics_trouble(struct pipeline_metrics *metrics, const char *trouble)
{
    set_text(&metrics->lock, metrics->trouble, sizeof metrics->trouble, trouble);
}

void metrics_retention(struct pipeline_metrics *metrics, const char *text)
{
    set_text(&metrics->lock, metrics->retention, sizeof metrics->retention, text);
}

bool metrics_reading(struct pipeline_metrics *metrics)
{
    for (struct target_metrics *table = atomic_load(&metrics->tables); table; table = table->next) {
        enum table_state state = (enum table_state)atomic_load(&table->state);
        if (state == TABLE_SNAPSHOT || state == TABLE_PARKED || state == TABLE_RESYNC)
            return true;
    }
    return false;
}

void metrics_done(struct pipeline_metrics *metrics)
{
    for (struct target_metrics *table = atomic_load(&metrics->tables), *next; table; table = next) {
        next = table->next;
        pthread_mutex_destroy(&table->lock);
        free(table);
    }
    pthread_mutex_destroy(&metrics->boundaries.lock);
    pthread_mutex_destroy(&metrics->lock);
}

int64_t metrics_lag_ms(const struct pipeline_metrics *metrics)
{
    int64_t read_us = atomic_load(&metrics->read_time_us);
    int64_t durable_us = atomic_load(&metrics->durable_time_us);
    if (atomic_load(&metrics->caught_up) && durable_us >= read_us)
        return 0;
    int64_t since_us = durable_us ? durable_us : read_us;
    int64_t lag_us = since_us ? clock_wall_us() - since_us : 0;
    return lag_us > 0 ? lag_us / 1000 : 0;
}
