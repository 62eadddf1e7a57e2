/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink driver and the tables behind it. It keeps two states of each key: the one of the highest
 * mark, as ClickHouse shows it, and the one that came last, as a log shows it; both must end as the
 * source's. It refuses what no sink forgives: a row that comes twice, a label used for other rows.
 * Loads fail before and after they are applied, and some are applied long after their answer was
 * lost, but never once resolve() has called them absent. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/sink.h"
#include "sim.h"

enum { TARGETS_MAX = 16, CELLS_MAX = 2500, GIVEN_MAX = 16384, LABELS_MAX = 8192 };

struct image {
    bool there;
    int64_t number, extra;
};
struct cell {
    int64_t key;
    uint64_t mark;
    struct image highest, latest;
    int64_t newest; /* number of the newest image that came */
};
struct multiset_row {
    struct sim_row row;
    int64_t sum;
};
struct given {
    int64_t key;
    uint64_t mark;
    int32_t sign;
};
struct stored {
    char name[32];
    bool exists, keyless;
    uint32_t cell_count, row_count, given_count;
    uint64_t oldest, newest; /* marks of the rows of a table without a key */
    struct cell cells[CELLS_MAX];
    struct multiset_row rows[CELLS_MAX];
    struct given given[GIVEN_MAX];
};
struct record {
    int64_t key, number, extra;
    uint64_t mark;
    int32_t sign; /* 1: the row is there from now on; -1: it is gone */
    bool snapshot;
};
enum label_state { LABEL_VISIBLE, LABEL_COMING, LABEL_REFUSED };
struct label {
    char text[96];
    uint64_t content;
    enum label_state state;
    int64_t visible_us;
    uint32_t target;
    struct record *records; /* of one that comes late */
    uint32_t count;
};

static struct {
    struct stored *targets[TARGETS_MAX];
    uint32_t target_count;
    struct label labels[LABELS_MAX];
    uint32_t label_count;
    struct group_facts facts[SINK_WORKERS_MAX]; /* of the groups */
    /* An older checkpoint was started, of which rows may come again: of tables with a key, where
     * the mark decides; or of all, in a log. */
    bool repeats_keyed, repeats;
} house;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

enum { GROUP_MAX = 32 };
struct sim_sink {
    struct sink base;
    atomic_bool interrupted;
    const struct load *group[GROUP_MAX]; /* since begin() */
    uint32_t group_count;
};

void warehouse_begin(void)
{
    for (uint32_t i = 0; i < house.label_count; i++)
        kept_free(house.labels[i].records);
    for (uint32_t i = 0; i < house.target_count; i++)
        kept_free(house.targets[i]);
    house.target_count = house.label_count = 0;
    memset(house.facts, 0, sizeof house.facts);
    house.repeats = house.repeats_keyed = false;
}

static void stored_empty(struct stored *stored)
{
    stored->cell_count = stored->row_count = stored->given_count = 0;
    stored->oldest = UINT64_MAX;
    stored->newest = 0;
}

static struct stored *stored_of(struct bytes name)
{
    for (uint32_t i = 0; i < house.target_count; i++)
        if (bytes_is(name, house.targets[i]->name))
            return house.targets[i];
    if (house.target_count == TARGETS_MAX)
        abort();
    struct stored *stored = kept_alloc(sizeof *stored);
    house.targets[house.target_count++] = stored;
    stored_empty(stored);
    snprintf(stored->name, sizeof stored->name, "%.*s", BYTES_ARGS(name));
    return stored;
}

static void stored_sweep(struct stored *stored, uint64_t mark)
{
    for (uint32_t i = 0; i < stored->cell_count; i++)
        if (stored->cells[i].mark <= mark)
            stored->cells[i].highest.there = stored->cells[i].latest.there = false;
}

/* ---- rows ---- */

static void check_once(struct stored *stored, const struct record *record)
{
    if (house.repeats || (house.repeats_keyed && !stored->keyless))
        return;
    for (uint32_t i = stored->given_count; i-- > 0;) {
        const struct given *given = &stored->given[i];
        if (given->key == record->key && given->mark == record->mark &&
            given->sign == record->sign && !(record->snapshot && stored->keyless))
            run_fail("%s: key %lld came twice under mark %llu.%llu", stored->name,
                     (long long)record->key, (unsigned long long)(record->mark >> 24),
                     (unsigned long long)(record->mark & 0xffffff));
    }
    if (stored->given_count == GIVEN_MAX)
        abort();
    stored->given[stored->given_count++] =
        (struct given){ record->key, record->mark, record->sign };
}

