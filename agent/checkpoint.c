/* SPDX-License-Identifier: Apache-2.0
 *
 * `millrace checkpoint show|export|import`: what the checkpoints of a config's sinks hold, for a
 * person, and as a text that another place can go on from (exported.h). Looking and exporting open
 * the records for reading only, beside the agent that writes them or without one; importing takes
 * the agent's lock, so it never runs beside one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/build.h"
#include "agent/command.h"
#include "agent/exported.h"
#include "agent/stored.h"
#include "agent/terminal.h"
#include "engine/base/assert.h"
#include "engine/base/cleanup.h"
#include "engine/base/json_write.h"

enum { TEXT_MAX = 1 << 30, SHOWN_MAX = 65536 };
_Static_assert((int)EXPORT_SINKS_MAX == (int)CONFIG_SINKS_MAX, "all sinks of a config fit");

struct work {
    struct config config;
    struct plan *plans;
    uint32_t count;
    struct bytes pipeline;
};

static void work_done(struct work *work) { config_done(&work->config); }

static const char *directory_of(const struct work *work, uint32_t index)
{
    return (const char *)work->plans[index].options.checkpoint_directory.data;
}

static struct bytes sink_name(const struct work *work, uint32_t index)
{
    return work->plans[index].sink_config->name;
}

static void image_cleanup(struct checkpoint_image *image) { checkpoint_image_done(image); }

static bool peek(const struct work *work, uint32_t index, struct checkpoint_image *image,
                 struct buf *shown, struct error *err)
{
    const char *directory = directory_of(work, index);
    if (!checkpoint_is_there(directory))
        return error_set(err, ERROR_CONFIG,
                         "sink '%.*s' has no checkpoint yet in '%s': run the pipeline first",
                         BYTES_ARGS(sink_name(work, index)), directory);
    if (!checkpoint_peek(directory, image, err))
        return false;
    stored_position(&work->plans[index], image->position.token, shown);
    return true;
}

/* ---- show ---- */

static void print_text(struct bytes text) { terminal_print(stdout, 0, text); }

static void print_mark(const char *before, uint64_t mark)
{
    printf("%s%" PRIu64 ":%" PRIu32, before, mark_commit(mark), mark_row(mark));
}

static void print_pair(struct bytes database, struct bytes name)
{
    print_text(database);
    printf(".");
    print_text(name);
}

static void print_ranges(const struct checkpoint_image *image, uint32_t table_id)
{
    struct checkpoint_progress read = checkpoint_progress_of(image, table_id);
    if (read.ranges > 0)
        printf(", %" PRIu32 " of %" PRIu32 " ranges read, %" PRIu64 " rows", read.complete,
               read.ranges, read.rows);
}

static void print_tables(const struct checkpoint_image *image)
{
    printf("    catalog   %zu versions of tables\n", image->table_count);
    for (size_t i = 0; i < image->table_count; i++) {
        const struct table *table = image->tables[i];
        const struct table_record *record = checkpoint_record_of(image, table->id);
        if (!stored_is_newest(image, i))
            continue;
        printf("      ");
        print_pair(table->database, table->name);
        if (table->version == TABLE_DROPPED_VERSION) {
            print_mark(": dropped at ", table->valid_from);
        } else {
            printf(": version %" PRIu32 ", %u columns, %s", table->version, table->column_count,
                   record ? table_state_name(checkpoint_state_of(image, record)) : "not captured");
            print_ranges(image, table->id);
        }
        if (record && record->reason.size > 0) {
            printf(": ");
            print_text(record->reason);
        }
        printf("\n");
    }
}

static void print_loads(const struct checkpoint_image *image)
{
    if (image->intent_count == 0)
        printf("    pending   no load is under way\n");
    for (size_t i = 0; i < image->intent_count; i++) {
        const struct intent *intent = &image->intents[i];
        printf("    pending   ");
        print_pair(intent->database, intent->name);
        printf(": %" PRIu32 " rows, %" PRIu32 " chunks", intent->rows, intent->chunk_count);
        if (intent->rows > 0) {
            print_mark(", marks ", intent->first);
            print_mark(" to ", intent->last);
        }
        printf(", label ");
        print_text(intent->label);
        printf("\n");
    }
    for (size_t i = 0; i < image->target_count; i++) {
        printf("    applied   ");
        print_pair(image->targets[i].database, image->targets[i].name);
        print_mark(": up to mark ", image->targets[i].applied);
        printf("\n");
    }
}

static void print_sink(const struct work *work, uint32_t index,
                       const struct checkpoint_image *image, struct bytes shown)
{
    printf("  sink ");
    print_text(sink_name(work, index));
    printf(": ");
    print_text(image->identity);
    printf("\n    directory %s\n    position  ", directory_of(work, index));
    print_text(shown.size > 0 ? shown : BYTES_LITERAL("none yet"));
    if (image->position.token.data)
        print_mark("; mark ", image->position.mark);
    printf("\n    starts    epoch %" PRIu64 "\n", image->epoch);
    print_tables(image);
    print_loads(image);
}

