/* SPDX-License-Identifier: Apache-2.0
 *
 * Types: integers and decimals exactly, dates in the 64-bit forms, bytes as they are in String
 * (ClickHouse's strings hold any bytes), arrays of floats for vectors, of Nullable elements for
 * arrays. A column is Nullable only where the source's is; an array cannot be: an empty one stands
 * for the NULL of a vector, which is empty in no source, and for that of an array when the user
 * says so. */
#include "sinks/clickhouse/types.h"

#include <stdio.h>

#include "engine/base/assert.h"
#include "schema/array.h"

enum { DECIMAL_PRECISION_MAX = 76, MICRO_DIGITS = 6 };

/* ---- parsing ---- */

static bool take_prefix(struct bytes *text, const char *prefix)
{
    size_t size = strlen(prefix);
    if (text->size < size || memcmp(text->data, prefix, size) != 0)
        return false;
    text->data += size;
    text->size -= size;
    return true;
}

static uint32_t take_number(struct bytes *text)
{
    uint32_t number = 0;
    while (text->size > 0 && *text->data >= '0' && *text->data <= '9' && number < 100000000) {
        number = number * 10 + (uint32_t)(*text->data - '0');
        text->data++;
        text->size--;
    }
    return number;
}

static bool take_wrapper(struct bytes *text, const char *prefix)
{
    struct bytes inside = *text;
    if (!take_prefix(&inside, prefix) || inside.size == 0 || inside.data[inside.size - 1] != ')')
        return false;
    inside.size--;
    *text = inside;
    return true;
}

static bool zone_is_utc(struct bytes text)
{
    return text.size == 0 || bytes_is(text, "'UTC'") || bytes_is(text, "'Etc/UTC'");
}

static void parse_arguments(struct bytes text, struct clickhouse_type *out)
{
    struct bytes rest = text;
    if (take_wrapper(&rest, "Decimal(")) {
        out->family = FAMILY_DECIMAL;
        out->precision = (uint8_t)take_number(&rest);
        if (take_prefix(&rest, ", "))
            out->scale = (uint8_t)take_number(&rest);
    } else if (take_wrapper(&rest, "DateTime64(")) {
        out->family = FAMILY_DATETIME64;
        out->scale = (uint8_t)take_number(&rest);
        take_prefix(&rest, ", ");
        out->utc = zone_is_utc(rest);
    } else if (take_wrapper(&rest, "DateTime(")) {
        out->family = FAMILY_DATETIME;
        out->utc = zone_is_utc(rest);
    } else if (take_wrapper(&rest, "Time64(")) {
        out->family = FAMILY_TIME64;
        out->scale = (uint8_t)take_number(&rest);
    } else if (take_wrapper(&rest, "FixedString(")) {
        out->family = FAMILY_FIXED;
        out->bits = take_number(&rest);
    } else if (take_prefix(&rest, "Enum8(") || take_prefix(&rest, "Enum16(")) {
        out->family = FAMILY_ENUM;
    } else if (take_prefix(&rest, "JSON(")) {
        out->family = FAMILY_JSON;
    } else if (take_prefix(&rest, "UInt")) {
        out->family = FAMILY_UINT;
        out->bits = take_number(&rest);
    } else if (take_prefix(&rest, "Int")) {
        out->family = FAMILY_INT;
        out->bits = take_number(&rest);
        if (rest.size > 0) /* Interval... */
            out->family = FAMILY_OTHER;
    } else if (take_prefix(&rest, "Float")) {
        out->family = FAMILY_FLOAT;
        out->bits = take_number(&rest);
    }
}

struct clickhouse_type clickhouse_element(const struct clickhouse_type *array)
{
    struct clickhouse_type element = *array;
    element.family = array->element;
    element.element = FAMILY_OTHER;
    return element;
}

static struct clickhouse_type array_of(struct clickhouse_type element)
{
    element.element = element.family;
    element.family = FAMILY_ARRAY;
    return element;
}

static struct clickhouse_type scalar_parse(struct bytes text)
{
    static const struct {
        const char *name;
        enum family family;
    } plain[] = {
        { "Bool", FAMILY_BOOL },     { "Date", FAMILY_DATE },
        { "Date32", FAMILY_DATE32 }, { "DateTime", FAMILY_DATETIME },
        { "UUID", FAMILY_UUID },     { "String", FAMILY_STRING },
        { "IPv4", FAMILY_IPV4 },     { "IPv6", FAMILY_IPV6 },
        { "JSON", FAMILY_JSON },
    };
    struct clickhouse_type type = { .utc = true };
    type.low_cardinality = take_wrapper(&text, "LowCardinality(");
    type.nullable = take_wrapper(&text, "Nullable(");
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        if (bytes_is(text, plain[i].name))
            type.family = plain[i].family;
    if (type.family == FAMILY_OTHER)
        parse_arguments(text, &type);
    return type;
}

