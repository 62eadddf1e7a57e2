/* SPDX-License-Identifier: Apache-2.0
 *
 * The threads that read chunks. Each has a connection of its own, looks for work (a table to split,
 * a range to walk, a keyless table to scan), and posts rows into windows for the intake to close.
 * Whatever goes wrong with the server is retried here; a table that cannot be read is parked. */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/base/retry.h"
#include "engine/base/wait.h"
#include "engine/snapshot.h"
#include "schema/key.h"

enum { GATE_TIMEOUT_MS = 10000, IDLE_MS = 200, SHAPE_PATIENCE_MS = 60000, CHUNK_BYTES = 2 << 20 };

struct snapshot_reader {
    struct snapshot *snapshot;
    pthread_t thread;
    uint32_t index;
    struct arena arena; /* the connection's */
    struct table_reader *reader;
    struct retry retry;
    int64_t shape_since_us;
};

/* What a reader works on; checked against the table's counters after each unlocked stretch. */
struct job {
    struct tracked *tracked;
    const struct table *table;
    uint32_t epoch, generation, range;
};

static void pause_locked(struct snapshot *snapshot, int timeout_ms)
{
    struct timespec until = wait_deadline(timeout_ms);
    wait_until(&snapshot->changed, &snapshot->lock, timeout_ms, &until);
}

static bool job_is_valid(const struct snapshot *snapshot, const struct job *job)
{
    return !snapshot->stopping && job->tracked->state == TABLE_SNAPSHOT &&
           job->tracked->epoch == job->epoch && job->tracked->generation == job->generation;
}

static bool is_parked(const struct tracked *tracked)
{
    return atomic_load(&tracked->target->metrics->state) == TABLE_PARKED;
}

/* ---- the connection ---- */

static void reader_disconnect(struct snapshot_reader *self)
{
    struct table_reader *reader = self->reader;
    pthread_mutex_lock(&self->snapshot->lock);
    self->reader = NULL; /* nobody may interrupt it from here on */
    pthread_mutex_unlock(&self->snapshot->lock);
    if (reader)
        self->snapshot->driver->reader_close(reader);
    arena_reset(&self->arena);
}

static bool reader_connect(struct snapshot_reader *self, struct error *err)
{
    if (self->reader)
        return true;
    struct table_reader *reader;
    struct snapshot *snapshot = self->snapshot;
    if (!snapshot->driver->reader_open(snapshot->source_options, &self->arena, &reader, err))
        return false;
    pthread_mutex_lock(&snapshot->lock);
    self->reader = reader;
    pthread_mutex_unlock(&snapshot->lock);
    return true;
}

/* From here on its changes are dropped: the intake writes the record before it drops one. */
static void park(struct snapshot *snapshot, struct job *job, const char *reason)
{
    pthread_mutex_lock(&snapshot->lock);
    bool valid = job_is_valid(snapshot, job);
    if (valid) {
        job->tracked->unread = snapshot->unread = true;
        metrics_reason(job->tracked->target->metrics, reason);
        atomic_store(&job->tracked->target->metrics->state, TABLE_PARKED);
    }
    pthread_mutex_unlock(&snapshot->lock);
    if (!valid)
        return; /* begun anew, or altered meanwhile: that reading will tell */
    log_error("table '%.*s.%.*s' is parked, the others go on: %s", BYTES_ARGS(job->table->database),
              BYTES_ARGS(job->table->name), reason);
}

/* The intake ends the pipeline with it. */
static void reader_give_up(struct snapshot *snapshot, const struct job *job, struct error *why)
{
    error_context(why, "reading '%.*s.%.*s'", BYTES_ARGS(job->table->database),
                  BYTES_ARGS(job->table->name));
    pthread_mutex_lock(&snapshot->lock);
    if (!atomic_load(&snapshot->failed))
        snapshot->error = *why;
    atomic_store(&snapshot->failed, true);
    pthread_mutex_unlock(&snapshot->lock);
}

