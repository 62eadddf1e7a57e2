/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions in avro-confluent: see transaction.h. The same records as in debezium-json. */
#pragma once

#include "sinks/kafka/format.h"

/* Appends the block of the event's message `nth`, a union with null. */
void avro_put_transaction(const struct event *event, uint32_t nth, struct buf *out);

/* As in struct format. */
bool avro_boundary_plan(const struct format_context *context, void **out, struct error *err);
bool avro_boundary(void *plan, const struct event *event, struct buf *out, struct error *err);
