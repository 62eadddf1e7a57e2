/* SPDX-License-Identifier: Apache-2.0
 *
 * Two levels of warning, at a half and at four fifths of what the server keeps; each is told once
 * until the position has come back below two fifths. */
#include "engine/retention.h"

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/base/wait.h"

enum { CALM_PERCENT = 40, WARN_PERCENT = 50, URGENT_PERCENT = 80, TOKEN_MAX = 16 << 20 };

static void tell(struct retention_watch *watch, const struct retention *found)
{
    int level = found->used_percent >= URGENT_PERCENT ? 2
                : found->used_percent >= WARN_PERCENT ? 1
                                                      : 0;
    if (level > watch->level) {
        log_warn("the server may remove log that is not delivered yet: the position is at %d %% of "
                 "what %s allows; raise it, or find out what holds the sink back behind_bytes=%llu "
                 "sink=%s",
                 found->used_percent, found->limit, (unsigned long long)found->behind_bytes,
                 watch->metrics->sink);
        watch->level = level;
    } else if (watch->level > 0 && found->used_percent < CALM_PERCENT) {
        log_info("the server keeps its log long enough again used_percent=%d sink=%s",
                 found->used_percent, watch->metrics->sink);
        watch->level = 0;
    }
}

static void show(struct pipeline_metrics *metrics, const struct retention *found)
{
    char text[sizeof metrics->retention];
    if (found->used_percent < 0)
        snprintf(text, sizeof text, "no limit");
    else
        snprintf(text, sizeof text, "%d %% of %s", found->used_percent, found->limit);
    atomic_store(&metrics->behind_bytes, found->behind_bytes);
    atomic_store(&metrics->retention_percent, found->used_percent);
    metrics_retention(metrics, text);
}

static void look(struct retention_watch *watch)
{
    struct error err = { 0 };
    struct retention found = { .used_percent = -1 };
    struct arena arena = { 0 };
    pthread_mutex_lock(&watch->lock);
    struct bytes token = arena_copy(&arena, buf_view(&watch->token));
    pthread_mutex_unlock(&watch->lock);
    if (watch->driver->retention(watch->options, token, metrics_lag_ms(watch->metrics), &found,
                                 &err)) {
        show(watch->metrics, &found);
        tell(watch, &found);
    } else {
        char text[sizeof watch->metrics->retention];
        snprintf(text, sizeof text, "not known: %.150s", err.message);
        atomic_store(&watch->metrics->retention_percent, -1);
        metrics_retention(watch->metrics, text);
    }
    arena_done(&arena);
}

/* A server that is away is the intake's to tell. */
static void *watch_main(void *context)
{
    struct retention_watch *watch = context;
    char name[120];
    snprintf(name, sizeof name, "pipeline=%.80s part=retention", watch->metrics->name);
    log_context(name);
    pthread_mutex_lock(&watch->lock);
    while (!watch->stopping) {
        struct timespec deadline = wait_deadline((int)watch->interval_ms);
        while (!watch->stopping &&
               wait_until(&watch->wake, &watch->lock, (int)watch->interval_ms, &deadline))
            ;
        bool asks =
            !watch->stopping && watch->token.size > 0 && atomic_load(&watch->metrics->connected);
        pthread_mutex_unlock(&watch->lock);
        if (asks)
            look(watch);
        pthread_mutex_lock(&watch->lock);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

void retention_start(struct retention_watch *watch)
{
    pthread_mutex_init(&watch->lock, NULL);
    wait_init(&watch->wake);
    buf_init(&watch->token, TOKEN_MAX);
    watch->running = watch->driver->retention && watch->interval_ms > 0;
    if (watch->running)
        ASSERT(pthread_create(&watch->thread, NULL, watch_main, watch) == 0);
}

void retention_moved(struct retention_watch *watch, struct bytes token)
{
    pthread_mutex_lock(&watch->lock);
    buf_reset(&watch->token);
    buf_bytes(&watch->token, token);
    pthread_mutex_unlock(&watch->lock);
}

void retention_stop(struct retention_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    pthread_cond_broadcast(&watch->wake);
    pthread_mutex_unlock(&watch->lock);
    if (watch->running)
        pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->wake);
    pthread_mutex_destroy(&watch->lock);
    buf_done(&watch->token);
}
