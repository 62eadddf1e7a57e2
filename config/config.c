/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of the agent's own settings, and the shape of the file around them. */
#include "config/config.h"

#include <string.h>

#include "engine/base/assert.h"

#define SOURCE(field)   SETTING_FIELD(config_source, field)
#define SINK(field)     SETTING_FIELD(config_sink, field)
#define ROUTE(field)    SETTING_FIELD(config_route, field)
#define PIPELINE(field) SETTING_FIELD(config_pipeline, field)

enum { NAME_MAX_SIZE = 90 };

const struct setting config_source_settings[] = {
    { "type", SETTING_TEXT, SOURCE(type), NULL,
      "The driver that reads: mysql, mariadb or postgres.", 0, 0, NULL },
    { "name", SETTING_TEXT, SOURCE(name), "", "A name of your own for the source.", 0, 0, NULL },
    { "tables", SETTING_LIST, SOURCE(tables), NULL,
      "Patterns database.table, a list or separated by commas: an unescaped dot separates, `\\.` "
      "is the dot of a regular expression.",
      0, 0, NULL },
    { "tables.exclude", SETTING_LIST, SOURCE(exclude), "",
      "Patterns of tables that are left out although `tables` matches them.", 0, 0, NULL },
    { "schema-change.enabled", SETTING_BOOL, SOURCE(schema_changes), "true",
      "Whether schema changes are followed; false lets only new tables through.", 0, 0, NULL },
    { "scan.incremental.snapshot.chunk.size", SETTING_INT, SOURCE(chunk_rows), "32768",
      "Rows of a snapshot chunk, at most.", 1, 10000000, NULL },
    { "retention.check.interval", SETTING_DURATION, SOURCE(retention_interval_ms), "30s",
      "How often the server is asked how long it keeps the log that is not delivered yet: a "
      "warning at 50 and at 80 % of that; 0: never.",
      0, 86400 * 1000, NULL },
    { 0 },
};

const struct setting config_sink_settings[] = {
    { "type", SETTING_TEXT, SINK(type), NULL,
      "The driver that writes: clickhouse, kafka, stdout or blackhole.", 0, 0, NULL },
    { "name", SETTING_TEXT, SINK(name), "",
      "A name of your own, for messages, metrics and the checkpoint's folder; the type when empty.",
      0, 0, NULL },
    { "sink.buffer-flush.max-rows", SETTING_INT, SINK(flush_rows), "100000",
      "Rows of one load, at most.", 1, 100000000, NULL },
    { "sink.buffer-flush.max-bytes", SETTING_SIZE, SINK(flush_bytes), "8mb",
      "Bytes of one load, about.", 64 * 1024, 1LL << 30, NULL },
    { "sink.buffer-flush.interval", SETTING_DURATION, SINK(flush_interval_ms), "1s",
      "How long a row may wait for others before it is sent.", 10, 3600 * 1000, NULL },
    { "sink.parallelism", SETTING_INT, SINK(parallelism), "1",
      "Workers that write; a table belongs to one of them.", 1, 8, NULL },
    { "include.schema.changes", SETTING_LIST, SINK(include_changes), "",
      "Only these schema changes are applied: add.column, alter.column.type, create.table, "
      "drop.column, drop.table, rename.column, truncate.table, alter.table.comment, or a prefix "
      "such as `drop`; empty: all.",
      0, 0, NULL },
    { "exclude.schema.changes", SETTING_LIST, SINK(exclude_changes), "",
      "These schema changes are not applied; lenient keeps drop.column out, and where both lists "
      "are "
      "empty drop.table and truncate.table. What is left out: add.column: the column's values; "
      "alter.column.type: the target's type stays, and the table parks at a value that does not "
      "fit; create.table: a table parks that has no target; drop.column: the column stays, without "
      "new values; drop.table, truncate.table: the rows stay; rename.column: the new name is a "
      "column of its own. RENAME TABLE is always followed, for the rows go there.",
      0, 0, NULL },
    { 0 },
};

const struct setting config_route_settings[] = {
    { "source-table", SETTING_TEXT, ROUTE(source_table), NULL,
      "Pattern of the tables that the rule is for.", 0, 0, NULL },
    { "sink-table", SETTING_TEXT, ROUTE(sink_table), NULL,
      "Where they go: database.table, with $1 to $9 of the pattern's groups or the replace-symbol.",
      0, 0, NULL },
    { "replace-symbol", SETTING_TEXT, ROUTE(replace_symbol), "",
      "A text in sink-table that stands for the source table's name.", 0, 0, NULL },
    { "sink", SETTING_TEXT, ROUTE(sink), "",
      "The name of the sink that the rule holds for; empty: "
      "all.",
      0, 0, NULL },
    { 0 },
};

