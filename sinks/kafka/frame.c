/* SPDX-License-Identifier: Apache-2.0
 *
 * MurmurHash2, 32 bits, with the seed of Kafka's Java client. */
#include "sinks/kafka/frame.h"

uint32_t murmur2(struct bytes key)
{
    const uint32_t mix = 0x5bd1e995, seed = 0x9747b28c;
    uint32_t hash = seed ^ (uint32_t)key.size;
    const uint8_t *at = key.data;
    size_t left = key.size;
    for (; left >= 4; at += 4, left -= 4) {
        uint32_t word =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        word *= mix;
        word ^= word >> 24;
        hash = hash * mix ^ word * mix;
    }
    for (size_t i = left; i > 0; i--)
        hash ^= (uint32_t)at[i - 1] << 8 * (i - 1);
    if (left > 0)
        hash *= mix;
    hash ^= hash >> 13;
    hash *= mix;
    return hash ^ hash >> 15;
}
