/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop of the source's thread. */
#include "engine/intake.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/fault.h"
#include "engine/base/log.h"
#include "engine/base/retry.h"
#include "engine/base/wait.h"
#include "engine/claims.h"

enum {
    REPLAY_IDLE_READS = 50,
    READ_TIMEOUT_MS = 100,
    READ_TIMEOUT_SNAPSHOT_MS = 5,
    TOKEN_LIMIT = 64 << 20,
    CHUNK_MARKS_RESERVED = 1000
};

void intake_init(struct intake *intake)
{
    catalog_init(&intake->catalog);
    buf_init(&intake->position_text, TOKEN_LIMIT);
    buf_init(&intake->transaction_text, TOKEN_LIMIT);
    buf_init(&intake->confirm_token, TOKEN_LIMIT);
    pthread_mutex_init(&intake->confirm_lock, NULL);
    /* Half of the budget: the other half is the loads'. A batch holds about a megabyte. */
    int64_t count = intake->options->memory_bytes / 2 / (1 << 20);
    pool_init(&intake->pool, count < 4 ? 4 : count > 64 ? 64 : (uint32_t)count);
}

void intake_done(struct intake *intake)
{
    if (intake->source)
        intake->driver->close(intake->source);
    for (struct forgotten *forgotten = intake->forgotten, *next; forgotten; forgotten = next) {
        next = forgotten->next;
        free(forgotten);
    }
    pool_done(&intake->pool);
    catalog_done(&intake->catalog);
    numbering_done(&intake->numbering);
    map_done(&intake->targets);
    buf_done(&intake->position_text);
    buf_done(&intake->transaction_text);
    buf_done(&intake->confirm_token);
    pthread_mutex_destroy(&intake->confirm_lock);
    arena_done(&intake->arena);
}

/* ---- targets ---- */

static const char *other_owner(const struct pipeline_options *options, struct bytes database,
                               struct bytes name)
{
    bool shared = !options->claims || database.size == 0; /* transactions of all go to one place */
    const char *owner = !shared ? claims_take(options->claims, options->claimant, database, name)
                                : options->claimant;
    return owner == options->claimant ? NULL : owner;
}

static struct target_metrics *add_metrics(struct intake *intake, const struct target *target,
                                          struct bytes source_name)
{
    struct arena scratch = { 0 };
    struct bytes shown =
        arena_printf(&scratch, "%.*s.%.*s", BYTES_ARGS(target->database), BYTES_ARGS(target->name));
    struct target_metrics *metrics =
        metrics_add_table(intake->metrics, source_name.data ? source_name : shown, shown);
    arena_done(&scratch);
    return metrics;
}

struct target *intake_target(struct intake *intake, struct bytes database, struct bytes name,
                             struct bytes source_name)
{
    struct arena scratch = { 0 };
    struct bytes key =
        arena_printf(&scratch, "%.*s%c%.*s", BYTES_ARGS(database), 0, BYTES_ARGS(name));
    struct target *target = map_get(&intake->targets, key);
    if (!target) {
        target = arena_zalloc(&intake->arena, sizeof *target);
        target->id = intake->target_count++;
        target->hash = bytes_hash(key);
        target->worker = (uint32_t)(target->hash % intake->options->sink_parallelism);
        target->database = arena_copy(&intake->arena, database);
        target->name = arena_copy(&intake->arena, name);
        target->owner = other_owner(intake->options, database, name);
        uint32_t changes = intake->options->schema_changes;
        target->keeps_absent = !(changes & CHANGE_BIT_CREATE_TABLE);
        target->keeps_columns =
            !(changes & CHANGE_BIT_ADD_COLUMN) || intake->options->schema_behavior == SCHEMA_IGNORE;
        target->boundaries = database.size == 0;
        target->metrics = target->boundaries ? &intake->metrics->boundaries
                                             : add_metrics(intake, target, source_name);
        map_put(&intake->targets, key, target);
    }
    arena_done(&scratch);
    return target;
}

