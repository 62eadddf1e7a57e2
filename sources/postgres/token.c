/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots, LSNs and the tokens made of them. */
#include "sources/postgres/token.h"

enum { POSITION = 'p', TRANSACTION = 'x', LOW = 's', HIGH = 'h', GATE = 'g' };

static bool take_number(struct bytes *text, unsigned base, uint64_t *out)
{
    uint64_t number = 0;
    size_t i = 0;
    for (; i < text->size; i++) {
        uint8_t c = text->data[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)c - '0'
                         : c >= 'A' && c <= 'F' ? (unsigned)c - 'A' + 10
                                                : 99;
        if (digit >= base)
            break;
        if (__builtin_mul_overflow(number, base, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return false;
    }
    *text = (struct bytes){ text->data + i, text->size - i };
    *out = number;
    return i > 0;
}

static bool take_char(struct bytes *text, uint8_t wanted)
{
    if (text->size == 0 || text->data[0] != wanted)
        return false;
    *text = (struct bytes){ text->data + 1, text->size - 1 };
    return true;
}

bool lsn_parse(struct bytes text, uint64_t *out)
{
    uint64_t high, low;
    if (!take_number(&text, 16, &high) || !take_char(&text, '/') || !take_number(&text, 16, &low) ||
        text.size > 0 || high > UINT32_MAX || low > UINT32_MAX)
        return false;
    *out = high << 32 | low;
    return true;
}

/* ---- snapshots ---- */

bool snapshot_parse(struct bytes text, struct arena *arena, struct snapshot_text *out)
{
    *out = (struct snapshot_text){ 0 };
    uint64_t *xids = arena_array(arena, text.size / 2 + 1, sizeof *xids);
    out->in_progress = xids;
    if (!take_number(&text, 10, &out->xmin) || !take_char(&text, ':') ||
        !take_number(&text, 10, &out->xmax) || !take_char(&text, ':'))
        return false;
    while (text.size > 0) {
        if (!take_number(&text, 10, &xids[out->count++]))
            return false;
        if (text.size > 0 && !take_char(&text, ','))
            return false;
    }
    return true;
}

static uint64_t widen(uint32_t xid, uint64_t near)
{
    int64_t distance = (int32_t)(xid - (uint32_t)near);
    return near + (uint64_t)distance;
}

bool snapshot_sees(const struct snapshot_text *snapshot, uint32_t xid)
{
    uint64_t full = widen(xid, snapshot->xmax);
    if (full < snapshot->xmin)
        return true;
    if (full >= snapshot->xmax)
        return false;
    for (uint32_t i = 0; i < snapshot->count; i++)
        if (snapshot->in_progress[i] == full)
            return false;
    return true;
}

void snapshot_token_put(const struct snapshot_text *snapshot, struct buf *out)
{
    buf_u8(out, LOW);
    buf_le(out, snapshot->xmin, 8);
    buf_le(out, snapshot->xmax, 8);
    buf_le(out, snapshot->count, 4);
    for (uint32_t i = 0; i < snapshot->count; i++)
        buf_le(out, snapshot->in_progress[i], 8);
}

enum membership snapshot_token_member(struct bytes token, struct bytes transaction)
{
    struct reader in = reader_of(token), of = reader_of(transaction);
    bool known = reader_u8(&in) == LOW && reader_u8(&of) == TRANSACTION;
    uint64_t xmin = reader_le(&in, 8), xmax = reader_le(&in, 8);
    uint64_t count = reader_le(&in, 4), full = widen((uint32_t)reader_le(&of, 4), xmax);
    if (!known || in.failed || of.failed)
        return MEMBER_MAYBE;
    if (full < xmin)
        return MEMBER_IN;
    if (full >= xmax)
        return MEMBER_OUT;
    for (uint64_t i = 0; i < count && !in.failed; i++)
        if (reader_le(&in, 8) == full)
            return MEMBER_OUT;
    return MEMBER_IN;
}

/* ---- the others ---- */

void position_token_put(const struct wal_place *place, struct buf *out)
{
    buf_u8(out, POSITION);
    buf_le(out, place->lsn, 8);
    buf_le(out, place->cluster, 8);
    buf_le(out, place->timeline, 4);
}

bool position_token_parse(struct bytes token, struct wal_place *out)
{
    struct reader in = reader_of(token);
    bool known = reader_u8(&in) == POSITION;
    out->lsn = reader_le(&in, 8);
    out->cluster = reader_le(&in, 8);
    out->timeline = (uint32_t)reader_le(&in, 4);
    return known && !in.failed && in.rest.size == 0;
}

void transaction_token_put(uint32_t xid, struct buf *out)
{
    buf_u8(out, TRANSACTION);
    buf_le(out, xid, 4);
}

void high_token_put(uint64_t lsn, struct buf *out)
{
    buf_u8(out, HIGH);
    buf_le(out, lsn, 8);
}

bool high_token_parse(struct bytes token, uint64_t *lsn)
{
    struct reader in = reader_of(token);
    bool known = reader_u8(&in) == HIGH;
    *lsn = reader_le(&in, 8);
    return known && !in.failed;
}

void gate_token_put(const struct wal_gate *gate, struct buf *out)
{
    buf_u8(out, GATE);
    buf_le(out, gate->timeline, 4);
    buf_le(out, gate->floor, 8);
    buf_le(out, gate->count, 4);
    for (uint32_t i = 0; i < gate->count; i++)
        buf_le(out, gate->xids[i], 4);
}

bool gate_token_is_elsewhere(struct bytes token, uint32_t timeline)
{
    struct reader in = reader_of(token);
    uint32_t of = reader_u8(&in) == GATE ? (uint32_t)reader_le(&in, 4) : 0;
    return of && timeline && of != timeline;
}

bool gate_token_holds(struct bytes token, const struct snapshot_text *snapshot)
{
    struct reader in = reader_of(token);
    if (token.size == 0)
        return true;
    bool known = reader_u8(&in) == GATE;
    reader_le(&in, 4);
    bool holds = known && snapshot->xmin >= reader_le(&in, 8);
    uint64_t count = reader_le(&in, 4);
    for (uint64_t i = 0; holds && i < count && !in.failed; i++)
        holds = snapshot_sees(snapshot, (uint32_t)reader_le(&in, 4));
    return holds && !in.failed;
}
