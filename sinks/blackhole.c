/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes every row and keeps none: for measuring what comes before the sink, and for trying a source
 * without a target. */
#include "config/setting.h"
#include "sinks/drivers.h"

static const struct setting blackhole_settings[] = { { .name = NULL } };

static bool blackhole_open(const void *options, struct arena *arena, struct sink_counters *counters,
                           struct sink **out, struct error *err)
{
    (void)options, (void)counters, (void)err;
    struct sink *self = arena_zalloc(arena, sizeof *self);
    self->driver = &sink_blackhole;
    *out = self;
    return true;
}

static bool blackhole_prepare(struct sink *sink, struct target *target, const struct table *table,
                              uint32_t *parts, struct error *err)
{
    (void)sink, (void)target, (void)table, (void)err;
    *parts = 0;
    return true;
}

static bool blackhole_encode(struct sink *sink, struct load *load, const struct event *event,
                             struct error *err)
{
    (void)sink, (void)event, (void)err;
    load->rows++;
    return true;
}

static bool blackhole_write(struct sink *sink, const struct load *load, struct error *err)
{
    (void)sink, (void)load, (void)err;
    return true;
}

static bool blackhole_change(struct sink *sink, struct target *target, struct target *renamed,
                             const struct schema_change *change, struct error *err)
{
    (void)sink, (void)target, (void)renamed, (void)change, (void)err;
    return true;
}

static bool blackhole_truncate(struct sink *sink, struct target *target, struct error *err)
{
    (void)sink, (void)target, (void)err;
    return true;
}

static void blackhole_interrupt(struct sink *sink) { (void)sink; }
static void blackhole_close(struct sink *sink) { (void)sink; }

static bool blackhole_check(const void *options, const struct check_target *targets, size_t count,
                            struct findings *findings, struct error *err)
{
    (void)options, (void)targets, (void)count, (void)findings, (void)err;
    return true;
}

const struct sink_driver sink_blackhole = {
    .name = "blackhole",
    .help = "takes every change and keeps none, for measuring and trying",
    .settings = blackhole_settings,
    .options_size = 1,
    .transient = true,
    .open = blackhole_open,
    .prepare = blackhole_prepare,
    .encode = blackhole_encode,
    .write = blackhole_write,
    .change = blackhole_change,
    .truncate = blackhole_truncate,
    .interrupt = blackhole_interrupt,
    .close = blackhole_close,
    .check = blackhole_check,
};
