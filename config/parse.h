/* SPDX-License-Identifier: Apache-2.0
 *
 * A YAML file as a tree of nodes, each with its line, and a map of it as a flat section of dotted
 * keys. Every error reads `file:line: what`. Nothing of a value that came from the environment or
 * from a secret file is ever put into a message. */
#pragma once

#include "engine/base/arena.h"
#include "engine/base/error.h"

/* Limits of a file, so that a hostile or wrong one costs little. */
enum {
    PARSE_FILE_MAX = 1024 * 1024,
    PARSE_DEPTH_MAX = 32,
    PARSE_NODES_MAX = 65536,  /* aliases counted as often as they are used */
    PARSE_ENTRIES_MAX = 4096, /* of one list or map */
    PARSE_VALUE_MAX = 65536,
    PARSE_SECRET_MAX = 4096,
};

enum node_kind { NODE_NULL, NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node_entry {
    struct bytes key; /* empty in lists */
    struct node *value;
    uint32_t line;
};

struct node {
    enum node_kind kind;
    uint32_t line;     /* from 1 */
    uint32_t weight;   /* nodes below and itself */
    bool hidden;       /* the text came (in part) from outside of the file */
    struct bytes text; /* SCALAR: NUL-terminated; ${env:NAME} and ${file:PATH} are replaced */
    struct node_entry *entries; /* LIST, MAP */
    uint32_t count, capacity;
};

/* The tree in `arena`. `name` is what messages call the file. ERROR_CONFIG. With `lenient` a
 * variable that cannot be read is an empty text: who only looks at a running agent needs no
 * secrets. */
bool parse_file(const char *path, bool lenient, struct arena *arena, struct node **root,
                struct error *err);
bool parse_text(const char *name, struct bytes text, struct arena *arena, struct node **root,
                struct error *err);

/* Overwrites every text of the tree: the last thing to do with one that held secrets. */
void parse_wipe(struct node *root);

/* ERROR_CONFIG with "file:line: " in front; returns false. */
__attribute__((format(printf, 4, 5))) bool parse_error(struct error *err, const char *file,
                                                       uint32_t line, const char *format, ...);

struct section_item {
    struct bytes key;         /* "scan.startup.mode", whether written flat or nested */
    const struct node *value; /* never a map */
    uint32_t line;
    bool used; /* a table of settings knows it */
};

struct section {
    const char *file;
    const char *title; /* for messages: "source", "sink 'olap'" */
    uint32_t line;
    struct section_item *items;
    uint32_t count;
};

/* Flattens a map; a key that comes twice, flat and nested, is an error too. */
bool section_of(const struct node *map, const char *file, const char *title, struct arena *arena,
                struct section *out, struct error *err);
struct section_item *section_find(const struct section *section, const char *key); /* or NULL */