void intake_number(struct intake *intake)
{
    struct bytes none = BYTES_LITERAL("");
    numbering_init(&intake->numbering, intake_target(intake, none, none, none));
}

/* ---- handing on ---- */

bool intake_save_catalog(struct intake *intake, struct error *err)
{
    if (!intake->checkpoint || intake->saved_versions == intake->catalog.all_count)
        return true;
    struct checkpoint_write *write = checkpoint_begin(intake->checkpoint);
    for (size_t i = intake->saved_versions; i < intake->catalog.all_count; i++)
        checkpoint_put_table(write, intake->catalog.all[i]);
    intake->saved_versions = (uint32_t)intake->catalog.all_count;
    return checkpoint_commit(write, false, err);
}

bool intake_push(struct intake *intake, struct batch *batch, struct error *err)
{
    if (batch->end.token.data)
        intake->position_unsent = false;
    struct position end = batch->end;
    int64_t time_us =
        batch->count ? batch->events[batch->count - 1].time_us : intake->position_time_us;
    if (!intake_save_catalog(intake, err)) {
        batch_release(batch);
        return false;
    }
    batch->sequence = inflight_push(intake->inflight, &end, time_us);
    intake->last_sequence = batch->sequence;
    atomic_fetch_add_explicit(&intake->metrics->replaced_text, batch->replaced,
                              memory_order_relaxed);
    intake->last_push_us = clock_now_us();
    uint32_t workers = intake->options->sink_parallelism;
    atomic_store(&batch->holders, workers);
    bool ok = true;
    for (uint32_t i = 0; i < workers; i++) {
        if (worker_push(intake->workers[i], batch))
            continue;
        batch_release(batch);
        ok = false;
    }
    return ok || error_set(err, ERROR_STOP, "a sink worker has ended");
}

bool intake_reserve_marks(struct intake *intake, struct error *err)
{
    uint32_t given = intake->snapshot->chunk_counter;
    if (!intake->checkpoint || given <= intake->chunk_reserved)
        return true;
    intake->chunk_reserved = given + CHUNK_MARKS_RESERVED;
    struct checkpoint_write *write = checkpoint_begin(intake->checkpoint);
    uint32_t slots = MARK_CHUNK_LAST - MARK_CHUNK_FIRST + 1;
    checkpoint_put_chunk_mark(write,
                              mark_make(0, MARK_CHUNK_FIRST + intake->chunk_reserved % slots));
    return checkpoint_commit(write, false, err);
}

/* Is the newest transaction not over? By marks, for a replay goes through older ones. */
static bool is_inside(const struct intake *intake)
{
    return intake->stream_mark > intake->position.mark;
}

static bool emit_chunk(void *context, struct batch *batch, struct error *err)
{
    struct intake *intake = context;
    struct tracked *tracked = snapshot_find(intake->snapshot, batch->chunk_table->id);
    if (!intake_reserve_marks(intake, err)) {
        batch_release(batch);
        return false;
    }
    if (tracked && !tracked->stored && !intake_store_ranges(intake, tracked, err)) {
        batch_release(batch);
        return false;
    }
    return intake_push(intake, batch, err);
}

/* What waits for a chunk is bounded: when it is full the log waits until the chunk is read, which
 * does not depend on the log. */
static void wait_for_readers(struct intake *intake)
{
    struct snapshot *snapshot = intake->snapshot;
    while (merge_is_full(snapshot) && !atomic_load(intake->stopping) &&
           !atomic_load(&intake->delivery->failed)) {
        struct timespec until = wait_deadline(READ_TIMEOUT_MS);
        wait_until(&snapshot->changed, &snapshot->lock, READ_TIMEOUT_MS, &until);
    }
}

