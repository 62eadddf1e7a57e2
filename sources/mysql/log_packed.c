/* SPDX-License-Identifier: Apache-2.0
 *
 * Events that hold other events: MySQL's TRANSACTION_PAYLOAD, MariaDB's packed ones, and the
 * fragments into which MariaDB 12.3 cuts a rows event that is too large for one packet.
 *   payload  := (packed tag, packed size, value)*, 0; the packed events
 *               tags: 1 size of what is packed, 2 algorithm (0 zstd, 255 none), 3 size unpacked
 *   fragment := u32 how many, u32 which one (from 1), u8 flags, (flag 1) u64 size of the whole,
 *               bytes
 * Sources: MySQL's "Transaction_payload_event"; MariaDB's "PARTIAL_ROW_DATA_EVENT" and "Compressing
 * Events to Reduce Size of the Binary Log". */
#include <zlib.h>
#include <zstd.h>

#include "engine/base/assert.h"
#include "sources/mysql/log.h"
#include "sources/mysql/packed.h"

enum {
    HEADER_SIZE = 19,
    CHECKSUM_SIZE = 4,
    EVENT_BYTES_MAX = 1 << 30,
    PAYLOAD_STEP = 128 << 10,
    UNPACKED_MAX = 1 << 30,
    FRAGMENT_HAS_SIZE = 1
};

/* ---- TRANSACTION_PAYLOAD ---- */

/* Unpacks on until at least one whole event is there; *end: nothing is left. */
static bool payload_fill(struct log_source *self, size_t want, struct error *err)
{
    while (self->payload.size - self->payload_at < want && !self->payload_ended) {
        if (self->payload_at > 0) {
            memmove(self->payload.data, self->payload.data + self->payload_at,
                    self->payload.size - self->payload_at);
            self->payload.size -= self->payload_at;
            self->payload_at = 0;
        }
        uint8_t *room = buf_reserve(&self->payload, PAYLOAD_STEP);
        if (!room)
            return error_set(err, ERROR_DATA, "an event in a packed transaction is over 1 GiB");
        size_t made = 0;
        if (self->packed_plain) {
            made = self->packed.size < PAYLOAD_STEP ? self->packed.size : PAYLOAD_STEP;
            memcpy(room, self->packed.data, made);
            self->packed = (struct bytes){ self->packed.data + made, self->packed.size - made };
        } else {
            ZSTD_inBuffer in = { self->packed.data, self->packed.size, 0 };
            ZSTD_outBuffer out = { room, PAYLOAD_STEP, 0 };
            size_t left = ZSTD_decompressStream(self->zstd, &out, &in);
            if (ZSTD_isError(left))
                return log_malformed(self, "TRANSACTION_PAYLOAD", err);
            self->packed = (struct bytes){ self->packed.data + in.pos, self->packed.size - in.pos };
            made = out.pos;
        }
        self->payload.size += made;
        self->payload_ended = made == 0 && self->packed.size == 0;
        if (made == 0 && self->packed.size > 0)
            return log_malformed(self, "TRANSACTION_PAYLOAD", err);
    }
    return true;
}

bool log_open_payload(struct log_source *self, struct bytes body, struct error *err)
{
    struct reader in = reader_of(body);
    uint64_t algorithm = 255, size = body.size;
    for (uint64_t tag = reader_packed(&in); tag != 0 && !in.failed; tag = reader_packed(&in)) {
        struct reader value = reader_of(reader_take(&in, (size_t)reader_packed(&in)));
        if (tag == 1)
            size = reader_packed(&value);
        if (tag == 2)
            algorithm = reader_packed(&value);
    }
    if (in.failed || size > in.rest.size || (algorithm != 0 && algorithm != 255))
        return log_malformed(self, "TRANSACTION_PAYLOAD", err);
    self->packed = (struct bytes){ in.rest.data, (size_t)size };
    self->packed_plain = algorithm == 255;
    if (!self->zstd)
        self->zstd = ZSTD_createDStream();
    ASSERT(self->zstd);
    ZSTD_initDStream(self->zstd);
    buf_reset(&self->payload);
    self->payload_at = 0;
    self->payload_ended = false;
    self->payload_active = true;
    return true;
}

void log_free_stream(struct log_source *self)
{
    ZSTD_freeDStream(self->zstd);
    self->zstd = NULL;
}

bool log_next_inner(struct log_source *self, struct bytes *event, struct error *err)
{
    *event = (struct bytes){ 0 };
    if (!payload_fill(self, HEADER_SIZE, err))
        return false;
    if (self->payload.size - self->payload_at == 0) {
        self->payload_active = false;
        return true;
    }
    struct reader in = reader_of((struct bytes){ self->payload.data + self->payload_at,
                                                 self->payload.size - self->payload_at });
    reader_take(&in, 9);
    uint64_t size = reader_le(&in, 4);
    if (in.failed || size < HEADER_SIZE || size > EVENT_BYTES_MAX)
        return log_malformed(self, "TRANSACTION_PAYLOAD", err);
    if (!payload_fill(self, (size_t)size, err))
        return false;
    if (self->payload.size - self->payload_at < size)
        return log_malformed(self, "TRANSACTION_PAYLOAD", err);
    *event = (struct bytes){ self->payload.data + self->payload_at, (size_t)size };
    self->payload_at += (size_t)size;
    return true;
}

/* ---- packed events ---- */

