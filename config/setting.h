/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of settings: every driver, and the agent, declares its own; one parser fills their structs
 * and one printer makes the reference (`millrace options`). An options struct holds the fields that
 * the rows point at; texts are views into the config's arena, NUL-terminated. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/base/bytes.h"

enum setting_type {
    SETTING_TEXT,     /* struct bytes */
    SETTING_SECRET,   /* struct bytes; never printed */
    SETTING_INT,      /* int64_t, between minimum and maximum */
    SETTING_BOOL,     /* bool */
    SETTING_DURATION, /* int64_t, milliseconds; "500ms", "10s", "5min", "1h", "2d", plain = ms */
    SETTING_SIZE,     /* int64_t, bytes; "64kb", "10mb", "1gb", plain = bytes */
    SETTING_DECIMAL,  /* double; limits are in thousandths */
    SETTING_CHOICE,   /* int, the index into `choices` */
    SETTING_LIST,     /* struct setting_list: a YAML list or a comma-separated text */
    SETTING_PAIRS,    /* struct setting_pairs: every key that begins with name, "a." */
};

struct setting_list {
    const struct bytes *items;
    size_t count;
};
struct setting_pairs {
    const struct setting_pair {
        struct bytes key, value;
    } * items;
    size_t count;
};

struct setting {
    const char *name; /* as in the file, dots and all: "scan.startup.mode"; NULL ends a table */
    enum setting_type type;
    size_t offset;            /* of the field in the options struct */
    const char *default_text; /* parsed as if the user wrote it; NULL: must be given; "" = empty */
    const char *help;         /* one sentence */
    int64_t minimum, maximum; /* INT, DURATION (ms), SIZE (bytes); both 0: any */
    const char *const *choices; /* CHOICE: ends with NULL */
};

#define SETTING_FIELD(type, field) offsetof(struct type, field)

struct arena;
struct buf;
struct error;
struct section;

/* Fills `options` from what `table` knows of the section, the rest with defaults. Several tables
 * may share a section: each marks what it used. ERROR_CONFIG with file and line. */
bool setting_fill(const struct setting *table, struct section *section, void *options,
                  struct arena *arena, struct error *err);

/* The row of this name, or NULL. A row of SETTING_PAIRS is found by its prefix. */
const struct setting *setting_find(const struct setting *table, struct bytes key);

/* The name in one of the tables that is nearest to `key`; NULL when none is near. */
const char *setting_nearest(const struct setting *const *tables, size_t count, struct bytes key);

/* The reference: one entry a row, as plain text or as rows of a Markdown table. */
void setting_print(const struct setting *table, bool markdown, struct buf *out);