/* Numbers grow with each change of the database, so a change that was in a READ already, or comes
 * out of order, shows. A resync of the source changes rows without any: nothing is said then. */
static void check_order(const struct stored *stored, struct cell *cell, const struct record *record)
{
    bool is_older =
        record->snapshot ? record->number < cell->newest : record->number <= cell->newest;
    if (record->sign > 0 && is_older && !history.resyncs && !house.repeats && !house.repeats_keyed)
        run_fail("%s: key %lld: number %lld came after %lld", stored->name, (long long)record->key,
                 (long long)record->number, (long long)cell->newest);
    if (record->sign > 0 && record->number > cell->newest)
        cell->newest = record->number;
}

static void apply_keyed(struct stored *stored, const struct record *record)
{
    struct cell *cell = NULL;
    for (uint32_t i = 0; i < stored->cell_count && !cell; i++)
        if (stored->cells[i].key == record->key)
            cell = &stored->cells[i];
    if (!cell) {
        if (stored->cell_count == CELLS_MAX)
            abort();
        cell = &stored->cells[stored->cell_count++];
        *cell = (struct cell){ .key = record->key, .newest = -1 };
    }
    check_order(stored, cell, record);
    cell->latest = (struct image){ record->sign > 0, record->number, record->extra };
    if (record->mark >= cell->mark) {
        cell->highest = cell->latest;
        cell->mark = record->mark;
    }
}

static void apply_keyless(struct stored *stored, const struct record *record)
{
    struct multiset_row *row = NULL;
    struct sim_row values = { record->key, record->number, record->extra };
    for (uint32_t i = 0; i < stored->row_count && !row; i++)
        if (memcmp(&stored->rows[i].row, &values, sizeof values) == 0)
            row = &stored->rows[i];
    if (!row) {
        if (stored->row_count == CELLS_MAX)
            abort();
        row = &stored->rows[stored->row_count++];
        *row = (struct multiset_row){ .row = values };
    }
    row->sum += record->sign;
    stored->oldest = record->mark < stored->oldest ? record->mark : stored->oldest;
    stored->newest = record->mark > stored->newest ? record->mark : stored->newest;
}

static void apply_records(struct stored *stored, const struct record *records, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (run_verbose)
            log_info("%s %c key %lld number %lld under %llu.%x", stored->name,
                     records[i].snapshot   ? 'R'
                     : records[i].sign > 0 ? '+'
                                           : '-',
                     (long long)records[i].key, (long long)records[i].number,
                     (unsigned long long)(records[i].mark >> 24),
                     (unsigned)(records[i].mark & 0xffffff));
        check_once(stored, &records[i]);
        if (stored->keyless)
            apply_keyless(stored, &records[i]);
        else
            apply_keyed(stored, &records[i]);
    }
}

static void apply_late_loads(int64_t now_us)
{
    for (uint32_t i = 0; i < house.label_count; i++) {
        struct label *label = &house.labels[i];
        if (label->state != LABEL_COMING || label->visible_us > now_us)
            continue;
        apply_records(house.targets[label->target], label->records, label->count);
        label->state = LABEL_VISIBLE;
    }
}

/* ---- the driver ---- */

static bool open_sink(const void *options, struct arena *arena, struct sink_counters *counters,
                      struct sink **out, struct error *err)
{
    (void)options, (void)arena, (void)counters;
    if (fault_now(faults.sink))
        return error_set(err, ERROR_RETRY, "the warehouse does not answer");
    struct sim_sink *sink = calloc(1, sizeof *sink);
    sink->base.driver = &warehouse;
    *out = &sink->base;
    return true;
}

