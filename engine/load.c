/* SPDX-License-Identifier: Apache-2.0
 *
 * Sending loads exactly once: intend, write, resolve, done. See delivery.h for the protocol. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/fault.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/claims.h"
#include "engine/delivery_internal.h"

enum { PART_LIMIT = 1 << 30, RESOLVE_PAUSE_MS = 200, LABEL_NAME_MAX = 48 };

/* ClickHouse's "too many parts" and "memory limit": answered by rarer loads, not by knocking. */
enum { CODE_TOO_MANY_PARTS = 252, CODE_MEMORY_LIMIT = 241, INTERVAL_MAX_US = 30 * 1000 * 1000 };

struct delivery_target *load_state(struct worker *worker, struct target *target)
{
    if (!target->engine_data) {
        struct delivery_target *state = arena_zalloc(&worker->arena, sizeof *state);
        state->target = target;
        state->seen = target->applied;
        state->next = worker->targets;
        worker->targets = state;
        target->engine_data = state;
    }
    return target->engine_data;
}

/* Two names must not become one: a sink drops a load whose label it knows. */
static void put_name(struct bytes name, char out[LABEL_NAME_MAX + 1])
{
    if (name.size <= LABEL_NAME_MAX)
        snprintf(out, LABEL_NAME_MAX + 1, "%.*s", BYTES_ARGS(name));
    else
        snprintf(out, LABEL_NAME_MAX + 1, "%.*s~%016llx", LABEL_NAME_MAX - 17,
                 (const char *)name.data, (unsigned long long)bytes_hash(name));
}

void load_worker_label(struct worker *worker, uint32_t index, char label[LOAD_LABEL_SIZE])
{
    char name[LABEL_NAME_MAX + 1];
    put_name(worker->shared->options->name, name);
    snprintf(label, LOAD_LABEL_SIZE, "%s-%llu-%u-%llu", name,
             (unsigned long long)worker->shared->epoch, index,
             (unsigned long long)++worker->load_number);
}

void load_new_label(struct worker *worker, char label[LOAD_LABEL_SIZE])
{
    load_worker_label(worker, worker->index, label);
}

static void load_label(struct worker *worker, struct delivery_target *state)
{
    struct load *load = &state->load;
    if (state->cut) {
        memcpy(load->label, state->cut_label, sizeof load->label);
        load->repeat = true;
        return;
    }
    load_new_label(worker, load->label);
}

void load_forget_cut(struct worker *worker, struct delivery_target *state)
{
    state->cut = 0;
    if (state->open && state->load.repeat) {
        state->load.repeat = false;
        load_label(worker, state);
    }
}

void load_open(struct worker *worker, struct delivery_target *state, const struct table *table)
{
    ASSERT(!state->open && !state->load.parts);
    state->load = (struct load){ .target = state->target,
                                 .table = table,
                                 .part_count = state->part_count,
                                 .first = UINT64_MAX };
    load_label(worker, state);
    state->load.parts = memory_zalloc(state->part_count, sizeof(struct buf));
    for (uint32_t i = state->part_count; i > 0; i--) /* as they were given */
        state->load.parts[i - 1] = spare_take(&worker->spare, PART_LIMIT);
    state->target->load = &state->load;
    state->opened_us = clock_now_us();
    state->first_sequence = worker->taking_sequence;
    state->open = true;
    state->next_open = NULL;
    struct delivery_target **end = &worker->open;
    while (*end)
        end = &(*end)->next_open;
    *end = state;
}

void load_close(struct worker *worker, struct delivery_target *state)
{
    size_t limit = (size_t)worker->shared->options->flush_bytes * 2; /* they grow by doubling */
    for (uint32_t i = 0; i < state->load.part_count; i++)
        spare_give(&worker->spare, &state->load.parts[i], limit);
    free(state->load.parts);
    state->load.parts = NULL;
    state->target->load = NULL;
    state->open = false;
    for (uint32_t i = 0; i < state->chunk_count; i++) {
        free((void *)(uintptr_t)state->chunks[i].cursor.data);
        free((void *)(uintptr_t)state->chunks[i].until.data);
    }
    free(state->chunks);
    state->chunks = NULL;
    state->chunk_count = 0;
    state->chunk_capacity = 0;
    state->has_snapshot_rows = false;
    state->inserts = state->updates = state->deletes = state->reads = 0;
}

