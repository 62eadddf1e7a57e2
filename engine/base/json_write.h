/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes JSON into a buf, commas by itself. Texts are escaped as RFC 8259 asks; invalid UTF-8
 * becomes U+FFFD. Nesting to 32 levels, asserted. */
#pragma once

#include "engine/base/buf.h"

struct json_writer {
    struct buf *out;
    uint32_t depth;
    bool comma[33]; /* does the next item of this level need one */
};

struct json_writer json_writer_of(struct buf *out);
void json_object(struct json_writer *json);
void json_object_end(struct json_writer *json);
void json_array(struct json_writer *json);
void json_array_end(struct json_writer *json);
void json_key(struct json_writer *json, struct bytes key); /* then one value */
void json_string(struct json_writer *json, struct bytes text);
void json_int(struct json_writer *json, int64_t number);
void json_uint(struct json_writer *json, uint64_t number);
/* Shortest exact, as Java prints it; NaN and infinity as strings. */
void json_double(struct json_writer *json, double number);
void json_bool(struct json_writer *json, bool flag);
void json_null(struct json_writer *json);
void json_raw(struct json_writer *json, struct bytes text); /* a number or a document, trusted */
/* json_key and the value in one. */
void json_member_string(struct json_writer *json, const char *key, struct bytes text);
void json_member_int(struct json_writer *json, const char *key, int64_t number);
void json_member_uint(struct json_writer *json, const char *key, uint64_t number);

/* Single values without a writer, for encoders that keep commas themselves. Floats: a single that
 * was widened, in its own shortest digits. */
void json_put_text(struct buf *out, struct bytes text);
void json_put_char(struct buf *out, uint8_t character); /* of ISO-8859-1, without quotes */
void json_put_int(struct buf *out, int64_t number);
void json_put_uint(struct buf *out, uint64_t number);
void json_put_double(struct buf *out, double number);
void json_put_float(struct buf *out, double number);
