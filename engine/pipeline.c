/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts the parts together: checkpoint, workers, snapshot readers, intake. Started in the order in
 * which they depend on each other (what was undecided before a restart is decided before anything
 * is read), stopped from the source's end, so that what was read is delivered if the sink lets it.
 */
#include "engine/pipeline.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/base/retry.h"
#include "engine/base/spill.h"
#include "engine/intake.h"
#include "engine/retention.h"

struct pipeline {
    struct pipeline_options options;
    const struct source_driver *source_driver;
    const struct sink_driver *sink_driver;
    const void *source_options, *sink_options;
    struct route *route;
    struct pipeline_metrics metrics;
    struct checkpoint *checkpoint;
    struct inflight inflight;
    struct delivery_shared delivery;
    struct snapshot snapshot;
    struct intake intake;
    struct retention_watch retention;
    struct worker *workers[INFLIGHT_WORKERS_MAX];
    struct pending_intent *pending[INFLIGHT_WORKERS_MAX];
    uint32_t pending_count[INFLIGHT_WORKERS_MAX];
    size_t pending_capacity[INFLIGHT_WORKERS_MAX];
    atomic_bool stopping;
    pthread_mutex_t lock; /* of the rest */
    bool running;         /* the source may be interrupted */
    bool delivering;      /* the workers may be */
    bool broken_off;
    int64_t stop_us; /* when it was asked to stop; 0: it was not */
};

/* What is under way when it is asked to stop may come to its end, unless the sink does not answer:
 * Docker kills after 10 s. */
enum { STOP_PATIENCE_US = 8 * 1000000 };

static bool captures(void *context, struct bytes database, struct bytes schema, struct bytes name)
{
    return route_captures(context, database, schema, name);
}

bool pipeline_open(const struct pipeline_options *options, const struct source_driver *source,
                   const void *source_options, const struct sink_driver *sink,
                   const void *sink_options, struct pipeline **out, struct error *err)
{
    struct route *route;
    if (!route_compile(&options->routes, &route, err))
        return false;
    ASSERT(options->sink_parallelism > 0 && options->sink_parallelism <= INFLIGHT_WORKERS_MAX);
    struct pipeline *pipeline = memory_zalloc(1, sizeof *pipeline);
    pipeline->options = *options;
    pipeline->source_driver = source;
    pipeline->sink_driver = sink;
    pipeline->source_options = source_options;
    pipeline->sink_options = sink_options;
    pipeline->route = route;
    metrics_init(&pipeline->metrics);
    snprintf(pipeline->metrics.name, sizeof pipeline->metrics.name, "%.*s",
             BYTES_ARGS(options->name));
    snprintf(pipeline->metrics.source, sizeof pipeline->metrics.source, "%s", source->name);
    snprintf(pipeline->metrics.sink, sizeof pipeline->metrics.sink, "%s", sink->name);
    pthread_mutex_init(&pipeline->lock, NULL);
    *out = pipeline;
    return true;
}

void pipeline_close(struct pipeline *pipeline)
{
    if (!pipeline)
        return;
    route_free(pipeline->route);
    metrics_done(&pipeline->metrics);
    pthread_mutex_destroy(&pipeline->lock);
    free(pipeline);
}

struct pipeline_metrics *pipeline_metrics(struct pipeline *pipeline) { return &pipeline->metrics; }

static void break_off(struct pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->lock);
    bool late = pipeline->stop_us && clock_now_us() - pipeline->stop_us >= STOP_PATIENCE_US;
    if (late && pipeline->delivering && !pipeline->broken_off) {
        pipeline->broken_off = true;
        log_warn("the sink does not answer: stopping without it, the next start asks what became "
                 "of the load sink=%s",
                 pipeline->metrics.sink);
        for (uint32_t i = 0; i < pipeline->options.sink_parallelism; i++)
            worker_interrupt(pipeline->workers[i]);
    }
    pthread_mutex_unlock(&pipeline->lock);
}

void pipeline_watch(struct pipeline *pipeline)
{
    break_off(pipeline);
    char what[300];
    for (uint32_t i = 0; i < pipeline->options.sink_parallelism; i++)
        if (flush_is_slow(&pipeline->metrics.flushes[i], pipeline->options.checkpoint_timeout_ms,
                          what, sizeof what))
            log_warn("a flush takes longer than checkpoint.timeout and goes on, the position waits "
                     "for it: %s sink=%s",
                     what, pipeline->metrics.sink);
}

