/* SPDX-License-Identifier: Apache-2.0
 *
 * Canonical types: what every source is decoded to and every sink encodes from. Snapshot and log
 * give the same form for the same value; schema/value.h says which form each type has. */
#pragma once

#include "engine/base/bytes.h"

enum type_kind {
    TYPE_INT,     /* signed integer of `bits` 8, 16, 24, 32 or 64                              */
    TYPE_UINT,    /* unsigned integer of `bits`                                                */
    TYPE_FLOAT,   /* IEEE single                                                               */
    TYPE_DOUBLE,  /* IEEE double                                                               */
    TYPE_DECIMAL, /* `precision` digits, `scale` of them after the point                       */
    TYPE_BIT,     /* bit field of `length` 1 to 64 bits                                        */
    TYPE_YEAR,
    TYPE_DATE,
    TYPE_TIME,      /* a signed span of time, `scale` digits of fraction 0 to 6                  */
    TYPE_DATETIME,  /* a wall clock without a zone, `scale` 0 to 6                               */
    TYPE_TIMESTAMP, /* an instant, UTC, `scale` 0 to 6                                           */
    TYPE_TEXT,      /* characters, UTF-8; `length` in characters, 0: not limited                 */
    TYPE_BYTES,     /* `length` in bytes; `fixed`: padded with zeros to the length               */
    TYPE_JSON,      /* text of a document                                                        */
    TYPE_ENUM,      /* one of `members`                                                          */
    TYPE_SET,       /* any of `members`                                                          */
    TYPE_GEOMETRY,  /* 4 bytes SRID, little endian, then WKB, as MySQL stores it                 */
    TYPE_VECTOR,    /* `length` floats, little endian                                            */
    TYPE_UUID,      /* 16 bytes in text order                                                    */
    TYPE_INET4,     /* 4 bytes, network order                                                    */
    TYPE_INET6,     /* 16 bytes, network order                                                   */
    TYPE_ARRAY,    /* of elements of kind `element`, which the other members describe          */
    TYPE_KIND_COUNT
};

struct type {
    enum type_kind kind;
    uint8_t bits;             /* integers */
    uint8_t precision, scale; /* decimal; scale = fraction digits of TIME, DATETIME, TIMESTAMP */
    uint8_t element;          /* of an ARRAY: its elements' enum type_kind */
    bool fixed;               /* CHAR, BINARY */
    bool boolean;             /* integer that its source declares as a boolean: TINYINT(1) */
    uint32_t length;
    const struct bytes *members; /* UTF-8 labels of ENUM and SET, in order */
    uint16_t member_count;
};

enum { DECIMAL_INT_PRECISION = 18 }; /* up to here a decimal travels as a scaled 64-bit integer */

bool type_equal(const struct type *a, const struct type *b);
const char *type_kind_name(enum type_kind kind); /* "int", "decimal", ... */
