/* SPDX-License-Identifier: Apache-2.0
 *
 * What a source driver is: two tables of functions. `struct source` reads the log, on the intake's
 * thread alone; `struct reader` (k of them, a thread and a connection each) reads chunks of tables
 * for the snapshot. Nothing here is called by two threads, except the two interrupt functions.
 *
 * Tokens (positions, watermarks, transaction ids) are the driver's own bytes: the engine stores and
 * passes them, and asks the driver what they mean. */
#pragma once

#include "engine/batch.h"
#include "schema/catalog.h"

struct setting;

struct source {
    const struct source_driver *driver;
    uint32_t
        moves; /* grows when start() came to another server than before: its watermarks are void */
    bool elsewhere; /* start() was given a position of another server, which this one has too */
};                  /* first in a driver's struct */
struct table_reader {
    const struct source_driver *driver;
}; /* likewise */

/* Chooses tables: the patterns of the config, asked by name before anything of a table is read. */
struct table_filter {
    bool (*matches)(void *context, struct bytes database, struct bytes schema, struct bytes name);
    void *context;
};

/* How long the first read() waits for more once the server has answered. */
enum { SOURCE_SETTLE_MS = 5 };

enum start_mode {
    START_INITIAL,
    START_EARLIEST,
    START_LATEST,
    START_SPECIFIC,
    START_TIMESTAMP,
    START_SNAPSHOT
};

/* Is a transaction inside a chunk's snapshot? MAYBE: the log alone cannot tell (MySQL, between the
 * low and the high watermark): its row images are laid over the rows, which is right either way. */
enum membership { MEMBER_IN, MEMBER_MAYBE, MEMBER_OUT };

/* One chunk: rows of `table` with key > after (all of them when after is NULL), key <= until (no
 * bound when NULL), in key order, at most rows_max rows and about bytes_max bytes. after and until
 * are key_count values. A keyless table is read whole: see reader_open_scan in `chunk`. */
struct chunk_request {
    const struct table *table;
    const struct value *after, *until;
    uint32_t rows_max;
    size_t bytes_max;
    struct bytes gate;   /* the snapshot must contain everything up to this processed position */
    uint32_t timeout_ms; /* for the gate */
    bool lock; /* scans: hold the table still (LOCK TABLES .. READ) while the snapshot is taken */
};

struct chunk_result {
    struct bytes low, high; /* watermark tokens, in the batch's arena */
    bool last;              /* nothing follows in this range: the walk reached its end */
};

/* A line of `millrace check`. */
struct finding {
    enum { FINDING_OK, FINDING_WARN, FINDING_FAIL } level;
    char text[400];
    char cure[300];
};
struct findings {
    struct finding items[64];
    size_t count;
    /* Called by a source for each table that will be captured; may be NULL. */
    void (*on_table)(void *context, const struct table *table);
    void *context;
};
__attribute__((format(printf, 4, 5))) void finding_add(struct findings *findings, int level,
                                                       const char *cure, const char *format, ...);
void findings_table(struct findings *findings, const struct table *table);

/* What the server keeps of its log, as seen from a position that is durable. */
struct retention {
    uint64_t behind_bytes; /* of log from there to its end */
    int used_percent;      /* of what it keeps; 100: gone at any moment; -1: nothing takes it */
    char limit[96];        /* in the server's words: "binlog_expire_logs_seconds=86400" */
};

struct source_driver {
    const char *name, *help;
    const struct setting *settings; /* ends with a row whose name is NULL */
    size_t options_size;            /* of the struct that the settings fill */
    bool forgets; /* the server forgets its log where confirm() says so: the position is on disk by
                     then */

    /* ---- the log; intake's thread ---- */

    /* Only checks options and takes memory; connects in start(). Options and arena outlive it. */
    bool (*open)(const void *options, struct arena *arena, struct source **out, struct error *err);

    /* Connects (again) and streams what follows `from`, or from where the options' start mode says
     * when from->token.data is NULL. `catalog` holds the tables as of `from`; when starting fresh
     * the driver fills it with all tables that match, as of the point where the log begins, and
     * writes that point to *begin (arena's memory). ERROR_LOST: the server no longer has it. Then
     * `from` has no token, but a mark: begin at the log's end, under marks above that one. */
    bool (*start)(struct source *source, const struct position *from, struct catalog *catalog,
                  const struct table_filter *filter, struct position *begin, struct error *err);