static bool show_sink(const struct work *work, uint32_t index, struct buf *json, struct error *err)
{
    CLEANUP(image_cleanup) struct checkpoint_image image = { 0 };
    CLEANUP(buf_done) struct buf shown;
    buf_init(&shown, SHOWN_MAX);
    if (!peek(work, index, &image, &shown, err))
        return false;
    if (!json) {
        print_sink(work, index, &image, buf_view(&shown));
        return true;
    }
    struct export export = { .out = json, .bare = true };
    buf_text(json, index > 0 ? ",\n{\"directory\":" : "{\"directory\":");
    json_put_text(json, work->plans[index].options.checkpoint_directory);
    buf_text(json, ",\"records\":[\n");
    export_sink(&export, sink_name(work, index), &image, buf_view(&shown));
    buf_text(json, "]}");
    return true;
}

static bool show(const struct work *work, const struct arguments *arguments, struct error *err)
{
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, TEXT_MAX);
    if (!arguments->json) {
        printf("pipeline ");
        print_text(work->pipeline);
        printf("\n");
    }
    buf_text(&json, "{\"pipeline\":");
    json_put_text(&json, work->pipeline);
    buf_text(&json, ",\"sinks\":[\n");
    for (uint32_t i = 0; i < work->count; i++)
        if (!show_sink(work, i, arguments->json ? &json : NULL, err))
            return false;
    buf_text(&json, "]}\n");
    if (json.failed)
        return error_set(err, ERROR_CONFIG, "the checkpoint is too large to be shown");
    if (arguments->json)
        fwrite(json.data, 1, json.size, stdout);
    return true;
}

/* ---- export ---- */

static bool export_all(const struct work *work, struct buf *out, struct error *err)
{
    struct export export = { .out = out };
    export_begin(&export, work->pipeline);
    for (uint32_t i = 0; i < work->count; i++) {
        CLEANUP(image_cleanup) struct checkpoint_image image = { 0 };
        CLEANUP(buf_done) struct buf shown;
        buf_init(&shown, SHOWN_MAX);
        if (!peek(work, i, &image, &shown, err))
            return false;
        export_sink(&export, sink_name(work, i), &image, buf_view(&shown));
    }
    export_end(&export);
    return !out->failed ||
           error_set(err, ERROR_CONFIG, "the checkpoint is too large to be exported");
}

/* Under another name until it is whole; its own name may be a pipe. */
static bool write_file(const char *path, struct bytes text, struct error *err)
{
    char temporary[4200];
    struct stat facts;
    bool direct = stat(path, &facts) == 0 && !S_ISREG(facts.st_mode);
    if (snprintf(temporary, sizeof temporary, "%s%s", path, direct ? "" : ".new") >=
        (int)sizeof temporary)
        return error_set(err, ERROR_CONFIG, "'%.200s...': the path is too long", path);
    FILE *file = fopen(temporary, "we");
    if (!file)
        return error_code(err, ERROR_CONFIG, errno, "make '%s': %s", temporary, strerror(errno));
    bool ok = fwrite(text.data, 1, text.size, file) == text.size && fflush(file) == 0 &&
              (direct || fsync(fileno(file)) == 0);
    if (!ok)
        error_code(err, ERROR_CONFIG, errno, "write '%s': %s", temporary, strerror(errno));
    if (fclose(file) != 0 && ok)
        ok = error_code(err, ERROR_CONFIG, errno, "write '%s': %s", temporary, strerror(errno));
    if (ok && !direct && rename(temporary, path) != 0)
        ok = error_code(err, ERROR_CONFIG, errno, "rename '%s': %s", temporary, strerror(errno));
    if (!ok && !direct)
        unlink(temporary);
    return ok;
}

static bool export_to(const struct work *work, const struct arguments *arguments, struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    if (!export_all(work, &text, err))
        return false;
    if (arguments->path)
        return write_file(arguments->path, buf_view(&text), err);
    fwrite(text.data, 1, text.size, stdout);
    return true;
}

/* ---- import ---- */

static bool read_file(const char *path, struct buf *out, struct error *err)
{
    uint8_t piece[65536];
    size_t size;
    FILE *file = fopen(path, "re");
    if (!file)
        return error_code(err, ERROR_CONFIG, errno, "open '%s': %s", path, strerror(errno));
    while ((size = fread(piece, 1, sizeof piece, file)) > 0)
        buf_put(out, piece, size);
    bool failed = ferror(file) || out->failed;
    fclose(file);
    return !failed || error_set(err, ERROR_CONFIG, "'%s' cannot be read, or is too large", path);
}

