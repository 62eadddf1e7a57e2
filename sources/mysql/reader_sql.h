/* SPDX-License-Identifier: Apache-2.0
 *
 * The statements of the snapshot reader: literals, keyset conditions, column lists. */
#pragma once

#include "engine/base/buf.h"
#include "schema/table.h"
#include "schema/value.h"

void sql_literal(struct buf *out, const struct column *column, const struct value *value);
void sql_table(struct buf *out, const struct table *table);
void sql_select(struct buf *out, const struct table *table); /* SELECT every column FROM table */
/* key > bound or key <= bound, lexicographic over the key's columns, as AND and OR that an index can
 * follow. `bound` holds key_count values. */
void sql_after(struct buf *out, const struct table *table, const struct value *bound);
void sql_not_after(struct buf *out, const struct table *table, const struct value *bound);
void sql_order(struct buf *out, const struct table *table);
/* literal-tuple <= bound, compared as the columns compare. */
void sql_compare(struct buf *out, const struct table *table, const struct value *key,
                 const struct value *bound);
