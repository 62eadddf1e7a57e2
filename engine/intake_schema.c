/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema events on the intake's side: which tables are followed, where their rows go, and which
 * must be read again. The event itself goes to the workers, who apply it to the target. */
#include "engine/intake.h"

#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"

/* Another key, or other types in it: what a reading has noted of its progress is void. */
static bool key_differs(const struct table *before, const struct table *after)
{
    if (before->key_count != after->key_count)
        return true;
    for (uint16_t i = 0; i < before->key_count; i++) {
        const struct column *old = &before->columns[before->key_columns[i]];
        const struct column *new = &after->columns[after->key_columns[i]];
        if (!bytes_equal(old->name, new->name) || !type_equal(&old->type, &new->type))
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
    struct bytes shown =
        arena_printf(&scratch, "%.*s.%.*s", BYTES_ARGS(table->database), BYTES_ARGS(table->name));
    struct target *target = intake_target(intake, database, name, shown);
    arena_done(&scratch);
    return target;
}

static bool is_parked(const struct tracked *tracked)
{
    return atomic_load(&tracked->target->metrics->state) == TABLE_PARKED;
}

static bool commit_record(struct intake *intake, const struct tracked *tracked,
                          struct checkpoint_write *write, struct error *err)
{
    pthread_mutex_lock(&intake->delivery->parking);
    /* What was parked meanwhile lacks rows: only a reading from the start brings them. */
    bool anew = tracked->overflowed || tracked->emptying || is_parked(tracked);
    enum table_state state = !anew             ? tracked->state
                             : tracked->behind ? TABLE_WAITING
                                               : TABLE_RESYNC;
    checkpoint_put_record(write, &(struct table_record){ .table_id = tracked->id,
                                                         .state = state,
                                                         .range_count = tracked->range_count,
                                                         .epoch = tracked->epoch,
                                                         .sweep = tracked->sweep });
    bool ok = checkpoint_commit(write, false, err);
    pthread_mutex_unlock(&intake->delivery->parking);
    return ok;
}

static bool put_record(struct intake *intake, struct tracked *tracked, struct error *err)
{
    tracked->recorded = true;
    if (!intake->checkpoint)
        return true;
    struct checkpoint_write *write = checkpoint_begin(intake->checkpoint);
    if (tracked->state == TABLE_SNAPSHOT && !tracked->stored)
        checkpoint_clear_ranges(write, tracked->id);
    return commit_record(intake, tracked, write, err);
}

bool intake_store_unread(struct intake *intake, struct error *err)
{
    struct snapshot *snapshot = intake->snapshot;
    bool ok = true;
    for (uint32_t i = 0; ok && snapshot->unread && i < snapshot->table_capacity; i++) {
        struct tracked *tracked = snapshot->tables[i];
        if (!tracked || !tracked->unread)
            continue;
        tracked->unread = false;
        ok = put_record(intake, tracked, err);
    }
    snapshot->unread = false;
    return ok;
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
    return commit_record(intake, tracked, write, err);
}

/* The record that a target is parked may be this table's: those that share it keep the trace. No
 * load of the dropped one comes any more. */
static bool hand_down(struct intake *intake, const struct forgotten *forgotten, struct error *err)
{
    struct snapshot *snapshot = intake->snapshot;
    bool ok = true;
    pthread_mutex_lock(&snapshot->lock);
    for (uint32_t i = 0; ok && i < snapshot->table_capacity; i++) {
        struct tracked *tracked = snapshot->tables[i];
        if (tracked && tracked->target == forgotten->target && is_parked(tracked))
            ok = put_record(intake, tracked, err);
    }
    pthread_mutex_unlock(&snapshot->lock);
    return ok;
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
        if (!hand_down(intake, forgotten, err))
            return false;
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

/* A mark above those of all rows that the target has, and below those of all that come. */
static uint64_t mark_between(struct intake *intake)
{
    uint32_t slots = MARK_CHUNK_LAST - MARK_CHUNK_FIRST + 1;
    uint32_t slot = intake->snapshot->chunk_counter++ % slots;
    return mark_make(mark_commit(intake->stream_mark), MARK_CHUNK_FIRST + slot);
}

static bool push_own(struct intake *intake, struct tracked *tracked, enum change_kind kind,
                     bool truncates, struct error *err)
{
    struct batch *batch = pool_take(&intake->pool, -1);
    if (!batch)
        return error_set(err, ERROR_STOP, "stopping");
    struct schema_change *change = arena_zalloc(&batch->arena, sizeof *change);
    *change =
        (struct schema_change){ .kind = kind, .after = tracked->table, .sweep = tracked->sweep };
    struct event *event = batch_add(batch);
    *event = (struct event){ .op = EVENT_SCHEMA,
                             .table = tracked->table,
                             .change = change,
                             .target = tracked->target,
                             .mark = intake->stream_mark,
                             .truncates = truncates,
                             .time_us = intake->position_time_us };
    batch->stream_mark = intake->stream_mark;
    return intake_push(intake, batch, err);
}

/* Waits until all that was handed on is durable. */
static bool drain(struct intake *intake, struct error *err)
{
    while (!inflight_is_durable(intake->inflight, intake->last_sequence)) {
        if (atomic_load(intake->stopping) || atomic_load(&intake->delivery->failed))
            return error_set(err, ERROR_STOP, "stopping before a table was begun anew");
        clock_sleep_us(1000);
    }
    return true;
}

/* Until the events of tables begun anew are durable their records say so: a restart begins them
 * once more. Chunks of the readings before are then stored, and none can be taken for one of these.
 */
static bool settle(struct intake *intake, struct error *err)
{
    struct snapshot *snapshot = intake->snapshot;
    if (!drain(intake, err))
        return false;
    for (uint32_t i = 0; i < snapshot->table_capacity; i++) {
        struct tracked *tracked = snapshot->tables[i];
        if (!tracked || !tracked->emptying)
            continue;
        tracked->emptying = tracked->behind = false;
        if (!put_record(intake, tracked, err))
            return false;
    }
    return true;
}

/* Tables that share a target are begun anew together: nobody could tell their rows apart. */
static void take_along(struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->table_capacity; i++) {
        const struct tracked *tracked = snapshot->tables[i];
        if (!tracked || !tracked->overflowed || tracked->target->sources < 2)
            continue;
        for (uint32_t k = 0; k < snapshot->table_capacity; k++)
            if (snapshot->tables[k] && snapshot->tables[k]->target == tracked->target)
                snapshot->tables[k]->overflowed = true;
    }
}

static bool is_first_of_target(const struct snapshot *snapshot, const struct tracked *tracked)
{
    for (uint32_t i = 0; i < tracked->id; i++)
        if (snapshot->tables[i] && snapshot->tables[i]->target == tracked->target)
            return false;
    return true;
}

/* With a key, the rows that the reading does not bring are swept at its end. Without one, where
 * other tables have rows in the target, or where the target is ahead of us, it is emptied first. */
static bool resync_begin(struct intake *intake, struct tracked *tracked, struct error *err)
{
    bool sole = tracked->target->sources < 2;
    snapshot_begin_table(intake->snapshot, tracked);
    if (intake->snapshot->chunk_counter <= intake->chunk_reserved)
        intake->snapshot->chunk_counter = intake->chunk_reserved + 1; /* see load_look_back() */
    tracked->emptying = true;
    if (sole && !tracked->keyless && !tracked->behind)
        tracked->sweep = mark_between(intake);
    log_info("table '%.*s.%.*s' is read again", BYTES_ARGS(tracked->table->database),
             BYTES_ARGS(tracked->table->name));
    return intake_reserve_marks(intake, err) && put_record(intake, tracked, err);
}

/* One event for each target, after all tables are begun: what parks the target at it stays so. */
static bool resync_tell(struct intake *intake, struct error *err)
{
    const struct snapshot *snapshot = intake->snapshot;
    bool ok = true;
    for (uint32_t i = 0; ok && i < snapshot->table_capacity; i++) {
        struct tracked *tracked = snapshot->tables[i];
        if (tracked && tracked->emptying && is_first_of_target(snapshot, tracked))
            ok = push_own(intake, tracked, CHANGE_RESYNC_TABLE, !tracked->sweep, err);
    }
    return ok;
}

/* A target that is emptied before this is on disk would be taken for a whole one. */
static bool sync_begun(struct intake *intake, struct error *err)
{
    return !intake->checkpoint || checkpoint_sync(intake->checkpoint, err);
}

static bool sweep_step(struct intake *intake, struct tracked *tracked, struct error *err)
{
    if (tracked->state != TABLE_STREAMING || !tracked->sweep)
        return true;
    if (!tracked->sweep_sent) {
        tracked->sweep_sent = true;
        intake->sweeping++;
        return push_own(intake, tracked, CHANGE_SWEEP_TABLE, false, err);
    }
    if (atomic_load(&tracked->target->swept) != tracked->sweep)
        return true;
    tracked->sweep = 0;
    return put_record(intake, tracked, err);
}

static uint32_t sweeps_sent(const struct snapshot *snapshot)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < snapshot->table_capacity; i++) {
        const struct tracked *tracked = snapshot->tables[i];
        count += tracked && tracked->sweep && tracked->sweep_sent;
    }
    return count;
}

