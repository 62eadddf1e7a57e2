/* SPDX-License-Identifier: Apache-2.0
 *
 * The main thread makes everything, then waits for signals, tells systemd, draws progress, and
 * collects the threads. A pipeline that ends with an error leaves the others running: one dead sink
 * holds nobody else back; /healthz and the exit code tell of it.
 *
 * SIGTERM, SIGINT or SIGHUP asks the pipelines to stop: what is on its way is finished, or will be
 * resolved by the next start. A second one ends the process at once, as safely as kill -9. */
#include "agent/run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/build.h"
#include "agent/http.h"
#include "agent/progress.h"
#include "agent/savepoint.h"
#include "agent/service.h"
#include "agent/stored.h"
#include "engine/base/assert.h"
#include "engine/base/cleanup.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/claims.h"

enum { WAIT_MS = 500, STATUS_US = 5000000 };

struct agent {
    struct config config;
    struct plan *plans;
    struct claims *claims; /* one a sink, where several databases go into it; or NULL */
    struct running_set set;
    uint32_t started; /* threads */
    struct http *http;
    struct progress *progress;
    bool forget; /* all is done, and nobody reads on */
    bool backfill, stopping;
    int64_t watchdog_ms, watched_us, told_us;
};

/* ---- making ---- */

static void setup_log(const struct config_pipeline *pipeline)
{
    enum log_format format = LOG_FORMAT_TEXT;
    switch ((enum config_log_format)pipeline->log_format) {
    case CONFIG_LOG_AUTO:
        format = service_log_format();
        break;
    case CONFIG_LOG_JOURNAL:
        format = LOG_FORMAT_JOURNAL;
        break;
    case CONFIG_LOG_JSON:
        format = LOG_FORMAT_JSON;
        break;
    case CONFIG_LOG_TEXT:
        break;
    }
    log_setup((enum log_level)pipeline->log_level, format);
}

/* What the checkpoints hold is taken first, so that a table that has rows in its target keeps it,
 * whatever the order in the config. */
static void agent_claim(struct agent *agent, uint32_t count)
{
    struct arena *arena = &agent->config.arena;
    if (count == 0 || agent->plans[0].database.size == 0)
        return;
    agent->claims = arena_array(arena, agent->config.sink_count, sizeof *agent->claims);
    for (uint32_t i = 0; i < agent->config.sink_count; i++)
        claims_init(&agent->claims[i]);
    for (uint32_t i = 0; i < count; i++) {
        struct plan *plan = &agent->plans[i];
        plan->options.claims = &agent->claims[plan->sink_index];
        plan->options.claimant =
            (const char *)arena_printf(arena, "database '%.*s'", BYTES_ARGS(plan->database)).data;
    }
    for (uint32_t i = 0; i < 2 * count; i++)
        stored_claim(&agent->plans[i % count], i < count);
}

/* The plans that --table is for. */
static bool agent_narrow(struct agent *agent, const char *table, uint32_t *count, struct error *err)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        build_narrow(&agent->config, &agent->plans[i], table);
        if (build_reaches(&agent->plans[i]))
            agent->plans[kept++] = agent->plans[i];
    }
    *count = kept;
    return kept > 0 ||
           error_set(err, ERROR_CONFIG,
                     "--table %s: it is of a database that 'databases' does not name", table);
}

static bool agent_build(struct agent *agent, const struct arguments *arguments, struct error *err)
{
    uint32_t count = 0;
    if (!config_load(arguments->config, false, &agent->config, err))
        return false;
    setup_log(&agent->config.pipeline);
    if (!build_plans(&agent->config, &agent->plans, &count, err))
        return false;
    for (uint32_t i = 0; i < agent->config.warning_count; i++)
        log_warn("%s", (const char *)agent->config.warnings[i].data);
    agent_claim(agent, count);
    if (arguments->table && !agent_narrow(agent, arguments->table, &count, err))
        return false;
    agent->set.items = arena_array(&agent->config.arena, count, sizeof *agent->set.items);
    struct bytes name = config_folder(&agent->config.arena, agent->config.pipeline.name);
    for (uint32_t i = 0; i < count; i++) {
        struct plan *plan = &agent->plans[i];
        struct running *running = &agent->set.items[i];
        plan->options.until_snapshot_done |= agent->backfill;
        if (arguments->from && !build_begin_from(plan, arguments->from, err))
            return false;
        running->pipeline_name = (const char *)name.data;
        running->sink_name = (const char *)plan->sink_config->name.data;
        if (!pipeline_open(&plan->options, plan->source, plan->source_options, plan->sink,
                           plan->sink_options, &running->pipeline, err))
            return error_context(err, "sink '%s'", running->sink_name);
        running->metrics = pipeline_metrics(running->pipeline);
        build_title(plan, running->metrics->sink, sizeof running->metrics->sink);
        agent->set.count++;
    }
    return true;
}

