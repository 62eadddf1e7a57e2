/* SPDX-License-Identifier: Apache-2.0
 *
 * One source into one sink: makes the threads, joins them, starts and stops them in order. A config
 * with several sinks runs one pipeline for each, with its own connection, position and checkpoint:
 * a dead or slow sink then holds nobody else back, and each sink's snapshot is exact by itself. */
#pragma once

#include "engine/base/retry.h"
#include "engine/metrics.h"
#include "engine/route.h"
#include "engine/sink.h"
#include "engine/source.h"

enum schema_behavior {
    SCHEMA_EVOLVE,
    SCHEMA_TRY_EVOLVE,
    SCHEMA_LENIENT,
    SCHEMA_IGNORE,
    SCHEMA_EXCEPTION
};
enum lost_policy { LOST_STOP, LOST_RESYNC, LOST_LATEST };
/* The seven event names of Flink CDC and the comment, as bits. */
enum change_bit {
    CHANGE_BIT_ADD_COLUMN = 1,
    CHANGE_BIT_ALTER_COLUMN_TYPE = 2,
    CHANGE_BIT_CREATE_TABLE = 4,
    CHANGE_BIT_DROP_COLUMN = 8,
    CHANGE_BIT_DROP_TABLE = 16,
    CHANGE_BIT_RENAME_COLUMN = 32,
    CHANGE_BIT_TRUNCATE_TABLE = 64,
    CHANGE_BIT_ALTER_TABLE_COMMENT = 128,
    CHANGE_BITS_ALL = 255
};

struct pipeline_options {
    struct bytes name;
    struct bytes checkpoint_directory; /* of this pipeline and sink; NULL data: nothing is kept */
    int64_t checkpoint_interval_ms;
    int64_t checkpoint_timeout_ms; /* a flush that takes longer is told */
    struct route_options routes;
    struct claims *claims; /* on the sink's targets, where other pipelines write too; or NULL */
    const char *claimant;  /* as which this one asks there: "database 'shop'" */
    enum start_mode start;
    struct bytes origin; /* kept with the first position, to know it again; NULL data: nothing */
    enum schema_behavior schema_behavior;
    uint32_t schema_changes; /* enum change_bit that are let through */
    enum lost_policy on_lost_position;
    int64_t retention_interval_ms; /* how often the server is asked how long it keeps its log; 0:
                                      never */
    uint32_t snapshot_parallelism;
    uint32_t chunk_rows;
    int64_t memory_bytes;                               /* budget of batches and loads */
    uint32_t sink_parallelism;                          /* at most SINK_WORKERS_MAX */
    int64_t flush_rows, flush_bytes, flush_interval_ms; /* of a load */
    struct retry_policy retry;
    bool until_snapshot_done; /* backfill: ends once what the log held when the snapshot ended is
                                 durable */
};

struct pipeline;
/* Nothing connects yet. The drivers' options must outlive the pipeline. */
bool pipeline_open(const struct pipeline_options *options, const struct source_driver *source,
                   const void *source_options, const struct sink_driver *sink,
                   const void *sink_options, struct pipeline **out, struct error *err);
/* What a checkpoint is for: "mysql -> clickhouse olap", with the sink as its metrics name it. */
enum { PIPELINE_IDENTITY_SIZE = 200 };
void pipeline_identity(const struct source_driver *source, const char *sink,
                       char out[PIPELINE_IDENTITY_SIZE]);
/* Before it runs: its checkpoint becomes what the savepoint holds. *done is false when it descends
 * from that savepoint already, and goes on. */
bool pipeline_restore(struct pipeline *pipeline, const char *savepoint, bool *done,
                      struct error *err);
/* Before it runs: what is in its checkpoint's directory? HERE: it was begun with these options'
 * origin. On failure it is said to be ELSEWHERE. */
enum pipeline_begun { PIPELINE_NOT_BEGUN, PIPELINE_BEGUN_HERE, PIPELINE_BEGUN_ELSEWHERE };
bool pipeline_look_begun(struct pipeline *pipeline, enum pipeline_begun *out, struct error *err);
/* Before it runs: its checkpoint is set aside, and it begins anew. */
bool pipeline_discard(struct pipeline *pipeline, struct error *err);
/* Runs until pipeline_stop (true), until a backfill is done (true; tables that parked are counted
 * in *parked_tables), or until an error that only a person can mend (false). Blocks. */
bool pipeline_run(struct pipeline *pipeline, uint32_t *parked_tables, struct error *err);
void pipeline_stop(
    struct pipeline *pipeline); /* any thread, more than once is fine; async-signal: no */
/* Any thread, now and then: tells what is slow, and breaks off what keeps a stop waiting. */
void pipeline_watch(struct pipeline *pipeline);
struct pipeline_metrics *pipeline_metrics(struct pipeline *pipeline);
void pipeline_close(struct pipeline *pipeline); /* NULL is fine */
