/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of tables that are being read, sorted into those that pass, those that wait for a chunk
 * and those that the chunk's rows will hold anyway; and the closing of windows. The rule stands in
 * snapshot.h. Everything here runs on the intake's thread with the snapshot's lock held. */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/map.h"
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

static enum sorting sort_comparable(struct tracked *tracked, struct bytes key, struct range **range,
                                    struct window **window)
{
    if (!tracked->split)
        return SORT_DROP;
    *range = range_find(tracked, key);
    if ((*range)->complete ||
        ((*range)->cursor.data && key_compare(tracked->table, key, (*range)->cursor) <= 0))
        return SORT_PASS;
    for (*window = (*range)->windows; *window; *window = (*window)->next)
        if ((*window)->stage == WINDOW_READING || (*window)->last ||
            key_compare(tracked->table, key, (*window)->upto) <= 0)
            return SORT_HOLD;
    return SORT_DROP;
}

static enum sorting sort_key(struct tracked *tracked, struct bytes key, struct range **range,
                             struct window **window)
{
    *range = NULL;
    *window = NULL;
    if (tracked->keyless) {
        if (tracked->scan == SCAN_GO)
            return SORT_PASS;
        *window = tracked->scan_window;
        return *window ? SORT_HOLD : SORT_DROP;
    }
    if (tracked->comparable)
        return sort_comparable(tracked, key, range, window);
    if (!tracked->split)
        return SORT_DROP;
    *range = &tracked->ranges[0];
    if (!(*range)->carry)
        (*range)->carry = window_new();
    *window = (*range)->carry;
    return SORT_HOLD;
}

/* Too much waits: what waits is dropped and the chunk is read again, after these changes. */
static void window_overflow(struct snapshot *snapshot, struct tracked *tracked, struct range *range)
{
    tracked->generation++;
    if (tracked->keyless) {
        window_free(tracked->scan_window);
        tracked->scan_window = NULL;
        tracked->scan = SCAN_AGAIN;
    } else {
        range_drop_windows(range);
        if (range->carry) {
            window_free(range->carry);
            range->carry = NULL;
            tracked->overflowed = range->cursor.data != NULL;
        }
    }
    pthread_cond_broadcast(&snapshot->changed);
}

static void hold(struct snapshot *snapshot, struct tracked *tracked, struct range *range,
                 struct window *window, const struct event *event, struct bytes key,
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
    if (window->arena.total > HELD_BYTES_MAX)
        window_overflow(snapshot, tracked, range);
}

/* One side of a change. True: it passes. */
static bool sort_side(struct snapshot *snapshot, struct tracked *tracked, struct event event,
                      const struct value *row, struct bytes transaction)
{
    struct buf key;
    key_of(event.table, row, &key);
    struct range *range;
    struct window *window;
    enum sorting sorting = sort_key(tracked, buf_view(&key), &range, &window);
    if (sorting == SORT_HOLD)
        hold(snapshot, tracked, range, window, &event, buf_view(&key), transaction);
    buf_done(&key);
    return sorting == SORT_PASS;
}

static bool key_changed(const struct table *table, const struct value *before,
                        const struct value *after)
{
    for (uint16_t i = 0; i < table->key_count; i++) {
        uint16_t column = table->key_columns[i];
        if (after[column].tag != VALUE_ABSENT && !value_equal(&before[column], &after[column]))
            return true;
    }
    return false;
}

