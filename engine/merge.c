/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of tables that are being read, sorted into those that pass, those that wait for a chunk
 * and those that the chunk's rows will hold anyway; and the closing of windows. The rule stands in
 * snapshot.h. Everything here runs on the intake's thread with the snapshot's lock held. */
#include <stdlib.h>

#include "engine/base/map.h"
#include "engine/base/memory.h"
#include "engine/snapshot.h"
#include "schema/key.h"

enum { HELD_BYTES_MAX = 6 << 20 };

enum sorting { SORT_PASS, SORT_HOLD, SORT_DROP };

static const struct value *values_copy(struct arena *arena, const struct value *values,
                                       uint16_t count)
{
    if (!values)
        return NULL;
    struct value *copy = arena_alloc(arena, count * sizeof *copy);
    memcpy(copy, values, count * sizeof *copy);
    for (uint16_t i = 0; i < count; i++)
        if (copy[i].tag == VALUE_TEXT)
            copy[i].data = arena_copy(arena, value_bytes(&copy[i])).data;
    return copy;
}

/* An event that outlives the arena it came in. */
static struct event event_copy(struct arena *arena, const struct event *event)
{
    struct event copy = *event;
    copy.before = values_copy(arena, event->before, event->table->column_count);
    copy.after = values_copy(arena, event->after, event->table->column_count);
    copy.origin = event_origin_copy(arena, event->origin);
    return copy;
}

static void key_of(const struct table *table, const struct value *row, struct buf *key)
{
    buf_init(key, SIZE_MAX / 4);
    key_encode(table, row, key);
}

