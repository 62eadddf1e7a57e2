/* SPDX-License-Identifier: Apache-2.0
 *
 * Sending loads to a sink where those of one flush become visible together (a transaction): begun,
 * written and committed as one, and decided as one when an answer was lost. A load that cannot be
 * carried parks its target, and the group is sent again without it. */
#include "engine/base/fault.h"
#include "engine/base/log.h"
#include "engine/delivery_internal.h"

void load_group_label(struct worker *worker)
{
    char label[LOAD_LABEL_SIZE];
    load_new_label(worker, label);
    for (struct delivery_target *state = worker->open; state; state = state->next_open)
        memcpy(state->load.label, label, sizeof label);
}

/* ---- what is visible ---- */

/* A BEGIN says nothing of the change that has its mark; an END does of all before. */
static bool tells_all(const struct delivery_target *state)
{
    return !state->target->boundaries || mark_row(state->seen) == MARK_ROW_LAST;
}

static uint64_t highest_seen(const struct worker *worker)
{
    uint64_t mark = worker->facts.mark;
    for (const struct delivery_target *state = worker->targets; state; state = state->next)
        if (state->seen > mark && !state->target->parked && tells_all(state))
            mark = state->seen;
    return mark;
}

/* Of the group that is about to be committed. As long as a table is read or parked its changes may
 * be dropped, for the reading brings the rows: a checkpoint from before cannot count on the mark
 * alone. The last chunk of a reading is on its way when its table is said to stream. */
static struct group_facts group_facts(struct worker *worker)
{
    struct delivery_shared *shared = worker->shared;
    struct group_facts facts = { .mark = highest_seen(worker),
                                 .since = worker->facts.since,
                                 .workers = shared->options->sink_parallelism };
    bool reading = metrics_reading(shared->metrics);
    if (worker->doubted && !reading)
        worker->doubt_until = inflight_last(shared->inflight) + 1;
    if (reading || worker->last_sequence < worker->doubt_until)
        facts.since = facts.mark;
    worker->doubted = reading;
    return facts;
}

static void tell_ahead(struct worker *worker, bool exact, bool moved)
{
    if (worker->told[exact])
        return;
    worker->told[exact] = true;
    if (exact)
        log_warn(
            "the checkpoint is older than what the sink holds of this worker's tables: changes "
            "that are there already are not sent again");
    else
        log_warn(
            "the checkpoint is older than what the sink holds of this worker's tables, and %s: "
            "what was sent since is sent again. If readers cannot take that, stop the agent and "
            "start it from a newer checkpoint or savepoint",
            moved ? "sink.parallelism was another then" : "tables were read or parked since");
}

static bool ask(struct worker *worker, uint32_t index, struct group_facts *out, struct error *err)
{
    char label[LOAD_LABEL_SIZE];
    bool own = index == worker->index;
    load_worker_label(worker, index, label);
    while (!worker->shared->driver->visible(worker->sink, label, own, out, err)) {
        if (err->kind != ERROR_RETRY && err->kind != ERROR_UNKNOWN)
            return false;
        if (!load_back_off(worker, "asking what is visible", err))
            return false;
    }
    load_recovered(worker);
    return true;
}

/* The targets may have had other workers: what those made visible is theirs to tell. The one who
 * went on farthest knows how many they were in the end. */
static bool ask_others(struct worker *worker, struct error *err)
{
    uint64_t newest = 0;
    for (uint32_t i = 0; i < SINK_WORKERS_MAX; i++) {
        struct group_facts *old = &worker->old[i];
        if (i == worker->index)
            *old = worker->facts;
        else if (!ask(worker, i, old, err))
            return false;
        if (old->workers == 0 || old->workers > SINK_WORKERS_MAX || old->mark < newest)
            continue;
        newest = old->mark;
        worker->old_workers = old->workers;
    }
    return true;
}

