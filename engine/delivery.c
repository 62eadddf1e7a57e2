/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop of a sink worker: a batch in, rows into loads, loads out when they are large or old
 * enough. Rows are encoded on arrival and the batch is given back at once, so that a long flush
 * holds only its own capped buffers. */
#include "engine/delivery.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/fault.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/base/wait.h"
#include "engine/delivery_internal.h"
#include "engine/snapshot.h"

enum { INBOX_BATCHES = 8, GATHER_US = 1000 };

static void worker_fail(struct worker *worker, const struct error *err)
{
    struct delivery_shared *shared = worker->shared;
    pthread_mutex_lock(&shared->lock);
    if (!atomic_load(&shared->failed))
        shared->error = *err;
    atomic_store(&shared->failed, true);
    pthread_mutex_unlock(&shared->lock);
    gate_close(&shared->gate);
}

/* Makes the sink ready for this version; what is open for another one goes out first, but for one
 * of equal columns: shards take turns in the log. */
static bool worker_prepare(struct worker *worker, struct delivery_target *state,
                           const struct table *table, struct error *err)
{
    if (state->prepared == table)
        return true;
    bool goes_on = state->open && state->prepared && table_same_columns(state->prepared, table);
    if (state->open && !goes_on && !load_flush_all(worker, err))
        return false;
    const struct sink_driver *driver = worker->shared->driver;
    for (;;) {
        uint32_t parts;
        fault_point("delivery.before_prepare");
        if (driver->prepare(worker->sink, state->target, table, &parts, err)) {
            fault_point("delivery.after_prepare");
            ASSERT(!goes_on || parts == state->part_count);
            state->part_count = parts;
            state->prepared = table;
            return true;
        }
        if (err->kind == ERROR_DATA) {
            load_park(worker, state->target, table->id, err->message);
            return true;
        }
        if (err->kind != ERROR_RETRY && err->kind != ERROR_UNKNOWN)
            return error_context(err, "table '%.*s.%.*s'", BYTES_ARGS(state->target->database),
                                 BYTES_ARGS(state->target->name));
        if (!load_back_off(worker, "preparing a table", err))
            return false;
    }
}

static void count_event(struct delivery_target *state, const struct event *event)
{
    if (event->snapshot)
        state->reads++;
    else if (event->op == EVENT_INSERT)
        state->inserts++;
    else if (event->op == EVENT_UPDATE)
        state->updates++;
    else if (event->op == EVENT_DELETE)
        state->deletes++;
    if (!event->snapshot)
        state->event_time_us = event->time_us;
}

/* The sink is ready for the version and a load is open, or the target is parked. */
__attribute__((noinline)) static bool worker_open(struct worker *worker,
                                                  struct delivery_target *state,
                                                  const struct table *table, struct error *err)
{
    if (!worker_prepare(worker, state, table, err))
        return false;
    if (!state->open && !state->target->parked)
        load_open(worker, state, table);
    return true;
}

/* A row that was not encoded: parks its table, or waits and tries again. */
__attribute__((noinline)) static bool worker_encode_again(struct worker *worker,
                                                          struct delivery_target *state,
                                                          const struct event *event,
                                                          struct error *err)
{
    do {
        if (err->kind == ERROR_DATA) {
            load_park(worker, state->target, event->table->id, err->message);
            return true;
        }
        if (err->kind != ERROR_RETRY)
            return false;
        if (!load_back_off(worker, "encoding rows", err))
            return false;
    } while (!worker->shared->driver->encode(worker->sink, &state->load, event, err));
    return true;
}

bool worker_encode(struct worker *worker, struct delivery_target *state, const struct event *event,
                   struct error *err)
{
    bool ready = state->prepared == event->table && state->open;
    if (!ready && !worker_open(worker, state, event->table, err))
        return false;
    if (state->target->parked)
        return true;
    struct load *load = &state->load;
    uint32_t rows = load->rows;
    if (!worker->shared->driver->encode(worker->sink, load, event, err) &&
        !worker_encode_again(worker, state, event, err))
        return false;
    if (state->target->parked)
        return true;
    if (load->rows > rows) {
        load->first = event->mark < load->first ? event->mark : load->first;
        load->last = event->mark > load->last ? event->mark : load->last;
    }
    count_event(state, event);
    return true;
}

/* A row from the log: skipped when it was durable before the restart. */
static bool worker_change(struct worker *worker, struct delivery_target *state,
                          const struct event *event, struct error *err)
{
    if (event->mark <= state->seen || event->target->parked)
        return true;
    if (state->cut && event->mark > state->cut) {
        if (state->open && !load_flush_all(worker, err))
            return false;
        load_forget_cut(worker, state);
    }
    if (!worker_encode(worker, state, event, err))
        return false;
    state->seen = event->mark;
    return true;
}

