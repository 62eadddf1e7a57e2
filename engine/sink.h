/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sink driver is. The engine batches, orders, retries, labels, resolves and measures; a
 * driver creates tables, encodes rows and talks to its server. One instance a worker thread; an
 * instance is never used by two threads, except interrupt(). */
#pragma once

#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/event.h"
#include "engine/source.h"

struct setting;
struct sink {
    const struct sink_driver *driver;
}; /* first in a driver's struct */

/* A table on the other side. Made by the intake from the routes, used by one worker. `database` and
 * `name` never change: a renamed source table is routed to another target. */
struct target {
    uint32_t id; /* index in the pipeline's list */
    uint32_t worker;
    uint64_t hash;    /* of its name: the worker is its remainder by the number of workers */
    uint32_t sources; /* intake: tables that are routed to it */
    struct bytes database, name;
    bool boundaries; /* it gets BEGIN and END of transactions, and no rows */
    /* The user's policy: never made, never given a column. Rows leave out what it lacks. */
    bool keeps_absent, keeps_columns;
    void *sink_data;   /* the driver's, in the arena of its instance: what it knows of the target */
    struct load *load; /* the worker's open load, or NULL */
    uint64_t applied;  /* worker: stream events at or below are durable since before the restart */
    bool parked;       /* worker: an error that needs a person; events are not delivered */
    const char *owner; /* another pipeline fills it, so nothing is done to it; NULL: it is ours */
    bool emptied;      /* worker: since the checkpoint was made, which is an older one */
    struct target_metrics *metrics;
    atomic_ullong swept; /* mark of the newest SWEEP that the target has seen through */
    void *engine_data;   /* the delivery's */
};

enum { LOAD_LABEL_SIZE = 96, SINK_WORKERS_MAX = 8 };

/* Rows on their way to one target under one label. `parts` are the driver's encoded columns or
 * body: as many as prepare() asked for. */
struct load {
    struct target *target;
    char label[LOAD_LABEL_SIZE]; /* unique for ever: <pipeline>-<epoch>-<worker>-<number>, the last
                                    three numbers */
    const struct table *table;   /* version of the first row */
    struct buf *parts;
    uint32_t part_count;
    uint32_t rows;        /* of the target: a keyless UPDATE is two */
    size_t bytes;         /* sum of the parts, kept by the engine after each encode */
    uint64_t first, last; /* marks */
    bool repeat;          /* sent before under the same label with the same rows */
};

enum load_state { LOAD_VISIBLE, LOAD_ABSENT, LOAD_RUNNING };

/* What a group tells of all targets of its worker, for a start whose checkpoint is older. */
struct group_facts {
    uint64_t mark;    /* changes of the log at or below are visible, whichever target they go to */
    uint64_t since;   /* ... but for a checkpoint whose position lies before this mark: rows were
                         left to a reading of their table then, or their table was parked */
    uint32_t workers; /* that shared the targets; 0: nothing is known */
};

struct sink_counters { /* values that a policy changed; never silent */
    atomic_ullong zero_dates, out_of_range, dead_letters;
};

/* Where a captured table will go, as `millrace check` foresees it. */
struct check_target {
    struct bytes database, name;
    struct bytes schema; /* of the table */
};

struct sink_driver {
    const char *name, *help;
    const struct setting *settings;
    size_t options_size;
    bool tells_changes; /* encode() gets schema changes too, as rows between the others; after
                           change(), and it may append nothing */
    /* Are changes to be numbered within their transaction, and its BEGIN and END to be told, for a
     * target with `boundaries`? One worker alone then takes everything. NULL: no. */
    bool (*numbers)(const void *options);
    bool transient; /* keeps nothing (blackhole, stdout): no intents are written for it */

    /* Connects or at least checks options. `counters` lives as long as the sink. */
    bool (*open)(const void *options, struct arena *arena, struct sink_counters *counters,
                 struct sink **out, struct error *err);