bool load_group_learn(struct worker *worker, struct error *err)
{
    const struct delivery_shared *shared = worker->shared;
    uint32_t workers = shared->options->sink_parallelism;
    if (worker->asked || !shared->restored || !shared->driver->visible)
        return true;
    fault_point("delivery.before_learn");
    if (!ask(worker, worker->index, &worker->facts, err))
        return false;
    worker->asked = true;
    worker->old_workers = workers;
    worker->old[worker->index] = worker->facts;
    bool same = worker->facts.workers == workers;
    bool exact = same && shared->stored_mark >= worker->facts.since;
    bool older = worker->facts.mark > worker->known;
    if (worker->facts.workers > 0)
        worker->doubted = !same || (older && !exact);
    return same || ask_others(worker, err);
}

uint64_t load_group_visible(struct worker *worker, const struct target *target)
{
    uint32_t workers = worker->old_workers;
    if (!worker->asked || workers == 0)
        return 0;
    const struct group_facts *facts = &worker->old[target->hash % workers];
    bool known = facts->workers == workers;
    bool exact = known && worker->shared->stored_mark >= facts->since;
    uint64_t newest = facts->mark;
    for (uint32_t i = 0; !known && i < SINK_WORKERS_MAX; i++)
        if (worker->old[i].mark > newest)
            newest = worker->old[i].mark;
    if (newest <= worker->known)
        return 0;
    tell_ahead(worker, exact, !known);
    return exact ? facts->mark : 0;
}

/* ---- sending ---- */

static bool is_sent(const struct delivery_target *state)
{
    return state->load.rows > 0 && !state->target->parked;
}

/* The first load with rows, or NULL: there is nothing to send. */
static struct delivery_target *group_first(struct worker *worker)
{
    struct delivery_target *state = worker->open;
    while (state && !is_sent(state))
        state = state->next_open;
    return state;
}

/* One attempt. *refused: whose rows cannot be carried. The intents are written after begin(), which
 * makes nothing visible: whatever the sink needs for answering resolve() is there by then. */
static bool group_try(struct worker *worker, const char *label, bool *intended,
                      struct target **refused, struct error *err)
{
    const struct sink_driver *driver = worker->shared->driver;
    *refused = NULL;
    flush_enter(worker->flush, FLUSH_BEGIN, NULL);
    if (!driver->begin(worker->sink, label, err))
        return false;
    if (!*intended && !load_intend(worker, err))
        return false;
    *intended = true;
    flush_enter(worker->flush, FLUSH_WRITE, NULL);
    fault_point("delivery.before_write");
    for (struct delivery_target *state = worker->open; state; state = state->next_open) {
        if (is_sent(state) && !driver->write(worker->sink, &state->load, err)) {
            *refused = state->target;
            return false;
        }
    }
    flush_enter(worker->flush, FLUSH_COMMIT, NULL);
    fault_point("delivery.before_commit");
    struct group_facts facts = group_facts(worker);
    if (!driver->commit(worker->sink, label, &facts, refused, err))
        return false;
    worker->facts = facts;
    fault_point("delivery.after_write");
    return true;
}

/* After a failed attempt. True: goes on, and *visible says whether the group came through. */
static bool group_again(struct worker *worker, struct delivery_target *first,
                        struct target *refused, bool *visible, struct error *err)
{
    atomic_fetch_add(&first->target->metrics->retries, 1);
    if (err->kind == ERROR_DATA && refused) {
        struct delivery_target *state = load_state(worker, refused);
        load_park(worker, refused, state->load.table->id, err->message);
        return true;
    }
    if (err->kind != ERROR_RETRY && err->kind != ERROR_UNKNOWN)
        return false;
    bool unknown = err->kind == ERROR_UNKNOWN;
    if (!load_back_off(worker, "sending loads", err))
        return false;
    return !unknown || load_resolve(worker, first->target, first->load.label, first->load.first,
                                    first->load.last, visible, err);
}

bool load_group_send(struct worker *worker, struct error *err)
{
    if (!load_group_learn(worker, err))
        return false;
    bool visible = false, intended = false;
    for (struct delivery_target *first; !visible && (first = group_first(worker));) {
        struct target *refused;
        visible = group_try(worker, first->load.label, &intended, &refused, err);
        if (visible)
            load_recovered(worker);
        else if (!group_again(worker, first, refused, &visible, err))
            return false;
    }
    for (struct delivery_target *state = worker->open; state; state = state->next_open)
        if (!state->target->parked && (state->load.rows > 0 || state->chunk_count > 0))
            load_count(worker, state);
    return true;
}
