/* SPDX-License-Identifier: Apache-2.0
 *
 * The shortest decimal number that reads back as the same binary one; of several that short, the
 * one nearest to it. */
#pragma once

#include <stdint.h>

/* digits x 10^exponent; no zero at the end of the digits. */
struct shortest {
    uint64_t digits;
    int exponent;
};

/* Of a finite number above 0. */
struct shortest shortest_double(double number);
struct shortest shortest_float(float number);
