/* SPDX-License-Identifier: Apache-2.0
 *
 * Prometheus wants all samples of a name together, so each table of names below is walked first,
 * the pipelines second. The names that Flink CDC's users have on their dashboards stand beside
 * ours: isSnapshotting, isStreamReading, numTablesSnapshotted, numTablesRemaining,
 * currentFetchEventTimeLag and currentEmitEventTimeLag. */
#include "agent/report.h"

#include <inttypes.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/json_write.h"

const char *running_state_name(enum running_state state)
{
    static const char *const names[] = {
        [RUNNING_LIVE] = "running",
        [RUNNING_DONE] = "done",
        [RUNNING_FAILED] = "failed",
    };
    ASSERT(state < ARRAY_SIZE(names));
    return names[state];
}

static unsigned long long count_of(const atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static struct target_metrics *first_table(const struct running *running)
{
    return atomic_load(&running->metrics->tables);
}

static enum table_state state_of(const struct target_metrics *table)
{
    return (enum table_state)atomic_load_explicit(&table->state, memory_order_relaxed);
}

static bool failed(const struct running *running)
{
    return atomic_load(&running->state) == RUNNING_FAILED;
}

/* How long ago the newest change that was read happened, 0 at the log's end. */
static int64_t fetch_lag_ms(const struct pipeline_metrics *metrics)
{
    int64_t read_us = atomic_load(&metrics->read_time_us);
    int64_t lag_us = clock_wall_us() - read_us;
    return atomic_load(&metrics->caught_up) || read_us == 0 || lag_us < 0 ? 0 : lag_us / 1000;
}

static unsigned long long tables_in(const struct running *running, bool snapshotted)
{
    unsigned long long count = 0;
    for (const struct target_metrics *table = first_table(running); table; table = table->next)
        count += (state_of(table) == TABLE_STREAMING) == snapshotted;
    return count;
}

/* ---- Prometheus ---- */

/* The value of a label: backslash, quote and line end are escaped. */
static void put_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            buf_u8(out, '\\');
        if (*value == '\n')
            buf_text(out, "\\n");
        else
            buf_u8(out, (uint8_t)*value);
    }
    buf_u8(out, '"');
}

static void put_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* `name{pipeline="..",sink=".."`; the caller may add labels and closes it. */
static void put_sample(struct buf *out, const char *name, const struct running *running)
{
    buf_printf(out, "%s{", name);
    put_label(out, "pipeline", running->pipeline_name);
    put_label(out, ",sink", running->sink_name);
}

#define COUNTER(field) offsetof(struct pipeline_metrics, field)
static const struct counter {
    const char *name, *help;
    size_t offset;
    const char *reason; /* a second label; NULL: none */
} counters[] = {
    { "millrace_source_bytes_total", "Bytes read from the log.", COUNTER(source_bytes), NULL },
    { "millrace_source_events_total", "Row changes read from the log.", COUNTER(source_events),
      NULL },
    { "millrace_source_transactions_total", "Transactions read from the log.",
      COUNTER(source_transactions), NULL },
    { "millrace_source_reconnects_total", "Times the source was connected again.",
      COUNTER(reconnects), NULL },
    { "millrace_rows_total", "Rows durable in the sink.", COUNTER(rows_durable), NULL },
    { "millrace_bytes_total", "Bytes durable in the sink.", COUNTER(bytes_durable), NULL },
    { "millrace_loads_total", "Loads durable in the sink.", COUNTER(loads), NULL },
    { "millrace_checkpoints_total", "Positions written down.", COUNTER(checkpoints), NULL },
    { "millrace_values_changed_total", "Values that a chosen policy changed.",
      COUNTER(changed.zero_dates), "zero-date" },
    { "millrace_values_changed_total", NULL, COUNTER(changed.out_of_range), "out-of-range" },
    { "millrace_values_changed_total", NULL, COUNTER(replaced_text), "replaced-text" },
    { "millrace_dead_letters_total", "Messages too large for the sink, noted instead.",
      COUNTER(changed.dead_letters), NULL },
};

