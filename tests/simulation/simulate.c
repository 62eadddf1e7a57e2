/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate --seeds N [--from S] [-v]: runs the seeds S .. S + N - 1. A seed makes a database, an
 * agent's options, faults and a few kills; the agent is started again after each, and in the end
 * the warehouse must hold what the database holds. A seed that fails is printed, and fails again
 * when it is run alone. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/pipeline.h"
#include "sim.h"

enum { KILLS_MAX = 5, ENDS_MAX = 5, PATIENCE_US = 100 * 1000 * 1000, PATCHY_US = 1000 * 1000 };

struct plan {
    uint64_t seed;
    struct pipeline_options options;
    const struct sink_driver *sink;
    uint32_t kills;
};

struct life { /* one start of the agent */
    const struct plan *plan;
    struct pipeline *pipeline;
    int64_t stop_us; /* asked to stop then; 0: when all is equal */
    bool lost;       /* it stopped by itself: the user has to say what then */
};

/* What was missed is missing where the user has said so: nothing but single rows is compared. */
static bool is_patchy(const struct plan *plan)
{
    return history.lost && plan->options.on_lost_position == LOST_LATEST;
}

static bool is_equal(const struct plan *plan, char *difference, size_t size)
{
    return is_patchy(plan) ? clock_now_us() > history.end_us + PATCHY_US
                           : warehouse_is_equal(difference, size);
}

static void plan_make(struct plan *plan, struct chance *chance)
{
    static const enum lost_policy policies[] = { LOST_RESYNC, LOST_RESYNC, LOST_STOP, LOST_LATEST };
    static struct bytes all;
    static struct route_rule rules[2];
    all = BYTES_LITERAL("db.\\.*");
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        rules[i] = (struct route_rule){
            .source_table = i ? BYTES_LITERAL("db.shard2_\\.*") : BYTES_LITERAL("db.shard1_\\.*"),
            .sink_table = i ? BYTES_LITERAL("db.all2") : BYTES_LITERAL("db.all1")
        };
    plan->options = (struct pipeline_options){
        .name = BYTES_LITERAL("sim"),
        .checkpoint_directory = BYTES_LITERAL("disk"),
        .checkpoint_interval_ms = 1 + chance_below(chance, 40),
        .routes = { .tables = &all, .table_count = 1, .rules = rules, .rule_count = 2 },
        .start = START_INITIAL,
        .schema_behavior = SCHEMA_EVOLVE,
        .schema_changes = CHANGE_BITS_ALL,
        .on_lost_position = policies[chance_below(chance, ARRAY_SIZE(policies))],
        .snapshot_parallelism = 1 + chance_below(chance, 3),
        .chunk_rows = 1 + chance_below(chance, 12),
        .memory_bytes = 16 << 20,
        .sink_parallelism = 1 + chance_below(chance, 3),
        .flush_rows = 1 + chance_below(chance, 60),
        .flush_bytes = 1 << 20,
        .flush_interval_ms = 1 + chance_below(chance, 40),
        .retry = { .initial_ms = 1, .maximum_ms = 20, .multiplier = 2, .jitter = 0.1 }
    };
    plan->sink = chance_one_in(chance, 3) ? &grouping_warehouse : &warehouse;
    plan->kills = chance_below(chance, KILLS_MAX + 1);
}

static void faults_make(struct chance *chance, uint64_t seed)
{
    static const uint32_t rates[] = { 0, 0, 200, 40, 12 };
    faults = (struct faults){ .chance = { seed * 3 + 1 }, .until_us = history.end_us + 100000 };
    faults.source = rates[chance_below(chance, 5)];
    faults.reader = rates[chance_below(chance, 5)];
    faults.sink = rates[chance_below(chance, 5)];
    faults.park = history.parks ? 20 : 0;
}

/* ---- one life ---- */

static void watch(void *context)
{
    struct life *life = context;
    char difference[300] = "";
    for (;;) {
        clock_sleep_us(20000);
        int64_t now_us = clock_now_us();
        if (life->stop_us
                ? now_us >= life->stop_us
                : now_us > history.end_us && is_equal(life->plan, difference, sizeof difference))
            break;
        if (now_us > history.end_us + PATIENCE_US) {
            run_fail("never equal: %s", difference);
            return;
        }
    }
    pipeline_stop(life->pipeline);
}

