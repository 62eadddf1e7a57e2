/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of an INSERT: what comes out, unpacked, are the block's counts and the load's parts, in
 * pieces of any size, and the same again after a rewind. */
#include "tests/unit/sinks/fixture.h"

#include <lz4frame.h>
#include <zstd.h>

#include "sinks/clickhouse/insert.h"

static void add_part(struct load *load, uint32_t part, const char *header, size_t header_size,
                     size_t data_size)
{
    buf_put(&load->parts[part], header, header_size);
    for (size_t i = 0; i < data_size; i++)
        buf_u8(&load->parts[part], (uint8_t)(i * 7 + i / 251 + part));
}

/* Three columns in four bufs: plain, Nullable (nulls apart from values), and an empty one. */
static void load_fill(struct load *load, size_t data_size)
{
    static const struct table table = { .id = 1 };
    load_init(load, NULL, &table, 4, "label");
    add_part(load, 0, "\1a\5UInt8", 8, data_size);
    add_part(load, 1, "\1b\17Nullable(UInt8)", 18, data_size);
    add_part(load, 2, "", 0, data_size);
    add_part(load, 3, "\1c\6String", 9, 0);
    load->rows = 300;
}

static void expected_body(const struct load *load, struct buf *out)
{
    buf_put(out, "\3\xac\2", 3); /* columns; 300 */
    for (uint32_t i = 0; i < load->part_count; i++)
        buf_bytes(out, buf_view(&load->parts[i]));
}

static void unpack_lz4(struct bytes packed, struct buf *out)
{
    LZ4F_dctx *context;
    assert_false(LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
    size_t left = 1;
    while (packed.size > 0) {
        uint8_t room[65536];
        size_t out_size = sizeof room, in_size = packed.size;
        left = LZ4F_decompress(context, room, &out_size, packed.data, &in_size, NULL);
        assert_false(LZ4F_isError(left));
        buf_put(out, room, out_size);
        packed.data += in_size;
        packed.size -= in_size;
    }
    assert_int_equal(left, 0); /* the frame is ended */
    LZ4F_freeDecompressionContext(context);
}

static void unpack_zstd(struct bytes packed, struct buf *out)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = { packed.data, packed.size, 0 };
    size_t left = 1;
    while (in.pos < in.size) {
        uint8_t room[65536];
        ZSTD_outBuffer piece = { room, sizeof room, 0 };
        left = ZSTD_decompressStream(context, &piece, &in);
        assert_false(ZSTD_isError(left));
        buf_put(out, room, piece.pos);
    }
    assert_int_equal(left, 0);
    ZSTD_freeDCtx(context);
}

static void read_all(struct insert_body *body, size_t piece, struct buf *out)
{
    uint8_t *room = malloc(piece);
    for (size_t size; (size = body_read(body, room, piece)) > 0;) {
        assert_true(size <= piece);
        buf_put(out, room, size);
    }
    assert_int_equal(body_read(body, room, piece), 0); /* the end stays the end */
    free(room);
}

static void expect_body(struct insert_body *body, size_t piece, struct bytes expected)
{
    struct buf packed, plain;
    buf_init(&packed, FIXTURE_PART_LIMIT);
    buf_init(&plain, FIXTURE_PART_LIMIT);
    read_all(body, piece, &packed);
    if (body->compression == COMPRESSION_LZ4)
        unpack_lz4(buf_view(&packed), &plain);
    else if (body->compression == COMPRESSION_ZSTD)
        unpack_zstd(buf_view(&packed), &plain);
    else
        buf_bytes(&plain, buf_view(&packed));
    assert_int_equal(plain.size, expected.size);
    assert_memory_equal(plain.data, expected.data, expected.size);
    buf_done(&packed);
    buf_done(&plain);
}

static void test_body(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 300, 1000003 };
    static const size_t pieces[] = { 1, 1000, 1 << 20 };
    for (int compression = COMPRESSION_LZ4; compression <= COMPRESSION_NONE; compression++) {
        struct insert_body body;
        body_open(&body, compression);
        for (size_t i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(pieces); i++) {
            struct load load;
            struct buf expected;
            size_t size = sizes[i / ARRAY_SIZE(pieces)], piece = pieces[i % ARRAY_SIZE(pieces)];
            if (size > 1000 && piece == 1)
                continue;
            buf_init(&expected, FIXTURE_PART_LIMIT);
            load_fill(&load, size);
            expected_body(&load, &expected);
            body_begin(&body, &load);
            expect_body(&body, piece, buf_view(&expected));
            assert_false(body.rewound);
            body_rewind(&body);
            uint8_t some[7];
            body_read(&body, some,
                      sizeof some); /* cut off in the middle, and from the start again */
            body_rewind(&body);
            expect_body(&body, piece, buf_view(&expected));
            assert_true(body.rewound);
            load_done(&load);
            buf_done(&expected);
        }
        body_close(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_body) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
