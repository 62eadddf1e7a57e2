/* SPDX-License-Identifier: Apache-2.0
 *
 * Canonical forms of dates, decimals, bits and labels. The calendar is the proleptic Gregorian one,
 * as the server's; what it does not hold (month 0, 31 April with ALLOW_INVALID_DATES) stays a text,
 * which a sink's policy decides about. */
#include "sources/mysql/binlog_value.h"

#include "engine/base/assert.h"

/* ---- dates ---- */

static const uint8_t month_days[13] = { 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
static const uint16_t month_start[13] = {
    0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334
};

static bool year_is_leap(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Year 0 is a leap year that begins 719528 days before 1970. */
struct value_month value_month_of(uint32_t number)
{
    uint32_t year = number / 13, month = number % 13;
    bool leap = year_is_leap(year);
    int64_t leaps = year ? (int64_t)((year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400) + 1 : 0;
    int64_t days = (int64_t)year * 365 + leaps + month_start[month] + (month > 2 && leap);
    return (struct value_month){ number, month_days[month] + (month == 2 && leap ? 1u : 0u),
                                 days - 719528 };
}

/* Days since 1970. False: no calendar holds it. */
static bool in_calendar(uint32_t year, uint32_t month, uint32_t day, int64_t *days)
{
    if (month > 12)
        return false;
    struct value_month found = value_month_of(year * 13 + month);
    *days = found.first_day + day - 1;
    return day - 1 < found.days;
}

static const char zero_date[] = "0000-00-00 00:00:00.000000";
enum { DATE_SIZE = 10, DATETIME_SIZE = 19 };

static size_t datetime_size(uint8_t scale)
{
    return scale ? DATETIME_SIZE + 1u + scale : DATETIME_SIZE;
}

struct value value_date(uint32_t year, uint32_t month, uint32_t day, struct arena *arena)
{
    int64_t days;
    if (in_calendar(year, month, day, &days))
        return value_int(days);
    if (!(year | month | day))
        return value_text((struct bytes){ (const uint8_t *)zero_date, DATE_SIZE });
    return value_text(arena_printf(arena, "%04u-%02u-%02u", year, month, day));
}

static struct value datetime_text(const struct value_clock *clock, uint8_t scale,
                                  struct arena *arena)
{
    struct bytes text =
        arena_printf(arena, "%04u-%02u-%02u %02u:%02u:%02u.%06u", clock->year, clock->month,
                     clock->day, clock->hour, clock->minute, clock->second, clock->micro);
    if (text.size == sizeof zero_date - 1)
        text.size = datetime_size(scale);
    return value_text(text);
}

struct value value_datetime(const struct value_clock *clock, uint8_t scale, struct arena *arena)
{
    ASSERT(scale <= 6);
    int64_t days;
    if (in_calendar(clock->year, clock->month, clock->day, &days)) {
        int64_t seconds = days * 86400 + clock->hour * 3600 + clock->minute * 60 + clock->second;
        return value_int(seconds * 1000000 + clock->micro);
    }
    uint32_t any = clock->year | clock->month | clock->day | clock->hour | clock->minute |
                   clock->second | clock->micro;
    if (!any)
        return value_text((struct bytes){ (const uint8_t *)zero_date, datetime_size(scale) });
    return datetime_text(clock, scale, arena);
}

/* ---- bits, bytes, labels ---- */

struct value value_bit(struct bytes raw)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < raw.size; i++)
        bits = bits << 8 | raw.data[i];
    return value_uint(bits);
}

struct value value_padded(struct bytes raw, uint32_t length, struct arena *arena)
{
    if (raw.size >= length)
        return value_text(raw);
    uint8_t *whole = arena_raw(arena, length);
    if (raw.size)
        memcpy(whole, raw.data, raw.size);
    memset(whole + raw.size, 0, length - raw.size);
    return value_text((struct bytes){ whole, length });
}

static size_t set_size(const struct type *type, uint64_t bits)
{
    size_t size = 0;
    for (; bits; bits &= bits - 1)
        size += type->members[__builtin_ctzll(bits)].size + 1;
    return size ? size - 1 : 0;
}

bool value_set(const struct type *type, uint64_t bits, struct arena *arena, struct value *out)
{
    if (type->member_count < 64 && bits >> type->member_count)
        return false;
    if (!(bits & (bits - 1))) { /* none or one: the label itself */
        *out = value_text(bits ? type->members[__builtin_ctzll(bits)] : BYTES_LITERAL(""));
        return true;
    }
    size_t size = set_size(type, bits);
    uint8_t *text = arena_raw(arena, size), *at = text;
    for (; bits; bits &= bits - 1) {
        struct bytes label = type->members[__builtin_ctzll(bits)];
        if (at > text)
            *at++ = ',';
        if (label.size)
            memcpy(at, label.data, label.size);
        at += label.size;
    }
    *out = value_text((struct bytes){ text, size });
    return true;
}

/* ---- DECIMAL ---- */

static const uint32_t powers_of_ten[10] = { 1,      10,      100,      1000,      10000,
                                            100000, 1000000, 10000000, 100000000, 1000000000 };

/* The parts of a number's text: sign, digits before the point without leading zeros, fraction. */
struct decimal_parts {
    bool negative;
    struct bytes whole, fraction;
};

static bool all_digits(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return true;
}

static bool decimal_split(struct bytes text, struct decimal_parts *out)
{
    bool sign = text.size && (text.data[0] == '-' || text.data[0] == '+');
    out->negative = sign && text.data[0] == '-';
    text = (struct bytes){ text.data + sign, text.size - sign };
    const uint8_t *point = text.size ? memchr(text.data, '.', text.size) : NULL;
    size_t whole = point ? (size_t)(point - text.data) : text.size;
    size_t fraction = point ? text.size - whole - 1 : 0;
    out->whole = (struct bytes){ text.data, whole };
    out->fraction = (struct bytes){ text.data + text.size - fraction, fraction };
    if (whole + fraction == 0 || !all_digits(out->whole) || !all_digits(out->fraction))
        return false;
    while (out->whole.size && out->whole.data[0] == '0') {
        out->whole.data++;
        out->whole.size--;
    }
    return true;
}

static bool all_zeros(struct bytes digits)
{
    for (size_t i = 0; i < digits.size; i++)
        if (digits.data[i] != '0')
            return false;
    return true;
}

static int64_t digits_append(int64_t number, struct bytes digits)
{
    for (size_t i = 0; i < digits.size; i++)
        number = number * 10 + (digits.data[i] - '0');
    return number;
}

static struct value decimal_integer(const struct decimal_parts *parts, uint8_t scale)
{
    int64_t number = digits_append(digits_append(0, parts->whole), parts->fraction);
    for (size_t i = parts->fraction.size; i < scale; i++)
        number *= 10;
    return value_int(parts->negative ? -number : number);
}

static struct value decimal_plain(const struct decimal_parts *parts, uint8_t scale,
                                  struct arena *arena)
{
    bool sign = parts->negative && !(parts->whole.size == 0 && all_zeros(parts->fraction));
    uint8_t *text = arena_raw(arena, DECIMAL_TEXT_MAX), *at = text;
    if (sign)
        *at++ = '-';
    if (!parts->whole.size)
        *at++ = '0';
    memcpy(at, parts->whole.data, parts->whole.size);
    at += parts->whole.size;
    if (scale) {
        *at++ = '.';
        memcpy(at, parts->fraction.data, parts->fraction.size);
        memset(at + parts->fraction.size, '0', scale - parts->fraction.size);
        at += scale;
    }
    arena_trim(arena, text + DECIMAL_TEXT_MAX, at);
    return value_text((struct bytes){ text, (size_t)(at - text) });
}

bool value_decimal(struct bytes text, uint8_t precision, uint8_t scale, struct arena *arena,
                   struct value *out)
{
    struct decimal_parts parts;
    if (scale > precision || precision > DECIMAL_DIGITS_MAX || !decimal_split(text, &parts))
        return false;
    while (parts.fraction.size > scale) {
        if (parts.fraction.data[--parts.fraction.size] != '0')
            return false;
    }
    if (parts.whole.size > (size_t)(precision - scale))
        return false;
    *out = precision <= DECIMAL_INT_PRECISION ? decimal_integer(&parts, scale)
                                              : decimal_plain(&parts, scale, arena);
    return true;
}

static void layout_add(struct decimal_layout *layout, uint8_t digits)
{
    static const uint8_t bytes_of_digits[10] = { 0, 1, 1, 2, 2, 3, 3, 4, 4, 4 };
    uint8_t width = bytes_of_digits[digits];
    if (!digits)
        return;
    layout->groups[layout->group_count++] =
        (struct decimal_group){ powers_of_ten[digits], digits, width, (uint8_t)(32 - 8 * width) };
    layout->size = (uint8_t)(layout->size + width);
}

static void layout_parts(struct decimal_layout *layout)
{
    ASSERT(layout->group_count <= DECIMAL_PARTS);
    uint8_t zeros = (uint8_t)(DECIMAL_PARTS - layout->group_count), offset = 0;
    for (uint8_t i = 0; i < DECIMAL_PARTS; i++)
        layout->parts[i] = (struct decimal_part){ .limit = 1, .shift = 32 };
    for (uint8_t i = 0; i < layout->group_count; i++) {
        const struct decimal_group *group = &layout->groups[i];
        layout->parts[zeros + i] = (struct decimal_part){ .limit = group->limit,
                                                          .sign = i ? 0 : 0x80000000u,
                                                          .offset = offset,
                                                          .shift = group->shift };
        offset = (uint8_t)(offset + group->width);
    }
}

bool decimal_layout_of(uint8_t precision, uint8_t scale, struct decimal_layout *out)
{
    if (precision == 0 || precision > DECIMAL_DIGITS_MAX || scale > precision)
        return false;
    uint8_t whole = (uint8_t)(precision - scale);
    *out = (struct decimal_layout){ .precision = precision, .scale = scale };
    layout_add(out, whole % 9);
    for (uint8_t i = 0; i < whole / 9; i++)
        layout_add(out, 9);
    out->integer_groups = out->group_count;
    for (uint8_t i = 0; i < scale / 9; i++)
        layout_add(out, 9);
    layout_add(out, scale % 9);
    if (precision <= DECIMAL_INT_PRECISION)
        layout_parts(out);
    return true;
}

struct decimal_copy {
    uint8_t raw[DECIMAL_SIZE_MAX + DECIMAL_SPARE];
};

static struct decimal_copy decimal_copy_of(const struct decimal_layout *layout, const uint8_t *raw)
{
    struct decimal_copy copy = { 0 };
    memcpy(copy.raw, raw, layout->size);
    return copy;
}

static void group_print(uint32_t group, uint8_t digits, uint8_t *out)
{
    for (size_t i = digits; i > 0; i--) {
        out[i - 1] = (uint8_t)('0' + group % 10);
        group /= 10;
    }
}

size_t decimal_print(const struct decimal_layout *layout, const uint8_t *raw, uint8_t *out)
{
    uint32_t flip = raw[0] & 0x80 ? 0 : UINT32_MAX;
    uint8_t digits[DECIMAL_DIGITS_MAX];
    size_t count = 0;
    struct decimal_copy copy = decimal_copy_of(layout, raw);
    const uint8_t *from = copy.raw;
    for (size_t i = 0; i < layout->group_count; i++) {
        const struct decimal_group *group = &layout->groups[i];
        uint32_t number = decimal_group_read(group, from, flip, i ? 0 : 0x80000000u);
        if (number >= group->limit)
            return 0;
        group_print(number, group->digits, digits + count);
        count += group->digits;
        from += group->width;
    }
    size_t whole = (size_t)(layout->precision - layout->scale), start = 0;
    while (start < whole && digits[start] == '0')
        start++;
    uint8_t *at = out;
    if (flip && !all_zeros((struct bytes){ digits + start, count - start }))
        *at++ = '-';
    if (start == whole)
        *at++ = '0';
    memcpy(at, digits + start, whole - start);
    at += whole - start;
    if (layout->scale) {
        *at++ = '.';
        memcpy(at, digits + whole, layout->scale);
        at += layout->scale;
    }
    return (size_t)(at - out);
}
