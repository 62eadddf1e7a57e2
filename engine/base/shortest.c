/* SPDX-License-Identifier: Apache-2.0
 *
 * After Raffaello Giulietti, "The Schubfach way to render doubles". A binary number c x 2^q is what
 * all decimal numbers between its two neighbours' middles read back as. The power 10^k is chosen so
 * that a multiple of it lies in there, and at most one of its tenfold. The middles and the number
 * itself are measured in quarters of 10^k, which takes one product with 10^-k to 128 bits: cut off,
 * but with its last bit set when anything was cut, it compares as the exact product would.
 *
 * The powers are computed when the first number is asked for, with integers as long as they need:
 * it takes less than a millisecond. */
#include "engine/base/shortest.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "engine/base/assert.h"

enum { POWER_MIN = -292, POWER_MAX = 324, LIMBS = 36 };

__extension__ typedef unsigned __int128 uint128;

/* 10^(i + POWER_MIN), from its first bit that is set on, rounded up. */
static uint128 powers[POWER_MAX - POWER_MIN + 1];

/* ---- powers of ten ---- */

static void multiply_by_ten(uint32_t limbs[LIMBS])
{
    uint64_t carry = 0;
    for (size_t i = 0; i < LIMBS; i++) {
        carry += (uint64_t)limbs[i] * 10;
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    ASSERT(carry == 0);
}

/* True: something was left over. */
static bool divide_by_ten(uint32_t limbs[LIMBS])
{
    uint64_t rest = 0;
    for (size_t i = LIMBS; i > 0; i--) {
        rest = rest << 32 | limbs[i - 1];
        limbs[i - 1] = (uint32_t)(rest / 10);
        rest %= 10;
    }
    return rest != 0;
}

/* The 128 bits from the first one that is set on, rounded up when what follows is not zero. */
static uint128 leading_bits(const uint32_t limbs[LIMBS], bool more)
{
    size_t top = LIMBS;
    while (limbs[top - 1] == 0)
        top--;
    uint128 bits = 0;
    int room = 128;
    for (size_t i = top; i > 0; i--) {
        uint64_t limb = limbs[i - 1];
        int size = i == top ? 64 - __builtin_clzll(limb) : 32;
        int taken = size < room ? size : room;
        bits = bits << taken | limb >> (size - taken);
        more |= (limb & ((UINT64_C(1) << (size - taken)) - 1)) != 0;
        room -= taken;
    }
    return (bits << room) + more;
}

static void make_powers(void)
{
    uint32_t limbs[LIMBS] = { 1 };
    for (int power = 0; power <= POWER_MAX; power++) {
        powers[power - POWER_MIN] = leading_bits(limbs, false);
        if (power < POWER_MAX)
            multiply_by_ten(limbs);
    }
    memset(limbs, 0, sizeof limbs);
    limbs[LIMBS - 1] = 1; /* times a power of two that changes no digit of the result */
    bool more = false;
    for (int power = -1; power >= POWER_MIN; power--) {
        more |= divide_by_ten(limbs);
        powers[power - POWER_MIN] = leading_bits(limbs, more);
    }
}

/* ---- logarithms, rounded down; exact for every exponent of a double ---- */

static int log10_of_power2(int exponent) { return exponent * 1262611 >> 22; }
static int log10_of_three_quarters_power2(int exponent)
{
    return (exponent * 1262611 - 524031) >> 22;
}
static int log2_of_power10(int exponent) { return exponent * 1741647 >> 19; }

/* ---- the number ---- */

/* The upper 64 bits of the product, the last of them set when bits below were. */
static uint64_t multiply_odd(uint128 power, uint64_t number)
{
    uint128 low = (uint128)(uint64_t)power * number;
    uint128 high = (uint128)(uint64_t)(power >> 64) * number + (low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

static struct shortest without_zeros(uint64_t digits, int exponent)
{
    while (digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    return (struct shortest){ digits, exponent };
}

/* c x 2^q. `narrow`: c is a power of two, whose lower neighbour is only half as far. */
static struct shortest shortest_of(uint64_t c, int q, bool narrow)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_powers);
    int k = narrow ? log10_of_three_quarters_power2(q) : log10_of_power2(q);
    int shift = q + log2_of_power10(-k) + 1;
    uint128 power = powers[-k - POWER_MIN];
    uint64_t lower = multiply_odd(power, (4 * c - 2 + narrow) << shift);
    uint64_t value = multiply_odd(power, 4 * c << shift);
    uint64_t upper = multiply_odd(power, (4 * c + 2) << shift);
    lower += c & 1; /* the middle itself reads back as the number whose c is even */
    upper -= c & 1;
    uint64_t below = value >> 2, ten_below = below / 10 * 10;
    bool fits = lower <= ten_below << 2, next_fits = (ten_below + 10) << 2 <= upper;
    if (below >= 10 && fits != next_fits)
        return without_zeros(fits ? ten_below : ten_below + 10, k);
    fits = lower <= below << 2;
    next_fits = (below + 1) << 2 <= upper;
    if (fits != next_fits)
        return without_zeros(fits ? below : below + 1, k);
    uint64_t middle = (below << 2) + 2;
    bool down = value < middle || (value == middle && below % 2 == 0);
    return without_zeros(down ? below : below + 1, k);
}

struct shortest shortest_double(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int exponent = (int)(bits >> 52);
    ASSERT(bits != 0 && exponent < 0x7ff);
    if (exponent == 0)
        return shortest_of(fraction, -1074, false);
    return shortest_of(fraction | UINT64_C(1) << 52, exponent - 1075,
                       fraction == 0 && exponent > 1);
}

struct shortest shortest_float(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    uint32_t fraction = bits & ((UINT32_C(1) << 23) - 1);
    int exponent = (int)(bits >> 23);
    ASSERT(bits != 0 && exponent < 0xff);
    if (exponent == 0)
        return shortest_of(fraction, -149, false);
    return shortest_of(fraction | UINT32_C(1) << 23, exponent - 150, fraction == 0 && exponent > 1);
}