static bool prepare(struct sink *sink, struct target *target, const struct table *table,
                    uint32_t *parts, struct error *err)
{
    (void)sink;
    pthread_mutex_lock(&lock);
    bool fails = fault_now(faults.sink), refused = fault_now(faults.park);
    if (!fails && !refused) {
        apply_late_loads(clock_now_us());
        struct stored *stored = stored_of(target->name);
        stored->exists = true;
        stored->keyless = table->key_count == 0;
        target->sink_data = (void *)(uintptr_t)table;
        *parts = 1;
    }
    pthread_mutex_unlock(&lock);
    if (!fails && refused)
        return error_set(err, ERROR_DATA, "the warehouse does not take this table");
    return !fails || error_set(err, ERROR_RETRY, "the warehouse does not answer");
}

static int64_t key_number(const struct value *value)
{
    return value->tag == VALUE_TEXT ? key_of_text((const char *)value->data, value->size)
                                    : value->integer;
}

static void put_record(struct load *load, const struct event *event, const struct value *row,
                       int32_t sign)
{
    struct record record;
    memset(&record, 0, sizeof record);
    record.key = key_number(&row[0]);
    record.number = row[1].integer;
    record.extra = event->table->column_count > 2 ? row[2].integer : 0;
    record.mark = event->mark;
    record.sign = sign;
    record.snapshot = event->snapshot;
    buf_put(&load->parts[0], &record, sizeof record);
    load->rows++;
}

static bool encode(struct sink *sink, struct load *load, const struct event *event,
                   struct error *err)
{
    (void)sink, (void)err;
    const struct table *prepared = load->target->sink_data;
    if (prepared->column_count != event->table->column_count ||
        prepared->key_count != event->table->key_count)
        run_fail("%.*s: rows of a version that was not prepared", BYTES_ARGS(event->table->name));
    bool keyless = event->table->key_count == 0;
    bool moved = event->op == EVENT_UPDATE && event->before &&
                 !value_equal(&event->before[0], &event->after[0]);
    if (event->op == EVENT_DELETE || (event->op == EVENT_UPDATE && (keyless || moved)))
        put_record(load, event, event->before, -1);
    if (event->op != EVENT_DELETE)
        put_record(load, event, event->after, 1);
    return true;
}

static struct label *label_find(const char *text)
{
    for (uint32_t i = house.label_count; i-- > 0;)
        if (strcmp(house.labels[i].text, text) == 0)
            return &house.labels[i];
    return NULL;
}

static struct label *label_add(const struct load *load, uint64_t content)
{
    if (house.label_count == LABELS_MAX)
        abort();
    struct label *label = &house.labels[house.label_count++];
    *label = (struct label){ .content = content };
    snprintf(label->text, sizeof label->text, "%s", load->label);
    struct stored *stored = stored_of(load->target->name);
    while (house.targets[label->target] != stored)
        label->target++;
    return label;
}

static bool apply_load(const struct load *load, struct label *label, struct error *err)
{
    const struct record *records = (const struct record *)(const void *)load->parts[0].data;
    uint32_t count = load->rows;
    bool late = fault_now(faults.sink * 3);
    if (!late && fault_now(faults.sink))
        return error_set(err, ERROR_RETRY, "the warehouse is busy");
    label = label ? label : label_add(load, bytes_hash(buf_view(&load->parts[0])));
    if (late) {
        label->state = LABEL_COMING;
        label->visible_us = clock_now_us() + 100 + (int64_t)chance_below(&faults.chance, 50000);
        label->records = kept_alloc(count * sizeof *records);
        label->count = count;
        memcpy(label->records, records, count * sizeof *records);
        return error_set(err, ERROR_UNKNOWN, "the answer was lost");
    }
    label->state = LABEL_VISIBLE;
    apply_records(stored_of(load->target->name), records, count);
    return !fault_now(faults.sink) || error_set(err, ERROR_UNKNOWN, "the answer was lost");
}

static bool write_load(struct sink *sink, const struct load *load, struct error *err)
{
    if (atomic_load(&((struct sim_sink *)sink)->interrupted))
        return error_set(err, ERROR_UNKNOWN, "interrupted");
    clock_sleep_us(1 + chance_below(&faults.chance, 3000));
    pthread_mutex_lock(&lock);
    apply_late_loads(clock_now_us());
    struct label *label = label_find(load->label);
    uint64_t content = bytes_hash(buf_view(&load->parts[0]));
    bool ok = true;
    if (label && label->content != content)
        run_fail("label %s was used for other rows", load->label);
    if (!stored_of(load->target->name)->exists)
        run_fail("%.*s: a load for a table that is not there", BYTES_ARGS(load->target->name));
    if (label && label->state == LABEL_COMING)
        ok = error_set(err, ERROR_UNKNOWN, "the load is under way");
    else if (!label || label->state == LABEL_REFUSED)
        ok = apply_load(load, label, err);
    pthread_mutex_unlock(&lock);
    return ok;
}