bool intake_resync(struct intake *intake, struct error *err)
{
    struct snapshot *snapshot = intake->snapshot;
    bool ok = true;
    pthread_mutex_lock(&snapshot->lock);
    bool look = intake->sweeping > 0 || snapshot->finished, begun = false;
    intake_set_gate(intake);
    take_along(snapshot);
    for (uint32_t i = 0; ok && i < snapshot->table_capacity; i++) {
        struct tracked *tracked = snapshot->tables[i];
        if (tracked && tracked->overflowed)
            begun = ok = resync_begin(intake, tracked, err);
        else if (tracked && look)
            ok = sweep_step(intake, tracked, err);
    }
    ok = ok && (!begun || (sync_begun(intake, err) && resync_tell(intake, err) &&
                           settle(intake, err)));
    snapshot->finished = false;
    intake->resync_due = false;
    intake->sweeping = look ? sweeps_sent(snapshot) : 0;
    pthread_mutex_unlock(&snapshot->lock);
    return ok;
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
    event->shared = event->target->sources > 1;
    if (!event->shared) /* else the state is that of the others' rows too */
        atomic_store(&event->target->metrics->state, TABLE_STREAMING);
}

/* Other tables have their rows in the target: it stays, and so do this one's rows in it. */
static void keep_shared(const struct event *event, const char *what)
{
    log_warn(
        "table '%.*s.%.*s' was %s, and other tables share its target '%.*s.%.*s': its rows stay "
        "there",
        BYTES_ARGS(event->change->before->database), BYTES_ARGS(event->change->before->name), what,
        BYTES_ARGS(event->target->database), BYTES_ARGS(event->target->name));
}

