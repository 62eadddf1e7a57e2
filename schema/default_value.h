/* SPDX-License-Identifier: Apache-2.0
 *
 * The default of a column as a value of its type, for schemas that tell it to readers. */
#pragma once

#include "schema/table.h"
#include "schema/value.h"

struct arena;

/* False: there is none, it is NULL, the server computes it, or it is not told here exactly as a row
 * would hold it: TIMESTAMP depends on a session's time zone, BINARY on how its server prints it. */
bool default_value(const struct column *column, struct arena *arena, struct value *out);
