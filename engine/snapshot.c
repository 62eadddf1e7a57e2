/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables that are being read, their ranges and windows: state and its changes. The threads are
 * in chunk_reader.c, the sorting and closing in merge.c. */
#include "engine/snapshot.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/memory.h"
#include "engine/base/wait.h"
#include "schema/key.h"

void snapshot_init(struct snapshot *snapshot, const struct pipeline_options *options,
                   const struct source_driver *driver, const void *source_options,
                   struct pipeline_metrics *metrics)
{
    *snapshot = (struct snapshot){
        .options = options, .driver = driver, .source_options = source_options, .metrics = metrics
    };
    pthread_mutex_init(&snapshot->lock, NULL);
    wait_init(&snapshot->changed);
    pool_init(&snapshot->pool, options->snapshot_parallelism + 2);
    buf_init(&snapshot->gate, 64 << 20);
    buf_init(&snapshot->gate_transaction, 64 << 20);
    snapshot->ready_end = &snapshot->ready;
}

struct window *window_new(void)
{
    struct window *window = memory_zalloc(1, sizeof *window);
    window->held_end = &window->held;
    return window;
}

struct chunk_record range_record(const struct tracked *tracked, uint32_t index)
{
    const struct range *range = &tracked->ranges[index];
    return (struct chunk_record){ .table_id = tracked->id,
                                  .range = index,
                                  .cursor = range->cursor,
                                  .until = range->until,
                                  .complete = range->complete,
                                  .rows = range->rows };
}

void window_free(struct window *window)
{
    if (window->batch)
        batch_release(window->batch);
    arena_done(&window->arena);
    free(window);
}

void range_drop_windows(struct range *range)
{
    for (struct window *window = range->windows, *next; window; window = next) {
        next = window->next;
        if (window->stage == WINDOW_READING) {
            window->cancelled = true; /* its reader still holds it, and frees it */
            window->next = NULL;
            continue;
        }
        window_free(window);
    }
    range->windows = NULL;
}

static void tracked_drop_scan(struct tracked *tracked)
{
    if (tracked->scan_window)
        window_free(tracked->scan_window);
    tracked->scan_window = NULL;
}

static void tracked_clear_ranges(struct tracked *tracked)
{
    for (uint32_t i = 0; i < tracked->range_count; i++) {
        struct range *range = &tracked->ranges[i];
        range_drop_windows(range);
        free((void *)(uintptr_t)range->cursor.data);
    }
    free(tracked->ranges);
    tracked->ranges = NULL;
    tracked->range_count = 0;
    tracked->split = false;
    tracked_drop_scan(tracked);
    tracked->scan = SCAN_NONE;
    arena_reset(&tracked->arena);
}

static void tracked_free(struct tracked *tracked)
{
    tracked_clear_ranges(tracked);
    arena_done(&tracked->arena);
    free(tracked);
}

void snapshot_done(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->table_capacity; i++)
        if (snapshot->tables[i])
            tracked_free(snapshot->tables[i]);
    free(snapshot->tables);
    for (struct tracked *tracked = snapshot->removed, *next; tracked; tracked = next) {
        next = tracked->next_removed;
        tracked_free(tracked);
    }
    for (struct batch *batch = snapshot->ready, *next; batch; batch = next) {
        next = batch->next_free;
        batch_release(batch);
    }
    buf_done(&snapshot->gate);
    buf_done(&snapshot->gate_transaction);
    pool_done(&snapshot->pool);
    pthread_cond_destroy(&snapshot->changed);
    pthread_mutex_destroy(&snapshot->lock);
}

struct tracked *snapshot_find(struct snapshot *snapshot, uint32_t table_id)
{
    return table_id < snapshot->table_capacity ? snapshot->tables[table_id] : NULL;
}