/* The drop is stored as a version, for it holds from its position on, like any other. */
static bool store_drop(struct intake *intake, const struct table *table, uint64_t mark,
                       struct error *err)
{
    if (!intake->checkpoint)
        return true;
    struct table dropped = *table;
    dropped.version = TABLE_DROPPED_VERSION;
    dropped.valid_from = mark;
    struct checkpoint_write *write = checkpoint_begin(intake->checkpoint);
    checkpoint_put_table(write, &dropped);
    return checkpoint_commit(write, false, err);
}

static void forget_from(struct intake *intake, uint32_t table_id, uint64_t mark,
                        const struct target *target)
{
    struct forgotten *forgotten = memory_zalloc(1, sizeof *forgotten);
    *forgotten = (struct forgotten){ table_id, mark, target, intake->forgotten };
    intake->forgotten = forgotten;
}

static bool store_begun(struct intake *intake, const struct target *target, struct error *err)
{
    const struct snapshot *snapshot = intake->snapshot;
    bool ok = true;
    for (uint32_t i = 0; ok && i < snapshot->table_capacity; i++) {
        struct tracked *tracked = snapshot->tables[i];
        if (tracked && tracked->target == target && tracked->overflowed)
            ok = put_record(intake, tracked, err);
    }
    return ok;
}

static void begin_sharers(struct intake *intake, const struct target *target)
{
    struct snapshot *snapshot = intake->snapshot;
    for (uint32_t i = 0; i < snapshot->table_capacity; i++)
        if (snapshot->tables[i] && snapshot->tables[i]->target == target)
            snapshot->tables[i]->overflowed = intake->resync_due = true;
}

