/* SPDX-License-Identifier: Apache-2.0
 *
 * A view of bytes that somebody else owns. Not NUL-terminated unless its maker says so. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data; /* NULL: no value at all, as against an empty one */
    size_t size;
};

/* For printf: printf("%.*s", BYTES_ARGS(view)) */
#define BYTES_ARGS(view) (int)(view).size, (const char *)(view).data
/* A view of a string literal. */
#define BYTES_LITERAL(literal)                                                                     \
    ((struct bytes){ (const uint8_t *)("" literal), sizeof(literal) - 1 })

static inline struct bytes bytes_from(const char *text)
{
    return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool bytes_is(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_from(text));
}

static inline bool bytes_begins(struct bytes text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size && (size == 0 || memcmp(text.data, prefix, size) == 0);
}

/* Order of memcmp, a prefix first. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static inline bool bytes_is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n';
}

/* Without the spaces, tabs and ends of lines around it. */
static inline struct bytes bytes_trimmed(struct bytes text)
{
    while (text.size && bytes_is_space(text.data[0]))
        text = (struct bytes){ text.data + 1, text.size - 1 };
    while (text.size && bytes_is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

/* FNV-1a, for maps and for spreading tables over workers: stable over runs and machines. */
static inline uint64_t bytes_hash(struct bytes view)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < view.size; i++)
        hash = (hash ^ view.data[i]) * 1099511628211u;
    return hash;
}