static bool intake_close_windows(struct intake *intake, struct error *err)
{
    pthread_mutex_lock(&intake->snapshot->lock);
    wait_for_readers(intake);
    struct merge_context merge = { .snapshot = intake->snapshot,
                                   .source = intake->source,
                                   .stream_mark = intake->stream_mark,
                                   .inside = is_inside(intake),
                                   .waits = intake->numbering.inside,
                                   .emit = emit_chunk,
                                   .context = intake };
    bool ok = merge_close_windows(&merge, err);
    intake->resync_due = true;
    pthread_mutex_unlock(&intake->snapshot->lock);
    return ok;
}

void intake_set_gate(struct intake *intake)
{
    struct snapshot *snapshot = intake->snapshot;
    if (intake->driver_mark < intake->stream_mark)
        return; /* a replay after a lost connection does not lower it */
    buf_reset(&snapshot->gate);
    intake->driver->processed(intake->source, &snapshot->gate);
    buf_reset(&snapshot->gate_transaction);
    buf_bytes(&snapshot->gate_transaction, intake->transaction);
}

/* The windows that waited for what was applied before the restart may open. The log's end counts
 * too: a server that was changed for another one may never come so far. */
static void end_replay(struct intake *intake, bool idle)
{
    if (!intake->snapshot->replaying)
        return;
    intake->idle_reads = idle ? intake->idle_reads + 1 : 0;
    bool behind =
        intake->stream_mark < intake->replay_until || intake->driver_mark < intake->stream_mark;
    if (behind && intake->idle_reads < REPLAY_IDLE_READS)
        return;
    pthread_mutex_lock(&intake->snapshot->lock);
    if (intake->driver_mark < intake->stream_mark)
        intake->driver_mark = intake->stream_mark; /* the log's end: there is no more to come */
    intake_set_gate(intake);
    intake->snapshot->replaying = false;
    pthread_cond_broadcast(&intake->snapshot->changed);
    pthread_mutex_unlock(&intake->snapshot->lock);
}

/* ---- a batch from the log ---- */

static void sort_snapshot_event(struct intake *intake, struct tracked *tracked, struct event *event)
{
    if (atomic_load_explicit(&tracked->target->metrics->state, memory_order_relaxed) ==
        TABLE_PARKED)
        event->dropped = true;
    else
        merge_sort_event(tracked, event, intake->transaction, intake->source);
}

static void note_transaction(struct intake *intake, const struct transaction *transaction)
{
    if (transaction->continued)
        return;
    buf_reset(&intake->transaction_text);
    buf_bytes(&intake->transaction_text, transaction->id);
    intake->transaction = buf_view(&intake->transaction_text);
}

/* Gives every event its target. True when one of them is to be delivered. */
static bool sort_events(struct intake *intake, struct batch *batch, bool reading)
{
    const struct table *table = NULL;
    struct tracked *tracked = NULL;
    uint32_t next = 0;
    bool visible = false;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct event *event = &batch->events[i];
        while (next < batch->transaction_count && batch->transactions[next].first_event <= i)
            note_transaction(intake, &batch->transactions[next++]);
        if (event->table != table) {
            table = event->table;
            tracked = snapshot_find(intake->snapshot, table->id);
        }
        /* Given before the source was lost and connected again: seen already. */
        if (!tracked || event->mark <= intake->stream_mark) {
            event->dropped = true;
            continue;
        }
        event->target = tracked->target;
        event->reading = reading && tracked->state == TABLE_SNAPSHOT;
        if (event->reading)
            sort_snapshot_event(intake, tracked, event);
        visible |= !event->dropped;
    }
    while (next < batch->transaction_count)
        note_transaction(intake, &batch->transactions[next++]);
    return visible;
}