static struct intent load_intent(const struct delivery_target *state)
{
    return (struct intent){
        .database = state->target->database,
        .name = state->target->name,
        .label = bytes_from(state->load.label),
        .first = state->load.first,
        .last = state->load.last,
        .applied = state->seen,
        .rows = state->load.rows,
        .chunks = state->chunks,
        .chunk_count = state->chunk_count,
    };
}

bool load_back_off(struct worker *worker, const char *what, struct error *err)
{
    uint32_t wait_ms;
    enum flush_part part = flush_enter(worker->flush, FLUSH_WAIT, NULL);
    if (!retry_again(&worker->retry, &wait_ms, err))
        return error_context(err, "%s", what);
    log_warn("%s: %s; trying again in %u ms", what, err->message, wait_ms);
    metrics_trouble(worker->shared->metrics, err->message);
    for (uint32_t waited = 0; waited < wait_ms; waited += 20) {
        if (atomic_load(&worker->shared->stopping) || atomic_load(&worker->shared->failed))
            break;
        clock_sleep_us(20 * 1000);
    }
    flush_enter(worker->flush, part, NULL);
    bool stops = atomic_load(&worker->shared->stopping) || atomic_load(&worker->shared->failed);
    return !stops || error_set(err, ERROR_STOP, "stopping while %s", what);
}

static void load_troubled(struct worker *worker, const struct error *err)
{
    if (err->code != CODE_TOO_MANY_PARTS && err->code != CODE_MEMORY_LIMIT)
        return;
    worker->interval_us *= 2;
    if (worker->interval_us > INTERVAL_MAX_US)
        worker->interval_us = INTERVAL_MAX_US;
}

void load_recovered(struct worker *worker)
{
    if (retry_succeeded(&worker->retry)) {
        log_info("the sink answers again");
        metrics_trouble(worker->shared->metrics, "");
    }
}

bool load_resolve(struct worker *worker, struct target *target, const char *label, uint64_t first,
                  uint64_t last, bool *visible, struct error *err)
{
    const struct sink_driver *driver = worker->shared->driver;
    if (!driver->resolve) {
        *visible = false;
        return true;
    }
    for (;;) {
        enum load_state found;
        flush_enter(worker->flush, FLUSH_DECIDE, target->metrics);
        fault_point("delivery.before_resolve");
        if (driver->resolve(worker->sink, target, label, first, last, &found, err)) {
            fault_point("delivery.after_resolve");
            load_recovered(worker);
            if (found != LOAD_RUNNING) {
                *visible = found == LOAD_VISIBLE;
                return true;
            }
            clock_sleep_us(RESOLVE_PAUSE_MS * 1000);
            if (atomic_load(&worker->shared->stopping))
                return error_set(err, ERROR_STOP, "stopping while a load is being decided");
            continue;
        }
        if (err->kind != ERROR_RETRY && err->kind != ERROR_UNKNOWN)
            return error_context(err, "deciding load '%s'", label);
        if (!load_back_off(worker, "deciding a load", err))
            return false;
    }
}

/* One of the driver's questions for a mark of the target. */
static bool ask_mark(struct worker *worker, struct target *target,
                     bool (*question)(struct sink *, struct target *, uint64_t *, struct error *),
                     uint64_t *mark, struct error *err)
{
    fault_point("delivery.before_learn");
    while (!question(worker->sink, target, mark, err)) {
        if (err->kind != ERROR_RETRY && err->kind != ERROR_UNKNOWN)
            return error_context(err, "table '%.*s.%.*s'", BYTES_ARGS(target->database),
                                 BYTES_ARGS(target->name));
        if (!load_back_off(worker, "asking how far a table is", err))
            return false;
    }
    load_recovered(worker);
    return true;
}

/* Who empties a target reads its table from the start, under marks above those of before. Where all
 * rows have such marks the reading may not have come to its end, and this checkpoint knows nothing
 * of it. */
static bool look_at(struct worker *worker, struct target *target, struct error *err)
{
    const struct delivery_shared *shared = worker->shared;
    uint64_t mark = 0;
    if (!shared->driver->oldest)
        return true;
    if (!ask_mark(worker, target, shared->driver->oldest, &mark, err))
        return false;
    target->emptied = mark == 0 || mark > shared->held;
    return true;
}