struct clickhouse_type clickhouse_type_parse(struct bytes text)
{
    if (bytes_is(text, "Array(Float32)"))
        return (struct clickhouse_type){ .family = FAMILY_FLOATS, .utc = true };
    return take_wrapper(&text, "Array(") ? array_of(scalar_parse(text)) : scalar_parse(text);
}

/* ---- the mapping ---- */

static uint32_t bit_width(uint32_t bits)
{
    return bits <= 8 ? 8 : bits <= 16 ? 16 : bits <= 32 ? 32 : 64;
}

static const enum family families[TYPE_KIND_COUNT] = {
    [TYPE_INT] = FAMILY_INT,
    [TYPE_UINT] = FAMILY_UINT,
    [TYPE_FLOAT] = FAMILY_FLOAT,
    [TYPE_DOUBLE] = FAMILY_FLOAT,
    [TYPE_DECIMAL] = FAMILY_DECIMAL,
    [TYPE_BIT] = FAMILY_UINT,
    [TYPE_YEAR] = FAMILY_UINT,
    [TYPE_DATE] = FAMILY_DATE32,
    [TYPE_TIME] = FAMILY_TIME64,
    [TYPE_DATETIME] = FAMILY_DATETIME64,
    [TYPE_TIMESTAMP] = FAMILY_DATETIME64,
    [TYPE_TEXT] = FAMILY_STRING,
    [TYPE_BYTES] = FAMILY_STRING,
    [TYPE_JSON] = FAMILY_STRING,
    [TYPE_ENUM] = FAMILY_STRING,
    [TYPE_SET] = FAMILY_STRING,
    [TYPE_GEOMETRY] = FAMILY_STRING,
    [TYPE_VECTOR] = FAMILY_FLOATS,
    [TYPE_UUID] = FAMILY_UUID,
    [TYPE_INET4] = FAMILY_IPV4,
    [TYPE_INET6] = FAMILY_IPV6,
};

static uint32_t number_bits(const struct type *type)
{
    switch (type->kind) {
    case TYPE_FLOAT:
        return 32;
    case TYPE_DOUBLE:
        return 64;
    case TYPE_YEAR:
        return 16;
    case TYPE_BIT:
        return bit_width(type->length);
    default:
        return bit_width(type->bits);
    }
}

struct clickhouse_type clickhouse_type_of(const struct type *type,
                                          const struct clickhouse_abilities *abilities)
{
    ASSERT(type->kind < TYPE_KIND_COUNT);
    if (type->kind == TYPE_ARRAY) {
        struct type element = array_element(type);
        struct clickhouse_type carrier = clickhouse_type_of(&element, abilities);
        carrier.nullable = true;
        return array_of(carrier);
    }
    struct clickhouse_type out = { .family = families[type->kind], .utc = true };
    if (type->kind == TYPE_INT && type->boolean)
        out.family = FAMILY_BOOL;
    if (type->kind == TYPE_DECIMAL && type->precision > DECIMAL_PRECISION_MAX)
        out.family = FAMILY_STRING;
    if (type->kind == TYPE_TIME && !abilities->time64)
        out.family = FAMILY_STRING;
    if (out.family == FAMILY_INT || out.family == FAMILY_UINT || out.family == FAMILY_FLOAT)
        out.bits = number_bits(type);
    if (out.family == FAMILY_DECIMAL)
        out.precision = type->precision ? type->precision : 1;
    if (out.family == FAMILY_DECIMAL || out.family == FAMILY_DATETIME64 ||
        out.family == FAMILY_TIME64)
        out.scale = type->scale;
    out.low_cardinality = type->kind == TYPE_ENUM;
    return out;
}

static void base_name(const struct clickhouse_type *type, char *out, size_t size)
{
    switch (type->family) {
    case FAMILY_INT:
        snprintf(out, size, "Int%u", type->bits);
        break;
    case FAMILY_UINT:
        snprintf(out, size, "UInt%u", type->bits);
        break;
    case FAMILY_FLOAT:
        snprintf(out, size, "Float%u", type->bits);
        break;
    case FAMILY_DECIMAL:
        snprintf(out, size, "Decimal(%u, %u)", type->precision, type->scale);
        break;
    case FAMILY_DATETIME64:
        snprintf(out, size, "DateTime64(%u, 'UTC')", type->scale);
        break;
    case FAMILY_TIME64:
        snprintf(out, size, "Time64(%u)", type->scale);
        break;
    default: {
        static const char *const names[] = {
            [FAMILY_BOOL] = "Bool",
            [FAMILY_DATE32] = "Date32",
            [FAMILY_STRING] = "String",
            [FAMILY_UUID] = "UUID",
            [FAMILY_IPV4] = "IPv4",
            [FAMILY_IPV6] = "IPv6",
            [FAMILY_FLOATS] = "Array(Float32)",
        };
        ASSERT(type->family < ARRAY_SIZE(names) && names[type->family]);
        snprintf(out, size, "%s", names[type->family]);
    }
    }
}

