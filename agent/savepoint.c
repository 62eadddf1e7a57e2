/* SPDX-License-Identifier: Apache-2.0
 *
 * `millrace savepoint`: copies of the checkpoints of a config's sinks, made beside the agent that
 * runs or without one. It only reads what the agent writes, so nothing is asked of the agent and
 * nobody on the network can. Each copy is one moment of its sink; the sinks of a config have
 * positions of their own, so they need not be the same one.
 *
 * A savepoint without a path goes to `<checkpoint.directory>/.savepoints/<time>`, a folder that no
 * sink can be called, and the oldest there beyond savepoint.num-retained are removed. One with a
 * path is the user's, and never removed. */
#include "agent/savepoint.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/build.h"
#include "agent/command.h"
#include "engine/base/cleanup.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/checkpoint.h"

enum { NAME_SIZE = 32 };

struct bytes savepoint_file(struct arena *arena, const char *path, const struct config_sink *sink)
{
    return arena_printf(arena, "%s/%.*s.savepoint", path, BYTES_ARGS(sink->folder));
}

static bool make_folder(const char *path, struct error *err)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ||
           error_code(err, ERROR_CONFIG, errno, "make '%s': %s", path, strerror(errno));
}

/* Only names that we give: digits, a dash, digits. */
static bool is_time(const char *name)
{
    return strlen(name) == 15 && strspn(name, "0123456789-") == 15 && name[8] == '-';
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

struct saved {
    const struct plan *plans;
    uint32_t count;
};

static void remove_savepoint(const struct saved *saved, struct arena *arena, const char *path)
{
    for (uint32_t i = 0; i < saved->count; i++)
        unlink((const char *)savepoint_file(arena, path, saved->plans[i].sink_config).data);
    if (rmdir(path) != 0)
        fprintf(stderr, "millrace: the old savepoint '%s' cannot be removed: %s\n", path,
                strerror(errno));
}

/* The oldest go; times sort as texts. */
static void retain(const struct config *config, const struct saved *saved, struct arena *arena,
                   const char *folder)
{
    DIR *listed = opendir(folder);
    size_t count = 0, capacity = 0;
    char(*names)[NAME_SIZE] = NULL;
    for (struct dirent *entry; listed && (entry = readdir(listed));) {
        if (!is_time(entry->d_name))
            continue;
        names = memory_grow(names, count, &capacity, sizeof *names);
        snprintf(names[count++], NAME_SIZE, "%.31s", entry->d_name);
    }
    if (listed)
        closedir(listed);
    if (count > 0)
        qsort(names, count, sizeof *names, by_name);
    size_t kept = (size_t)config->pipeline.savepoints_retained;
    for (size_t i = 0; count > kept && i < count - kept; i++)
        remove_savepoint(saved, arena,
                         (const char *)arena_printf(arena, "%s/%s", folder, names[i]).data);
    free(names);
}

static bool default_folder(const struct config *config, struct arena *arena, const char **folder,
                           const char **path, struct error *err)
{
    char name[NAME_SIZE];
    time_t seconds = (time_t)(clock_wall_us() / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(name, sizeof name, "%Y%m%d-%H%M%S", &parts);
    *folder = (const char *)arena_printf(arena, "%.*s/.savepoints",
                                         BYTES_ARGS(config->pipeline.checkpoint_directory))
                  .data;
    *path = (const char *)arena_printf(arena, "%s/%s", *folder, name).data;
    return make_folder(*folder, err);
}

static bool save_all(const struct saved *saved, const char *path, struct arena *arena,
                     struct error *err)
{
    if (!make_folder(path, err))
        return false;
    for (uint32_t i = 0; i < saved->count; i++) {
        const struct plan *plan = &saved->plans[i];
        const char *directory = (const char *)plan->options.checkpoint_directory.data;
        struct bytes file = savepoint_file(arena, path, plan->sink_config);
        if (access(directory, F_OK) != 0)
            return error_set(err, ERROR_CONFIG,
                             "sink '%.*s' has no checkpoint yet: run the pipeline first",
                             BYTES_ARGS(plan->sink_config->name));
        if (!checkpoint_save(directory, (const char *)file.data, err))
            return false;
    }
    return true;
}

int command_savepoint(const struct arguments *arguments)
{
    CLEANUP(config_done) struct config config = { 0 };
    struct plan *plans = NULL;
    uint32_t count = 0;
    struct error err = { 0 };
    const char *folder = NULL, *path = arguments->path;
    if (!config_load(arguments->config, true, &config, &err) ||
        !build_plans(&config, &plans, &count, &err) ||
        (!path && !default_folder(&config, &config.arena, &folder, &path, &err)) ||
        !save_all(&(struct saved){ plans, count }, path, &config.arena, &err))
        return command_failed(&err);
    if (folder)
        retain(&config, &(struct saved){ plans, count }, &config.arena, folder);
    printf("%s\n", path);
    return EXIT_DONE;
}
