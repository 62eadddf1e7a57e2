/* SPDX-License-Identifier: Apache-2.0
 *
 * MySQL's packed integer: one byte up to 250, else 252, 253 or 254 and 2, 3 or 8 bytes, little
 * endian. 251 (NULL, in results) and 255 are no numbers and fail the reader. */
#pragma once

#include "engine/base/reader.h"

static inline uint64_t reader_packed(struct reader *in)
{
    uint8_t first = reader_u8(in);
    if (first < 251)
        return first;
    if (first == 251 || first == 255) {
        in->failed = true;
        return 0;
    }
    return reader_le(in, first == 252 ? 2 : first == 253 ? 3 : 8);
}