static const char *const schema_behaviors[] = { "evolve", "try_evolve", "lenient",
                                                "ignore", "exception",  NULL };
static const char *const lost_policies[] = { "stop", "resync", "latest", NULL };
static const char *const retry_types[] = { "exponential-delay", "fixed-delay", "none", NULL };
static const char *const log_levels[] = { "error", "warn", "info", "debug", NULL };
static const char *const log_formats[] = { "auto", "text", "journal", "json", NULL };

const struct setting config_pipeline_settings[] = {
    { "name", SETTING_TEXT, PIPELINE(name), "",
      "A name of your own; the file's name without its ending when empty.", 0, 0, NULL },
    { "checkpoint.directory", SETTING_TEXT, PIPELINE(checkpoint_directory), "",
      "Where positions are kept, a folder a sink; /var/lib/millrace/<name> when empty.", 0, 0,
      NULL },
    { "checkpoint.interval", SETTING_DURATION, PIPELINE(checkpoint_interval_ms), "1s",
      "How often the position is written down.", 10, 600 * 1000, NULL },
    { "checkpoint.timeout", SETTING_DURATION, PIPELINE(checkpoint_timeout_ms), "10min",
      "A flush that takes longer is told once, with the part that is slow. It is not broken off: "
      "rows "
      "are on their way, and the position waits for them.",
      100, 86400 * 1000, NULL },
    { "savepoint.num-retained", SETTING_INT, PIPELINE(savepoints_retained), "10",
      "How many savepoints are kept of those made without a path of their own.", 1, 10000, NULL },
    { "schema.change.behavior", SETTING_CHOICE, PIPELINE(schema_behavior), "lenient",
      "What happens to a schema change of the source. evolve: the target follows, and a table "
      "parks "
      "where it cannot. try_evolve: a change that the target refuses is left out with a warning. "
      "lenient: as evolve, but columns, tables and rows that the source drops or truncates stay in "
      "the target. ignore: targets stay as they are; rows bring the columns that both sides have, "
      "and a table parks when a value does not fit. exception: the pipeline ends at the first "
      "change, before the rows behind it.",
      0, 0, schema_behaviors },
    { "snapshot.parallelism", SETTING_INT, PIPELINE(snapshot_parallelism), "2",
      "Connections that read the snapshot.", 1, 32, NULL },
    { "memory.budget", SETTING_SIZE, PIPELINE(memory_bytes), "32mb",
      "Memory of rows on their way, for each sink.", 4 << 20, 64LL << 30, NULL },
    { "on-lost-position", SETTING_CHOICE, PIPELINE(lost_policy), "stop",
      "What to do when the source no longer has the log at our position: stop and say so, read "
      "everything again, or go on at the log's end and lose what lay between.",
      0, 0, lost_policies },
    { "restart-strategy.type", SETTING_CHOICE, PIPELINE(retry_type), "exponential-delay",
      "What follows a lost connection or a busy server, of the source as of a sink: waits that "
      "grow, "
      "waits of one length for so many attempts, or the end of the pipeline.",
      0, 0, retry_types },
    { "restart-strategy.exponential-delay.initial-backoff", SETTING_DURATION,
      PIPELINE(retry_initial_ms), "500ms", "The first wait.", 1, 600 * 1000, NULL },
    { "restart-strategy.exponential-delay.max-backoff", SETTING_DURATION,
      PIPELINE(retry_maximum_ms), "30s", "The longest wait.", 1, 3600 * 1000, NULL },
    { "restart-strategy.exponential-delay.backoff-multiplier", SETTING_DECIMAL,
      PIPELINE(retry_multiplier), "2.0", "How many times longer each wait is than the one before.",
      1000, 100000, NULL },
    { "restart-strategy.exponential-delay.jitter-factor", SETTING_DECIMAL, PIPELINE(retry_jitter),
      "0.1", "Part of a wait that chance adds or takes, so that many agents do not knock together.",
      0, 1000, NULL },
    { "restart-strategy.exponential-delay.reset-backoff-threshold", SETTING_DURATION,
      PIPELINE(retry_reset_ms), "0s",
      "How long after the last failure waits and attempts begin anew; 0: with the first success.",
      0, 86400 * 1000, NULL },
    { "restart-strategy.exponential-delay.attempts-before-reset-backoff", SETTING_INT,
      PIPELINE(retry_attempts), "0", "Attempts without success before giving up; 0: never.", 0,
      1000000, NULL },
    { "restart-strategy.fixed-delay.attempts", SETTING_INT, PIPELINE(retry_fixed_attempts), "1",
      "Attempts without success before giving up.", 1, INT32_MAX, NULL },
    { "restart-strategy.fixed-delay.delay", SETTING_DURATION, PIPELINE(retry_fixed_ms), "1s",
      "The wait before each.", 1, 3600 * 1000, NULL },
    { "http.listen", SETTING_TEXT, PIPELINE(http_listen), "127.0.0.1:8040",
      "Address and port of /healthz, /metrics and /status; none turns them off.", 0, 0, NULL },
    { "log.level", SETTING_CHOICE, PIPELINE(log_level), "info", "The least that is logged.", 0, 0,
      log_levels },
    { "log.format", SETTING_CHOICE, PIPELINE(log_format), "auto",
      "How it is logged; auto is journal under systemd, else text.", 0, 0, log_formats },
    { 0 },
};

