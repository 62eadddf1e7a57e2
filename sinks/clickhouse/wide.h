/* SPDX-License-Identifier: Apache-2.0
 *
 * 256-bit integers, as far as large decimals need them. */
#pragma once

#include "engine/base/bytes.h"

struct wide {
    uint32_t words[8]; /* little endian, two's complement */
};

struct wide wide_from_int(int64_t number);

/* "[-]digits[.digits]" to units of 10^-scale. False: not such a number, more digits after the point
 * than `scale`, or more than `precision` in all. */
bool wide_from_decimal(struct bytes text, uint8_t precision, uint8_t scale, struct wide *out);
