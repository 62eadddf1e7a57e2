/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema changes in avro-confluent: the records SchemaChangeKey and SchemaChangeValue, registered
 * for the topic of changes. */
#pragma once

#include "sinks/kafka/format.h"

struct avro_changes {
    const char *connector; /* that the schemas were registered for; NULL: not yet */
    uint32_t key_id, value_id;
};

/* Appends the frame of a change; the event has an origin. ERROR_RETRY: the registry is away. */
bool avro_put_change(struct avro_changes *changes, const struct format_context *context,
                     const struct event *event, struct buf *out, struct error *err);
