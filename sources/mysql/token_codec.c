/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens to bytes and back, and the order of places in a log. */
#include "engine/base/parse.h"
#include "engine/base/reader.h"
#include "sources/mysql/token.h"

enum { TOKEN_VERSION = 2 };

void token_encode(const struct token *token, struct buf *out)
{
    buf_u8(out, TOKEN_VERSION);
    buf_u8(out, token->gtid.size > 0);
    buf_sized(out, token->file);
    buf_le(out, token->offset, 8);
    buf_sized(out, token->gtid);
    buf_sized(out, token->server);
    buf_le(out, token->created, 4);
    buf_sized(out, token->state);
}

bool token_decode(struct bytes raw, struct token *out, struct error *err)
{
    struct reader in = reader_of(raw);
    uint8_t version = reader_u8(&in);
    reader_u8(&in);
    struct token token = { .file = reader_sized(&in) };
    token.offset = reader_le(&in, 8);
    token.gtid = reader_sized(&in);
    token.server = reader_sized(&in);
    if (version >= 2) {
        token.created = (uint32_t)reader_le(&in, 4);
        token.state = reader_sized(&in);
    }
    if (in.failed || in.rest.size > 0 || version == 0 || version > TOKEN_VERSION)
        return error_set(err, ERROR_CONFIG, "a stored position is malformed");
    *out = token;
    return true;
}

/* The digits at the end of a name: binlog.000012. */
static uint64_t file_number(struct bytes file)
{
    size_t at = file.size;
    while (at > 0 && file.data[at - 1] >= '0' && file.data[at - 1] <= '9')
        at--;
    return parse_digits((struct bytes){ file.data + at, file.size - at });
}

int token_place_compare(const struct token *a, const struct token *b)
{
    uint64_t file_a = file_number(a->file), file_b = file_number(b->file);
    if (file_a != file_b)
        return file_a < file_b ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}
