/* SPDX-License-Identifier: Apache-2.0
 *
 * Fault points: named places at durable steps and at the edges of requests. Each call counts; the
 * environment variable MILLRACE_FAULT chooses what happens: `kill@N` ends the process with SIGKILL
 * at the N-th point met, `kill@NAME:N` at the N-th time NAME is met, `count` prints how many were
 * met to standard error at exit. Without the variable a call costs one load and one branch. */
#pragma once

void fault_setup(void); /* reads the environment; once, before threads start */
void fault_point(const char *name);
