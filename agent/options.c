/* SPDX-License-Identifier: Apache-2.0
 *
 * `millrace options`: the reference of the config file, printed from the tables that read it.
 * config/reference.md is this text; a test compares them. */
#include <stdio.h>

#include "agent/command.h"
#include "config/config.h"
#include "engine/base/buf.h"
#include "engine/base/cleanup.h"
#include "sinks/sinks.h"
#include "sources/sources.h"

enum { REFERENCE_MAX = 1024 * 1024 };

static const char introduction[] =
    "# Settings\n\n"
    "The config file is YAML with the parts `source`, `sink` (or `sinks`, a list), `route` and\n"
    "`pipeline`, in the words of Flink CDC. Keys may be written flat\n"
    "(`scan.startup.mode: initial`) or nested. Durations are `500ms`, `10s`, `5min`, `1h`, `2d`;\n"
    "sizes `64kb`, `10mb`, `1gb`; lists are YAML lists or separated by commas. `${env:NAME}`\n"
    "stands for an environment variable, `${file:/path}` for the one line of a file, such as a\n"
    "mounted secret; `$${` for a plain `${`. Words of Flink CDC that mean nothing here are taken\n"
    "with a warning; any other unknown key is an error. This text is printed by\n"
    "`millrace options --markdown`.\n";

static void print_part(const char *title, const char *help, const struct setting *settings,
                       bool markdown, struct buf *out)
{
    buf_printf(out, markdown ? "\n## %s\n\n%s%s" : "\n%s\n%s%s", title, help, *help ? "\n" : "");
    if (markdown)
        buf_printf(out, "%s| key | type | default | meaning |\n|---|---|---|---|\n",
                   *help ? "\n" : "");
    setting_print(settings, markdown, out);
}

static void print_driver(const char *part, const char *name, const char *help,
                         const struct setting *settings, struct buf *out, bool markdown)
{
    char title[80];
    snprintf(title, sizeof title, markdown ? "%s: `type: %s`" : "%s, type: %s", part, name);
    if (settings && settings->name)
        print_part(title, help, settings, markdown, out);
    else
        buf_printf(out,
                   markdown ? "\n## %s\n\n%s No settings of its own.\n"
                            : "\n%s\n%s No settings of its own.\n",
                   title, help);
}

int command_options(const struct arguments *arguments)
{
    bool markdown = arguments->markdown;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, REFERENCE_MAX);
    buf_text(&out, markdown ? introduction : "Settings of the config file.\n");
    print_part("source", "For every type.", config_source_settings, markdown, &out);
    for (const struct source_driver *const *driver = source_drivers; *driver; driver++)
        print_driver("source", (*driver)->name, (*driver)->help, (*driver)->settings, &out,
                     markdown);
    print_part("sink", "For every type.", config_sink_settings, markdown, &out);
    for (const struct sink_driver *const *driver = sink_drivers; *driver; driver++)
        print_driver("sink", (*driver)->name, (*driver)->help, (*driver)->settings, &out, markdown);
    print_part("route", "A list of rules; the first that matches a table decides.",
               config_route_settings, markdown, &out);
    print_part("pipeline", "", config_pipeline_settings, markdown, &out);
    return fwrite(out.data, 1, out.size, stdout) == out.size ? EXIT_DONE : EXIT_INTERNAL;
}
