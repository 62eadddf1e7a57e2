/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"

enum { FIRST_CAPACITY = 16 };

void *memory_zalloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    ASSERT(memory);
    return memory;
}

void *memory_grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    while (*capacity <= count)
        *capacity = *capacity ? *capacity * 2 : FIRST_CAPACITY;
    ASSERT(*capacity <= SIZE_MAX / size);
    items = realloc(items, *capacity * size);
    ASSERT(items);
    return items;
}

char *memory_text(const char *text)
{
    char *copy = strdup(text);
    ASSERT(copy);
    return copy;
}

struct bytes memory_copy(struct bytes view)
{
    if (!view.data)
        return view;
    uint8_t *copy = malloc(view.size + 1);
    ASSERT(copy);
    memcpy(copy, view.data, view.size);
    return (struct bytes){ copy, view.size };
}