    /* Appends decoded events; returns when the batch is full, at a schema change (a batch of its
     * own), when nothing more is waiting, or after timeout_ms with none. The first one after
     * start() returns soon after the server's first answer, which tells that it took the position.
     * Sets marks, transactions, batch->end. Events of tables that do not match are not decoded, but
     * their transactions count. After ERROR_RETRY the engine calls start() again with the last
     * position it has. */
    bool (*read)(struct source *source, struct batch *batch, int timeout_ms, struct error *err);

    /* Everything up to `position` is durable in the sink; may be a no-op. */
    bool (*confirm)(struct source *source, const struct position *position, struct error *err);

    /* ---- watermarks; intake's thread; never block ---- */

    /* What read() has given so far, as a gate for a chunk, the transaction under way included. */
    void (*processed)(struct source *source, struct buf *token);
    /* Has the stream passed this high watermark, judged by what read() has given? */
    bool (*passed)(struct source *source, struct bytes high);
    enum membership (*member)(struct source *source, struct bytes transaction_id, struct bytes low,
                              struct bytes high);

    /* For status and metrics: a readable position ("binlog.000003:4711, gtid 0-1-77"), and whether
     * the log's end has been reached. lag is measured from event times. */
    void (*describe)(struct source *source, struct bytes token, struct buf *out);

    void (*interrupt)(
        struct source *source); /* any thread: read() and start() soon return ERROR_STOP */
    void (*close)(struct source *source); /* half-built is fine; NULL too */

    /* ---- snapshot readers; each on a thread of its own ---- */

    bool (*reader_open)(const void *options, struct arena *arena, struct table_reader **out,
                        struct error *err);
    /* Cuts the key space of `table` into at most `want` ranges of about equal size, for reading in
     * parallel: bounds[i] (key_count values each, in `arena`) ends range i; the last range has no
     * end, so *count bounds make *count + 1 ranges. May give 0. Also the estimated rows. */
    bool (*reader_split)(struct table_reader *reader, const struct table *table, uint32_t want,
                         struct arena *arena, struct value ***bounds, uint32_t *count,
                         uint64_t *estimated_rows, struct error *err);
    /* Reads one chunk into `batch` as snapshot INSERTs. The caller sets marks. ERROR_DATA with code
     * READER_SHAPE when the table is not (or no longer) of the shape of request->table. */
    bool (*reader_chunk)(struct table_reader *reader, const struct chunk_request *request,
                         struct batch *batch, struct chunk_result *result, struct error *err);
    /* A whole table in one consistent snapshot, for tables without a key: scan_open takes the
     * snapshot and gives its watermarks before a row is read (a window of MAYBE as narrow as it
     * gets), scan_next fills a batch at a time; *end: nothing is left, the snapshot is closed. */
    bool (*reader_scan_open)(struct table_reader *reader, const struct chunk_request *request,
                             struct arena *arena, struct chunk_result *result, struct error *err);
    bool (*reader_scan_next)(struct table_reader *reader, struct batch *batch, bool *end,
                             struct error *err);
    void (*reader_interrupt)(struct table_reader *reader);
    void (*reader_close)(struct table_reader *reader);

    bool (*valid)(const void *options, struct error *err); /* as in struct sink_driver */
    /* Changes the options so that the log is read from `place`, which a person gave: "earliest",
     * "latest", a position as describe() prints it, or a time; their scan.startup.mode says so
     * then. Views into place. ERROR_CONFIG tells what this server has no way to. */
    bool (*begin_from)(void *options, struct bytes place, struct error *err);
    /* Nobody reads on with these options: what the server keeps for the reader goes. NULL: nothing.
     */
    bool (*forget)(const void *options, struct error *err);

    /* Any thread, on a connection of its own, within some seconds. age_ms: of the newest change
     * that is durable while there are others behind it, else 0. NULL: it cannot tell. */
    bool (*retention)(const void *options, struct bytes token, int64_t age_ms,
                      struct retention *out, struct error *err);

    /* Preflight: connects, looks at settings, rights and tables; adds a line each. */
    bool (*check)(const void *options, const struct table_filter *filter, struct findings *findings,
                  struct error *err);
};

enum { READER_SHAPE = 1, READER_GATE = 2 /* ERROR_RETRY: the gate was not reached in time */ };