/* The range that a key lies in: ranges are in order, each ends at `until`. */
static struct range *range_find(struct tracked *tracked, struct bytes key)
{
    uint32_t low = 0, high = tracked->range_count - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (key_compare(tracked->table, key, tracked->ranges[middle].until) <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return &tracked->ranges[low];
}

/* Held changes that the window's rows surely hold need not wait for its close. */
static bool is_inside(const struct window *window, struct bytes transaction, struct source *source)
{
    if (window->gate_transaction.size > 0 && bytes_equal(window->gate_transaction, transaction))
        return true;
    return window->stage == WINDOW_READ &&
           source->driver->member(source, transaction, window->low, window->high) == MEMBER_IN;
}

static enum sorting sort_comparable(struct tracked *tracked, struct bytes key,
                                    struct window **window)
{
    if (!tracked->split)
        return SORT_DROP;
    struct range *range = range_find(tracked, key);
    if (range->complete ||
        (range->cursor.data && key_compare(tracked->table, key, range->cursor) <= 0))
        return SORT_PASS;
    for (*window = range->windows; *window; *window = (*window)->next)
        if ((*window)->stage == WINDOW_READING || (*window)->last ||
            key_compare(tracked->table, key, (*window)->upto) <= 0)
            return SORT_HOLD;
    return SORT_DROP;
}

static enum sorting sort_key(struct tracked *tracked, struct bytes key, struct bytes transaction,
                             struct source *source, struct window **window)
{
    enum sorting sorting;
    *window = NULL;
    if (tracked->keyless) {
        *window = tracked->scan_window;
        sorting = tracked->scan == SCAN_GO ? SORT_PASS : *window ? SORT_HOLD : SORT_DROP;
    } else {
        sorting = sort_comparable(tracked, key, window);
    }
    return sorting == SORT_HOLD && is_inside(*window, transaction, source) ? SORT_DROP : sorting;
}

static void held_add(struct window *window, const struct event *event, struct bytes key,
                     struct bytes transaction)
{
    if (!bytes_equal(window->transaction, transaction) || !window->transaction.data)
        window->transaction = arena_copy(&window->arena, transaction);
    struct held *held = arena_zalloc(&window->arena, sizeof *held);
    held->event = event_copy(&window->arena, event);
    held->key = arena_copy(&window->arena, key);
    held->transaction = window->transaction;
    *window->held_end = held;
    window->held_end = &held->next;
}

/* One side of a change. True: it passes. */
static bool sort_side(struct tracked *tracked, struct event event, const struct value *row,
                      struct bytes transaction, struct source *source)
{
    struct buf key;
    key_of(event.table, row, &key);
    struct window *window;
    enum sorting sorting = sort_key(tracked, buf_view(&key), transaction, source, &window);
    if (sorting == SORT_HOLD)
        held_add(window, &event, buf_view(&key), transaction);
    buf_done(&key);
    return sorting == SORT_PASS;
}

/* A table whose keys C cannot order: the side passes, and open windows remember it. */
static void remember_side(struct tracked *tracked, struct event event, const struct value *row,
                          struct bytes transaction, struct source *source)
{
    struct window *window = tracked->split ? tracked->ranges[0].windows : NULL;
    if (!window)
        return;
    struct buf key;
    key_of(event.table, row, &key);
    for (; window; window = window->next)
        if (!is_inside(window, transaction, source))
            held_add(window, &event, buf_view(&key), transaction);
    buf_done(&key);
}

void merge_sort_event(struct tracked *tracked, struct event *event, struct bytes transaction,
                      struct source *source)
{
    const struct table *table = event->table;
    const struct value *row =
        event->op == EVENT_INSERT || !event->before ? event->after : event->before;
    bool ordered = tracked->comparable || tracked->keyless;
    bool split = event->op == EVENT_UPDATE && !tracked->keyless && event->before &&
                 key_moves(table, event->before, event->after);
    if (!split) {
        if (ordered)
            event->dropped = !sort_side(tracked, *event, row, transaction, source);
        else
            remember_side(tracked, *event, row, transaction, source);
        return;
    }
    struct event removal = *event, addition = *event;
    removal.op = EVENT_DELETE;
    removal.after = NULL;
    addition.op = EVENT_INSERT;
    addition.before = NULL;
    if (!ordered) {
        remember_side(tracked, removal, event->before, transaction, source);
        remember_side(tracked, addition, event->after, transaction, source);
        return;
    }
    bool old_passes = sort_side(tracked, removal, event->before, transaction, source);
    bool new_passes = sort_side(tracked, addition, event->after, transaction, source);
    if (old_passes && !new_passes)
        *event = removal;
    else if (new_passes && !old_passes)
        *event = addition;
    event->dropped = !old_passes && !new_passes;
}

/* ---- what is held, kept small ---- */

static bool is_full(const struct window *window) { return window->arena.total > HELD_BYTES_MAX; }

bool merge_is_full(const struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->table_capacity; i++) {
        const struct tracked *tracked = snapshot->tables[i];
        if (!tracked || tracked->state != TABLE_SNAPSHOT)
            continue;
        if (tracked->scan_window && tracked->scan == SCAN_NONE && is_full(tracked->scan_window))
            return true;
        for (uint32_t k = 0; k < tracked->range_count; k++)
            for (const struct window *window = tracked->ranges[k].windows; window;
                 window = window->next)
                if (window->stage == WINDOW_READING && is_full(window))
                    return true;
    }
    return false;
}

/* Now that the snapshot is known: forgets what was held and lies in it or behind the chunk. */
static void window_sift(struct tracked *tracked, struct window *window, struct source *source)
{
    struct arena old = window->arena;
    struct held *held = window->held;
    window->arena = (struct arena){ 0 };
    window->after = arena_copy(&window->arena, window->after);
    window->upto = arena_copy(&window->arena, window->upto);
    window->gate_transaction = arena_copy(&window->arena, window->gate_transaction);
    if (tracked->keyless) { /* a chunk's lie in its batch */
        window->low = arena_copy(&window->arena, window->low);
        window->high = arena_copy(&window->arena, window->high);
    }
    window->transaction = (struct bytes){ 0 };
    window->held = NULL;
    window->held_end = &window->held;
    for (; held; held = held->next) {
        bool behind = tracked->comparable && !window->last &&
                      key_compare(tracked->table, held->key, window->upto) > 0;
        if (!behind && !is_inside(window, held->transaction, source))
            held_add(window, &held->event, held->key, held->transaction);
    }
    window->sifted = true;
    arena_done(&old);
}

