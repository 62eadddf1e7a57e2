/* SPDX-License-Identifier: Apache-2.0
 *
 * The program as a service: signals, and what systemd is told. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/log.h"

/* Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR1 in this thread and all that it makes; first thing. */
void service_block_signals(void);
/* The next of them, or 0 after timeout_ms. SIGUSR1 is ours: see service_wake. */
int service_wait_signal(int timeout_ms);
void service_wake(void); /* any thread: the one in service_wait_signal returns SIGUSR1 */

/* Tells systemd ("READY=1", "STOPPING=1", "STATUS=..."); nothing happens without NOTIFY_SOCKET. */
void service_notify(const char *state);
/* How often WATCHDOG=1 is expected, halved; 0: not at all. */
int64_t service_watchdog_ms(void);

/* Journal when standard error is a journal's stream, else text. */
enum log_format service_log_format(void);
