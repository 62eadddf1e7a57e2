/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema events on the intake's side: which tables are followed, where their rows go, and which
 * must be read again. The event itself goes to the workers, who apply it to the target. */
#include "engine/intake.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"

static bool key_differs(const struct table *before, const struct table *after)
{
    if (before->key_count != after->key_count)
        return true;
    for (uint16_t i = 0; i < before->key_count; i++) {
        struct bytes old = before->columns[before->key_columns[i]].name;
        if (!bytes_equal(old, after->columns[after->key_columns[i]].name))
            return true;
    }
    return false;
}

static struct target *target_of(struct intake *intake, const struct table *table)
{
    struct arena scratch = { 0 };
    struct bytes database, name;
    route_target(intake->route, table->database, table->schema, table->name, &scratch, &database,
                 &name);
    struct bytes shown = arena_printf(&scratch, "%.*s.%.*s", BYTES_ARGS(table->database),
                                      BYTES_ARGS(table->name));
    struct target *target = intake_target(intake, database, name, shown);
    arena_done(&scratch);
    return target;
}

static bool put_record(struct intake *intake, const struct tracked *tracked, struct error *err)
{
    if (!intake->checkpoint)
        return true;
    struct checkpoint_write *write = checkpoint_begin(intake->checkpoint);
    if (tracked->state == TABLE_SNAPSHOT && !tracked->stored)
        checkpoint_clear_ranges(write, tracked->id);
    checkpoint_put_record(write, &(struct table_record){ .table_id = tracked->id,
                                                         .state = tracked->state,
                                                         .range_count = tracked->range_count,
                                                         .epoch = tracked->epoch });
    return checkpoint_commit(write, false, err);
}

bool intake_store_ranges(struct intake *intake, struct tracked *tracked, struct error *err)
{
    tracked->stored = true;
    if (!intake->checkpoint || tracked->range_count == 0)
        return true;
    struct checkpoint_write *write = checkpoint_begin(intake->checkpoint);
    checkpoint_clear_ranges(write, tracked->id);
    for (uint32_t i = 0; i < tracked->range_count; i++) {
        struct chunk_record range = range_record(tracked, i);
        /* Nothing of it is durable yet: it begins where the one before it ends. */
        range.cursor = i > 0 ? tracked->ranges[i - 1].until : (struct bytes){ 0 };
        range.complete = false;
        range.rows = 0;
        checkpoint_put_range(write, &range);
    }
    checkpoint_put_record(write, &(struct table_record){ .table_id = tracked->id,
                                                         .state = TABLE_SNAPSHOT,
                                                         .range_count = tracked->range_count,
                                                         .epoch = tracked->epoch });
    return checkpoint_commit(write, false, err);
}

bool intake_forget_tables(struct intake *intake, uint64_t durable_mark, struct error *err)
{
    struct forgotten **link = &intake->forgotten;
    while (*link) {
        struct forgotten *forgotten = *link;
        if (forgotten->mark > durable_mark) {
            link = &forgotten->next;
            continue;
        }
        *link = forgotten->next;
        if (intake->checkpoint) {
            struct checkpoint_write *write = checkpoint_begin(intake->checkpoint);
            checkpoint_forget_table(write, forgotten->table_id);
            if (!checkpoint_commit(write, false, err)) {
                free(forgotten);
                return false;
            }
        }
        free(forgotten);
    }
    return true;
}

/* ---- reading a table anew ---- */

bool intake_resync(struct intake *intake, struct tracked *tracked, bool truncate, struct error *err)
{
    struct batch *batch = pool_take(&intake->pool, -1);
    if (!batch)
        return error_set(err, ERROR_STOP, "stopping");
    struct schema_change *change = arena_zalloc(&batch->arena, sizeof *change);
    *change = (struct schema_change){ .kind = CHANGE_RESYNC_TABLE, .after = tracked->table };
    struct event *event = batch_add(batch);
    *event = (struct event){ .op = EVENT_SCHEMA, .table = tracked->table, .change = change,
                             .target = tracked->target, .mark = intake->stream_mark,
                             /* other tables' rows in the same target stay */
                             .truncates = truncate && tracked->target->sources < 2, .time_us = intake->position_time_us };
    batch->stream_mark = intake->stream_mark;
    snapshot_begin_table(intake->snapshot, tracked);
    merge_note_held_back(intake->snapshot, batch);
    log_info("table '%.*s.%.*s' is read again", BYTES_ARGS(tracked->table->database),
             BYTES_ARGS(tracked->table->name));
    return put_record(intake, tracked, err) && intake_push(intake, batch, err);
}