/* Too much is left: the chunk is read again, and will hold these changes. */
static void window_overflow(struct snapshot *snapshot, struct tracked *tracked, struct range *range)
{
    tracked->generation++;
    if (range) {
        range_drop_windows(range);
    } else {
        window_free(tracked->scan_window);
        tracked->scan_window = NULL;
        tracked->scan = SCAN_AGAIN;
    }
    pthread_cond_broadcast(&snapshot->changed);
}

static void range_relieve(struct merge_context *merge, struct tracked *tracked, struct range *range)
{
    for (struct window *window = range->windows; window; window = window->next) {
        if (window->stage != WINDOW_READ || !is_full(window))
            continue;
        if (!window->sifted)
            window_sift(tracked, window, merge->source);
        if (is_full(window)) {
            window_overflow(merge->snapshot, tracked, range);
            return;
        }
    }
}

static void scan_relieve(struct merge_context *merge, struct tracked *tracked)
{
    struct window *window = tracked->scan_window;
    if (!window || tracked->scan != SCAN_OPENED || !is_full(window))
        return;
    if (!window->sifted)
        window_sift(tracked, window, merge->source);
    if (is_full(window))
        window_overflow(merge->snapshot, tracked, NULL);
}

/* ---- closing ---- */

static struct map rows_by_key(const struct batch *batch, const struct table *table)
{
    struct map map = { 0 };
    for (uint32_t i = 0; i < batch->count; i++) {
        struct buf key;
        key_of(table, batch->events[i].after, &key);
        map_put(&map, buf_view(&key), (void *)(uintptr_t)(i + 1));
        buf_done(&key);
    }
    return map;
}

/* Columns that the change's image does not hold keep what the row had. */
static const struct value *overlay_values(struct batch *batch, const struct held *held,
                                          const struct value *row)
{
    uint16_t count = held->event.table->column_count;
    const struct value *copy = values_copy(&batch->arena, held->event.after, count);
    struct value *merged = arena_alloc(&batch->arena, count * sizeof *merged);
    for (uint16_t i = 0; i < count; i++)
        merged[i] = copy[i].tag == VALUE_ABSENT && row ? row[i] : copy[i];
    return merged;
}

/* A change that the rows may or may not hold: laid over them it is right either way. */
static void overlay(struct batch *batch, struct map *rows, const struct held *held, bool adds)
{
    uintptr_t found = (uintptr_t)map_get(rows, held->key);
    if (!found && !adds)
        return; /* a row that was not read has been delivered by its change */
    if (held->event.op == EVENT_DELETE) {
        if (found)
            batch->events[found - 1].dropped = true;
        return;
    }
    const struct value *values = overlay_values(
        batch, held,
        found && !batch->events[found - 1].dropped ? batch->events[found - 1].after : NULL);
    struct event *row = found ? &batch->events[found - 1] : batch_add(batch);
    *row = (struct event){ .op = EVENT_INSERT,
                           .snapshot = true,
                           .table = held->event.table,
                           .after = values,
                           .time_us = held->event.time_us,
                           .origin = event_origin_copy(&batch->arena, held->event.origin) };
    if (!found)
        map_put(rows, held->key, (void *)(uintptr_t)batch->count);
}

static void append_out(struct batch *batch, const struct held *held, struct target *target)
{
    struct event *event = batch_add(batch);
    *event = event_copy(&batch->arena, &held->event);
    event->target = target;
}

/* The mark of a chunk: later than all that it holds, earlier than what follows, never given twice.
 */
static uint64_t chunk_mark(struct merge_context *merge, const struct held *first_out)
{
    uint64_t commit = mark_commit(merge->stream_mark);
    if (first_out)
        commit = mark_commit(first_out->event.mark) - 1;
    else if (merge->inside && commit > 0)
        commit--;
    uint32_t slots = MARK_CHUNK_LAST - MARK_CHUNK_FIRST + 1;
    uint32_t slot = merge->snapshot->chunk_counter++ % slots;
    return mark_make(commit, MARK_CHUNK_FIRST + slot);
}