static const struct imported_sink *find_sink(const struct imported *imported, struct bytes name)
{
    for (uint32_t i = 0; i < imported->count; i++)
        if (bytes_equal(imported->sinks[i].name, name))
            return &imported->sinks[i];
    return NULL;
}

/* Is the file for this config, sink by sink? Nothing is replaced before all of it fits. */
static bool fits(const struct work *work, const struct imported *imported, bool force,
                 struct error *err)
{
    if (!bytes_equal(imported->pipeline, work->pipeline))
        return error_set(err, ERROR_CONFIG, "it is of pipeline '%.*s', and this is '%.*s'",
                         BYTES_ARGS(imported->pipeline), BYTES_ARGS(work->pipeline));
    for (uint32_t i = 0; i < work->count; i++) {
        const struct plan *plan = &work->plans[i];
        struct bytes name = sink_name(work, i);
        const struct imported_sink *sink = find_sink(imported, name);
        char identity[PIPELINE_IDENTITY_SIZE], title[METRICS_NAME_SIZE];
        if (!sink)
            return error_set(err, ERROR_CONFIG, "it has no checkpoint of sink '%.*s'",
                             BYTES_ARGS(name));
        build_title(plan, title, sizeof title);
        pipeline_identity(plan->source, title, identity);
        if (!bytes_is(sink->image.identity, identity))
            return error_set(err, ERROR_CONFIG, "its sink '%.*s' is '%.*s', and here it is '%s'",
                             BYTES_ARGS(name), BYTES_ARGS(sink->image.identity), identity);
        if (!force && checkpoint_is_there(directory_of(work, i)))
            return error_set(err, ERROR_CONFIG,
                             "sink '%.*s' has a checkpoint already in '%s'; --force replaces it",
                             BYTES_ARGS(name), directory_of(work, i));
    }
    return imported->count == work->count ||
           error_set(err, ERROR_CONFIG, "it has %" PRIu32 " sinks, and the config %" PRIu32,
                     imported->count, work->count);
}

static bool import_all(const struct work *work, const struct imported *imported, bool force,
                       struct error *err)
{
    for (uint32_t i = 0; i < work->count; i++) {
        struct bytes name = sink_name(work, i);
        const struct imported_sink *sink = find_sink(imported, name);
        if (!checkpoint_import(directory_of(work, i), &sink->image, force, err))
            return error_context(err, "sink '%.*s'", BYTES_ARGS(name));
        printf("sink ");
        print_text(name);
        printf(": imported into %s\n", directory_of(work, i));
    }
    return true;
}

static bool import_from(const struct work *work, const struct arguments *arguments,
                        struct error *err)
{
    CLEANUP(buf_done) struct buf text;
    CLEANUP(import_done) struct imported imported = { 0 };
    buf_init(&text, TEXT_MAX);
    if (!read_file(arguments->path, &text, err))
        return false;
    if (!import_read(buf_view(&text), &imported, err) ||
        !fits(work, &imported, arguments->force, err))
        return error_context(err, "'%s'", arguments->path);
    return import_all(work, &imported, arguments->force, err);
}

static const struct action {
    const char *name, *usage;
    bool (*run)(const struct work *work, const struct arguments *arguments, struct error *err);
    bool needs_path, path, json, force;
} actions[] = {
    { "show", "checkpoint show CONFIG [--json]", show, .json = true },
    { "export", "checkpoint export CONFIG [FILE]", export_to, .path = true },
    { "import", "checkpoint import CONFIG FILE [--force]", import_from, .path = true,
      .needs_path = true, .force = true },
};

static const struct action *find_action(const char *word)
{
    for (size_t i = 0; word && i < ARRAY_SIZE(actions); i++)
        if (strcmp(actions[i].name, word) == 0)
            return &actions[i];
    return NULL;
}

int command_checkpoint(const struct arguments *arguments)
{
    CLEANUP(work_done) struct work work = { 0 };
    struct error err = { 0 };
    const struct action *action = find_action(arguments->action);
    if (!action)
        return command_misused("show, export or import?",
                               "checkpoint show|export|import CONFIG ...");
    if (!arguments->config || (action->needs_path && !arguments->path))
        return command_misused(arguments->config ? "which file?" : "the config file is missing",
                               action->usage);
    if ((arguments->path && !action->path) || (arguments->json && !action->json) ||
        (arguments->force && !action->force))
        return command_misused("too many arguments", action->usage);
    if (!config_load(arguments->config, true, &work.config, &err) ||
        !build_plans(&work.config, &work.plans, &work.count, &err))
        return command_failed(&err);
    work.pipeline = config_folder(&work.config.arena, work.config.pipeline.name);
    return action->run(&work, arguments, &err) ? EXIT_DONE : command_failed(&err);
}