/* ---- events ---- */

static void schema_create(struct intake *intake, struct event *event, bool adopt)
{
    if (snapshot_find(intake->snapshot, event->table->id)) {
        event->dropped = true;
        return;
    }
    event->target = target_of(intake, event->table);
    if (adopt)
        snapshot_add(intake->snapshot, event->table, event->target);
    atomic_store(&event->target->metrics->state, TABLE_STREAMING);
}

static void schema_drop(struct intake *intake, struct event *event, struct tracked *tracked)
{
    event->target = tracked->target;
    event->dropped = event->change->left;
    struct forgotten *forgotten = calloc(1, sizeof *forgotten);
    ASSERT(forgotten);
    *forgotten = (struct forgotten){ tracked->id, event->mark, intake->forgotten };
    intake->forgotten = forgotten;
    snapshot_remove(intake->snapshot, tracked->id);
}

static void schema_rename(struct intake *intake, struct event *event, struct tracked *tracked)
{
    struct target *target = target_of(intake, event->change->after);
    event->target = tracked->target;
    event->table = event->change->after;
    if (target != tracked->target) {
        event->renamed_target = target;
        atomic_store(&target->metrics->state, atomic_load(&tracked->target->metrics->state));
        atomic_store(&tracked->target->metrics->state, TABLE_PAUSED);
    } else {
        event->dropped = true; /* another name here, the same there */
    }
    tracked->target = target;
    snapshot_schema_changed(intake->snapshot, tracked, event->change->after);
}

/* Sets what the table needs after the event: *again to be read anew. */
static void schema_event(struct intake *intake, struct event *event, struct tracked **again)
{
    const struct schema_change *change = event->change;
    const struct table *table = change->before ? change->before : change->after;
    struct tracked *tracked = table ? snapshot_find(intake->snapshot, table->id) : NULL;
    event->table = change->after ? change->after : change->before;
    *again = NULL;
    bool half_scanned = tracked && tracked->state == TABLE_SNAPSHOT && tracked->scan == SCAN_GO;
    if (change->kind == CHANGE_CREATE_TABLE) {
        schema_create(intake, event, true);
        return;
    }
    if (!tracked) {
        event->dropped = true; /* a database, or a table that is not followed */
        return;
    }
    event->target = tracked->target;
    switch (change->kind) {
    case CHANGE_DROP_TABLE:
        schema_drop(intake, event, tracked);
        return;
    case CHANGE_RENAME_TABLE:
        schema_rename(intake, event, tracked);
        break;
    case CHANGE_RESYNC_TABLE:
        event->truncates = tracked->target->sources < 2;
        snapshot_schema_changed(intake->snapshot, tracked, change->after);
        snapshot_begin_table(intake->snapshot, tracked);
        return;
    case CHANGE_PARK_TABLE:
        return;
    case CHANGE_ALTER_TABLE:
    case CHANGE_TRUNCATE_TABLE:
        snapshot_schema_changed(intake->snapshot, tracked, event->table);
        break;
    case CHANGE_CREATE_TABLE:
    case CHANGE_CREATE_DATABASE:
    case CHANGE_DROP_DATABASE:
        break;
    }
    if (half_scanned)
        *again = tracked;
}

/* A changed key makes another table of it on the other side: dropped, made anew and read again. */
static void schema_rekey(struct intake *intake, struct batch *batch, struct event *event)
{
    const struct schema_change *change = event->change;
    if (event->dropped || change->kind != CHANGE_ALTER_TABLE || !key_differs(change->before, change->after))
        return;
    struct schema_change *resync = arena_zalloc(&batch->arena, sizeof *resync);
    *resync = (struct schema_change){ .kind = CHANGE_RESYNC_TABLE, .after = change->after,
                                      .sql = change->sql };
    event->change = resync;
    event->recreates = true;
    struct tracked *tracked = snapshot_find(intake->snapshot, change->after->id);
    snapshot_begin_table(intake->snapshot, tracked);
}

