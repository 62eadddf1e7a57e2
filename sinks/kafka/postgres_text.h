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

/* "1 year 2 mons -3 days +04:05:06.7", as intervalstyle = postgres prints it. */
struct interval {
    int64_t years, months, days, hours, minutes, seconds;
    int64_t micros; /* of the seconds' fraction; all of the clock have its sign */
};
/* False: it is none that has these fields, as `infinity`. */
bool interval_of_text(struct bytes text, struct interval *out);
/* A month has 30.4375 days, a twelfth of 365.25. False: more than 64 bits hold. */
bool interval_micros(const struct interval *interval, int64_t *out);
/* "P1Y2M-3DT4H5M6.7S" */
void interval_put_iso(const struct interval *interval, struct buf *out);

/* A numeric without a declared scale: digits without zeros at the end of its fraction. */
struct scaled {
    uint32_t scale;
    struct bytes unscaled; /* in `room` */
    uint8_t room[UNSCALED_MAX];
};
/* False: NaN, an infinity, or more than 1000 digits. */
bool scaled_of_text(struct bytes text, struct scaled *out);
