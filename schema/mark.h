/* SPDX-License-Identifier: Apache-2.0
 *
 * A mark orders the events of one pipeline's source, alike on every replay: 40 bits of `commit`,
 * which counts the source's transactions (filtered ones too) and is stored with the position, and
 * 24 bits of `row` inside it. It is the version column of ClickHouse and Doris's sequence column.
 *
 * Rows of a transaction take row 0 to MARK_ROW_LAST; a longer transaction goes on under the next
 * commit number, which is deterministic because a replay starts at the transaction's start. The
 * rows above are for snapshot chunks that closed after that commit: each chunk one mark, later than
 * every change that it holds and earlier than every change that follows. */
#pragma once

#include <stdint.h>

enum {
    MARK_ROW_BITS = 24,
    MARK_ROW_LAST = 0xefffff,
    MARK_CHUNK_FIRST = 0xf00000,
    MARK_CHUNK_LAST = 0xffffff
};

static inline uint64_t mark_make(uint64_t commit, uint32_t row)
{
    return commit << MARK_ROW_BITS | row;
}
static inline uint64_t mark_commit(uint64_t mark) { return mark >> MARK_ROW_BITS; }
static inline uint32_t mark_row(uint64_t mark) { return (uint32_t)(mark & 0xffffff); }

/* A checkpoint that begins anew gives higher marks than an older one gave to the same targets: the
 * count starts from the clock, 2048 transactions a second since 2024, behind `known`. */
static inline uint64_t mark_first_commit(uint64_t known, int64_t wall_us)
{
    const int64_t year_2024_us = INT64_C(1704067200) * 1000000;
    int64_t since_us = wall_us - year_2024_us;
    uint64_t commit = since_us > 0 ? (uint64_t)since_us / 1000000 * 2048 : 0;
    return commit > mark_commit(known) ? commit : mark_commit(known) + 1;
}
