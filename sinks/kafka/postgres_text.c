/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/postgres_text.h"

#include <stdio.h>
#include <stdlib.h>

#include "schema/value_text.h"

enum { FRACTION_DIGITS = 6, DAY_S = 86400, NUMBER_MAX = 400 };

void bits_of_text(struct bytes text, struct buf *out)
{
    size_t first = 0;
    while (first < text.size && text.data[first] != '1')
        first++;
    uint8_t byte = 0;
    for (size_t bit = 0; bit < text.size - first; bit++) {
        byte |= (uint8_t)((text.data[text.size - 1 - bit] == '1') << bit % 8);
        if (bit % 8 == 7 || bit + 1 == text.size - first) {
            buf_u8(out, byte);
            byte = 0;
        }
    }
}

/* ---- points ---- */

/* A number up to `end`, which is passed over. */
static bool take_number(struct bytes *rest, char end, double *out)
{
    char text[NUMBER_MAX];
    const uint8_t *stop = memchr(rest->data, end, rest->size);
    size_t size = stop ? (size_t)(stop - rest->data) : 0;
    if (size == 0 || size >= sizeof text)
        return false;
    memcpy(text, rest->data, size);
    text[size] = '\0';
    char *over;
    *out = strtod(text, &over);
    *rest = (struct bytes){ stop + 1, rest->size - size - 1 };
    return over == text + size;
}

static void put_coordinate(uint8_t *to, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    for (size_t i = 0; i < sizeof bits; i++)
        to[i] = (uint8_t)(bits >> 8 * i);
}

bool point_of_text(struct bytes text, struct point *out)
{
    struct bytes rest = { text.data + 1, text.size - 1 };
    static const uint8_t head[] = { 1, 1, 0, 0, 0 }; /* the order of bytes, a point */
    if (text.size < 5 || text.data[0] != '(' || !take_number(&rest, ',', &out->x) ||
        !take_number(&rest, ')', &out->y) || rest.size > 0)
        return false;
    memcpy(out->wkb, head, sizeof head);
    put_coordinate(out->wkb + sizeof head, out->x);
    put_coordinate(out->wkb + sizeof head + 8, out->y);
    return true;
}

/* ---- times ---- */

/* Two digits, behind a colon where one is asked for. */
static bool take_pair(struct bytes *rest, bool colon, int *out)
{
    size_t at = colon;
    if (rest->size < at + 2 || (colon && rest->data[0] != ':'))
        return false;
    int tens = rest->data[at] - '0', ones = rest->data[at + 1] - '0';
    if (tens < 0 || tens > 9 || ones < 0 || ones > 9)
        return false;
    *out = tens * 10 + ones;
    *rest = (struct bytes){ rest->data + at + 2, rest->size - at - 2 };
    return true;
}

/* Hours, and minutes and seconds if they follow. */
static bool take_clock(struct bytes *rest, int *seconds)
{
    int hours, minutes = 0, rest_s = 0;
    if (!take_pair(rest, false, &hours))
        return false;
    if (take_pair(rest, true, &minutes))
        take_pair(rest, true, &rest_s);
    *seconds = hours * 3600 + minutes * 60 + rest_s;
    return true;
}

/* The digits of a fraction, its point too, without zeros at the end. */
static struct bytes take_fraction(struct bytes *rest)
{
    struct bytes fraction = { rest->data, 0 };
    if (rest->size == 0 || rest->data[0] != '.')
        return fraction;
    while (fraction.size < rest->size && fraction.size <= FRACTION_DIGITS &&
           (fraction.size == 0 ||
            (rest->data[fraction.size] >= '0' && rest->data[fraction.size] <= '9')))
        fraction.size++;
    *rest = (struct bytes){ rest->data + fraction.size, rest->size - fraction.size };
    while (fraction.size > 0 &&
           (fraction.data[fraction.size - 1] == '0' || fraction.data[fraction.size - 1] == '.'))
        fraction.size--;
    return fraction;
}

bool zoned_time_of_text(struct bytes text, struct buf *out)
{
    struct bytes rest = text;
    int local_s, offset_s = 0;
    if (!take_clock(&rest, &local_s))
        return false;
    struct bytes fraction = take_fraction(&rest);
    int sign = rest.size > 0 && rest.data[0] == '-' ? -1 : 1;
    if (rest.size < 1 || (rest.data[0] != '+' && rest.data[0] != '-'))
        return false;
    rest = (struct bytes){ rest.data + 1, rest.size - 1 };
    if (!take_clock(&rest, &offset_s) || rest.size > 0)
        return false;
    int utc_s = ((local_s - sign * offset_s) % DAY_S + DAY_S) % DAY_S;
    char clock[16];
    snprintf(clock, sizeof clock, "%02d:%02d:%02d", utc_s / 3600, utc_s / 60 % 60, utc_s % 60);
    buf_text(out, clock);
    buf_bytes(out, fraction);
    buf_u8(out, 'Z');
    return true;
}

