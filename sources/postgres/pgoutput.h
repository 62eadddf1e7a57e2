/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages of the plugin pgoutput, protocol version 1 with logical messages, and the frames that
 * they come in. Pure decoding of bytes: no memory but an arena for a relation's columns; texts are
 * views into the message. Each function is false on malformed input. */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/reader.h"

enum pgoutput_kind {
    PGOUTPUT_BEGIN = 'B',
    PGOUTPUT_COMMIT = 'C',
    PGOUTPUT_ORIGIN = 'O',
    PGOUTPUT_RELATION = 'R',
    PGOUTPUT_TYPE = 'Y',
    PGOUTPUT_INSERT = 'I',
    PGOUTPUT_UPDATE = 'U',
    PGOUTPUT_DELETE = 'D',
    PGOUTPUT_TRUNCATE = 'T',
    PGOUTPUT_MESSAGE = 'M',
};

/* Frames of the replication protocol. */
struct stream_data {
    uint64_t start, end;
    int64_t time_us;
    struct bytes message;
};
struct stream_keepalive {
    uint64_t end;
    int64_t time_us;
    bool reply_now;
};
bool stream_data_parse(struct bytes frame, struct stream_data *out);           /* 'w' */
bool stream_keepalive_parse(struct bytes frame, struct stream_keepalive *out); /* 'k' */
enum { STREAM_STATUS_SIZE = 34 };
void stream_status_make(uint64_t written, uint64_t flushed, int64_t now_us, bool reply_now,
                        uint8_t out[STREAM_STATUS_SIZE]); /* 'r'; now_us since 1970 */

struct pgoutput_begin {
    uint64_t final_lsn;
    int64_t time_us;
    uint32_t xid;
};
struct pgoutput_commit {
    uint64_t commit_lsn, end_lsn;
    int64_t time_us;
};
struct pgoutput_column {
    bool key;
    struct bytes name;
    uint32_t type;
    int32_t typmod;
};
struct pgoutput_relation {
    uint32_t oid;
    struct bytes schema, name;
    char identity; /* d, n, f, i as in pg_class.relreplident */
    uint16_t column_count;
    const struct pgoutput_column *columns;
};
struct pgoutput_truncate {
    bool cascade, restart;
    uint32_t count;
    struct reader oids; /* u32 each */
};
struct pgoutput_message {
    bool transactional;
    uint64_t lsn;
    struct bytes prefix, content;
};

/* All take the whole message, its kind first; times are microseconds since 1970. */
bool pgoutput_begin_parse(struct bytes message, struct pgoutput_begin *out);
bool pgoutput_commit_parse(struct bytes message, struct pgoutput_commit *out);
bool pgoutput_relation_parse(struct bytes message, struct arena *arena,
                             struct pgoutput_relation *out);
bool pgoutput_truncate_parse(struct bytes message, struct pgoutput_truncate *out);
bool pgoutput_message_parse(struct bytes message, struct pgoutput_message *out);

/* A row change: the relation, then one tuple or two. The cells are walked once, as they are taken:
 *     parse, the cells of the first tuple, [next, the cells of the second,] is_over
 * part: 'K' (old; only the identity's columns have values), 'O' (the whole old row) or 'N'. */
struct pgoutput_row {
    uint8_t kind, part;
    uint32_t oid;
    uint16_t count;      /* of the tuple's cells */
    struct reader cells; /* what is left of them */
};
bool pgoutput_row_parse(struct bytes message, struct pgoutput_row *out);
bool pgoutput_row_next(struct pgoutput_row *row);
bool pgoutput_row_is_over(const struct pgoutput_row *row);

/* A cell: 'n' NULL, 'u' an unchanged TOAST value that was not logged, 't' text. */
struct pgoutput_cell {
    uint8_t kind;
    struct bytes text;
};
static inline bool pgoutput_cell_take(struct reader *in, struct pgoutput_cell *out)
{
    const uint8_t *at = in->rest.data;
    size_t left = in->rest.size, used = 1;
    *out = (struct pgoutput_cell){ .kind = left > 0 ? at[0] : 0 };
    bool ok = out->kind == 'n' || out->kind == 'u';
    if (out->kind == 't' && left >= 5) {
        used = 5 + ((size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4]);
        ok = used <= left;
        out->text = (struct bytes){ at + 5, used - 5 };
    }
    if (!ok || in->failed)
        return !(in->failed = true);
    in->rest = (struct bytes){ at + used, left - used };
    return true;
}
