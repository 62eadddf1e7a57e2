/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: a table of commands, and the things that must be done once before any thread
 * exists. Secrets are in the config or in what it points to, never among the arguments, where `ps`
 * would show them. */
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <curl/curl.h>
#include <mysql.h>

#include "agent/command.h"
#include "agent/service.h"
#include "agent/terminal.h"
#include "config/nearest.h"
#include "engine/base/assert.h"
#include "engine/base/fault.h"
#include "engine/base/log.h"

/* What a command takes, as bits. */
enum take {
    TAKE_CONFIG = 1,
    TAKE_TABLE = 2,
    TAKE_JSON = 4,
    TAKE_MARKDOWN = 8,
    TAKE_START = 16,  /* where to begin */
    TAKE_PATH = 32,   /* may stand behind the config */
    TAKE_ACTION = 64, /* a word before the config */
    TAKE_FORCE = 128,
};

static const struct command {
    const char *name, *usage, *help;
    int (*run)(const struct arguments *arguments);
    unsigned takes;
} commands[] = {
    { "run", "run CONFIG [--from-savepoint PATH]", "sync until told to stop (service, sidecar)",
      command_run, TAKE_CONFIG | TAKE_START },
    { NULL, "run CONFIG --from PLACE", "begin at earliest, latest, a position or a time", NULL, 0 },
    { "backfill", "backfill CONFIG [--table PATTERN]",
      "read the tables, then what changed meanwhile, and end", command_backfill,
      TAKE_CONFIG | TAKE_TABLE },
    { "check", "check CONFIG", "look for what would stop a run, with the cure of each",
      command_check, TAKE_CONFIG },
    { "status", "status CONFIG [--json]", "position, lag and trouble of each sink", command_status,
      TAKE_CONFIG | TAKE_JSON },
    { "tables", "tables CONFIG [--json]", "state, target and rows of each table", command_tables,
      TAKE_CONFIG | TAKE_JSON },
    { "savepoint", "savepoint CONFIG [PATH]", "copy the state, to go back to it one day",
      command_savepoint, TAKE_CONFIG | TAKE_PATH },
    { "checkpoint", "checkpoint show CONFIG [--json]", "what the state holds, record by record",
      command_checkpoint, TAKE_ACTION | TAKE_CONFIG | TAKE_PATH | TAKE_JSON | TAKE_FORCE },
    { NULL, "checkpoint export CONFIG [FILE]", "the state as text, to keep, read or move it", NULL,
      0 },
    { NULL, "checkpoint import CONFIG FILE [--force]", "the state from such a text", NULL, 0 },
    { "options", "options [--markdown]", "all settings of the config file", command_options,
      TAKE_MARKDOWN },
    { "version", "version", "the version", NULL, 0 },
    { "help", "help", "this text", NULL, 0 },
};

