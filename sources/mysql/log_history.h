/* SPDX-License-Identifier: Apache-2.0
 *
 * System-versioned tables of MariaDB, whose past rows are in the log as rows of their own. */
#pragma once

#include "sources/mysql/binlog_rows.h"

/* Has the log two columns more, row_start and row_end, which the server hides where the user did
 * not name them? */
bool history_is_hidden(const struct table_map *map, const struct table *table);

/* The table with these two, as the log's rows are decoded. */
const struct table *history_unhide(const struct table_map *map, const struct table *table,
                                   struct arena *arena);

/* Takes the two out again of a version that was derived from a map with them. */
void history_hide(struct table *draft, struct arena *arena);

/* The column that says until when a row is true; -1: there is none. */
int32_t history_end_of(const struct table *table);

/* Drops what tells of the past from the events since `from` and makes a DELETE of an UPDATE that
 * only ends its row. `table` is what the events are of, without hidden columns. */
void history_sort(const struct table *table, uint16_t end, struct batch *batch, uint32_t from);

/* The eight columns of a SEQUENCE, whose cached values are rows of the log too. */
bool map_is_sequence(const struct table_map *map);