/* Changes that wait for the next chunk are of the shape before: they go first. */
static bool send_held_back(struct intake *intake, const struct event *event, struct error *err)
{
    const struct table *before = event->change->before;
    struct tracked *tracked = before ? snapshot_find(intake->snapshot, before->id) : NULL;
    if (!tracked || !merge_holds_back(tracked))
        return true;
    struct batch *batch = pool_take(&intake->pool, -1);
    if (!batch)
        return error_set(err, ERROR_STOP, "stopping");
    merge_take_held_back(tracked, batch);
    batch->stream_mark = event->mark - 1;
    merge_note_held_back(intake->snapshot, batch);
    return intake_push(intake, batch, err);
}

bool intake_schema(struct intake *intake, struct batch *batch, struct error *err)
{
    struct snapshot *snapshot = intake->snapshot;
    struct tracked **again = calloc(batch->count, sizeof(struct tracked *));
    ASSERT(again);
    bool ok = true;
    pthread_mutex_lock(&snapshot->lock);
    for (uint32_t i = 0; i < batch->count && ok; i++)
        ok = send_held_back(intake, &batch->events[i], err);
    for (uint32_t i = 0; i < batch->count && ok; i++) {
        schema_event(intake, &batch->events[i], &again[i]);
        schema_rekey(intake, batch, &batch->events[i]);
    }
    for (uint32_t i = 0; i < batch->count && ok; i++) {
        struct event *event = &batch->events[i];
        struct tracked *tracked = event->table ? snapshot_find(snapshot, event->table->id) : NULL;
        if (tracked && !event->dropped)
            ok = put_record(intake, tracked, err);
    }
    uint32_t count = batch->count;
    batch->stream_mark = intake->stream_mark;
    if (batch->end.token.data)
        intake->position_unsent = false;
    merge_note_held_back(snapshot, batch);
    if (ok)
        ok = intake_push(intake, batch, err);
    else
        batch_release(batch);
    for (uint32_t i = 0; i < count && ok; i++)
        if (again[i])
            ok = intake_resync(intake, again[i], true, err);
    pthread_mutex_unlock(&snapshot->lock);
    free(again);
    return ok;
}

/* ---- tables at a start ---- */

static bool adopt_table(struct intake *intake, const struct table *table, bool read,
                        struct error *err)
{
    struct tracked *tracked = snapshot_add(intake->snapshot, table, target_of(intake, table));
    atomic_store(&tracked->target->metrics->state, TABLE_STREAMING);
    if (read)
        snapshot_begin_table(intake->snapshot, tracked);
    /* Signed rows of an older checkpoint would count twice: the target is emptied first. */
    tracked->overflowed = read && tracked->keyless;
    return put_record(intake, tracked, err);
}

bool intake_adopt_tables(struct intake *intake, bool fresh, struct error *err)
{
    bool read = !fresh || intake->options->start == START_INITIAL ||
                intake->options->start == START_SNAPSHOT;
    bool ok = true;
    pthread_mutex_lock(&intake->snapshot->lock);
    for (struct map_entry *entry = NULL; ok && (entry = map_next(&intake->catalog.by_name, entry));) {
        const struct table *table = entry->value;
        if (!snapshot_find(intake->snapshot, table->id))
            ok = adopt_table(intake, table, read, err);
    }
    pthread_mutex_unlock(&intake->snapshot->lock);
    return ok && intake_save_catalog(intake, err);
}

/* ---- after a restart ---- */

static uint32_t ranges_of(const struct checkpoint_image *image, uint32_t table_id)
{
    uint32_t count = 0;
    for (size_t i = 0; i < image->range_count; i++)
        count += image->ranges[i].table_id == table_id;
    return count;
}

