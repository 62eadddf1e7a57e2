/* SPDX-License-Identifier: Apache-2.0
 *
 * From the sections of a config to pipelines: the only place that knows every layer. */
#pragma once

#include "config/config.h"
#include "engine/pipeline.h"

/* One pipeline: the source, or one of its databases, into one of the sinks. Lives in the config's
 * arena. */
struct plan {
    const struct config_sink *sink_config; /* of a database: called sink@database */
    uint32_t sink_index;                   /* in the config */
    struct bytes database; /* of several that have a pipeline each; size 0: there is one */
    const struct source_driver *source;
    const struct sink_driver *sink;
    void *source_options, *sink_options;
    struct pipeline_options options;
};

/* Finds the drivers, fills their options and makes a plan for each sink, and each of `databases`.
 * config->warnings is complete afterwards. ERROR_CONFIG with file and line. */
bool build_plans(struct config *config, struct plan **plans, uint32_t *count, struct error *err);

/* The sink as its metrics and its checkpoint name it: "clickhouse", or "clickhouse olap". */
void build_title(const struct plan *plan, char *out, size_t size);

/* The plan's source begins at `place`, whatever its scan.startup.mode says. ERROR_CONFIG. */
bool build_begin_from(struct plan *plan, const char *place, struct error *err);

/* Narrows a plan to one pattern of tables. It then keeps a checkpoint of its own, because its
 * position would pass the changes of tables that it does not look at. */
void build_narrow(struct config *config, struct plan *plan, const char *pattern);

/* Can the plan's patterns match a table of its database? */
bool build_reaches(const struct plan *plan);

/* The bits of the schema changes that are let through. `names` are Flink CDC's, or their prefixes
 * up to a dot. ERROR_CONFIG names an unknown one. */
struct change_names {
    struct setting_list include, exclude;
    bool enabled;
};
bool build_change_bits(const struct change_names *names, enum schema_behavior behavior,
                       uint32_t *bits, struct error *err);

/* Part `index` of `count` of a server-id such as "5401-5404": each pipeline of a config reads the
 * log on its own, and a server ends the older of two readers with one id. Empty stays empty: the
 * driver chooses. ERROR_CONFIG: not a number or a range, or too few for all. */
bool build_server_id(struct bytes text, uint32_t index, uint32_t count, struct arena *arena,
                     struct bytes *out, struct error *err);

/* The database that a pattern of three parts is for, as in `shop.public.orders`: its first part,
 * which must be a plain name. A view into `pattern`. */
bool build_database(struct bytes pattern, struct bytes *out, struct error *err);

/* "initial", "latest-offset", ... START_INITIAL when there is no such word. */
enum start_mode build_start_mode(const char *word);