static void schema_drop(struct intake *intake, struct event *event, struct tracked *tracked)
{
    event->target = tracked->target;
    event->dropped = event->change->left || event->shared;
    if (event->shared && !event->change->left)
        keep_shared(event, "dropped");
    forget_from(intake, tracked->id, event->mark, tracked->target);
    bool half = event->shared && tracked->scan == SCAN_GO;
    snapshot_remove(intake->snapshot, tracked->id);
    if (half) /* a part of it is out, whose rows may be the others' too */
        begin_sharers(intake, event->target);
}

/* The target is renamed along where it is this table's alone on both sides; else the rows are read
 * again into the new one. */
static void schema_rename(struct intake *intake, struct event *event, struct tracked *tracked)
{
    struct target *old = tracked->target, *target = target_of(intake, event->change->after);
    event->target = old;
    event->table = event->change->after;
    snapshot_schema_changed(intake->snapshot, tracked, event->change->after);
    if (target == old) {
        event->dropped = true; /* another name here, the same there */
        return;
    }
    old->sources--;
    target->sources++;
    tracked->target = target;
    event->renamed_target = target;
    atomic_store(&target->metrics->state, atomic_load(&old->metrics->state));
    atomic_store(&old->metrics->state, TABLE_PAUSED);
    if (!event->shared && target->sources < 2)
        return;
    keep_shared(event, "renamed");
    event->dropped = true;
    tracked->overflowed = true;
}

/* True when the table must be read anew after the event. */
static bool schema_rereads(struct tracked *tracked, const struct schema_change *change)
{
    bool reading = tracked->state == TABLE_SNAPSHOT;
    return change->kind == CHANGE_RESYNC_TABLE || is_parked(tracked) ||
           (reading && tracked->scan == SCAN_GO) ||
           (reading && change->after && change->before &&
            key_differs(change->before, change->after));
}

static void schema_event(struct intake *intake, struct event *event)
{
    const struct schema_change *change = event->change;
    const struct table *table = change->before ? change->before : change->after;
    struct tracked *tracked = table ? snapshot_find(intake->snapshot, table->id) : NULL;
    event->table = change->after ? change->after : change->before;
    if (change->kind == CHANGE_CREATE_TABLE) {
        schema_create(intake, event, true);
        return;
    }
    if (!tracked) {
        event->dropped = true; /* a database, or a table that is not followed */
        return;
    }
    event->target = tracked->target;
    event->shared = tracked->target->sources > 1;
    if (change->kind == CHANGE_DROP_TABLE) {
        schema_drop(intake, event, tracked);
        return;
    }
    if (change->kind == CHANGE_PARK_TABLE)
        return;
    tracked->overflowed |= schema_rereads(tracked, change);
    if (change->kind == CHANGE_RENAME_TABLE)
        schema_rename(intake, event, tracked);
    else
        snapshot_schema_changed(intake->snapshot, tracked, event->table);
    if (change->kind == CHANGE_TRUNCATE_TABLE && event->shared) {
        keep_shared(event, "emptied");
        event->dropped = true;
    }
    event->dropped |= change->kind == CHANGE_RESYNC_TABLE; /* begun between two transactions */
    intake->resync_due |= tracked->overflowed;
}

/* A table whose last chunk was handed on streams, but the chunk may not be durable: the chunks' own
 * records tell when it is, and a sweep is owed until it has been made. */
static bool record_stands(const struct tracked *tracked)
{
    return tracked->recorded && tracked->state == TABLE_STREAMING && !tracked->overflowed &&
           !tracked->emptying;
}

bool intake_schema(struct intake *intake, struct batch *batch, struct error *err)
{
    struct snapshot *snapshot = intake->snapshot;
    bool ok = true;
    pthread_mutex_lock(&snapshot->lock);
    intake_set_gate(intake);
    for (uint32_t i = 0; i < batch->count; i++)
        schema_event(intake, &batch->events[i]);
    for (uint32_t i = 0; i < batch->count && ok; i++) {
        struct event *event = &batch->events[i];
        if (event->change->kind == CHANGE_DROP_TABLE && event->target)
            ok = store_begun(intake, event->target, err) &&
                 store_drop(intake, event->change->before, event->mark, err);
        struct tracked *tracked = event->table ? snapshot_find(snapshot, event->table->id) : NULL;
        if (tracked && !record_stands(tracked))
            ok = ok && put_record(intake, tracked, err);
    }
    batch->stream_mark = intake->stream_mark;
    if (ok)
        ok = intake_push(intake, batch, err);
    else
        batch_release(batch);
    pthread_mutex_unlock(&snapshot->lock);
    return ok;
}

