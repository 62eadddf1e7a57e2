/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoded messages in a load, one behind the other, until they are handed to the producer, which
 * sends them from where they lie. */
#pragma once

#include "engine/base/buf.h"

enum frame_topic { FRAME_ROWS, FRAME_CHANGES, FRAME_DEAD_LETTERS };

/* What stands before each message's key, value and headers. */
struct frame {
    uint32_t key_size, value_size;
    uint32_t headers_size; /* a list of: u32 size, name, u32 size, value */
    uint32_t hash;         /* decides the partition */
    bool null_key, null_value;
    uint8_t to; /* enum frame_topic */
};

struct frame_view {
    struct frame frame;
    const uint8_t *start; /* of the frame itself */
    struct bytes key, value, headers;
};

/* Leaves room for a frame; the key, then the value, then the headers are appended behind it. */
static inline size_t frame_open(struct buf *out)
{
    size_t at = out->size;
    static const struct frame empty;
    buf_put(out, &empty, sizeof empty);
    return at;
}

static inline void frame_close(struct buf *out, size_t at, const struct frame *frame)
{
    if (!out->failed)
        memcpy(out->data + at, frame, sizeof *frame);
}

/* Appends to a frame's list of headers. */
static inline void frame_header(struct buf *out, struct bytes name, struct bytes value)
{
    uint32_t size = (uint32_t)name.size;
    buf_put(out, &size, sizeof size);
    buf_bytes(out, name);
    size = (uint32_t)value.size;
    buf_put(out, &size, sizeof size);
    buf_bytes(out, value);
}

static inline struct frame frame_at(const void *place)
{
    struct frame frame;
    memcpy(&frame, place, sizeof frame);
    return frame;
}

/* Takes the first message off `rest`; false at its end. */
static inline bool frame_next(struct bytes *rest, struct frame_view *out)
{
    if (rest->size == 0)
        return false;
    out->start = rest->data;
    out->frame = frame_at(rest->data);
    out->key = (struct bytes){ out->start + sizeof out->frame, out->frame.key_size };
    out->value = (struct bytes){ out->key.data + out->key.size, out->frame.value_size };
    out->headers = (struct bytes){ out->value.data + out->value.size, out->frame.headers_size };
    size_t size = (size_t)(out->headers.data + out->headers.size - rest->data);
    rest->data += size;
    rest->size -= size;
    return true;
}

/* The hash that Kafka's Java client takes for its default partitions. */
uint32_t murmur2(struct bytes key);