    /* Makes the target ready for rows of this version: creates database and table when missing,
     * adds what is missing where that is safe, refuses with ERROR_DATA and a clear text where a
     * value could be lost. Keeps what encode() needs in target->sink_data. Called before the first
     * row of each (target, table version), and again after an error that says the shape moved; a
     * load may be open then if the columns of both versions are equal, and takes rows of both.
     * *parts: how many bufs a load has. */
    bool (*prepare)(struct sink *sink, struct target *target, const struct table *table,
                    uint32_t *parts, struct error *err);

    /* Appends one event's row or rows to load->parts and counts them in load->rows. Keyed table:
     * an UPDATE whose key changed is a tombstone of the old key and the new row. Keyless: signed
     * rows. ERROR_DATA: this row cannot be carried; ERROR_RETRY: not now, for a registry of
     * schemas is away. The load is then as before the call. */
    bool (*encode)(struct sink *sink, struct load *load, const struct event *event,
                   struct error *err);

    /* Sends a load. true: durable and visible. ERROR_UNKNOWN: it may or may not be there. Sending
     * the same label again with the same rows is safe within the sink's window. */
    bool (*write)(struct sink *sink, const struct load *load, struct error *err);

    /* Optional, both or neither: a sink whose loads become visible together. All loads of a flush
     * then carry one label. begin() starts that group and ends one that a failure left open; from
     * then on resolve() can tell the group, and only then are the intents written.
     * write() may only take its load in, whose memory stays until the group's outcome is known;
     * commit() makes durable and visible what was written since begin(). ERROR_DATA of commit():
     * *refused is the target whose rows cannot be carried, the others go again without it.
     * ERROR_UNKNOWN: resolve() of the label decides for all. An absent group is gone for good: its
     * rows are sent again under a new label, cut anew. */
    bool (*begin)(struct sink *sink, const char *label, struct error *err);
    bool (*commit)(struct sink *sink, const char *label, const struct group_facts *facts,
                   struct target **refused, struct error *err);
    /* The facts of the newest group that became visible under a label of the same worker; asked for
     * before a restart begins its first group, whose facts replace them. `own` false: a label of
     * another worker, who may be at work; all is left as it is. NULL where begin() is. */
    bool (*visible)(struct sink *sink, const char *label, bool own, struct group_facts *out,
                    struct error *err);

    /* Is the load of this label (marks first..last) visible in the target? Asked after a restart
     * and after ERROR_UNKNOWN. RUNNING: ask again later. NULL for sinks that cannot tell. */
    bool (*resolve)(struct sink *sink, struct target *target, const char *label, uint64_t first,
                    uint64_t last, enum load_state *out, struct error *err);

    /* The highest mark of a row in the target, 0 when it has none or does not exist. Asked for
     * tables without a key before a restart sends its first row: the checkpoint may be older than
     * the target, and a row that comes twice would count twice; and of those with one before they
     * are read again, to be swept. NULL for sinks that cannot tell. */
    bool (*newest)(struct sink *sink, struct target *target, uint64_t *mark, struct error *err);
    /* The lowest one, likewise: of all targets when an older checkpoint is started. */
    bool (*oldest)(struct sink *sink, struct target *target, uint64_t *mark, struct error *err);

    /* Follows a schema change; idempotent: compares with the target first. For RENAME_TABLE
     * `target` is the old one and `renamed` the new; otherwise `renamed` is NULL. Rows so far are
     * durable. target may be NULL for changes of a database. */
    bool (*change)(struct sink *sink, struct target *target, struct target *renamed,
                   const struct schema_change *change, struct error *err);

    /* Empties the target for a table that is read again from the start (keyless snapshots). */
    bool (*truncate)(struct sink *sink, struct target *target, struct error *err);

    void (*interrupt)(struct sink *sink); /* any thread: a write under way soon fails */
    void (*close)(struct sink *sink);     /* half-built is fine; NULL too */

    /* Options that cannot work, seen without a server; NULL: none. ERROR_CONFIG, whose text begins
     * with the name of the setting: "url: ...". */
    bool (*valid)(const void *options, struct error *err);

    /* Preflight, as a source's; `targets` may be none, when the source could not be asked. */
    bool (*check)(const void *options, const struct check_target *targets, size_t count,
                  struct findings *findings, struct error *err);
};