static void put_counters(const struct running_set *set, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        if (counters[i].help)
            put_family(out, counters[i].name, "counter", counters[i].help);
        for (uint32_t k = 0; k < set->count; k++) {
            const uint8_t *metrics = (const uint8_t *)set->items[k].metrics;
            put_sample(out, counters[i].name, &set->items[k]);
            if (counters[i].reason)
                put_label(out, ",reason", counters[i].reason);
            buf_printf(
                out, "} %llu\n",
                count_of((const atomic_ullong *)(const void *)(metrics + counters[i].offset)));
        }
    }
}

enum gauge_kind {
    GAUGE_UP,
    GAUGE_CONNECTED,
    GAUGE_LAG,
    GAUGE_SNAPSHOTTING,
    GAUGE_STREAMING,
    GAUGE_TABLES_DONE,
    GAUGE_TABLES_LEFT,
    GAUGE_FETCH_LAG,
    GAUGE_EMIT_LAG,
    GAUGE_BEHIND,
    GAUGE_RETENTION
};
static const struct gauge {
    const char *name, *help;
    enum gauge_kind kind;
} gauges[] = {
    { "millrace_up", "1 while the pipeline runs.", GAUGE_UP },
    { "millrace_source_connected", "1 while the source is connected.", GAUGE_CONNECTED },
    { "millrace_lag_milliseconds", "Age of the oldest change that is not durable.", GAUGE_LAG },
    { "millrace_source_log_behind_bytes", "Log behind the durable position, when last asked.",
      GAUGE_BEHIND },
    { "millrace_source_log_retention_percent",
      "How much of what the server keeps lies behind the durable position; -1: no limit.",
      GAUGE_RETENTION },
    { "isSnapshotting", "1 while tables are read.", GAUGE_SNAPSHOTTING },
    { "isStreamReading", "1 while the log is read.", GAUGE_STREAMING },
    { "numTablesSnapshotted", "Tables whose snapshot is done.", GAUGE_TABLES_DONE },
    { "numTablesRemaining", "Tables whose snapshot is not done.", GAUGE_TABLES_LEFT },
    { "currentFetchEventTimeLag", "Milliseconds from commit to reading.", GAUGE_FETCH_LAG },
    { "currentEmitEventTimeLag", "Milliseconds from commit to durable.", GAUGE_EMIT_LAG },
};

static long long gauge_value(const struct running *running, enum gauge_kind kind)
{
    const struct pipeline_metrics *metrics = running->metrics;
    switch (kind) {
    case GAUGE_UP:
        return atomic_load(&running->state) == RUNNING_LIVE;
    case GAUGE_CONNECTED:
    case GAUGE_STREAMING:
        return atomic_load(&metrics->connected);
    case GAUGE_SNAPSHOTTING:
        return atomic_load(&metrics->snapshotting);
    case GAUGE_TABLES_DONE:
        return (long long)tables_in(running, true);
    case GAUGE_TABLES_LEFT:
        return (long long)tables_in(running, false);
    case GAUGE_FETCH_LAG:
        return fetch_lag_ms(metrics);
    case GAUGE_BEHIND:
        return (long long)count_of(&metrics->behind_bytes);
    case GAUGE_RETENTION:
        return atomic_load(&metrics->retention_percent);
    case GAUGE_LAG:
    case GAUGE_EMIT_LAG:
        return metrics_lag_ms(metrics);
    }
    return 0;
}

static void put_gauges(const struct running_set *set, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(gauges); i++) {
        put_family(out, gauges[i].name, "gauge", gauges[i].help);
        for (uint32_t k = 0; k < set->count; k++) {
            put_sample(out, gauges[i].name, &set->items[k]);
            buf_printf(out, "} %lld\n", gauge_value(&set->items[k], gauges[i].kind));
        }
    }
}

#define TABLE(field) offsetof(struct target_metrics, field)
static const struct table_counter {
    const char *name, *type, *help;
    size_t offset;
    const char *operation;
} table_counters[] = {
    { "millrace_table_rows_total", "counter", "Changes durable in the target.", TABLE(inserts),
      "insert" },
    { "millrace_table_rows_total", NULL, NULL, TABLE(updates), "update" },
    { "millrace_table_rows_total", NULL, NULL, TABLE(deletes), "delete" },
    { "millrace_table_snapshot_rows", "gauge", "Rows of the snapshot so far.", TABLE(snapshot_rows),
      NULL },
    { "millrace_table_snapshot_estimate_rows", "gauge", "Rows that the source guesses it has.",
      TABLE(snapshot_estimate), NULL },
    { "millrace_table_bytes_total", "counter", "Bytes durable in the target.", TABLE(bytes), NULL },
    { "millrace_table_loads_total", "counter", "Loads durable in the target.", TABLE(loads), NULL },
    { "millrace_table_retries_total", "counter", "Loads that were sent again.", TABLE(retries),
      NULL },
    { "millrace_table_schema_changes_total", "counter", "Schema changes applied.",
      TABLE(schema_changes), NULL },
};