/* ---- loads that become visible together, as in a transaction of Kafka ---- */

static bool group_begin(struct sink *base, const char *text, struct error *err)
{
    struct sim_sink *sink = (struct sim_sink *)base;
    (void)text;
    pthread_mutex_lock(&lock);
    sink->group_count = 0;
    bool fails = fault_now(faults.sink);
    pthread_mutex_unlock(&lock);
    return !fails || error_set(err, ERROR_RETRY, "the log does not answer");
}

static bool group_write(struct sink *base, const struct load *load, struct error *err)
{
    struct sim_sink *sink = (struct sim_sink *)base;
    (void)err;
    if (sink->group_count == GROUP_MAX)
        abort();
    sink->group[sink->group_count++] = load;
    return true;
}

/* "sim-<epoch>-<worker>-<number>" */
static struct group_facts *facts_of(const char *text)
{
    unsigned long long epoch;
    unsigned worker;
    if (sscanf(text, "sim-%llu-%u-", &epoch, &worker) != 2 || worker >= SINK_WORKERS_MAX)
        abort();
    return &house.facts[worker];
}

static bool group_visible(struct sink *base, const char *text, bool own, struct group_facts *out,
                          struct error *err)
{
    (void)base, (void)own;
    pthread_mutex_lock(&lock);
    bool fails = fault_now(faults.sink);
    *out = *facts_of(text);
    pthread_mutex_unlock(&lock);
    return !fails || error_set(err, ERROR_RETRY, "the log does not answer");
}

static bool group_commit(struct sink *base, const char *text, const struct group_facts *facts,
                         struct target **refused, struct error *err)
{
    struct sim_sink *sink = (struct sim_sink *)base;
    (void)refused;
    clock_sleep_us(1 + chance_below(&faults.chance, 3000));
    pthread_mutex_lock(&lock);
    bool before = fault_now(faults.sink), after = !before && fault_now(faults.sink);
    struct label *label = label_find(text);
    if (!before && label && label->state == LABEL_VISIBLE)
        run_fail("group %s was committed twice", text);
    for (uint32_t i = 0; !before && i < sink->group_count; i++) {
        const struct load *load = sink->group[i];
        if (i == 0 && !label)
            label = label_add(load, 0);
        apply_records(stored_of(load->target->name),
                      (const struct record *)(const void *)load->parts[0].data, load->rows);
    }
    if (!before && label)
        label->state = LABEL_VISIBLE;
    if (!before)
        *facts_of(text) = *facts;
    pthread_mutex_unlock(&lock);
    return !(before || after) || error_set(err, ERROR_UNKNOWN, "the answer was lost");
}

static bool resolve(struct sink *sink, struct target *target, const char *text, uint64_t first,
                    uint64_t last, enum load_state *out, struct error *err)
{
    (void)sink, (void)target, (void)first, (void)last;
    pthread_mutex_lock(&lock);
    apply_late_loads(clock_now_us());
    struct label *label = label_find(text);
    bool fails = fault_now(faults.sink);
    if (!fails)
        *out = !label || label->state == LABEL_REFUSED ? LOAD_ABSENT
               : label->state == LABEL_COMING          ? LOAD_RUNNING
                                                       : LOAD_VISIBLE;
    pthread_mutex_unlock(&lock);
    return !fails || error_set(err, ERROR_RETRY, "the warehouse does not answer");
}