/* ---- intervals ---- */

/* Up to 12 digits, behind a sign or none. */
static bool take_count(struct bytes *rest, int *sign, int64_t *out)
{
    enum { COUNT_DIGITS = 12 };
    size_t at = rest->size > 0 && (rest->data[0] == '-' || rest->data[0] == '+');
    size_t first = at;
    *sign = at && rest->data[0] == '-' ? -1 : 1;
    *out = 0;
    for (; at < rest->size && rest->data[at] >= '0' && rest->data[at] <= '9'; at++) {
        if (at - first == COUNT_DIGITS)
            return false;
        *out = *out * 10 + (rest->data[at] - '0');
    }
    *rest = (struct bytes){ rest->data + at, rest->size - at };
    return at > first;
}

static bool take_word(struct bytes *rest, const char *word)
{
    bool there = bytes_begins(*rest, word);
    size_t size = there ? strlen(word) : 0;
    *rest = (struct bytes){ rest->data + size, rest->size - size };
    return there;
}

static bool take_unit(struct bytes *rest, int64_t count, struct interval *out)
{
    int64_t *field = take_word(rest, " year")  ? &out->years
                     : take_word(rest, " mon") ? &out->months
                     : take_word(rest, " day") ? &out->days
                                               : NULL;
    if (!field)
        return false;
    *field = count;
    take_word(rest, "s");
    return rest->size == 0 || take_word(rest, " ");
}

/* Behind the hours. */
static bool take_minutes(struct bytes *rest, int sign, struct interval *out)
{
    int minutes, seconds;
    if (!take_pair(rest, true, &minutes) || !take_pair(rest, true, &seconds))
        return false;
    struct bytes fraction = take_fraction(rest);
    out->minutes = sign * minutes;
    out->seconds = sign * seconds;
    for (size_t i = 1; i <= FRACTION_DIGITS; i++)
        out->micros = out->micros * 10 + (i < fraction.size ? sign * (fraction.data[i] - '0') : 0);
    return rest->size == 0;
}

bool interval_of_text(struct bytes text, struct interval *out)
{
    struct bytes rest = text;
    *out = (struct interval){ 0 };
    bool good = rest.size > 0;
    while (good && rest.size > 0) {
        int sign;
        int64_t count;
        good = take_count(&rest, &sign, &count);
        if (good && rest.size > 0 && rest.data[0] == ':') {
            out->hours = sign * count;
            good = take_minutes(&rest, sign, out);
        } else if (good) {
            good = take_unit(&rest, sign * count, out);
        }
    }
    return good;
}

bool interval_micros(const struct interval *interval, int64_t *out)
{
    static const int64_t month_s = 2629800, day_s = DAY_S, second_us = 1000000;
    int64_t months = interval->years * 12 + interval->months, days_s = interval->days * day_s;
    int64_t clock_s = interval->hours * 3600 + interval->minutes * 60 + interval->seconds;
    int64_t seconds;
    return !__builtin_mul_overflow(months, month_s, &seconds) &&
           !__builtin_add_overflow(seconds, days_s + clock_s, &seconds) &&
           !__builtin_mul_overflow(seconds, second_us, &seconds) &&
           !__builtin_add_overflow(seconds, interval->micros, out);
}

void interval_put_iso(const struct interval *interval, struct buf *out)
{
    bool negative = interval->seconds < 0 || interval->micros < 0;
    int64_t micros = interval->micros < 0 ? -interval->micros : interval->micros;
    int digits = micros ? FRACTION_DIGITS : 0;
    for (; digits > 0 && micros % 10 == 0; digits--)
        micros /= 10;
    buf_printf(out, "P%lldY%lldM%lldDT%lldH%lldM%s%lld", (long long)interval->years,
               (long long)interval->months, (long long)interval->days, (long long)interval->hours,
               (long long)interval->minutes, negative ? "-" : "",
               (long long)(negative ? -interval->seconds : interval->seconds));
    if (digits > 0)
        buf_printf(out, ".%0*lld", digits, (long long)micros);
    buf_u8(out, 'S');
}

/* ---- numbers ---- */

bool scaled_of_text(struct bytes text, struct scaled *out)
{
    const uint8_t *point = text.size ? memchr(text.data, '.', text.size) : NULL;
    if (point) {
        while (text.data[text.size - 1] == '0')
            text.size--;
        text.size -= text.data + text.size - 1 == point;
    }
    out->scale =
        point && point < text.data + text.size ? (uint32_t)(text.data + text.size - point - 1) : 0;
    out->unscaled = unscaled_of_text(text, out->room);
    return out->unscaled.data != NULL;
}
