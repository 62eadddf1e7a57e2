/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver's tokens, as bytes that the engine keeps: positions, gates, watermarks, transaction
 * ids. First byte: TOKEN_VERSION. Then: flags u8 (bit 0: a GTID part follows), file name (u32 size,
 * bytes), offset u64, GTID part (u32 size, bytes): a MySQL GTID set in its text form
 * ("uuid:1-5,uuid:tag:1"), or a MariaDB list "0-1-77,1-2-9" in the same slot. A transaction id
 * holds its own GTID alone and the file and offset where the group starts. `server` (u32 size,
 * bytes) names the server's uuid (MySQL) or server_id (MariaDB), to notice another one. Since
 * version 2: `created` u32, when that file was made, to notice a log that was begun anew (0: not
 * known); `state` (u32 size, bytes), of MariaDB the last number of each server in each domain. */
#pragma once

#include "engine/base/buf.h"
#include "engine/base/error.h"

struct token {
    struct bytes file;
    uint64_t offset;
    struct bytes gtid, server;
    uint32_t created;
    struct bytes state;
};

void token_encode(const struct token *token, struct buf *out);
bool token_decode(struct bytes raw, struct token *out, struct error *err); /* views into raw */

/* Order of two places in one server's log: by the number in the file name, then the offset. */
int token_place_compare(const struct token *a, const struct token *b);

/* The three questions of the engine, from tokens alone (see engine/source.h and the comment in
 * token.c): MEMBER_IN when the transaction's GTID is in low's set or it starts before low's place;
 * MEMBER_OUT when it starts at or after high's place; else MEMBER_MAYBE. */
