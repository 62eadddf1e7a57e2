/* SPDX-License-Identifier: Apache-2.0
 *
 * The key of a message, as Debezium writes it, and the partition that follows from it. */
#pragma once

#include "sinks/kafka/format.h"
#include "sinks/kafka/json_value.h"

struct row_key {
    const struct table *table;
    int strategy; /* enum partition_strategy */
    uint32_t table_hash;
    struct bytes head, tail;     /* around the object: the schema, when it is wanted */
    struct json_column *columns; /* in key order */
};

bool row_key_plan(const struct format_context *context, struct row_key *out, struct error *err);
/* Appends the key and begins *frame with it: its size, whether it is null, the hash. */
bool row_key_put(const struct row_key *key, const struct value *row, struct buf *out,
                 struct frame *frame, struct error *err);
/* Appends a header whose value is the key of `row`. */
bool row_key_header(const struct row_key *key, const char *name, const struct value *row,
                    struct buf *out, struct error *err);
bool row_key_changed(const struct row_key *key, const struct value *before,
                     const struct value *after);