struct closing {
    struct tracked *tracked;
    struct range *range;
    struct window *window;
};

/* Lays what the snapshot may lack over the rows; *out_count changes are left to follow them. */
static void merge_held(struct merge_context *merge, const struct closing *closing,
                       const struct held **outs, uint32_t *out_count)
{
    const struct tracked *tracked = closing->tracked;
    struct window *window = closing->window;
    struct map rows = { 0 };
    bool mapped = false;
    for (struct held *held = window->held; held; held = held->next) {
        if (tracked->comparable && !window->last &&
            key_compare(tracked->table, held->key, window->upto) > 0)
            continue; /* behind the chunk: it will be read */
        enum membership member = merge->source->driver->member(merge->source, held->transaction,
                                                               window->low, window->high);
        if (member == MEMBER_IN)
            continue;
        if (member == MEMBER_OUT && tracked->comparable) {
            outs[(*out_count)++] = held;
            continue;
        }
        if (!mapped)
            rows = rows_by_key(window->batch, tracked->table);
        mapped = true;
        overlay(window->batch, &rows, held, tracked->comparable);
    }
    map_done(&rows);
}

static uint32_t held_count(const struct window *window)
{
    uint32_t count = 0;
    for (struct held *held = window->held; held; held = held->next)
        count++;
    return count;
}

static void stamp(struct batch *batch, uint64_t mark, struct target *target)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        batch->events[i].mark = mark;
        batch->events[i].target = target;
    }
}

static bool emit_chunk(struct merge_context *merge, const struct closing *closing,
                       struct error *err)
{
    struct tracked *tracked = closing->tracked;
    struct range *range = closing->range;
    struct window *window = closing->window;
    struct batch *batch = window->batch;
    struct chunk_record *record = arena_zalloc(&batch->arena, sizeof *record);
    *record = range_record(tracked, (uint32_t)(range - tracked->ranges));
    record->cursor = arena_copy(&batch->arena, record->cursor);
    record->until = arena_copy(&batch->arena, record->until);
    batch->chunk = record;
    batch->chunk_target = tracked->target;
    batch->chunk_table = tracked->table;
    batch->stream_mark = merge->stream_mark;
    window->batch = NULL;
    return merge->emit(merge->context, batch, err);
}

static bool close_window(struct merge_context *merge, struct closing *closing, struct error *err)
{
    struct range *range = closing->range;
    struct window *window = closing->window;
    struct batch *batch = window->batch;
    uint32_t out_count = 0;
    const struct held **outs = memory_zalloc(held_count(window), sizeof *outs);
    merge_held(merge, closing, outs, &out_count);
    stamp(batch, chunk_mark(merge, out_count ? outs[0] : NULL), closing->tracked->target);
    range->rows += batch->count;
    for (uint32_t i = 0; i < out_count; i++)
        append_out(batch, outs[i], closing->tracked->target);
    free(outs);
    if (window->upto.data) {
        free((void *)(uintptr_t)range->cursor.data);
        range->cursor = memory_copy(window->upto);
    }
    range->complete = window->last;
    range->windows = window->next;
    bool ok = emit_chunk(merge, closing, err);
    window_free(window);
    pthread_cond_broadcast(&merge->snapshot->changed);
    return ok;
}

static bool close_range(struct merge_context *merge, struct tracked *tracked, struct range *range,
                        struct error *err)
{
    struct window *window;
    while ((window = range->windows) && window->stage != WINDOW_READING &&
           merge->source->driver->passed(merge->source, window->high)) {
        struct closing closing = { tracked, range, window };
        if (!close_window(merge, &closing, err))
            return false;
    }
    range_relieve(merge, tracked, range);
    return true;
}

