/* SPDX-License-Identifier: Apache-2.0
 *
 * `millrace status`: a paragraph for each sink. */
#include <inttypes.h>
#include <string.h>

#include "agent/command.h"
#include "agent/inspect.h"
#include "engine/base/assert.h"
#include "engine/base/cleanup.h"

static unsigned count_state(const json_t *sink, const char *state)
{
    unsigned count = 0;
    size_t index = 0;
    json_t *table = NULL;
    json_array_foreach(json_object_get(sink, "tables"), index, table) count +=
        strcmp(inspect_text(table, "state"), state) == 0;
    return count;
}

static void print_member(const json_t *sink, const char *key)
{
    if (!*inspect_text(sink, key))
        return;
    printf("    %-9s ", key);
    inspect_print(stdout, 0, inspect_text(sink, key));
    printf("\n");
}

static void print_states(const json_t *sink)
{
    static const char *const states[] = { "streaming", "snapshot", "waiting",
                                          "resync",    "paused",   "parked" };
    bool any = false;
    printf("    tables   ");
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        unsigned count = count_state(sink, states[i]);
        if (count > 0)
            printf("%s %u %s", any ? "," : "", count, states[i]);
        any |= count > 0;
    }
    printf("%s\n", any ? "" : " none yet");
}

static void print_parked(const json_t *sink)
{
    size_t index = 0;
    json_t *table = NULL;
    json_array_foreach(json_object_get(sink, "tables"), index, table)
    {
        if (strcmp(inspect_text(table, "state"), "parked") != 0)
            continue;
        printf("      parked ");
        inspect_print(stdout, 0, inspect_text(table, "source"));
        printf(": ");
        inspect_print(stdout, 0, inspect_text(table, "reason"));
        printf("\n");
    }
}

static void print_numbers(const json_t *sink)
{
    printf("    lag       %" PRId64 " ms\n", inspect_number(sink, "lag_ms"));
    printf("    written   %" PRId64 " rows, %" PRId64 " bytes in %" PRId64 " loads\n",
           inspect_number(sink, "rows"), inspect_number(sink, "bytes"),
           inspect_number(sink, "loads"));
    printf("    read      %" PRId64 " changes in %" PRId64 " transactions, %" PRId64
           " reconnects\n",
           inspect_number(sink, "source_events"), inspect_number(sink, "source_transactions"),
           inspect_number(sink, "reconnects"));
    int64_t changed = inspect_number(sink, "zero_dates") + inspect_number(sink, "out_of_range") +
                      inspect_number(sink, "replaced_text");
    if (changed > 0)
        printf("    changed   %" PRId64 " values by the chosen policies\n", changed);
    if (inspect_number(sink, "dead_letters") > 0)
        printf("    too large %" PRId64 " messages, noted in the topic of dead letters\n",
               inspect_number(sink, "dead_letters"));
}

static void print_sink(const json_t *sink, bool live)
{
    printf("  ");
    inspect_print(stdout, 0, inspect_text(sink, "source"));
    printf(" -> ");
    inspect_print(stdout, 0, inspect_text(sink, "sink"));
    printf(": %s%s\n", inspect_text(sink, "state"),
           json_is_true(json_object_get(sink, "snapshotting")) ? ", reading tables" : "");
    print_member(sink, "directory");
    print_member(sink, "error");
    print_member(sink, "trouble");
    print_member(sink, "position");
    if (live) {
        print_member(sink, "retention");
        print_numbers(sink);
    }
    print_states(sink);
    print_parked(sink);
}

int command_status(const struct arguments *arguments)
{
    CLEANUP(inspect_cleanup) json_t *document = NULL;
    struct error err = { 0 };
    int code = EXIT_DONE;
    size_t index = 0;
    json_t *sink = NULL;
    if (!inspect_document(arguments->config, &document, &err))
        return command_failed(&err);
    bool live = json_is_true(json_object_get(document, "live"));
    if (arguments->json) {
        json_dumpf(document, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        printf("pipeline ");
        inspect_print(stdout, 0, inspect_text(document, "pipeline"));
        printf(live ? ": running\n" : ": no agent answers, this is what the checkpoint holds\n");
    }
    json_array_foreach(json_object_get(document, "sinks"), index, sink)
    {
        if (!arguments->json)
            print_sink(sink, live);
        if (count_state(sink, "parked") > 0 || *inspect_text(sink, "error"))
            code = EXIT_TABLES;
    }
    return code;
}