static void put_table_sample(struct buf *out, const char *name, const struct running *running,
                             const struct target_metrics *table)
{
    put_sample(out, name, running);
    put_label(out, ",table", table->source);
    put_label(out, ",target", table->target);
}

static void put_table_counters(const struct running_set *set, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(table_counters); i++) {
        const struct table_counter *row = &table_counters[i];
        if (row->help)
            put_family(out, row->name, row->type, row->help);
        for (uint32_t k = 0; k < set->count; k++) {
            for (struct target_metrics *table = first_table(&set->items[k]); table;
                 table = table->next) {
                const void *field = (const uint8_t *)table + row->offset;
                put_table_sample(out, row->name, &set->items[k], table);
                if (row->operation)
                    put_label(out, ",operation", row->operation);
                buf_printf(out, "} %llu\n", count_of(field));
            }
        }
    }
}

static void put_table_states(const struct running_set *set, struct buf *out)
{
    put_family(out, "millrace_table_state", "gauge", "1, with the table's state as a label.");
    for (uint32_t k = 0; k < set->count; k++) {
        for (struct target_metrics *table = first_table(&set->items[k]); table;
             table = table->next) {
            put_table_sample(out, "millrace_table_state", &set->items[k], table);
            put_label(out, ",state", table_state_name(state_of(table)));
            buf_text(out, "} 1\n");
        }
    }
}

void report_metrics(const struct running_set *set, struct buf *out)
{
    put_family(out, "millrace_info", "gauge", "1, with the version as a label.");
    buf_printf(out, "millrace_info{version=\"%s\"} 1\n", MILLRACE_VERSION);
    put_gauges(set, out);
    put_counters(set, out);
    put_table_states(set, out);
    put_table_counters(set, out);
}

/* ---- JSON ---- */

static void put_locked_text(struct json_writer *json, const char *key, pthread_mutex_t *lock,
                            const char *text)
{
    char copy[sizeof((struct pipeline_metrics *)0)->position];
    pthread_mutex_lock(lock);
    size_t size = strnlen(text, sizeof copy - 1);
    memcpy(copy, text, size);
    pthread_mutex_unlock(lock);
    json_member_string(json, key, (struct bytes){ (const uint8_t *)copy, size });
}

static void put_flag(struct json_writer *json, const char *key, bool flag)
{
    json_key(json, bytes_from(key));
    json_bool(json, flag);
}

static void put_table(struct json_writer *json, struct target_metrics *table)
{
    json_object(json);
    json_member_string(json, "source", bytes_from(table->source));
    json_member_string(json, "target", bytes_from(table->target));
    json_member_string(json, "state", bytes_from(table_state_name(state_of(table))));
    put_locked_text(json, "reason", &table->lock, table->reason);
    json_member_uint(json, "snapshot_rows", count_of(&table->snapshot_rows));
    json_member_uint(json, "snapshot_estimate", count_of(&table->snapshot_estimate));
    json_member_uint(json, "inserts", count_of(&table->inserts));
    json_member_uint(json, "updates", count_of(&table->updates));
    json_member_uint(json, "deletes", count_of(&table->deletes));
    json_member_uint(json, "bytes", count_of(&table->bytes));
    json_member_uint(json, "loads", count_of(&table->loads));
    json_member_uint(json, "retries", count_of(&table->retries));
    json_member_uint(json, "schema_changes", count_of(&table->schema_changes));
    json_member_int(json, "last_change_ms", atomic_load(&table->event_time_us) / 1000);
    json_object_end(json);
}

