/* SPDX-License-Identifier: Apache-2.0
 *
 * What Debezium tells of a row that is gone where the log holds no more than its key (REPLICA
 * IDENTITY DEFAULT, binlog_row_image=MINIMAL): NULL, or where the column takes none its default, or
 * this. */
#pragma once

#include "sinks/kafka/debezium_type.h"

struct gone {
    struct bytes json, avro; /* the value; in Avro without a union's branch */
};
struct gone debezium_gone(const struct connect_schema *schema);
