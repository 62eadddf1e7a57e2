/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of COPY's text format to rows. */
#pragma once

#include "engine/batch.h"
#include "sources/postgres/text_value.h"

struct copy_plan;

/* Decoders for all columns of the table, in `arena`. */
struct copy_plan *copy_plan_make(const struct table *table, struct arena *arena);

/* Adds the line as a snapshot INSERT. ERROR_DATA, code READER_SHAPE, names the column whose text is
 * not of its type: the table was altered. `scratch` is for texts with escapes. */
bool copy_row(const struct copy_plan *plan, struct bytes line, struct batch *batch,
              struct buf *scratch, struct error *err);