/* ---- leftovers ---- */

void config_warn(struct config *config, struct bytes text)
{
    if (config->warning_count < CONFIG_WARNINGS_MAX)
        config->warnings[config->warning_count++] = text;
}

static bool leftover(struct config *config, const struct section *section, enum flink_part part,
                     const struct setting *const *tables, size_t count, struct error *err)
{
    for (uint32_t i = 0; i < section->count; i++) {
        const struct section_item *item = &section->items[i];
        if (item->used)
            continue;
        const char *why = flink_ignored(part, item->key);
        if (why) {
            if (*why)
                config_warn(config, arena_printf(&config->arena, "%s:%u: %s: '%.*s' is ignored: %s",
                                                 section->file, item->line, section->title,
                                                 BYTES_ARGS(item->key), why));
            continue;
        }
        const char *nearest = setting_nearest(tables, count, item->key);
        return parse_error(err, section->file, item->line, "%s: unknown key '%.*s'%s%s%s",
                           section->title, BYTES_ARGS(item->key),
                           nearest ? "; did you mean '" : "; `millrace options` lists all keys",
                           nearest ? nearest : "", nearest ? "'?" : "");
    }
    return true;
}

bool config_fill(struct config *config, struct section *section, enum flink_part part,
                 const struct setting *common, const struct setting *driver, void *options,
                 struct error *err)
{
    const struct setting *const tables[] = { common, driver };
    return setting_fill(driver, section, options, &config->arena, err) &&
           leftover(config, section, part, tables, 2, err);
}

/* ---- the parts of the file ---- */

