/* SPDX-License-Identifier: Apache-2.0
 *
 * `millrace backfill`: the same pipelines, told to end once what the log held when the last table
 * was read is durable. Interrupted, it goes on where it was; a later `run` of the same config goes
 * on from there too, without a gap. */
#include "agent/run.h"

int command_backfill(const struct arguments *arguments) { return run_pipelines(arguments, true); }
