/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/json_text.h"

#include <math.h>

#include "engine/base/json_write.h"
#include "schema/value_text.h"
#include "sinks/kafka/wkt.h"

enum { SCALE_MAX = 6 };

/* Takes zeros off the end of a fraction that begins behind `from`, and its point. */
static void strip_zeros(struct buf *out, size_t from)
{
    if (out->failed || out->size == from || !memchr(out->data + from, '.', out->size - from))
        return;
    while (out->data[out->size - 1] == '0')
        out->size--;
    if (out->data[out->size - 1] == '.')
        out->size--;
}

bool put_decimal_number(const struct json_column *column, const struct value *value,
                        struct buf *out)
{
    if (value->tag == VALUE_TEXT)
        buf_bytes(out, value_bytes(value));
    else
        decimal_text(value->integer, column->scale, out);
    return true;
}

bool put_decimal_stripped(const struct json_column *column, const struct value *value,
                          struct buf *out)
{
    size_t at = out->size;
    put_decimal_number(column, value, out);
    strip_zeros(out, at);
    return true;
}

/* ---- time ---- */

bool put_date(const struct json_column *column, const struct value *value, struct buf *out)
{
    if (value->tag == VALUE_TEXT)
        return put_text(column, value, out);
    buf_u8(out, '"');
    date_text(value->integer, out);
    buf_u8(out, '"');
    return true;
}

bool put_date_or_zero(const struct json_column *column, const struct value *value, struct buf *out)
{
    return value->tag == VALUE_TEXT ? put_zero_date(column, out) : put_date(column, value, out);
}

bool put_datetime(const struct json_column *column, const struct value *value, struct buf *out)
{
    if (value->tag == VALUE_TEXT)
        return put_text(column, value, out);
    buf_u8(out, '"');
    datetime_text(value->integer, column->scale, out);
    buf_u8(out, '"');
    return true;
}

static bool stripped(const struct json_column *column, const struct value *value, const char *end,
                     struct buf *out)
{
    if (value->tag == VALUE_TEXT)
        return put_zero_date(column, out);
    buf_u8(out, '"');
    size_t at = out->size;
    datetime_text(value->integer, SCALE_MAX, out);
    strip_zeros(out, at);
    buf_text(out, end);
    return true;
}

bool put_datetime_stripped(const struct json_column *column, const struct value *value,
                           struct buf *out)
{
    return stripped(column, value, "\"", out);
}

bool put_instant_stripped(const struct json_column *column, const struct value *value,
                          struct buf *out)
{
    return stripped(column, value, "Z\"", out);
}

bool put_time(const struct json_column *column, const struct value *value, struct buf *out)
{
    buf_u8(out, '"');
    time_text(value->integer, column->scale, out);
    buf_u8(out, '"');
    return true;
}

bool put_time_stripped(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    buf_u8(out, '"');
    size_t at = out->size;
    time_text(value->integer, SCALE_MAX, out);
    strip_zeros(out, at);
    buf_u8(out, '"');
    return true;
}

/* ---- numbers in quotes ---- */

static bool quoted(json_put put, const struct json_column *column, const struct value *value,
                   struct buf *out)
{
    buf_u8(out, '"');
    bool ok = put(column, value, out);
    buf_u8(out, '"');
    return ok;
}

bool put_int_text(const struct json_column *column, const struct value *value, struct buf *out)
{
    return quoted(put_int, column, value, out);
}

/* NaN and infinities are texts already. */
static bool quoted_real(json_put put, const struct json_column *column, const struct value *value,
                        struct buf *out)
{
    return isfinite(value->number) ? quoted(put, column, value, out) : put(column, value, out);
}

bool put_float_text(const struct json_column *column, const struct value *value, struct buf *out)
{
    return quoted_real(put_float, column, value, out);
}

bool put_double_text(const struct json_column *column, const struct value *value, struct buf *out)
{
    return quoted_real(put_double, column, value, out);
}

/* ---- texts ---- */

bool put_document(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    buf_bytes(out, value_bytes(value));
    return true;
}

bool put_latin1(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    struct bytes raw = value_bytes(value);
    buf_u8(out, '"');
    for (size_t i = 0; i < raw.size; i++)
        json_put_char(out, raw.data[i]);
    buf_u8(out, '"');
    return true;
}

bool put_set_array(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    struct bytes rest = value_bytes(value);
    buf_u8(out, '[');
    while (rest.size > 0) {
        const uint8_t *comma = memchr(rest.data, ',', rest.size);
        size_t size = comma ? (size_t)(comma - rest.data) : rest.size;
        json_put_text(out, (struct bytes){ rest.data, size });
        if (!comma)
            break;
        buf_u8(out, ',');
        rest.data += size + 1;
        rest.size -= size + 1;
    }
    buf_u8(out, ']');
    return true;
}

bool put_wkt(const struct json_column *column, const struct value *value, struct buf *out)
{
    (void)column;
    struct reader in = reader_of(value_bytes(value));
    reader_take(&in, 4); /* the SRID, which this form does not tell */
    buf_u8(out, '"');
    bool ok = wkt_put(&in, out);
    buf_u8(out, '"');
    return ok;
}
