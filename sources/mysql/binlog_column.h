/* SPDX-License-Identifier: Apache-2.0
 *
 * How one column of row events is decoded: a function and its parameters, chosen once for a table
 * map and a version. */
#pragma once

#include <endian.h>

#include "engine/base/error.h"
#include "sources/mysql/binlog_value.h"
#include "sources/mysql/charset.h"

/* Types of columns in a TABLE_MAP (enum_field_types). */
enum wire_type {
    WIRE_DECIMAL = 0,
    WIRE_TINY = 1,
    WIRE_SHORT = 2,
    WIRE_LONG = 3,
    WIRE_FLOAT = 4,
    WIRE_DOUBLE = 5,
    WIRE_NULL = 6,
    WIRE_TIMESTAMP = 7,
    WIRE_LONGLONG = 8,
    WIRE_INT24 = 9,
    WIRE_DATE = 10,
    WIRE_TIME = 11,
    WIRE_DATETIME = 12,
    WIRE_YEAR = 13,
    WIRE_NEWDATE = 14,
    WIRE_VARCHAR = 15,
    WIRE_BIT = 16,
    WIRE_TIMESTAMP2 = 17,
    WIRE_DATETIME2 = 18,
    WIRE_TIME2 = 19,
    WIRE_BLOB_COMPRESSED = 140,
    WIRE_VARCHAR_COMPRESSED = 141,
    WIRE_VECTOR = 242,
    WIRE_JSON = 245,
    WIRE_NEWDECIMAL = 246,
    WIRE_ENUM = 247,
    WIRE_SET = 248,
    WIRE_TINY_BLOB = 249,
    WIRE_MEDIUM_BLOB = 250,
    WIRE_LONG_BLOB = 251,
    WIRE_BLOB = 252,
    WIRE_VAR_STRING = 253,
    WIRE_STRING = 254,
    WIRE_GEOMETRY = 255,
};

/* What the decoding of rows shares. */
struct decode_scope {
    struct arena *arena;      /* the batch's */
    const uint8_t *end;       /* of the bytes under way, which stay valid as long as the arena */
    struct value_month month; /* of the datetime decoded last: rows of a log are mostly of one */
    uint64_t replaced;        /* texts that were invalid in their set */
    const char *reason;       /* of the last failure */
};

/* Decodes the value at `at`. Returns what follows it, or NULL with scope->reason. */
struct column_decoder;
typedef const uint8_t *column_decode(const struct column_decoder *self, const uint8_t *at,
                                     struct decode_scope *scope, struct value *out);

struct column_decoder {
    column_decode *decode;
    const struct column *column;
    const struct charset *charset; /* of texts */
    uint32_t width;                /* of the whole value, when `prefix` is 0 */
    uint32_t length;               /* of BINARY(n), to pad */
    uint8_t prefix;                /* bytes of the length in front, 0 to 4 */
    uint8_t wire, scale;
    uint8_t integer_tag,
        integer_shift; /* of integers: VALUE_INT or VALUE_UINT, 64 - bits; else 0 */
    struct decimal_layout decimal;
};

/* `metadata` as in struct table_map. ERROR_DATA, naming the column, when the log's type is not one
 * that its version's type can be read from. */
bool column_decoder_make(uint8_t wire, uint16_t metadata, const struct column *column,
                         const struct charset *charset, struct column_decoder *out,
                         struct error *err);

/* From the bytes at the value, of which those above its width do not matter. */
static inline struct value column_integer(const struct column_decoder *self, uint64_t raw)
{
    raw <<= self->integer_shift;
    return self->integer_tag == VALUE_INT ? value_int((int64_t)raw >> self->integer_shift)
                                          : value_uint(raw >> self->integer_shift);
}

/* What `decode` does; integers, which are most of what rows hold, without a call. */
static inline const uint8_t *column_decode_one(const struct column_decoder *self, const uint8_t *at,
                                               struct decode_scope *scope, struct value *out)
{
    uint64_t raw;
    if (!self->integer_tag || (size_t)(scope->end - at) < sizeof raw)
        return self->decode(self, at, scope, out);
    memcpy(&raw, at, sizeof raw);
    *out = column_integer(self, le64toh(raw));
    return at + self->width;
}

/* Steps over a value; NULL when it is cut off. */
static inline const uint8_t *column_skip(const struct column_decoder *self, const uint8_t *at,
                                         const uint8_t *end)
{
    size_t left = (size_t)(end - at), size = self->width;
    if (self->prefix) {
        if (left < self->prefix)
            return NULL;
        size = 0;
        for (size_t i = self->prefix; i > 0; i--)
            size = size << 8 | at[i - 1];
        size += self->prefix;
    }
    return left < size ? NULL : at + size;
}