struct tracked *snapshot_add(struct snapshot *snapshot, const struct table *table,
                             struct target *target)
{
    if (table->id >= snapshot->table_capacity) {
        size_t before = snapshot->table_capacity;
        snapshot->tables = memory_grow(snapshot->tables, table->id, &snapshot->table_capacity,
                                       sizeof(struct tracked *));
        memset(snapshot->tables + before, 0,
               (snapshot->table_capacity - before) * sizeof(struct tracked *));
    }
    ASSERT(!snapshot->tables[table->id]);
    struct tracked *tracked = memory_zalloc(1, sizeof *tracked);
    *tracked = (struct tracked){
        .id = table->id, .table = table, .target = target, .state = TABLE_STREAMING
    };
    tracked->keyless = table->key_count == 0;
    tracked->comparable = !tracked->keyless && key_comparable(table);
    target->sources++;
    snapshot->tables[table->id] = tracked;
    return tracked;
}

static void tracked_leave_snapshot(struct snapshot *snapshot, struct tracked *tracked)
{
    if (tracked->state == TABLE_SNAPSHOT)
        atomic_fetch_sub(&snapshot->active, 1);
}

uint32_t snapshot_table_count(const struct snapshot *snapshot)
{
    uint32_t count = 0;
    for (size_t i = 0; i < snapshot->table_capacity; i++)
        count += snapshot->tables[i] != NULL;
    return count;
}

void snapshot_remove(struct snapshot *snapshot, uint32_t table_id)
{
    struct tracked *tracked = snapshot_find(snapshot, table_id);
    if (!tracked)
        return;
    tracked_leave_snapshot(snapshot, tracked);
    tracked->state = TABLE_PAUSED;
    tracked->generation++;
    tracked->target->sources--;
    tracked_clear_ranges(tracked);
    tracked->next_removed = snapshot->removed;
    snapshot->removed = tracked;
    snapshot->tables[table_id] = NULL;
    pthread_cond_broadcast(&snapshot->changed);
}

void snapshot_begin_table(struct snapshot *snapshot, struct tracked *tracked)
{
    if (tracked->state != TABLE_SNAPSHOT)
        atomic_fetch_add(&snapshot->active, 1);
    tracked->state = TABLE_SNAPSHOT;
    tracked->epoch++;
    tracked->generation++;
    tracked->scan_attempts = 0;
    tracked->overflowed = tracked->unread = false;
    tracked->sweep = 0;
    tracked->sweep_sent = false;
    tracked->stored = false;
    tracked->claimed = false;
    tracked->keyless = tracked->table->key_count == 0;
    tracked->comparable = !tracked->keyless && key_comparable(tracked->table);
    tracked_clear_ranges(tracked);
    atomic_store(&tracked->target->metrics->state, TABLE_SNAPSHOT);
    atomic_store(&tracked->target->metrics->snapshot_rows, 0);
    pthread_cond_broadcast(&snapshot->changed);
}

void snapshot_schema_changed(struct snapshot *snapshot, struct tracked *tracked,
                             const struct table *table)
{
    tracked->table = table;
    tracked->generation++;
    if (tracked->state != TABLE_SNAPSHOT)
        return;
    for (uint32_t i = 0; i < tracked->range_count; i++)
        range_drop_windows(&tracked->ranges[i]);
    tracked_drop_scan(tracked);
    tracked->scan = SCAN_AGAIN;
    pthread_cond_broadcast(&snapshot->changed);
}

void snapshot_source_moved(struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->table_capacity; i++) {
        struct tracked *tracked = snapshot->tables[i];
        /* A scan whose rows are wanted was judged by the log that it was taken from. */
        if (tracked && tracked->state == TABLE_SNAPSHOT && tracked->scan != SCAN_GO)
            snapshot_schema_changed(snapshot, tracked, tracked->table);
    }
    snapshot->replaying = true;
}

void snapshot_finish_table(struct snapshot *snapshot, struct tracked *tracked)
{
    ASSERT(tracked->state == TABLE_SNAPSHOT);
    tracked_leave_snapshot(snapshot, tracked);
    tracked->state = TABLE_STREAMING;
    tracked_clear_ranges(tracked);
    snapshot->finished |= tracked->sweep > 0;
    int reading = TABLE_SNAPSHOT; /* a worker may park it just now */
    atomic_compare_exchange_strong(&tracked->target->metrics->state, &reading, TABLE_STREAMING);
}
