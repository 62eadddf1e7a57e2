/* SPDX-License-Identifier: Apache-2.0
 *
 * The database: a list of transactions with the moment at which each stands in the log and the
 * moment from which snapshots see it, which is the same or later (group commit, acknowledgements of
 * replicas). It is made in advance, so that it does not depend on what the agent does; the state at
 * a moment is what the visible transactions leave. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

struct history history;
static struct {
    uint32_t applied; /* prefix mode: how many; set mode: all below are applied */
    bool done[TRANSACTIONS_MAX];
    struct sim_table tables[TABLES_MAX];
} seen;
static struct sim_table head[TABLES_MAX];
static struct sim_table ghosts[TABLES_MAX];

void table_name(uint32_t table, char *name, size_t size)
{
    snprintf(name, size, history.shard_group[table] ? "shard%u_%u" : "table%u_%u",
             history.shard_group[table], table);
}

void target_name(uint32_t table, char *name, size_t size)
{
    if (history.shard_group[table])
        snprintf(name, size, "all%u", history.shard_group[table]);
    else
        table_name(table, name, size);
}

/* Hexadecimal digits of a number that is scrambled reversibly: 0x2545 is odd. */
void key_text(int64_t key, char *text, size_t size)
{
    snprintf(text, size, "%04x", (uint32_t)key * 0x2545u & 0xffff);
}

int64_t key_of_text(const char *text, size_t size)
{
    char copy[8] = "";
    if (size > 4)
        return -1;
    memcpy(copy, text, size);
    uint32_t wanted = (uint32_t)strtoul(copy, NULL, 16);
    for (int64_t key = 0; key <= 0xffff; key++)
        if (((uint32_t)key * 0x2545u & 0xffff) == wanted)
            return key;
    return -1;
}

/* ---- states ---- */

static struct sim_row *row_find(struct sim_table *table, enum table_kind kind,
                                const struct sim_row *row)
{
    for (uint32_t i = 0; i < table->row_count; i++) {
        struct sim_row *found = &table->rows[i];
        if (found->key == row->key &&
            (kind != KIND_KEYLESS || (found->number == row->number && found->extra == row->extra)))
            return found;
    }
    return NULL;
}

static void row_remove(struct sim_table *table, struct sim_row *row)
{
    *row = table->rows[--table->row_count];
}

static void apply(struct sim_table *tables, const struct sim_change *change)
{
    struct sim_table *table = &tables[change->table];
    enum table_kind kind = history.kinds[change->table];
    struct sim_row *row;
    switch (change->op) {
    case SIM_INSERT:
        table->rows[table->row_count++] = change->after;
        break;
    case SIM_UPDATE:
    case SIM_DELETE:
        row = row_find(table, kind, &change->before);
        if (!row)
            abort(); /* the history is wrong, not the engine */
        if (change->op == SIM_UPDATE)
            *row = change->after;
        else
            row_remove(table, row);
        break;
    case SIM_TRUNCATE:
        table->row_count = 0;
        break;
    case SIM_ALTER:
        table->wide = true;
        break;
    case SIM_DROP:
        table->exists = table->wide = false;
        table->row_count = 0;
        break;
    case SIM_CREATE:
        table->exists = true;
        break;
    case SIM_RESYNC:
        for (uint32_t i = 0; i < table->row_count; i++)
            table->rows[i].number += 1000000;
        break;
    }
}

static void apply_transaction(struct sim_table *tables, uint32_t index)
{
    const struct sim_transaction *transaction = &history.transactions[index];
    for (uint32_t i = 0; i < transaction->count; i++)
        apply(tables, &history.changes[transaction->first + i]);
}

void history_look(int64_t now_us)
{
    uint32_t index = seen.applied;
    for (; index < history.transaction_count; index++) {
        const struct sim_transaction *transaction = &history.transactions[index];
        if (transaction->commit_us > now_us)
            break;
        if (!seen.done[index] && transaction->visible_us <= now_us) {
            apply_transaction(seen.tables, index);
            seen.done[index] = true;
        }
        if (seen.applied == index && seen.done[index])
            seen.applied++;
    }
}

bool history_is_visible(uint32_t number) { return number == 0 || seen.done[number - 1]; }
uint32_t history_visible_prefix(void) { return seen.applied; }
const struct sim_table *history_visible(uint32_t table) { return &seen.tables[table]; }
const struct sim_table *history_final(uint32_t table) { return &head[table]; }

