/* SPDX-License-Identifier: Apache-2.0
 *
 * Layouts from the manual, chapters "Streaming Replication Protocol" and "Logical Replication
 * Message Formats". All integers are big endian; a String ends with a NUL. */
#include "sources/postgres/pgoutput.h"

/* The protocol's clock begins on 2000-01-01. */
static const int64_t epoch_2000_us = INT64_C(946684800) * 1000000;

static bool is_over(const struct reader *in) { return !in->failed && in->rest.size == 0; }

static struct reader message_of(struct bytes message, uint8_t kind)
{
    struct reader in = reader_of(message);
    in.failed |= reader_u8(&in) != kind;
    return in;
}

static int64_t take_time(struct reader *in)
{
    int64_t time_us;
    bool over = __builtin_add_overflow((int64_t)reader_be(in, 8), epoch_2000_us, &time_us);
    in->failed |= over;
    return over ? 0 : time_us;
}

/* XLogData := 'w', u64 start, u64 end of the server's log, i64 time, the message */
bool stream_data_parse(struct bytes frame, struct stream_data *out)
{
    struct reader in = message_of(frame, 'w');
    out->start = reader_be(&in, 8);
    out->end = reader_be(&in, 8);
    out->time_us = take_time(&in);
    out->message = in.rest;
    return !in.failed && in.rest.size > 0;
}

/* Keepalive := 'k', u64 end, i64 time, u8 reply at once */
bool stream_keepalive_parse(struct bytes frame, struct stream_keepalive *out)
{
    struct reader in = message_of(frame, 'k');
    out->end = reader_be(&in, 8);
    out->time_us = take_time(&in);
    out->reply_now = reader_u8(&in) != 0;
    return is_over(&in);
}

static uint8_t *put_u64(uint8_t *out, uint64_t number)
{
    for (int i = 7; i >= 0; i--)
        *out++ = (uint8_t)(number >> 8 * i);
    return out;
}

/* Status := 'r', u64 written, u64 flushed, u64 applied, i64 time, u8 reply at once */
void stream_status_make(uint64_t written, uint64_t flushed, int64_t now_us, bool reply_now,
                        uint8_t out[STREAM_STATUS_SIZE])
{
    *out++ = 'r';
    out = put_u64(out, written);
    out = put_u64(out, flushed);
    out = put_u64(out, flushed);
    out = put_u64(out, (uint64_t)(now_us - epoch_2000_us));
    *out = reply_now;
}

/* Begin := 'B', u64 LSN of its commit, i64 commit time, u32 xid */
bool pgoutput_begin_parse(struct bytes message, struct pgoutput_begin *out)
{
    struct reader in = message_of(message, PGOUTPUT_BEGIN);
    out->final_lsn = reader_be(&in, 8);
    out->time_us = take_time(&in);
    out->xid = (uint32_t)reader_be(&in, 4);
    return is_over(&in);
}

/* Commit := 'C', u8 flags (0), u64 LSN of the commit, u64 end of the transaction, i64 time */
bool pgoutput_commit_parse(struct bytes message, struct pgoutput_commit *out)
{
    struct reader in = message_of(message, PGOUTPUT_COMMIT);
    reader_u8(&in);
    out->commit_lsn = reader_be(&in, 8);
    out->end_lsn = reader_be(&in, 8);
    out->time_us = take_time(&in);
    return is_over(&in);
}

/* Relation := 'R', u32 oid, String schema (empty: pg_catalog), String name, u8 identity, u16
 * columns, columns x (u8 flags (1: of the key), String name, u32 type, i32 typmod) */
bool pgoutput_relation_parse(struct bytes message, struct arena *arena,
                             struct pgoutput_relation *out)
{
    enum { COLUMN_BYTES_MIN = 10 };
    struct reader in = message_of(message, PGOUTPUT_RELATION);
    out->oid = (uint32_t)reader_be(&in, 4);
    out->schema = reader_cstring(&in);
    out->name = reader_cstring(&in);
    out->identity = (char)reader_u8(&in);
    out->column_count = (uint16_t)reader_be(&in, 2);
    if (in.failed || (size_t)out->column_count * COLUMN_BYTES_MIN > in.rest.size)
        return false;
    struct pgoutput_column *columns = arena_array(arena, out->column_count + 1u, sizeof *columns);
    for (uint16_t i = 0; i < out->column_count; i++) {
        columns[i].key = reader_u8(&in) & 1;
        columns[i].name = reader_cstring(&in);
        columns[i].type = (uint32_t)reader_be(&in, 4);
        columns[i].typmod = (int32_t)reader_be(&in, 4);
    }
    out->columns = columns;
    return is_over(&in);
}

/* Truncate := 'T', u32 relations, u8 flags (1: CASCADE, 2: RESTART IDENTITY), relations x u32 oid
 */
bool pgoutput_truncate_parse(struct bytes message, struct pgoutput_truncate *out)
{
    struct reader in = message_of(message, PGOUTPUT_TRUNCATE);
    out->count = (uint32_t)reader_be(&in, 4);
    uint8_t flags = reader_u8(&in);
    out->cascade = flags & 1;
    out->restart = flags & 2;
    out->oids = in;
    return !in.failed && in.rest.size == (size_t)out->count * 4;
}

/* Message := 'M', u8 flags (1: transactional), u64 LSN, String prefix, u32 size, content */
bool pgoutput_message_parse(struct bytes message, struct pgoutput_message *out)
{
    struct reader in = message_of(message, PGOUTPUT_MESSAGE);
    out->transactional = reader_u8(&in) & 1;
    out->lsn = reader_be(&in, 8);
    out->prefix = reader_cstring(&in);
    out->content = reader_take(&in, (size_t)reader_be(&in, 4));
    return is_over(&in);
}

/* Insert := 'I', u32 oid, 'N' Tuple
 * Update := 'U', u32 oid, [('K' | 'O') Tuple], 'N' Tuple
 * Delete := 'D', u32 oid, ('K' | 'O') Tuple
 * Tuple := u16 columns, columns x ('n' | 'u' | 't' u32 size, text) */
bool pgoutput_row_parse(struct bytes message, struct pgoutput_row *out)
{
    struct reader in = reader_of(message);
    out->kind = reader_u8(&in);
    out->oid = (uint32_t)reader_be(&in, 4);
    out->part = reader_u8(&in);
    out->count = (uint16_t)reader_be(&in, 2);
    out->cells = in;
    bool is_old = out->part == 'K' || out->part == 'O';
    bool fits = is_old ? out->kind != PGOUTPUT_INSERT
                       : out->part == 'N' && out->kind != PGOUTPUT_DELETE;
    return fits && !in.failed;
}

bool pgoutput_row_next(struct pgoutput_row *row)
{
    bool expected = row->kind == PGOUTPUT_UPDATE && row->part != 'N';
    row->part = reader_u8(&row->cells);
    row->count = (uint16_t)reader_be(&row->cells, 2);
    return expected && row->part == 'N' && !row->cells.failed;
}

bool pgoutput_row_is_over(const struct pgoutput_row *row)
{
    return is_over(&row->cells) && (row->part == 'N' || row->kind == PGOUTPUT_DELETE);
}
