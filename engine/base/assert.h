/* SPDX-License-Identifier: Apache-2.0
 *
 * Assertions that stay on in release builds: a wrong row is worse than a restart from the
 * checkpoint. Only for what a caller must guarantee; whatever comes from outside is an error. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof *(array))

__attribute__((noreturn, cold)) static inline void assert_failed(const char *condition,
                                                                 const char *file, int line)
{
    fprintf(stderr, "millrace: assertion failed: %s at %s:%d\n", condition, file, line);
    abort();
}
