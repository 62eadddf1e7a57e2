/* SPDX-License-Identifier: Apache-2.0
 *
 * What a format of messages is: two functions. A plan holds what a format has chosen for one
 * target and one version of its table. */
#pragma once

#include "engine/sink.h"
#include "sinks/kafka/frame.h"
#include "sinks/kafka/options.h"
#include "sinks/kafka/partition.h"

struct registry;

/* What a plan is made of; all of it lives as long as the plan. */
struct format_context {
    const struct kafka_options *options;
    struct sink_counters *counters;
    struct arena *arena;
    const struct target *target;
    const struct table *table;
    struct bytes topic, changes_topic; /* of rows, and of schema changes */
    struct registry *registry;         /* for Avro; else NULL */
    struct partition partition;
};

struct format {
    /* ERROR_DATA: the table cannot be carried in this format. */
    bool (*plan)(const struct format_context *context, void **plan, struct error *err);
    /* Appends the frames of one event. ERROR_DATA: this row cannot be carried; what was appended is
     * then cut off by the caller. */
    bool (*encode)(void *plan, const struct event *event, struct buf *out, struct error *err);
    /* Appends the frame of a schema change; NULL: the format has none. */
    bool (*change)(void *plan, const struct event *event, struct buf *out, struct error *err);
    /* The same two for BEGIN and END of transactions; NULL: the format has none. */
    bool (*plan_boundaries)(const struct format_context *context, void **plan, struct error *err);
    bool (*boundary)(void *plan, const struct event *event, struct buf *out, struct error *err);
};

extern const struct format format_debezium_json, format_debezium_json_flink, format_canal_json,
    format_maxwell_json, format_avro_confluent;
