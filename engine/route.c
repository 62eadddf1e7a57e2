/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns as Flink CDC writes them, turned into one anchored PCRE2 expression each: an unescaped
 * dot is the separator and matches a dot, an escaped one is the expression's dot. A name is matched
 * as "database.table" (or "database.schema.table"), where a dot inside a name cannot be confused
 * with the separator because the separator is handed to PCRE2 as the byte 0x1f on both sides. */
#include "engine/route.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/memory.h"

enum { SEPARATOR = 0x1f, MATCH_LIMIT = 200000, PATTERN_LIMIT = 64 << 10 };

struct pattern {
    pcre2_code *code;
    struct bytes text;
    uint32_t separators;
};

struct rule {
    struct pattern pattern;
    struct bytes sink_table, symbol;
};

struct route {
    struct arena arena;
    struct pattern *tables, *exclude;
    uint32_t table_count, exclude_count;
    struct rule *rules;
    uint32_t rule_count;
};

/* ---- compiling ---- */

static void translate(struct bytes text, struct buf *out, uint32_t *separators)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '\\' && i + 1 < text.size) {
            uint8_t next = text.data[++i];
            if (next != '.')
                buf_u8(out, '\\');
            buf_u8(out, next);
        } else if (c == '.') {
            buf_text(out, "\\x1f");
            ++*separators;
        } else {
            buf_u8(out, c);
        }
    }
}

static bool pattern_compile(struct bytes text, const char *what, struct pattern *out,
                            struct error *err)
{
    struct buf expression;
    buf_init(&expression, PATTERN_LIMIT);
    translate(text, &expression, &out->separators);
    int code;
    PCRE2_SIZE offset;
    bool fits = !expression.failed;
    out->code =
        !fits ? NULL
              : pcre2_compile(expression.data, expression.size,
                              PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF, &code, &offset, NULL);
    buf_done(&expression);
    if (!fits)
        return error_set(err, ERROR_CONFIG, "%s: a pattern is longer than %d bytes", what,
                         PATTERN_LIMIT);
    if (!out->code) {
        PCRE2_UCHAR message[160];
        pcre2_get_error_message(code, message, sizeof message);
        return error_set(err, ERROR_CONFIG, "%s: pattern '%.*s': %s at offset %zu", what,
                         BYTES_ARGS(text), (const char *)message, (size_t)offset);
    }
    if (out->separators == 0) {
        pcre2_code_free(out->code);
        out->code = NULL;
        return error_set(
            err, ERROR_CONFIG,
            "%s: pattern '%.*s' names no database: write database.table, where '\\.' is "
            "the dot of a regular expression",
            what, BYTES_ARGS(text));
    }
    pcre2_jit_compile(out->code, PCRE2_JIT_COMPLETE); /* without it matching is only slower */
    return true;
}

/* The part up to the next comma that stands outside of brackets and braces ("t{1,3}"). */
static struct bytes next_part(struct bytes *rest)
{
    size_t i = 0;
    int depth = 0;
    for (; i < rest->size; i++) {
        uint8_t c = rest->data[i];
        if (c == '\\')
            i++;
        else if (c == '{' || c == '[' || c == '(')
            depth++;
        else if (c == '}' || c == ']' || c == ')')
            depth--;
        else if (c == ',' && depth <= 0)
            break;
    }
    if (i > rest->size)
        i = rest->size;
    struct bytes part = { rest->data, i };
    size_t used = i < rest->size ? i + 1 : i;
    *rest = (struct bytes){ rest->data + used, rest->size - used };
    return bytes_trimmed(part);
}

static bool list_compile(struct route *route, const struct bytes *texts, uint32_t count,
                         const char *what, struct pattern **out, uint32_t *out_count,
                         struct error *err)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        for (size_t at = 0, commas = 0; at <= texts[i].size; at++) {
            commas += at < texts[i].size && texts[i].data[at] == ',';
            total += at == texts[i].size ? (uint32_t)commas + 1 : 0;
        }
    *out = arena_array(&route->arena, total + 1, sizeof **out);
    for (uint32_t i = 0; i < count; i++) {
        struct bytes rest = texts[i];
        while (rest.size > 0) {
            struct bytes part = next_part(&rest);
            if (part.size == 0)
                continue;
            if (!pattern_compile(part, what, &(*out)[*out_count], err))
                return false;
            (*out)[*out_count].text = arena_copy(&route->arena, part);
            ++*out_count;
        }
    }
    return true;
}