/* What the groups tell is stored as known of each target: the next start may not be told again, for
 * a table that is read meanwhile makes them doubtful. */
static void put_ahead(struct worker *worker, struct target *target, struct checkpoint_write *write)
{
    struct delivery_target *state = load_state(worker, target);
    uint64_t mark = load_group_visible(worker, target);
    if (mark <= state->seen)
        return;
    state->seen = target->applied = mark;
    checkpoint_put_target(write, &(struct target_record){ .database = target->database,
                                                          .name = target->name,
                                                          .applied = state->seen });
}

bool load_look_back(struct worker *worker, struct error *err)
{
    const struct delivery_shared *shared = worker->shared;
    if (!shared->held)
        return true;
    if (!load_group_learn(worker, err))
        return false;
    bool ok = true;
    struct checkpoint_write *write = checkpoint_begin(shared->checkpoint);
    for (struct map_entry *entry = NULL; ok && (entry = map_next(shared->targets, entry));) {
        struct target *target = entry->value;
        if (target->worker != worker->index)
            continue;
        put_ahead(worker, target, write);
        ok = look_at(worker, target, err);
    }
    if (ok)
        return checkpoint_commit(write, true, err);
    checkpoint_abandon(write);
    return false;
}

void load_boundaries(struct worker *worker)
{
    struct map_entry *entry = NULL;
    while ((entry = map_next(worker->shared->targets, entry))) {
        struct target *target = entry->value;
        if (!target->boundaries || target->worker != worker->index)
            continue;
        struct delivery_target *state = load_state(worker, target);
        if (worker->known > state->seen)
            state->seen = target->applied = worker->known;
    }
}

bool load_learn(struct worker *worker, struct delivery_target *state, const struct table *table,
                struct error *err)
{
    const struct delivery_shared *shared = worker->shared;
    struct target *target = state->target;
    if (state->learned || !shared->restored)
        return true;
    if (shared->driver->visible) {
        if (!load_group_learn(worker, err))
            return false;
        uint64_t mark = load_group_visible(worker, target);
        if (mark > state->seen)
            state->seen = target->applied = mark;
        state->learned = true;
        return true;
    }
    if (table->key_count > 0 || !shared->driver->newest)
        return true;
    uint64_t mark = 0;
    if (!ask_mark(worker, target, shared->driver->newest, &mark, err))
        return false;
    state->learned = true;
    bool chunk = mark_row(mark) > MARK_ROW_LAST && mark_commit(mark) == mark_commit(state->seen);
    if (mark <= state->seen || chunk)
        return true;
    log_warn("the checkpoint is older than '%.*s.%.*s': what it holds already is not sent again",
             BYTES_ARGS(target->database), BYTES_ARGS(target->name));
    state->seen = target->applied = mark;
    return true;
}

/* Sends one load until its fate is known. True: it is visible. */
static bool load_send(struct worker *worker, struct delivery_target *state, struct error *err)
{
    const struct sink_driver *driver = worker->shared->driver;
    struct load *load = &state->load;
    bool prepared_again = false;
    for (;;) {
        flush_enter(worker->flush, FLUSH_WRITE, state->target->metrics);
        fault_point("delivery.before_write");
        if (driver->write(worker->sink, load, err)) {
            fault_point("delivery.after_write");
            load_recovered(worker);
            return true;
        }
        load->repeat = true;
        atomic_fetch_add(&state->target->metrics->retries, 1);
        load_troubled(worker, err);
        if (err->kind == ERROR_DATA && !prepared_again) {
            /* Somebody altered the target under us: look at it again before giving up on it. */
            prepared_again = true;
            uint32_t parts;
            if (driver->prepare(worker->sink, state->target, load->table, &parts, err) &&
                parts == load->part_count)
                continue;
        }
        if (err->kind != ERROR_RETRY && err->kind != ERROR_UNKNOWN)
            return error_context(err, "table '%.*s.%.*s'", BYTES_ARGS(state->target->database),
                                 BYTES_ARGS(state->target->name));
        bool unknown = err->kind == ERROR_UNKNOWN;
        if (!load_back_off(worker, "sending a load", err))
            return false;
        bool visible = false;
        if (unknown && !load_resolve(worker, state->target, load->label, load->first, load->last,
                                     &visible, err))
            return false;
        if (visible)
            return true;
    }
}

