/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that is freed all at once. Three kinds of arena exist: the process's (config, catalog), a
 * component's (one open source or sink), a batch's (pooled, reset between uses). Nothing inside is
 * freed alone. Not for sharing between threads without a hand-off. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/bytes.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks; /* newest first */
    uint8_t *next;              /* free space of the newest chunk */
    uint8_t *end;
    size_t total; /* bytes of the chunks in use, for budgets */
    struct arena_chunk *spare; /* kept by arena_rewind */
};

/* A zeroed struct arena is ready for use. All of these never return NULL: out of memory ends the
 * process, which the checkpoint makes safe. Aligned for any type. */
static inline void *arena_alloc(struct arena *arena, size_t size); /* not initialized */
void *arena_zalloc(struct arena *arena, size_t size);              /* zeroed */
void *arena_array(struct arena *arena, size_t count, size_t size); /* zeroed, overflow-checked */

/* Bytes need no alignment: packs tightly. */
uint8_t *arena_raw(struct arena *arena, size_t size);

enum { ARENA_ALIGN = _Alignof(max_align_t) };
void *arena_alloc_chunk(struct arena *arena, size_t size); /* of a new chunk; for arena_alloc */

static inline void *arena_alloc(struct arena *arena, size_t size)
{
    size_t pad = -(uintptr_t)arena->next % ARENA_ALIGN;
    size_t left = (size_t)(arena->end - arena->next);
    if (pad > left || size > left - pad)
        return arena_alloc_chunk(arena, size);
    uint8_t *taken = arena->next + pad;
    arena->next = taken + size;
    return taken;
}

/* Gives back what was not used of the newest arena_raw(): [used, end), where `end` was its end. */
static inline void arena_trim(struct arena *arena, const uint8_t *end, uint8_t *used)
{
    if (arena->next == end)
        arena->next = used;
}

/* A copy of the view, with a NUL behind it that is not counted; NULL data stays NULL. */
struct bytes arena_copy(struct arena *arena, struct bytes view);
char *arena_text(struct arena *arena, struct bytes view); /* the same as a C string */
__attribute__((format(printf, 2, 3))) struct bytes arena_printf(struct arena *arena,
                                                                const char *format, ...);

void arena_reset(struct arena *arena);  /* keeps one ordinary chunk for the next use */
void arena_rewind(struct arena *arena); /* keeps all ordinary chunks for the next use */
void arena_done(struct arena *arena);   /* frees all; zeroed again */