/* ---- after a gap in the log ---- */

static void add_change(struct batch *batch, struct schema_change change, int64_t time_us)
{
    struct schema_change *copy = arena_zalloc(&batch->arena, sizeof *copy);
    *copy = change;
    *batch_add(batch) = (struct event){ .op = EVENT_SCHEMA, .change = copy, .time_us = time_us };
}

static void make_up_table(const struct intake *intake, const struct tracked *tracked,
                          struct batch *batch)
{
    const struct table *old = tracked->table;
    const struct table *now = catalog_find(&intake->catalog, old->database, old->schema, old->name);
    int64_t time_us = intake->position_time_us;
    if (!now || now->id != old->id) {
        log_warn("table '%.*s.%.*s' is gone from the source; its target stays as it is",
                 BYTES_ARGS(old->database), BYTES_ARGS(old->name));
        add_change(batch,
                   (struct schema_change){ .kind = CHANGE_DROP_TABLE, .before = old, .left = true },
                   time_us);
    } else if (now != old) {
        add_change(
            batch,
            (struct schema_change){ .kind = CHANGE_ALTER_TABLE, .before = old, .after = now },
            time_us);
    }
}

/* Those that were being read lack what the gap held, whatever the policy is. */
static bool mark_unread(struct intake *intake, bool all, struct error *err)
{
    struct snapshot *snapshot = intake->snapshot;
    bool ok = true;
    pthread_mutex_lock(&snapshot->lock);
    for (uint32_t i = 0; ok && i < snapshot->table_capacity; i++) {
        struct tracked *tracked = snapshot->tables[i];
        if (!tracked || (!all && tracked->state != TABLE_SNAPSHOT))
            continue;
        tracked->overflowed = true;
        intake->resync_due = true;
        ok = put_record(intake, tracked, err);
    }
    pthread_mutex_unlock(&snapshot->lock);
    return ok;
}

bool intake_make_up(struct intake *intake, bool read_all, struct error *err)
{
    struct batch *batch = pool_take(&intake->pool, -1);
    if (!batch)
        return error_set(err, ERROR_STOP, "stopping");
    for (uint32_t i = 0; i < intake->snapshot->table_capacity; i++)
        if (intake->snapshot->tables[i])
            make_up_table(intake, intake->snapshot->tables[i], batch);
    for (uint32_t i = 0; i < batch->count; i++)
        batch->events[i].mark = intake->stream_mark;
    if (batch->count == 0)
        batch_release(batch);
    else if (!intake_schema(intake, batch, err))
        return false;
    return mark_unread(intake, read_all, err);
}

/* ---- tables at a start ---- */

static bool reads_tables(const struct intake *intake)
{
    return intake->options->start == START_INITIAL || intake->options->start == START_SNAPSHOT;
}

static bool adopt_table(struct intake *intake, const struct table *table, bool read,
                        struct error *err)
{
    struct tracked *tracked = snapshot_add(intake->snapshot, table, target_of(intake, table));
    atomic_store(&tracked->target->metrics->state, TABLE_STREAMING);
    if (read)
        snapshot_begin_table(intake->snapshot, tracked);
    /* Signed rows of an older checkpoint would count twice: the target is emptied first. */
    tracked->overflowed = read && (tracked->keyless || intake->older);
    tracked->behind = read && intake->older;
    return put_record(intake, tracked, err);
}

bool intake_adopt_tables(struct intake *intake, bool fresh, struct error *err)
{
    bool read = !fresh || reads_tables(intake);
    bool ok = true;
    pthread_mutex_lock(&intake->snapshot->lock);
    for (struct map_entry *entry = NULL;
         ok && (entry = map_next(&intake->catalog.by_name, entry));) {
        const struct table *table = entry->value;
        if (!snapshot_find(intake->snapshot, table->id))
            ok = adopt_table(intake, table, read, err);
    }
    pthread_mutex_unlock(&intake->snapshot->lock);
    return ok && intake_save_catalog(intake, err);
}