static void put_numbers(struct json_writer *json, struct pipeline_metrics *metrics)
{
    json_member_int(json, "lag_ms", metrics_lag_ms(metrics));
    json_member_uint(json, "rows", count_of(&metrics->rows_durable));
    json_member_uint(json, "bytes", count_of(&metrics->bytes_durable));
    json_member_uint(json, "loads", count_of(&metrics->loads));
    json_member_uint(json, "checkpoints", count_of(&metrics->checkpoints));
    json_member_uint(json, "source_bytes", count_of(&metrics->source_bytes));
    json_member_uint(json, "source_events", count_of(&metrics->source_events));
    json_member_uint(json, "source_transactions", count_of(&metrics->source_transactions));
    json_member_uint(json, "reconnects", count_of(&metrics->reconnects));
    json_member_uint(json, "log_behind_bytes", count_of(&metrics->behind_bytes));
    json_member_int(json, "log_retention_percent", atomic_load(&metrics->retention_percent));
    json_member_uint(json, "zero_dates", count_of(&metrics->changed.zero_dates));
    json_member_uint(json, "out_of_range", count_of(&metrics->changed.out_of_range));
    json_member_uint(json, "replaced_text", count_of(&metrics->replaced_text));
    json_member_uint(json, "dead_letters", count_of(&metrics->changed.dead_letters));
}

static void put_running(struct json_writer *json, const struct running *running)
{
    struct pipeline_metrics *metrics = running->metrics;
    json_object(json);
    json_member_string(json, "name", bytes_from(running->sink_name));
    json_member_string(json, "source", bytes_from(metrics->source));
    json_member_string(json, "sink", bytes_from(metrics->sink));
    enum running_state state = (enum running_state)atomic_load(&running->state);
    json_member_string(json, "state", bytes_from(running_state_name(state)));
    json_member_string(json, "error",
                       bytes_from(state == RUNNING_FAILED ? running->err.message : ""));
    put_locked_text(json, "trouble", &metrics->lock, metrics->trouble);
    put_locked_text(json, "retention", &metrics->lock, metrics->retention);
    put_locked_text(json, "position", &metrics->lock, metrics->position);
    put_flag(json, "connected", atomic_load(&metrics->connected));
    put_flag(json, "snapshotting", atomic_load(&metrics->snapshotting));
    put_flag(json, "caught_up", atomic_load(&metrics->caught_up));
    put_numbers(json, metrics);
    json_key(json, BYTES_LITERAL("tables"));
    json_array(json);
    for (struct target_metrics *table = first_table(running); table; table = table->next)
        put_table(json, table);
    json_array_end(json);
    json_object_end(json);
}

void report_status(const struct running_set *set, struct buf *out)
{
    struct json_writer json = json_writer_of(out);
    json_object(&json);
    json_member_string(&json, "version", bytes_from(MILLRACE_VERSION));
    json_member_string(&json, "pipeline", bytes_from(set->items[0].pipeline_name));
    put_flag(&json, "live", true);
    json_key(&json, BYTES_LITERAL("sinks"));
    json_array(&json);
    for (uint32_t i = 0; i < set->count; i++)
        put_running(&json, &set->items[i]);
    json_array_end(&json);
    json_object_end(&json);
    buf_u8(out, '\n');
}

/* ---- health ---- */

static unsigned parked_of(const struct running *running)
{
    unsigned count = 0;
    for (const struct target_metrics *table = first_table(running); table; table = table->next)
        count += state_of(table) == TABLE_PARKED;
    return count;
}

bool report_health(const struct running_set *set, struct buf *out)
{
    bool ok = true;
    unsigned parked = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct running *running = &set->items[i];
        struct pipeline_metrics *metrics = running->metrics;
        parked += parked_of(running);
        if (failed(running)) {
            buf_printf(out, "%s: %s\n", running->sink_name, running->err.message);
            ok = false;
            continue;
        }
        pthread_mutex_lock(&metrics->lock);
        if (metrics->trouble[0]) {
            buf_printf(out, "%s: %s\n", running->sink_name, metrics->trouble);
            ok = false;
        }
        pthread_mutex_unlock(&metrics->lock);
    }
    if (ok)
        buf_text(out, "ok\n");
    if (parked > 0)
        buf_printf(out, "%u tables are parked\n", parked);
    return ok;
}
