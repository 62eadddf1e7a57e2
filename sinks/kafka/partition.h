/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns that decide the partition in the place of the key (partition.columns). The setting is a
 * list with ';' between: `shop.orders:tenant,day` for one target, `tenant` for every table that has
 * the column. The first item that fits a target decides; without one it goes by its key. */
#pragma once

#include "engine/sink.h"

struct kafka_options;

struct partition {
    const uint16_t *columns; /* of the table */
    uint16_t count;          /* 0: as partition.strategy says */
};

/* ERROR_CONFIG: no such list. */
bool partition_columns_check(struct bytes setting, struct error *err);
/* ERROR_DATA: the table lacks a column that is named for it. */
bool partition_plan(const struct kafka_options *options, const struct target *target,
                    const struct table *table, struct arena *arena, struct partition *out,
                    struct error *err);
/* ERROR_DATA: the event does not tell in which partition its row was. */
bool partition_known(const struct partition *partition, const struct event *event,
                     struct error *err);
/* Do two images of a row belong into two partitions? */
bool partition_moves(const struct partition *partition, const struct value *before,
                     const struct value *after);
