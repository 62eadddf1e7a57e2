/* SPDX-License-Identifier: Apache-2.0
 *
 * Unscaled numbers of decimals as Java's BigInteger writes them: two's complement, big endian, as
 * few bytes as hold it. */
#pragma once

#include "engine/base/bytes.h"

enum { UNSCALED_MAX = 417 }; /* bytes: the 1000 digits of PostgreSQL take 416, and a sign */

/* Into the end of `room`; the view is of it. */
struct bytes unscaled_of_int(int64_t number, uint8_t room[UNSCALED_MAX]);
struct bytes unscaled_of_uint(uint64_t number, uint8_t room[UNSCALED_MAX]);
/* Of "[-]digits[.digits]"; data NULL when it is not one, or too long. */
struct bytes unscaled_of_text(struct bytes text, uint8_t room[UNSCALED_MAX]);
