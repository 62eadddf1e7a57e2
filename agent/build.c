/* SPDX-License-Identifier: Apache-2.0
 *
 * A driver is found by the word behind `type`, its options are as large as it says and are filled
 * from its own table. One thing of a driver's options matters to the engine too: where to start.
 * It is found by its name, `scan.startup.mode`, so that no driver's struct is known here. */
#include "agent/build.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/databases.h"
#include "agent/http.h"
#include "config/nearest.h"
#include "engine/base/assert.h"
#include "sinks/sinks.h"
#include "sources/sources.h"

enum { DRIVERS_MAX = 32, DATABASE_MEMORY_LEAST = 8 << 20 };

static const struct change_name {
    const char *name;
    uint32_t bit;
} change_names[] = {
    { "add.column", CHANGE_BIT_ADD_COLUMN },
    { "alter.column.type", CHANGE_BIT_ALTER_COLUMN_TYPE },
    { "create.table", CHANGE_BIT_CREATE_TABLE },
    { "drop.column", CHANGE_BIT_DROP_COLUMN },
    { "drop.table", CHANGE_BIT_DROP_TABLE },
    { "rename.column", CHANGE_BIT_RENAME_COLUMN },
    { "truncate.table", CHANGE_BIT_TRUNCATE_TABLE },
    { "alter.table.comment", CHANGE_BIT_ALTER_TABLE_COMMENT },
};

/* "drop" is a prefix of "drop.table", "dro" is not. */
static bool names_change(struct bytes word, const char *name)
{
    size_t size = strlen(name);
    return word.size <= size && memcmp(word.data, name, word.size) == 0 &&
           (name[word.size] == '\0' || name[word.size] == '.');
}

static bool list_bits(struct setting_list list, uint32_t *bits, struct error *err)
{
    uint32_t all = 0;
    for (size_t i = 0; i < list.count; i++) {
        uint32_t found = 0, best = UINT32_MAX;
        const char *nearest = "";
        for (size_t k = 0; k < ARRAY_SIZE(change_names); k++) {
            if (list.items[i].size > 0 && names_change(list.items[i], change_names[k].name))
                found |= change_names[k].bit;
            uint32_t distance = nearest_distance(list.items[i], bytes_from(change_names[k].name));
            if (distance < best) {
                best = distance;
                nearest = change_names[k].name;
            }
        }
        if (!found)
            return error_set(err, ERROR_CONFIG, "'%.*s' is no schema change; the nearest is '%s'",
                             BYTES_ARGS(list.items[i]), nearest);
        all |= found;
    }
    *bits = all;
    return true;
}

/* As in Flink CDC, `lenient` keeps what the source dropped unless the user says otherwise: tables
 * where no list is given, columns where they are not named. */
bool build_change_bits(const struct change_names *names, enum schema_behavior behavior,
                       uint32_t *bits, struct error *err)
{
    uint32_t included = CHANGE_BITS_ALL, excluded = 0;
    if (names->include.count > 0 && !list_bits(names->include, &included, err))
        return error_context(err, "include.schema.changes");
    if (!list_bits(names->exclude, &excluded, err))
        return error_context(err, "exclude.schema.changes");
    if (names->exclude.count == 0 && names->include.count == 0 && behavior == SCHEMA_LENIENT)
        excluded = CHANGE_BIT_DROP_TABLE | CHANGE_BIT_TRUNCATE_TABLE;
    if (names->include.count == 0 && behavior == SCHEMA_LENIENT)
        excluded |= CHANGE_BIT_DROP_COLUMN;
    *bits = included & ~excluded & CHANGE_BITS_ALL;
    if (!names->enabled)
        *bits &= CHANGE_BIT_CREATE_TABLE;
    return true;
}

enum start_mode build_start_mode(const char *word)
{
    static const char *const words[] = {
        [START_INITIAL] = "initial",      [START_EARLIEST] = "earliest-offset",
        [START_LATEST] = "latest-offset", [START_SPECIFIC] = "specific-offset",
        [START_TIMESTAMP] = "timestamp",  [START_SNAPSHOT] = "snapshot",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(words[i], word) == 0)
            return (enum start_mode)i;
    /* Where the slot of PostgreSQL stands: a place as any other that the user knows. */
    return strcmp(word, "committed-offset") == 0 ? START_SPECIFIC : START_INITIAL;
}

