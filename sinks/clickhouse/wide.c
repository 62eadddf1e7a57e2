/* SPDX-License-Identifier: Apache-2.0
 *
 * Decimal text to a 256-bit integer, nine digits at a time. */
#include "sinks/clickhouse/wide.h"

enum { WORDS = 8, CHUNK_DIGITS = 9, DIGITS_MAX = 76 };

struct wide wide_from_int(int64_t number)
{
    struct wide out;
    for (int i = 0; i < WORDS; i++)
        out.words[i] = i == 0   ? (uint32_t)number
                       : i == 1 ? (uint32_t)((uint64_t)number >> 32)
                                : (number < 0 ? UINT32_MAX : 0);
    return out;
}

static void wide_multiply_add(struct wide *number, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    for (int i = 0; i < WORDS; i++) {
        carry += (uint64_t)number->words[i] * factor;
        number->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static void wide_negate(struct wide *number)
{
    uint64_t carry = 1;
    for (int i = 0; i < WORDS; i++) {
        carry += (uint32_t)~number->words[i];
        number->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* The digits without the point, zeros added to `scale`. Returns how many, or -1. */
static int decimal_digits(struct bytes text, uint8_t scale, uint8_t digits[DIGITS_MAX])
{
    int count = 0;
    size_t i = 0, fraction = 0;
    bool point = false;
    for (; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || (count == DIGITS_MAX))
            return -1;
        if (count > 0 || c != '0') /* leading zeros do not count */
            digits[count++] = (uint8_t)(c - '0');
        fraction += point;
    }
    if (fraction > scale)
        return -1;
    for (; fraction < scale; fraction++) {
        if (count == DIGITS_MAX)
            return -1;
        if (count > 0)
            digits[count++] = 0;
    }
    return count;
}

bool wide_from_decimal(struct bytes text, uint8_t precision, uint8_t scale, struct wide *out)
{
    static const uint32_t powers[CHUNK_DIGITS + 1] = { 1,         10,        100,     1000,
                                                       10000,     100000,    1000000, 10000000,
                                                       100000000, 1000000000 };
    bool negative = text.size > 0 && text.data[0] == '-';
    if (negative)
        text = (struct bytes){ text.data + 1, text.size - 1 };
    uint8_t digits[DIGITS_MAX];
    if (text.size == 0 || text.data[0] == '.' || text.data[text.size - 1] == '.')
        return false;
    int count = decimal_digits(text, scale, digits);
    if (count < 0 || count > precision)
        return false;
    *out = (struct wide){ { 0 } };
    for (int from = 0; from < count; from += CHUNK_DIGITS) {
        int size = count - from < CHUNK_DIGITS ? count - from : CHUNK_DIGITS;
        uint32_t chunk = 0;
        for (int i = 0; i < size; i++)
            chunk = chunk * 10 + digits[from + i];
        wide_multiply_add(out, powers[size], chunk);
    }
    if (negative)
        wide_negate(out);
    return true;
}
