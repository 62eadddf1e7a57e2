/* SPDX-License-Identifier: Apache-2.0
 *
 *   geometry := 01, u32 type, body     point := x, y     line := u32 count, points
 *   polygon := u32 count, lines        multi, collection := u32 count, geometries
 */
#include "sinks/kafka/wkt.h"

#include "engine/base/json_write.h"

enum { DEPTH_MAX = 16 };
enum {
    WKB_POINT = 1,
    WKB_LINE,
    WKB_POLYGON,
    WKB_MULTI_POINT,
    WKB_MULTI_LINE,
    WKB_MULTI_POLYGON,
    WKB_COLLECTION
};

static const char *const names[] = { NULL,           "POINT",
                                     "LINESTRING",   "POLYGON",
                                     "MULTIPOINT",   "MULTILINESTRING",
                                     "MULTIPOLYGON", "GEOMETRYCOLLECTION" };

static void put_coordinate(struct reader *in, struct buf *out)
{
    uint64_t bits = reader_le(in, 8);
    double number;
    memcpy(&number, &bits, sizeof number);
    json_put_double(out, number);
}

static void put_pair(struct reader *in, struct buf *out)
{
    put_coordinate(in, out);
    buf_u8(out, ' ');
    put_coordinate(in, out);
}

static void put_line(struct reader *in, struct buf *out)
{
    uint64_t count = reader_le(in, 4);
    buf_u8(out, '(');
    for (uint64_t i = 0; i < count && !in->failed; i++) {
        if (i > 0)
            buf_text(out, ", ");
        put_pair(in, out);
    }
    buf_u8(out, ')');
}

static void put_lines(struct reader *in, struct buf *out)
{
    uint64_t count = reader_le(in, 4);
    buf_u8(out, '(');
    for (uint64_t i = 0; i < count && !in->failed; i++) {
        if (i > 0)
            buf_text(out, ", ");
        put_line(in, out);
    }
    buf_u8(out, ')');
}

static bool put_geometry(struct reader *in, bool named, int depth, struct buf *out);

static bool put_parts(struct reader *in, bool named, int depth, struct buf *out)
{
    uint64_t count = reader_le(in, 4);
    bool ok = true;
    buf_u8(out, '(');
    for (uint64_t i = 0; i < count && ok && !in->failed; i++) {
        if (i > 0)
            buf_text(out, ", ");
        ok = put_geometry(in, named, depth, out);
    }
    buf_u8(out, ')');
    return ok;
}

static bool put_geometry(struct reader *in, bool named, int depth, struct buf *out)
{
    bool little = reader_u8(in) == 1;
    uint64_t type = reader_le(in, 4);
    if (!little || type < WKB_POINT || type > WKB_COLLECTION || depth > DEPTH_MAX)
        return false;
    if (named) {
        buf_text(out, names[type]);
        buf_u8(out, ' ');
    }
    switch (type) {
    case WKB_POINT:
        buf_u8(out, '(');
        put_pair(in, out);
        buf_u8(out, ')');
        break;
    case WKB_LINE:
        put_line(in, out);
        break;
    case WKB_POLYGON:
        put_lines(in, out);
        break;
    default:
        return put_parts(in, type == WKB_COLLECTION, depth + 1, out);
    }
    return !in->failed;
}

bool wkt_put(struct reader *in, struct buf *out)
{
    return put_geometry(in, true, 0, out) && !in->failed;
}
