/* SPDX-License-Identifier: Apache-2.0
 *
 * What survives a crash, in RocksDB: the position, the table versions, each target's applied mark,
 * the intents (loads whose outcome is not yet recorded) and the progress of snapshots. One
 * directory per pipeline and sink (checkpoint_home.h), locked against a second agent.
 *
 * Changes are gathered in a write and committed at once, in one atomic record with its own
 * checksum. Writes may be made by several threads; each struct checkpoint_write by one. */
#pragma once

#include "engine/batch.h"
#include "schema/catalog.h"

/* Progress of a table's snapshot: the state of the table, and of each of its ranges. */
enum table_state {
    TABLE_WAITING, /* to be emptied and read anew: its target may be ahead of the checkpoint */
    TABLE_SNAPSHOT,
    TABLE_STREAMING,
    TABLE_PAUSED,
    TABLE_PARKED,
    TABLE_RESYNC
};
const char *table_state_name(enum table_state state); /* "waiting", "snapshot", ... */

struct table_record {
    uint32_t table_id;
    enum table_state state;
    uint32_t range_count; /* SNAPSHOT: how many range records belong to it */
    uint32_t epoch;       /* raised whenever the target is emptied or the snapshot starts anew */
    uint64_t sweep;       /* SNAPSHOT: rows up to this mark that it does not bring go; 0: none do */
    struct bytes reason;  /* PARKED: the error */
};

/* A chunk that is durable: range `range` of the table is done up to `cursor`. */
struct chunk_record {
    uint32_t table_id, range;
    struct bytes cursor; /* encoded key of the last row; NULL data: nothing read yet */
    struct bytes until;  /* encoded end of the range, inclusive; NULL data: no end */
    bool complete;
    uint64_t rows; /* of this range so far */
};

/* A load that was going to be sent. At most one a target. */
struct intent {
    struct bytes database, name; /* the target */
    struct bytes label;
    uint64_t first, last; /* marks of its events */
    uint64_t applied;     /* the target's applied mark once it is done */
    uint32_t rows;
    const struct chunk_record *chunks; /* that become durable with it */
    uint32_t chunk_count;
};

struct target_record {
    struct bytes database, name;
    uint64_t applied; /* stream events at or below are durable */
};

/* Everything that a checkpoint holds, in one arena. */
struct checkpoint_image {
    struct arena arena;
    bool fresh;     /* nothing was ever stored */
    char note[480]; /* what a person should know of how it was opened; empty: nothing */
    struct bytes identity;
    struct bytes origin;      /* the savepoint that it was restored from, or how it was begun */
    struct position position; /* token.data NULL: none yet */
    uint64_t chunk_mark; /* the highest mark given to a snapshot chunk: not to be given again */
    bool older;          /* than what was last here: rows may have been delivered since */
    uint64_t held;       /* then: rows that were in a target by that time lie at or below */
    uint64_t epoch;      /* grows by one with each open: part of every label */
    struct table **tables;
    size_t table_count;
    struct table_record *records;
    size_t record_count;
    struct chunk_record *ranges;
    size_t range_count; /* one a (table, range): the newest */
    struct intent *intents;
    size_t intent_count;
    struct target_record *targets;
    size_t target_count;
};

struct checkpoint;
struct checkpoint_write;

/* Opens or makes `directory` (parents too, mode 0700). `identity` names what the checkpoint is for
 * ("mysql 127.0.0.1:3306 -> clickhouse olap"): a directory that belongs to another one is refused.
 * ERROR_CONFIG with a clear text: locked by another agent (says which pid), not ours, damaged
 * beyond its copies, made by a newer version, not writable. Damage that a copy mends is told in the
 * image's note. */
bool checkpoint_open(const char *directory, struct bytes identity, struct checkpoint **out,
                     struct checkpoint_image *image, struct error *err);
