/* SPDX-License-Identifier: Apache-2.0
 *
 * The statements of the snapshot reader: literals, keyset conditions, column lists. */
#pragma once

#include "engine/base/buf.h"
#include "schema/table.h"
#include "schema/value.h"

void reader_sql_literal(struct buf *out, const struct column *column, const struct value *value);
void reader_sql_table(struct buf *out, const struct table *table);
void reader_sql_select(struct buf *out,
                       const struct table *table); /* SELECT every column FROM table */
/* key > bound or key <= bound, lexicographic over the key's columns, as AND and OR that an index
 * can follow. `bound` holds key_count values. */
void reader_sql_after(struct buf *out, const struct table *table, const struct value *bound);
void reader_sql_not_after(struct buf *out, const struct table *table, const struct value *bound);
void reader_sql_order(struct buf *out, const struct table *table);
