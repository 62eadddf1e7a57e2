/* SPDX-License-Identifier: Apache-2.0
 *
 * Fault points by environment variable. SIGKILL, so that no handler and no destructor tidies up
 * what a real crash would leave. */
#include "engine/base/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAULT_NAME_MAX = 100 };

static bool armed;
static struct {
    char name[FAULT_NAME_MAX]; /* empty: every point counts */
    unsigned long kill_at;     /* 0: only count */
    atomic_ulong met;
} fault;

static void fault_report(void)
{
    fprintf(stderr, "millrace: %lu fault points met\n", atomic_load(&fault.met));
}

/* kill@N or kill@NAME:N */
static bool fault_parse(const char *text)
{
    if (strncmp(text, "kill@", 5) != 0)
        return false;
    const char *number = text + 5;
    const char *colon = strrchr(number, ':');
    if (colon) {
        size_t size = (size_t)(colon - number);
        if (size == 0 || size >= sizeof fault.name)
            return false;
        memcpy(fault.name, number, size);
        fault.name[size] = '\0';
        number = colon + 1;
    }
    char *end;
    fault.kill_at = *number >= '0' && *number <= '9' ? strtoul(number, &end, 10) : 0;
    return fault.kill_at > 0 && *end == '\0';
}

void fault_setup(void)
{
    const char *text = getenv("MILLRACE_FAULT");
    if (!text || !*text)
        return;
    if (strcmp(text, "count") == 0) {
        atexit(fault_report);
    } else if (!fault_parse(text)) {
        /* A crash test that does not crash would pass for the wrong reason. */
        fprintf(stderr, "millrace: MILLRACE_FAULT is not count, kill@N or kill@NAME:N\n");
        _exit(2);
    }
    armed = true;
}

void fault_point(const char *name)
{
    if (!armed || (fault.name[0] && strcmp(fault.name, name) != 0))
        return;
    unsigned long met = atomic_fetch_add(&fault.met, 1) + 1;
    if (met == fault.kill_at)
        kill(getpid(), SIGKILL);
}