uint32_t history_log_end(int64_t now_us)
{
    uint32_t low = 0, high = history.transaction_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (history.transactions[middle].commit_us <= now_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- making one ---- */

static void add_ghost(uint32_t index, const struct sim_row *row)
{
    struct sim_table *left = &ghosts[index];
    bool keyed = history.kinds[index] != KIND_KEYLESS;
    for (uint32_t i = 0; keyed && i < left->row_count; i++)
        if (memcmp(&left->rows[i], row, sizeof *row) == 0)
            return;
    if (left->row_count < ROWS_MAX)
        left->rows[left->row_count++] = *row;
}

/* While a target is parked changes pass it by; what it shows of a table that is dropped then may be
 * any state of each row. */
static void leave_ghosts(uint32_t index)
{
    bool keyed = history.kinds[index] != KIND_KEYLESS;
    for (uint32_t i = 0; i < head[index].row_count; i++)
        add_ghost(index, &head[index].rows[i]);
    for (uint32_t i = history.change_count; history.parks && keyed && i-- > 0;) {
        const struct sim_change *change = &history.changes[i];
        if (change->table == index && change->op == SIM_CREATE)
            break;
        if (change->table == index && (change->op == SIM_UPDATE || change->op == SIM_DELETE))
            add_ghost(index, &change->before);
    }
}

/* A row of the new table takes the place of one of that key, unless its target may be parked. */
static void lay_ghost(uint32_t index, const struct sim_row *row)
{
    struct sim_row *ghost;
    if (history.kinds[index] == KIND_KEYLESS || history.parks)
        return;
    while ((ghost = row_find(&ghosts[index], history.kinds[index], row)))
        row_remove(&ghosts[index], ghost);
}

uint32_t history_ghosts(uint32_t group, const struct sim_row *row)
{
    uint32_t count = 0;
    for (uint32_t i = 0; group && i < history.table_count; i++)
        for (uint32_t k = 0; history.shard_group[i] == group && k < ghosts[i].row_count; k++)
            count += memcmp(&ghosts[i].rows[k], row, sizeof *row) == 0;
    return count;
}

static struct sim_change *change_add(enum sim_op op, uint32_t table)
{
    struct sim_change *change = &history.changes[history.change_count++];
    *change = (struct sim_change){ .op = op, .table = (uint8_t)table };
    return change;
}

static int64_t new_key(struct chance *chance, uint32_t table)
{
    if (history.kinds[table] == KIND_KEYLESS)
        return (int64_t)chance_below(chance, 6);
    return (int64_t)table * DATABASE_KEYS + chance_below(chance, 60);
}

static struct sim_row new_row(struct chance *chance, uint32_t table)
{
    bool keyless = history.kinds[table] == KIND_KEYLESS;
    return (struct sim_row){ .key = new_key(chance, table),
                             .number = keyless ? chance_below(chance, 4) : history.change_count,
                             .extra = head[table].wide ? chance_below(chance, 3) : 0 };
}

static void change_row(struct chance *chance, uint32_t index)
{
    struct sim_table *table = &head[index];
    enum table_kind kind = history.kinds[index];
    struct sim_row row = new_row(chance, index);
    struct sim_row *found = row_find(table, kind, &row);
    uint32_t what = chance_below(chance, 10);
    struct sim_change *change;
    if (!found || (kind == KIND_KEYLESS && what < 4)) {
        if (table->row_count == ROWS_MAX)
            return;
        change = change_add(SIM_INSERT, index);
        change->after = row;
    } else if (what < 7) {
        change = change_add(SIM_UPDATE, index);
        change->before = *found;
        change->after = new_row(chance, index);
        bool keeps_key = kind != KIND_KEYLESS && what < 5;
        if (keeps_key || (kind != KIND_KEYLESS && row_find(table, kind, &change->after)))
            change->after.key = found->key;
    } else {
        change = change_add(SIM_DELETE, index);
        change->before = *found;
    }
    lay_ghost(index, &change->before);
    lay_ghost(index, &change->after);
    apply(head, change);
}

static bool change_schema(struct chance *chance, uint32_t index)
{
    struct sim_table *table = &head[index];
    enum sim_op op = SIM_CREATE;
    if (table->exists) {
        static const enum sim_op ops[] = { SIM_TRUNCATE, SIM_TRUNCATE, SIM_ALTER, SIM_DROP,
                                           SIM_RESYNC };
        op = ops[chance_below(chance, history.transaction_count % 4 ? 4 : 5)];
        bool shared = history.shard_group[index] > 0;
        if ((shared && (op == SIM_ALTER || op == SIM_RESYNC)) || (op == SIM_ALTER && table->wide) ||
            (op == SIM_DROP && history.purges))
            return false;
        history.resyncs |= op == SIM_RESYNC;
        if (shared)
            leave_ghosts(index);
    }
    apply(head, change_add(op, index));
    return true;
}

static void transaction_close(uint32_t first, int64_t commit_us, int64_t visible_us, bool schema)
{
    if (history.change_count == first)
        return;
    history.transactions[history.transaction_count++] =
        (struct sim_transaction){ first, history.change_count - first, commit_us, visible_us,
                                  schema };
}

static bool same_row(const struct sim_change *a, const struct sim_change *b, bool whole)
{
    if (a->table != b->table)
        return false;
    if (whole || history.kinds[a->table] == KIND_KEYLESS)
        return true;
    int64_t keys_a[] = { a->before.key, a->after.key }, keys_b[] = { b->before.key, b->after.key };
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            if (keys_a[i] == keys_b[j])
                return true;
    return false;
}

static bool conflicts(const struct sim_transaction *a, const struct sim_transaction *b)
{
    bool whole = a->schema || b->schema; /* a lock on the table, and on no other */
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t j = 0; j < b->count; j++)
            if (same_row(&history.changes[a->first + i], &history.changes[b->first + j], whole))
                return true;
    return false;
}

/* Who changes a row or a shape has waited for the locks of those before: they are visible then. A
 * server that keeps the order makes them visible in the log's. */
static void order_visibility(void)
{
    for (uint32_t i = history.transaction_count; i-- > 0;) {
        struct sim_transaction *earlier = &history.transactions[i];
        for (uint32_t j = i + 1; j < history.transaction_count; j++) {
            const struct sim_transaction *later = &history.transactions[j];
            if (later->commit_us >= earlier->visible_us)
                break;
            if (conflicts(earlier, later))
                earlier->visible_us = later->commit_us;
        }
        if (history.knows != KNOWS_SET && i + 1 < history.transaction_count &&
            earlier->visible_us > history.transactions[i + 1].visible_us)
            earlier->visible_us = history.transactions[i + 1].visible_us;
    }
}

static void make_tables(struct chance *chance)
{
    history.table_count = 1 + chance_below(chance, 4);
    for (uint32_t i = 0; i < history.table_count; i++) {
        history.kinds[i] = (enum table_kind)chance_below(chance, 3);
        history.shard_group[i] = 0;
    }
    for (uint32_t group = 1; group <= 2; group++) {
        if (!chance_one_in(chance, 4))
            continue;
        for (uint32_t i = 0; i < 2; i++) {
            history.kinds[history.table_count] = group == 1 ? KIND_NUMBER_KEY : KIND_KEYLESS;
            history.shard_group[history.table_count++] = group;
        }
    }
    for (uint32_t i = 0; i < history.table_count; i++)
        head[i].exists = true;
}

/* The server throws its log away, up to a moment before or after what the agent has read. */
static void make_purge(struct chance *chance, int64_t begin_us)
{
    int64_t span_us = history.end_us - begin_us;
    history.purged_us = begin_us + (int64_t)chance_below(chance, (uint32_t)span_us + 1);
    uint32_t end = history_log_end(history.purged_us), kept = chance_below(chance, 3);
    history.purged = end > kept ? end - kept : 0;
}

void history_make(struct chance *chance, int64_t begin_us)
{
    memset(&history, 0, sizeof history);
    memset(&seen, 0, sizeof seen);
    memset(head, 0, sizeof head);
    memset(ghosts, 0, sizeof ghosts);
    history.knows = (enum membership_kind)chance_below(chance, 3);
    history.purges = chance_one_in(chance, 3);
    history.parks = chance_one_in(chance, 4);
    make_tables(chance);
    memcpy(seen.tables, head, sizeof head);
    for (uint32_t i = 0; i < history.table_count; i++) {
        uint32_t first = history.change_count, rows = chance_below(chance, 50);
        for (uint32_t k = 0; k < rows; k++)
            change_row(chance, i);
        transaction_close(first, begin_us - 1000, begin_us - 1000, false);
    }
    uint32_t count = 5 + chance_below(chance, 80);
    int64_t pause_us = 200 + chance_below(chance, 20000), now_us = begin_us;
    uint32_t slow = chance_below(chance, 3) ? 2 + chance_below(chance, 10) : 0;
    uint32_t longest_us = chance_one_in(chance, 3) ? 500000 : 40000;
    uint32_t schema = chance_below(chance, 3) ? 4 + chance_below(chance, 30) : 0;
    if (chance_one_in(chance, 6)) { /* shapes change while their tables are read */
        schema = 3;
        slow = 2;
    }
    for (uint32_t i = 0; i < count; i++) {
        now_us += chance_below(chance, (uint32_t)pause_us * 2);
        uint32_t first = history.change_count, table = chance_below(chance, history.table_count);
        bool is_schema = !head[table].exists || chance_one_in(chance, schema);
        if (is_schema)
            is_schema = change_schema(chance, table);
        uint32_t changes = chance_one_in(chance, 12) ? 30 : 1 + chance_below(chance, 6);
        for (uint32_t k = 0; !is_schema && k < changes; k++) {
            uint32_t other =
                k && chance_one_in(chance, 2) ? chance_below(chance, history.table_count) : table;
            if (head[other].exists)
                change_row(chance, other);
        }
        int64_t delay_us = chance_one_in(chance, slow) ? chance_below(chance, longest_us) : 0;
        transaction_close(first, now_us, now_us + delay_us, is_schema);
    }
    history.end_us = now_us;
    if (history.purges)
        make_purge(chance, begin_us);
    order_visibility();
}
