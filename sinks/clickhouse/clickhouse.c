/* SPDX-License-Identifier: Apache-2.0
 *
 * The ClickHouse sink: HTTP, Native blocks, one INSERT a load. See clickhouse.h for where things
 * are, insert.c for exactly-once, ddl.c for the tables that it makes. */
#include "sinks/clickhouse/clickhouse.h"

#include "engine/base/assert.h"
#include "sinks/drivers.h"

enum { SETTINGS_LIMIT = 1 << 20 };

static void clickhouse_close(struct sink *sink);

static bool clickhouse_open(const void *options, struct arena *arena,
                            struct sink_counters *counters, struct sink **out, struct error *err)
{
    struct clickhouse_sink *self = arena_zalloc(arena, sizeof *self);
    self->base.driver = &sink_clickhouse;
    self->options = options;
    self->arena = arena;
    buf_init(&self->settings, SETTINGS_LIMIT);
    self->encoder = (struct native_encoder){
        .options = options,
        .abilities = &self->server.abilities,
        .counters = counters,
        .arena = arena,
    };
    body_open(&self->body, self->options->compression);
    if (!server_open(&self->server, options, arena, err) || !server_connect(&self->server, err) ||
        !insert_settings_check(self, err)) {
        clickhouse_close(&self->base);
        return false;
    }
    *out = &self->base;
    return true;
}

static void clickhouse_close(struct sink *sink)
{
    struct clickhouse_sink *self = (struct clickhouse_sink *)sink;
    if (!self)
        return;
    server_close(&self->server);
    body_close(&self->body);
    buf_done(&self->settings);
    arena_done(&self->scratch);
}

static bool clickhouse_prepare(struct sink *sink, struct target *target, const struct table *table,
                               uint32_t *parts, struct error *err)
{
    struct clickhouse_sink *self = (struct clickhouse_sink *)sink;
    arena_reset(&self->scratch);
    return target_prepare(self, target, table, parts, err);
}

static bool clickhouse_encode(struct sink *sink, struct load *load, const struct event *event,
                              struct error *err)
{
    struct clickhouse_sink *self = (struct clickhouse_sink *)sink;
    const struct clickhouse_target *state = load->target->sink_data;
    ASSERT(state && state->layout && state->layout->table == event->table);
    return native_encode(&self->encoder, state->layout, load, event, err);
}

static bool clickhouse_write(struct sink *sink, const struct load *load, struct error *err)
{
    return insert_write((struct clickhouse_sink *)sink, load, err);
}

static bool clickhouse_resolve(struct sink *sink, struct target *target, const char *label,
                               uint64_t first, uint64_t last, enum load_state *out,
                               struct error *err)
{
    (void)first;
    struct clickhouse_sink *self = (struct clickhouse_sink *)sink;
    arena_reset(&self->scratch);
    return insert_resolve(self, target, label, last, out, err);
}

static bool clickhouse_newest(struct sink *sink, struct target *target, uint64_t *mark,
                              struct error *err)
{
    struct clickhouse_sink *self = (struct clickhouse_sink *)sink;
    arena_reset(&self->scratch);
    return insert_edge(self, target, "max", mark, err);
}

static bool clickhouse_oldest(struct sink *sink, struct target *target, uint64_t *mark,
                              struct error *err)
{
    struct clickhouse_sink *self = (struct clickhouse_sink *)sink;
    arena_reset(&self->scratch);
    return insert_edge(self, target, "min", mark, err);
}

static bool clickhouse_change(struct sink *sink, struct target *target, struct target *renamed,
                              const struct schema_change *change, struct error *err)
{
    struct clickhouse_sink *self = (struct clickhouse_sink *)sink;
    arena_reset(&self->scratch);
    return change_apply(self, target, renamed, change, err);
}

static bool clickhouse_truncate(struct sink *sink, struct target *target, struct error *err)
{
    struct clickhouse_sink *self = (struct clickhouse_sink *)sink;
    arena_reset(&self->scratch);
    struct ddl ddl = target_ddl(self, target);
    ddl_truncate(&ddl, server_sql(&self->server));
    return target_execute(self, "TRUNCATE TABLE", err);
}

static void clickhouse_interrupt(struct sink *sink)
{
    if (sink)
        http_interrupt(((struct clickhouse_sink *)sink)->server.http);
}

static bool clickhouse_valid(const void *options, struct error *err)
{
    return clickhouse_options_check(options, err);
}

const struct sink_driver sink_clickhouse = {
    .name = "clickhouse",
    .help = "tables in ClickHouse 23.2 or newer, over HTTP",
    .settings = clickhouse_settings,
    .options_size = sizeof(struct clickhouse_options),
    .open = clickhouse_open,
    .prepare = clickhouse_prepare,
    .encode = clickhouse_encode,
    .write = clickhouse_write,
    .resolve = clickhouse_resolve,
    .newest = clickhouse_newest,
    .oldest = clickhouse_oldest,
    .change = clickhouse_change,
    .truncate = clickhouse_truncate,
    .interrupt = clickhouse_interrupt,
    .close = clickhouse_close,
    .valid = clickhouse_valid,
    .check = clickhouse_check,
};
