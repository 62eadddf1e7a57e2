/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of one event as Debezium sends them, in JSON or in Avro: a change of the key is a
 * DELETE of the old one and an INSERT of the new one, each with a header that names the other; a
 * tombstone follows each DELETE, with its key and its headers. */
#pragma once

#include "sinks/kafka/row_key.h"

struct debezium_messages {
    const struct row_key *key;
    bool tombstones;
    struct value *merged; /* room for an `after` completed from its `before` */
    /* The maker's; both append, and are given `plan`. put_key begins *frame with what the key
     * decides. */
    bool (*put_key)(const void *plan, const struct value *row, struct buf *out, struct frame *frame,
                    struct error *err);
    bool (*put_value)(const void *plan, const struct event *event, const struct row_change *change,
                      struct buf *out, struct error *err);
};

struct debezium_messages debezium_messages_of(const struct format_context *context,
                                              const struct row_key *key);

/* Appends one frame or more. */
bool debezium_messages_put(const struct debezium_messages *messages, const void *plan,
                           const struct event *event, struct buf *out, struct error *err);
