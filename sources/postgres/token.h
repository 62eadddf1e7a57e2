/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver's tokens, as bytes that the engine keeps. Each begins with its kind; numbers are
 * little endian:
 *   position     'p', u64 LSN (the end of a commit, or further where nothing lies between), u64
 *                identifier of the server's cluster, u32 timeline that the LSN is of (0: unknown)
 *   transaction  'x', u32 xid
 *   low          's', u64 xmin, u64 xmax, u32 count, count x u64: transactions in progress
 *   high         'h', u64 LSN
 *   gate         'g', u32 timeline of the log's server; u64 floor: a snapshot must see all
 *                transactions below it ended; u32 count, count x u32: xids that it must contain */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/reader.h"
#include "engine/source.h"

/* pg_current_snapshot(): sees xids below xmin, and those below xmax that are not in progress. */
struct snapshot_text {
    uint64_t xmin, xmax;
    uint32_t count;
    const uint64_t *in_progress;
};

/* "10:20:10,14,15" */
bool snapshot_parse(struct bytes text, struct arena *arena, struct snapshot_text *out);
/* Is it seen? The xid has 32 bits, those of the snapshot 64: the nearest to xmax is meant. */
bool snapshot_sees(const struct snapshot_text *snapshot, uint32_t xid);
void snapshot_token_put(const struct snapshot_text *snapshot, struct buf *out);
enum membership snapshot_token_member(struct bytes token, struct bytes transaction);

bool lsn_parse(struct bytes text, uint64_t *out); /* "16/B374D848" */
#define LSN_FORMAT    "%X/%X"
#define LSN_ARGS(lsn) (unsigned)((lsn) >> 32), (unsigned)(lsn)

struct wal_place {
    uint64_t lsn, cluster;
    uint32_t timeline;
};
void position_token_put(const struct wal_place *place, struct buf *out);
bool position_token_parse(struct bytes token, struct wal_place *out);
void transaction_token_put(uint32_t xid, struct buf *out);
void high_token_put(uint64_t lsn, struct buf *out);
bool high_token_parse(struct bytes token, uint64_t *lsn);
struct wal_gate {
    uint32_t timeline;
    uint64_t floor;
    const uint32_t *xids;
    uint32_t count;
};
void gate_token_put(const struct wal_gate *gate, struct buf *out);
/* Was it made at another server? One of the two may not know its timeline. */
bool gate_token_is_elsewhere(struct bytes token, uint32_t timeline);
/* Does the snapshot hold all that the gate asks for? An empty gate asks for nothing. */
bool gate_token_holds(struct bytes token, const struct snapshot_text *snapshot);