static enum start_mode start_of(const struct source_driver *driver, const void *options)
{
    const struct setting *row = setting_find(driver->settings, BYTES_LITERAL("scan.startup.mode"));
    if (!row || row->type != SETTING_CHOICE)
        return START_INITIAL;
    int index = 0;
    memcpy(&index, (const uint8_t *)options + row->offset, sizeof index);
    return build_start_mode(row->choices[index]);
}

/* Which of the drivers' names is the word behind `type`? */
static bool find_type(const struct section *section, struct bytes type, const char *const *names,
                      size_t count, size_t *index, struct error *err)
{
    char known[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (bytes_is(type, names[i])) {
            *index = i;
            return true;
        }
        int length = snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", names[i]);
        if (length > 0 && used + (size_t)length < sizeof known)
            used += (size_t)length;
    }
    const struct section_item *item = section_find(section, "type");
    return parse_error(err, section->file, item ? item->line : section->line,
                       "%s: there is no type '%.*s', but %s", section->title, BYTES_ARGS(type),
                       known);
}

static bool find_source(const struct config_source *source, const struct source_driver **out,
                        struct error *err)
{
    const char *names[DRIVERS_MAX];
    size_t count = 0, index = 0;
    for (; source_drivers[count]; count++) {
        ASSERT(count < DRIVERS_MAX);
        names[count] = source_drivers[count]->name;
    }
    if (!find_type(&source->section, source->type, names, count, &index, err))
        return false;
    *out = source_drivers[index];
    return true;
}

static bool find_sink(const struct config_sink *sink, const struct sink_driver **out,
                      struct error *err)
{
    const char *names[DRIVERS_MAX];
    size_t count = 0, index = 0;
    for (; sink_drivers[count]; count++) {
        ASSERT(count < DRIVERS_MAX);
        names[count] = sink_drivers[count]->name;
    }
    if (!find_type(&sink->section, sink->type, names, count, &index, err))
        return false;
    *out = sink_drivers[index];
    return true;
}

static struct route_options routes_for(struct config *config, const struct config_sink *sink)
{
    struct route_rule *rules = arena_array(&config->arena, config->route_count + 1, sizeof *rules);
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        if (route->sink.size > 0 && !bytes_equal(route->sink, sink->name))
            continue;
        rules[count++] = (struct route_rule){
            .source_table = route->source_table,
            .sink_table = route->sink_table,
            .replace_symbol =
                route->replace_symbol.size ? route->replace_symbol : (struct bytes){ 0 },
            .line = route->line,
        };
    }
    const struct config_source *source = &config->source;
    return (struct route_options){ .tables = source->tables.items,
                                   .table_count = (uint32_t)source->tables.count,
                                   .exclude = source->exclude.items,
                                   .exclude_count = (uint32_t)source->exclude.count,
                                   .rules = rules,
                                   .rule_count = count };
}

static struct retry_policy retry_of(const struct config_pipeline *pipeline)
{
    switch ((enum config_retry)pipeline->retry_type) {
    case CONFIG_RETRY_FIXED:
        return (struct retry_policy){ .initial_ms = (uint32_t)pipeline->retry_fixed_ms,
                                      .maximum_ms = (uint32_t)pipeline->retry_fixed_ms,
                                      .multiplier = 1,
                                      .attempts = (uint32_t)pipeline->retry_fixed_attempts };
    case CONFIG_RETRY_NONE:
        return (struct retry_policy){ .never = true };
    case CONFIG_RETRY_EXPONENTIAL:
        break;
    }
    return (struct retry_policy){ .initial_ms = (uint32_t)pipeline->retry_initial_ms,
                                  .maximum_ms = (uint32_t)pipeline->retry_maximum_ms,
                                  .multiplier = pipeline->retry_multiplier,
                                  .jitter = pipeline->retry_jitter,
                                  .reset_ms = (uint32_t)pipeline->retry_reset_ms,
                                  .attempts = (uint32_t)pipeline->retry_attempts };
}

