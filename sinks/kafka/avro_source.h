/* SPDX-License-Identifier: Apache-2.0
 *
 * Debezium's `source` in Avro: its schema and its block. */
#pragma once

#include "sinks/kafka/debezium_schema.h"

/* The record's schema, inside of one of the namespace `space`. */
struct bytes avro_source_schema(struct arena *arena, const char *connector, bool wal,
                                struct bytes space);
/* `event` has an origin; now_us stands for a time that its source did not tell. */
void avro_put_source(const struct kafka_options *options, const struct event *event, int64_t now_us,
                     struct buf *out);
void avro_put_times(int64_t time_us, struct buf *out); /* ts_us and ts_ns */
