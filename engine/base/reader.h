/* SPDX-License-Identifier: Apache-2.0
 *
 * A cursor over bytes from strangers. The first short read fails the reader for good and each later
 * one gives zero, so decoding code reads like the layout. Ask `failed` before a decoded number
 * sizes an allocation, and once at the end. */
#pragma once

#include "engine/base/bytes.h"

struct reader {
    struct bytes rest;
    bool failed;
};

static inline struct reader reader_of(struct bytes view) { return (struct reader){ .rest = view }; }

/* A view of the next bytes; empty when they are not there. */
static inline struct bytes reader_take(struct reader *in, size_t size)
{
    if (in->failed || size > in->rest.size) {
        in->failed = true;
        return (struct bytes){ (const uint8_t *)"", 0 };
    }
    struct bytes taken = { in->rest.data, size };
    in->rest.data += size;
    in->rest.size -= size;
    return taken;
}

static inline uint8_t reader_u8(struct reader *in)
{
    struct bytes raw = reader_take(in, 1);
    return raw.size ? raw.data[0] : 0;
}

/* Little endian, 1 to 8 bytes: MySQL's usual order. */
static inline uint64_t reader_le(struct reader *in, size_t width)
{
    struct bytes raw = reader_take(in, width);
    uint64_t number = 0;
    for (size_t i = raw.size; i > 0; i--)
        number = number << 8 | raw.data[i - 1];
    return number;
}

/* Big endian, 1 to 8 bytes: PostgreSQL's order, and that of MySQL's sortable formats. */
static inline uint64_t reader_be(struct reader *in, size_t width)
{
    struct bytes raw = reader_take(in, width);
    uint64_t number = 0;
    for (size_t i = 0; i < raw.size; i++)
        number = number << 8 | raw.data[i];
    return number;
}

/* Seven bits a byte, the lowest first, the top bit where more follow; of 35 bits at most. */
static inline uint64_t reader_varuint(struct reader *in)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t byte = reader_u8(in);
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
    in->failed = true;
    return 0;
}

/* The text up to the next NUL, which is consumed and not counted. */
static inline struct bytes reader_cstring(struct reader *in)
{
    const uint8_t *end =
        in->failed || !in->rest.size ? NULL : memchr(in->rest.data, 0, in->rest.size);
    if (!end) {
        in->failed = true;
        return (struct bytes){ (const uint8_t *)"", 0 };
    }
    struct bytes text = reader_take(in, (size_t)(end - in->rest.data));
    reader_take(in, 1);
    return text;
}

/* What buf_sized() wrote: u32 size and the bytes; NULL data where the size is UINT32_MAX. */
static inline struct bytes reader_sized(struct reader *in)
{
    uint64_t size = reader_le(in, 4);
    return !in->failed && size == UINT32_MAX ? (struct bytes){ NULL, 0 }
                                             : reader_take(in, (size_t)size);
}