static void note_position(struct intake *intake, const struct batch *batch)
{
    if (batch->count > 0) {
        uint64_t last = batch->events[batch->count - 1].mark;
        intake->driver_mark = last;
        if (last > intake->stream_mark)
            intake->stream_mark = last;
        intake->position_time_us = batch->events[batch->count - 1].time_us;
        atomic_store(&intake->metrics->read_time_us, intake->position_time_us);
    }
    if (batch->end.token.data && batch->end.mark > intake->driver_mark)
        intake->driver_mark = batch->end.mark;
    /* A replay passes positions that were reached before: the newest one stands. */
    if (!batch->end.token.data || batch->end.mark < intake->position.mark)
        return;
    if (batch->end.mark > intake->stream_mark)
        intake->stream_mark = batch->end.mark;
    buf_reset(&intake->position_text);
    buf_bytes(&intake->position_text, batch->end.token);
    intake->position = (struct position){ batch->end.mark, buf_view(&intake->position_text) };
    intake->position_unsent = true;
}

static bool take_rows(struct intake *intake, struct batch *batch, struct error *err)
{
    bool reading = atomic_load(&intake->snapshot->active) > 0;
    if (reading)
        pthread_mutex_lock(&intake->snapshot->lock);
    bool ok = !reading || intake_store_unread(intake, err);
    bool visible = ok && sort_events(intake, batch, reading);
    if (ok)
        note_position(intake, batch);
    if (reading) {
        intake_set_gate(intake);
        pthread_mutex_unlock(&intake->snapshot->lock);
    }
    if (ok && intake->numbering.target)
        visible |= numbering_batch(&intake->numbering, batch, intake->driver_mark);
    batch->stream_mark = intake->stream_mark;
    if (!visible) {
        batch_release(batch);
        return ok;
    }
    return intake_push(intake, batch, err);
}

/* The position moved, but no row of ours came along: tell it now and then. */
static bool push_idle(struct intake *intake, struct error *err)
{
    int64_t now_us = clock_now_us();
    if (!intake->position_unsent ||
        now_us - intake->last_push_us < intake->options->checkpoint_interval_ms * 1000)
        return true;
    struct batch *batch = pool_take(&intake->pool, 0);
    if (!batch)
        return true;
    batch->end = (struct position){ intake->position.mark,
                                    arena_copy(&batch->arena, intake->position.token) };
    batch->stream_mark = intake->stream_mark;
    intake->position_unsent = false;
    return intake_push(intake, batch, err);
}

/* Where the server forgets what is confirmed, the position must outlive a loss of power. */
static bool confirm_is_due(struct intake *intake)
{
    int64_t now_us = clock_now_us();
    if (intake->driver->forgets && intake->checkpoint &&
        now_us - intake->synced_us < intake->options->checkpoint_interval_ms * 1000)
        return false;
    intake->synced_us = now_us;
    return true;
}

static bool confirm_driver(struct intake *intake, const struct position *position,
                           struct error *err)
{
    if (intake->driver->forgets && intake->checkpoint && !checkpoint_sync(intake->checkpoint, err))
        return false;
    return intake->driver->confirm(intake->source, position, err);
}

static bool confirm_durable(struct intake *intake, struct error *err)
{
    pthread_mutex_lock(&intake->confirm_lock);
    bool some = intake->confirm.token.data != NULL && confirm_is_due(intake);
    struct position position = intake->confirm;
    struct arena arena = { 0 };
    if (some)
        position.token = arena_copy(&arena, position.token);
    if (some)
        intake->confirm.token = (struct bytes){ 0 };
    pthread_mutex_unlock(&intake->confirm_lock);
    if (some)
        fault_point("intake.before_confirm");
    bool ok = !some || confirm_driver(intake, &position, err);
    if (some)
        fault_point("intake.after_confirm");
    if (some && ok)
        ok = intake_forget_tables(intake, position.mark, err);
    if (some && ok) {
        retention_moved(intake->retention, position.token);
        struct buf shown;
        buf_init(&shown, 4096);
        intake->driver->describe(intake->source, position.token, &shown);
        pthread_mutex_lock(&intake->metrics->lock);
        snprintf(intake->metrics->position, sizeof intake->metrics->position, "%.*s",
                 BYTES_ARGS(buf_view(&shown)));
        pthread_mutex_unlock(&intake->metrics->lock);
        buf_done(&shown);
    }
    arena_done(&arena);
    return ok;
}

