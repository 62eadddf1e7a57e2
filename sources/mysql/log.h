/* SPDX-License-Identifier: Apache-2.0
 *
 * The log reader's state, shared by mysql.c (the driver's table), log_start.c (connecting and
 * choosing where to begin), log_event.c (events), log_packed.c (events inside of others),
 * log_rows.c (tables and rows), log_xa.c (prepared branches) and log_schema.c (statements). One
 * thread, the intake's. */
#pragma once

#include "engine/base/map.h"
#include "engine/base/reader.h"
#include "engine/base/spill.h"
#include "sources/mysql/binlog_rows.h"
#include "sources/mysql/connection.h"
#include "sources/mysql/gtid_set.h"
#include "sources/mysql/gtid_state.h"
#include "sources/mysql/tables.h"
#include "sources/mysql/token.h"

/* A table of the log, by the id that TABLE_MAP gave it. */
struct log_table {
    uint64_t id;
    struct bytes body;         /* the TABLE_MAP's, to know it again */
    const struct table *table; /* NULL: not captured */
    uint32_t catalog_generation;
    struct row_plan *plan;
    int32_t history_end; /* column that ends a row of a system-versioned table; -1: another table */
};

struct xa_branch {
    struct arena arena; /* holds the branch itself */
    struct bytes xid;
    struct spill events;
    struct bytes position; /* token of the place before its group */
    uint64_t position_mark;
    struct xa_branch *next;
};

struct event_header {
    uint32_t time, server, size, position;
    uint16_t flags;
    uint8_t type;
};

struct log_source {
    struct source base;
    const struct mysql_options *options;
    struct arena *arena;
    struct connection *connection, *metadata;
    _Atomic(struct connection *) interruptible;
    atomic_bool interrupted;
    struct catalog *catalog;
    bool catalog_filled; /* once a process: later tables come by their CREATE */
    const struct table_filter *filter;
    struct arena session; /* collations: anew with each connect */
    struct collation_table collations;
    bool implicit_timestamps; /* explicit_defaults_for_timestamp is off, where no event tells */
    bool mariadb, by_gtid, checksums, streaming;
    bool unanswered;        /* the dump was asked for, and its first events have not come */
    char server[64];        /* uuid or server id */
    char streamed_from[64]; /* that of the newest stream; empty: none yet */

    /* where we are */
    struct gtid_set executed;
    struct gtid_state state; /* MariaDB: of each server's */
    char file[512];
    uint64_t offset;
    uint32_t created;     /* when that file was made; 0: not told yet */
    char given_file[512]; /* where the newest event of a transaction ended, and what was given */
    uint64_t given_offset;
    bool place_known; /* an event or a heartbeat has told file and offset */
    uint64_t commit;  /* transactions so far */
    uint32_t row;     /* in the one under way */
    uint32_t told;    /* schema events among the last ones: see log_keep_marks() */
    bool inside, announced, skipping;
    bool bounded;       /* the group has an end of its own: XID, COMMIT, XA PREPARE */
    bool alter_pending; /* MariaDB: an ALTER that has only begun, or that failed */
    struct gtid gtid;   /* of the one under way */
    bool has_gtid;
    uint32_t server_id;        /* that wrote the event under way */
    uint64_t event_first_mark; /* of its first row, UINT64_MAX: none yet */
    uint64_t event_offset;     /* where it begins; inside a payload, where that begins */
    uint64_t thread;           /* of the one under way; 0: not told */
    struct bytes origin_gtid, origin_file; /* in the arena of the batch under way */
    uint64_t start_offset;                 /* where its group begins */
    uint64_t begin_offset;                 /* where its BEGIN stands, if it has one */
    char start_file[512];
    bool moved;             /* a group ended since the last position was handed out */
    struct buf group_token; /* of the place before the group under way, when XA needs it */
    uint64_t group_mark;

    /* tables by id */
    struct map tables; /* u64 id -> struct log_table, in tables_arena */
    struct arena tables_arena;
    struct log_table *newest_table; /* the last hit */
    struct map unfit; /* u32 id of ours -> version whose rows are passed over; see log_rows.c */

    /* events under way */
    struct rows_cursor cursor; /* rows that did not fit into the last batch */
    bool cursor_active;
    struct log_table *cursor_table;
    const struct table *refused; /* a table that is to be parked, for `refusal` */
    struct error refusal;
    int64_t refused_us;
    struct buf unpacked; /* of MariaDB's compressed events */
    struct buf waiting;  /* a statement that needs a batch of its own */
    bool has_waiting;
    struct buf payload; /* unpacked bytes of a TRANSACTION_PAYLOAD */
    size_t payload_at;
    bool payload_active, payload_ended;
    void *zstd;
    struct bytes packed; /* what is left of the payload's compressed bytes */
    bool packed_plain;
    struct buf fragments;                   /* PARTIAL_ROW_DATA, joined so far */
    uint32_t fragment_next, fragment_count; /* next 0: none is under way */
    uint64_t fragments_size;