/* False: what is stored does not fit together; the table is read anew. */
static bool restore_ranges(struct intake *intake, struct tracked *tracked,
                           const struct checkpoint_image *image, const struct table_record *record)
{
    if (record->range_count == 0 || ranges_of(image, tracked->id) != record->range_count)
        return false;
    tracked->ranges = calloc(record->range_count, sizeof *tracked->ranges);
    ASSERT(tracked->ranges);
    tracked->range_count = record->range_count;
    bool complete = true;
    for (uint32_t i = 0; i < record->range_count; i++)
        tracked->ranges[i].windows_end = &tracked->ranges[i].windows;
    for (size_t i = 0; i < image->range_count; i++) {
        const struct chunk_record *stored = &image->ranges[i];
        if (stored->table_id != tracked->id)
            continue;
        if (stored->range >= tracked->range_count)
            return false;
        struct range *range = &tracked->ranges[stored->range];
        range->until = arena_copy(&tracked->arena, stored->until);
        range->cursor = bytes_own(stored->cursor);
        range->complete = stored->complete;
        range->rows = stored->rows;
        complete = complete && stored->complete;
        atomic_fetch_add(&tracked->target->metrics->snapshot_rows, stored->rows);
    }
    tracked->split = true;
    tracked->stored = true;
    if (complete)
        snapshot_finish_table(intake->snapshot, tracked);
    return true;
}

static bool keyless_is_complete(const struct checkpoint_image *image, uint32_t table_id)
{
    for (size_t i = 0; i < image->range_count; i++)
        if (image->ranges[i].table_id == table_id && image->ranges[i].complete)
            return true;
    return false;
}

static void restore_table(struct intake *intake, const struct table *table,
                          const struct checkpoint_image *image)
{
    const struct table_record *record = NULL;
    for (size_t i = 0; i < image->record_count && !record; i++)
        if (image->records[i].table_id == table->id)
            record = &image->records[i];
    if (!record)
        return; /* adopted later, as a table that is new to us */
    struct tracked *tracked = snapshot_add(intake->snapshot, table, target_of(intake, table));
    tracked->epoch = record->epoch;
    atomic_store(&tracked->target->metrics->state, TABLE_STREAMING);
    if (record->state == TABLE_STREAMING || record->state == TABLE_PAUSED)
        return;
    snapshot_begin_table(intake->snapshot, tracked);
    if (record->state == TABLE_SNAPSHOT && tracked->keyless &&
        keyless_is_complete(image, table->id)) {
        snapshot_finish_table(intake->snapshot, tracked);
        return;
    }
    if (record->state == TABLE_SNAPSHOT && ranges_of(image, table->id) == 0 && !tracked->keyless)
        return; /* nothing of it was sent */
    if (record->state == TABLE_SNAPSHOT && !tracked->keyless &&
        restore_ranges(intake, tracked, image, record))
        return;
    tracked->overflowed = true; /* begun anew, its target emptied, once the workers are there */
}

bool intake_restore(struct intake *intake, const struct checkpoint_image *image, struct error *err)
{
    (void)err;
    for (size_t i = 0; i < image->table_count; i++)
        if (image->tables[i]->valid_from <= image->position.mark)
            catalog_restore(&intake->catalog, image->tables[i]);
    intake->saved_versions = (uint32_t)intake->catalog.all_count;
    if (image->position.token.data) {
        buf_bytes(&intake->position_text, image->position.token);
        intake->position = (struct position){ image->position.mark, buf_view(&intake->position_text) };
        intake->stream_mark = image->position.mark;
    }
    intake->snapshot->chunk_counter = image->chunk_mark ? mark_row(image->chunk_mark) + 1 - MARK_CHUNK_FIRST
                                                        : (uint32_t)image->epoch * 65536;
    pthread_mutex_lock(&intake->snapshot->lock);
    for (struct map_entry *entry = NULL; (entry = map_next(&intake->catalog.by_name, entry));)
        restore_table(intake, entry->value, image);
    pthread_mutex_unlock(&intake->snapshot->lock);
    for (size_t i = 0; i < image->target_count; i++) {
        const struct target_record *stored = &image->targets[i];
        struct target *target = intake_target(intake, stored->database, stored->name,
                                              (struct bytes){ 0 });
        target->applied = stored->applied;
    }
    return true;
}
