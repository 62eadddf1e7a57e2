/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML through libyaml's events, which come one after the other and need no recursion of theirs, so
 * that our own limits stop a hostile file early. Aliases share the node of their anchor: memory
 * cannot multiply, and their weight is counted at each use, so that whoever walks the tree is safe
 * too. Values are texts: what a text means is for the table of settings to say.
 *
 * Variables in values:
 *   ${env:NAME}   the environment variable, which must be set
 *   ${file:/path} the one line of a secret file, as systemd and Docker mount them
 *   $${           a plain ${
 *   ${database}, ${schema}, ${table} stay as they are: sinks fill them in, table by table
 * What they bring is not looked at again: neither as YAML nor for further variables. */
#include "config/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

#include "engine/base/assert.h"
#include "engine/base/cleanup.h"

enum { ANCHORS_MAX = 64, PIECES_MAX = 32, KEY_MAX = 256 };

struct anchor {
    struct bytes name;
    struct node *node;
};

struct parser {
    yaml_parser_t yaml;
    const char *file;
    struct bytes text;
    struct arena *arena;
    struct error *err;
    struct anchor anchors[ANCHORS_MAX];
    uint32_t anchor_count, depth, nodes;
    bool lenient;
};

bool parse_error(struct error *err, const char *file, uint32_t line, const char *format, ...)
{
    char text[sizeof err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(err, ERROR_CONFIG, "%s:%u: %s", file, line, text);
}

/* ---- libyaml's own errors ---- */

static uint32_t line_of_offset(struct bytes text, size_t offset)
{
    uint32_t line = 1;
    for (size_t i = 0; i < offset && i < text.size; i++)
        line += text.data[i] == '\n';
    return line;
}

/* Does this line (from 1) have a tab among the white space that it begins with? */
static bool line_has_tab(struct bytes text, uint32_t line)
{
    size_t i = 0;
    for (uint32_t at = 1; at < line && i < text.size; i++)
        at += text.data[i] == '\n';
    while (i < text.size && text.data[i] == ' ')
        i++;
    return i < text.size && text.data[i] == '\t';
}

static bool yaml_failed(struct parser *parser)
{
    const yaml_parser_t *yaml = &parser->yaml;
    if (yaml->error == YAML_READER_ERROR) {
        uint32_t line = line_of_offset(parser->text, yaml->problem_offset);
        return parse_error(parser->err, parser->file, line, "not readable as UTF-8 text: %s",
                           yaml->problem);
    }
    uint32_t line = (uint32_t)yaml->problem_mark.line + 1;
    if (line_has_tab(parser->text, line))
        return parse_error(parser->err, parser->file, line,
                           "a tab in the indentation: YAML wants spaces");
    return parse_error(parser->err, parser->file, line, "not valid YAML: %s%s%s",
                       yaml->problem ? yaml->problem : "out of memory", yaml->context ? " " : "",
                       yaml->context ? yaml->context : "");
}

/* Values may be secrets: they do not stay behind in freed memory. */
static void event_done(yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT && event->data.scalar.value)
        explicit_bzero(event->data.scalar.value, event->data.scalar.length);
    yaml_event_delete(event);
}

static bool next_event(struct parser *parser, yaml_event_t *event)
{
    return yaml_parser_parse(&parser->yaml, event) ? true : yaml_failed(parser);
}

static uint32_t event_line(const yaml_event_t *event)
{
    return (uint32_t)event->start_mark.line + 1;
}

/* ---- variables ---- */

static void file_cleanup(int *file)
{
    if (*file >= 0)
        close(*file);
}

/* Up to `limit` bytes; one more than that says that the file is larger. */
static bool read_whole(const char *path, uint8_t *out, size_t limit, size_t *size,
                       struct error *err)
{
    CLEANUP(file_cleanup) int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return error_code(err, ERROR_CONFIG, errno, "open '%s': %s", path, strerror(errno));
    size_t used = 0;
    while (used <= limit) {
        ssize_t got = read(file, out + used, limit + 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_code(err, ERROR_CONFIG, errno, "read '%s': %s", path, strerror(errno));
        if (got == 0)
            break;
        used += (size_t)got;
    }
    *size = used;
    return true;
}

static bool secret_file(const char *path, struct arena *arena, struct bytes *out, struct error *err)
{
    uint8_t *data = arena_raw(arena, PARSE_SECRET_MAX + 1);
    size_t size = 0;
    if (!read_whole(path, data, PARSE_SECRET_MAX, &size, err))
        return false;
    if (size > PARSE_SECRET_MAX)
        return error_set(err, ERROR_CONFIG, "'%s' is longer than %d bytes", path, PARSE_SECRET_MAX);
    if (size > 0 && data[size - 1] == '\n')
        size--;
    if (size > 0 && data[size - 1] == '\r')
        size--;
    if (size == 0)
        return error_set(err, ERROR_CONFIG, "'%s' is empty", path);
    if (memchr(data, '\n', size) || memchr(data, 0, size))
        return error_set(err, ERROR_CONFIG, "'%s' must hold one line of text", path);
    *out = (struct bytes){ data, size };
    return true;
}

struct pieces {
    struct bytes items[PIECES_MAX];
    bool wipe[PIECES_MAX];
    size_t count, size;
};

static void pieces_done(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++)
        if (pieces->wipe[i])
            explicit_bzero((void *)(uintptr_t)pieces->items[i].data, pieces->items[i].size);
}

static bool pieces_add(struct pieces *pieces, struct bytes text, bool wipe)
{
    if (text.size == 0)
        return true;
    if (pieces->count == PIECES_MAX)
        return false;
    pieces->wipe[pieces->count] = wipe;
    pieces->items[pieces->count++] = text;
    pieces->size += text.size;
    return true;
}

/* `name` stands between "${" and "}". */
static bool variable_value(struct parser *parser, struct bytes name, struct bytes *out, bool *wipe)
{
    struct error *err = parser->err;
    bool is_env = name.size > 4 && memcmp(name.data, "env:", 4) == 0;
    bool is_file = name.size > 5 && memcmp(name.data, "file:", 5) == 0;
    if (is_env) {
        const char *key = arena_text(parser->arena, (struct bytes){ name.data + 4, name.size - 4 });
        const char *value = getenv(key);
        if (!value)
            return error_set(err, ERROR_CONFIG, "environment variable '%s' is not set", key);
        *out = bytes_from(value);
        return true;
    }
    if (is_file) {
        const char *path =
            arena_text(parser->arena, (struct bytes){ name.data + 5, name.size - 5 });
        *wipe = true;
        return secret_file(path, parser->arena, out, err) || error_context(err, "secret file");
    }
    return error_set(err, ERROR_CONFIG,
                     "unknown variable '${%.*s}': there are ${env:NAME} and ${file:/path}; "
                     "write $${ for a plain ${",
                     name.size > 60 ? 60 : (int)name.size, (const char *)name.data);
}

/* What a sink fills in itself, table by table: left as it stands. */
static bool is_placeholder(struct bytes rest)
{
    static const char *const names[] = { "${database}", "${schema}", "${table}" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (rest.size >= strlen(names[i]) && memcmp(rest.data, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* Cuts `text` at its variables. */
static bool split_pieces(struct parser *parser, struct bytes text, struct pieces *pieces,
                         bool *hidden)
{
    const char *data = (const char *)text.data;
    size_t start = 0;
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (data[i] != '$' || data[i + 1] != '{' ||
            is_placeholder((struct bytes){ text.data + i, text.size - i }))
            continue;
        bool escaped = i > start && data[i - 1] == '$';
        struct bytes plain = { text.data + start, (escaped ? i - 1 : i) - start };
        if (!pieces_add(pieces, plain, false))
            return error_set(parser->err, ERROR_CONFIG, "more than %d variables", PIECES_MAX / 2);
        start = i;
        if (escaped) {
            i++;
            continue;
        }
        const uint8_t *end = memchr(text.data + i, '}', text.size - i);
        if (!end)
            return error_set(parser->err, ERROR_CONFIG, "'${' without a '}'");
        struct bytes name = { text.data + i + 2, (size_t)(end - text.data) - i - 2 };
        struct bytes value = { 0 };
        bool wipe = false;
        if (!variable_value(parser, name, &value, &wipe) && !parser->lenient)
            return false;
        if (!pieces_add(pieces, value, wipe))
            return error_set(parser->err, ERROR_CONFIG, "more than %d variables", PIECES_MAX / 2);
        *hidden = true;
        start = (size_t)(end - text.data) + 1;
        i = start - 1;
    }
    if (!pieces_add(pieces, (struct bytes){ text.data + start, text.size - start }, false))
        return error_set(parser->err, ERROR_CONFIG, "more than %d variables", PIECES_MAX / 2);
    return true;
}

/* The value with its variables replaced, in the arena. */
static bool expand(struct parser *parser, struct bytes text, struct bytes *out, bool *hidden)
{
    CLEANUP(pieces_done) struct pieces pieces = { 0 };
    if (!split_pieces(parser, text, &pieces, hidden))
        return false;
    if (pieces.size > PARSE_VALUE_MAX)
        return error_set(parser->err, ERROR_CONFIG, "a value longer than %d bytes",
                         PARSE_VALUE_MAX);
    uint8_t *data = arena_raw(parser->arena, pieces.size + 1);
    size_t used = 0;
    for (size_t i = 0; i < pieces.count; i++) {
        memcpy(data + used, pieces.items[i].data, pieces.items[i].size);
        used += pieces.items[i].size;
    }
    data[used] = '\0';
    *out = (struct bytes){ data, used };
    return true;
}

/* ---- the tree ---- */

static bool node_build(struct parser *parser, const yaml_event_t *event, struct node **out);

static bool is_null_word(struct bytes text)
{
    return text.size == 0 || bytes_is(text, "~") || bytes_is(text, "null") ||
           bytes_is(text, "Null") || bytes_is(text, "NULL");
}

static bool node_new(struct parser *parser, uint32_t line, enum node_kind kind, struct node **out)
{
    if (parser->nodes >= PARSE_NODES_MAX)
        return parse_error(parser->err, parser->file, line, "more than %d values in the file",
                           PARSE_NODES_MAX);
    parser->nodes++;
    struct node *node = arena_zalloc(parser->arena, sizeof *node);
    node->kind = kind;
    node->line = line;
    node->weight = 1;
    *out = node;
    return true;
}

static bool build_scalar(struct parser *parser, const yaml_event_t *event, struct node **out)
{
    uint32_t line = event_line(event);
    struct bytes text = { event->data.scalar.value, event->data.scalar.length };
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    enum node_kind kind = plain && is_null_word(text) ? NODE_NULL : NODE_SCALAR;
    struct node *node = NULL;
    if (!node_new(parser, line, kind, &node))
        return false;
    if (memchr(text.data, 0, text.size))
        return parse_error(parser->err, parser->file, line, "a value holds a NUL byte");
    if (kind == NODE_SCALAR && !expand(parser, text, &node->text, &node->hidden))
        return error_context(parser->err, "%s:%u", parser->file, line);
    *out = node;
    return true;
}

static bool node_add(struct parser *parser, struct node *node, struct node_entry entry)
{
    if (node->count == PARSE_ENTRIES_MAX)
        return parse_error(parser->err, parser->file, entry.line,
                           "more than %d entries in one list or map", PARSE_ENTRIES_MAX);
    if (node->count == node->capacity) {
        uint32_t capacity = node->capacity ? node->capacity * 2 : 8;
        struct node_entry *entries = arena_array(parser->arena, capacity, sizeof *entries);
        if (node->count)
            memcpy(entries, node->entries, node->count * sizeof *entries);
        node->entries = entries;
        node->capacity = capacity;
    }
    node->entries[node->count++] = entry;
    node->weight += entry.value->weight;
    return true;
}

static bool build_list(struct parser *parser, const yaml_event_t *event, struct node **out)
{
    struct node *node = NULL;
    if (!node_new(parser, event_line(event), NODE_LIST, &node))
        return false;
    for (;;) {
        CLEANUP(event_done) yaml_event_t item = { 0 };
        if (!next_event(parser, &item))
            return false;
        if (item.type == YAML_SEQUENCE_END_EVENT)
            break;
        struct node_entry entry = { .line = event_line(&item) };
        if (!node_build(parser, &item, &entry.value) || !node_add(parser, node, entry))
            return false;
    }
    *out = node;
    return true;
}

static bool key_read(struct parser *parser, const struct node *map, const yaml_event_t *event,
                     struct bytes *out)
{
    uint32_t line = event_line(event);
    if (event->type != YAML_SCALAR_EVENT)
        return parse_error(parser->err, parser->file, line, "a key must be a plain text");
    struct bytes key = { event->data.scalar.value, event->data.scalar.length };
    if (key.size == 0 || key.size > KEY_MAX || memchr(key.data, 0, key.size))
        return parse_error(parser->err, parser->file, line, "a key must be a text of 1 to %d bytes",
                           KEY_MAX);
    if (bytes_is(key, "<<"))
        return parse_error(parser->err, parser->file, line, "merge keys (<<) are not supported");
    for (uint32_t i = 0; i < map->count; i++)
        if (bytes_equal(map->entries[i].key, key))
            return parse_error(parser->err, parser->file, line,
                               "key '%.*s' is there twice, first on line %u", BYTES_ARGS(key),
                               map->entries[i].line);
    *out = arena_copy(parser->arena, key);
    return true;
}

static bool build_map(struct parser *parser, const yaml_event_t *event, struct node **out)
{
    struct node *node = NULL;
    if (!node_new(parser, event_line(event), NODE_MAP, &node))
        return false;
    for (;;) {
        CLEANUP(event_done) yaml_event_t key = { 0 }, value = { 0 };
        if (!next_event(parser, &key))
            return false;
        if (key.type == YAML_MAPPING_END_EVENT)
            break;
        struct node_entry entry = { .line = event_line(&key) };
        if (!key_read(parser, node, &key, &entry.key) || !next_event(parser, &value) ||
            !node_build(parser, &value, &entry.value) || !node_add(parser, node, entry))
            return false;
    }
    *out = node;
    return true;
}

/* An anchor is known once its node is complete, so that no node can hold itself. */
static bool build_alias(struct parser *parser, const yaml_event_t *event, struct node **out)
{
    uint32_t line = event_line(event);
    struct bytes name = bytes_from((const char *)event->data.alias.anchor);
    for (uint32_t i = parser->anchor_count; i-- > 0;) {
        if (!bytes_equal(parser->anchors[i].name, name))
            continue;
        struct node *node = parser->anchors[i].node;
        if (node->weight > PARSE_NODES_MAX - parser->nodes)
            return parse_error(parser->err, parser->file, line, "aliases make more than %d values",
                               PARSE_NODES_MAX);
        parser->nodes += node->weight;
        *out = node;
        return true;
    }
    return parse_error(parser->err, parser->file, line, "alias '*%.*s' has no anchor before it",
                       name.size > 60 ? 60 : (int)name.size, (const char *)name.data);
}

static bool anchor_add(struct parser *parser, const yaml_char_t *name, struct node *node)
{
    if (!name)
        return true;
    if (parser->anchor_count == ANCHORS_MAX)
        return parse_error(parser->err, parser->file, node->line, "more than %d anchors",
                           ANCHORS_MAX);
    struct bytes copy = arena_copy(parser->arena, bytes_from((const char *)name));
    parser->anchors[parser->anchor_count++] = (struct anchor){ copy, node };
    return true;
}

static bool build_nested(struct parser *parser, const yaml_event_t *event, struct node **out)
{
    if (parser->depth == PARSE_DEPTH_MAX)
        return parse_error(parser->err, parser->file, event_line(event),
                           "nested deeper than %d levels", PARSE_DEPTH_MAX);
    parser->depth++;
    bool ok = event->type == YAML_SEQUENCE_START_EVENT ? build_list(parser, event, out)
                                                       : build_map(parser, event, out);
    parser->depth--;
    return ok;
}

static bool node_build(struct parser *parser, const yaml_event_t *event, struct node **out)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return build_alias(parser, event, out);
    case YAML_SCALAR_EVENT:
        return build_scalar(parser, event, out) &&
               anchor_add(parser, event->data.scalar.anchor, *out);
    case YAML_SEQUENCE_START_EVENT:
        return build_nested(parser, event, out) &&
               anchor_add(parser, event->data.sequence_start.anchor, *out);
    case YAML_MAPPING_START_EVENT:
        return build_nested(parser, event, out) &&
               anchor_add(parser, event->data.mapping_start.anchor, *out);
    default:
        return parse_error(parser->err, parser->file, event_line(event), "a value is missing");
    }
}

/* stream := STREAM-START (DOCUMENT-START node DOCUMENT-END)? STREAM-END */
static bool build_document(struct parser *parser, struct node **root)
{
    CLEANUP(event_done)
    yaml_event_t stream = { 0 },
                 start = { 0 }, first = { 0 }, end = { 0 }, next = { 0 };
    struct node *node = NULL;
    if (!next_event(parser, &stream) || !next_event(parser, &start))
        return false;
    if (start.type == YAML_STREAM_END_EVENT)
        return parse_error(parser->err, parser->file, 1, "the file is empty");
    if (!next_event(parser, &first) || !node_build(parser, &first, &node) ||
        !next_event(parser, &end) || !next_event(parser, &next))
        return false;
    if (next.type != YAML_STREAM_END_EVENT)
        return parse_error(parser->err, parser->file, event_line(&next),
                           "a second document: one file holds one pipeline");
    *root = node;
    return true;
}

/* libyaml keeps the text in two buffers of its own. */
static void parser_done(struct parser *parser)
{
    yaml_parser_t *yaml = &parser->yaml;
    if (yaml->raw_buffer.start)
        explicit_bzero(yaml->raw_buffer.start,
                       (size_t)(yaml->raw_buffer.end - yaml->raw_buffer.start));
    if (yaml->buffer.start)
        explicit_bzero(yaml->buffer.start, (size_t)(yaml->buffer.end - yaml->buffer.start));
    yaml_parser_delete(yaml);
}

static bool parse(struct parser *parser, struct node **root)
{
    if (!yaml_parser_initialize(&parser->yaml))
        return error_set(parser->err, ERROR_CONFIG, "%s: out of memory", parser->file);
    yaml_parser_set_encoding(&parser->yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser->yaml, parser->text.data, parser->text.size);
    bool ok = build_document(parser, root);
    parser_done(parser);
    return ok;
}

bool parse_text(const char *name, struct bytes text, struct arena *arena, struct node **root,
                struct error *err)
{
    struct parser parser = { .file = name, .text = text, .arena = arena, .err = err };
    return parse(&parser, root);
}

bool parse_file(const char *path, bool lenient, struct arena *arena, struct node **root,
                struct error *err)
{
    CLEANUP(arena_done) struct arena temporary = { 0 };
    uint8_t *data = arena_raw(&temporary, PARSE_FILE_MAX + 1);
    size_t size = 0;
    if (!read_whole(path, data, PARSE_FILE_MAX, &size, err))
        return false;
    if (size > PARSE_FILE_MAX)
        return error_set(err, ERROR_CONFIG, "%s: larger than %d bytes", path, PARSE_FILE_MAX);
    struct parser parser = {
        .file = path, .text = { data, size }, .arena = arena, .err = err, .lenient = lenient
    };
    bool ok = parse(&parser, root);
    explicit_bzero(data, size);
    return ok;
}

void parse_wipe(struct node *root)
{
    if (!root)
        return;
    if (root->kind == NODE_SCALAR)
        explicit_bzero((void *)(uintptr_t)root->text.data, root->text.size);
    for (uint32_t i = 0; i < root->count; i++)
        parse_wipe(root->entries[i].value);
}

/* ---- sections ---- */

static uint32_t leaf_count(const struct node *map)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < map->count; i++) {
        const struct node *value = map->entries[i].value;
        count += value->kind == NODE_MAP ? leaf_count(value) : 1;
    }
    return count;
}

static bool flatten(const struct node *map, struct bytes prefix, struct section *out,
                    struct arena *arena, struct error *err)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const struct node_entry *entry = &map->entries[i];
        struct bytes key = entry->key;
        if (prefix.size > 0)
            key = arena_printf(arena, "%.*s.%.*s", BYTES_ARGS(prefix), BYTES_ARGS(key));
        if (entry->value->kind == NODE_MAP) {
            if (!flatten(entry->value, key, out, arena, err))
                return false;
            continue;
        }
        for (uint32_t k = 0; k < out->count; k++)
            if (bytes_equal(out->items[k].key, key))
                return parse_error(err, out->file, entry->line,
                                   "%s: key '%.*s' is there twice, first on line %u", out->title,
                                   BYTES_ARGS(key), out->items[k].line);
        out->items[out->count++] =
            (struct section_item){ .key = key, .value = entry->value, .line = entry->line };
    }
    return true;
}

bool section_of(const struct node *map, const char *file, const char *title, struct arena *arena,
                struct section *out, struct error *err)
{
    struct section section = { .file = file, .title = title, .line = map->line };
    if (map->kind != NODE_MAP)
        return parse_error(err, file, map->line, "%s must be a map of settings", title);
    uint32_t count = leaf_count(map);
    if (count > PARSE_ENTRIES_MAX)
        return parse_error(err, file, map->line, "%s has more than %d settings", title,
                           PARSE_ENTRIES_MAX);
    section.items = arena_array(arena, count ? count : 1, sizeof *section.items);
    if (!flatten(map, (struct bytes){ 0 }, &section, arena, err))
        return false;
    *out = section;
    return true;
}

struct section_item *section_find(const struct section *section, const char *key)
{
    for (uint32_t i = 0; i < section->count; i++)
        if (bytes_is(section->items[i].key, key))
            return &section->items[i];
    return NULL;
}
