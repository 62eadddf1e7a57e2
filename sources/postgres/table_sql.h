/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements of the snapshot reader. */
#pragma once

#include "engine/base/buf.h"
#include "schema/table.h"
#include "schema/value.h"

/* COPY (SELECT columns FROM table WHERE after < key <= until ORDER BY key LIMIT n) TO STDOUT; after
 * and until may be NULL, limit 0: all rows, in no order. `only`: without tables that inherit. */
struct reader_range {
    const struct value *after, *until;
    uint32_t limit;
    bool only;
};
void table_sql_copy(struct buf *out, const struct table *table, const struct reader_range *range);
