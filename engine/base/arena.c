/* SPDX-License-Identifier: Apache-2.0
 *
 * Chunks of 64 KiB and up; a request larger than that gets a chunk of its own. A bump of a pointer
 * per allocation is what lets a row cost nothing. */
#include "engine/base/arena.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"

enum { ARENA_CHUNK_SIZE = 64 * 1024 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    _Alignas(max_align_t) uint8_t data[];
};

static struct arena_chunk *chunk_of_system(size_t room)
{
    struct arena_chunk *chunk = malloc(sizeof *chunk + room);
    if (!chunk) {
        fprintf(stderr, "millrace: out of memory (%zu bytes)\n", room);
        abort();
    }
    chunk->size = room;
    return chunk;
}

static struct arena_chunk *chunk_of_spare(struct arena *arena)
{
    struct arena_chunk *chunk = arena->spare;
    arena->spare = chunk->older;
    ASAN_UNPOISON_MEMORY_REGION(chunk->data, chunk->size);
    return chunk;
}

static void arena_grow(struct arena *arena, size_t size)
{
    bool large = size > ARENA_CHUNK_SIZE;
    struct arena_chunk *chunk = arena->spare && !large
                                    ? chunk_of_spare(arena)
                                    : chunk_of_system(large ? size : ARENA_CHUNK_SIZE);
    chunk->older = arena->chunks;
    arena->chunks = chunk;
    arena->next = chunk->data;
    arena->end = chunk->data + chunk->size;
    arena->total += sizeof *chunk + chunk->size;
}

uint8_t *arena_raw(struct arena *arena, size_t size)
{
    if (size > (size_t)(arena->end - arena->next) || !arena->next)
        arena_grow(arena, size);
    uint8_t *taken = arena->next;
    arena->next += size;
    return taken;
}

void *arena_alloc_chunk(struct arena *arena, size_t size)
{
    ASSERT(size <= SIZE_MAX / 2);
    arena_grow(arena, size); /* a fresh chunk is aligned */
    uint8_t *taken = arena->next;
    arena->next += size;
    return taken;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *taken = arena_alloc(arena, size);
    if (size)
        memset(taken, 0, size);
    return taken;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    ASSERT(!__builtin_mul_overflow(count, size, &total));
    return arena_zalloc(arena, total);
}

struct bytes arena_copy(struct arena *arena, struct bytes view)
{
    if (!view.data)
        return view;
    uint8_t *copy = arena_raw(arena, view.size + 1);
    if (view.size)
        memcpy(copy, view.data, view.size);
    copy[view.size] = '\0';
    return (struct bytes){ copy, view.size };
}

char *arena_text(struct arena *arena, struct bytes view)
{
    char *copy = (char *)arena_raw(arena, view.size + 1);
    if (view.size)
        memcpy(copy, view.data, view.size);
    copy[view.size] = '\0';
    return copy;
}

struct bytes arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(length >= 0);
    char *text = (char *)arena_raw(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return (struct bytes){ (const uint8_t *)text, (size_t)length };
}

static void arena_free_chunks(struct arena_chunk *chunk)
{
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
}

static void arena_free_spare(struct arena *arena)
{
    while (arena->spare)
        free(chunk_of_spare(arena));
}

void arena_rewind(struct arena *arena)
{
    struct arena_chunk *spare = arena->spare;
    for (struct arena_chunk *chunk = arena->chunks, *older; chunk; chunk = older) {
        older = chunk->older;
        if (chunk->size != ARENA_CHUNK_SIZE) {
            free(chunk);
            continue;
        }
        ASAN_POISON_MEMORY_REGION(chunk->data, chunk->size);
        chunk->older = spare;
        spare = chunk;
    }
    *arena = (struct arena){ .spare = spare };
}

void arena_reset(struct arena *arena)
{
    arena_free_spare(arena);
    struct arena_chunk *keep = arena->chunks;
    while (keep && keep->size != ARENA_CHUNK_SIZE)
        keep = keep->older;
    for (struct arena_chunk *chunk = arena->chunks, *older; chunk; chunk = older) {
        older = chunk->older;
        if (chunk != keep)
            free(chunk);
    }
    *arena = (struct arena){ .chunks = keep };
    if (keep) {
        keep->older = NULL;
        arena->next = keep->data;
        arena->end = keep->data + keep->size;
        arena->total = sizeof *keep + keep->size;
    }
}

void arena_done(struct arena *arena)
{
    arena_free_spare(arena);
    arena_free_chunks(arena->chunks);
    *arena = (struct arena){ 0 };
}