void load_count(struct worker *worker, const struct delivery_target *state)
{
    struct target_metrics *metrics = state->target->metrics;
    struct pipeline_metrics *all = worker->shared->metrics;
    atomic_fetch_add(&metrics->inserts, state->inserts);
    atomic_fetch_add(&metrics->updates, state->updates);
    atomic_fetch_add(&metrics->deletes, state->deletes);
    atomic_fetch_add(&metrics->snapshot_rows, state->reads);
    atomic_fetch_add(&metrics->bytes, state->load.bytes);
    atomic_fetch_add(&metrics->loads, 1);
    if (state->event_time_us)
        atomic_store(&metrics->event_time_us, state->event_time_us);
    atomic_fetch_add(&all->rows_durable, state->load.rows);
    atomic_fetch_add(&all->bytes_durable, state->load.bytes);
    atomic_fetch_add(&all->loads, 1);
}

static void store_parked(struct checkpoint *checkpoint, uint32_t table_id, const char *reason)
{
    struct checkpoint_write *write = checkpoint_begin(checkpoint);
    checkpoint_put_record(write, &(struct table_record){ .table_id = table_id,
                                                         .state = TABLE_PARKED,
                                                         .reason = bytes_from(reason) });
    struct error err;
    if (!checkpoint_commit(write, false, &err))
        log_error("storing that the table is parked: %s", err.message);
}

bool load_refused(struct worker *worker, struct target *target, const struct table *table)
{
    if (!target || !target->owner)
        return false;
    char reason[300];
    snprintf(reason, sizeof reason,
             CLAIMS_REASON "%.100s already, and rows of two databases cannot be told apart there: "
                           "give it another by a route, or leave one out",
             target->owner);
    if (!target->parked)
        load_park(worker, target, table ? table->id : 0, reason);
    return true;
}

void load_park(struct worker *worker, struct target *target, uint32_t table_id, const char *reason)
{
    target->parked = true;
    log_error("table '%.*s.%.*s' is parked, the others go on: %s", BYTES_ARGS(target->database),
              BYTES_ARGS(target->name), reason);
    metrics_reason(target->metrics, reason);
    pthread_mutex_lock(&worker->shared->parking);
    atomic_store(&target->metrics->state, TABLE_PARKED);
    if (worker->shared->checkpoint)
        store_parked(worker->shared->checkpoint, table_id, reason);
    pthread_mutex_unlock(&worker->shared->parking);
}

bool load_intend(struct worker *worker, struct error *err)
{
    if (!worker->shared->checkpoint || worker->shared->driver->transient)
        return true;
    flush_enter(worker->flush, FLUSH_STORE, NULL);
    struct checkpoint_write *write = checkpoint_begin(worker->shared->checkpoint);
    for (struct delivery_target *state = worker->open; state; state = state->next_open) {
        struct intent intent = load_intent(state);
        checkpoint_put_intent(write, &intent);
    }
    return checkpoint_commit(write, true, err);
}

void load_note_durable(struct worker *worker)
{
    uint64_t durable = worker->last_sequence;
    for (struct delivery_target *state = worker->open; state; state = state->next_open)
        if (state->first_sequence <= durable)
            durable = state->first_sequence - 1;
    inflight_durable(worker->shared->inflight, worker->index, durable);
}

static bool load_store_done(struct worker *worker, struct delivery_target *sent, struct error *err)
{
    struct delivery_shared *shared = worker->shared;
    struct arena arena = { 0 };
    struct position position;
    int64_t time_us;
    flush_enter(worker->flush, FLUSH_STORE, NULL);
    load_note_durable(worker);
    pthread_mutex_lock(&shared->storing);
    bool advanced = inflight_advance(shared->inflight, &arena, &position, &time_us);
    bool stored = true;
    if (shared->checkpoint && (sent || advanced)) {
        struct checkpoint_write *write = checkpoint_begin(shared->checkpoint);
        for (struct delivery_target *state = sent; state; state = state->next_open) {
            struct intent intent = load_intent(state);
            if (!state->target->parked)
                checkpoint_put_done(write, &intent);
            else
                checkpoint_drop_intent(write, &intent);
        }
        if (advanced)
            checkpoint_put_position(write, &position);
        fault_point("delivery.before_done");
        stored = checkpoint_commit(write, false, err);
        fault_point("delivery.after_done");
        atomic_fetch_add(&shared->metrics->checkpoints, 1);
    }
    if (stored && advanced) {
        atomic_store(&shared->metrics->durable_time_us, time_us);
        if (shared->confirmed)
            shared->confirmed(shared->context, &position);
    }
    pthread_mutex_unlock(&shared->storing);
    arena_done(&arena);
    worker->last_advance_us = clock_now_us();
    return stored;
}