static bool close_table(struct merge_context *merge, struct tracked *tracked, struct error *err)
{
    bool complete = tracked->split;
    for (uint32_t i = 0; i < tracked->range_count; i++) {
        if (!close_range(merge, tracked, &tracked->ranges[i], err))
            return false;
        complete = complete && tracked->ranges[i].complete;
    }
    if (complete)
        snapshot_finish_table(merge->snapshot, tracked);
    return true;
}

/* The watermarks of a keyless scan are known: did a change of the table fall between them? */
static void judge_scan(struct merge_context *merge, struct tracked *tracked)
{
    struct window *window = tracked->scan_window;
    if (tracked->scan != SCAN_OPENED || !window ||
        !merge->source->driver->passed(merge->source, window->high))
        return;
    struct held *outs = NULL, **end = &outs;
    for (struct held *held = window->held, *next; held; held = next) {
        next = held->next;
        enum membership member = merge->source->driver->member(merge->source, held->transaction,
                                                               window->low, window->high);
        if (member == MEMBER_MAYBE) {
            tracked->scan = SCAN_AGAIN;
            tracked->scan_attempts++;
            window_free(window);
            tracked->scan_window = NULL;
            pthread_cond_broadcast(&merge->snapshot->changed);
            return;
        }
        if (member == MEMBER_OUT) {
            held->next = NULL;
            *end = held;
            end = &held->next;
        }
    }
    window->held = outs;
    window->read_mark = mark_commit(chunk_mark(merge, outs));
    tracked->scan = SCAN_GO;
    pthread_cond_broadcast(&merge->snapshot->changed);
}

static bool emit_scanned(struct merge_context *merge, struct batch *batch, struct error *err)
{
    struct snapshot *snapshot = merge->snapshot;
    struct tracked *tracked = snapshot_find(snapshot, batch->chunk_table->id);
    if (!tracked || tracked->epoch != batch->sequence || tracked->scan != SCAN_GO) {
        batch_release(batch);
        return true;
    }
    uint32_t slots = MARK_CHUNK_LAST - MARK_CHUNK_FIRST + 1;
    stamp(batch,
          mark_make(tracked->scan_window->read_mark,
                    MARK_CHUNK_FIRST + snapshot->chunk_counter++ % slots),
          tracked->target);
    for (struct held *held = tracked->scan_window->held; held; held = held->next)
        append_out(batch, held, tracked->target);
    tracked->scan_window->held = NULL;
    batch->chunk_target = tracked->target;
    batch->stream_mark = merge->stream_mark;
    if (batch->chunk)
        snapshot_finish_table(snapshot, tracked);
    return merge->emit(merge->context, batch, err);
}

static void relieve_all(struct merge_context *merge)
{
    for (uint32_t i = 0; i < merge->snapshot->table_capacity; i++) {
        struct tracked *tracked = merge->snapshot->tables[i];
        if (!tracked || tracked->state != TABLE_SNAPSHOT)
            continue;
        scan_relieve(merge, tracked);
        for (uint32_t k = 0; k < tracked->range_count; k++)
            range_relieve(merge, tracked, &tracked->ranges[k]);
    }
}

bool merge_close_windows(struct merge_context *merge, struct error *err)
{
    struct snapshot *snapshot = merge->snapshot;
    if (merge->waits) {
        relieve_all(merge);
        return true;
    }
    for (uint32_t i = 0; i < snapshot->table_capacity; i++) {
        struct tracked *tracked = snapshot->tables[i];
        if (!tracked || tracked->state != TABLE_SNAPSHOT)
            continue;
        if (tracked->keyless) {
            judge_scan(merge, tracked);
            scan_relieve(merge, tracked);
        } else if (!close_table(merge, tracked, err)) {
            return false;
        }
    }
    while (snapshot->ready) {
        struct batch *batch = snapshot->ready;
        snapshot->ready = batch->next_free;
        if (!snapshot->ready)
            snapshot->ready_end = &snapshot->ready;
        batch->next_free = NULL;
        if (!emit_scanned(merge, batch, err))
            return false;
    }
    return true;
}
