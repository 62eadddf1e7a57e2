/* SPDX-License-Identifier: Apache-2.0
 *
 * The config file as a whole: Flink CDC's skeleton of source, sink (or sinks), route, transform and
 * pipeline. What belongs to the agent is read here; what belongs to a driver stays in its section
 * until somebody who knows the driver's table fills it in. No database is known here. */
#pragma once

#include "config/flink.h"
#include "config/parse.h"
#include "config/setting.h"

enum { CONFIG_SINKS_MAX = 16, CONFIG_ROUTES_MAX = 4096, CONFIG_WARNINGS_MAX = 64 };

struct config_source {
    struct bytes type, name;
    struct setting_list tables, exclude; /* patterns */
    int64_t chunk_rows, retention_interval_ms;
    bool schema_changes;
    struct section section;
};

struct config_sink {
    struct bytes type, name; /* names are unique in a file */
    struct bytes folder;     /* the name, fit for a file system */
    int64_t flush_rows, flush_bytes, flush_interval_ms, parallelism;
    struct setting_list include_changes, exclude_changes;
    struct section section;
};

struct config_route {
    struct bytes source_table, sink_table, replace_symbol;
    struct bytes sink; /* the name of one; empty: all */
    uint32_t line;
};

/* Choices are indexes, in the order of the table; behind each stands the enum that it becomes. */
struct config_pipeline {
    struct bytes name;
    struct bytes checkpoint_directory; /* never empty; without the sink's folder */
    int64_t checkpoint_interval_ms, checkpoint_timeout_ms;
    int64_t savepoints_retained;
    int schema_behavior; /* enum schema_behavior */
    int lost_policy;     /* enum lost_policy */
    int64_t snapshot_parallelism, memory_bytes;
    int retry_type; /* enum config_retry */
    int64_t retry_initial_ms, retry_maximum_ms, retry_reset_ms, retry_attempts;
    int64_t retry_fixed_ms, retry_fixed_attempts;
    double retry_multiplier, retry_jitter;
    struct bytes http_listen;
    uint32_t http_line; /* where the user wrote http.listen; 0: nowhere */
    int log_level;      /* enum log_level */
    int log_format;     /* enum config_log_format */
};

enum config_retry { CONFIG_RETRY_EXPONENTIAL, CONFIG_RETRY_FIXED, CONFIG_RETRY_NONE };
enum config_log_format { CONFIG_LOG_AUTO, CONFIG_LOG_TEXT, CONFIG_LOG_JOURNAL, CONFIG_LOG_JSON };

struct config {
    struct arena arena;
    const char *path;
    struct node *root;
    struct config_source source;
    struct config_sink *sinks;
    uint32_t sink_count;
    struct config_route *routes;
    uint32_t route_count;
    struct config_pipeline pipeline;
    struct bytes warnings[CONFIG_WARNINGS_MAX];
    uint32_t warning_count;
};

extern const struct setting config_source_settings[], config_sink_settings[],
    config_route_settings[], config_pipeline_settings[];

/* ERROR_CONFIG with file and line. `lenient` as in parse_file. `out` may be given to config_done in
 * any case. */
bool config_load(const char *path, bool lenient, struct config *out, struct error *err);
/* The same from memory, for tests. */
bool config_read(const char *name, struct bytes text, struct config *out, struct error *err);
void config_done(struct config *config); /* secrets are overwritten first */

/* Fills a driver's options from the section, then judges what is left: words of Flink CDC become
 * warnings, everything else is an error that names the nearest key. `common` is the table of the
 * agent for this part. */
bool config_fill(struct config *config, struct section *section, enum flink_part part,
                 const struct setting *common, const struct setting *driver, void *options,
                 struct error *err);

/* Adds a line that `check` and a start show. */
void config_warn(struct config *config, struct bytes text);

/* A text as part of a path: letters, digits, dot, dash and underscore stay, others become '_'. */
struct bytes config_folder(struct arena *arena, struct bytes name);
