/* SPDX-License-Identifier: Apache-2.0
 *
 * A config's pipelines on threads of their own, until they end or a signal comes: what `run` and
 * `backfill` share. */
#pragma once

#include "agent/command.h"

/* Ends with the exit code. `table` NULL: all. */
int run_pipelines(const char *config, bool backfill, const char *table);
