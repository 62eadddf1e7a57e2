/* SPDX-License-Identifier: Apache-2.0
 *
 * The value of an ARRAY: VALUE_TEXT of its elements, one after another, each a tag and then the
 * eight bytes of a number, or a u32 size and the bytes of a text; NULL is its tag alone. So equal
 * arrays are equal bytes, and every layer that carries texts carries them. An array that is no list
 * (of more dimensions, of another lower bound than 1) is the source's own text of it, which begins
 * with a brace or a bracket: a sink prints that or refuses it, and never takes it apart. */
#pragma once

#include "engine/base/buf.h"
#include "schema/table.h"
#include "schema/value.h"

static inline struct type array_element(const struct type *array)
{
    struct type type = *array;
    type.kind = (enum type_kind)array->element;
    type.element = 0;
    return type;
}

/* A column of what an array's column holds; not of a key, and without a default. */
static inline struct column array_element_column(const struct column *array)
{
    return (struct column){ .name = array->name,
                            .type = array_element(&array->type),
                            .nullable = true };
}

static inline bool array_is_list(const struct value *array)
{
    return array->tag == VALUE_TEXT && (array->size == 0 || array->data[0] <= VALUE_TEXT);
}

void array_put(struct buf *out, const struct value *element);

/* Takes the next element, a view, off what is left of a list; false: there is none. */
bool array_next(struct bytes *rest, struct value *element);
