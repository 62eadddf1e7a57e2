/* SPDX-License-Identifier: Apache-2.0
 *
 * The `source` block of Debezium's envelope as JSON: where in the log a change stands. */
#pragma once

#include "sinks/kafka/format.h"

struct debezium_source;

struct debezium_source *debezium_source_plan(const struct format_context *context);
/* Appends {..}. The event has an origin; `now_us` stands for a time that its source did not tell.
 */
void debezium_source_put(struct debezium_source *source, const struct event *event, int64_t now_us,
                         struct buf *out);