static bool change(struct sink *sink, struct target *target, struct target *renamed,
                   const struct schema_change *change, struct error *err)
{
    (void)sink, (void)renamed;
    pthread_mutex_lock(&lock);
    apply_late_loads(clock_now_us());
    bool before = fault_now(faults.sink);
    if (!before && target) {
        struct stored *stored = stored_of(target->name);
        if (change->kind == CHANGE_TRUNCATE_TABLE || change->kind == CHANGE_DROP_TABLE)
            stored_empty(stored);
        if (change->kind == CHANGE_DROP_TABLE)
            stored->exists = false;
        if (change->kind == CHANGE_SWEEP_TABLE)
            stored_sweep(stored, change->sweep);
    }
    bool after = !before && fault_now(faults.sink);
    pthread_mutex_unlock(&lock);
    return !(before || after) || error_set(err, ERROR_RETRY, "the warehouse does not answer");
}

/* What groups told of a target that is emptied is there no more. No log can be emptied, so the
 * engine need not know of one whose groups do not say so. */
static void groups_forget(void)
{
    for (uint32_t i = 0; i < SINK_WORKERS_MAX; i++)
        house.facts[i].since = house.facts[i].mark;
}

static bool truncate_target(struct sink *sink, struct target *target, struct error *err)
{
    (void)sink;
    pthread_mutex_lock(&lock);
    apply_late_loads(clock_now_us());
    bool before = fault_now(faults.sink);
    if (!before) {
        stored_empty(stored_of(target->name));
        groups_forget();
    }
    pthread_mutex_unlock(&lock);
    return !before || error_set(err, ERROR_RETRY, "the warehouse does not answer");
}

/* The lowest and the highest mark of the rows that are there; of a key its newest row is. */
static bool look(const struct target *target, uint64_t *oldest, uint64_t *newest, struct error *err)
{
    pthread_mutex_lock(&lock);
    apply_late_loads(clock_now_us());
    bool fails = fault_now(faults.sink);
    const struct stored *stored = stored_of(target->name);
    *oldest = stored->oldest;
    *newest = stored->newest;
    for (uint32_t i = 0; i < stored->cell_count; i++) {
        uint64_t mark = stored->cells[i].mark;
        *oldest = mark < *oldest ? mark : *oldest;
        *newest = mark > *newest ? mark : *newest;
    }
    if (*newest == 0)
        *oldest = 0;
    pthread_mutex_unlock(&lock);
    return !fails || error_set(err, ERROR_RETRY, "the warehouse does not answer");
}

static bool newest(struct sink *sink, struct target *target, uint64_t *mark, struct error *err)
{
    (void)sink;
    uint64_t oldest;
    return look(target, &oldest, mark, err);
}

static bool oldest(struct sink *sink, struct target *target, uint64_t *mark, struct error *err)
{
    (void)sink;
    uint64_t newest;
    return look(target, mark, &newest, err);
}

static void interrupt(struct sink *sink)
{
    atomic_store(&((struct sim_sink *)sink)->interrupted, true);
}
static void close_sink(struct sink *sink) { free(sink); }

const struct sink_driver warehouse = {
    .name = "warehouse",
    .help = "a simulated warehouse",
    .open = open_sink,
    .prepare = prepare,
    .encode = encode,
    .write = write_load,
    .resolve = resolve,
    .newest = newest,
    .oldest = oldest,
    .change = change,
    .truncate = truncate_target,
    .interrupt = interrupt,
    .close = close_sink,
};

const struct sink_driver grouping_warehouse = {
    .name = "log",
    .help = "a simulated log with transactions",
    .open = open_sink,
    .prepare = prepare,
    .encode = encode,
    .begin = group_begin,
    .write = group_write,
    .commit = group_commit,
    .visible = group_visible,
    .resolve = resolve,
    .newest = newest,
    .oldest = oldest,
    .change = change,
    .truncate = truncate_target,
    .interrupt = interrupt,
    .close = close_sink,
};

void warehouse_expect(uint64_t mark, bool grouped)
{
    pthread_mutex_lock(&lock);
    apply_late_loads(INT64_MAX); /* going back takes longer than a load that is under way */
    house.repeats_keyed |= !grouped;
    for (uint32_t i = 0; i < SINK_WORKERS_MAX; i++)
        house.repeats |= house.facts[i].mark > mark && house.facts[i].since > mark;
    pthread_mutex_unlock(&lock);
}

/* ---- the end ---- */

static bool differs(char *difference, size_t size, const struct stored *stored, const char *what,
                    const struct sim_row *row)
{
    snprintf(difference, size, "%s: %s: key %lld number %lld extra %lld", stored->name, what,
             (long long)row->key, (long long)row->number, (long long)row->extra);
    return false;
}

