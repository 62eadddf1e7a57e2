/* SPDX-License-Identifier: Apache-2.0
 *
 * Words of a Flink CDC file that say nothing to us: such a file loads unchanged, each of them with
 * a warning that tells why it is ignored. A setting that a driver knows is never looked up here. */
#pragma once

#include "engine/base/bytes.h"

enum flink_part { FLINK_SOURCE, FLINK_SINK, FLINK_ROUTE, FLINK_PIPELINE };

/* Why `key` is ignored in this part of the file, or NULL: it is not a word of Flink CDC's. */
const char *flink_ignored(enum flink_part part, struct bytes key);
