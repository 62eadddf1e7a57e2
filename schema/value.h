/* SPDX-License-Identifier: Apache-2.0
 *
 * One cell, 16 bytes; texts are views into the batch (or into the table version, for labels).
 *
 * The canonical form by type, the same from snapshot and log:
 *   INT, YEAR (0 = 0000)        VALUE_INT
 *   UINT, BIT                   VALUE_UINT
 *   FLOAT, DOUBLE               VALUE_DOUBLE (a float widened exactly)
 *   DECIMAL precision <= 18     VALUE_INT, in units of 10^-scale
 *   DECIMAL precision > 18      VALUE_TEXT, plain: [-]digits[.digits], exactly `scale` digits after
 *                               the point, no superfluous leading zeros, never "-0"
 *   DATE                        VALUE_INT, days since 1970-01-01, proleptic Gregorian
 *   TIME                        VALUE_INT, microseconds, signed
 *   DATETIME                    VALUE_INT, microseconds since 1970-01-01 00:00:00 as if UTC
 *   TIMESTAMP                   VALUE_INT, microseconds since the epoch, UTC
 *   a DATE, DATETIME or TIMESTAMP that no calendar holds (0000-00-00, 2020-00-31)
 *                               VALUE_TEXT as the source prints it: the sink's policy decides
 *   TEXT, JSON                  VALUE_TEXT, UTF-8 (JSON as its source prints it)
 *   ENUM                        VALUE_TEXT, the label; "" for the error value 0
 *   SET                         VALUE_TEXT, labels joined by commas, as MySQL prints it
 *   BYTES, GEOMETRY, VECTOR, UUID, INET4, INET6   VALUE_TEXT, the raw bytes

 *   ARRAY                       VALUE_TEXT, see schema/array.h */
#pragma once

#include "engine/base/bytes.h"

enum value_tag {
    VALUE_NULL,
    VALUE_ABSENT, /* not in the row image (MINIMAL, NOBLOB, unchanged TOAST): never to become NULL
                   */
    VALUE_INT,
    VALUE_UINT,
    VALUE_DOUBLE,
    VALUE_TEXT,
};

struct value {
    uint8_t tag;   /* enum value_tag */
    uint32_t size; /* of a text, in bytes */
    union {
        int64_t integer;
        uint64_t natural;
        double number;
        const uint8_t *data;
    };
};
_Static_assert(sizeof(struct value) == 16, "a cell is two words: rows are arrays of them");

static inline struct value value_null(void) { return (struct value){ .tag = VALUE_NULL }; }
static inline struct value value_absent(void) { return (struct value){ .tag = VALUE_ABSENT }; }
static inline struct value value_int(int64_t n)
{
    return (struct value){ .tag = VALUE_INT, .integer = n };
}
static inline struct value value_uint(uint64_t n)
{
    return (struct value){ .tag = VALUE_UINT, .natural = n };
}
static inline struct value value_double(double n)
{
    return (struct value){ .tag = VALUE_DOUBLE, .number = n };
}
static inline struct value value_text(struct bytes text)
{
    return (struct value){ .tag = VALUE_TEXT, .size = (uint32_t)text.size, .data = text.data };
}
static inline struct bytes value_bytes(const struct value *value)
{
    return (struct bytes){ value->data, value->size };
}

/* Same tag and same content, byte by byte (doubles by their bits). */
static inline bool value_equal(const struct value *a, const struct value *b)
{
    if (a->tag != b->tag)
        return false;
    if (a->tag == VALUE_TEXT)
        return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
    return a->tag <= VALUE_ABSENT || a->natural == b->natural;
}
