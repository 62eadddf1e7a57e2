/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the Kafka sink share. kafka.c is the driver; producer.c has the transactions,
 * group.c what they leave behind; client.c makes handles of librdkafka; topic.c names and makes
 * topics; a format (debezium.c) turns events into frames; check.c is the preflight. */
#pragma once

#include "engine/sink.h"
#include "sinks/kafka/format.h"
#include "sinks/kafka/producer.h"
#include "sinks/kafka/registry.h"

struct kafka_sink {
    struct sink base;
    const struct kafka_options *options;
    struct arena *arena;
    struct sink_counters *counters;
    const struct format *format;
    struct kafka_client admin;
    struct producer producer;
    size_t message_limit;
    struct registry *registry; /* NULL: the format needs none */
    struct buf sent;           /* pointers to the loads of the transaction under way */
};

/* A topic that a target's messages go to. */
struct target_topic {
    struct bytes name;   /* size 0: none */
    bool ensured;        /* the topic was there */
    uint64_t generation; /* of `handle` */
    rd_kafka_topic_t *handle;
};

/* What the sink knows of a target: target->sink_data. */
struct kafka_target {
    struct bytes headers;          /* of every message, as in a frame */
    struct target_topic topics[3]; /* by enum frame_topic */
    struct target_plan {
        const struct table *table;
        struct partition partition;
        void *plan;
        struct target_plan *next;
    } * plans;                /* newest first; several tables may share a target */
    struct target_plan *plan; /* of the version that prepare() was last called for */
};

bool kafka_check(const void *options, const struct check_target *targets, size_t count,
                 struct findings *findings, struct error *err);
