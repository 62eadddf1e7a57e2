/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of the program: one function each, listed in main.c, which reads the arguments. */
#pragma once

#include <stdbool.h>

#include "engine/base/error.h"

/* What the program ends with; documented in the README and by `millrace help`. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_TABLES = 1,   /* some tables failed and were set aside, or a backfill was interrupted */
    EXIT_CONFIG = 2,   /* the config, the source or a sink needs a person */
    EXIT_INTERNAL = 3, /* a fault of the program, or ended at once by a second signal */
    EXIT_USAGE = 64,   /* the command line */
};

struct arguments {
    const char *config;    /* NULL where the command takes none */
    const char *table;     /* --table PATTERN; NULL: all */
    const char *savepoint; /* --from-savepoint PATH; NULL: none */
    const char *from;      /* --from PLACE; NULL: none */
    const char *action;    /* before the config: "show"; NULL where the command takes none */
    const char *path;      /* behind the config; NULL: none */
    bool json, markdown, force, discard;
};

int command_run(const struct arguments *arguments);
int command_backfill(const struct arguments *arguments);
int command_check(const struct arguments *arguments);
int command_status(const struct arguments *arguments);
int command_tables(const struct arguments *arguments);
int command_savepoint(const struct arguments *arguments);
int command_checkpoint(const struct arguments *arguments);
int command_options(const struct arguments *arguments);

/* Says on standard error what is wrong, and gives the exit code that the kind of error asks for. */
int command_failed(const struct error *err);
/* Likewise of the command line. */
int command_misused(const char *what, const char *usage);