bool load_advance(struct worker *worker, struct error *err)
{
    return load_store_done(worker, NULL, err);
}

static bool load_send_all(struct worker *worker, struct error *err)
{
    for (struct delivery_target *state = worker->open; state; state = state->next_open) {
        if (state->load.rows == 0 && state->chunk_count == 0)
            continue;
        if (state->load.rows > 0 && !load_send(worker, state, err)) {
            if (err->kind != ERROR_DATA)
                return false;
            load_park(worker, state->target, state->load.table->id, err->message);
            continue;
        }
        load_count(worker, state);
    }
    return true;
}

static bool flush_open(struct worker *worker, struct error *err)
{
    bool grouped = worker->shared->driver->commit != NULL;
    for (struct delivery_target *state = worker->open; state; state = state->next_open)
        if (state->cut && state->seen < state->cut)
            load_forget_cut(worker, state);
    if (grouped)
        load_group_label(worker);
    if (grouped ? !load_group_send(worker, err)
                : !load_intend(worker, err) || !load_send_all(worker, err))
        return false;
    struct delivery_target *sent = worker->open;
    worker->open = NULL;
    worker->open_bytes = 0;
    bool stored = load_store_done(worker, sent, err);
    int64_t base_us = worker->shared->options->flush_interval_ms * 1000;
    if (worker->interval_us > base_us) /* back to normal by a tenth with each success */
        worker->interval_us -= (worker->interval_us - base_us) / 10 + 1;
    for (struct delivery_target *state = sent, *next; state; state = next) {
        next = state->next_open;
        if (state->cut && state->seen >= state->cut)
            state->cut = 0;
        load_close(worker, state);
    }
    return stored;
}

bool load_flush_all(struct worker *worker, struct error *err)
{
    if (!worker->open)
        return load_advance(worker, err);
    flush_begin(worker->flush);
    bool ok = flush_open(worker, err);
    int64_t took_us = flush_end(worker->flush);
    if (took_us > 0)
        log_info("the flush that took longer has ended after %lld s", (long long)took_us / 1000000);
    return ok;
}

bool load_resolve_pending(struct worker *worker, struct error *err)
{
    for (uint32_t i = 0; i < worker->pending_count; i++) {
        const struct intent *intent = worker->pending[i].intent;
        struct target *target = worker->pending[i].target;
        struct delivery_target *state = load_state(worker, target);
        char label[LOAD_LABEL_SIZE];
        snprintf(label, sizeof label, "%.*s", BYTES_ARGS(intent->label));
        bool visible = intent->rows == 0;
        if (!visible &&
            !load_resolve(worker, target, label, intent->first, intent->last, &visible, err))
            return false;
        worker->pending[i].visible = visible;
        log_info("a load from before the restart was %s label=%s target=%.*s.%.*s",
                 visible ? "there" : "not there", label, BYTES_ARGS(target->database),
                 BYTES_ARGS(target->name));
        struct checkpoint_write *write = checkpoint_begin(worker->shared->checkpoint);
        if (visible) {
            checkpoint_put_done(write, intent);
            target->applied = intent->applied > target->applied ? intent->applied : target->applied;
            if (target->applied > worker->known)
                worker->known = target->applied;
            state->seen = target->applied;
        } else if (intent->chunk_count > 0 || worker->shared->driver->commit) {
            /* Its chunks are read again, with other rows; a group is cut anew. */
            checkpoint_drop_intent(write, intent);
        } else {
            state->cut = intent->last;
            memcpy(state->cut_label, label, sizeof label);
        }
        if (!checkpoint_commit(write, true, err))
            return false;
    }
    return true;
}