static void live(void *context)
{
    struct life *life = context;
    struct error err = { 0 };
    uint32_t parked;
    if (!pipeline_open(&life->plan->options, &log_source, NULL, life->plan->sink, NULL,
                       &life->pipeline, &err)) {
        run_fail("opening: %s", err.message);
        return;
    }
    run_spawn(watch, life);
    life->lost = !pipeline_run(life->pipeline, &parked, &err);
    bool stops = err.kind == ERROR_LOST && life->plan->options.on_lost_position == LOST_STOP;
    if (life->lost && !stops)
        run_fail("the agent gave up: %s", err.message);
    pipeline_close(life->pipeline);
}

static enum run_end live_once(struct plan *plan, struct chance *chance, bool last)
{
    struct life life = { .plan = plan };
    struct run_plan run = { .seed = chance_next(chance), .steps_max = 3000000 };
    if (!last && chance_one_in(chance, 4))
        life.stop_us = clock_now_us() + 1 + (int64_t)chance_below(chance, 200000);
    else if (!last)
        run.kill_at = 1 + chance_below(chance, 100u << chance_below(chance, 7));
    enum run_end end = run_agent(&run, live, &life);
    if (end == RUN_OVER && run_leaked() > 0)
        run_fail("%zu bytes were not given back", run_leaked());
    if (life.lost)
        plan->options.on_lost_position = LOST_RESYNC;
    if (run_verbose)
        printf("  life ended (%d) after %llu steps at %.3f s\n", end,
               (unsigned long long)run_steps(), (double)clock_now_us() / 1e6 - 1000);
    return end;
}

/* Between two lives a copy of the checkpoint is made, or started. */
static void age(const struct plan *plan, struct chance *chance)
{
    uint64_t mark;
    if (chance_one_in(chance, 3))
        disk_keep();
    else if (chance_one_in(chance, 4) && disk_go_back(&mark))
        warehouse_expect(mark, plan->sink == &grouping_warehouse);
}

static bool run_seed(uint64_t seed)
{
    struct chance chance = { seed * 0x9e3779b97f4a7c15u + 7 };
    struct plan plan = { .seed = seed };
    char difference[300] = "";
    clock_begin();
    warehouse_begin();
    disk_begin();
    history_make(&chance, clock_now_us() + (int64_t)chance_below(&chance, 5000));
    plan_make(&plan, &chance);
    faults_make(&chance, seed);
    for (uint32_t i = 0; i < plan.kills && !run_failed(); i++) {
        if (live_once(&plan, &chance, false) == RUN_KILLED && chance_one_in(&chance, 8))
            disk_cut_power(&chance);
        age(&plan, &chance);
    }
    faults.park = 0; /* a parked table is read again by the next life */
    /* Stopped as soon as both are equal, which they may be by chance while the log is still read.
     */
    bool equal = false;
    for (uint32_t i = 0; i < ENDS_MAX && !equal && !run_failed(); i++) {
        live_once(&plan, &chance, true);
        equal = !run_failed() && is_equal(&plan, difference, sizeof difference);
    }
    if (!run_failed() && !equal)
        run_fail("not equal at the end: %s", difference);
    if (run_failed())
        printf("seed %llu failed: %s\n", (unsigned long long)seed, run_message());
    fflush(stdout);
    return !run_failed();
}

int main(int count, char **arguments)
{
    uint64_t seeds = 100, from = 1, failed = 0;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--seeds") == 0 && i + 1 < count)
            seeds = strtoull(arguments[++i], NULL, 10);
        else if (strcmp(arguments[i], "--from") == 0 && i + 1 < count)
            from = strtoull(arguments[++i], NULL, 10);
        else if (strcmp(arguments[i], "-v") == 0)
            run_verbose = true;
        else {
            fprintf(stderr, "usage: simulate [--seeds N] [--from S] [-v]\n");
            return 2;
        }
    }
    for (uint64_t seed = from; seed < from + seeds && failed < 20; seed++)
        failed += !run_seed(seed);
    warehouse_begin();
    disk_begin();
    printf("%llu seeds, %llu failed\n", (unsigned long long)seeds, (unsigned long long)failed);
    return failed > 0;
}
