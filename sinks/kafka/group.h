/* SPDX-License-Identifier: Apache-2.0
 *
 * What a worker's group holds: one committed offset, of partition 0 of the transaction topic, whose
 * metadata is "<label> <owner> <mark> <since> <workers>". Only the metadata means something. */
#pragma once

#include "engine/sink.h"
#include "sinks/kafka/client.h"

#define GROUP_NO_LABEL "-" /* marked, but nothing was committed yet */

struct group_mark {
    bool found; /* false: no offset, of a new group or of one that the brokers have forgotten */
    char label[LOAD_LABEL_SIZE];
    uint64_t owner;
    struct group_facts facts; /* workers 0: none */
};

/* The list to commit; the caller destroys it. */
rd_kafka_topic_partition_list_t *group_mark_make(const struct kafka_options *options,
                                                 const char *label, uint64_t owner,
                                                 const struct group_facts *facts);
/* Of a client whose role is this group. Committed offsets only; where the role is `settled`, the
 * end of an open transaction is waited for. */
bool group_ask(struct kafka_client *client, const char *group, int timeout_ms,
               struct group_mark *out, struct error *err);
/* The same with a client of its own. */
bool group_read(const struct kafka_options *options, const char *group, bool settled,
                struct group_mark *out, struct error *err);
