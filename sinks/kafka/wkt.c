/* SPDX-License-Identifier: Apache-2.0
 *
 *   geometry := 01, u32 type, body     point := x, y     line := u32 count, points
 *   polygon := u32 count, lines        multi, collection := u32 count, geometries
 */
#include "sinks/kafka/wkt.h"

#include <math.h>

#include "engine/base/digits.h"
#include "engine/base/shortest.h"

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

static void put_zeros(int count, struct buf *out)
{
    for (int i = 0; i < count; i++)
        buf_u8(out, '0');
}

/* Never with an exponent: coordinates in metres are large, and readers of WKT are simple. */
static void put_plain(double number, struct buf *out)
{
    struct shortest shortest = shortest_double(fabs(number));
    uint8_t digits[DIGITS_MAX];
    int count = digits_count(shortest.digits), whole = count + shortest.exponent;
    digits_write(digits, shortest.digits, count);
    if (number < 0)
        buf_u8(out, '-');
    if (whole <= 0) {
        buf_text(out, "0.");
        put_zeros(-whole, out);
        buf_put(out, digits, (size_t)count);
        return;
    }
    buf_put(out, digits, (size_t)(whole < count ? whole : count));
    put_zeros(whole - count, out);
    if (whole >= count)
        return;
    buf_u8(out, '.');
    buf_put(out, digits + whole, (size_t)(count - whole));
}

static void put_coordinate(struct reader *in, struct buf *out)
{
    uint64_t bits = reader_le(in, 8);
    double number;
    memcpy(&number, &bits, sizeof number);
    if (number == 0)
        buf_u8(out, '0');
    else if (isfinite(number))
        put_plain(number, out);
    else
        in->failed = true;
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
