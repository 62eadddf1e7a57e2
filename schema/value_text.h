/* SPDX-License-Identifier: Apache-2.0
 *
 * Canonical values as a person, or a target that takes texts, reads them. */
#pragma once

#include "engine/base/buf.h"
#include "schema/type.h"
#include "schema/value.h"

/* Of days since 1970-01-01. The year before 1 is 0. */
struct civil_date {
    int64_t year;
    int month, day;
};
struct civil_date civil_from_days(int64_t days);

/* "2020-01-31", of days since 1970-01-01; "-0001-01-31" two years before 1. */
void date_text(int64_t days, struct buf *out);

/* "2020-01-31 12:30:00.250" with `scale` digits of fraction, of microseconds since 1970. */
void datetime_text(int64_t micros, uint8_t scale, struct buf *out);

/* "2020-01-31T12:30:00.250Z", of microseconds since 1970, UTC. */
void instant_text(int64_t micros, uint8_t scale, struct buf *out);

/* "-838:59:59.500", as MySQL prints a TIME. */
void time_text(int64_t micros, uint8_t scale, struct buf *out);

/* "-12.50", of units of 10^-scale. */
void decimal_text(int64_t units, uint8_t scale, struct buf *out);

/* "8c8e9bd0-...", of 16 bytes in text order. */
void uuid_text(const uint8_t raw[16], struct buf *out);

/* With padding; url_safe: - and _ instead of + and /. */
void base64_text(struct bytes raw, bool url_safe, struct buf *out);

/* Lower case, two digits a byte. */
void hex_text(struct bytes raw, struct buf *out);
