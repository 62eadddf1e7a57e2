/* SPDX-License-Identifier: Apache-2.0
 *
 * `millrace tables`: a line for each table and sink. */
#include <inttypes.h>
#include <string.h>

#include "agent/command.h"
#include "agent/inspect.h"
#include "engine/base/cleanup.h"

struct widths {
    int source, target;
};

static int wider(int width, const char *text)
{
    size_t size = strlen(text);
    return size > (size_t)width && size <= 60 ? (int)size : width;
}

static struct widths measure(const json_t *sinks)
{
    struct widths widths = { 5, 6 };
    size_t i = 0, k = 0;
    json_t *sink = NULL, *table = NULL;
    json_array_foreach(sinks, i, sink)
    {
        json_array_foreach(json_object_get(sink, "tables"), k, table)
        {
            widths.source = wider(widths.source, inspect_text(table, "source"));
            widths.target = wider(widths.target, inspect_text(table, "target"));
        }
    }
    return widths;
}

static int64_t rows_of(const json_t *table)
{
    return inspect_number(table, "snapshot_rows") + inspect_number(table, "inserts") +
           inspect_number(table, "updates") + inspect_number(table, "deletes");
}

static void print_lag(const json_t *sink, const json_t *table, bool live)
{
    char text[32] = "-";
    if (live && strcmp(inspect_text(table, "state"), "streaming") == 0)
        snprintf(text, sizeof text, "%" PRId64 " ms", inspect_number(sink, "lag_ms"));
    printf("  %10s", text);
}

static void print_table(const json_t *sink, const json_t *table, const struct widths *widths,
                        bool live)
{
    printf("%-9s  ", inspect_text(table, "state"));
    inspect_print(stdout, widths->source, inspect_text(table, "source"));
    printf("  ");
    inspect_print(stdout, widths->target, inspect_text(table, "target"));
    printf("  %12" PRId64, rows_of(table));
    print_lag(sink, table, live);
    printf("  ");
    inspect_print(stdout, 0, inspect_text(sink, "name"));
    if (*inspect_text(table, "reason")) {
        printf("  ");
        inspect_print(stdout, 0, inspect_text(table, "reason"));
    }
    printf("\n");
}

static void print_all(const json_t *document)
{
    bool live = json_is_true(json_object_get(document, "live"));
    const json_t *sinks = json_object_get(document, "sinks");
    struct widths widths = measure(sinks);
    size_t i = 0, k = 0;
    json_t *sink = NULL, *table = NULL;
    printf("%-9s  %-*s  %-*s  %12s  %10s  %s\n", "STATE", widths.source, "TABLE", widths.target,
           "TARGET", "ROWS", "LAG", "SINK");
    json_array_foreach(sinks, i, sink)
    {
        json_array_foreach(json_object_get(sink, "tables"), k, table)
            print_table(sink, table, &widths, live);
    }
}

int command_tables(const struct arguments *arguments)
{
    CLEANUP(inspect_cleanup) json_t *document = NULL;
    struct error err = { 0 };
    if (!inspect_document(arguments->config, &document, &err))
        return command_failed(&err);
    if (arguments->json) {
        json_dumpf(document, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        print_all(document);
    }
    return EXIT_DONE;
}