static void chunk_remember(struct delivery_target *state, const struct chunk_record *chunk)
{
    state->chunks = memory_grow(state->chunks, state->chunk_count, &state->chunk_capacity,
                                sizeof *state->chunks);
    struct chunk_record *copy = &state->chunks[state->chunk_count++];
    *copy = *chunk;
    copy->cursor = memory_copy(chunk->cursor);
    copy->until = memory_copy(chunk->until);
}

/* Rows of a snapshot, with the changes that were held for them: never cut over two loads. */
static bool worker_chunk(struct worker *worker, struct batch *batch, struct error *err)
{
    struct target *target = batch->chunk_target;
    if (target->worker != worker->index || load_refused(worker, target, batch->chunk_table))
        return true;
    struct delivery_target *state = load_state(worker, target);
    load_forget_cut(worker, state);
    if (!target->parked && !worker_prepare(worker, state, batch->chunk_table, err))
        return false;
    for (uint32_t i = 0; i < batch->count && !target->parked; i++)
        if (!batch->events[i].dropped && !worker_encode(worker, state, &batch->events[i], err))
            return false;
    if (target->parked)
        return true;
    if (!state->open) /* an empty chunk is progress too */
        load_open(worker, state, batch->chunk_table);
    state->has_snapshot_rows = true;
    if (batch->chunk)
        chunk_remember(state, batch->chunk);
    if (batch->stream_mark > state->seen)
        state->seen = batch->stream_mark;
    return true;
}

static bool worker_rows(struct worker *worker, struct batch *batch, struct error *err)
{
    struct delivery_target *state = NULL;
    const struct table *table = NULL;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct event *event = &batch->events[i];
        if (event->dropped || !event->target || event->target->worker != worker->index ||
            load_refused(worker, event->target, event->table))
            continue;
        if (!state || state->target != event->target || table != event->table) {
            state = load_state(worker, event->target);
            table = event->table;
            if (!load_learn(worker, state, table, err))
                return false;
        }
        if (!worker_change(worker, state, event, err))
            return false;
    }
    return true;
}

/* A schema change: everybody flushes, its owner applies it, everybody goes on. */
static bool worker_schema(struct worker *worker, struct batch *batch, struct error *err)
{
    if (!load_flush_all(worker, err))
        return false;
    if (!gate_pass(&worker->shared->gate))
        return error_set(err, ERROR_STOP, "another worker failed");
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct event *event = &batch->events[i];
        uint32_t owner = event->target ? event->target->worker : 0;
        if (event->dropped || owner != worker->index)
            continue;
        if (!delivery_change(worker, event, err))
            return false;
    }
    if (!gate_pass(&worker->shared->gate))
        return error_set(err, ERROR_STOP, "another worker failed");
    return true;
}

static void worker_measure(struct worker *worker, bool *large)
{
    const struct pipeline_options *options = worker->shared->options;
    worker->open_bytes = 0;
    *large = false;
    for (struct delivery_target *state = worker->open; state; state = state->next_open) {
        size_t bytes = 0;
        for (uint32_t i = 0; i < state->load.part_count; i++)
            bytes += state->load.parts[i].size;
        state->load.bytes = bytes;
        worker->open_bytes += bytes;
        if (state->load.rows >= options->flush_rows)
            *large = true;
    }
    if (worker->open_bytes >= (size_t)options->flush_bytes)
        *large = true;
}

static bool worker_take(struct worker *worker, struct batch *batch, struct error *err)
{
    bool is_schema = batch->count > 0 && batch->events[0].op == EVENT_SCHEMA;
    worker->taking_sequence = batch->sequence;
    worker->flowed += batch->arena.total;
    bool ok = is_schema             ? worker_schema(worker, batch, err)
              : batch->chunk_target ? worker_chunk(worker, batch, err)
                                    : worker_rows(worker, batch, err);
    /* Only now: loads that went out meanwhile must not move the position past the rest of it. */
    if (ok)
        worker->last_sequence = batch->sequence;
    batch_release(batch);
    return ok;
}

static bool worker_due(const struct worker *worker, int64_t now_us)
{
    return worker->open && now_us - worker->open->opened_us >= worker->interval_us;
}

static int worker_patience_ms(const struct worker *worker)
{
    if (!worker->open)
        return 200;
    int64_t left_us = worker->open->opened_us + worker->interval_us - clock_now_us();
    return left_us <= 0 ? 0 : left_us > 200000 ? 200 : (int)(left_us / 1000) + 1;
}

/* A wake-up for each batch costs more than to take it in: while much flows, the next ones gather in
 * the inbox. */
