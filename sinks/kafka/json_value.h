/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of a row as JSON. A format chooses a function for each column of a table version once;
 * rows then go through these alone. */
#pragma once

#include <stdatomic.h>

#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "schema/table.h"
#include "schema/value.h"

struct json_column;
/* Appends a value that is neither NULL nor absent. False: it cannot be carried. */
typedef bool (*json_put)(const struct json_column *column, const struct value *value,
                         struct buf *out);

struct json_column {
    json_put put;
    struct bytes lead;    /* a comma, the escaped name, a colon */
    struct bytes absent;  /* stands for a value that the log does not hold; NULL: left out */
    struct bytes gone;    /* likewise in a row that is gone, of which the log holds the key */
    struct bytes zero;    /* stands for a date that no calendar holds; NULL: refused */
    atomic_ullong *zeros; /* counts them */
    int64_t divisor;      /* of microseconds */
    uint32_t width;       /* of a bit field, in bytes */
    uint8_t scale;
    const struct json_column *element; /* of an array */
};

/* What a refusal of one of the column's values ends with: the cure, where there is one. */
const char *json_refusal_cure(const struct column *column);

/* ERROR_DATA with the first column for whose type the format has no form. */
bool json_columns_check(const struct json_column *columns, const struct table *table,
                        struct error *err);
/* Appends the members of an object, without its braces: columns[i] is of row[i], or of
 * row[places[i]]. False: *refused is the column that cannot be carried. */
bool json_put_members(const struct json_column *columns, const uint16_t *places, uint16_t count,
                      const struct value *row, struct buf *out, uint16_t *refused);
/* A row that is gone as an object. */
bool json_put_gone(const struct json_column *columns, const struct table *table,
                   const struct value *row, struct buf *out, struct error *err);
/* The whole row as an object. */
bool json_put_row(const struct json_column *columns, const struct table *table,
                  const struct value *row, struct buf *out, struct error *err);
/* Of `before` those values that differ from `after`. */
struct row_images {
    const struct value *before, *after;
};
bool json_put_changed(const struct json_column *columns, const struct table *table,
                      const struct row_images *images, struct buf *out, struct error *err);
/* A comma, the name, escaped, and a colon. */
struct bytes json_lead(struct arena *arena, struct bytes name);

bool put_boolean(const struct json_column *column, const struct value *value, struct buf *out);
bool put_int(const struct json_column *column, const struct value *value, struct buf *out);
bool put_uint(const struct json_column *column, const struct value *value, struct buf *out);
bool put_float(const struct json_column *column, const struct value *value, struct buf *out);
bool put_double(const struct json_column *column, const struct value *value, struct buf *out);
bool put_text(const struct json_column *column, const struct value *value, struct buf *out);
bool put_bit_boolean(const struct json_column *column, const struct value *value, struct buf *out);
/* Little endian, `width` bytes, base64. */
bool put_bits(const struct json_column *column, const struct value *value, struct buf *out);
/* DECIMAL: the unscaled number in two's complement, big endian, base64; text; a double. */
bool put_decimal_bytes(const struct json_column *column, const struct value *value,
                       struct buf *out);
bool put_decimal_text(const struct json_column *column, const struct value *value, struct buf *out);
bool put_decimal_double(const struct json_column *column, const struct value *value,
                        struct buf *out);
/* BIGINT UNSIGNED in the same forms as a DECIMAL of scale 0. */
bool put_uint_bytes(const struct json_column *column, const struct value *value, struct buf *out);
bool put_uint_text(const struct json_column *column, const struct value *value, struct buf *out);
bool put_uint_double(const struct json_column *column, const struct value *value, struct buf *out);
/* What stands for a date that no calendar holds; false: it is refused. */
bool put_zero_date(const struct json_column *column, struct buf *out);
bool put_days(const struct json_column *column, const struct value *value, struct buf *out);
bool put_units(const struct json_column *column, const struct value *value, struct buf *out);
bool put_instant(const struct json_column *column, const struct value *value, struct buf *out);
bool put_base64(const struct json_column *column, const struct value *value, struct buf *out);
bool put_base64_url(const struct json_column *column, const struct value *value, struct buf *out);
bool put_hex(const struct json_column *column, const struct value *value, struct buf *out);
/* {"wkb":..,"srid":..}, and for a point {"x":..,"y":..,"wkb":..,"srid":..}. */
bool put_geometry(const struct json_column *column, const struct value *value, struct buf *out);
bool put_point(const struct json_column *column, const struct value *value, struct buf *out);
bool put_vector(const struct json_column *column, const struct value *value, struct buf *out);
bool put_array(const struct json_column *column, const struct value *value, struct buf *out);
/* PostgreSQL's texts: see postgres_text.h. */
bool put_bits_text(const struct json_column *column, const struct value *value, struct buf *out);
bool put_bit_text(const struct json_column *column, const struct value *value, struct buf *out);
bool put_point_text(const struct json_column *column, const struct value *value, struct buf *out);
bool put_zoned_time(const struct json_column *column, const struct value *value, struct buf *out);
bool put_interval(const struct json_column *column, const struct value *value, struct buf *out);
bool put_interval_iso(const struct json_column *column, const struct value *value,
                      struct buf *out);
/* {"scale":2,"value":..} */
bool put_scaled(const struct json_column *column, const struct value *value, struct buf *out);
bool put_uuid(const struct json_column *column, const struct value *value, struct buf *out);
bool put_address(const struct json_column *column, const struct value *value, struct buf *out);