/* An error of the server while working on a job. Waits where waiting helps. */
static void reader_trouble(struct snapshot_reader *self, struct job *job, const struct error *err)
{
    struct snapshot *snapshot = self->snapshot;
    if (err->kind == ERROR_STOP)
        return;
    if (err->code != READER_GATE)
        reader_disconnect(self); /* rows that were not taken would answer what is asked next */
    if (err->kind == ERROR_DATA && err->code == READER_SHAPE) {
        /* The table was altered and the log has not told us yet: it will, wait for it. */
        int64_t now_us = clock_now_us();
        if (!self->shape_since_us)
            self->shape_since_us = now_us;
        if (now_us - self->shape_since_us < SHAPE_PATIENCE_MS * 1000LL) {
            clock_sleep_us(50 * 1000);
            return;
        }
    }
    if (err->kind == ERROR_RETRY || err->kind == ERROR_UNKNOWN) {
        uint32_t wait_ms;
        struct error why = *err;
        if (!retry_again(&self->retry, &wait_ms, &why)) {
            reader_give_up(snapshot, job, &why);
            return;
        }
        log_warn("reading '%.*s.%.*s': %s; trying again in %u ms", BYTES_ARGS(job->table->database),
                 BYTES_ARGS(job->table->name), err->message, wait_ms);
        pthread_mutex_lock(&snapshot->lock);
        if (!snapshot->stopping)
            pause_locked(snapshot, (int)wait_ms);
        pthread_mutex_unlock(&snapshot->lock);
        return;
    }
    self->shape_since_us = 0;
    park(snapshot, job, err->message);
}

static void reader_worked(struct snapshot_reader *self)
{
    retry_succeeded(&self->retry);
    self->shape_since_us = 0;
}

/* ---- splitting ---- */

static struct bytes bound_encode(const struct table *table, const struct value *key,
                                 struct arena *arena)
{
    struct value *row = memory_zalloc(table->column_count, sizeof *row);
    for (uint16_t i = 0; i < table->key_count; i++)
        row[table->key_columns[i]] = key[i];
    struct buf encoded;
    buf_init(&encoded, SIZE_MAX / 4);
    key_encode(table, row, &encoded);
    struct bytes kept = arena_copy(arena, buf_view(&encoded));
    buf_done(&encoded);
    free(row);
    return kept;
}

static void ranges_make(struct tracked *tracked, struct value **bounds, uint32_t count)
{
    tracked->range_count = count + 1;
    tracked->ranges = memory_zalloc(tracked->range_count, sizeof *tracked->ranges);
    for (uint32_t i = 0; i <= count; i++) {
        struct range *range = &tracked->ranges[i];
        if (i > 0)
            range->cursor = memory_copy(tracked->ranges[i - 1].until);
        if (i < count)
            range->until = bound_encode(tracked->table, bounds[i], &tracked->arena);
    }
    tracked->split = true;
}

static void work_split(struct snapshot_reader *self, struct job *job)
{
    struct snapshot *snapshot = self->snapshot;
    struct arena arena = { 0 };
    struct value **bounds = NULL;
    uint32_t count = 0;
    uint64_t rows = 0;
    struct error err;
    uint32_t want = job->tracked->comparable ? snapshot->options->snapshot_parallelism * 4 : 1;
    bool ok = reader_connect(self, &err) &&
              snapshot->driver->reader_split(self->reader, job->table, want, &arena, &bounds,
                                             &count, &rows, &err);
    if (ok)
        reader_worked(self);
    else
        reader_trouble(self, job, &err);
    pthread_mutex_lock(&snapshot->lock);
    if (ok && job_is_valid(snapshot, job) && !job->tracked->split) {
        ranges_make(job->tracked, bounds, job->tracked->comparable ? count : 0);
        atomic_store(&job->tracked->target->metrics->snapshot_estimate, rows);
        pthread_cond_broadcast(&snapshot->changed);
    }
    if (job->tracked->epoch == job->epoch)
        job->tracked->claimed = false;
    pthread_mutex_unlock(&snapshot->lock);
    arena_done(&arena);
}

/* ---- walking a range ---- */

static struct window *window_open(struct snapshot *snapshot, struct range *range)
{
    struct window *window = window_new();
    struct window *before = range->windows;
    while (before && before->next)
        before = before->next;
    struct bytes after = before ? before->upto : range->cursor;
    window->after = arena_copy(&window->arena, after);
    window->low = arena_copy(&window->arena, buf_view(&snapshot->gate)); /* the gate, until read */
    window->gate_transaction = arena_copy(&window->arena, buf_view(&snapshot->gate_transaction));
    if (before)
        before->next = window;
    else
        range->windows = window;
    return window;
}