struct bytes clickhouse_type_name(const struct clickhouse_type *type, bool created,
                                  struct arena *arena)
{
    char base[64];
    bool array = type->family == FAMILY_ARRAY;
    struct clickhouse_type inner = array ? clickhouse_element(type) : *type;
    base_name(&inner, base, sizeof base);
    bool low = created && type->low_cardinality;
    return arena_printf(arena, "%s%s%s%s%s%s%s", array ? "Array(" : "",
                        low ? "LowCardinality(" : "", type->nullable ? "Nullable(" : "", base,
                        type->nullable ? ")" : "", low ? ")" : "", array ? ")" : "");
}

/* ---- what holds what ---- */

static bool integer_holds(const struct clickhouse_type *to, const struct clickhouse_type *from)
{
    bool from_signed = from->family == FAMILY_INT;
    if (to->family == FAMILY_INT)
        return from_signed ? to->bits >= from->bits : to->bits > from->bits;
    return to->family == FAMILY_UINT && !from_signed && to->bits >= from->bits;
}

static bool decimal_holds(const struct clickhouse_type *to, const struct clickhouse_type *from)
{
    return to->scale >= from->scale && to->precision - to->scale >= from->precision - from->scale;
}

static bool clock_holds(const struct clickhouse_type *to, const struct clickhouse_type *from,
                        const struct type *source)
{
    /* More than six digits shorten the range of years; a wall clock is read in the column's zone.
     */
    return to->scale >= from->scale && to->scale <= MICRO_DIGITS &&
           (source->kind != TYPE_DATETIME || to->utc);
}

static bool string_holds(const struct clickhouse_type *to, const struct type *source)
{
    switch (to->family) {
    case FAMILY_FIXED:
        return source->kind == TYPE_BYTES && source->fixed && source->length == to->bits;
    case FAMILY_ENUM: /* a label that it lacks fails loudly */
        return source->kind == TYPE_ENUM;
    case FAMILY_JSON:
        return source->kind == TYPE_JSON;
    default:
        return false;
    }
}

static bool array_holds(const struct clickhouse_type *to, const struct clickhouse_type *from,
                        const struct type *source)
{
    struct clickhouse_type to_element = clickhouse_element(to);
    struct clickhouse_type from_element = clickhouse_element(from);
    struct type element = array_element(source);
    return to->family == FAMILY_ARRAY && to->nullable &&
           clickhouse_type_holds(&to_element, &from_element, &element);
}

bool clickhouse_type_holds(const struct clickhouse_type *to, const struct clickhouse_type *from,
                           const struct type *source)
{
    if (to->family == FAMILY_STRING)
        return !clickhouse_type_is_array(from);
    switch (from->family) {
    case FAMILY_INT:
    case FAMILY_UINT:
        return integer_holds(to, from);
    case FAMILY_FLOAT:
        return to->family == FAMILY_FLOAT && to->bits >= from->bits;
    case FAMILY_DECIMAL:
        return to->family == FAMILY_DECIMAL && decimal_holds(to, from);
    case FAMILY_DATETIME64:
        return to->family == FAMILY_DATETIME64 && clock_holds(to, from, source);
    case FAMILY_TIME64:
        return to->family == FAMILY_TIME64 && to->scale >= from->scale;
    case FAMILY_STRING:
        return string_holds(to, source);
    case FAMILY_ARRAY:
        return array_holds(to, from, source);
    case FAMILY_OTHER:
        return false;
    default:
        return to->family == from->family;
    }
}

bool clickhouse_type_converts(const struct clickhouse_type *from, const struct clickhouse_type *to)
{
    if (to->family == FAMILY_STRING) /* not decimals and floats: their texts are not MySQL's */
        return from->family == FAMILY_INT || from->family == FAMILY_UINT ||
               from->family == FAMILY_STRING || from->family == FAMILY_DATE32 ||
               from->family == FAMILY_DATETIME64 || from->family == FAMILY_TIME64 ||
               from->family == FAMILY_UUID;
    struct type any = { .kind = TYPE_DATETIME, .element = TYPE_DATETIME };
    bool integers = (from->family == FAMILY_INT || from->family == FAMILY_UINT) &&
                    (to->family == FAMILY_INT || to->family == FAMILY_UINT);
    if (integers)
        return true; /* the source has refused or read again what does not fit */
    if (from->family == FAMILY_BOOL && to->family == FAMILY_INT)
        return true;
    if ((from->family == FAMILY_INT || from->family == FAMILY_UINT) &&
        to->family == FAMILY_DECIMAL) {
        static const uint8_t digits[] = { [1] = 3, [2] = 5, [4] = 10, [8] = 20 };
        return from->bits <= 64 && to->precision - to->scale >= digits[from->bits / 8];
    }
    return from->family != FAMILY_STRING && clickhouse_type_holds(to, from, &any);
}