void intake_confirmed(void *context, const struct position *position)
{
    struct intake *intake = context;
    pthread_mutex_lock(&intake->confirm_lock);
    buf_reset(&intake->confirm_token);
    buf_bytes(&intake->confirm_token, position->token);
    intake->confirm = (struct position){ position->mark, buf_view(&intake->confirm_token) };
    pthread_mutex_unlock(&intake->confirm_lock);
}

static void count_read(struct intake *intake, const struct batch *batch)
{
    struct pipeline_metrics *metrics = intake->metrics;
    atomic_fetch_add_explicit(&metrics->source_bytes, batch->bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&metrics->source_events, batch->count, memory_order_relaxed);
    atomic_fetch_add_explicit(&metrics->source_transactions, batch->transaction_count,
                              memory_order_relaxed);
    /* The first read does not wait for what may be there. */
    bool first = !atomic_load_explicit(&metrics->connected, memory_order_relaxed);
    atomic_store_explicit(&metrics->caught_up, batch->count == 0 && !first, memory_order_relaxed);
}

/* The END of a transaction, alone; at its position where that has come. */
static bool push_end(struct intake *intake, bool at_position, struct error *err)
{
    struct batch *batch = pool_take(&intake->pool, -1);
    if (!batch)
        return error_set(err, ERROR_STOP, "stopping");
    numbering_end(&intake->numbering, batch);
    if (at_position)
        batch->end = (struct position){ intake->position.mark,
                                        arena_copy(&batch->arena, intake->position.token) };
    batch->stream_mark = intake->stream_mark;
    return intake_push(intake, batch, err);
}

/* A batch of a schema change, with what it ends before it or behind it. */
static bool take_schema(struct intake *intake, struct batch *batch, struct error *err)
{
    struct numbering *numbering = &intake->numbering;
    bool over = numbering->target && numbering_schema(numbering, batch);
    if (batch->events[0].mark <= intake->stream_mark) {
        batch_release(batch); /* a replay: it was applied before the source was lost */
        return true;
    }
    if (over && !push_end(intake, false, err)) {
        batch_release(batch);
        return false;
    }
    note_position(intake, batch);
    bool ends = numbering->open && batch->end.token.data;
    if (ends)
        batch->end = (struct position){ 0 };
    return intake_schema(intake, batch, err) && (!ends || push_end(intake, true, err));
}

/* One turn of the loop while connected. */
static bool intake_turn(struct intake *intake, struct error *err)
{
    struct batch *batch = pool_take(&intake->pool, READ_TIMEOUT_MS);
    bool reading = atomic_load(&intake->snapshot->active) > 0;
    if (batch) {
        int timeout_ms = reading ? READ_TIMEOUT_SNAPSHOT_MS : READ_TIMEOUT_MS;
        if (!intake->driver->read(intake->source, batch, timeout_ms, err)) {
            batch_release(batch);
            return false;
        }
        count_read(intake, batch);
        bool schema = batch->count > 0 && batch->events[0].op == EVENT_SCHEMA;
        bool idle = batch->count == 0 && !batch->end.token.data;
        if (schema ? !take_schema(intake, batch, err) : !take_rows(intake, batch, err))
            return false;
        end_replay(intake, idle);
    }
    if (atomic_load(&intake->snapshot->failed)) {
        *err = intake->snapshot->error;
        return false;
    }
    if (reading && !intake_close_windows(intake, err))
        return false;
    /* In a replay targets have rows from beyond here: a sweep's mark must lie above theirs. */
    bool between = !is_inside(intake) && !intake->snapshot->replaying;
    if (between && (intake->resync_due || intake->sweeping > 0) && !intake_resync(intake, err))
        return false;
    return push_idle(intake, err) && confirm_durable(intake, err);
}

