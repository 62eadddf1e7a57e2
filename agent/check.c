/* SPDX-License-Identifier: Apache-2.0
 *
 * `millrace check`: everything that could stop a run, found before it, each with what to do about
 * it. Nothing is created or changed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/build.h"
#include "agent/command.h"
#include "agent/http.h"
#include "engine/base/cleanup.h"
#include "engine/base/map.h"

enum { DISK_LOW = 512 * 1024 * 1024 };

struct captured {
    struct bytes database, schema, name;
    struct captured *next;
};

struct check {
    struct config config;
    struct captured *captured; /* tables that the source has; in the config's arena */
    size_t captured_count;
    struct plan *plans;
    uint32_t count;
    unsigned warnings, failures;
};

static void print_line(const char *level, const char *part, const char *text, const char *cure)
{
    printf("%-4s  %s%s%s\n", level, part, *part ? ": " : "", text);
    if (*cure)
        printf("      cure: %s\n", cure);
}

static void print_findings(struct check *check, const char *part, const struct findings *findings)
{
    static const char *const levels[] = {
        [FINDING_OK] = "OK", [FINDING_WARN] = "WARN", [FINDING_FAIL] = "FAIL"
    };
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        check->warnings += finding->level == FINDING_WARN;
        check->failures += finding->level == FINDING_FAIL;
        print_line(levels[finding->level], part, finding->text, finding->cure);
    }
    fflush(stdout);
}

/* A check that could not even be made. */
static void print_error(struct check *check, const char *part, const struct error *err)
{
    check->failures++;
    print_line("FAIL", part, err->message, "");
    fflush(stdout);
}

/* ---- the parts ---- */

static bool check_config(struct check *check, const char *path)
{
    struct error err = { 0 };
    if (!config_load(path, false, &check->config, &err) ||
        !build_plans(&check->config, &check->plans, &check->count, &err)) {
        print_error(check, "config", &err);
        return false;
    }
    print_line("OK", "config", check->config.path, "");
    for (uint32_t i = 0; i < check->config.warning_count; i++) {
        check->warnings++;
        print_line("WARN", "config", (const char *)check->config.warnings[i].data, "");
    }
    return true;
}

static bool captures(void *context, struct bytes database, struct bytes schema, struct bytes name)
{
    return route_captures(context, database, schema, name);
}

static void on_table(void *context, const struct table *table)
{
    struct check *check = context;
    struct arena *arena = &check->config.arena;
    struct captured *captured = arena_alloc(arena, sizeof *captured);
    *captured =
        (struct captured){ arena_copy(arena, table->database), arena_copy(arena, table->schema),
                           arena_copy(arena, table->name), check->captured };
    check->captured = captured;
    check->captured_count++;
}

static void check_source(struct check *check, const struct plan *plan)
{
    char part[100] = "source";
    if (plan->database.size > 0)
        snprintf(part, sizeof part, "source '%.*s'", BYTES_ARGS(plan->database));
    struct findings findings = { .on_table = on_table, .context = check };
    struct route *route = NULL;
    struct error err = { 0 };
    if (!route_compile(&plan->options.routes, &route, &err)) {
        print_error(check, part, &err);
        return;
    }
    struct table_filter filter = { captures, route };
    bool ok = plan->source->check(plan->source_options, &filter, &findings, &err);
    print_findings(check, part, &findings);
    if (!ok)
        print_error(check, part, &err);
    route_free(route);
}

/* Targets of the tables that this plan captures, each once. */
static size_t targets_of(struct check *check, const struct plan *plan, const struct route *route,
                         struct check_target *out)
{
    CLEANUP(map_done) struct map seen = { 0 };
    struct arena *arena = &check->config.arena;
    size_t count = 0;
    for (const struct captured *table = check->captured; table; table = table->next) {
        struct check_target target = { .schema = table->schema };
        if (plan->database.size > 0 && !bytes_equal(plan->database, table->database))
            continue;
        route_target(route, table->database, table->schema, table->name, arena, &target.database,
                     &target.name);
        struct bytes key = arena_printf(arena, "%.*s%c%.*s", BYTES_ARGS(target.database), 0,
                                        BYTES_ARGS(target.name));
        if (map_get(&seen, key))
            continue;
        map_put(&seen, key, check);
        out[count++] = target;
    }
    return count;
}