static void parts_init(struct pipeline *pipeline, const struct checkpoint_image *image)
{
    inflight_init(&pipeline->inflight, pipeline->options.sink_parallelism);
    snapshot_init(&pipeline->snapshot, &pipeline->options, pipeline->source_driver,
                  pipeline->source_options, &pipeline->metrics);
    pipeline->delivery = (struct delivery_shared){ .options = &pipeline->options,
                                                   .driver = pipeline->sink_driver,
                                                   .sink_options = pipeline->sink_options,
                                                   .checkpoint = pipeline->checkpoint,
                                                   .inflight = &pipeline->inflight,
                                                   .metrics = &pipeline->metrics,
                                                   .epoch = image->epoch,
                                                   .restored = !image->fresh,
                                                   .stored_mark = image->position.mark,
                                                   .held = image->older ? image->held : 0,
                                                   .targets = &pipeline->intake.targets,
                                                   .confirmed = intake_confirmed,
                                                   .context = &pipeline->intake };
    gate_init(&pipeline->delivery.gate, pipeline->options.sink_parallelism);
    pthread_mutex_init(&pipeline->delivery.lock, NULL);
    pthread_mutex_init(&pipeline->delivery.storing, NULL);
    pthread_mutex_init(&pipeline->delivery.parking, NULL);
    pipeline->intake = (struct intake){ .options = &pipeline->options,
                                        .driver = pipeline->source_driver,
                                        .source_options = pipeline->source_options,
                                        .route = pipeline->route,
                                        .filter = { captures, pipeline->route },
                                        .checkpoint = pipeline->checkpoint,
                                        .inflight = &pipeline->inflight,
                                        .metrics = &pipeline->metrics,
                                        .snapshot = &pipeline->snapshot,
                                        .delivery = &pipeline->delivery,
                                        .retention = &pipeline->retention,
                                        .workers = pipeline->workers,
                                        .stopping = &pipeline->stopping };
    intake_init(&pipeline->intake);
    if (pipeline->sink_driver->numbers && pipeline->sink_driver->numbers(pipeline->sink_options))
        intake_number(&pipeline->intake);
    pipeline->retention =
        (struct retention_watch){ .driver = pipeline->source_driver,
                                  .options = pipeline->source_options,
                                  .metrics = &pipeline->metrics,
                                  .interval_ms = pipeline->options.retention_interval_ms };
    retention_start(&pipeline->retention);
}

static void parts_done(struct pipeline *pipeline)
{
    retention_stop(&pipeline->retention);
    snapshot_done(&pipeline->snapshot);
    intake_done(&pipeline->intake);
    inflight_done(&pipeline->inflight);
    gate_done(&pipeline->delivery.gate);
    pthread_mutex_destroy(&pipeline->delivery.lock);
    pthread_mutex_destroy(&pipeline->delivery.storing);
    pthread_mutex_destroy(&pipeline->delivery.parking);
}

/* Loads that were under way at the last end go to the worker of their target, which asks the sink.
 */
static void intents_assign(struct pipeline *pipeline, const struct checkpoint_image *image)
{
    for (size_t i = 0; i < image->intent_count; i++) {
        const struct intent *intent = &image->intents[i];
        struct target *target =
            intake_target(&pipeline->intake, intent->database, intent->name, (struct bytes){ 0 });
        uint32_t worker = target->worker;
        pipeline->pending[worker] =
            memory_grow(pipeline->pending[worker], pipeline->pending_count[worker],
                        &pipeline->pending_capacity[worker], sizeof(struct pending_intent));
        pipeline->pending[worker][pipeline->pending_count[worker]++] =
            (struct pending_intent){ .intent = intent, .target = target };
    }
}

static void chunk_visible(struct checkpoint_image *image, const struct chunk_record *chunk)
{
    size_t count, at = checkpoint_ranges_of(image, chunk->table_id, &count);
    for (; count > 0 && image->ranges[at].range < chunk->range; count--)
        at++;
    if (count > 0 && image->ranges[at].range == chunk->range) {
        image->ranges[at] = *chunk;
        return;
    }
    struct chunk_record *ranges =
        arena_array(&image->arena, image->range_count + 1, sizeof *ranges);
    if (at > 0)
        memcpy(ranges, image->ranges, at * sizeof *ranges);
    ranges[at] = *chunk;
    if (at < image->range_count)
        memcpy(&ranges[at + 1], &image->ranges[at], (image->range_count - at) * sizeof *ranges);
    image->ranges = ranges;
    image->range_count++;
}