void merge_sort_event(struct snapshot *snapshot, struct tracked *tracked, struct event *event,
                      struct bytes transaction, struct source *source)
{
    (void)source;
    const struct table *table = event->table;
    bool split = event->op == EVENT_UPDATE && !tracked->keyless && event->before &&
                 key_changed(table, event->before, event->after);
    if (!split) {
        const struct value *row = event->op == EVENT_DELETE || (event->op == EVENT_UPDATE && event->before)
                                      ? event->before : event->after;
        event->dropped = !sort_side(snapshot, tracked, *event, row, transaction);
        return;
    }
    struct event removal = *event, addition = *event;
    removal.op = EVENT_DELETE;
    removal.after = NULL;
    addition.op = EVENT_INSERT;
    addition.before = NULL;
    bool old_passes = sort_side(snapshot, tracked, removal, event->before, transaction);
    bool new_passes = sort_side(snapshot, tracked, addition, event->after, transaction);
    if (old_passes && !new_passes)
        *event = removal;
    else if (new_passes && !old_passes)
        *event = addition;
    event->dropped = !old_passes && !new_passes;
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
static void overlay(struct batch *batch, struct map *rows, const struct held *held)
{
    uintptr_t found = (uintptr_t)map_get(rows, held->key);
    if (held->event.op == EVENT_DELETE) {
        if (found)
            batch->events[found - 1].dropped = true;
        return;
    }
    const struct value *values =
        overlay_values(batch, held, found && !batch->events[found - 1].dropped
                                        ? batch->events[found - 1].after : NULL);
    struct event *row = found ? &batch->events[found - 1] : batch_add(batch);
    *row = (struct event){ .op = EVENT_INSERT, .snapshot = true, .table = held->event.table,
                           .after = values, .time_us = held->event.time_us,
                           .origin = event_origin_copy(&batch->arena, held->event.origin) };
    if (!found)
        map_put(rows, held->key, (void *)(uintptr_t)batch->count);
}

static void append_out(struct batch *batch, const struct held *held)
{
    struct event *event = batch_add(batch);
    *event = event_copy(&batch->arena, &held->event);
}

/* The mark of a chunk: later than all that it holds, earlier than what follows (`next`, the first of
 * it that has been read; or NULL), never given twice. */
static uint64_t chunk_mark(struct merge_context *merge, const struct held *next)
{
    uint64_t commit = mark_commit(merge->stream_mark);
    if (next)
        commit = mark_commit(next->event.mark) - 1;
    else if (merge->inside && commit > 0)
        commit--;
    uint32_t slots = MARK_CHUNK_LAST - MARK_CHUNK_FIRST + 1;
    uint32_t slot = merge->snapshot->chunk_counter++ % slots;
    return mark_make(commit, MARK_CHUNK_FIRST + slot);
}

struct closing {
    struct tracked *tracked;
    struct range *range;
    struct window *window; /* rows and watermarks */
    struct window *held_by; /* whose held changes: the window itself, or the range's carry */
};

/* Where a held change lies: 0 behind the chunk, 1 in it, -1 before it (delivered keys). */
static int place_of(const struct closing *closing, const struct held *held, uint32_t index)
{
    const struct window *window = closing->window;
    if (closing->tracked->comparable)
        return window->last || key_compare(closing->tracked->table, held->key, window->upto) <= 0;
    if (window->after.data && closing->held_by->not_after_lower[index])
        return -1;
    return window->last || closing->held_by->not_after_upper[index];
}

static void merge_held(struct merge_context *merge, const struct closing *closing,
                       const struct held **outs, uint32_t *out_count)
{
    struct window *window = closing->window;
    struct map rows = { 0 };
    bool mapped = false;
    uint32_t index = 0;
    for (struct held *held = closing->held_by->held; held; held = held->next, index++) {
        if (!closing->tracked->comparable && index >= closing->held_by->compare_count)
            break;
        int place = place_of(closing, held, index);
        enum membership member =
            place > 0 ? merge->source->driver->member(merge->source, held->transaction, window->low,
                                                      window->high)
            : place < 0 ? MEMBER_OUT : MEMBER_IN;
        if (member == MEMBER_MAYBE) {
            if (!mapped)
                rows = rows_by_key(window->batch, closing->tracked->table);
            mapped = true;
            overlay(window->batch, &rows, held);
        } else if (member == MEMBER_OUT) {
            outs[(*out_count)++] = held;
        }
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

/* The first change that follows the chunk's rows and may be of one of them: it decides the chunk's
 * mark. Delivered keys do not matter; what came while the database was asked may lie anywhere. */
static const struct held *first_behind(const struct closing *closing, const struct held **outs,
                                       uint32_t count)
{
    if (closing->tracked->comparable)
        return count ? outs[0] : NULL;
    uint32_t index = 0, out = 0;
    for (struct held *held = closing->held_by ? closing->held_by->held : NULL; held;
         held = held->next, index++) {
        if (index >= closing->held_by->compare_count)
            return held;
        if (out < count && outs[out] == held) {
            out++;
            if (place_of(closing, held, index) > 0)
                return held;
        }
    }
    return NULL;
}

static void stamp(struct batch *batch, uint64_t mark, struct target *target)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        batch->events[i].mark = mark;
        batch->events[i].target = target;
    }
}

static void carry_on(struct range *range)
{
    struct window *old = range->carry;
    range->carry = NULL;
    if (!old)
        return;
    struct window *fresh = window_new();
    uint32_t index = 0;
    for (struct held *held = old->held; held; held = held->next, index++) {
        if (index < old->compare_count)
            continue;
        fresh->transaction = arena_copy(&fresh->arena, held->transaction);
        struct held *copy = arena_zalloc(&fresh->arena, sizeof *copy);
        copy->event = event_copy(&fresh->arena, &held->event);
        copy->key = arena_copy(&fresh->arena, held->key);
        copy->transaction = fresh->transaction;
        *fresh->held_end = copy;
        fresh->held_end = &copy->next;
    }
    window_free(old);
    range->carry = fresh;
}

static bool emit_chunk(struct merge_context *merge, const struct closing *closing, struct error *err)
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
    const struct held **outs =
        malloc((closing->held_by ? held_count(closing->held_by) + 1 : 1) * sizeof *outs);
    ASSERT(outs);
    if (closing->held_by)
        merge_held(merge, closing, outs, &out_count);
    stamp(batch, chunk_mark(merge, first_behind(closing, outs, out_count)),
          closing->tracked->target);
    range->rows += batch->count;
    if (!closing->tracked->comparable && closing->held_by && closing->held_by->held)
        batch->carried_from = closing->held_by->held->event.mark;
    for (uint32_t i = 0; i < out_count; i++)
        append_out(batch, outs[i]);
    free(outs);
    if (window->upto.data) {
        free((void *)(uintptr_t)range->cursor.data);
        range->cursor = bytes_own(window->upto);
    }
    range->complete = window->last;
    range->windows = window->next;
    if (!range->windows)
        range->windows_end = &range->windows;
    if (!closing->tracked->comparable)
        carry_on(range);
    bool ok = emit_chunk(merge, closing, err);
    window->closed = true;
    if (!window->attended)
        window_free(window);
    pthread_cond_broadcast(&merge->snapshot->changed);
    return ok;
}