/* ---- connecting ---- */

static void note_begin(struct intake *intake, const struct position *begin)
{
    buf_reset(&intake->position_text);
    buf_bytes(&intake->position_text, begin->token);
    intake->position = (struct position){ begin->mark, buf_view(&intake->position_text) };
    intake->stream_mark = begin->mark;
}

static bool store_begin(struct intake *intake, struct error *err)
{
    if (!intake->checkpoint)
        return true;
    if (!intake_save_catalog(intake, err))
        return false;
    struct checkpoint_write *write = checkpoint_begin(intake->checkpoint);
    checkpoint_put_position(write, &intake->position);
    if (intake->options->origin.data && !intake->lost)
        checkpoint_put_origin(write, intake->options->origin);
    return checkpoint_commit(write, true, err);
}

/* The position is gone from the server: did the user say what then? Some servers tell at the start,
 * others in their first answer to it. */
static bool note_lost(struct intake *intake, const struct error *err)
{
    enum lost_policy policy = intake->options->on_lost_position;
    /* Where the user chose to begin is no position that was lost. */
    if (err->kind != ERROR_LOST || policy == LOST_STOP || !intake->position.token.data)
        return false;
    log_warn("%s; on-lost-position is %s", err->message,
             policy == LOST_RESYNC ? "resync: all tables are read again"
                                   : "latest: what was missed is skipped");
    intake->lost = true;
    return true;
}

/* Rows behind the stored position are skipped by their marks, which count transactions: whether
 * another server counts the same ones, nothing tells. */
static bool start_known(struct intake *intake, struct position *begin, struct error *err)
{
    if (!intake->driver->start(intake->source, &intake->position, &intake->catalog, &intake->filter,
                               begin, err))
        return false;
    if (intake->snapshot_stored || !intake->source->elsewhere ||
        intake->replay_until <= intake->position.mark)
        return true;
    return error_set(err, ERROR_LOST,
                     "the source is another server than before, and rows behind the stored "
                     "position were delivered: whether this server has them too is not known");
}

static bool start_source(struct intake *intake, struct position *begin, struct error *err)
{
    if (!intake->lost && !start_known(intake, begin, err) && !note_lost(intake, err))
        return false;
    /* Marks above those that were applied: the workers would take new events for old ones. */
    uint64_t newest =
        intake->stream_mark > intake->replay_until ? intake->stream_mark : intake->replay_until;
    struct position none = { .mark = newest };
    return !intake->lost || intake->driver->start(intake->source, &none, &intake->catalog,
                                                  &intake->filter, begin, err);
}

static void set_first_gate(struct intake *intake, bool anew)
{
    pthread_mutex_lock(&intake->snapshot->lock);
    intake->driver_mark = intake->stream_mark;
    intake_set_gate(intake);
    if (anew)
        intake->snapshot->replaying = false;
    pthread_mutex_unlock(&intake->snapshot->lock);
}

/* What was lost is made up for before the new position is stored: a crash in between finds the old
 * one, and is told again that it is lost. */
static bool begin_at(struct intake *intake, struct error *err)
{
    bool read_all = intake->options->on_lost_position == LOST_RESYNC;
    return (!intake->lost || intake_make_up(intake, read_all, err)) && store_begin(intake, err);
}

static void note_moves(struct intake *intake)
{
    if (intake->source->moves == intake->moves)
        return;
    intake->moves = intake->source->moves;
    pthread_mutex_lock(&intake->snapshot->lock);
    snapshot_source_moved(intake->snapshot);
    pthread_mutex_unlock(&intake->snapshot->lock);
}

