/* SPDX-License-Identifier: Apache-2.0
 *
 * Avro's binary form (specification 1.11, "Binary Encoding"), behind the prefix of Confluent's
 * serializer (wire format: magic byte 0, u32 id of the schema, big endian). Numbers are zigzag
 * varints, texts and bytes have their size in front, an optional value the place of its branch in a
 * union of null and itself. */
#pragma once

#include "engine/base/buf.h"

static inline void avro_put_prefix(uint32_t id, struct buf *out)
{
    const uint8_t prefix[] = { 0, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
                               (uint8_t)id };
    buf_put(out, prefix, sizeof prefix);
}

static inline void avro_put_long(struct buf *out, int64_t number)
{
    uint64_t zigzag = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    uint8_t raw[10];
    size_t size = 0;
    for (; zigzag >= 0x80; zigzag >>= 7)
        raw[size++] = (uint8_t)(zigzag | 0x80);
    raw[size++] = (uint8_t)zigzag;
    buf_put(out, raw, size);
}

static inline void avro_put_bytes(struct buf *out, struct bytes raw)
{
    avro_put_long(out, (int64_t)raw.size);
    buf_bytes(out, raw);
}

static inline void avro_put_optional_text(struct buf *out, struct bytes text)
{
    avro_put_long(out, text.data ? 1 : 0);
    if (text.data)
        avro_put_bytes(out, text);
}

static inline void avro_put_optional_long(struct buf *out, int64_t number)
{
    avro_put_long(out, 1);
    avro_put_long(out, number);
}

/* 0 is what is not known. */
static inline void avro_put_number_or_null(struct buf *out, uint64_t number)
{
    avro_put_long(out, number ? 1 : 0);
    if (number)
        avro_put_long(out, (int64_t)number);
}