/* MariaDB's packed events: what is not packed, then u8 (low 3 bits: how many bytes the size takes,
 * high nibble: 0 for zlib), the size big endian, the packed rest. Of rows the post-header, the
 * column count and the bitmaps are not packed; of a statement only its text is. */
static struct bytes packed_rows(struct bytes body, uint8_t type)
{
    enum { FIRST_V2 = 169 };
    struct reader in = reader_of(body);
    reader_take(&in, 8);
    if (type >= FIRST_V2) {
        uint64_t extra = reader_le(&in, 2); /* counts itself */
        reader_take(&in, extra >= 2 ? (size_t)extra - 2 : SIZE_MAX);
    }
    uint8_t first = reader_u8(&in);
    uint64_t columns = first < 0xfb ? first : reader_le(&in, first == 0xfc ? 2 : 3);
    bool update = type == 167 || type == 170;
    reader_take(&in, (size_t)(columns + 7) / 8 * (update ? 2 : 1));
    return in.failed ? (struct bytes){ 0 } : in.rest;
}

static struct bytes packed_statement(struct bytes body)
{
    struct reader in = reader_of(body);
    reader_take(&in, 8);
    size_t database = reader_u8(&in);
    reader_take(&in, 2);
    reader_take(&in, (size_t)reader_le(&in, 2));
    reader_take(&in, database + 1);
    return in.failed ? (struct bytes){ 0 } : in.rest;
}

bool log_unpack(struct log_source *self, uint8_t type, struct bytes body, struct bytes *out,
                struct error *err)
{
    enum { QUERY_COMPRESSED = 165 };
    bool statement = type == QUERY_COMPRESSED;
    struct bytes packed = statement ? packed_statement(body) : packed_rows(body, type);
    struct reader in = reader_of(packed);
    uint8_t head = reader_u8(&in);
    uint64_t size = reader_be(&in, head & 7u);
    buf_reset(&self->unpacked);
    buf_put(&self->unpacked, body.data, packed.data ? (size_t)(packed.data - body.data) : 0);
    bool sane = packed.data && !in.failed && !(head & 0x70) && size <= UNPACKED_MAX;
    uint8_t *room = sane ? buf_reserve(&self->unpacked, (size_t)size + 1) : NULL;
    uLongf made = (uLongf)size;
    if (!room || uncompress(room, &made, in.rest.data, (uLong)in.rest.size) != Z_OK || made != size)
        return error_set(err, ERROR_RETRY, "a malformed packed event");
    self->unpacked.size += (size_t)size;
    *out = buf_view(&self->unpacked);
    return true;
}

/* ---- fragments ---- */

static bool not_joined(struct log_source *self, const char *why, struct error *err)
{
    return error_set(err, ERROR_CONFIG,
                     "binlog %s:%llu: the fragments of a rows event do not join (%s): SET GLOBAL "
                     "binlog_row_event_fragment_threshold=1073741824 keeps events whole; then read "
                     "the tables again with a new checkpoint.directory",
                     self->file, (unsigned long long)self->offset, why);
}

/* The whole may end with a checksum of its own: then it is right. */
static struct bytes without_checksum(struct bytes whole)
{
    if (whole.size < HEADER_SIZE + CHECKSUM_SIZE)
        return whole;
    struct bytes plain = { whole.data, whole.size - CHECKSUM_SIZE };
    struct reader end = reader_of((struct bytes){ plain.data + plain.size, CHECKSUM_SIZE });
    return crc32(0, plain.data, (uInt)plain.size) == reader_le(&end, CHECKSUM_SIZE) ? plain : whole;
}

static bool finish_fragments(struct log_source *self, struct bytes *whole, struct error *err)
{
    struct bytes joined = buf_view(&self->fragments);
    struct bytes plain = without_checksum(joined);
    if (self->fragments_size != joined.size && self->fragments_size != plain.size)
        return not_joined(self, "their sizes do not add up", err);
    if (plain.size < HEADER_SIZE || !log_is_rows(plain.data[4]))
        return not_joined(self, "they make no rows event", err);
    *whole = plain;
    return true;
}

/* Which of the two numbers comes first is told differently by the manual's versions; in the first
 * fragment the number of the fragment is 1, and it grows by one. */
bool log_join(struct log_source *self, struct bytes body, struct bytes *whole, struct error *err)
{
    struct reader in = reader_of(body);
    uint32_t one = (uint32_t)reader_le(&in, 4), other = (uint32_t)reader_le(&in, 4);
    *whole = (struct bytes){ 0 };
    if (reader_u8(&in) & FRAGMENT_HAS_SIZE) {
        self->fragments_size = reader_le(&in, 8);
        self->fragment_count = one > other ? one : other;
        self->fragment_next = 1;
        buf_reset(&self->fragments);
    }
    uint32_t next = self->fragment_next, count = self->fragment_count;
    bool follows = next > 0 && ((one == next && other == count) || (one == count && other == next));
    self->fragment_next = 0; /* until it is known that all is well */
    if (in.failed || !follows)
        return not_joined(self, "one is missing", err);
    if (self->fragments_size > EVENT_BYTES_MAX ||
        self->fragments.size + in.rest.size > EVENT_BYTES_MAX)
        return not_joined(self, "the event is over 1 GiB", err);
    buf_bytes(&self->fragments, in.rest);
    if (next == count)
        return finish_fragments(self, whole, err);
    self->fragment_next = next + 1;
    return true;
}
