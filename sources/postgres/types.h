/* SPDX-License-Identifier: Apache-2.0
 *
 * Types of columns, by OID and typmod. Built-in types are known by their OID; others (domains,
 * enums, extensions) are looked up in pg_type. What has no better form is text, as PostgreSQL
 * prints it: intervals, ranges, composites, numeric without a precision. */
#pragma once

#include "engine/base/error.h"
#include "schema/table.h"
#include "sources/postgres/session.h"

/* A type that is not built in: what it is at the bottom of its domains. */
struct user_type {
    uint32_t oid, base;
    int32_t typmod;             /* a domain's own; -1: none */
    const struct bytes *labels; /* of an enum */
    uint16_t label_count;
    bool array; /* of `base` */
};
struct user_types {
    const struct user_type *items;
    size_t count;
    bool arrays; /* the user wants them as such, not as text */
};

enum {
    FIRST_USER_OID = 16384,
    OID_UNKNOWN = 0,
    OID_ENUM = 3500 /* anyenum: an enum at its bottom */
};

/* Looks up those of `oids` that are not built in. */
bool user_types_read(struct session *connection, const struct postgres_options *options,
                     const uint32_t *oids, size_t count, struct arena *arena,
                     struct user_types *out, struct error *err);

struct type postgres_type(uint32_t oid, int32_t typmod, const struct user_types *users);

/* An array of a key is text all the same: keys are compared, ordered and put back into SQL. */
void postgres_key_type(struct column *column);
