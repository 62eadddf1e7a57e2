/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of an array to the list of schema/array.h. */
#pragma once

#include "engine/base/arena.h"
#include "schema/array.h"

/* False: it is no text of an array of `type`. */
bool array_text_decode(struct bytes text, const struct type *type, struct arena *arena,
                       struct value *out);
