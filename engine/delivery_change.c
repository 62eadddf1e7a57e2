/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema changes at the sink: what the user's policy lets through, and what happens when the target
 * cannot follow. Rows of the table before the change are durable when this is called. */
#include "engine/base/fault.h"
#include "engine/base/log.h"
#include "engine/delivery_internal.h"

static uint32_t change_bits(const struct schema_change *change)
{
    switch (change->kind) {
    case CHANGE_CREATE_TABLE:
    case CHANGE_CREATE_DATABASE:
        return CHANGE_BIT_CREATE_TABLE;
    case CHANGE_DROP_TABLE:
    case CHANGE_DROP_DATABASE:
        return CHANGE_BIT_DROP_TABLE;
    case CHANGE_TRUNCATE_TABLE:
        return CHANGE_BIT_TRUNCATE_TABLE;
    case CHANGE_ALTER_TABLE:
    case CHANGE_RENAME_TABLE:
    case CHANGE_RESYNC_TABLE:
    case CHANGE_PARK_TABLE:
    case CHANGE_SWEEP_TABLE:
        break; /* parts of an ALTER are told apart by the driver's diff; a rename always follows */
    }
    return 0;
}

/* What the agent does to rows that it reads again is no change of the source's. */
static bool is_own(const struct schema_change *change)
{
    return change->kind == CHANGE_RESYNC_TABLE || change->kind == CHANGE_SWEEP_TABLE;
}

static bool change_is_wanted(const struct pipeline_options *options,
                             const struct schema_change *change)
{
    if (is_own(change))
        return true;
    if (change->kind == CHANGE_RENAME_TABLE)
        return true; /* the rows go there */
    if (options->schema_behavior == SCHEMA_IGNORE)
        return false;
    uint32_t bits = change_bits(change);
    return (options->schema_changes & bits) == bits;
}

static bool change_prepare(struct worker *worker, const struct event *event, struct error *err)
{
    uint32_t parts;
    struct delivery_target *state = load_state(worker, event->target);
    if (!worker->shared->driver->prepare(worker->sink, event->target, event->table, &parts, err))
        return false;
    state->prepared = event->table;
    state->part_count = parts;
    return true;
}

/* A sweep leaves rows above its mark, for they came after it. Where the target was filled from
 * further on in the log than the reading begins, they did not, and may be gone since. */
static bool change_is_behind(struct worker *worker, const struct event *event, bool *behind,
                             struct error *err)
{
    const struct sink_driver *driver = worker->shared->driver;
    const struct target *target = event->target;
    uint64_t newest = 0;
    *behind = false;
    if (!event->change->sweep || !driver->newest)
        return true;
    if (!driver->newest(worker->sink, event->target, &newest, err))
        return false;
    *behind = newest > event->change->sweep;
    if (*behind)
        log_warn("'%.*s.%.*s' holds rows from beyond the checkpoint: it is emptied and read again",
                 BYTES_ARGS(target->database), BYTES_ARGS(target->name));
    return true;
}

/* The table is read again. It is emptied only once it is known to be a table of ours in shape. */
static bool change_resync(struct worker *worker, const struct event *event, struct error *err)
{
    const struct sink_driver *driver = worker->shared->driver;
    bool behind;
    if (!change_prepare(worker, event, err) || !change_is_behind(worker, event, &behind, err))
        return false;
    struct delivery_target *state = load_state(worker, event->target);
    state->learned = true; /* what it held does not count any more */
    if ((event->truncates || behind) && driver->truncate) {
        if (!driver->truncate(worker->sink, event->target, err))
            return false;
        if (state->seen > event->mark)
            state->seen = event->mark;
    }
    /* A change that came between may have parked it once more. */
    int parked = TABLE_PARKED;
    atomic_compare_exchange_strong(&event->target->metrics->state, &parked, TABLE_SNAPSHOT);
    return true;
}

/* What parked it was another table of this name, which has no rows any more. */
static void change_unpark(struct target *target)
{
    int parked = TABLE_PARKED;
    target->parked = false;
    atomic_compare_exchange_strong(&target->metrics->state, &parked, TABLE_STREAMING);
}

/* The source cannot read the table's rows from here on. */
static void change_park(struct worker *worker, const struct event *event)
{
    struct error why;
    error_set(&why, ERROR_DATA, "%.*s", BYTES_ARGS(event->change->sql));
    if (event->target && !event->target->parked)
        load_park(worker, event->target, event->table->id, why.message);
}

static bool change_apply(struct worker *worker, const struct event *event, struct error *err)
{
    const struct sink_driver *driver = worker->shared->driver;
    const struct schema_change *change = event->change;
    struct target *target = event->target;
    if (change->kind == CHANGE_RESYNC_TABLE)
        return change_resync(worker, event, err);
    if (change->kind == CHANGE_CREATE_TABLE)
        return change_prepare(worker, event, err);
    struct schema_change allowed = *change;
    const struct pipeline_options *options = worker->shared->options;
    allowed.excluded = options->schema_behavior == SCHEMA_IGNORE
                           ? CHANGE_BITS_ALL
                           : ~options->schema_changes & CHANGE_BITS_ALL;
    allowed.shared = event->shared;
    return !driver->change ||
           driver->change(worker->sink, target, event->renamed_target, &allowed, err);
}

