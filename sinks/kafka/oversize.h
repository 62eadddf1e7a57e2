/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that no broker would take, for they are larger than properties.message.max.bytes: the
 * table parks, or a note of each goes to the topic of dead letters, counted. */
#pragma once

#include "sinks/kafka/format.h"

struct oversize {
    int policy;         /* enum oversize_policy */
    size_t limit;       /* of a message's key, value and headers */
    struct bytes topic; /* that the message was for */
    struct sink_counters *counters;
};

/* Looks at the frames from `from` on, all of `event`. ERROR_DATA with the size. */
bool oversize_check(const struct oversize *oversize, const struct event *event, struct buf *out,
                    size_t from, struct error *err);
