/* SPDX-License-Identifier: Apache-2.0
 *
 * The log reader's state, shared by postgres.c (the driver's table), wal_start.c (connecting and
 * choosing where to begin), wal_timeline.c (another server in the source's place), wal_stream.c
 * (frames, transactions, keepalives), wal_rows.c (changes of rows), wal_schema.c (relations to
 * table versions), wal_columns.c (which column is which), wal_fill.c (what rows from before a
 * change hold) and wal_discover.c (tables that come and go).
 *
 * One thread, the intake's, with one exception: the server ends a stream whose reader says nothing
 * for wal_sender_timeout, and the intake may wait that long for a sink. So a thread of our own, the
 * keeper, sends status messages in between; `lock` guards the stream's connection for that. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "engine/base/map.h"
#include "engine/source.h"
#include "sources/postgres/listed_tables.h"
#include "sources/postgres/pgoutput.h"
#include "sources/postgres/session.h"
#include "sources/postgres/text_value.h"
#include "sources/postgres/token.h"

enum { NO_COLUMN = UINT16_MAX };

/* A relation of the log, as its newest Relation message described it. */
struct wal_relation {
    uint32_t oid;
    struct arena arena;        /* of all that follows */
    const struct table *table; /* NULL: not captured */
    uint16_t count;
    struct cell_plan {
        struct text_decoder decoder;
        const struct type *type;
        uint16_t target; /* column of the table; NO_COLUMN: none */
        bool key;        /* of the replica identity */
    } * cells;
    uint16_t *missing, missing_count; /* columns of the table that the relation did not have yet */
    bool behind; /* the tracked version is newer than the log: the table is being read again */
};

/* A row of which the log left out an unchanged TOAST value. */
struct wal_hole {
    uint32_t event;
    uint32_t xid;
};

struct wal_source {
    struct source base;
    const struct postgres_options *options;
    struct arena *arena;
    struct catalog *catalog;
    bool catalog_filled; /* once a process: later tables come through the log */
    const struct table_filter *filter;

    pthread_mutex_t lock; /* of the stream: see above */
    pthread_cond_t wake;
    pthread_t keeper;
    bool keeper_runs, ending;
    struct session *stream;
    int64_t status_us;       /* when we spoke last */
    int64_t status_every_ms; /* at the latest */
    uint64_t flushed;        /* durable in the sink: what the server may forget */

    struct session *metadata;
    _Atomic(struct session *) stream_interruptible, metadata_interruptible;
    atomic_bool interrupted;

    struct bytes database; /* its name, of `arena` */
    uint64_t cluster;
    uint32_t timeline;      /* that the server's log goes on in; 0: a standby follows any */
    uint32_t streamed_from; /* the same of the stream before */
    uint64_t log_end;       /* when the stream was opened */
    bool standby;           /* nothing can be written there */
    bool generated;         /* the publication carries stored generated columns */

    /* where we are */
    uint64_t lsn;        /* all commits that end up to here were given */
    uint64_t change_lsn; /* of the message under way */
    uint64_t wanted;     /* a watermark that somebody waits for */
    uint64_t commit;     /* transactions so far */
    uint32_t row;        /* in the one under way, in steps: each leaves room for schema changes */
    uint32_t changes;    /* schema changes since the last row */
    uint64_t commit_lsn; /* of the transaction under way */
    uint32_t xid;
    uint32_t seen_xid; /* other sessions see what it did */
    int64_t time_us;
    bool inside, announced, moved;
    bool unanswered; /* the stream was begun, and the server has said nothing in it */

    struct map relations; /* u32 oid -> struct wal_relation, malloc'd */
    struct wal_relation *newest;

    struct buf waiting; /* a message that needs a batch of its own */
    bool has_waiting;
    struct wal_hole *holes;
    uint32_t hole_count;
    size_t hole_capacity;

    /* for the gates of chunks */
    uint64_t floor;
    uint32_t *recent; /* xids that were given and may not be visible yet */
    uint32_t recent_count;
    size_t recent_capacity;
    int64_t pruned_us;

    int64_t discovered_us;
    uint32_t rewritten; /* a table whose values a statement computed, which ends with a message */
    struct map asked;   /* u32 oid -> what was asked of it by a message in the log */
    /* Messages that a server before 14 keeps out of the stream, which has their transaction. */
    struct wal_note {
        uint32_t xid, oid;
        char verb[8];
    } * notes;
    uint32_t note_count;
    size_t note_capacity;