/* Chunks of loads that turned out to be there are read. */
static void intents_apply(struct pipeline *pipeline, struct checkpoint_image *image)
{
    for (uint32_t w = 0; w < pipeline->options.sink_parallelism; w++)
        for (uint32_t i = 0; i < pipeline->pending_count[w]; i++) {
            const struct pending_intent *pending = &pipeline->pending[w][i];
            for (uint32_t c = 0; pending->visible && c < pending->intent->chunk_count; c++)
                chunk_visible(image, &pending->intent->chunks[c]);
        }
}

static void set_flag(struct pipeline *pipeline, bool *flag, bool value)
{
    pthread_mutex_lock(&pipeline->lock);
    *flag = value;
    pthread_mutex_unlock(&pipeline->lock);
}

/* A sink that is away when the agent starts is waited for, as it is when it goes away later. */
static bool worker_start_patiently(struct pipeline *pipeline, uint32_t index, struct error *err)
{
    struct retry retry = { .policy = pipeline->options.retry };
    while (!worker_start(&pipeline->delivery, index, pipeline->pending[index],
                         pipeline->pending_count[index], &pipeline->workers[index], err)) {
        uint32_t wait_ms;
        if (err->kind != ERROR_RETRY || !retry_again(&retry, &wait_ms, err))
            return false;
        log_warn("sink: %s; trying again in %u ms", err->message, wait_ms);
        metrics_trouble(&pipeline->metrics, err->message);
        for (uint32_t waited = 0; waited < wait_ms; waited += 20) {
            if (atomic_load(&pipeline->stopping))
                return error_set(err, ERROR_STOP, "stopping");
            clock_sleep_us(20 * 1000);
        }
    }
    metrics_trouble(&pipeline->metrics, "");
    return true;
}

static bool workers_start(struct pipeline *pipeline, struct checkpoint_image *image,
                          struct error *err)
{
    uint32_t count = pipeline->options.sink_parallelism;
    intake_restore_applied(&pipeline->intake, image);
    intake_highest_applied(&pipeline->intake, pipeline->delivery.applied);
    intents_assign(pipeline, image);
    for (uint32_t i = 0; i < count; i++)
        if (!worker_start_patiently(pipeline, i, err))
            return false;
    set_flag(pipeline, &pipeline->running, true);
    set_flag(pipeline, &pipeline->delivering, true);
    for (uint32_t i = 0; i < count; i++)
        if (!worker_wait_ready(pipeline->workers[i]))
            return error_set(err, ERROR_STOP, "a sink worker has ended");
    intents_apply(pipeline, image);
    return true;
}

static void workers_join(struct pipeline *pipeline)
{
    set_flag(pipeline, &pipeline->running, false);
    for (uint32_t i = 0; i < pipeline->options.sink_parallelism; i++)
        worker_end(pipeline->workers[i]);
    set_flag(pipeline, &pipeline->delivering, false);
    for (uint32_t i = 0; i < pipeline->options.sink_parallelism; i++) {
        worker_free(pipeline->workers[i]);
        pipeline->workers[i] = NULL;
        free(pipeline->pending[i]);
        pipeline->pending[i] = NULL;
        pipeline->pending_count[i] = 0;
    }
}

static uint32_t count_parked(const struct pipeline *pipeline)
{
    uint32_t parked = 0;
    for (struct target_metrics *table = atomic_load(&pipeline->metrics.tables); table;
         table = table->next)
        parked += atomic_load(&table->state) == TABLE_PARKED;
    return parked;
}

/* The error that counts: a worker's own comes before what the others saw of it. */
static bool verdict(struct pipeline *pipeline, bool ok, struct error *err)
{
    if (atomic_load(&pipeline->delivery.failed)) {
        *err = pipeline->delivery.error;
        ok = false;
    }
    if (!ok && err->kind == ERROR_STOP && atomic_load(&pipeline->stopping))
        return true;
    return ok;
}

