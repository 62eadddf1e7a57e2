/* SPDX-License-Identifier: Apache-2.0
 *
 * MySQL's binary JSON documents, and the diffs of PARTIAL_UPDATE_ROWS events, to text: exactly as
 * the server prints them. Formats: MySQL's sql-common/json_binary.h and sql/json_diff.h. */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/bytes.h"

/* The text of a document, in the arena. An empty document is the literal null. False: malformed. */
bool json_binary_print(struct bytes document, struct arena *arena, struct bytes *out);

/* The text of `document` (the binary before image) after `diffs`. False: malformed, or a diff does
 * not apply. */
bool json_binary_apply(struct bytes document, struct bytes diffs, struct arena *arena,
                       struct bytes *out);
