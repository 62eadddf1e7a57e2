/* SPDX-License-Identifier: Apache-2.0
 *
 * What the checkpoints of a config's pipelines hold, as the document of /status. */
#pragma once

#include "config/config.h"
#include "engine/base/buf.h"

/* A checkpoint that cannot be read is told in the document, as its sink's error. */
bool stored_status(struct config *config, struct buf *out, struct error *err);