static bool intake_connect(struct intake *intake, struct error *err)
{
    bool fresh = !intake->position.token.data;
    intake->driver_mark = 0;
    struct position begin = { 0 };
    if (!start_source(intake, &begin, err))
        return false;
    bool anew = fresh || intake->lost;
    note_moves(intake);
    if (anew)
        note_begin(intake, &begin);
    if (anew || !intake->snapshot_stored)
        set_first_gate(intake, anew);
    if (anew && !begin_at(intake, err))
        return false;
    if ((!intake->snapshot_stored || intake->lost) && !intake_adopt_tables(intake, fresh, err))
        return false;
    if (!intake->snapshot_stored) {
        intake->snapshot_stored = true;
        intake->resync_due = true; /* what the checkpoint left to do */
        snapshot_start(intake->snapshot);
    }
    fault_point("intake.connected");
    intake->lost = false;
    intake->connected = true;
    intake->begins = fresh;
    return true;
}

/* The first turn after a connect went well: servers refuse a position only when it is read. */
static void tell_connected(struct intake *intake)
{
    if (atomic_load(&intake->metrics->connected))
        return;
    atomic_store(&intake->metrics->connected, true);
    metrics_trouble(intake->metrics, "");
    uint32_t tables = snapshot_table_count(intake->snapshot);
    log_info("%s tables=%u", intake->begins ? "streaming begins" : "streaming goes on", tables);
    if (tables == 0)
        log_warn("no table matches `tables` yet; those to come will be followed");
}

/* The log reader was lost in the middle of things: what it gave stays valid, for a replay gives the
 * same events under the same marks. */
static bool intake_back_off(struct intake *intake, struct retry *retry, struct error *err)
{
    atomic_store(&intake->metrics->connected, false);
    if (err->kind == ERROR_LOST && intake->options->on_lost_position == LOST_STOP)
        return error_cure(err, "set on-lost-position to resync (all tables are read again) or to "
                               "latest (what was missed is skipped)");
    if (err->kind != ERROR_RETRY && !note_lost(intake, err))
        return false;
    uint32_t wait_ms;
    if (!retry_again(retry, &wait_ms, err))
        return error_context(err, "source");
    log_warn("source: %s; trying again in %u ms", err->message, wait_ms);
    metrics_trouble(intake->metrics, err->message);
    atomic_fetch_add(&intake->metrics->reconnects, 1);
    for (uint32_t waited = 0; waited < wait_ms && !atomic_load(intake->stopping); waited += 20)
        clock_sleep_us(20 * 1000);
    return true;
}

static bool backfill_is_over(struct intake *intake)
{
    if (!intake->options->until_snapshot_done || !intake->snapshot_stored)
        return false;
    struct snapshot *snapshot = intake->snapshot;
    bool over = true;
    pthread_mutex_lock(&snapshot->lock);
    for (uint32_t i = 0; i < snapshot->table_capacity && over; i++) {
        struct tracked *tracked = snapshot->tables[i];
        over = !tracked ||
               (tracked->state != TABLE_SNAPSHOT && !tracked->overflowed &&
                (!tracked->sweep || tracked->sweep_sent)) ||
               atomic_load(&tracked->target->metrics->state) == TABLE_PARKED;
    }
    pthread_mutex_unlock(&snapshot->lock);
    return over && !is_inside(intake);
}

bool intake_run(struct intake *intake, struct error *err)
{
    struct retry retry = { .policy = intake->options->retry };
    if (!intake->driver->open(intake->source_options, &intake->arena, &intake->source, err))
        return false;
    atomic_store(&intake->opened, true);
    while (!atomic_load(intake->stopping) && !atomic_load(&intake->delivery->failed)) {
        bool ok = (intake->connected || intake_connect(intake, err)) && intake_turn(intake, err);
        if (ok) {
            retry_succeeded(&retry);
            tell_connected(intake);
            if (backfill_is_over(intake))
                return true;
            continue;
        }
        intake->connected = false;
        if (atomic_load(intake->stopping))
            break;
        if (!intake_back_off(intake, &retry, err))
            return false;
    }
    return true;
}
