/* SPDX-License-Identifier: Apache-2.0
 *
 * The key of a message and the partition that follows from it; and what an event is for a log whose
 * messages go by their key. */
#pragma once

#include "sinks/kafka/format.h"
#include "sinks/kafka/json_value.h"

/* How a format writes keys. */
struct key_form {
    struct json_column (*column)(const struct format_context *context, const struct column *column,
                                 bool key);
    struct bytes head, tail; /* around the object: a schema */
    struct bytes members;    /* in front of the columns, with braces and comma: `{"a":1,` */
    const char *prefix;      /* of the columns' names; NULL: none */
    bool fold;               /* names in lower case (ASCII) */
    bool hidden;             /* decides the partition, and is not sent */
};

struct row_key {
    const struct table *table;
    int strategy; /* enum partition_strategy */
    uint32_t table_hash;
    struct key_form form;
    struct json_column *columns; /* in key order */
    struct partition partition;
    struct json_column *parts; /* of its columns */
};

void row_key_plan(const struct format_context *context, const struct key_form *form,
                  struct row_key *out);
/* Appends the key and begins *frame with it: its size, whether it is null, the hash. */
bool row_key_put(const struct row_key *key, const struct value *row, struct buf *out,
                 struct frame *frame, struct error *err);
/* Where partition.columns decide: the hash of a JSON object of these. `out` is room for it, and
 * stays as it is. */
bool row_key_part(const struct row_key *key, const struct value *row, struct buf *out,
                  uint32_t *hash, struct error *err);
/* Appends a header whose value is the key of `row`. */
bool row_key_header(const struct row_key *key, const char *name, const struct value *row,
                    struct buf *out, struct error *err);

/* What one message tells. */
struct row_change {
    char op; /* 'r' read by the snapshot, 'c', 'u', 'd' */
    const struct value *before, *after;
    const struct value *other; /* of the new or old key, when the key changed; else NULL */
    uint32_t nth;              /* of the event's changes */
};

/* An event as one message, or as two where the key or what decides the partition changed: what is
 * told of a key is then in its own partition. What `after` leaves out did not change and is taken
 * from `before`; `merged` is room for that. Returns the number of changes. */
uint32_t row_changes(const struct row_key *key, const struct event *event, struct value *merged,
                     struct row_change out[2]);
