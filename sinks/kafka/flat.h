/* SPDX-License-Identifier: Apache-2.0
 *
 * What the flat formats share (Flink CDC's, Canal's, Maxwell's): a table of functions by the kind
 * of a column, and the loop over the messages of an event. */
#pragma once

#include "sinks/kafka/row_key.h"

enum { FLAT_BOOLEAN = TYPE_KIND_COUNT, FLAT_ONE_BIT, FLAT_KINDS };

struct flat_plan {
    struct format_context context;
    struct row_key key;
    struct json_column *columns;
    struct value *merged;
    struct bytes pieces[3]; /* of the format: what is alike in all its messages */
};

/* The encoder of a column by a format's table. */
struct json_column flat_column(const struct format_context *context, const struct column *column,
                               const json_put forms[FLAT_KINDS]);

struct flat_plan *flat_plan_make(const struct format_context *context, const struct key_form *form,
                                 const json_put forms[FLAT_KINDS]);

/* Appends the value of one message. */
typedef bool (*flat_put)(const struct flat_plan *plan, const struct event *event,
                         const struct row_change *change, struct buf *out, struct error *err);
bool flat_encode(struct flat_plan *plan, const struct event *event, flat_put put, struct buf *out,
                 struct error *err);

/* When the source changed the row; of a snapshot, when it was read. */
int64_t flat_time_us(const struct event *event);
