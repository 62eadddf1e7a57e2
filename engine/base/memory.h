/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of what lives and is freed alone: a thread's state, a handle, an array that grows. All of
 * these never return NULL: out of memory ends the process, which the checkpoint makes safe. What
 * they return is the caller's, who gives it back with free(). */
#pragma once

#include <stddef.h>

#include "engine/base/bytes.h"

void *memory_zalloc(size_t count, size_t size); /* zeroed, overflow-checked, at least one item */

/* `items` with room for one more than `count`: itself while *capacity holds that, else moved to
 * twice the room, or more until it does. The room that is new is not initialized. */
void *memory_grow(void *items, size_t count, size_t *capacity, size_t size);

char *memory_text(const char *text);
struct bytes memory_copy(struct bytes view); /* NULL stays NULL; not NULL for an empty view */
