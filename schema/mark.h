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

enum { MARK_ROW_BITS = 24, MARK_ROW_LAST = 0xefffff, MARK_CHUNK_FIRST = 0xf00000,
       MARK_CHUNK_LAST = 0xffffff };

static inline uint64_t mark_make(uint64_t commit, uint32_t row)
{
    return commit << MARK_ROW_BITS | row;
}
static inline uint64_t mark_commit(uint64_t mark) { return mark >> MARK_ROW_BITS; }
static inline uint32_t mark_row(uint64_t mark) { return (uint32_t)(mark & 0xffffff); }