static void fill_options(struct config *config, struct plan *plan)
{
    const struct config_pipeline *pipeline = &config->pipeline;
    const struct config_sink *sink = &config->sinks[plan->sink_index];
    struct pipeline_options *options = &plan->options;
    struct bytes name = config_folder(&config->arena, pipeline->name);
    /* It stands in log lines and labels, which must tell the pipelines of a config apart. */
    struct bytes folder = plan->sink_config->folder;
    options->name =
        config->sink_count == 1 && plan->database.size == 0
            ? name
            : arena_printf(&config->arena, "%.*s.%.*s", BYTES_ARGS(name), BYTES_ARGS(folder));
    options->checkpoint_directory =
        arena_printf(&config->arena, "%.*s/%.*s", BYTES_ARGS(pipeline->checkpoint_directory),
                     BYTES_ARGS(folder));
    options->checkpoint_interval_ms = pipeline->checkpoint_interval_ms;
    options->routes = routes_for(config, sink);
    options->start = start_of(plan->source, plan->source_options);
    options->schema_behavior = (enum schema_behavior)pipeline->schema_behavior;
    options->on_lost_position = (enum lost_policy)pipeline->lost_policy;
    options->snapshot_parallelism = (uint32_t)pipeline->snapshot_parallelism;
    options->retention_interval_ms = config->source.retention_interval_ms;
    options->chunk_rows = (uint32_t)config->source.chunk_rows;
    options->memory_bytes = pipeline->memory_bytes;
    options->sink_parallelism = (uint32_t)sink->parallelism;
    options->flush_rows = sink->flush_rows;
    options->flush_bytes = sink->flush_bytes;
    options->flush_interval_ms = sink->flush_interval_ms;
    options->checkpoint_timeout_ms = pipeline->checkpoint_timeout_ms;
    options->retry = retry_of(pipeline);
    options->until_snapshot_done = options->start == START_SNAPSHOT;
}

static bool number_read(struct bytes text, uint64_t *out)
{
    uint64_t number = 0;
    if (text.size == 0 || text.size > 10)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *out = number;
    return number > 0 && number <= UINT32_MAX;
}

bool build_server_id(struct bytes text, uint32_t index, uint32_t count, struct arena *arena,
                     struct bytes *out, struct error *err)
{
    uint64_t first = 0, last = 0;
    const uint8_t *dash = text.size ? memchr(text.data, '-', text.size) : NULL;
    size_t cut = dash ? (size_t)(dash - text.data) : text.size;
    if (text.size == 0) {
        *out = text;
        return true;
    }
    struct bytes high = dash ? (struct bytes){ dash + 1, text.size - cut - 1 } : text;
    if (!number_read((struct bytes){ text.data, cut }, &first) || !number_read(high, &last) ||
        first > last)
        return error_set(err, ERROR_CONFIG,
                         "server-id: must be a number or a range like 5401-5404");
    uint64_t share = (last - first + 1) / count;
    if (share == 0)
        return error_set(err, ERROR_CONFIG,
                         "server-id: must be a range of at least %u numbers, one a sink", count);
    first += share * index;
    *out = share == 1 ? arena_printf(arena, "%" PRIu64, first)
                      : arena_printf(arena, "%" PRIu64 "-%" PRIu64, first, first + share - 1);
    return true;
}

/* "url: what is wrong": the line of that key, or of the section. */
static bool located(const struct section *section, struct error *err)
{
    struct error what = *err;
    uint32_t line = section->line;
    for (uint32_t i = 0; i < section->count; i++) {
        struct bytes key = section->items[i].key;
        if (strncmp(what.message, (const char *)key.data, key.size) == 0 &&
            strchr(":,", what.message[key.size]))
            line = section->items[i].line;
    }
    return parse_error(err, section->file, line, "%s: %s", section->title, what.message);
}