    bool flows;                /* much is coming: wake up for large mouthfuls only */
    size_t taken_bytes, wakes; /* since window_us */
    int64_t window_us;
};

/* wal_start.c */
bool wal_start(struct wal_source *self, const struct position *from, struct position *begin,
               struct error *err);
void wal_disconnect(struct wal_source *self);

/* wal_timeline.c: IDENTIFY_SYSTEM; then whether the server's log is the one that `from` is of. */
bool wal_identify(struct wal_source *self, struct error *err);
bool wal_same_log(struct wal_source *self, const struct wal_place *from, struct error *err);

/* wal_stream.c */
bool wal_read(struct wal_source *self, struct batch *batch, int timeout_ms, struct error *err);
bool wal_status(struct wal_source *self, bool reply_now, struct error *err); /* lock held */
void wal_keeper_start(struct wal_source *self);
void wal_keeper_stop(struct wal_source *self);
void wal_put_position(const struct wal_source *self, struct buf *out);
/* Which transactions other sessions see; in `arena`. */
bool wal_snapshot_now(struct wal_source *self, struct arena *arena, struct snapshot_text *out,
                      struct error *err);
bool wal_prune_recent(struct wal_source *self, struct error *err);
bool wal_raise_floor(struct wal_source *self, struct error *err);
uint64_t wal_row_mark(struct wal_source *self);
uint64_t wal_schema_mark(struct wal_source *self); /* before the row that comes next */
void wal_schema_marked(struct wal_source *self);   /* the next change has a later one */

/* wal_rows.c */
bool wal_row(struct wal_source *self, struct batch *batch, struct bytes message, struct error *err);
void wal_announce(struct wal_source *self, struct batch *batch); /* its transaction, once a batch */

/* wal_toast.c: fills the holes of a batch from the tables. */
bool wal_fill_holes(struct wal_source *self, struct batch *batch, struct error *err);

/* wal_columns.c: NULL when there is none; `table` may be NULL. */
const struct column *wal_column_by_id(const struct table *table, uint32_t id);
const struct column *wal_column_named(const struct table *table, struct bytes name);
/* Has it columns whose number is not known? */
bool wal_columns_unknown(const struct table *table);
/* The numbers of a message's `count` columns; in `arena`. NULL: nothing tells them. */
const uint32_t *wal_columns_identify(const struct table *tracked, const struct table *live,
                                     uint16_t count, struct arena *arena);

/* wal_fill.c */
/* `draft` with new columns whose default is what rows from before hold; in `arena` where it
 * differs. `live` may be NULL: it is not known then. */
const struct table *wal_fill_table(const struct table *before, const struct table *draft,
                                   const struct listed_table *live, struct arena *arena);
/* A column is another one than that of its name before. */
bool wal_fill_replaces(const struct table *before, const struct table *after);
/* Do rows hold values that nothing tells? */
bool wal_fill_rereads(const struct table *before, const struct table *after,
                      const struct listed_table *live);

/* wal_leaves.c: partitions that come and go. */
bool wal_leaves_differ(struct bytes a, struct bytes b);
/* *rows: some came with their rows, or went with them; the log tells none of these. */
bool wal_leaves_move_rows(struct wal_source *self, struct bytes before, struct bytes now,
                          bool *rows, struct error *err);

/* wal_schema.c; *again: the batch must be handed on first, then the message comes once more. */
bool wal_relation(struct wal_source *self, struct batch *batch, struct bytes message, bool *again,
                  struct error *err);
bool wal_truncate(struct wal_source *self, struct batch *batch, struct bytes message, bool *again,
                  struct error *err);
/* The same at the begin of a transaction that holds messages of ours which the stream lacks. */
bool wal_noted(struct wal_source *self, struct batch *batch, struct error *err);
bool wal_message(struct wal_source *self, struct batch *batch, struct bytes message, bool *again,
                 struct error *err);
void wal_forget_relations(struct wal_source *self);
const struct table *wal_table_of(const struct wal_source *self, uint32_t oid);

/* wal_discover.c: now and then, between transactions. */
bool wal_discover(struct wal_source *self, struct error *err);
extern const char wal_message_prefix[];
bool wal_has_note(const struct wal_source *self, uint32_t xid);