static const struct value *key_values(const struct table *table, struct bytes key,
                                      struct arena *arena)
{
    if (!key.data)
        return NULL;
    struct value *values = arena_array(arena, table->key_count, sizeof *values);
    ASSERT(key_decode(table, key, arena, values)); /* encoded by ourselves */
    return values;
}

static void window_unlink(struct range *range, struct window *window)
{
    struct window **link = &range->windows;
    while (*link && *link != window)
        link = &(*link)->next;
    if (*link)
        *link = window->next;
}

static void window_fill(struct window *window, const struct table *table, struct batch *batch,
                        const struct chunk_result *result)
{
    window->batch = batch;
    window->low = result->low;
    window->high = result->high;
    window->last = result->last;
    if (batch->count > 0) {
        struct buf key;
        buf_init(&key, SIZE_MAX / 4);
        key_encode(table, batch->events[batch->count - 1].after, &key);
        window->upto = arena_copy(&window->arena, buf_view(&key));
        buf_done(&key);
    } else {
        window->last = true;
        window->upto = arena_copy(&window->arena, window->after);
    }
    window->stage = WINDOW_READ;
}

/* One chunk. False: leave this range for now. Called and returns with the lock held. */
static bool walk_step(struct snapshot_reader *self, struct job *job, struct batch *batch)
{
    struct snapshot *snapshot = self->snapshot;
    struct range *range = &job->tracked->ranges[job->range];
    struct window *window = window_open(snapshot, range);
    struct arena arena = { 0 };
    struct chunk_request request = {
        .table = job->table,
        .after = key_values(job->table, window->after, &arena),
        .until = key_values(job->table, range->until, &arena),
        .rows_max = snapshot->options->chunk_rows,
        .bytes_max = CHUNK_BYTES,
        .gate = arena_copy(&arena, window->low),
        .timeout_ms = GATE_TIMEOUT_MS,
    };
    pthread_mutex_unlock(&snapshot->lock);
    struct chunk_result result = { 0 };
    struct error err;
    bool ok = reader_connect(self, &err) &&
              snapshot->driver->reader_chunk(self->reader, &request, batch, &result, &err);
    arena_done(&arena);
    if (ok)
        reader_worked(self);
    else
        reader_trouble(self, job, &err);
    pthread_mutex_lock(&snapshot->lock);
    if (window->cancelled || !ok || !job_is_valid(snapshot, job)) {
        if (!window->cancelled)
            window_unlink(range, window);
        window_free(window);
        batch_release(batch);
        pthread_cond_broadcast(&snapshot->changed);
        return ok && job_is_valid(snapshot, job);
    }
    window_fill(window, job->table, batch, &result);
    pthread_cond_broadcast(&snapshot->changed); /* the log may be waiting for it */
    return !window->last && job_is_valid(snapshot, job);
}

static void work_walk(struct snapshot_reader *self, struct job *job)
{
    struct snapshot *snapshot = self->snapshot;
    bool more = true;
    while (more) {
        struct batch *batch = pool_take(&snapshot->pool, IDLE_MS);
        pthread_mutex_lock(&snapshot->lock);
        more = job_is_valid(snapshot, job) && !is_parked(job->tracked);
        if (!more && batch)
            batch_release(batch);
        if (more && batch)
            more = walk_step(self, job, batch);
        pthread_mutex_unlock(&snapshot->lock);
    }
    pthread_mutex_lock(&snapshot->lock);
    if (job->tracked->epoch == job->epoch && job->tracked->state == TABLE_SNAPSHOT &&
        job->range < job->tracked->range_count) {
        job->tracked->ranges[job->range].claimed = false;
        pthread_cond_broadcast(&snapshot->changed);
    }
    pthread_mutex_unlock(&snapshot->lock);
}

/* ---- scanning a table without a key ---- */

static bool scan_wait(struct snapshot *snapshot, struct job *job)
{
    while (job_is_valid(snapshot, job) && job->tracked->scan == SCAN_OPENED)
        pause_locked(snapshot, IDLE_MS);
    return job_is_valid(snapshot, job) && job->tracked->scan == SCAN_GO;
}