/* A replay after a restart: a change that was seen through must not be seen twice, for names may
 * have changed hands and rows may have come since. */
static bool change_is_old(struct worker *worker, const struct event *event)
{
    return event->target && !is_own(event->change) &&
           event->mark <= load_state(worker, event->target)->seen;
}

/* Of a table without a key the target itself tells which changes it has seen. */
static bool change_learn(struct worker *worker, const struct event *event, struct error *err)
{
    return !event->target || !event->table || is_own(event->change) ||
           load_learn(worker, load_state(worker, event->target), event->table, err);
}

static bool change_done(struct worker *worker, const struct event *event, struct error *err)
{
    const struct schema_change *change = event->change;
    struct target *target = event->target;
    if (!target)
        return true;
    atomic_fetch_add(&target->metrics->schema_changes, 1);
    if (change->kind == CHANGE_SWEEP_TABLE)
        atomic_store(&target->swept, change->sweep);
    if (is_own(change))
        return true;
    struct delivery_target *state = load_state(worker, target);
    if (event->mark > state->seen)
        state->seen = event->mark;
    if (!worker->shared->checkpoint)
        return true;
    fault_point("delivery.before_change_done");
    struct checkpoint_write *write = checkpoint_begin(worker->shared->checkpoint);
    checkpoint_put_target(write, &(struct target_record){ .database = target->database,
                                                          .name = target->name,
                                                          .applied = state->seen });
    return checkpoint_commit(write, true, err);
}

/* A sink that passes changes on has them among the rows, under the same protocol. */
static bool change_tell(struct worker *worker, const struct event *event, struct error *err)
{
    struct target *target = event->target;
    if (!worker->shared->driver->tells_changes || !target || !event->table || is_own(event->change))
        return true;
    struct delivery_target *state = load_state(worker, target);
    if (!worker_encode(worker, state, event, err))
        return false;
    if (event->mark > state->seen)
        state->seen = event->mark;
    return load_flush_all(worker, err);
}

static void change_log(const struct event *event)
{
    const struct schema_change *change = event->change;
    const struct target *target = event->target;
    log_info("schema change applied kind=%s target=%.*s.%.*s", change_kind_name(change->kind),
             BYTES_ARGS(target ? target->database : change->database),
             BYTES_ARGS(target ? target->name : (struct bytes){ 0 }));
}

bool delivery_change(struct worker *worker, const struct event *event, struct error *err)
{
    const struct schema_change *change = event->change;
    struct target *target = event->target;
    const struct pipeline_options *options = worker->shared->options;
    if (change->kind == CHANGE_RESYNC_TABLE && target)
        target->parked = false; /* it is read again: whatever parked it gets a new chance */
    if (load_refused(worker, target, event->table) ||
        load_refused(worker, event->renamed_target, event->table))
        return true;
    if (change->kind == CHANGE_CREATE_TABLE && target && target->parked && !event->shared)
        change_unpark(target);
    if (change->kind == CHANGE_PARK_TABLE) {
        change_park(worker, event);
        return true;
    }
    if (!change_learn(worker, event, err))
        return false;
    if (change_is_old(worker, event) || !change_is_wanted(options, change) ||
        (change->kind == CHANGE_SWEEP_TABLE && target->parked))
        return true;
    if (options->schema_behavior == SCHEMA_EXCEPTION && !is_own(change))
        return error_set(err, ERROR_CONFIG,
                         "schema.change.behavior is 'exception' and this came: %.*s",
                         BYTES_ARGS(change->sql));
    if (target)
        load_state(worker, target)->prepared = NULL; /* the next row looks at the target again */
    for (;;) {
        fault_point("delivery.before_change");
        if (change_apply(worker, event, err)) {
            fault_point("delivery.after_change");
            change_log(event);
            return change_tell(worker, event, err) && change_done(worker, event, err);
        }
        if (err->kind == ERROR_DATA && options->schema_behavior == SCHEMA_TRY_EVOLVE &&
            !is_own(change)) {
            log_warn("schema change left out, schema.change.behavior is 'try_evolve': %s: %.*s",
                     err->message, BYTES_ARGS(change->sql));
            return change_done(worker, event, err);
        }
        if (err->kind == ERROR_DATA && target) {
            load_park(worker, target, event->table ? event->table->id : 0, err->message);
            return true;
        }
        if (err->kind != ERROR_RETRY && err->kind != ERROR_UNKNOWN)
            return error_context(err, "schema change %s", change_kind_name(change->kind));
        if (!load_back_off(worker, "applying a schema change", err))
            return false;
    }
}
