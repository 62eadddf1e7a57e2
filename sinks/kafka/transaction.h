/* SPDX-License-Identifier: Apache-2.0
 *
 * How Debezium names transactions and their tables, for provide.transaction.metadata: in each
 * message's `transaction` block, and in the topic that tells where they begin and end.
 * Source: its documentation, "Transaction metadata" of the MySQL and PostgreSQL connectors. */
#pragma once

#include "engine/sink.h"
#include "sinks/kafka/options.h"

/* The GTID, or file=..,pos=.. where there is none; PostgreSQL: the xid and an LSN with a colon
 * between: the change's own, the first change's at BEGIN, the commit's at END. */
void transaction_id(const struct event *event, struct buf *out);
/* The partition of BEGIN and END, whose key ends `out` and begins at `key_at`, as the strategy
 * says: one table has one partition. */
uint32_t transaction_hash(const struct kafka_options *options, const struct buf *out,
                          size_t key_at);
/* database.table; PostgreSQL: schema.table. */
void transaction_table(const struct table *table, struct buf *out);
