/* SPDX-License-Identifier: Apache-2.0
 *
 * Decimal digits of whole numbers, two at a time and straight to where they belong. */
#pragma once

#include <stdint.h>
#include <string.h>

enum { DIGITS_MAX = 20 }; /* of an uint64_t */

static inline int digits_count(uint64_t number)
{
    static const uint64_t powers[] = { 0,
                                       10,
                                       100,
                                       1000,
                                       10000,
                                       100000,
                                       1000000,
                                       10000000,
                                       100000000,
                                       1000000000,
                                       10000000000,
                                       100000000000,
                                       1000000000000,
                                       10000000000000,
                                       100000000000000,
                                       1000000000000000,
                                       10000000000000000,
                                       100000000000000000,
                                       1000000000000000000,
                                       10000000000000000000U };
    int guess = (64 - __builtin_clzll(number | 1)) * 1233 >> 12; /* times log10(2) */
    return guess + (number >= powers[guess]);
}

/* Writes the last `count` digits, zeros in front; gives the end. */
static inline uint8_t *digits_write(uint8_t *to, uint64_t number, int count)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    uint8_t *end = to + count;
    for (; count >= 2; count -= 2, number /= 100)
        memcpy(to + count - 2, pairs + number % 100 * 2, 2);
    if (count)
        *to = (uint8_t)('0' + number % 10);
    return end;
}
