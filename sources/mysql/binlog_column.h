/* SPDX-License-Identifier: Apache-2.0
 *
 * How one column of row events is decoded: a function and its parameters, chosen once for a table
 * map and a version. */
#pragma once

#include <endian.h>

#include "engine/base/error.h"
#include "sources/mysql/binlog_value.h"
#include "sources/mysql/charset.h"
#include "sources/mysql/wire_type.h"

enum { COLUMN_SPARE = 16, VALUE_MONTHS = 16 };

/* What the decoding of rows shares. */
struct decode_scope {
    struct arena *arena; /* the batch's */
    /* Of the bytes under way, which stay valid as long as the arena. COLUMN_SPARE bytes behind it
     * can be read, and mean nothing. */
    const uint8_t *end;
    struct value_month *months; /* VALUE_MONTHS that were met, each at its number's remainder */
    uint64_t replaced;          /* texts that were invalid in their set */
    const char *reason;         /* of the last failure */
};

/* What binlog_cell.h decodes inline, and all that is not of these. */
enum column_shape {
    COLUMN_OTHER,
    COLUMN_INT,
    COLUMN_UINT,
    COLUMN_BIT,
    COLUMN_DOUBLE,
    COLUMN_DECIMAL,
    COLUMN_DATE,
    COLUMN_DATETIME,
    COLUMN_TIMESTAMP,
    COLUMN_ENUM,
    COLUMN_TEXT, /* of sets in which ASCII is ASCII */
    COLUMN_BYTES,
};

/* Decodes a value of another shape at `at`, of which `least` bytes are there. Returns what follows
 * it, or NULL with scope->reason. */
struct column_decoder;
typedef const uint8_t *column_decode(const struct column_decoder *self, const uint8_t *at,
                                     struct decode_scope *scope, struct value *out);

struct column_decoder {
    uint8_t shape; /* enum column_shape */
    uint8_t wire, scale;
    uint8_t prefix;        /* bytes of the length in front, 0 to 4 */
    uint8_t least;         /* bytes that each value has: its width or its prefix */
    uint8_t shift;         /* of what is loaded whole: the bits that are not the value's */
    uint32_t width;        /* of the whole value, when `prefix` is 0 */
    uint32_t size_mask;    /* of the bytes of the prefix or of an ENUM's number, in 32 bits */
    int32_t unit;          /* of a fraction of a second, in microseconds */
    uint32_t length;       /* of BINARY(n), to pad */
    column_decode *decode; /* COLUMN_OTHER's */
    const struct column *column;
    const struct charset *charset; /* of texts */
    struct decimal_layout decimal;
};

/* `metadata` as in struct table_map. ERROR_DATA, naming the column, when the log's type is not one
 * that its version's type can be read from. */
bool column_decoder_make(uint8_t wire, uint16_t metadata, const struct column *column,
                         const struct charset *charset, struct column_decoder *out,
                         struct error *err);

/* A text that is not plain ASCII, to UTF-8. False: scope->reason. */
bool column_convert(const struct column_decoder *self, struct bytes raw, struct decode_scope *scope,
                    struct value *out);
/* A DATETIME that no calendar holds, as a text; `packed`: its number without the fraction. */
const uint8_t *column_no_datetime(const struct column_decoder *self, const uint8_t *at,
                                  uint64_t packed, uint32_t micro, struct decode_scope *scope,
                                  struct value *out);

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