/* All savepoints must be there before the first checkpoint is replaced. */
static bool agent_restore(struct agent *agent, const char *path, struct error *err)
{
    struct config *config = &agent->config;
    for (uint32_t i = 0; i < agent->set.count; i++) {
        const char *file =
            (const char *)savepoint_file(&config->arena, path, agent->plans[i].sink_config).data;
        if (access(file, R_OK) != 0)
            return error_code(err, ERROR_CONFIG, errno, "savepoint '%s': %s", file,
                              strerror(errno));
    }
    for (uint32_t i = 0; i < agent->set.count; i++) {
        struct running *running = &agent->set.items[i];
        bool done = false;
        struct bytes file = savepoint_file(&config->arena, path, agent->plans[i].sink_config);
        if (!pipeline_restore(running->pipeline, (const char *)file.data, &done, err))
            return error_context(err, "sink '%s'", running->sink_name);
        log_info("%s savepoint=%s sink=%s",
                 done ? "going on from the savepoint"
                      : "the checkpoint comes from this savepoint already and goes on",
                 path, running->sink_name);
    }
    return true;
}

/* A checkpoint that was begun at this very place goes on, so that a service that starts again with
 * the same arguments does not go back; any other stands for work that is done, and goes only with
 * consent. All are judged before the first is discarded. */
static bool agent_begin_from(struct agent *agent, const struct arguments *arguments,
                             struct error *err)
{
    bool *goes = arena_array(&agent->config.arena, agent->set.count + 1u, sizeof *goes);
    for (uint32_t i = 0; i < agent->set.count; i++) {
        struct running *running = &agent->set.items[i];
        enum pipeline_begun begun;
        if (!pipeline_look_begun(running->pipeline, &begun, err) && !arguments->discard)
            return error_context(err, "sink '%s'", running->sink_name);
        if (begun == PIPELINE_BEGUN_HERE)
            log_info("the checkpoint was begun at this place already and goes on from=%s sink=%s",
                     arguments->from, running->sink_name);
        goes[i] = begun == PIPELINE_BEGUN_ELSEWHERE;
        if (goes[i] && !arguments->discard)
            return error_set(err, ERROR_CONFIG,
                             "--from %s: sink '%s' has a checkpoint, which goes on where it is "
                             "without --from; add --discard-checkpoint to set it aside and begin "
                             "there: what is sent again comes twice in tables without a key, and "
                             "in topics",
                             arguments->from, running->sink_name);
    }
    for (uint32_t i = 0; i < agent->set.count; i++) {
        struct running *running = &agent->set.items[i];
        if (goes[i] && !pipeline_discard(running->pipeline, err))
            return error_context(err, "sink '%s'", running->sink_name);
        if (goes[i])
            log_warn("the checkpoint is set aside, beginning anew from=%s sink=%s", arguments->from,
                     running->sink_name);
    }
    return true;
}

/* The default port may belong to another agent of this machine: only a chosen one must be had. */
static bool agent_listen(struct agent *agent, struct error *err)
{
    const struct config_pipeline *pipeline = &agent->config.pipeline;
    struct http_address address;
    bool wanted =
        !bytes_is(pipeline->http_listen, "none") && (!agent->backfill || pipeline->http_line > 0);
    if (!wanted)
        return true;
    if (!http_address(pipeline->http_listen, &address, err))
        return false;
    if (http_start(&address, &agent->set, &agent->http, err))
        return true;
    if (pipeline->http_line > 0)
        return error_context(err, "%.*s", BYTES_ARGS(pipeline->http_listen));
    log_warn("%.*s: %s; going on without", BYTES_ARGS(pipeline->http_listen), err->message);
    return true;
}

/* ---- the threads ---- */

static void *run_thread(void *context)
{
    struct running *running = context;
    uint32_t parked = 0;
    struct error err = { 0 };
    enum running_state state = RUNNING_DONE;
    if (!pipeline_run(running->pipeline, &parked, &err) && err.kind != ERROR_STOP) {
        running->err = err;
        state = RUNNING_FAILED;
        log_error("the pipeline ended: %s sink=%s", err.message, running->sink_name);
    }
    running->parked_tables = parked;
    atomic_store(&running->state, state);
    service_wake();
    return NULL;
}

static bool agent_start(struct agent *agent, struct error *err)
{
    for (uint32_t i = 0; i < agent->set.count; i++) {
        struct running *running = &agent->set.items[i];
        int code = pthread_create(&running->thread, NULL, run_thread, running);
        if (code != 0)
            return error_code(err, ERROR_NONE, code, "cannot start a thread: %s", strerror(code));
        agent->started++;
    }
    return true;
}

static void agent_stop(struct agent *agent)
{
    agent->stopping = true;
    for (uint32_t i = 0; i < agent->started; i++)
        pipeline_stop(agent->set.items[i].pipeline);
}

static uint32_t live_count(const struct agent *agent)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < agent->started; i++)
        count += atomic_load(&agent->set.items[i].state) == RUNNING_LIVE;
    return count;
}

/* ---- while they run ---- */