/* A table whose order only the database knows: it is asked before the window closes. */
static bool compare_first(struct merge_context *merge, struct range *range, struct window *window)
{
    struct window *carry = range->carry;
    if (!carry || !carry->held || window->stage == WINDOW_COMPARED)
        return false;
    if (window->stage == WINDOW_READ) {
        carry->compare_count = held_count(carry);
        window->stage = WINDOW_COMPARING;
        pthread_cond_broadcast(&merge->snapshot->changed);
    }
    return true;
}

static bool close_range(struct merge_context *merge, struct tracked *tracked, struct range *range,
                        struct error *err)
{
    struct window *window;
    while ((window = range->windows) && window->stage != WINDOW_READING &&
           merge->source->driver->passed(merge->source, window->high)) {
        if (!tracked->comparable && compare_first(merge, range, window))
            return true;
        struct closing closing = { tracked, range, window,
                                   tracked->comparable ? window : range->carry };
        if (!close_window(merge, &closing, err))
            return false;
    }
    return true;
}

/* ---- what a table holds back whose order only the database knows ---- */

static bool has_carry(const struct tracked *tracked)
{
    return tracked->state == TABLE_SNAPSHOT && !tracked->keyless && !tracked->comparable &&
           tracked->split && tracked->ranges[0].carry && tracked->ranges[0].carry->held;
}

bool merge_holds_back(const struct tracked *tracked)
{
    /* Before the first chunk is delivered all will be read; a parked table is read anew. */
    return has_carry(tracked) && tracked->ranges[0].cursor.data &&
           atomic_load(&tracked->target->metrics->state) != TABLE_PARKED;
}

void merge_take_held_back(struct tracked *tracked, struct batch *batch)
{
    struct range *range = &tracked->ranges[0];
    batch->carried_from = range->carry->held->event.mark;
    for (struct held *held = range->carry->held; held; held = held->next)
        append_out(batch, held);
    batch->chunk_target = tracked->target;
    batch->chunk_table = tracked->table;
    window_free(range->carry);
    range->carry = NULL;
}

void merge_note_held_back(const struct snapshot *snapshot, struct batch *batch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < snapshot->table_capacity; i++)
        count += snapshot->tables[i] && merge_holds_back(snapshot->tables[i]);
    struct held_back *items = count ? arena_array(&batch->arena, count, sizeof *items) : NULL;
    batch->held_back = items;
    batch->held_back_count = count;
    for (uint32_t i = 0; count && i < snapshot->table_capacity; i++)
        if (snapshot->tables[i] && merge_holds_back(snapshot->tables[i]))
            *items++ = (struct held_back){ snapshot->tables[i]->target,
                                           snapshot->tables[i]->ranges[0].carry->held->event.mark };
}

/* The last changes that waited for a table that is now read to its end. */
static bool flush_carry(struct merge_context *merge, struct tracked *tracked, struct error *err)
{
    if (!has_carry(tracked))
        return true;
    struct batch *batch = pool_take(&merge->snapshot->pool, 0);
    if (!batch)
        return true; /* at the next turn */
    merge_take_held_back(tracked, batch);
    batch->stream_mark = merge->stream_mark;
    return merge->emit(merge->context, batch, err);
}

static bool close_table(struct merge_context *merge, struct tracked *tracked, struct error *err)
{
    bool complete = tracked->split;
    for (uint32_t i = 0; i < tracked->range_count; i++) {
        if (!close_range(merge, tracked, &tracked->ranges[i], err))
            return false;
        complete = complete && tracked->ranges[i].complete;
    }
    if (!complete)
        return true;
    if (!flush_carry(merge, tracked, err))
        return false;
    if (!has_carry(tracked))
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
    stamp(batch, mark_make(tracked->scan_window->read_mark,
                           MARK_CHUNK_FIRST + snapshot->chunk_counter++ % slots), tracked->target);
    for (struct held *held = tracked->scan_window->held; held; held = held->next)
        append_out(batch, held);
    tracked->scan_window->held = NULL;
    batch->chunk_target = tracked->target;
    batch->stream_mark = merge->stream_mark;
    if (batch->chunk)
        snapshot_finish_table(snapshot, tracked);
    return merge->emit(merge->context, batch, err);
}

bool merge_close_windows(struct merge_context *merge, struct error *err)
{
    struct snapshot *snapshot = merge->snapshot;
    for (uint32_t i = 0; i < snapshot->table_capacity; i++) {
        struct tracked *tracked = snapshot->tables[i];
        if (!tracked || tracked->state != TABLE_SNAPSHOT)
            continue;
        if (tracked->keyless)
            judge_scan(merge, tracked);
        else if (!close_table(merge, tracked, err))
            return false;
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
