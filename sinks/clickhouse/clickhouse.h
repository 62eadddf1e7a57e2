/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the ClickHouse sink share. clickhouse.c is the driver; target.c makes a target
 * ready; native.c encodes rows; insert.c sends a load and finds one again; change.c follows schema
 * changes; rebuild.c moves rows inside the server; check.c is the preflight. */
#pragma once

#include "engine/sink.h"
#include "sinks/clickhouse/ddl.h"
#include "sinks/clickhouse/insert.h"
#include "sinks/clickhouse/native.h"
#include "sinks/clickhouse/server.h"
#include "sinks/clickhouse/shape.h"

struct clickhouse_sink {
    struct sink base;
    const struct clickhouse_options *options;
    struct arena *arena;  /* the instance's */
    struct arena scratch; /* of one call */
    struct clickhouse_server server;
    struct native_encoder encoder;
    struct insert_body body;
    struct buf settings;    /* of an INSERT, for the address */
    uint64_t attempts;      /* makes query ids differ */
    uint64_t asked_label;   /* hash of the load that resolve() was asked about last */
    int64_t asked_until_us; /* when a load that cannot be looked for is taken as ended */
};

/* What the sink knows of a target: target->sink_data. */
struct clickhouse_target {
    bool seen;  /* the table was there: should it be gone, its rows are too */
    bool stale; /* it may have changed: look before the next row */
    struct target_layout {
        const struct native_layout *layout;
        struct target_layout *next;
    } * layouts; /* newest first; one a table version, several tables may share a target */
    const struct native_layout *layout; /* of the version that prepare() was last called for */
};

struct clickhouse_target *target_state(struct clickhouse_sink *self, struct target *target);
struct ddl target_ddl(struct clickhouse_sink *self, const struct target *target);
bool target_prepare(struct clickhouse_sink *self, struct target *target, const struct table *table,
                    uint32_t *parts, struct error *err);
/* Names that a target has for itself: a source's column cannot have them. */
bool target_reserves(struct bytes name);
bool target_names_check(const struct table *table, struct error *err);
/* Is it the engine, the ORDER BY and the key's types that a table of this version needs? */
bool target_key_fits(const struct clickhouse_shape *shape, const struct table *table,
                     const struct clickhouse_abilities *abilities);
/* Makes or remakes the view beside the table, when it is wanted and does not fit. */
bool target_view(struct clickhouse_sink *self, struct target *target, const struct table *table,
                 const struct clickhouse_shape *shape, struct error *err);
/* Runs what server_sql() holds as DDL; the error says what was tried. */
bool target_execute(struct clickhouse_sink *self, const char *what, struct error *err);

/* At open: does the server know the settings of our INSERTs and the user's? */
bool insert_settings_check(struct clickhouse_sink *self, struct error *err);
bool insert_write(struct clickhouse_sink *self, const struct load *load, struct error *err);
/* The highest mark in the target; 0: no rows, or no target. */
bool insert_edge(struct clickhouse_sink *self, struct target *target, const char *function,
                 uint64_t *mark,
                   struct error *err);
bool insert_resolve(struct clickhouse_sink *self, struct target *target, const char *label,
                    uint64_t last, enum load_state *out, struct error *err);

/* Makes the target anew with the key of change->after, with the rows that it has. */
bool rebuild_target(struct clickhouse_sink *self, struct target *target,
                    const struct schema_change *change, const struct clickhouse_shape *shape,
                    struct error *err);
/* Deletes the rows of a keyed target whose version is not above `upto`. */
bool rebuild_sweep(struct clickhouse_sink *self, struct target *target, const struct table *table,
                   uint64_t upto, struct error *err);
/* The name that a column of the change's `after` had before it. */
struct bytes change_old_name(const struct schema_change *change, struct bytes name);

bool change_apply(struct clickhouse_sink *self, struct target *target, struct target *renamed,
                  const struct schema_change *change, struct error *err);

bool clickhouse_check(const void *options, const struct check_target *targets, size_t count,
                      struct findings *findings, struct error *err);