/* Options of the source for one of the pipelines: alike but for what names the reader. */
static bool source_options(struct config *config, const struct source_driver *driver,
                           const void *options, struct plan *plan, struct error *err)
{
    uint32_t index = plan->sink_index;
    struct bytes none = { 0 };
    const struct setting *row = setting_find(driver->settings, BYTES_LITERAL("server-id"));
    uint8_t *copy = arena_zalloc(&config->arena, driver->options_size + 1);
    memcpy(copy, options, driver->options_size);
    plan->source = driver;
    plan->source_options = copy;
    if (!databases_fill(config, driver, copy,
                        config->sink_count > 1 ? config->sinks[index].folder : none, plan->database,
                        err))
        return located(&config->source.section, err);
    if (!row || row->type != SETTING_TEXT)
        return true;
    struct bytes *id = (struct bytes *)(void *)(copy + row->offset);
    return build_server_id(*id, index, config->sink_count, &config->arena, id, err) ||
           located(&config->source.section, err);
}

static bool check_routes(const struct config *config, const struct plan *plan, struct error *err)
{
    struct route *route = NULL;
    struct error what = { 0 };
    if (route_compile(&plan->options.routes, &route, &what)) {
        route_free(route);
        return true;
    }
    *err = what;
    return what.code ? parse_error(err, config->path, (uint32_t)what.code, "%s", what.message)
                     : located(&config->source.section, err);
}

/* Several workers make their rows visible apart from each other. */
static bool check_order(const struct plan *plan, const struct config_sink *sink, struct error *err)
{
    bool numbers = plan->sink->numbers && plan->sink->numbers(plan->sink_options);
    if (!numbers || sink->parallelism == 1)
        return true;
    error_set(
        err, ERROR_CONFIG,
        "sink.parallelism: provide.transaction.metadata tells one order of all changes, which "
        "takes one worker: 1");
    return located(&sink->section, err);
}

static bool check_listen(const struct config *config, struct error *err)
{
    const struct config_pipeline *pipeline = &config->pipeline;
    struct http_address address;
    struct error what;
    return pipeline->http_line == 0 || bytes_is(pipeline->http_listen, "none") ||
           http_address(pipeline->http_listen, &address, &what) ||
           parse_error(err, config->path, pipeline->http_line, "pipeline: %s", what.message);
}

static bool build_sink(struct config *config, struct config_sink *sink, struct plan *plan,
                       struct error *err)
{
    if (!find_sink(sink, &plan->sink, err))
        return false;
    plan->sink_options = arena_zalloc(&config->arena, plan->sink->options_size + 1);
    if (!config_fill(config, &sink->section, FLINK_SINK, config_sink_settings, plan->sink->settings,
                     plan->sink_options, err))
        return false;
    fill_options(config, plan);
    struct change_names names = { sink->include_changes, sink->exclude_changes,
                                  config->source.schema_changes };
    if (!build_change_bits(&names, plan->options.schema_behavior, &plan->options.schema_changes,
                           err))
        return located(&sink->section, err);
    if (plan->sink->valid && !plan->sink->valid(plan->sink_options, err))
        return located(&sink->section, err);
    return check_order(plan, sink, err) && check_routes(config, plan, err);
}

/* The sink as the pipeline of one database shows it. */
static const struct config_sink *sink_for(struct config *config, uint32_t index,
                                          struct bytes database)
{
    struct arena *arena = &config->arena;
    const struct config_sink *sink = &config->sinks[index];
    if (database.size == 0)
        return sink;
    struct config_sink *own = arena_alloc(arena, sizeof *own);
    *own = *sink;
    own->name = arena_printf(arena, "%.*s@%.*s", BYTES_ARGS(sink->name), BYTES_ARGS(database));
    own->folder = arena_printf(arena, "%.*s@%.*s", BYTES_ARGS(sink->folder),
                               BYTES_ARGS(databases_label(arena, database)));
    own->section.title =
        (const char *)arena_printf(arena, "sink '%.*s'", BYTES_ARGS(own->name)).data;
    return own;
}