static const struct sim_row *final_row(const struct stored *stored, int64_t key)
{
    for (uint32_t i = 0; i < history.table_count; i++) {
        char name[32];
        target_name(i, name, sizeof name);
        const struct sim_table *table = history_final(i);
        for (uint32_t k = 0; strcmp(name, stored->name) == 0 && k < table->row_count; k++)
            if (table->rows[k].key == key)
                return &table->rows[k];
    }
    return NULL;
}

static bool image_is(const struct image *image, const struct sim_row *row)
{
    return image->there == (row != NULL) &&
           (!row || (image->number == row->number && image->extra == row->extra));
}

static uint32_t group_of(const struct stored *stored)
{
    unsigned group;
    return sscanf(stored->name, "all%u", &group) == 1 ? group : 0;
}

static bool is_ghost(const struct stored *stored, int64_t key, const struct image *image)
{
    struct sim_row row = { key, image->number, image->extra };
    return image->there && history_ghosts(group_of(stored), &row) > 0;
}

static bool keyed_is_equal(const struct stored *stored, char *difference, size_t size)
{
    uint32_t there = 0, wanted = 0;
    for (uint32_t i = 0; i < stored->cell_count; i++) {
        const struct cell *cell = &stored->cells[i];
        const struct sim_row *row = final_row(stored, cell->key);
        struct sim_row shown = { cell->key, cell->highest.number, cell->highest.extra };
        if (!row && is_ghost(stored, cell->key, &cell->highest))
            continue;
        if (!image_is(&cell->highest, row))
            return differs(difference, size, stored, "the highest mark shows another row", &shown);
        shown = (struct sim_row){ cell->key, cell->latest.number, cell->latest.extra };
        if (!image_is(&cell->latest, row))
            return differs(difference, size, stored, "the last to come is another row", &shown);
        there += cell->highest.there;
    }
    for (uint32_t i = 0; i < history.table_count; i++) {
        char name[32];
        target_name(i, name, sizeof name);
        if (strcmp(name, stored->name) == 0)
            wanted += history_final(i)->row_count;
    }
    if (there == wanted)
        return true;
    snprintf(difference, size, "%s: %u rows of %u", stored->name, there, wanted);
    return false;
}

static int64_t final_sum(const struct stored *stored, const struct sim_row *row)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < history.table_count; i++) {
        char name[32];
        target_name(i, name, sizeof name);
        const struct sim_table *table = history_final(i);
        for (uint32_t k = 0; strcmp(name, stored->name) == 0 && k < table->row_count; k++)
            sum += memcmp(&table->rows[k], row, sizeof *row) == 0;
    }
    return sum;
}

static bool keyless_is_equal(const struct stored *stored, uint32_t table, char *difference,
                             size_t size)
{
    for (uint32_t i = 0; i < stored->row_count; i++) {
        const struct sim_row *row = &stored->rows[i].row;
        int64_t more = stored->rows[i].sum - final_sum(stored, row);
        if (more < 0 || more > history_ghosts(group_of(stored), row))
            return differs(difference, size, stored, "another number of rows", row);
    }
    const struct sim_table *final = history_final(table);
    for (uint32_t k = 0; k < final->row_count; k++) {
        bool found = false;
        for (uint32_t i = 0; i < stored->row_count && !found; i++)
            found = memcmp(&stored->rows[i].row, &final->rows[k], sizeof final->rows[k]) == 0;
        if (!found)
            return differs(difference, size, stored, "a row is missing", &final->rows[k]);
    }
    return true;
}

bool warehouse_is_equal(char *difference, size_t size)
{
    bool equal = true;
    pthread_mutex_lock(&lock);
    apply_late_loads(clock_now_us());
    for (uint32_t i = 0; i < history.table_count && equal; i++) {
        char name[32];
        target_name(i, name, sizeof name);
        struct stored *stored = stored_of(bytes_from(name));
        equal = !stored->keyless ? keyed_is_equal(stored, difference, size)
                                 : house.repeats || keyless_is_equal(stored, i, difference, size);
    }
    pthread_mutex_unlock(&lock);
    return equal;
}
