/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows to ClickHouse's Native format, column by column. A layout is made once for a target and a
 * table version; it chooses each column's encoder, so that a row is a walk over an array. */
#pragma once

#include "engine/sink.h"
#include "sinks/clickhouse/options.h"
#include "sinks/clickhouse/types.h"

struct native_column;

struct native_layout {
    const struct table *table;
    struct native_column *columns; /* the source's, then nothing: version and flag are apart */
    uint16_t count;
    uint32_t parts; /* bufs of a load */
};

/* A column of the target as the layout needs it. */
struct native_field {
    struct bytes name; /* in the target */
    uint16_t source;   /* index in the table */
    bool nullable;     /* in the target */
    bool in_key;       /* of the source */
};

/* In `arena`. The table must live as long as the layout. */
struct native_layout *native_layout_make(const struct table *table,
                                         const struct native_field *fields, uint16_t count,
                                         const struct clickhouse_abilities *abilities,
                                         struct arena *arena);

struct native_encoder {
    const struct clickhouse_options *options;
    const struct clickhouse_abilities *abilities;
    struct sink_counters *counters;
    struct arena *arena;
    size_t *sizes; /* of the parts before the event, to go back to */
    uint32_t size_count;
};

/* Appends the rows of one event; on ERROR_DATA the load is as before. */
bool native_encode(struct native_encoder *encoder, const struct native_layout *layout,
                   struct load *load, const struct event *event, struct error *err);

/* The names of a load's columns, as its parts tell them: for the INSERT's list. */
bool native_next_column(const struct load *load, uint32_t *part, struct bytes *name);