    struct xa_branch *branches;
    struct xa_branch *branch; /* the one under way: its events are kept, not given */
    struct xa_branch *replay; /* the one being given */
    struct buf replay_event;

    struct buf low_text; /* what low_set was parsed from */
    struct gtid_set low_set;
    int64_t skip_before_us; /* scan.startup.mode: timestamp */
};

/* log_start.c */
bool log_start(struct log_source *self, const struct position *from, struct position *begin,
               struct error *err);
void log_disconnect(struct log_source *self);
struct connection *log_metadata(struct log_source *self, struct error *err); /* NULL: failed */
uint32_t log_server_id(const struct log_source *self);                       /* ours, for a dump */

/* log_identity.c: is this the log that was read up to `from`, or one that goes on from there? On
 * the connection that is to stream, before it does; after the server's name and flavor are known,
 * and before what is known of the stream before is forgotten. */
bool log_identity_check(struct log_source *self, const struct token *from, struct error *err);

/* log_event.c */
bool log_read(struct log_source *self, struct batch *batch, int timeout_ms, struct error *err);
bool log_handle(struct log_source *self, struct batch *batch, struct bytes event, bool inner,
                bool *again, struct error *err);
bool log_is_rows(uint8_t type);
bool log_malformed(struct log_source *self, const char *what, struct error *err);
void log_put_token(struct log_source *self, struct buf *out);
void log_put_group_token(struct log_source *self, struct buf *out); /* of the place before it */
void log_begin_group(struct log_source *self, const struct event_header *header,
                     const struct gtid *gtid);
void log_end_group(struct log_source *self);

/* log_origin.c */
void log_note_event(struct log_source *self, const struct event_header *header, bool inner);
/* Gives the events from `from` on, all of the event under way, their marks and their origin. Which
 * transaction they belong to has been announced. */
void log_stamp(struct log_source *self, struct batch *batch, uint32_t from);
/* At a TABLE_MAP: schema changes since the last row, and those that the map itself tells, take as
 * many marks in all, told or not, so that the rows behind have the same ones when a replay finds
 * the catalog changed already. */
void log_keep_marks(struct log_source *self);

/* log_rows.c */
bool log_table_map(struct log_source *self, struct batch *batch, struct bytes body, int64_t time_us,
                   bool *again, struct error *err);
bool log_rows(struct log_source *self, struct batch *batch, const struct event_header *header,
              struct bytes body, struct error *err);
bool log_rows_go_on(struct log_source *self, struct batch *batch, struct error *err);
void log_forget_tables(struct log_source *self);
void log_trim_tables(struct log_source *self);

/* log_packed.c */
bool log_open_payload(struct log_source *self, struct bytes body, struct error *err);
/* The next event inside; empty when the payload is used up. */
bool log_next_inner(struct log_source *self, struct bytes *event, struct error *err);
void log_free_stream(struct log_source *self); /* the decompressor */
bool log_unpack(struct log_source *self, uint8_t type, struct bytes body, struct bytes *out,
                struct error *err);
/* A fragment; *whole is the event once its last one is there, empty before. */
bool log_join(struct log_source *self, struct bytes body, struct bytes *whole, struct error *err);

/* log_xa.c */
bool xa_keep(struct log_source *self, struct bytes event, struct error *err);
void xa_start(struct log_source *self);
bool xa_prepared(struct log_source *self, struct bytes body, bool *one_phase, struct error *err);
void xa_commit_now(struct log_source *self); /* the branch under way: its rows come next */
bool xa_statement(struct log_source *self, struct bytes sql); /* false: none of XA's */
bool xa_replay(struct log_source *self, struct batch *batch, struct error *err);
void xa_forget(struct log_source *self); /* all branches: they will be read again */

/* log_query.c: a statement as its event has it. */
struct log_query {
    struct bytes sql, database;
    uint64_t sql_mode;
    uint32_t client_collation, database_collation; /* ids; 0: not told */
    enum { TIMESTAMPS_NOT_TOLD, TIMESTAMPS_IMPLICIT, TIMESTAMPS_EXPLICIT } timestamps;
};
/* mariadb: its version, 0 for MySQL. */
bool log_query_parse(struct bytes body, bool load, uint32_t mariadb, struct log_query *out);
/* The text in UTF-8, in `arena` where it had to be converted. */
struct bytes log_query_text(const struct log_source *self, const struct log_query *query,
                            struct arena *arena);

/* log_schema.c: what it puts into the batch is returned by itself. */
bool log_statement(struct log_source *self, struct batch *batch, const struct log_query *query,
                   int64_t time_us, struct error *err);
bool log_statement_matters(struct log_source *self, const struct log_query *query);
/* A shape that the log's rows told: a new table where there is no `before`. */
void log_put_shape(struct log_source *self, struct batch *batch, const struct table *before,
                   const struct table *draft, int64_t time_us);
/* Nothing that the sinks could tell differs. */
bool log_same_shape(const struct table *a, const struct table *b, struct arena *arena);
void log_put_resync(struct log_source *self, struct batch *batch, const struct table *draft,
                    int64_t time_us);
void log_put_refusal(struct log_source *self, struct batch *batch);
