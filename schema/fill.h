/* SPDX-License-Identifier: Apache-2.0
 *
 * What a change of a table does to the rows that are there: no event of the log tells it. */
#pragma once

#include "schema/change.h"

/* Do rows from before the change hold values that neither it nor a constant tells, so that they
 * must be read again? `strict`: the statement fails where a value does not fit its new column. */
bool fill_needs_reading(const struct schema_change *change, bool strict, struct arena *arena);

/* A column that is added holds in those rows: NULL, the zero of its type, or its default exactly as
 * the text stands. */
bool fill_is_told(const struct column *column);

/* A value of this type is exactly as the literal's text stands. */
bool fill_literal_is_told(const struct type *type, struct bytes text);

/* Every value of `old` is the same value, spelled alike, once the column is `new`. */
bool fill_is_kept(const struct column *old, const struct column *new, bool strict);
