/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors as values. Texts are cut at the size of the message, never overflowed. */
#include "engine/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/assert.h"

bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err->kind = kind;
    err->code = 0;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return false;
}

bool error_code(struct error *err, enum error_kind kind, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err->kind = kind;
    err->code = code;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return false;
}

bool error_context(struct error *err, const char *format, ...)
{
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (length < 0)
        length = 0;
    size_t used = (size_t)length;
    if (used < sizeof err->message)
        snprintf(err->message + used, sizeof err->message - used, ": %s", old);
    return false;
}

bool error_cure(struct error *err, const char *text)
{
    size_t room = sizeof err->message - 1, size = strlen(text) + 2, used = strlen(err->message);
    if (size > room)
        return false;
    if (used + size > room)
        used = room - size; /* the cure is worth more than the end of a long text */
    snprintf(err->message + used, sizeof err->message - used, ": %s", text);
    return false;
}

const char *error_kind_name(enum error_kind kind)
{
    static const char *const names[] = {
        [ERROR_NONE] = "none", [ERROR_RETRY] = "retry",   [ERROR_UNKNOWN] = "unknown",
        [ERROR_DATA] = "data", [ERROR_CONFIG] = "config", [ERROR_LOST] = "lost",
        [ERROR_STOP] = "stop",
    };
    ASSERT(kind < ARRAY_SIZE(names));
    return names[kind];
}
