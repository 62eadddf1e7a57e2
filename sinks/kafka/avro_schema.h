/* SPDX-License-Identifier: Apache-2.0
 *
 * The Avro schemas of Debezium's keys and envelopes, as Confluent's converter derives them from the
 * Connect schemas. */
#pragma once

#include "sinks/kafka/debezium_schema.h"

/* The name of a field: characters that Avro does not take become '_'. */
struct bytes avro_field_name(struct arena *arena, struct bytes name);

void avro_key_schema(const struct format_context *context, struct buf *out);
void avro_envelope_schema(const struct format_context *context, const char *connector,
                          struct buf *out);
