/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/unscaled.h"

/* Leaves out leading bytes that only repeat the sign. */
static struct bytes shortest(const uint8_t *room, size_t from)
{
    while (from + 1 < UNSCALED_MAX && ((room[from] == 0 && room[from + 1] < 0x80) ||
                                       (room[from] == 0xff && room[from + 1] >= 0x80)))
        from++;
    return (struct bytes){ room + from, UNSCALED_MAX - from };
}

/* Sign and number fit into 9 bytes: those before are not looked at. */
static struct bytes from_word(uint64_t number, uint8_t fill, uint8_t room[UNSCALED_MAX])
{
    uint64_t word = __builtin_bswap64(number);
    memcpy(room + UNSCALED_MAX - sizeof word, &word, sizeof word);
    size_t from = UNSCALED_MAX - sizeof word - 1;
    room[from] = fill;
    return shortest(room, from);
}

struct bytes unscaled_of_int(int64_t number, uint8_t room[UNSCALED_MAX])
{
    return from_word((uint64_t)number, number < 0 ? 0xff : 0, room);
}

struct bytes unscaled_of_uint(uint64_t number, uint8_t room[UNSCALED_MAX])
{
    return from_word(number, 0, room);
}

static void negate(uint8_t room[UNSCALED_MAX], size_t from)
{
    unsigned carry = 1;
    for (size_t i = UNSCALED_MAX; i > from; i--) {
        carry += (uint8_t)~room[i - 1];
        room[i - 1] = (uint8_t)carry;
        carry >>= 8;
    }
}

/* Times ten and a digit more; *from moves when that needs another byte. */
static bool append_digit(uint8_t room[UNSCALED_MAX], unsigned digit, size_t *from)
{
    for (size_t k = UNSCALED_MAX; k > *from; k--) {
        digit += room[k - 1] * 10u;
        room[k - 1] = (uint8_t)digit;
        digit >>= 8;
    }
    if (digit == 0)
        return true;
    if (*from == 1) /* the first byte is for the sign */
        return false;
    room[--*from] = (uint8_t)digit;
    return true;
}

struct bytes unscaled_of_text(struct bytes text, uint8_t room[UNSCALED_MAX])
{
    bool negative = text.size > 0 && text.data[0] == '-';
    size_t digits = 0, from = UNSCALED_MAX;
    for (size_t i = negative; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '.')
            continue;
        if (c < '0' || c > '9' || !append_digit(room, c - '0', &from))
            return (struct bytes){ 0 };
        digits++;
    }
    room[--from] = 0;
    if (negative)
        negate(room, from);
    return digits ? shortest(room, from) : (struct bytes){ 0 };
}
