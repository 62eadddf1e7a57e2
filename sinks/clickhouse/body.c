/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a load, one after another behind the block's two counts, through a compressor: LZ4
 * as frames, zstd at its fastest level, both by Content-Encoding. Only a slice is held compressed.
 */
#include <lz4frame.h>
#include <zstd.h>

#include "engine/base/assert.h"
#include "sinks/clickhouse/insert.h"
#include "sinks/clickhouse/native.h"

enum { SLICE = 256 << 10, OUT_LIMIT = 4 << 20, ZSTD_LEVEL = 1 };

static const LZ4F_preferences_t lz4_preferences = {
    .frameInfo = { .blockSizeID = LZ4F_max256KB, .blockMode = LZ4F_blockIndependent },
};

void body_open(struct insert_body *body, int compression)
{
    *body = (struct insert_body){ .compression = compression };
    buf_init(&body->out, OUT_LIMIT);
    if (compression == COMPRESSION_LZ4) {
        LZ4F_cctx *context = NULL;
        LZ4F_errorCode_t code = LZ4F_createCompressionContext(&context, LZ4F_VERSION);
        ASSERT(!LZ4F_isError(code));
        body->lz4 = context;
    } else if (compression == COMPRESSION_ZSTD) {
        ZSTD_CCtx *context = ZSTD_createCCtx();
        ASSERT(context);
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, ZSTD_LEVEL);
        body->zstd = context;
    }
}

void body_close(struct insert_body *body)
{
    LZ4F_freeCompressionContext(body->lz4);
    ZSTD_freeCCtx(body->zstd);
    buf_done(&body->out);
    body->lz4 = body->zstd = NULL;
}

const char *body_encoding(const struct insert_body *body)
{
    return body->compression == COMPRESSION_LZ4    ? "Content-Encoding: lz4"
           : body->compression == COMPRESSION_ZSTD ? "Content-Encoding: zstd"
                                                   : NULL;
}

static void prefix_number(struct insert_body *body, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        body->prefix[body->prefix_size++] = (uint8_t)(number | 0x80);
    body->prefix[body->prefix_size++] = (uint8_t)number;
}

static void body_start(struct insert_body *body)
{
    body->part = 0;
    body->offset = 0;
    body->begun = body->ended = false;
    body->out_taken = 0;
    buf_reset(&body->out);
    if (body->zstd)
        ZSTD_CCtx_reset(body->zstd, ZSTD_reset_session_only);
}

void body_begin(struct insert_body *body, const struct load *load)
{
    struct bytes name;
    uint32_t part = 0, columns = 0;
    while (native_next_column(load, &part, &name))
        columns++;
    body->load = load;
    body->rewound = false;
    body->prefix_size = 0;
    prefix_number(body, columns);
    prefix_number(body, load->rows);
    body_start(body);
}

void body_rewind(void *context)
{
    struct insert_body *body = context;
    body->rewound = true;
    body_start(body);
}

/* Up to `size` bytes that follow, as they lie in the parts; none at the end. */
static struct bytes body_slice(struct insert_body *body, size_t size)
{
    while (body->part <= body->load->part_count) {
        struct bytes part = body->part == 0 ? (struct bytes){ body->prefix, body->prefix_size }
                                            : buf_view(&body->load->parts[body->part - 1]);
        size_t left = part.size - body->offset;
        if (left > 0) {
            size_t taken = left < size ? left : size;
            struct bytes slice = { part.data + body->offset, taken };
            body->offset += taken;
            return slice;
        }
        body->part++;
        body->offset = 0;
    }
    return (struct bytes){ 0 };
}

static void out_lz4(struct insert_body *body, struct bytes slice)
{
    size_t bound = LZ4F_compressBound(slice.size, &lz4_preferences) + LZ4F_HEADER_SIZE_MAX;
    uint8_t *room = buf_reserve(&body->out, bound);
    ASSERT(room);
    size_t size = 0, wrote = 0;
    if (!body->begun)
        size = LZ4F_compressBegin(body->lz4, room, bound, &lz4_preferences);
    ASSERT(!LZ4F_isError(size));
    if (slice.size > 0)
        wrote =
            LZ4F_compressUpdate(body->lz4, room + size, bound - size, slice.data, slice.size, NULL);
    else
        wrote = LZ4F_compressEnd(body->lz4, room + size, bound - size, NULL);
    ASSERT(!LZ4F_isError(wrote));
    body->out.size += size + wrote;
}

static void out_zstd(struct insert_body *body, struct bytes slice)
{
    ZSTD_inBuffer in = { slice.data, slice.size, 0 };
    ZSTD_EndDirective directive = slice.size > 0 ? ZSTD_e_continue : ZSTD_e_end;
    size_t left;
    do {
        size_t bound = ZSTD_CStreamOutSize();
        uint8_t *room = buf_reserve(&body->out, bound);
        ASSERT(room);
        ZSTD_outBuffer out = { room, bound, 0 };
        left = ZSTD_compressStream2(body->zstd, &out, &in, directive);
        ASSERT(!ZSTD_isError(left));
        body->out.size += out.pos;
    } while (in.pos < in.size || (directive == ZSTD_e_end && left > 0));
}

/* The next compressed bytes into `out`; leaves it empty at the end only. */
static void body_compress(struct insert_body *body)
{
    buf_reset(&body->out);
    body->out_taken = 0;
    while (body->out.size == 0 && !body->ended) {
        struct bytes slice = body_slice(body, SLICE);
        if (body->lz4)
            out_lz4(body, slice);
        else
            out_zstd(body, slice);
        body->begun = true;
        body->ended = slice.size == 0;
    }
}

size_t body_read(void *context, uint8_t *room, size_t size)
{
    struct insert_body *body = context;
    if (!body->lz4 && !body->zstd) {
        struct bytes slice = body_slice(body, size);
        if (slice.size > 0)
            memcpy(room, slice.data, slice.size);
        return slice.size;
    }
    size_t used = 0;
    while (used < size) {
        if (body->out_taken == body->out.size)
            body_compress(body);
        size_t left = body->out.size - body->out_taken;
        if (left == 0)
            break;
        size_t taken = left < size - used ? left : size - used;
        memcpy(room + used, body->out.data + body->out_taken, taken);
        body->out_taken += taken;
        used += taken;
    }
    return used;
}
