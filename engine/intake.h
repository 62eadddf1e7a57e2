/* SPDX-License-Identifier: Apache-2.0
 *
 * The source's thread: connects, reads batches, finds each event's target, sorts the changes of
 * tables that are being read, hands batches to the workers, closes chunks, and backs off and
 * connects again when the source is away. */
#pragma once

#include "engine/delivery.h"
#include "engine/numbering.h"
#include "engine/retention.h"
#include "engine/snapshot.h"

struct intake {
    const struct pipeline_options *options;
    const struct source_driver *driver;
    const void *source_options;
    const struct route *route;
    struct table_filter filter;
    struct checkpoint *checkpoint; /* NULL: nothing is kept */
    struct inflight *inflight;
    struct pipeline_metrics *metrics;
    struct snapshot *snapshot;
    struct delivery_shared *delivery;
    struct retention_watch *retention;
    struct worker **workers;
    atomic_bool *stopping;
    struct pool pool;

    struct arena arena; /* the driver's, and targets' */
    struct source *source;
    atomic_bool opened; /* source is set: it may be interrupted by another thread */
    struct catalog catalog;
    uint32_t saved_versions; /* of catalog.all: how many are in the checkpoint */
    struct map targets;      /* "database\0name" -> struct target */
    uint32_t target_count;
    struct position
        position; /* newest complete one given by read(); token owned in position_text */
    struct buf position_text;
    bool position_unsent;
    int64_t position_time_us, last_push_us;
    int64_t synced_us; /* when the last position was confirmed */
    uint64_t stream_mark;
    struct numbering numbering;
    uint64_t driver_mark; /* newest mark since the last connect: below stream_mark in a replay */
    struct bytes transaction; /* id of the one under way, owned in transaction_text */
    struct buf transaction_text;
    bool older;            /* the checkpoint was not the newest: targets may be ahead of it */
    uint64_t replay_until; /* newest mark that was applied anywhere before the restart */
    uint32_t idle_reads;
    uint32_t moves; /* of the source to other servers, that are known here */
    bool connected;
    uint32_t chunk_reserved; /* marks of chunks up to this number count as given */
    bool begins;             /* at its own beginning, not after a restart */
    bool lost;               /* our position is gone from the server: begin anew */
    bool snapshot_stored;    /* table records are in the checkpoint */
    bool resync_due;         /* a table waits to be read anew */
    uint32_t sweeping;       /* tables whose sweep is with the workers */
    uint64_t last_sequence;
    struct forgotten {
        uint32_t table_id;
        uint64_t mark;
        const struct target *target;
        struct forgotten *next;
    } * forgotten;
    pthread_mutex_t confirm_lock; /* of the two below */
    struct buf confirm_token;
    struct position confirm;
};

void intake_init(struct intake *intake);
/* The sink tells transactions on. Before anything is restored. */
void intake_number(struct intake *intake);
/* What each target has durable; before the workers start, who go by it. */
void intake_restore_applied(struct intake *intake, const struct checkpoint_image *image);
/* The highest of each worker's targets. */
void intake_highest_applied(const struct intake *intake, uint64_t *highest);
/* Restores catalog, targets and tables from the image (fresh or not). */
bool intake_restore(struct intake *intake, const struct checkpoint_image *image, struct error *err);
void intake_done(struct intake *intake);

/* Runs until told to stop, until a backfill is over, or until an error for a person. */
bool intake_run(struct intake *intake, struct error *err);

/* Made when it is new. No database: the one of BEGIN and END of transactions. */
struct target *intake_target(struct intake *intake, struct bytes database, struct bytes name,
                             struct bytes source_name);
/* A position became durable: any worker's thread. */
void intake_confirmed(void *context, const struct position *position);

/* engine/intake_schema.c: a schema event, in order with the rows. */
bool intake_schema(struct intake *intake, struct batch *batch, struct error *err);
/* Tables that their readers have parked are begun anew by the next start. Lock held. */
bool intake_store_unread(struct intake *intake, struct error *err);
/* What a table's first chunk needs in the checkpoint before it is sent: the bounds of all ranges.
 */
bool intake_store_ranges(struct intake *intake, struct tracked *tracked, struct error *err);
/* Dropped tables whose drop is durable leave the checkpoint. */
bool intake_forget_tables(struct intake *intake, uint64_t durable_mark, struct error *err);
/* Tables that the catalog has and the pipeline does not know yet. */
bool intake_adopt_tables(struct intake *intake, bool fresh, struct error *err);
/* Between two transactions: reads tables anew that have to be, and sweeps those that have been. */
bool intake_resync(struct intake *intake, struct error *err);
/* What a chunk that opens now must contain: all that the log has given. Lock held. */
void intake_set_gate(struct intake *intake);
/* Part of the log is lost, and the catalog is as of what follows: tells the workers what became of
 * the tables meanwhile, and reads those again whose rows are not whole (or all of them). */
bool intake_make_up(struct intake *intake, bool read_all, struct error *err);
bool intake_push(struct intake *intake, struct batch *batch, struct error *err);
/* A chunk's mark is how its load is found again, and a sweep's tells old rows from new: none is
 * given twice, in no life of the agent. */
bool intake_reserve_marks(struct intake *intake, struct error *err);
bool intake_save_catalog(struct intake *intake, struct error *err);
