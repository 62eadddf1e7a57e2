/* SPDX-License-Identifier: Apache-2.0
 *
 * A buffer that grows up to a limit given at init. Past the limit it fails for good (`failed`) and
 * takes nothing more, so that a writer may check once at its end. */
#pragma once

#include "engine/base/bytes.h"

struct buf {
    uint8_t *data;
    size_t size, capacity, limit;
    bool failed;
};

void buf_init(struct buf *buf, size_t limit);
void buf_done(struct buf *buf);  /* frees; takes zeroed ones */
void buf_reset(struct buf *buf); /* size 0, memory kept */
/* Room for `size` more bytes at data + size, or NULL with `failed` set. */
uint8_t *buf_reserve_slow(struct buf *buf, size_t size);

static inline uint8_t *buf_reserve(struct buf *buf, size_t size)
{
    if (size <= buf->capacity - buf->size && !buf->failed)
        return buf->data + buf->size;
    return buf_reserve_slow(buf, size);
}

static inline void buf_put(struct buf *buf, const void *data, size_t size)
{
    uint8_t *room = size ? buf_reserve(buf, size) : NULL;
    if (!room)
        return;
    memcpy(room, data, size);
    buf->size += size;
}

static inline void buf_bytes(struct buf *buf, struct bytes view)
{
    buf_put(buf, view.data, view.size);
}
static inline void buf_text(struct buf *buf, const char *text) { buf_put(buf, text, strlen(text)); }
static inline void buf_u8(struct buf *buf, uint8_t number) { buf_put(buf, &number, 1); }

/* Little endian, 1 to 8 bytes. */
static inline void buf_le(struct buf *buf, uint64_t number, size_t width)
{
    uint8_t raw[8];
    for (size_t i = 0; i < width; i++)
        raw[i] = (uint8_t)(number >> 8 * i);
    buf_put(buf, raw, width);
}

/* u32 size, then the bytes: how all our own records hold a text. UINT32_MAX stands for NULL. */
void buf_sized(struct buf *buf, struct bytes view);

__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *buf, const char *format, ...);

static inline struct bytes buf_view(const struct buf *buf)
{
    return (struct bytes){ buf->data ? buf->data : (const uint8_t *)"", buf->size };
}
