/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of rows: encoding for maps and for the checkpoint, and order where C can reproduce the
 * database's. Collated text, floats, ENUM and SET are not ordered here: the database is asked. */
#pragma once

#include "engine/base/buf.h"
#include "schema/table.h"
#include "schema/value.h"

/* Appends the key of `row` (an array of the table's column_count values): tag, then content, in key
 * order. Two rows have the same bytes exactly when their key values are equal byte by byte. */
void key_encode(const struct table *table, const struct value *row, struct buf *out);

/* Back to `key_count` values, texts copied into `arena`. False: the record is damaged. */
bool key_decode(const struct table *table, struct bytes record, struct arena *arena,
                struct value *key);

/* Does an update give the row another key? What an image leaves out (VALUE_ABSENT)
 * did not change. */
bool key_moves(const struct table *table, const struct value *before, const struct value *after);

/* May C order this table's keys as the database does? Integers, DECIMAL, DATE, TIME, DATETIME,
 * TIMESTAMP, YEAR, BIT and BYTES may; every column of the key must. */
bool key_comparable(const struct table *table);

/* Orders two encoded keys of a comparable table. */
int key_compare(const struct table *table, struct bytes a, struct bytes b);