static bool rule_compile(struct route *route, const struct route_rule *from, struct rule *to,
                         struct error *err)
{
    to->sink_table = arena_copy(&route->arena, from->sink_table);
    to->symbol = arena_copy(&route->arena, from->replace_symbol);
    if (to->sink_table.size == 0)
        return error_code(err, ERROR_CONFIG, (int)from->line, "route: sink-table is empty");
    if (pattern_compile(bytes_trimmed(from->source_table), "route: source-table", &to->pattern,
                        err))
        return true;
    err->code = (int)from->line;
    return false;
}

bool route_compile(const struct route_options *options, struct route **out, struct error *err)
{
    struct route *route = memory_zalloc(1, sizeof *route);
    route->rules = arena_array(&route->arena, options->rule_count + 1, sizeof *route->rules);
    bool ok = list_compile(route, options->tables, options->table_count, "tables", &route->tables,
                           &route->table_count, err) &&
              list_compile(route, options->exclude, options->exclude_count, "tables.exclude",
                           &route->exclude, &route->exclude_count, err);
    for (uint32_t i = 0; ok && i < options->rule_count; i++) {
        ok = rule_compile(route, &options->rules[i], &route->rules[i], err);
        route->rule_count += ok;
    }
    if (ok && route->table_count == 0)
        ok = error_set(err, ERROR_CONFIG, "tables: name at least one, as in shop.\\.*");
    if (!ok) {
        route_free(route);
        return false;
    }
    *out = route;
    return true;
}

void route_free(struct route *route)
{
    if (!route)
        return;
    for (uint32_t i = 0; i < route->table_count; i++)
        pcre2_code_free(route->tables[i].code);
    for (uint32_t i = 0; i < route->exclude_count; i++)
        pcre2_code_free(route->exclude[i].code);
    for (uint32_t i = 0; i < route->rule_count; i++)
        pcre2_code_free(route->rules[i].pattern.code);
    arena_done(&route->arena);
    free(route);
}

void route_cleanup(struct route **route) { route_free(*route); }

/* ---- matching ---- */

static struct bytes subject_of(struct bytes database, struct bytes schema, struct bytes name,
                               uint32_t separators, struct arena *arena)
{
    if (schema.size == 0)
        return arena_printf(arena, "%.*s%c%.*s", BYTES_ARGS(database), SEPARATOR, BYTES_ARGS(name));
    if (separators == 1)
        return arena_printf(arena, "%.*s%c%.*s", BYTES_ARGS(schema), SEPARATOR, BYTES_ARGS(name));
    return arena_printf(arena, "%.*s%c%.*s%c%.*s", BYTES_ARGS(database), SEPARATOR,
                        BYTES_ARGS(schema), SEPARATOR, BYTES_ARGS(name));
}

static bool pattern_matches(const struct pattern *pattern, struct bytes database,
                            struct bytes schema, struct bytes name, pcre2_match_data *data)
{
    struct arena scratch = { 0 };
    struct bytes subject = subject_of(database, schema, name, pattern->separators, &scratch);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(context, MATCH_LIMIT);
    int found = pcre2_match(pattern->code, subject.data, subject.size, 0, 0, data, context);
    pcre2_match_context_free(context);
    arena_done(&scratch);
    return found > 0;
}

static bool any_matches(const struct pattern *patterns, uint32_t count, struct bytes database,
                        struct bytes schema, struct bytes name)
{
    bool found = false;
    for (uint32_t i = 0; i < count && !found; i++) {
        pcre2_match_data *data = pcre2_match_data_create_from_pattern(patterns[i].code, NULL);
        found = pattern_matches(&patterns[i], database, schema, name, data);
        pcre2_match_data_free(data);
    }
    return found;
}

