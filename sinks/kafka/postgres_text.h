/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's texts of values that Debezium carries in another form. Source of the forms: its
 * documentation of the PostgreSQL connector, "Data type mappings". */
#pragma once

#include "engine/base/buf.h"
#include "sinks/kafka/unscaled.h"

/* Of a bit string, as a number: little endian, without the zeros at its end. */
void bits_of_text(struct bytes text, struct buf *out);

enum { POINT_WKB_SIZE = 21 };
struct point {
    double x, y;
    uint8_t wkb[POINT_WKB_SIZE]; /* little endian */
};
/* "(1.5,-2)". False: it is none. */
bool point_of_text(struct bytes text, struct point *out);

/* "12:34:56.7+05:30" in UTC, as "07:04:56.7Z". False: it is none. */
bool zoned_time_of_text(struct bytes text, struct buf *out);

/* A numeric without a declared scale: digits without zeros at the end of its fraction. */
struct scaled {
    uint32_t scale;
    struct bytes unscaled; /* in `room` */
    uint8_t room[UNSCALED_MAX];
};
/* False: NaN, an infinity, or more than 1000 digits. */
bool scaled_of_text(struct bytes text, struct scaled *out);
