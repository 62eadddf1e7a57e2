/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulation: the engine as it is, with a database, a warehouse and a disk of this folder,
 * under a seeded scheduler. A run is a function of its seed: scheduler.c   threads as fibers, locks
 * and clocks of our own: one thread runs at a time, and the seed says which, when time passes, and
 * when the agent is killed history.c     what the database will be told to do, made in advance; its
 * state at any moment log_source.c  the source driver: log and chunk readers of that database, with
 * faults warehouse.c   the sink driver: labels, lost answers, late loads; looks for rows given
 * twice disk.c        the checkpoint in memory, which survives a kill and may lose a tail to a
 * power cut simulate.c    runs seeds, kills and starts the agent again, compares at the end */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

/* ---- chance ---- */

struct chance {
    uint64_t state;
};
uint64_t chance_next(struct chance *chance);
uint32_t chance_below(struct chance *chance, uint32_t limit); /* 0 .. limit - 1 */
bool chance_one_in(struct chance *chance, uint32_t count);    /* never for 0 */

/* ---- scheduler.c (or threads.c: the same interface on real threads) ---- */

enum run_end { RUN_OVER, RUN_KILLED, RUN_FAILED };
struct run_plan {
    uint64_t seed;
    uint64_t kill_at; /* scheduling step at which everything vanishes; 0: never */
    uint64_t steps_max;
};
/* Runs `main` as the first thread until it returns, is killed or fails. */
enum run_end run_agent(const struct run_plan *plan, void (*main)(void *), void *context);
void run_spawn(void (*main)(void *), void *context); /* a thread that nobody joins */
uint64_t run_steps(void);
size_t run_leaked(void);       /* bytes that a run that was over did not free */
void clock_begin(void);        /* time starts again, for a new seed */
void *kept_alloc(size_t size); /* zeroed; outlives a kill */
void kept_free(void *memory);
/* A rule was broken: says so, once a seed, and ends the run. */
__attribute__((format(printf, 1, 2))) void run_fail(const char *format, ...);
extern bool run_verbose;
bool run_failed(void);
const char *run_message(void);

/* ---- history.c ---- */

enum {
    TABLES_MAX = 8,
    ROWS_MAX = 400,
    TRANSACTIONS_MAX = 400,
    CHANGES_MAX = 4096,
    DATABASE_KEYS = 1000
};
enum table_kind { KIND_NUMBER_KEY, KIND_TEXT_KEY, KIND_KEYLESS };
enum membership_kind { KNOWS_PREFIX, KNOWS_MAYBE, KNOWS_SET };

struct sim_row {
    int64_t key, number, extra;
};
enum sim_op {
    SIM_INSERT,
    SIM_UPDATE,
    SIM_DELETE,
    SIM_TRUNCATE,
    SIM_ALTER,
    SIM_DROP,
    SIM_CREATE,
    SIM_RESYNC
};
struct sim_change {
    enum sim_op op;
    uint8_t table;
    struct sim_row before, after;
};
struct sim_transaction {
    uint32_t first, count;
    int64_t commit_us;  /* in the log */
    int64_t visible_us; /* for snapshots: never before */
    bool schema;
};
struct sim_table {
    bool exists, wide; /* wide: has the column `extra` */
    uint32_t row_count;
    struct sim_row rows[ROWS_MAX];
};
struct history {
    enum membership_kind knows;
    uint32_t table_count;
    enum table_kind kinds[TABLES_MAX];
    uint32_t shard_group[TABLES_MAX]; /* tables of the same group but 0 share a target */
    uint32_t transaction_count, change_count;
    struct sim_transaction transactions[TRANSACTIONS_MAX]; /* number n is at n - 1 */
    struct sim_change changes[CHANGES_MAX];
    bool resyncs; /* rows change without events somewhere in it */
    bool parks;        /* tables are refused now and then */
    bool purges, lost; /* lost: a reader was told so */
    uint32_t purged;   /* transactions up to this number leave the log ... */
    int64_t purged_us; /* ... then; a reader that is connected has what follows */
    int64_t end_us;
};
extern struct history history;
void history_make(struct chance *chance, int64_t begin_us);
uint32_t history_log_end(int64_t now_us); /* number of the newest transaction in the log */
/* The state that a snapshot sees now. */
const struct sim_table *history_visible(uint32_t table);
bool history_is_visible(uint32_t number);
uint32_t history_visible_prefix(void); /* all transactions up to this number are visible */
void history_look(int64_t now_us);     /* brings the visible state up to now */
const struct sim_table *history_final(uint32_t table);
/* Rows of a table that shares its target stay there when it is dropped or emptied, until all of the
 * target is read again: how many such rows there may be in it. */
uint32_t history_ghosts(uint32_t group, const struct sim_row *row);
void table_name(uint32_t table, char *name, size_t size);
void target_name(uint32_t table, char *name, size_t size);
void key_text(int64_t key, char *text, size_t size); /* in an order that differs from the keys' */
int64_t key_of_text(const char *text, size_t size);

/* ---- the drivers ---- */

struct faults {
    struct chance chance;
    uint32_t source, reader, sink; /* one call in so many fails; 0: none */
    uint32_t park;    /* one preparing of a table with a target of its own is refused */
    int64_t until_us; /* faults end, so that a run converges */
};
extern struct faults faults;
bool fault_now(uint32_t one_in);
extern const struct source_driver log_source;
extern const struct sink_driver warehouse, grouping_warehouse;
void warehouse_begin(void); /* an empty one */
/* The agent is started with a checkpoint whose position has this mark: may rows come again? */
void warehouse_expect(uint64_t mark, bool grouped);
bool warehouse_is_equal(char *difference, size_t size); /* to the database's end */
void disk_begin(void);
/* A copy of what is on it; and an agent that is started with that copy, whose position has *mark.
 * False: nothing was stored then. */
void disk_keep(void);
bool disk_go_back(uint64_t *mark);
void disk_cut_power(
    struct chance *chance); /* commits that were not synced may be lost, newest first */
uint64_t disk_position_mark(void);
