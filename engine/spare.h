/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffers of loads that went out, for those that come: memory that the kernel took back and gave
 * again, page by page, was a fourth of what a busy sink cost. Bounded, and let go by an idle one.
 */
#pragma once

#include "engine/base/buf.h"

enum { SPARE_MAX = 64 };

struct spare {
    struct buf items[SPARE_MAX];
    uint32_t count;
    size_t bytes;
};

/* Takes the buffer over, or frees it when the spare ones would then hold more than `limit` bytes.
 */
void spare_give(struct spare *spare, struct buf *buf, size_t limit);
/* An empty buffer with that limit: the last that was given, or a new one. */
struct buf spare_take(struct spare *spare, size_t limit);
void spare_done(struct spare *spare); /* frees all; empty again */