/* The pipelines of one sink: one, or one for each database, with the same options of the sink. */
static bool build_readers(struct config *config, const struct source_driver *source,
                          const void *options, const struct setting_list *databases, uint32_t index,
                          struct plan *plans, struct error *err)
{
    size_t count = databases->count ? databases->count : 1;
    struct plan base = { .sink_index = index, .sink_config = &config->sinks[index] };
    base.database = databases->count ? databases->items[0] : (struct bytes){ 0 };
    if (!source_options(config, source, options, &base, err) ||
        !build_sink(config, &config->sinks[index], &base, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct plan *plan = &plans[i];
        *plan = base;
        plan->database = databases->count ? databases->items[i] : base.database;
        plan->sink_config = sink_for(config, index, plan->database);
        uint32_t changes = base.options.schema_changes;
        if (!source_options(config, source, options, plan, err))
            return false;
        fill_options(config, plan);
        plan->options.schema_changes = changes;
        plan->options.memory_bytes /= (int64_t)count;
    }
    return true;
}

static bool check_memory(const struct config *config, size_t databases, struct error *err)
{
    int64_t least = (int64_t)databases * DATABASE_MEMORY_LEAST;
    return config->pipeline.memory_bytes >= least ||
           error_set(err, ERROR_CONFIG,
                     "%s: memory.budget: %zu databases share it: give at least %" PRId64 "mb",
                     config->path, databases, least >> 20);
}

bool build_plans(struct config *config, struct plan **plans, uint32_t *count, struct error *err)
{
    const struct source_driver *source = NULL;
    if (!find_source(&config->source, &source, err))
        return false;
    void *options = arena_zalloc(&config->arena, source->options_size + 1);
    if (!config_fill(config, &config->source.section, FLINK_SOURCE, config_source_settings,
                     source->settings, options, err))
        return false;
    if (source->valid && !source->valid(options, err))
        return located(&config->source.section, err);
    struct setting_list databases;
    if (!databases_of(&config->source, source, options, &databases, err))
        return located(&config->source.section, err);
    if (!check_memory(config, databases.count, err))
        return false;
    uint32_t readers = databases.count ? (uint32_t)databases.count : 1;
    struct plan *all =
        arena_array(&config->arena, (size_t)config->sink_count * readers, sizeof *all);
    for (uint32_t i = 0; i < config->sink_count; i++)
        if (!build_readers(config, source, options, &databases, i, all + (size_t)i * readers, err))
            return false;
    *plans = all;
    *count = config->sink_count * readers;
    if (!databases_slots_differ(all, *count, err))
        return located(&config->source.section, err);
    databases_warn_left(config, source, options, all, *count);
    return check_listen(config, err);
}

bool build_begin_from(struct plan *plan, const char *place, struct error *err)
{
    if (!plan->source->begin_from)
        return error_set(err, ERROR_CONFIG, "--from: the source '%s' has one place to begin at",
                         plan->source->name);
    if (!plan->source->begin_from(plan->source_options, bytes_from(place), err))
        return error_context(err, "--from");
    plan->options.start = start_of(plan->source, plan->source_options);
    plan->options.until_snapshot_done = false;
    plan->options.origin = bytes_from(place);
    return true;
}

void build_title(const struct plan *plan, char *out, size_t size)
{
    const char *name = (const char *)plan->sink_config->name.data;
    bool named = strcmp(plan->sink->name, name) != 0;
    snprintf(out, size, "%s%s%s", plan->sink->name, named ? " " : "", named ? name : "");
}

void build_narrow(struct config *config, struct plan *plan, const char *pattern)
{
    struct bytes *tables = arena_array(&config->arena, 1, sizeof *tables);
    tables[0] = bytes_from(pattern);
    plan->options.routes.tables = tables;
    plan->options.routes.table_count = 1;
    plan->options.checkpoint_directory =
        arena_printf(&config->arena, "%.*s-backfill-%016" PRIx64,
                     BYTES_ARGS(plan->options.checkpoint_directory), bytes_hash(tables[0]));
    struct bytes *slot = databases_text(plan->source, "slot.name", plan->source_options);
    if (!slot)
        return;
    /* A slot of its own too, which goes when all is done: begun again, it begins anew. */
    *slot =
        databases_slot(&config->arena, *slot,
                       arena_printf(&config->arena, "%08" PRIx32, (uint32_t)bytes_hash(tables[0])));
    plan->options.on_lost_position = LOST_RESYNC;
}

bool build_reaches(const struct plan *plan)
{
    struct route *route = NULL;
    struct error ignored;
    if (plan->database.size == 0 || !route_compile(&plan->options.routes, &route, &ignored))
        return true; /* who compiles it next tells what is wrong */
    bool reaches = route_reaches(route, plan->database);
    route_free(route);
    return reaches;
}