static void check_sink(struct check *check, const struct plan *plan)
{
    struct arena *arena = &check->config.arena;
    struct findings findings = { .count = 0 };
    struct route *route = NULL;
    struct error err = { 0 };
    bool ok = route_compile(&plan->options.routes, &route, &err);
    if (ok && plan->sink->check) {
        struct check_target *targets =
            arena_array(arena, check->captured_count + 1, sizeof *targets);
        size_t count = targets_of(check, plan, route, targets);
        ok = plan->sink->check(plan->sink_options, targets, count, &findings, &err);
    }
    print_findings(check, plan->sink_config->section.title, &findings);
    if (!ok)
        print_error(check, plan->sink_config->section.title, &err);
    route_free(route);
}

/* The nearest folder that is there; `path` is cut to it. */
static void nearest_existing(char *path)
{
    struct stat status;
    while (stat(path, &status) != 0 && strchr(path, '/')) {
        char *slash = strrchr(path, '/');
        if (slash == path) {
            path[1] = '\0';
            return;
        }
        *slash = '\0';
    }
}

static void find_checkpoint(const char *directory, struct findings *findings)
{
    char path[4096];
    struct stat status;
    struct statvfs disk;
    snprintf(path, sizeof path, "%s", directory);
    nearest_existing(path);
    bool there = strcmp(path, directory) == 0;
    if (!strchr(path, '/') && stat(path, &status) != 0)
        snprintf(path, sizeof path, ".");
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        finding_add(findings, FINDING_FAIL, "give another checkpoint.directory",
                    "%s is not a folder", path);
        return;
    }
    if (access(path, W_OK | X_OK) != 0) {
        finding_add(findings, FINDING_FAIL,
                    "make it (mode 0700) for the user that runs the agent, or give another "
                    "checkpoint.directory",
                    "%s: %s: %s", directory, path, strerror(errno));
        return;
    }
    finding_add(findings, FINDING_OK, "", "%s %s", directory,
                there ? "is writable" : "can be made");
    if (statvfs(path, &disk) == 0 && disk.f_frsize * disk.f_bavail < DISK_LOW)
        finding_add(findings, FINDING_WARN, "make room", "%s has less than 512 MB left", path);
}

static void check_checkpoint(struct check *check, const struct plan *plan)
{
    struct findings findings = { .count = 0 };
    find_checkpoint((const char *)plan->options.checkpoint_directory.data, &findings);
    print_findings(check, "checkpoint", &findings);
}

static void check_http(struct check *check)
{
    struct bytes listen = check->config.pipeline.http_listen;
    struct http_address address;
    struct error err = { 0 };
    if (bytes_is(listen, "none"))
        return;
    if (!http_address(listen, &address, &err)) {
        print_error(check, "http", &err);
    } else if (!address.loopback) {
        check->warnings++;
        print_line("WARN", "http", "http.listen is open to the network, and asks for no password",
                   "let a firewall or a proxy stand before it, or listen on 127.0.0.1");
    }
}

static void check_done(struct check *check) { config_done(&check->config); }

int command_check(const struct arguments *arguments)
{
    CLEANUP(check_done) struct check check = { .count = 0 };
    if (!check_config(&check, arguments->config))
        return EXIT_CONFIG;
    for (uint32_t i = 0; i < check.count; i++)
        if (check.plans[i].sink_index == 0)
            check_source(&check, &check.plans[i]);
    for (uint32_t i = 0; i < check.count; i++) {
        check_sink(&check, &check.plans[i]);
        check_checkpoint(&check, &check.plans[i]);
    }
    check_http(&check);
    printf("%u failures, %u warnings\n", check.failures, check.warnings);
    return check.failures > 0 ? EXIT_CONFIG : EXIT_DONE;
}
