/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/spare.h"

void spare_give(struct spare *spare, struct buf *buf, size_t limit)
{
    if (buf->capacity == 0 || spare->count == SPARE_MAX || buf->capacity > limit - spare->bytes) {
        buf_done(buf);
        return;
    }
    spare->bytes += buf->capacity;
    spare->items[spare->count++] = *buf;
    *buf = (struct buf){ 0 };
}

struct buf spare_take(struct spare *spare, size_t limit)
{
    if (spare->count == 0)
        return (struct buf){ .limit = limit };
    struct buf buf = spare->items[--spare->count];
    spare->bytes -= buf.capacity;
    buf_reset(&buf);
    buf.limit = limit;
    return buf;
}

void spare_done(struct spare *spare)
{
    while (spare->count > 0)
        buf_done(&spare->items[--spare->count]);
    spare->bytes = 0;
}