/* ---- after a restart ---- */

/* False: what is stored does not fit together; the table is read anew. */
static bool restore_ranges(struct intake *intake, struct tracked *tracked,
                           const struct checkpoint_image *image, const struct table_record *record)
{
    if (record->range_count == 0 ||
        checkpoint_progress_of(image, tracked->id).ranges != record->range_count)
        return false;
    tracked->ranges = memory_zalloc(record->range_count, sizeof *tracked->ranges);
    tracked->range_count = record->range_count;
    bool complete = true;
    size_t count, first = checkpoint_ranges_of(image, tracked->id, &count);
    for (size_t i = first; i < first + count; i++) {
        const struct chunk_record *stored = &image->ranges[i];
        if (stored->range >= tracked->range_count)
            return false;
        struct range *range = &tracked->ranges[stored->range];
        range->until = arena_copy(&tracked->arena, stored->until);
        range->cursor = memory_copy(stored->cursor);
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

static void restore_table(struct intake *intake, const struct table *table,
                          const struct checkpoint_image *image)
{
    const struct table_record *record = checkpoint_record_of(image, table->id);
    if (!record)
        return; /* adopted later, as a table that is new to us */
    struct tracked *tracked = snapshot_add(intake->snapshot, table, target_of(intake, table));
    tracked->epoch = record->epoch;
    tracked->recorded = true;
    atomic_store(&tracked->target->metrics->state, TABLE_STREAMING);
    bool emptied = tracked->target->emptied && reads_tables(intake);
    if (!emptied && (record->state == TABLE_STREAMING || record->state == TABLE_PAUSED))
        return;
    snapshot_begin_table(intake->snapshot, tracked);
    if (emptied) {
        tracked->overflowed = tracked->behind = true;
        return;
    }
    tracked->sweep = record->state == TABLE_SNAPSHOT ? record->sweep : 0;
    struct checkpoint_progress read = checkpoint_progress_of(image, table->id);
    if (record->state == TABLE_SNAPSHOT && tracked->keyless && read.complete > 0) {
        snapshot_finish_table(intake->snapshot, tracked);
        return;
    }
    if (record->state == TABLE_SNAPSHOT && read.ranges == 0 && !tracked->keyless)
        return; /* nothing of it was sent */
    if (record->state == TABLE_SNAPSHOT && !tracked->keyless &&
        restore_ranges(intake, tracked, image, record))
        return;
    tracked->overflowed = true; /* begun anew once the workers are there */
    tracked->behind = record->state == TABLE_WAITING;
}

/* What a target has of a table that shares it with one to be begun anew is not known either, and
 * goes with the rest: rows from the log would come twice until then. */
static void restore_along(struct snapshot *snapshot)
{
    take_along(snapshot);
    for (uint32_t i = 0; i < snapshot->table_capacity; i++) {
        struct tracked *tracked = snapshot->tables[i];
        if (!tracked || !tracked->overflowed)
            continue;
        snapshot_begin_table(snapshot, tracked);
        tracked->overflowed = true;
    }
}

/* What an older checkpoint asks for is stored before anything is sent. */
static bool store_older(struct intake *intake, struct error *err)
{
    struct snapshot *snapshot = intake->snapshot;
    for (uint32_t i = 0; i < snapshot->table_capacity; i++)
        if (snapshot->tables[i] && snapshot->tables[i]->overflowed &&
            !put_record(intake, snapshot->tables[i], err))
            return false;
    struct checkpoint_write *write = checkpoint_begin(intake->checkpoint);
    checkpoint_forget_older(write);
    return checkpoint_commit(write, true, err);
}

static void restore_version(struct intake *intake, const struct table *saved,
                            const struct checkpoint_image *image)
{
    const struct table *table = catalog_restore(&intake->catalog, saved);
    if (saved->version != TABLE_DROPPED_VERSION)
        return;
    const struct table_record *record = checkpoint_record_of(image, table->id);
    struct target *target = target_of(intake, table);
    target->emptied |= record && (record->state == TABLE_PARKED || record->state == TABLE_RESYNC ||
                                  record->state == TABLE_WAITING);
    catalog_drop(&intake->catalog, table);
    forget_from(intake, table->id, 0, target);
}

/* Is a version part of what the position stands for? Without one a start begins afresh. */
static bool holds_at(const struct table *version, const struct position *position)
{
    return position->token.data && version->valid_from <= position->mark;
}

/* Tables that were made behind the position are made again when the log comes there, under another
 * number. What is stored of them would then stand beside it, and win. */
static bool forget_later_tables(struct intake *intake, const struct checkpoint_image *image,
                                struct error *err)
{
    bool ok = true;
    for (size_t i = 0; i < image->table_count && ok; i++) {
        const struct table *table = image->tables[i]; /* in the order of ids, then versions */
        uint32_t id = table->id;
        if (id >= intake->catalog.next_id)
            intake->catalog.next_id = id + 1;
        bool first = i == 0 || image->tables[i - 1]->id != id;
        if (!first || holds_at(table, &image->position))
            continue;
        struct checkpoint_write *write = checkpoint_begin(intake->checkpoint);
        checkpoint_forget_table(write, id);
        ok = checkpoint_commit(write, false, err);
    }
    return ok;
}

void intake_restore_applied(struct intake *intake, const struct checkpoint_image *image)
{
    for (size_t i = 0; i < image->target_count; i++) {
        const struct target_record *stored = &image->targets[i];
        intake_target(intake, stored->database, stored->name, (struct bytes){ 0 })->applied =
            stored->applied;
    }
}

void intake_highest_applied(const struct intake *intake, uint64_t *highest)
{
    for (struct map_entry *entry = NULL; (entry = map_next(&intake->targets, entry));) {
        const struct target *target = entry->value;
        if (target->applied > highest[target->worker])
            highest[target->worker] = target->applied;
    }
}

/* The newest mark that was applied, or that a sweep begins at: chunks that are read after it have
 * marks above it. */
static uint64_t newest_known(const struct intake *intake)
{
    const struct snapshot *snapshot = intake->snapshot;
    uint64_t newest = 0;
    for (struct map_entry *entry = NULL; (entry = map_next(&intake->targets, entry));) {
        const struct target *target = entry->value;
        newest = target->applied > newest ? target->applied : newest;
    }
    for (uint32_t i = 0; i < snapshot->table_capacity; i++) {
        uint64_t sweep = snapshot->tables[i] ? snapshot->tables[i]->sweep : 0;
        uint64_t begun = mark_make(mark_commit(sweep), 0);
        newest = begun > newest ? begun : newest;
    }
    return newest;
}

bool intake_restore(struct intake *intake, const struct checkpoint_image *image, struct error *err)
{
    intake->older = image->older;
    for (size_t i = 0; i < image->table_count; i++)
        if (holds_at(image->tables[i], &image->position))
            restore_version(intake, image->tables[i], image);
    catalog_settle(&intake->catalog);
    if (!forget_later_tables(intake, image, err))
        return false;
    intake->saved_versions = (uint32_t)intake->catalog.all_count;
    if (image->position.token.data) {
        buf_bytes(&intake->position_text, image->position.token);
        intake->position =
            (struct position){ image->position.mark, buf_view(&intake->position_text) };
        intake->stream_mark = image->position.mark;
        retention_moved(intake->retention, image->position.token);
    }
    intake->snapshot->chunk_counter = image->chunk_mark
                                          ? mark_row(image->chunk_mark) + 1 - MARK_CHUNK_FIRST
                                          : (uint32_t)image->epoch * 65536;
    pthread_mutex_lock(&intake->snapshot->lock);
    for (struct map_entry *entry = NULL; (entry = map_next(&intake->catalog.by_name, entry));)
        restore_table(intake, entry->value, image);
    restore_along(intake->snapshot);
    bool ok = !image->older || store_older(intake, err);
    pthread_mutex_unlock(&intake->snapshot->lock);
    intake->replay_until = newest_known(intake);
    intake->snapshot->replaying = intake->replay_until > intake->stream_mark;
    return ok;
}