static void scan_post(struct snapshot *snapshot, struct job *job, struct batch *batch, bool end)
{
    batch->chunk_table = job->table;
    batch->sequence = job->epoch;
    if (end) {
        struct chunk_record *record = arena_zalloc(&batch->arena, sizeof *record);
        *record = (struct chunk_record){ .table_id = job->table->id, .complete = true };
        batch->chunk = record;
    }
    batch->next_free = NULL;
    *snapshot->ready_end = batch;
    snapshot->ready_end = &batch->next_free;
}

static bool scan_rows(struct snapshot_reader *self, struct job *job, struct error *err)
{
    struct snapshot *snapshot = self->snapshot;
    for (bool end = false; !end;) {
        struct batch *batch = pool_take(&snapshot->pool, IDLE_MS);
        bool ok = !batch || snapshot->driver->reader_scan_next(self->reader, batch, &end, err);
        pthread_mutex_lock(&snapshot->lock);
        bool valid = job_is_valid(snapshot, job) && !is_parked(job->tracked);
        if (batch && ok && valid)
            scan_post(snapshot, job, batch, end);
        else if (batch)
            batch_release(batch);
        pthread_mutex_unlock(&snapshot->lock);
        if (!ok)
            return false;
        if (!valid) {
            reader_disconnect(self); /* an open result stands on it */
            return true;
        }
    }
    return true;
}

static void work_scan(struct snapshot_reader *self, struct job *job)
{
    struct snapshot *snapshot = self->snapshot;
    struct arena arena = { 0 };
    struct error err;
    bool connected = reader_connect(self, &err);
    pthread_mutex_lock(&snapshot->lock);
    struct tracked *tracked = job->tracked;
    bool valid = connected && job_is_valid(snapshot, job);
    struct chunk_request request = { .table = job->table,
                                     .timeout_ms = GATE_TIMEOUT_MS,
                                     .lock = tracked->scan_attempts >= 20 };
    if (valid) {
        ASSERT(!tracked->scan_window);
        tracked->scan_window = window_new();
        tracked->scan = SCAN_NONE;
        request.gate = arena_copy(&arena, buf_view(&snapshot->gate));
        tracked->scan_window->gate_transaction =
            arena_copy(&tracked->scan_window->arena, buf_view(&snapshot->gate_transaction));
    }
    pthread_mutex_unlock(&snapshot->lock);
    struct chunk_result result = { 0 };
    bool opened =
        valid && snapshot->driver->reader_scan_open(self->reader, &request, &arena, &result, &err);
    pthread_mutex_lock(&snapshot->lock);
    bool go = false;
    if (opened && job_is_valid(snapshot, job)) {
        struct window *window = tracked->scan_window;
        window->low = arena_copy(&window->arena, result.low);
        window->high = arena_copy(&window->arena, result.high);
        tracked->scan_window->stage = WINDOW_READ;
        tracked->scan = SCAN_OPENED;
        pthread_cond_broadcast(&snapshot->changed);
        go = scan_wait(snapshot, job);
    }
    pthread_mutex_unlock(&snapshot->lock);
    bool ok = connected && (!valid || opened) && (!go || scan_rows(self, job, &err));
    if (opened && !go)
        reader_disconnect(self);
    if (!ok)
        reader_trouble(self, job, &err);
    else if (go)
        reader_worked(self);
    pthread_mutex_lock(&snapshot->lock);
    if (tracked->epoch == job->epoch && tracked->state == TABLE_SNAPSHOT) {
        tracked->claimed = ok && go; /* done: the intake finishes it; else somebody tries again */
        if (!ok && tracked->scan == SCAN_GO)
            tracked->overflowed = true; /* half of it is out: begin anew with an empty target */
        else if (!go && tracked->scan_window) {
            window_free(tracked->scan_window);
            tracked->scan_window = NULL;
        }
    }
    pthread_mutex_unlock(&snapshot->lock);
    arena_done(&arena);
}

/* ---- looking for work ---- */

