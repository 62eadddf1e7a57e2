/* SPDX-License-Identifier: Apache-2.0
 *
 * A value inside a binary JSON document, as it lies there. */
#pragma once

#include "engine/base/bytes.h"
#include "sources/mysql/binlog_json_text.h"

enum json_type {
    JSON_SMALL_OBJECT = 0,
    JSON_LARGE_OBJECT = 1,
    JSON_SMALL_ARRAY = 2,
    JSON_LARGE_ARRAY = 3,
    JSON_LITERAL = 4,
    JSON_INT16 = 5,
    JSON_UINT16 = 6,
    JSON_INT32 = 7,
    JSON_UINT32 = 8,
    JSON_INT64 = 9,
    JSON_UINT64 = 10,
    JSON_DOUBLE = 11,
    JSON_STRING = 12,
    JSON_OPAQUE = 15,
};
enum { JSON_DEPTH_MAX = 100 }; /* the server's own limit */

struct json_view {
    uint8_t type;      /* enum json_type, or what the document claims */
    struct bytes data; /* from the value's first byte to the end of what holds it */
};

/* document := u8 type, value. False: it is empty of a value. */
bool json_view_of(struct bytes document, struct json_view *out);

/* container := count, size (in bytes, all of it), for each member of an object: u16 or u32 offset
 * of the key, u16 its length; for each element: u8 type, then the value itself when it fits or its
 * offset; then the keys and the values. Widths are 2 or, in large ones, 4. */
struct json_container {
    struct bytes data;
    uint32_t count;
    uint8_t width;
    bool object;
};
bool json_is_container(uint8_t type);
bool json_container_of(const struct json_view *view, struct json_container *out);
bool json_container_key(const struct json_container *container, uint32_t index, struct bytes *out);
bool json_container_value(const struct json_container *container, uint32_t index,
                          struct json_view *out);

/* Prints a value and all below it; `depth` levels are above it. Fails the text when malformed. */
void json_view_print(const struct json_view *view, uint32_t depth, struct json_text *text);
