/* SPDX-License-Identifier: Apache-2.0
 *
 * Where savepoints are: a folder each, with a file a sink. */
#pragma once

#include "config/config.h"

/* The file of one sink in the savepoint at `path`. */
struct bytes savepoint_file(struct arena *arena, const char *path, const struct config_sink *sink);
