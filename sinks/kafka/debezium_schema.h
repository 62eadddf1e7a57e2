/* SPDX-License-Identifier: Apache-2.0
 *
 * The Connect schemas of Debezium's keys and envelopes, as JsonConverter writes them. */
#pragma once

#include "sinks/kafka/debezium_type.h"

/* The logical name of the source: topic.prefix, or our own where there is none. */
struct bytes debezium_server_name(const struct kafka_options *options);

/* What goes around a key that tells its schema. */
void debezium_key_schema(const struct format_context *context, struct bytes *head,
                         struct bytes *tail);
/* The event with an origin, whatever its source told. */
struct event debezium_placed(const struct event *event);
void debezium_envelope_schema(const struct format_context *context, const char *connector,
                              struct buf *out);
/* Before the key and the value of a schema change: one more brace is to be closed behind each. */
void debezium_change_key_schema(const char *connector, struct buf *out);
void debezium_change_schema(const struct format_context *context, const char *connector,
                            struct buf *out);