static void on_signal(struct agent *agent, int number)
{
    if (number != SIGTERM && number != SIGINT && number != SIGHUP)
        return; /* SIGUSR1: a pipeline ended */
    if (agent->stopping) {
        log_error("ended at once by a second signal");
        _exit(EXIT_INTERNAL);
    }
    log_info("stopping signal=%s", strsignal(number));
    service_notify("STOPPING=1\nSTATUS=stopping");
    agent_stop(agent);
}

static void tell_status(struct agent *agent)
{
    char text[200];
    uint64_t rows = 0;
    int64_t lag_ms = 0;
    for (uint32_t i = 0; i < agent->set.count; i++) {
        struct pipeline_metrics *metrics = agent->set.items[i].metrics;
        int64_t lag = metrics_lag_ms(metrics);
        rows += atomic_load(&metrics->rows_durable);
        lag_ms = lag > lag_ms ? lag : lag_ms;
    }
    snprintf(text, sizeof text, "STATUS=%u of %u sinks run, %" PRIu64 " rows, lag %" PRId64 " ms",
             live_count(agent), agent->set.count, rows, lag_ms);
    service_notify(text);
}

static void tell_systemd(struct agent *agent)
{
    int64_t now_us = clock_now_us();
    if (agent->watchdog_ms > 0 && now_us - agent->watched_us >= agent->watchdog_ms * 1000) {
        agent->watched_us = now_us;
        service_notify("WATCHDOG=1");
    }
    if (!agent->stopping && now_us - agent->told_us >= STATUS_US) {
        agent->told_us = now_us;
        tell_status(agent);
    }
}

static void agent_watch(struct agent *agent)
{
    agent->watchdog_ms = service_watchdog_ms();
    int64_t wait_ms =
        agent->watchdog_ms > 0 && agent->watchdog_ms < WAIT_MS ? agent->watchdog_ms : WAIT_MS;
    service_notify("READY=1");
    while (live_count(agent) > 0) {
        on_signal(agent, service_wait_signal((int)wait_ms));
        tell_systemd(agent);
        for (uint32_t i = 0; i < agent->started; i++)
            pipeline_watch(agent->set.items[i].pipeline);
        progress_tick(agent->progress);
    }
}

static void agent_join(struct agent *agent)
{
    for (uint32_t i = 0; i < agent->started; i++)
        pthread_join(agent->set.items[i].thread, NULL);
}

/* ---- the end ---- */

/* A reader for one backfill leaves nothing behind that its server would keep for it. */
static void agent_forget(struct agent *agent)
{
    for (uint32_t i = 0; i < agent->set.count; i++) {
        const struct plan *plan = &agent->plans[i];
        struct error err;
        if (plan->source->forget && !plan->source->forget(plan->source_options, &err))
            log_warn("%s: drop the replication slot by hand", err.message);
    }
}

static int agent_result(const struct agent *agent)
{
    int code = EXIT_DONE;
    for (uint32_t i = 0; i < agent->set.count; i++) {
        const struct running *running = &agent->set.items[i];
        if (atomic_load(&running->state) == RUNNING_FAILED)
            return running->err.kind == ERROR_NONE ? EXIT_INTERNAL : EXIT_CONFIG;
        if (agent->backfill && (agent->stopping || running->parked_tables > 0))
            code = EXIT_TABLES;
    }
    return code;
}

static void tell_result(const struct agent *agent)
{
    for (uint32_t i = 0; i < agent->set.count; i++) {
        const struct running *running = &agent->set.items[i];
        if (atomic_load(&running->state) == RUNNING_DONE)
            log_info("%s sink=%s rows=%llu parked=%u", agent->stopping ? "stopped" : "all is done",
                     running->sink_name,
                     (unsigned long long)atomic_load(&running->metrics->rows_durable),
                     running->parked_tables);
    }
}

static void agent_done(struct agent *agent)
{
    http_stop(agent->http);
    for (uint32_t i = 0; i < agent->set.count; i++)
        pipeline_close(agent->set.items[i].pipeline);
    if (agent->forget)
        agent_forget(agent);
    for (uint32_t i = 0; agent->claims && i < agent->config.sink_count; i++)
        claims_done(&agent->claims[i]);
    config_done(&agent->config);
}

int run_pipelines(const struct arguments *arguments, bool backfill)
{
    CLEANUP(agent_done) struct agent agent = { .backfill = backfill };
    struct error err = { 0 };
    service_block_signals();
    if (!agent_build(&agent, arguments, &err) ||
        (arguments->savepoint && !agent_restore(&agent, arguments->savepoint, &err)) ||
        (arguments->from && !agent_begin_from(&agent, arguments, &err)) ||
        !agent_listen(&agent, &err))
        return command_failed(&err);
    agent.progress = progress_begin(&agent.set, &agent.config.arena, true, backfill);
    bool started = agent_start(&agent, &err);
    if (!started)
        agent_stop(&agent);
    agent_watch(&agent);
    agent_join(&agent);
    progress_end(agent.progress);
    tell_result(&agent);
    int result = started ? agent_result(&agent) : command_failed(&err);
    agent.forget = arguments->table && result == EXIT_DONE;
    return result;
}

int command_run(const struct arguments *arguments) { return run_pipelines(arguments, false); }