static struct batch *worker_next(struct worker *worker)
{
    struct batch *batch = queue_pop(&worker->inbox, 0);
    if (!batch && worker->flowed >= BATCH_BYTES_GOAL / 2) {
        worker->flowed = 0;
        clock_sleep_us(GATHER_US);
    }
    return batch ? batch : queue_pop(&worker->inbox, worker_patience_ms(worker));
}

/* One turn. *ended: the inbox is closed and empty, and everything is out. */
static bool worker_turn(struct worker *worker, bool *ended, struct error *err)
{
    struct batch *batch = worker_next(worker);
    bool large = false;
    if (batch) {
        if (!worker_take(worker, batch, err))
            return false;
        worker_measure(worker, &large);
        if (!worker->open)
            load_note_durable(worker);
    }
    if (!batch && !worker->open)
        spare_done(&worker->spare);
    int64_t now_us = clock_now_us();
    *ended = !batch && queue_is_over(&worker->inbox);
    if (large || worker_due(worker, now_us) || *ended)
        return load_flush_all(worker, err);
    int64_t interval_us = worker->shared->options->checkpoint_interval_ms * 1000;
    if (!worker->open && now_us - worker->last_advance_us >= interval_us)
        return load_advance(worker, err);
    return true;
}

static void worker_set_ready(struct worker *worker, bool ready)
{
    pthread_mutex_lock(&worker->ready_lock);
    worker->ready = ready;
    worker->ended = !ready;
    pthread_cond_broadcast(&worker->ready_changed);
    pthread_mutex_unlock(&worker->ready_lock);
}

static void worker_drain(struct worker *worker)
{
    struct batch *batch;
    queue_close(&worker->inbox);
    while ((batch = queue_pop(&worker->inbox, 0)))
        batch_release(batch);
}

static void *worker_main(void *context)
{
    struct worker *worker = context;
    struct delivery_shared *shared = worker->shared;
    struct error err;
    char name[120];
    snprintf(name, sizeof name, "pipeline=%.80s part=delivery-%u", shared->metrics->name,
             worker->index);
    log_context(name);
    bool ok = load_resolve_pending(worker, &err) && load_look_back(worker, &err);
    if (ok)
        load_boundaries(worker);
    worker_set_ready(worker, ok);
    bool ended = false;
    while (ok && !ended && !atomic_load(&shared->failed))
        ok = worker_turn(worker, &ended, &err);
    if (!ok)
        worker_fail(worker, &err);
    worker_set_ready(worker, false);
    worker_drain(worker);
    return NULL;
}

bool worker_start(struct delivery_shared *shared, uint32_t index, struct pending_intent *pending,
                  uint32_t pending_count, struct worker **out, struct error *err)
{
    struct worker *worker = memory_zalloc(1, sizeof *worker);
    *worker = (struct worker){
        .shared = shared,
        .index = index,
        .pending = pending,
        .pending_count = pending_count,
        .interval_us = shared->options->flush_interval_ms * 1000,
        .known = shared->applied[index] > shared->stored_mark ? shared->applied[index]
                                                              : shared->stored_mark,
        .doubted = true,
        .flush = &shared->metrics->flushes[index],
        .retry = { .policy = shared->options->retry },
    };
    if (!shared->driver->open(shared->sink_options, &worker->arena, &shared->metrics->changed,
                              &worker->sink, err)) {
        arena_done(&worker->arena);
        free(worker);
        return false;
    }
    queue_init(&worker->inbox, INBOX_BATCHES);
    pthread_mutex_init(&worker->ready_lock, NULL);
    wait_init(&worker->ready_changed);
    ASSERT(pthread_create(&worker->thread, NULL, worker_main, worker) == 0);
    *out = worker;
    return true;
}

bool worker_wait_ready(struct worker *worker)
{
    pthread_mutex_lock(&worker->ready_lock);
    while (!worker->ready && !worker->ended)
        pthread_cond_wait(&worker->ready_changed, &worker->ready_lock);
    bool ready = worker->ready;
    pthread_mutex_unlock(&worker->ready_lock);
    return ready;
}

bool worker_push(struct worker *worker, struct batch *batch)
{
    return queue_push(&worker->inbox, batch);
}

void worker_interrupt(struct worker *worker) { worker->shared->driver->interrupt(worker->sink); }

static void worker_free_loads(struct worker *worker)
{
    for (struct delivery_target *state = worker->open; state; state = state->next_open)
        load_close(worker, state);
    spare_done(&worker->spare);
}

void worker_end(struct worker *worker)
{
    if (!worker)
        return;
    queue_close(&worker->inbox);
    pthread_join(worker->thread, NULL);
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    worker_free_loads(worker);
    worker->shared->driver->close(worker->sink);
    queue_done(&worker->inbox);
    pthread_cond_destroy(&worker->ready_changed);
    pthread_mutex_destroy(&worker->ready_lock);
    arena_done(&worker->arena);
    free(worker);
}