/* Its last chunk is read, though not closed yet: it may still be thrown away. */
static bool is_read(const struct range *range)
{
    const struct window *newest = range->windows;
    while (newest && newest->next)
        newest = newest->next;
    return newest && newest->last;
}

enum work { WORK_NONE, WORK_SPLIT, WORK_WALK, WORK_SCAN };

static enum work work_of(struct tracked *tracked, struct job *job)
{
    if (!tracked || tracked->state != TABLE_SNAPSHOT || is_parked(tracked) || tracked->overflowed)
        return WORK_NONE;
    *job = (struct job){ tracked, tracked->table, tracked->epoch, tracked->generation, 0 };
    if (!tracked->split || tracked->keyless) {
        if (tracked->claimed)
            return WORK_NONE;
        tracked->claimed = true;
        return tracked->keyless ? WORK_SCAN : WORK_SPLIT;
    }
    for (uint32_t i = 0; i < tracked->range_count; i++) {
        struct range *range = &tracked->ranges[i];
        if (range->claimed || range->complete || is_read(range))
            continue;
        range->claimed = true;
        job->range = i;
        return WORK_WALK;
    }
    return WORK_NONE;
}

static enum work work_find(struct snapshot *snapshot, struct job *job)
{
    if (snapshot->replaying)
        return WORK_NONE;
    for (uint32_t i = 0; i < snapshot->table_capacity; i++) {
        enum work work = work_of(snapshot->tables[i], job);
        if (work != WORK_NONE)
            return work;
    }
    return WORK_NONE;
}

static void *reader_main(void *context)
{
    struct snapshot_reader *self = context;
    struct snapshot *snapshot = self->snapshot;
    char name[120];
    snprintf(name, sizeof name, "pipeline=%.80s part=snapshot-%u", snapshot->metrics->name,
             self->index);
    log_context(name);
    pthread_mutex_lock(&snapshot->lock);
    while (!snapshot->stopping) {
        struct job job;
        enum work work = work_find(snapshot, &job);
        if (work == WORK_NONE) {
            bool idle = atomic_load(&snapshot->active) == 0;
            pthread_mutex_unlock(&snapshot->lock);
            if (idle)
                reader_disconnect(self); /* no connection is kept when nothing is to be read */
            pthread_mutex_lock(&snapshot->lock);
            if (!snapshot->stopping)
                pause_locked(snapshot, IDLE_MS);
            continue;
        }
        pthread_mutex_unlock(&snapshot->lock);
        if (work == WORK_SPLIT)
            work_split(self, &job);
        else if (work == WORK_WALK)
            work_walk(self, &job);
        else
            work_scan(self, &job);
        pthread_mutex_lock(&snapshot->lock);
    }
    pthread_mutex_unlock(&snapshot->lock);
    reader_disconnect(self);
    return NULL;
}

void snapshot_start(struct snapshot *snapshot)
{
    uint32_t count = snapshot->options->snapshot_parallelism;
    snapshot->readers = memory_zalloc(count, sizeof *snapshot->readers);
    for (uint32_t i = 0; i < count; i++) {
        struct snapshot_reader *self = memory_zalloc(1, sizeof *self);
        *self = (struct snapshot_reader){ .snapshot = snapshot,
                                          .index = i,
                                          .retry = { .policy = snapshot->options->retry } };
        ASSERT(pthread_create(&self->thread, NULL, reader_main, self) == 0);
        snapshot->readers[snapshot->reader_count++] = self;
    }
}

void snapshot_stop(struct snapshot *snapshot)
{
    pool_close(&snapshot->pool);
    pthread_mutex_lock(&snapshot->lock);
    snapshot->stopping = true;
    for (uint32_t i = 0; i < snapshot->reader_count; i++)
        if (snapshot->readers[i]->reader)
            snapshot->driver->reader_interrupt(snapshot->readers[i]->reader);
    pthread_cond_broadcast(&snapshot->changed);
    pthread_mutex_unlock(&snapshot->lock);
    for (uint32_t i = 0; i < snapshot->reader_count; i++) {
        pthread_join(snapshot->readers[i]->thread, NULL);
        arena_done(&snapshot->readers[i]->arena);
        free(snapshot->readers[i]);
    }
    free(snapshot->readers);
    snapshot->readers = NULL;
    snapshot->reader_count = 0;
}