static void print_help(FILE *out)
{
    fprintf(out, "Millrace keeps whole databases in sync.\n\nUsage: millrace COMMAND\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(out, "  %-40s %s\n", commands[i].usage, commands[i].help);
    fprintf(out, "\nExit codes: 0 done; 1 some tables failed and were set aside, or a backfill was "
                 "interrupted;\n2 the config, the source or a sink needs a person; 3 a fault of "
                 "the program; 64 wrong\ncommand line.\n");
}

int command_failed(const struct error *err)
{
    fprintf(stderr, "%smillrace: ", service_log_format() == LOG_FORMAT_JOURNAL ? "<3>" : "");
    terminal_print(stderr, 0, bytes_from(err->message));
    fprintf(stderr, "\n");
    return err->kind == ERROR_NONE || err->kind == ERROR_UNKNOWN ? EXIT_INTERNAL : EXIT_CONFIG;
}

int command_misused(const char *what, const char *usage)
{
    fprintf(stderr, "millrace: %s\nusage: millrace %s\n", what, usage);
    return EXIT_USAGE;
}

static int usage_error(const struct command *command, const char *what, const char *word)
{
    char text[400];
    snprintf(text, sizeof text, "%s%s%.300s", what, *word ? " " : "", word);
    return command_misused(text, command->usage);
}

static const struct command *find_command(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    if (strcmp(word, "--version") == 0)
        word = "version";
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (commands[i].name && strcmp(commands[i].name, word) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *word)
{
    const char *nearest = NULL;
    uint32_t best = UINT32_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!commands[i].name)
            continue;
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

/* Options with a word behind them, as the next argument or after '='. */
static const struct worded {
    const char *name, *needs;
    size_t offset; /* of the const char * in struct arguments */
    enum take take;
} worded[] = {
    { "--table", "a pattern", offsetof(struct arguments, table), TAKE_TABLE },
    { "--from-savepoint", "a path", offsetof(struct arguments, savepoint), TAKE_START },
    { "--from", "a place", offsetof(struct arguments, from), TAKE_START },
};

/* Options without. */
static const struct flag {
    const char *name;
    size_t offset; /* of the bool */
    enum take take;
} flags[] = {
    { "--json", offsetof(struct arguments, json), TAKE_JSON },
    { "--markdown", offsetof(struct arguments, markdown), TAKE_MARKDOWN },
    { "--force", offsetof(struct arguments, force), TAKE_FORCE },
    { "--discard-checkpoint", offsetof(struct arguments, discard), TAKE_START },
};

static bool take_flag(const struct command *command, const char *word, struct arguments *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (!(command->takes & flags[i].take) || strcmp(word, flags[i].name) != 0)
            continue;
        memcpy((char *)out + flags[i].offset, &(bool){ true }, sizeof(bool));
        return true;
    }
    return false;
}

/* *at moves to the argument that was used. *code: what is wrong. */
static bool take_worded(const struct command *command, int count, char **words, int *at,
                        struct arguments *out, int *code)
{
    for (size_t i = 0; i < ARRAY_SIZE(worded); i++) {
        const char *value = words[*at];
        size_t size = strlen(worded[i].name);
        if (!(command->takes & worded[i].take) || strncmp(value, worded[i].name, size) != 0 ||
            (value[size] != '\0' && value[size] != '='))
            continue;
        value = value[size] == '=' ? value + size + 1 : ++*at < count ? words[*at] : "";
        if (!*value) {
            char what[80];
            snprintf(what, sizeof what, "%s needs %s", worded[i].name, worded[i].needs);
            *code = usage_error(command, what, "");
            return true;
        }
        memcpy((char *)out + worded[i].offset, &value, sizeof value);
        return true;
    }
    return false;
}

static int take_plain(const struct command *command, const char *word, struct arguments *out)
{
    if (word[0] == '-' || !(command->takes & TAKE_CONFIG))
        return usage_error(command, "unknown argument", word);
    if ((command->takes & TAKE_ACTION) && !out->action)
        out->action = word;
    else if (!out->config)
        out->config = word;
    else if ((command->takes & TAKE_PATH) && !out->path && *word)
        out->path = word;
    else
        return usage_error(command, "one config at a time, not also", word);
    return EXIT_DONE;
}

static int read_arguments(const struct command *command, int count, char **words,
                          struct arguments *out)
{
    struct arguments arguments = { 0 };
    for (int i = 0; i < count; i++) {
        int code = EXIT_DONE;
        if (!take_flag(command, words[i], &arguments) &&
            !take_worded(command, count, words, &i, &arguments, &code))
            code = take_plain(command, words[i], &arguments);
        if (code != EXIT_DONE)
            return code;
    }
    if (command->takes & TAKE_CONFIG && !(command->takes & TAKE_ACTION) && !arguments.config)
        return usage_error(command, "the config file is missing", "");
    if (arguments.from && arguments.savepoint)
        return usage_error(command, "--from or --from-savepoint, not both", "");
    if (arguments.discard && !arguments.from)
        return usage_error(command, "--discard-checkpoint goes with --from", "");
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