static bool pipeline_work(struct pipeline *pipeline, struct checkpoint_image *image,
                          struct error *err)
{
    bool ok = workers_start(pipeline, image, err);
    if (ok)
        ok = intake_restore(&pipeline->intake, image, err) && intake_run(&pipeline->intake, err);
    snapshot_stop(&pipeline->snapshot);
    workers_join(
        pipeline); /* delivers what was read, unless asked to stop while the sink is away */
    return verdict(pipeline, ok, err);
}

void pipeline_identity(const struct source_driver *source, const char *sink,
                       char out[PIPELINE_IDENTITY_SIZE])
{
    snprintf(out, PIPELINE_IDENTITY_SIZE, "%s -> %s", source->name, sink);
}

bool pipeline_restore(struct pipeline *pipeline, const char *savepoint, bool *done,
                      struct error *err)
{
    struct arena scratch = { 0 };
    struct bytes directory = pipeline->options.checkpoint_directory;
    ASSERT(directory.data);
    char identity[PIPELINE_IDENTITY_SIZE];
    pipeline_identity(pipeline->source_driver, pipeline->metrics.sink, identity);
    bool ok = checkpoint_restore(arena_text(&scratch, directory), bytes_from(identity), savepoint,
                                 done, err);
    arena_done(&scratch);
    return ok;
}

bool pipeline_look_begun(struct pipeline *pipeline, enum pipeline_begun *out, struct error *err)
{
    struct arena scratch = { 0 };
    struct checkpoint_image image;
    const char *directory = arena_text(&scratch, pipeline->options.checkpoint_directory);
    bool there = checkpoint_is_there(directory);
    bool ok = !there || checkpoint_peek(directory, &image, err);
    arena_done(&scratch);
    *out = there ? PIPELINE_BEGUN_ELSEWHERE : PIPELINE_NOT_BEGUN;
    if (!there || !ok)
        return ok;
    if (image.fresh)
        *out = PIPELINE_NOT_BEGUN;
    else if (image.origin.data && bytes_equal(image.origin, pipeline->options.origin))
        *out = PIPELINE_BEGUN_HERE;
    checkpoint_image_done(&image);
    return true;
}

bool pipeline_discard(struct pipeline *pipeline, struct error *err)
{
    struct arena scratch = { 0 };
    char identity[PIPELINE_IDENTITY_SIZE];
    pipeline_identity(pipeline->source_driver, pipeline->metrics.sink, identity);
    bool ok = checkpoint_discard(arena_text(&scratch, pipeline->options.checkpoint_directory),
                                 bytes_from(identity), err);
    arena_done(&scratch);
    return ok;
}

bool pipeline_run(struct pipeline *pipeline, uint32_t *parked_tables, struct error *err)
{
    char name[120];
    snprintf(name, sizeof name, "pipeline=%.80s part=intake", pipeline->metrics.name);
    log_context(name);
    struct checkpoint_image image = { 0 };
    image.fresh = true;
    struct bytes directory = pipeline->options.checkpoint_directory;
    if (directory.data) {
        struct arena scratch = { 0 };
        char identity[PIPELINE_IDENTITY_SIZE];
        pipeline_identity(pipeline->source_driver, pipeline->metrics.sink, identity);
        bool opened = checkpoint_open(arena_text(&scratch, directory), bytes_from(identity),
                                      &pipeline->checkpoint, &image, err);
        if (opened)
            spill_folder(arena_text(&scratch, directory));
        arena_done(&scratch);
        if (!opened)
            return false;
        if (*image.note)
            log_warn("%s", image.note);
    }
    parts_init(pipeline, &image);
    bool ok = pipeline_work(pipeline, &image, err);
    parts_done(pipeline);
    checkpoint_image_done(&image);
    checkpoint_close(pipeline->checkpoint);
    pipeline->checkpoint = NULL;
    *parked_tables = count_parked(pipeline);
    return ok;
}

void pipeline_stop(struct pipeline *pipeline)
{
    atomic_store(&pipeline->stopping, true);
    pthread_mutex_lock(&pipeline->lock);
    if (!pipeline->stop_us)
        pipeline->stop_us = clock_now_us();
    if (pipeline->running) {
        atomic_store(&pipeline->delivery.stopping, true);
        if (atomic_load(&pipeline->intake.opened))
            pipeline->source_driver->interrupt(pipeline->intake.source);
    }
    pthread_mutex_unlock(&pipeline->lock);
}