static bool is_system(struct bytes database)
{
    static const char *const names[] = { "mysql", "information_schema", "performance_schema",
                                         "sys" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (bytes_is(database, names[i]))
            return true;
    return false;
}

bool route_captures(const struct route *route, struct bytes database, struct bytes schema,
                    struct bytes name)
{
    return !is_system(database) &&
           any_matches(route->tables, route->table_count, database, schema, name) &&
           !any_matches(route->exclude, route->exclude_count, database, schema, name);
}

/* The part before the first separator, as an expression of its own; NULL: it is none, as where the
 * separator stands in a group. */
static pcre2_code *database_code(struct bytes text)
{
    size_t end = 0;
    while (end < text.size && text.data[end] != '.')
        end += text.data[end] == '\\' ? 2 : 1;
    struct buf expression;
    uint32_t separators = 0;
    int code;
    PCRE2_SIZE offset;
    buf_init(&expression, PATTERN_LIMIT);
    translate((struct bytes){ text.data, end < text.size ? end : text.size }, &expression,
              &separators);
    pcre2_code *out =
        pcre2_compile(expression.data, expression.size,
                      PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF, &code, &offset, NULL);
    buf_done(&expression);
    return out;
}

static bool pattern_reaches(const struct pattern *pattern, struct bytes database)
{
    pcre2_code *code = pattern->separators > 1 ? database_code(pattern->text) : NULL;
    if (!code)
        return true;
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    int found = pcre2_match(code, database.data, database.size, 0, 0, data, NULL);
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return found > 0;
}

bool route_reaches(const struct route *route, struct bytes database)
{
    for (uint32_t i = 0; i < route->table_count; i++)
        if (pattern_reaches(&route->tables[i], database))
            return true;
    return false;
}

/* ---- naming ---- */

static bool starts_with(struct bytes text, struct bytes prefix)
{
    return prefix.size > 0 && text.size >= prefix.size &&
           memcmp(text.data, prefix.data, prefix.size) == 0;
}

/* sink-table with the symbol and $1..$9 filled in. A dot in the template separates; dots that come
 * in with a name do not, so the cut is made while filling. */
static void fill(const struct rule *rule, struct bytes subject, pcre2_match_data *data,
                 struct bytes name, struct buf *database, struct buf *table, bool *dotted)
{
    PCRE2_SIZE *groups = pcre2_get_ovector_pointer(data);
    uint32_t group_count = pcre2_get_ovector_count(data);
    struct buf *out = table;
    struct bytes rest = rule->sink_table;
    while (rest.size > 0) {
        size_t used = 1;
        uint32_t group = rest.size > 1 && rest.data[0] == '$' ? (uint32_t)rest.data[1] - '0' : 10;
        if (starts_with(rest, rule->symbol)) {
            buf_bytes(out, name);
            used = rule->symbol.size;
        } else if (group >= 1 && group <= 9) {
            if (group < group_count && groups[2 * group] != PCRE2_UNSET)
                buf_put(out, subject.data + groups[2 * group],
                        groups[2 * group + 1] - groups[2 * group]);
            used = 2;
        } else if (rest.data[0] == '.' && !*dotted) {
            buf_bytes(database, buf_view(table));
            buf_reset(table);
            *dotted = true;
        } else {
            buf_u8(out, rest.data[0]);
        }
        rest = (struct bytes){ rest.data + used, rest.size - used };
    }
}

static bool rule_target(const struct rule *rule, struct bytes database, struct bytes schema,
                        struct bytes name, struct arena *arena, struct bytes *target_database,
                        struct bytes *target_name)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(rule->pattern.code, NULL);
    bool found = pattern_matches(&rule->pattern, database, schema, name, data);
    if (found) {
        struct arena scratch = { 0 };
        struct bytes subject =
            subject_of(database, schema, name, rule->pattern.separators, &scratch);
        struct buf to_database, to_name;
        bool dotted = false;
        buf_init(&to_database, PATTERN_LIMIT);
        buf_init(&to_name, PATTERN_LIMIT);
        fill(rule, subject, data, name, &to_database, &to_name, &dotted);
        if (dotted)
            *target_database = arena_copy(arena, buf_view(&to_database));
        *target_name = arena_copy(arena, buf_view(&to_name));
        buf_done(&to_database);
        buf_done(&to_name);
        arena_done(&scratch);
    }
    pcre2_match_data_free(data);
    return found;
}

void route_target(const struct route *route, struct bytes database, struct bytes schema,
                  struct bytes name, struct arena *arena, struct bytes *target_database,
                  struct bytes *target_name)
{
    *target_database = arena_copy(arena, schema.size ? schema : database);
    *target_name = arena_copy(arena, name);
    for (uint32_t i = 0; i < route->rule_count; i++)
        if (rule_target(&route->rules[i], database, schema, name, arena, target_database,
                        target_name))
            return;
}
