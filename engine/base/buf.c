/* SPDX-License-Identifier: Apache-2.0
 *
 * Doubling growth, capped by the limit that its maker gave. */
#include "engine/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"

void buf_init(struct buf *buf, size_t limit) { *buf = (struct buf){ .limit = limit }; }

void buf_done(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){ .limit = buf->limit };
}

void buf_reset(struct buf *buf)
{
    buf->size = 0;
    buf->failed = false;
}

uint8_t *buf_reserve_slow(struct buf *buf, size_t size)
{
    if (buf->failed || size > buf->limit || buf->size > buf->limit - size) {
        buf->failed = true;
        return NULL;
    }
    size_t need = buf->size + size;
    if (need > buf->capacity) {
        size_t capacity = buf->capacity ? buf->capacity : 256;
        while (capacity < need)
            capacity = capacity > buf->limit / 2 ? buf->limit : capacity * 2;
        uint8_t *data = realloc(buf->data, capacity);
        if (!data) {
            fprintf(stderr, "millrace: out of memory (%zu bytes)\n", capacity);
            abort();
        }
        buf->data = data;
        buf->capacity = capacity;
    }
    return buf->data + buf->size;
}

void buf_sized(struct buf *buf, struct bytes view)
{
    ASSERT(view.size < UINT32_MAX);
    buf_le(buf, view.data ? view.size : UINT32_MAX, 4);
    buf_bytes(buf, view);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(length >= 0);
    uint8_t *room = buf_reserve(buf, (size_t)length + 1);
    if (room) {
        vsnprintf((char *)room, (size_t)length + 1, format, again);
        buf->size += (size_t)length;
    }
    va_end(again);
}
