/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: a table of commands, and the things that must be done once before any thread
 * exists. Secrets are in the config or in what it points to, never among the arguments, where `ps`
 * would show them. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <curl/curl.h>
#include <mysql.h>

#include "agent/command.h"
#include "agent/service.h"
#include "config/nearest.h"
#include "engine/base/assert.h"
#include "engine/base/fault.h"
#include "engine/base/log.h"

static const struct command {
    const char *name, *usage, *help;
    int (*run)(const struct arguments *arguments);
    bool config, table, json, markdown, savepoint, path; /* what it takes */
} commands[] = {
    { "run", "run CONFIG [--from-savepoint PATH]", "sync until told to stop (service, sidecar)",
      command_run, .config = true, .savepoint = true },
    { "backfill", "backfill CONFIG [--table PATTERN]",
      "read the tables, then what changed meanwhile, and end", command_backfill, .config = true,
      .table = true },
    { "check", "check CONFIG", "look for what would stop a run, with the cure of each",
      command_check, .config = true },
    { "status", "status CONFIG [--json]", "position, lag and trouble of each sink", command_status,
      .config = true, .json = true },
    { "tables", "tables CONFIG [--json]", "state, target and rows of each table", command_tables,
      .config = true, .json = true },
    { "savepoint", "savepoint CONFIG [PATH]", "copy the state, to go back to it one day",
      command_savepoint, .config = true, .path = true },
    { "options", "options [--markdown]", "all settings of the config file", command_options,
      .markdown = true },
    { "version", "version", "the version", NULL, .config = false },
    { "help", "help", "this text", NULL, .config = false },
};

static void print_help(FILE *out)
{
    fprintf(out, "Millrace keeps whole databases in sync.\n\nUsage: millrace COMMAND\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(out, "  %-36s %s\n", commands[i].usage, commands[i].help);
    fprintf(out, "\nExit codes: 0 done; 1 some tables failed and were set aside, or a backfill was "
                 "interrupted;\n2 the config, the source or a sink needs a person; 3 a fault of "
                 "the program; 64 wrong\ncommand line.\n");
}

int command_failed(const struct error *err)
{
    fprintf(stderr, "%smillrace: ", service_log_format() == LOG_FORMAT_JOURNAL ? "<3>" : "");
    for (const char *at = err->message; *at; at++)
        fputc((unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at, stderr);
    fprintf(stderr, "\n");
    return err->kind == ERROR_NONE || err->kind == ERROR_UNKNOWN ? EXIT_INTERNAL : EXIT_CONFIG;
}

static int usage_error(const struct command *command, const char *what, const char *word)
{
    fprintf(stderr, "millrace: %s%s%s\nusage: millrace %s\n", what, *word ? " " : "", word,
            command->usage);
    return EXIT_USAGE;
}

static const struct command *find_command(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    if (strcmp(word, "--version") == 0)
        word = "version";
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (strcmp(commands[i].name, word) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *word)
{
    const char *nearest = NULL;
    uint32_t best = UINT32_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        uint32_t distance = nearest_distance(bytes_from(word), bytes_from(commands[i].name));
        if (distance < best) {
            best = distance;
            nearest = commands[i].name;
        }
    }
    fprintf(stderr, "millrace: there is no command '%.40s'", word);
    if (nearest_is_near(bytes_from(word), best))
        fprintf(stderr, "; did you mean '%s'?\n", nearest);
    else
        fprintf(stderr, "; `millrace help` lists them\n");
    return EXIT_USAGE;
}

static int read_arguments(const struct command *command, int count, char **words,
                          struct arguments *out)
{
    struct arguments arguments = { 0 };
    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        if (command->table && strcmp(word, "--table") == 0) {
            if (++i == count || !*words[i])
                return usage_error(command, "--table needs a pattern", "");
            arguments.table = words[i];
        } else if (command->table && strncmp(word, "--table=", 8) == 0 && word[8]) {
            arguments.table = word + 8;
        } else if (command->savepoint && strcmp(word, "--from-savepoint") == 0) {
            if (++i == count || !*words[i])
                return usage_error(command, "--from-savepoint needs a path", "");
            arguments.savepoint = words[i];
        } else if (command->savepoint && strncmp(word, "--from-savepoint=", 17) == 0 && word[17]) {
            arguments.savepoint = word + 17;
        } else if (command->json && strcmp(word, "--json") == 0) {
            arguments.json = true;
        } else if (command->markdown && strcmp(word, "--markdown") == 0) {
            arguments.markdown = true;
        } else if (word[0] == '-' || !command->config) {
            return usage_error(command, "unknown argument", word);
        } else if (arguments.config && command->path && !arguments.path && *word) {
            arguments.path = word;
        } else if (arguments.config) {
            return usage_error(command, "one config at a time, not also", word);
        } else {
            arguments.config = word;
        }
    }
    if (command->config && !arguments.config)
        return usage_error(command, "the config file is missing", "");
    *out = arguments;
    return EXIT_DONE;
}

/* Before threads: umask for the checkpoint, SIGPIPE as an error of write, libraries' globals. */
static bool setup(void)
{
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    fault_setup();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
           mysql_library_init(0, NULL, NULL) == 0;
}

static int run_command(const struct command *command, const struct arguments *arguments)
{
    if (!setup()) {
        fprintf(stderr, "millrace: a library does not start\n");
        return EXIT_INTERNAL;
    }
    int code = command->run(arguments);
    mysql_library_end();
    curl_global_cleanup();
    return code;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const struct command *command = find_command(argv[1]);
    struct arguments arguments;
    if (!command)
        return unknown_command(argv[1]);
    int code = read_arguments(command, argc - 2, argv + 2, &arguments);
    if (code != EXIT_DONE)
        return code;
    /* Fixed, or the C library takes the first large buffers that are freed for a sign to keep all
     * of their size: what a load held would stay with us. */
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    if (command->run)
        code = run_command(command, &arguments);
    else if (strcmp(command->name, "version") == 0)
        printf("millrace %s\n", MILLRACE_VERSION);
    else
        print_help(stdout);
    if (fflush(stdout) != 0) {
        perror("millrace: standard output");
        return EXIT_INTERNAL;
    }
    return code;
}
