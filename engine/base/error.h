/* SPDX-License-Identifier: Apache-2.0
 *
 * An error is a value: `kind` says what the one who handles it should do, `message` what a person
 * must read. Functions that can fail return bool (true = success) and take `struct error *err` as
 * their last parameter; out-parameters are untouched on failure. Who handles an error logs it,
 * once. A message never holds row data or a secret. */
#pragma once

#include <stdbool.h>

enum error_kind {
    ERROR_NONE,
    ERROR_RETRY,   /* the world: lost connection, busy server -> back off, try again             */
    ERROR_UNKNOWN, /* a write whose outcome is not known -> resolve it before anything else      */
    ERROR_DATA,    /* this row or table cannot be carried -> park the table, the others go on    */
    ERROR_CONFIG,  /* a person must change something -> stop, say what                           */
    ERROR_LOST,    /* the source no longer has our position -> the policy of the user decides    */
    ERROR_STOP,    /* we were asked to stop; not a failure                                       */
};

struct error {
    enum error_kind kind;
    int code; /* of the server or of errno, 0 when there is none: for logs and tables of codes   */
    char message[480];
};

/* Both fill *err and return false, so that a caller can write `return error_set(...)`. */
__attribute__((format(printf, 3, 4))) bool error_set(struct error *err, enum error_kind kind,
                                                     const char *format, ...);
__attribute__((format(printf, 4, 5))) bool error_code(struct error *err, enum error_kind kind,
                                                      int code, const char *format, ...);

/* Puts "text: " before the message while unwinding; keeps kind and code. Returns false. */
__attribute__((format(printf, 2, 3))) bool error_context(struct error *err, const char *format,
                                                         ...);

/* Puts ": text" behind the message: what to do about it. Returns false. */
bool error_cure(struct error *err, const char *text);

const char *error_kind_name(enum error_kind kind); /* "retry", "config", ... */