/* Read-only look for `millrace status` while an agent runs: a copy of what was last committed. */
bool checkpoint_peek(const char *directory, struct checkpoint_image *image, struct error *err);
/* The end of a snapshot has no record of its own: all ranges of the table are there and complete.
 */
enum table_state checkpoint_state_of(const struct checkpoint_image *image,
                                     const struct table_record *record);
/* Where the ranges of a table begin in the image's, and how many there are: they are in the order
 * of their tables. */
size_t checkpoint_ranges_of(const struct checkpoint_image *image, uint32_t table_id, size_t *count);
/* How far the ranges of a table were read, those that are stored. */
struct checkpoint_progress {
    uint32_t ranges, complete;
    uint64_t rows;
};
struct checkpoint_progress checkpoint_progress_of(const struct checkpoint_image *image,
                                                  uint32_t table_id);
/* The state of a table, as it was loaded; NULL: none. */
const struct table_record *checkpoint_record_of(const struct checkpoint_image *image,
                                                uint32_t table_id);
void checkpoint_image_done(struct checkpoint_image *image);
void checkpoint_close(struct checkpoint *checkpoint); /* NULL is fine */

/* A copy of all records in one file, proven, whether an agent has the checkpoint or not. */
bool checkpoint_save(const char *directory, const char *path, struct error *err);
/* Before checkpoint_open: replaces what `directory` holds, if anything, which is set aside. *done
 * is false when it descends from this very savepoint already: then it is left as it is, so that a
 * service that starts again goes on instead of back. */
bool checkpoint_restore(const char *directory, struct bytes identity, const char *savepoint,
                        bool *done, struct error *err);

/* Has the directory ever held one? */
bool checkpoint_is_there(const char *directory);
/* The image becomes what `directory` holds, record for record. ERROR_CONFIG: an agent has it, or
 * it holds one already and `replace` is false. What is replaced is set aside. */
bool checkpoint_import(const char *directory, const struct checkpoint_image *image, bool replace,
                       struct error *err);

/* Sets aside what `directory` holds: the next start begins anew there, under labels and marks that
 * were never given. ERROR_CONFIG: an agent has it. */
bool checkpoint_discard(const char *directory, struct bytes identity, struct error *err);

struct checkpoint_write *checkpoint_begin(struct checkpoint *checkpoint);
void checkpoint_put_position(struct checkpoint_write *write, const struct position *position);
void checkpoint_put_origin(struct checkpoint_write *write, struct bytes origin);
void checkpoint_put_table(struct checkpoint_write *write, const struct table *table);
void checkpoint_forget_table(struct checkpoint_write *write,
                             uint32_t table_id); /* versions, record, ranges */
void checkpoint_put_record(struct checkpoint_write *write, const struct table_record *record);
void checkpoint_put_range(struct checkpoint_write *write, const struct chunk_record *range);
void checkpoint_clear_ranges(struct checkpoint_write *write, uint32_t table_id);
/* All that an older one asks for is in the records: a start that follows need not know. */
void checkpoint_forget_older(struct checkpoint_write *write);
void checkpoint_put_chunk_mark(struct checkpoint_write *write, uint64_t mark);
void checkpoint_put_intent(struct checkpoint_write *write, const struct intent *intent);
/* The load is visible: its intent goes, its chunks and the applied mark stay. */
void checkpoint_put_done(struct checkpoint_write *write, const struct intent *intent);
void checkpoint_drop_intent(struct checkpoint_write *write, const struct intent *intent);
void checkpoint_put_target(struct checkpoint_write *write, const struct target_record *target);
/* Applies all and frees the write, in success and failure. sync: on disk when it returns. A failed
 * sync is final (ERROR_CONFIG, "disk full" and the like): the agent must stop, never go on. */
bool checkpoint_commit(struct checkpoint_write *write, bool sync, struct error *err);
void checkpoint_abandon(struct checkpoint_write *write);
/* Puts all that was committed on disk. A failure is final, as above. */
bool checkpoint_sync(struct checkpoint *checkpoint, struct error *err);
