/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ClickHouse type carries which source type, and which existing column can hold it. */
#pragma once

#include "engine/base/arena.h"
#include "schema/table.h"

/* What the server can do, asked at open: versions differ, and so do settings. */
struct clickhouse_abilities {
    bool time64;                      /* Time64 without experimental settings */
    int64_t date_min, date_max;       /* days since 1970 that Date32 shows as they are */
    int64_t seconds_min, seconds_max; /* the same of DateTime64, seconds */
};

enum family {
    FAMILY_OTHER,
    FAMILY_INT,  /* bits */
    FAMILY_UINT, /* bits */
    FAMILY_BOOL,
    FAMILY_FLOAT,   /* bits */
    FAMILY_DECIMAL, /* precision, scale */
    FAMILY_DATE,    /* Date: 1970 to 2149 */
    FAMILY_DATE32,
    FAMILY_DATETIME,   /* DateTime: 1970 to 2106 */
    FAMILY_DATETIME64, /* scale */
    FAMILY_TIME64,     /* scale */
    FAMILY_STRING,
    FAMILY_FIXED, /* bits: bytes */
    FAMILY_ENUM,
    FAMILY_JSON,
    FAMILY_UUID,
    FAMILY_IPV4,
    FAMILY_IPV6,
    FAMILY_FLOATS, /* Array(Float32) */
    FAMILY_ARRAY,  /* of `element`, which the other members describe */
};

struct clickhouse_type {
    enum family family, element;
    uint32_t bits;
    uint8_t precision, scale;
    bool nullable, low_cardinality; /* of an array: its elements */
    bool utc; /* date and time: no other zone is named */
};

static inline bool clickhouse_type_is_array(const struct clickhouse_type *type)
{
    return type->family == FAMILY_FLOATS || type->family == FAMILY_ARRAY;
}

/* The type of an array's elements. */
struct clickhouse_type clickhouse_element(const struct clickhouse_type *array);

/* Parses a type as system.columns prints it. What it does not know is FAMILY_OTHER. */
struct clickhouse_type clickhouse_type_parse(struct bytes text);

/* The type that values of `type` are encoded in: LowCardinality is left to the server. */
struct clickhouse_type clickhouse_type_of(const struct type *type,
                                          const struct clickhouse_abilities *abilities);

/* Its name; as CREATE TABLE wants it when `created` (LowCardinality(String) for an ENUM), in
 * `arena`. */
struct bytes clickhouse_type_name(const struct clickhouse_type *type, bool created,
                                  struct arena *arena);

/* Does a column of type `to` hold every value of `from`, and give it back? */
bool clickhouse_type_holds(const struct clickhouse_type *to, const struct clickhouse_type *from,
                           const struct type *source);

/* Can ALTER MODIFY COLUMN turn values of `from` into `to`, exactly as the source does when its own
 * column changes so? */
bool clickhouse_type_converts(const struct clickhouse_type *from, const struct clickhouse_type *to);
