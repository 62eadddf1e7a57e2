/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes JSON as MySQL prints it, into an arena. Not engine/base/json_write.h: spaces, doubles and
 * escapes are those of the server, so that a row of the log equals the row that SELECT gives. */
#pragma once

#include "engine/base/arena.h"

/* Past `limit` it fails for good: a forged document may point at one subtree many times. */
struct json_text {
    struct arena *arena;
    uint8_t *start, *at, *end;
    size_t limit;
    bool failed;
};

/* `source_size`: of the binary form; fixes the first room and the limit. */
struct json_text json_text_of(struct arena *arena, size_t source_size);
/* What was written; the rest of the room goes back to the arena. False: it failed. */
bool json_text_finish(struct json_text *text, struct bytes *out);

void json_text_put(struct json_text *text, struct bytes raw);
void json_text_int(struct json_text *text, int64_t number);
void json_text_uint(struct json_text *text, uint64_t number);
void json_text_double(struct json_text *text, double number);       /* must be finite */
void json_text_string(struct json_text *text, struct bytes string); /* quoted and escaped */
/* "base64:typeNN:...", with the line breaks of the server's encoder. */
void json_text_base64(struct json_text *text, uint8_t type, struct bytes raw);
