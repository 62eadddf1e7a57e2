/* SPDX-License-Identifier: Apache-2.0
 *
 * Digits out of texts. */
#pragma once

#include "engine/base/bytes.h"

/* The number that the text begins with, up to the first byte that is no digit; 0 where there is
 * none. For answers of a server: it wraps past 64 bits. */
static inline uint64_t parse_digits(struct bytes text)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    return number;
}

/* The value of a hexadecimal digit of either case; -1: it is none. */
static inline int parse_hex_digit(uint8_t c)
{
    static const int8_t above[UINT8_MAX + 1] = {
        ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
        ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
        ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
        ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    };
    return above[c] - 1;
}
