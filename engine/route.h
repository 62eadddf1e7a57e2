/* SPDX-License-Identifier: Apache-2.0
 *
 * Which tables are captured and where each goes, in Flink CDC's words. A pattern is
 * `database.table` (three parts with a schema): an unescaped dot separates, `\.` is the regular
 * expression's dot, the rest is a PCRE2 expression that must match the whole name; several patterns
 * stand in a comma-separated list or a YAML list. Immutable after route_compile; used by any
 * thread. */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/bytes.h"
#include "engine/base/error.h"

struct route_rule {
    struct bytes source_table; /* pattern */
    struct bytes
        sink_table; /* "db.table", with $1..$9 of the whole pattern's groups, or the symbol */
    struct bytes replace_symbol; /* stands for the source table's name in sink_table; NULL: none */
    uint32_t line;               /* of the config file, for errors; 0: unknown */
};

struct route_options {
    const struct bytes *tables;
    uint32_t table_count; /* patterns; each may hold commas */
    const struct bytes *exclude;
    uint32_t exclude_count;
    const struct route_rule *rules;
    uint32_t rule_count;
};

struct route;
/* ERROR_CONFIG names the pattern, the offset and PCRE2's words. Patterns have match limits: a
 * hostile one cannot hang. */
bool route_compile(const struct route_options *options, struct route **out, struct error *err);
void route_free(struct route *route);
void route_cleanup(struct route **route);

bool route_captures(const struct route *route, struct bytes database, struct bytes schema,
                    struct bytes name);
/* Is there a pattern that may match a table of this database? */
bool route_reaches(const struct route *route, struct bytes database);
/* The target's database and name, in `arena`. The first rule that matches decides; without one the
 * table keeps its database (for three-part names: its schema) and name. */
void route_target(const struct route *route, struct bytes database, struct bytes schema,
                  struct bytes name, struct arena *arena, struct bytes *target_database,
                  struct bytes *target_name);
