/* SPDX-License-Identifier: Apache-2.0
 *
 * The snapshot: lock-free, parallel over tables and inside a big table, resumable, and exact: each
 * key is delivered once as a READ with its state at a definite point of the log, and then each
 * later change of it once, in order.
 *
 * Reader threads walk the ranges of the tables in chunks, by key. For each chunk a window is open
 * from before its snapshot is taken until the log reader has passed the chunk's high watermark:
 *   - A window opens with a gate: what the log reader has already given. The chunk's snapshot must
 *     contain all of that, so that a change that was dropped because its key was not read yet is
 *     surely inside the rows.
 *   - While it is open, changes of keys behind the range's cursor are held, not delivered.
 *   - When the log has passed the high watermark the window closes: of the held changes those that
 *     the snapshot contains are dropped, those that it may contain are laid over the rows (row
 *     images are absolute, so that is right either way), later ones follow the rows.
 * Rows and following changes travel as one batch and become durable as one load, together with the
 * range's new cursor. Keys at or before the cursor stream normally; keys behind the last window are
 * dropped, for they will be read.
 *
 * Where C cannot order keys as the database does (collated text), nobody can tell on which side of
 * the cursor a changed key lies. Such a table has one range and all its changes pass at once. While
 * a window is open they are remembered too, and at its close those that the snapshot may lack are
 * laid over the rows of the same keys: a READ then shows its row as it is at its own mark, never
 * older than what was delivered before. (A change of a row that is not read yet is delivered as
 * well: that is the price.) Nothing waits, so nothing can be lost or come twice.
 *
 * Tables without a key are read whole in one consistent snapshot; their changes are signed and
 * commute, so nothing is held but until it is known that no change of the table fell between the
 * watermarks (else the snapshot is taken again).
 *
 * After a restart no window opens until the log was read again up to what had been applied before:
 * a snapshot could otherwise be older than changes that are skipped because they were applied.
 *
 * Locking: `lock` guards all state below. The intake holds it while it sorts a batch's changes; the
 * reader threads hold it to open windows and to post rows. */
#pragma once

#include <pthread.h>

#include "engine/checkpoint.h"
#include "engine/pipeline.h"

struct held {           /* a change that waits, deep-copied into its window's arena */
    struct event event; /* op, table, before, after, mark, time */
    struct bytes transaction;
    struct bytes key; /* of the side that it concerns: a change of the key was split */
    struct held *next;
};

enum window_stage { WINDOW_READING, WINDOW_READ };

struct window {
    enum window_stage stage;
    struct arena arena; /* held changes, bounds, watermarks */
    struct bytes after; /* encoded key behind which it lies; NULL: from the beginning */
    struct bytes upto;  /* its last key, once read; NULL with `last`: no end */
    bool last;
    bool cancelled; /* a schema change fell into it: read it again */
    struct bytes low, high;
    struct batch *batch;
    struct held *held, **held_end;
    struct bytes transaction;      /* newest one copied into the arena */
    struct bytes gate_transaction; /* under way when it opened: surely in its snapshot */
    bool sifted;        /* of what was held while it was read, only what can matter is left */
    uint64_t read_mark; /* keyless scans: under which the rows come */
    struct window *next;
};

struct range {
    struct bytes until;  /* encoded inclusive end; NULL: none. Owned by the tracked table's arena */
    struct bytes cursor; /* encoded; keys at or before are delivered. Owned, malloc */
    bool complete;       /* delivered to its end */
    bool claimed;        /* a reader works on it */
    uint64_t rows;
    struct window *windows; /* oldest first */
};

/* Everything that the intake knows of one captured table. */
struct tracked {
    uint32_t id;
    const struct table *table; /* the newest version */
    struct target *target;
    enum table_state state;
    uint32_t epoch;
    bool comparable, keyless;
    bool split;         /* its ranges are made */
    bool claimed;       /* a reader makes the ranges, or scans it */
    struct arena arena; /* bounds of ranges; reset when it is read anew */
    struct range *ranges;
    uint32_t range_count;
    uint32_t generation; /* grows with each schema change: readers notice */
    /* keyless scans */
    enum scan_stage { SCAN_NONE, SCAN_OPENED, SCAN_GO, SCAN_AGAIN } scan;
    struct window *scan_window;
    uint32_t scan_attempts;
    bool stored;     /* the bounds of its ranges are in the checkpoint */
    bool recorded;   /* and its state */
    bool behind;     /* its target may hold rows from beyond the position: not to be swept alone */
    bool overflowed; /* to be read anew from the start, between two transactions */
    bool emptying;   /* begun anew, and the event of it is not durable yet */
    bool unread;     /* its reader parked it, and its record does not say so yet */
    uint64_t
        sweep; /* rows up to this mark that the reading does not bring go at its end; 0: none */
    bool sweep_sent;
    struct tracked *next_removed;
};

