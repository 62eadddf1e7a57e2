/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparing and naming canonical types. */
#include "schema/type.h"

#include "engine/base/assert.h"

const char *type_kind_name(enum type_kind kind)
{
    static const char *const names[TYPE_KIND_COUNT] = {
        [TYPE_INT] = "int",           [TYPE_UINT] = "unsigned int",   [TYPE_FLOAT] = "float",
        [TYPE_DOUBLE] = "double",     [TYPE_DECIMAL] = "decimal",     [TYPE_BIT] = "bit",
        [TYPE_YEAR] = "year",         [TYPE_DATE] = "date",           [TYPE_TIME] = "time",
        [TYPE_DATETIME] = "datetime", [TYPE_TIMESTAMP] = "timestamp", [TYPE_TEXT] = "text",
        [TYPE_BYTES] = "bytes",       [TYPE_JSON] = "json",           [TYPE_ENUM] = "enum",
        [TYPE_SET] = "set",           [TYPE_GEOMETRY] = "geometry",   [TYPE_VECTOR] = "vector",
        [TYPE_UUID] = "uuid",         [TYPE_INET4] = "inet4",         [TYPE_INET6] = "inet6",
        [TYPE_ARRAY] = "array",
    };
    ASSERT(kind < TYPE_KIND_COUNT);
    return names[kind];
}

bool type_equal(const struct type *a, const struct type *b)
{
    if (a->kind != b->kind || a->bits != b->bits || a->precision != b->precision ||
        a->scale != b->scale || a->fixed != b->fixed || a->boolean != b->boolean ||
        a->length != b->length || a->element != b->element || a->member_count != b->member_count)
        return false;
    for (uint16_t i = 0; i < a->member_count; i++)
        if (!bytes_equal(a->members[i], b->members[i]))
            return false;
    return true;
}
