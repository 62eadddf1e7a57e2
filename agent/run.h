/* SPDX-License-Identifier: Apache-2.0
 *
 * A config's pipelines on threads of their own, until they end or a signal comes: what `run` and
 * `backfill` share. */
#pragma once

#include "agent/command.h"

/* Ends with the exit code. */
int run_pipelines(const struct arguments *arguments, bool backfill);
