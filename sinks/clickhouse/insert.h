/* SPDX-License-Identifier: Apache-2.0
 *
 * A load as the body of an INSERT, compressed while it is pulled. */
#pragma once

#include "engine/sink.h"
#include "sinks/clickhouse/options.h"

struct insert_body {
    int compression;  /* enum clickhouse_compression */
    void *lz4, *zstd; /* contexts, one is NULL or both */
    const struct load *load;
    uint8_t prefix[12]; /* columns and rows of the block */
    size_t prefix_size;
    uint32_t part; /* 0: the prefix; i: parts[i - 1]; behind the last: the end */
    size_t offset; /* in it */
    bool begun, ended, rewound;
    struct buf out; /* compressed, not yet taken */
    size_t out_taken;
};

void body_open(struct insert_body *body, int compression);
void body_close(struct insert_body *body); /* takes zeroed ones */
void body_begin(struct insert_body *body, const struct load *load);
const char *body_encoding(const struct insert_body *body); /* a header, or NULL */
size_t body_read(void *context, uint8_t *room, size_t size);
void body_rewind(void *context);
