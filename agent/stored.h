/* SPDX-License-Identifier: Apache-2.0
 *
 * What the checkpoints of a config's pipelines hold, as the document of /status. */
#pragma once

#include "agent/build.h"
#include "engine/base/buf.h"
#include "engine/checkpoint.h"

/* A checkpoint that cannot be read is told in the document, as its sink's error. */
bool stored_status(struct config *config, struct buf *out, struct error *err);

/* Appends a position as its driver describes it, for it alone can read its token. */
void stored_position(const struct plan *plan, struct bytes token, struct buf *out);
/* The plan takes the targets that its checkpoint has tables for, in plan->options.claims; `filled`:
 * those alone that loads went to. */
void stored_claim(const struct plan *plan, bool filled);
/* Versions of a table follow each other. */
bool stored_is_newest(const struct checkpoint_image *image, size_t index);
