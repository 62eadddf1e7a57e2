/* SPDX-License-Identifier: Apache-2.0
 *
 * One line an event on standard error: `time level message key=value...`, or with a journal
 * priority in front (`<3>`) when systemd reads it, or a JSON object. Values that need it are
 * quoted and escaped, so that a hostile table name cannot forge a line. Never row data or secrets.
 *
 * Only agent/, engine/intake.c and engine/delivery.c log above debug; everything below returns
 * errors. Safe from any thread. The context (pipeline, source or sink, table) is set once a
 * thread. The same message again within a second is counted, not printed. */
#pragma once

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JOURNAL, LOG_FORMAT_JSON };

void log_setup(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

/* Copied (at most 120 bytes); "" ends it. E.g. log_context("pipeline=shop part=intake"). */
void log_context(const char *context);

/* Called before each line is put out, one at a time: whoever draws on the terminal clears it. NULL
 * ends it. It must not log. */
void log_before(void (*hook)(void));

__attribute__((format(printf, 2, 3))) void log_write(enum log_level level, const char *format, ...);
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
    (log_enabled(LOG_LEVEL_DEBUG) ? log_write(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