struct bytes config_folder(struct arena *arena, struct bytes name)
{
    uint8_t *out = arena_raw(arena, name.size + 2);
    for (size_t i = 0; i < name.size; i++) {
        uint8_t letter = name.data[i];
        bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                     (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' ||
                     (letter == '.' && i > 0);
        out[i] = plain ? letter : '_';
    }
    size_t size = name.size ? name.size : 1;
    if (name.size == 0)
        out[0] = '_';
    out[size] = '\0';
    return (struct bytes){ out, size };
}

static bool name_fits(const struct section *section, struct bytes name, struct error *err)
{
    bool ok = name.size <= NAME_MAX_SIZE;
    for (size_t i = 0; i < name.size; i++)
        ok = ok && name.data[i] >= 0x20 && name.data[i] != 0x7f;
    return ok || parse_error(err, section->file, section->line,
                             "%s: 'name' must be a text of at most %d bytes", section->title,
                             NAME_MAX_SIZE);
}

static bool read_source(struct config *config, const struct node *node, struct error *err)
{
    struct config_source *source = &config->source;
    if (!section_of(node, config->path, "source", &config->arena, &source->section, err) ||
        !setting_fill(config_source_settings, &source->section, source, &config->arena, err) ||
        !name_fits(&source->section, source->name, err))
        return false;
    if (source->tables.count == 0)
        return parse_error(err, config->path, source->section.line,
                           "source: 'tables' names no table");
    return true;
}

static bool read_sink(struct config *config, const struct node *node, struct error *err)
{
    struct config_sink *sink = &config->sinks[config->sink_count];
    struct section *section = &sink->section;
    if (!section_of(node, config->path, "sink", &config->arena, section, err) ||
        !setting_fill(config_sink_settings, section, sink, &config->arena, err) ||
        !name_fits(section, sink->name, err))
        return false;
    if (sink->name.size == 0)
        sink->name = sink->type;
    section->title =
        (const char *)arena_printf(&config->arena, "sink '%.*s'", BYTES_ARGS(sink->name)).data;
    sink->folder = config_folder(&config->arena, sink->name);
    for (uint32_t i = 0; i < config->sink_count; i++)
        if (bytes_equal(config->sinks[i].folder, sink->folder))
            return parse_error(err, config->path, section->line,
                               "two sinks are called '%.*s': give each a 'name' of its own",
                               BYTES_ARGS(sink->name));
    config->sink_count++;
    return true;
}

static bool read_sinks(struct config *config, const struct node *one, const struct node *many,
                       struct error *err)
{
    if (one && many)
        return parse_error(err, config->path, many->line, "write either 'sink' or 'sinks'");
    if (!one && !many)
        return parse_error(err, config->path, 1, "'sink' (or 'sinks') is missing");
    config->sinks = arena_array(&config->arena, CONFIG_SINKS_MAX, sizeof *config->sinks);
    if (one && one->kind == NODE_LIST)
        return parse_error(err, config->path, one->line, "a list of sinks is called 'sinks'");
    if (one)
        return read_sink(config, one, err);
    if (many->kind != NODE_LIST || many->count == 0)
        return parse_error(err, config->path, many->line, "'sinks' must be a list of sinks");
    if (many->count > CONFIG_SINKS_MAX)
        return parse_error(err, config->path, many->line, "more than %d sinks", CONFIG_SINKS_MAX);
    for (uint32_t i = 0; i < many->count; i++)
        if (!read_sink(config, many->entries[i].value, err))
            return false;
    return true;
}

static bool sink_exists(const struct config *config, struct bytes name)
{
    for (uint32_t i = 0; i < config->sink_count; i++)
        if (bytes_equal(config->sinks[i].name, name))
            return true;
    return false;
}

static bool read_route(struct config *config, const struct node *node, struct error *err)
{
    static const struct setting *const tables[] = { config_route_settings };
    struct config_route *route = &config->routes[config->route_count];
    struct section section;
    if (!section_of(node, config->path, "route", &config->arena, &section, err) ||
        !setting_fill(config_route_settings, &section, route, &config->arena, err) ||
        !leftover(config, &section, FLINK_ROUTE, tables, 1, err))
        return false;
    route->line = node->line;
    if (route->sink.size > 0 && !sink_exists(config, route->sink))
        return parse_error(err, config->path, node->line, "route: there is no sink '%.*s'",
                           BYTES_ARGS(route->sink));
    config->route_count++;
    return true;
}

static bool read_routes(struct config *config, const struct node *node, struct error *err)
{
    if (!node || node->kind == NODE_NULL)
        return true;
    if (node->kind != NODE_LIST)
        return parse_error(err, config->path, node->line, "'route' must be a list of rules");
    if (node->count > CONFIG_ROUTES_MAX)
        return parse_error(err, config->path, node->line, "more than %d rules", CONFIG_ROUTES_MAX);
    config->routes = arena_array(&config->arena, node->count + 1, sizeof *config->routes);
    for (uint32_t i = 0; i < node->count; i++)
        if (!read_route(config, node->entries[i].value, err))
            return false;
    return true;
}

/* "/etc/millrace/shop.yaml" -> "shop" */
static struct bytes name_of_file(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct bytes name = bytes_from(slash ? slash + 1 : path);
    const char *dot = strrchr((const char *)name.data, '.');
    if (dot && dot != (const char *)name.data)
        name.size = (size_t)((const uint8_t *)dot - name.data);
    if (name.size > NAME_MAX_SIZE)
        name.size = NAME_MAX_SIZE;
    return config_folder(arena, name);
}

static bool read_pipeline(struct config *config, const struct node *node, struct error *err)
{
    static const struct setting *const tables[] = { config_pipeline_settings };
    struct config_pipeline *pipeline = &config->pipeline;
    struct arena *arena = &config->arena;
    struct node none = { .kind = NODE_MAP, .line = 1 };
    struct section section;
    if (!node || node->kind == NODE_NULL)
        node = &none;
    if (!section_of(node, config->path, "pipeline", arena, &section, err) ||
        !setting_fill(config_pipeline_settings, &section, pipeline, arena, err) ||
        !leftover(config, &section, FLINK_PIPELINE, tables, 1, err) ||
        !name_fits(&section, pipeline->name, err))
        return false;
    if (pipeline->retry_maximum_ms < pipeline->retry_initial_ms)
        return parse_error(err, config->path, section.line,
                           "pipeline: max-backoff is shorter than initial-backoff");
    if (pipeline->name.size == 0)
        pipeline->name = name_of_file(arena, config->path);
    if (pipeline->checkpoint_directory.size == 0) {
        struct bytes folder = config_folder(arena, pipeline->name);
        pipeline->checkpoint_directory =
            arena_printf(arena, "/var/lib/millrace/%.*s", BYTES_ARGS(folder));
    }
    const struct section_item *listen = section_find(&section, "http.listen");
    pipeline->http_line = listen ? listen->line : 0;
    return true;
}

static bool read_transform(const struct config *config, const struct node *node, struct error *err)
{
    if (!node || node->kind == NODE_NULL || (node->kind == NODE_LIST && node->count == 0))
        return true;
    return parse_error(err, config->path, node->line, "'transform' is not supported yet");
}

/* ---- the whole ---- */

enum part {
    PART_SOURCE,
    PART_SINK,
    PART_SINKS,
    PART_ROUTE,
    PART_TRANSFORM,
    PART_PIPELINE,
    PART_COUNT
};
static const struct setting parts[] = {
    [PART_SOURCE] = { .name = "source" },
    [PART_SINK] = { .name = "sink" },
    [PART_SINKS] = { .name = "sinks" },
    [PART_ROUTE] = { .name = "route" },
    [PART_TRANSFORM] = { .name = "transform" },
    [PART_PIPELINE] = { .name = "pipeline" },
    [PART_COUNT] = { 0 },
};

static bool find_parts(const struct config *config, const struct node **found, struct error *err)
{
    static const struct setting *const tables[] = { parts };
    const struct node *root = config->root;
    if (root->kind != NODE_MAP)
        return parse_error(err, config->path, root->line,
                           "the file must be a map with source, sink and pipeline");
    for (uint32_t i = 0; i < root->count; i++) {
        const struct node_entry *entry = &root->entries[i];
        const struct setting *part = setting_find(parts, entry->key);
        if (!part) {
            const char *nearest = setting_nearest(tables, 1, entry->key);
            return parse_error(err, config->path, entry->line, "unknown part '%.*s'; %s%s%s",
                               BYTES_ARGS(entry->key),
                               nearest ? "did you mean '"
                                       : "there are "
                                         "source, sink, sinks, route, transform and pipeline",
                               nearest ? nearest : "", nearest ? "'?" : "");
        }
        found[part - parts] = entry->value;
    }
    return true;
}

static bool read_parts(struct config *config, struct error *err)
{
    const struct node *found[PART_COUNT] = { 0 };
    if (!find_parts(config, found, err))
        return false;
    if (!found[PART_SOURCE])
        return parse_error(err, config->path, 1, "'source' is missing");
    return read_source(config, found[PART_SOURCE], err) &&
           read_sinks(config, found[PART_SINK], found[PART_SINKS], err) &&
           read_routes(config, found[PART_ROUTE], err) &&
           read_transform(config, found[PART_TRANSFORM], err) &&
           read_pipeline(config, found[PART_PIPELINE], err);
}

bool config_read(const char *name, struct bytes text, struct config *out, struct error *err)
{
    *out = (struct config){ 0 };
    out->path = arena_text(&out->arena, bytes_from(name));
    return parse_text(out->path, text, &out->arena, &out->root, err) && read_parts(out, err);
}

bool config_load(const char *path, bool lenient, struct config *out, struct error *err)
{
    *out = (struct config){ 0 };
    out->path = arena_text(&out->arena, bytes_from(path));
    return parse_file(out->path, lenient, &out->arena, &out->root, err) && read_parts(out, err);
}

void config_done(struct config *config)
{
    parse_wipe(config->root);
    arena_done(&config->arena);
    config->root = NULL;
}
