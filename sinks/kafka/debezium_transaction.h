/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions in debezium-json: see transaction.h.
 *
 *   block  {"id":"0-1-7","total_order":1,"data_collection_order":1}
 *   key    {"id":"0-1-7"}
 *   BEGIN  {"status":"BEGIN","id":"0-1-7","event_count":null,"data_collections":null,"ts_ms":..}
 *   END    {"status":"END","id":"0-1-7","event_count":2,"data_collections":[
 *           {"data_collection":"shop.orders","event_count":2}],"ts_ms":..} */
#pragma once

#include "sinks/kafka/format.h"

/* Appends the block of the event's message `nth`; null where the event has no place. */
void debezium_transaction_put(const struct event *event, uint32_t nth, struct buf *out);

/* As in struct format. */
bool debezium_boundary_plan(const struct format_context *context, void **out, struct error *err);
bool debezium_boundary(void *plan, const struct event *event, struct buf *out, struct error *err);