struct snapshot_reader; /* a thread */

struct snapshot {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* readers wait here */
    const struct pipeline_options *options;
    const struct source_driver *driver;
    const void *source_options;
    struct pool pool;        /* batches for chunks */
    struct tracked **tables; /* by table id; NULL: not captured */
    size_t table_capacity;
    atomic_uint active;          /* tables in TABLE_SNAPSHOT: 0 lets the intake skip all of this */
    struct buf gate;             /* token of what the log reader has given */
    struct buf gate_transaction; /* the transaction under way at that point, or the one before */
    bool replaying; /* what was applied before the restart is not read again yet: no windows */
    struct batch *ready, **ready_end; /* keyless rows, for the intake to hand on */
    uint32_t chunk_counter;
    bool finished; /* a table was read to its end that must be swept */
    bool unread;   /* a table was parked by its reader */
    bool stopping;
    atomic_bool failed;      /* a reader gave up */
    struct error error;      /* why; written before */
    struct tracked *removed; /* readers may still hold them: freed at the end */
    struct snapshot_reader **readers;
    uint32_t reader_count;
    struct pipeline_metrics *metrics;
};

void snapshot_init(struct snapshot *snapshot, const struct pipeline_options *options,
                   const struct source_driver *driver, const void *source_options,
                   struct pipeline_metrics *metrics);
void snapshot_start(struct snapshot *snapshot); /* threads; after the first gate is set */
void snapshot_stop(struct snapshot *snapshot);  /* interrupts and joins them */
void snapshot_done(struct snapshot *snapshot);

/* ---- intake's thread; the caller holds the lock ---- */

struct tracked *snapshot_find(struct snapshot *snapshot, uint32_t table_id);
struct tracked *snapshot_add(struct snapshot *snapshot, const struct table *table,
                             struct target *target);
uint32_t snapshot_table_count(const struct snapshot *snapshot);
void snapshot_remove(struct snapshot *snapshot, uint32_t table_id);
void snapshot_begin_table(struct snapshot *snapshot,
                          struct tracked *tracked); /* to TABLE_SNAPSHOT, anew */
/* Windows that are open are thrown away: after a schema change, with `table` the new version. */
void snapshot_schema_changed(struct snapshot *snapshot, struct tracked *tracked,
                             const struct table *table);
void snapshot_finish_table(struct snapshot *snapshot, struct tracked *tracked);
/* Another server gives the log now, with places of its own: open windows are thrown away, and none
 * opens until the log was read again up to where it was. */
void snapshot_source_moved(struct snapshot *snapshot);

/* engine/merge.c: sorts one change of a table in TABLE_SNAPSHOT: passes it (possibly turned into
 * the half of it that may pass), holds it, or drops it (event->dropped). */
void merge_sort_event(struct tracked *tracked, struct event *event, struct bytes transaction,
                      struct source *source);

/* What closing needs of the intake. */
struct merge_context {
    struct snapshot *snapshot;
    struct source *source;
    uint64_t stream_mark; /* newest mark that was sorted */
    bool inside;          /* the newest transaction is not over */
    bool waits;           /* ... and nothing is to be closed before it is */
    /* Takes over a finished batch (rows, marks, chunk and target set). */
    bool (*emit)(void *context, struct batch *batch, struct error *err);
    void *context;
};
/* Closes every window that can be closed now; called after each batch. */
bool merge_close_windows(struct merge_context *merge, struct error *err);
/* Is so much held for a chunk that is still being read that the log must wait for it? */
bool merge_is_full(const struct snapshot *snapshot);

/* ---- shared by merge.c and the readers ---- */
struct window *window_new(void);
void window_free(struct window *window); /* its batch goes back to the pool */
void range_drop_windows(struct range *range);
/* What a range is worth storing, with views into it. */
struct chunk_record range_record(const struct tracked *tracked, uint32_t index);
