/* SPDX-License-Identifier: Apache-2.0
 *
 * A schema registry with Confluent's API, over HTTP. */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "sinks/kafka/options.h"

struct registry;

/* Takes memory from `arena`; does not connect. */
bool registry_open(const struct kafka_options *options, struct arena *arena, struct registry **out,
                   struct error *err);
/* Registers an Avro schema under "<topic>-key" or "<topic>-value", or finds it there: its id.
 * ERROR_DATA: the registry refuses it (not compatible with the one before, malformed). */
bool registry_register(struct registry *registry, struct bytes topic, const char *part,
                       struct bytes schema, uint32_t *id, struct error *err);
/* Is it there, and may we look? For `check`. */
bool registry_ping(struct registry *registry, struct error *err);
void registry_close(struct registry *registry); /* NULL is fine */
