/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person sees while it runs. On a terminal: a block at the bottom that is rewritten in
 * place, log lines scroll above it. Elsewhere: one log line an event, and, for long work, one every
 * ten seconds. One thread calls it; one object a process. */
#pragma once

#include "agent/running.h"
#include "engine/base/buf.h"

struct progress;

/* `block`: draw, if standard error is a terminal. `lines`: say how far it is, if it is none. */
struct progress *progress_begin(const struct running_set *set, struct arena *arena, bool block,
                                bool lines);
void progress_tick(struct progress *progress); /* as often as one likes */
void progress_end(struct progress *progress);  /* the last state; the block stays */

/* Pure, for the block: 1234567 -> "1,234,567"; seconds -> "0:07", "1:02:03"; -1 -> "-". */
void progress_number(uint64_t number, char *out, size_t size);
void progress_time(int64_t seconds, char *out, size_t size);
/* Seconds that are left at this rate, or -1 when nobody can say. */
int64_t progress_left(uint64_t done, uint64_t estimate, double rate);
