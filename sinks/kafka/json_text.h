/* SPDX-License-Identifier: Apache-2.0
 *
 * Values as texts and plain numbers: the forms of Flink CDC, Canal and Maxwell. The functions are
 * those of json_value.h in kind. */
#pragma once

#include "sinks/kafka/json_value.h"

/* DECIMAL and BIGINT UNSIGNED as JSON numbers: as they are; without zeros at the end. */
bool put_decimal_number(const struct json_column *column, const struct value *value,
                        struct buf *out);
bool put_decimal_stripped(const struct json_column *column, const struct value *value,
                          struct buf *out);

/* "2026-11-20"; what no calendar holds as the source prints it, or as the settings ask. */
bool put_date(const struct json_column *column, const struct value *value, struct buf *out);
bool put_date_or_zero(const struct json_column *column, const struct value *value, struct buf *out);
/* "2026-11-20 08:30:00.120", with the column's digits; Flink's form ends where its zeros begin. */
bool put_datetime(const struct json_column *column, const struct value *value, struct buf *out);
bool put_datetime_stripped(const struct json_column *column, const struct value *value,
                           struct buf *out);
/* The same with a Z behind it. */
bool put_instant_stripped(const struct json_column *column, const struct value *value,
                          struct buf *out);
bool put_time(const struct json_column *column, const struct value *value, struct buf *out);
bool put_time_stripped(const struct json_column *column, const struct value *value,
                       struct buf *out);

/* Numbers in quotes. */
bool put_int_text(const struct json_column *column, const struct value *value, struct buf *out);
bool put_float_text(const struct json_column *column, const struct value *value, struct buf *out);
bool put_double_text(const struct json_column *column, const struct value *value, struct buf *out);

/* A document as it stands. */
bool put_document(const struct json_column *column, const struct value *value, struct buf *out);
/* Each byte as the character of its number (ISO-8859-1). */
bool put_latin1(const struct json_column *column, const struct value *value, struct buf *out);
/* The comma-separated labels of a SET as an array. */
bool put_set_array(const struct json_column *column, const struct value *value, struct buf *out);
/* Well-known text of a geometry: "POINT (1 2)". */
bool put_wkt(const struct json_column *column, const struct value *value, struct buf *out);
