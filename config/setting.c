/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts of the file to fields of an options struct, by the type that the setting's row declares. A
 * default goes the same way as a text of the user, so that it cannot mean anything else. */
#include "config/setting.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/nearest.h"
#include "config/parse.h"
#include "engine/base/assert.h"
#include "engine/base/buf.h"

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest last: a limit is printed in the largest unit that divides it. */
static const struct unit duration_units[] = {
    { "ms", 1 },          { "milli", 1 },       { "s", 1000 },       { "sec", 1000 },
    { "second", 1000 },   { "seconds", 1000 },  { "m", 60000 },      { "min", 60000 },
    { "minute", 60000 },  { "minutes", 60000 }, { "h", 3600000 },    { "hour", 3600000 },
    { "hours", 3600000 }, { "d", 86400000 },    { "day", 86400000 }, { "days", 86400000 },
};
static const struct unit size_units[] = {
    { "b", 1 },         { "bytes", 1 },    { "k", 1 << 10 },   { "kb", 1 << 10 },
    { "kib", 1 << 10 }, { "m", 1 << 20 },  { "mb", 1 << 20 },  { "mib", 1 << 20 },
    { "g", 1 << 30 },   { "gb", 1 << 30 }, { "gib", 1 << 30 },
};
static const struct unit shown_durations[] = {
    { "ms", 1 }, { "s", 1000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 }
};
static const struct unit shown_sizes[] = {
    { "b", 1 }, { "kb", 1 << 10 }, { "mb", 1 << 20 }, { "gb", 1 << 30 }
};

/* What one value is read for. */
struct context {
    const struct setting *setting;
    const struct section *section;
    const struct node *node;
    struct arena *arena;
    struct error *err;
};

/* ---- telling what is wrong ---- */

/* "'abc'", cut when long, or nothing of it when it is not for everybody's eyes. */
static const char *shown_value(const struct context *context, char *out, size_t size)
{
    struct bytes text = context->node->text;
    if (context->node->hidden || context->setting->type == SETTING_SECRET)
        snprintf(out, size, "the value");
    else if (context->node->kind == NODE_LIST)
        snprintf(out, size, "a list");
    else
        snprintf(out, size, "'%.*s'%s", text.size > 60 ? 60 : (int)text.size,
                 (const char *)text.data, text.size > 60 ? "..." : "");
    return out;
}

static bool wrong(const struct context *context, const char *expected)
{
    char value[80];
    return parse_error(context->err, context->section->file, context->node->line,
                       "%s: '%s' must be %s, but is %s", context->section->title,
                       context->setting->name, expected, shown_value(context, value, sizeof value));
}

/* None of the choices: which one may be meant? */
static bool wrong_choice(const struct context *context, const char *expected, struct bytes text)
{
    const char *const *choices = context->setting->choices, *nearest = NULL;
    uint32_t best = UINT32_MAX;
    for (size_t i = 0; choices[i]; i++) {
        uint32_t distance = nearest_distance(text, bytes_from(choices[i]));
        if (distance < best)
            nearest = choices[i];
        best = distance < best ? distance : best;
    }
    wrong(context, expected);
    if (nearest && nearest_is_near(text, best) && !context->node->hidden) {
        size_t used = strlen(context->err->message);
        snprintf(context->err->message + used, sizeof context->err->message - used,
                 "; did you mean '%s'?", nearest);
    }
    return false;
}

static void print_amount(enum setting_type type, int64_t amount, char *out, size_t size)
{
    const struct unit *units = type == SETTING_DURATION ? shown_durations : shown_sizes;
    size_t count = type == SETTING_DURATION ? ARRAY_SIZE(shown_durations) : ARRAY_SIZE(shown_sizes);
    const char *name = "";
    if (type == SETTING_DECIMAL) {
        snprintf(out, size, "%g", (double)amount / 1000);
        return;
    }
    if (type == SETTING_DURATION || type == SETTING_SIZE) {
        size_t i = count - 1;
        while (i > 0 && (amount == 0 || amount % units[i].factor != 0))
            i--;
        amount /= units[i].factor;
        name = units[i].name;
    }
    snprintf(out, size, "%" PRId64 "%s", amount, name);
}

/* "1 to 65535"; "at least 1" when there is no upper limit. */
static void print_limits(const struct setting *setting, char *out, size_t size)
{
    char low[32], high[32];
    print_amount(setting->type, setting->minimum, low, sizeof low);
    print_amount(setting->type, setting->maximum, high, sizeof high);
    if (setting->maximum == INT64_MAX)
        snprintf(out, size, "at least %s", low);
    else
        snprintf(out, size, "%s to %s", low, high);
}

static bool has_limits(const struct setting *setting)
{
    return setting->minimum != 0 || setting->maximum != 0;
}

/* ---- the types ---- */

static bool unit_factor(enum setting_type type, struct bytes name, int64_t *factor)
{
    const struct unit *units = type == SETTING_DURATION ? duration_units : size_units;
    size_t count = type == SETTING_DURATION ? ARRAY_SIZE(duration_units) : ARRAY_SIZE(size_units);
    *factor = 1;
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == name.size &&
            strncasecmp(units[i].name, (const char *)name.data, name.size) == 0) {
            *factor = units[i].factor;
            return true;
        }
    }
    return name.size == 0;
}

static const char *number_words(enum setting_type type)
{
    switch (type) {
    case SETTING_DURATION:
        return "a duration like 500ms, 10s, 5min, 1h or 2d";
    case SETTING_SIZE:
        return "a size like 65536, 64kb, 10mb or 1gb";
    default:
        return "a whole number";
    }
}

static bool set_number(const struct context *context, int64_t *out)
{
    const struct setting *setting = context->setting;
    struct bytes text = bytes_trimmed(context->node->text);
    const char *start = arena_text(context->arena, text);
    char *end = NULL;
    errno = 0;
    long long number = strtoll(start, &end, 10);
    bool sign_ok = text.size > 0 && ((start[0] >= '0' && start[0] <= '9') ||
                                     (start[0] == '-' && setting->type == SETTING_INT));
    if (end == start || errno != 0 || !sign_ok)
        return wrong(context, number_words(setting->type));
    size_t used = (size_t)(end - start);
    struct bytes unit = bytes_trimmed((struct bytes){ text.data + used, text.size - used });
    int64_t factor = 1, amount = 0;
    bool known =
        setting->type == SETTING_INT ? unit.size == 0 : unit_factor(setting->type, unit, &factor);
    if (!known || __builtin_mul_overflow((int64_t)number, factor, &amount))
        return wrong(context, number_words(setting->type));
    if (has_limits(setting) && (amount < setting->minimum || amount > setting->maximum)) {
        char limits[80];
        print_limits(setting, limits, sizeof limits);
        return wrong(context, limits);
    }
    *out = amount;
    return true;
}

static bool is_decimal(struct bytes text)
{
    size_t digits = 0, points = 0;
    for (size_t i = 0; i < text.size; i++) {
        digits += text.data[i] >= '0' && text.data[i] <= '9';
        points += text.data[i] == '.';
    }
    return digits > 0 && digits < 16 && points <= 1 && digits + points == text.size;
}

static bool set_decimal(const struct context *context, double *out)
{
    const struct setting *setting = context->setting;
    struct bytes text = bytes_trimmed(context->node->text);
    char limits[80];
    if (!is_decimal(text))
        return wrong(context, "a number such as 1.5");
    double number = strtod(arena_text(context->arena, text), NULL);
    print_limits(setting, limits, sizeof limits);
    if (number * 1000 < (double)setting->minimum || number * 1000 > (double)setting->maximum)
        return wrong(context, limits);
    *out = number;
    return true;
}

static bool set_bool(const struct context *context, bool *out)
{
    static const char *const words[] = { "false", "no", "off", "true", "yes", "on" };
    struct bytes text = bytes_trimmed(context->node->text);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strlen(words[i]) == text.size &&
            strncasecmp(words[i], (const char *)text.data, text.size) == 0) {
            *out = i >= 3;
            return true;
        }
    }
    return wrong(context, "true or false");
}

static bool set_choice(const struct context *context, int *out)
{
    const char *const *choices = context->setting->choices;
    struct bytes text = bytes_trimmed(context->node->text);
    struct buf words;
    buf_init(&words, 200);
    for (int i = 0; choices[i]; i++) {
        if (strlen(choices[i]) == text.size &&
            strncasecmp(choices[i], (const char *)text.data, text.size) == 0) {
            buf_done(&words);
            *out = i;
            return true;
        }
        buf_printf(&words, "%s%s", i == 0 ? "one of " : ", ", choices[i]);
    }
    buf_u8(&words, 0);
    wrong_choice(context, words.failed ? "one of the known words" : (const char *)words.data, text);
    buf_done(&words);
    return false;
}

/* The comma that ends the item which begins at `start`: not one behind a backslash, nor one inside
 * of brackets, where regular expressions have theirs ({1,3}). */
static size_t item_end(struct bytes text, size_t start)
{
    int depth = 0;
    for (size_t i = start; i < text.size; i++) {
        uint8_t letter = text.data[i];
        if (letter == '\\')
            i++;
        else if (letter == '(' || letter == '[' || letter == '{')
            depth++;
        else if ((letter == ')' || letter == ']' || letter == '}') && depth > 0)
            depth--;
        else if (letter == ',' && depth == 0)
            return i;
    }
    return text.size;
}

static void list_of_text(struct bytes text, struct arena *arena, struct setting_list *out)
{
    size_t most = 1;
    for (size_t i = 0; i < text.size; i++)
        most += text.data[i] == ',';
    struct bytes *items = arena_array(arena, most, sizeof *items);
    size_t count = 0;
    for (size_t start = 0; start < text.size;) {
        size_t end = item_end(text, start);
        struct bytes item = bytes_trimmed((struct bytes){ text.data + start, end - start });
        if (item.size > 0)
            items[count++] = arena_copy(arena, item);
        start = end + 1;
    }
    *out = (struct setting_list){ items, count };
}

static bool set_list(const struct context *context, struct setting_list *out)
{
    const struct node *node = context->node;
    if (node->kind == NODE_SCALAR) {
        list_of_text(node->text, context->arena, out);
        return true;
    }
    struct bytes *items = arena_array(context->arena, node->count ? node->count : 1, sizeof *items);
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->entries[i].value->kind != NODE_SCALAR)
            return wrong(context, "a list of texts");
        items[i] = node->entries[i].value->text;
    }
    *out = (struct setting_list){ items, node->count };
    return true;
}

static bool set_value(const struct context *context, void *field)
{
    const struct setting *setting = context->setting;
    const struct node *node = context->node;
    if (node->kind == NODE_NULL)
        return parse_error(context->err, context->section->file, node->line,
                           "%s: '%s' has no value; an empty text is written \"\"",
                           context->section->title, setting->name);
    if (setting->type == SETTING_LIST)
        return set_list(context, field);
    if (node->kind != NODE_SCALAR)
        return wrong(context, "a single value");
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        *(struct bytes *)field = node->text;
        return true;
    case SETTING_BOOL:
        return set_bool(context, field);
    case SETTING_DECIMAL:
        return set_decimal(context, field);
    case SETTING_CHOICE:
        return set_choice(context, field);
    default:
        return set_number(context, field);
    }
}

/* ---- sections ---- */

static bool begins_with(struct bytes key, const char *prefix)
{
    size_t size = strlen(prefix);
    return key.size > size && memcmp(key.data, prefix, size) == 0;
}

static bool fill_pairs(const struct setting *setting, struct section *section, void *field,
                       struct arena *arena, struct error *err)
{
    struct setting_pair *pairs =
        arena_array(arena, section->count ? section->count : 1, sizeof *pairs);
    size_t count = 0, prefix = strlen(setting->name);
    for (uint32_t i = 0; i < section->count; i++) {
        struct section_item *item = &section->items[i];
        if (item->used || !begins_with(item->key, setting->name))
            continue;
        if (item->value->kind != NODE_SCALAR)
            return parse_error(err, section->file, item->line, "%s: '%.*s' must be a single value",
                               section->title, BYTES_ARGS(item->key));
        item->used = true;
        struct bytes rest = { item->key.data + prefix, item->key.size - prefix };
        pairs[count++] = (struct setting_pair){ rest, item->value->text };
    }
    *(struct setting_pairs *)field = (struct setting_pairs){ pairs, count };
    return true;
}

static bool fill_one(const struct setting *setting, struct section *section, void *field,
                     struct arena *arena, struct error *err)
{
    struct section_item *item = section_find(section, setting->name);
    struct context context = { setting, section, NULL, arena, err };
    if (item) {
        item->used = true;
        context.node = item->value;
        return set_value(&context, field);
    }
    if (!setting->default_text)
        return parse_error(err, section->file, section->line, "%s: '%s' is missing: %s",
                           section->title, setting->name, setting->help);
    struct node node = { .kind = NODE_SCALAR, .text = bytes_from(setting->default_text) };
    context.node = &node;
    return set_value(&context, field);
}

bool setting_fill(const struct setting *table, struct section *section, void *options,
                  struct arena *arena, struct error *err)
{
    /* Single names first: a row "a." must not take "a.b" from a row of its own. */
    for (const struct setting *setting = table; setting->name; setting++) {
        void *field = (uint8_t *)options + setting->offset;
        if (setting->type != SETTING_PAIRS && !fill_one(setting, section, field, arena, err))
            return false;
    }
    for (const struct setting *setting = table; setting->name; setting++) {
        void *field = (uint8_t *)options + setting->offset;
        if (setting->type == SETTING_PAIRS && !fill_pairs(setting, section, field, arena, err))
            return false;
    }
    return true;
}

const struct setting *setting_find(const struct setting *table, struct bytes key)
{
    for (const struct setting *setting = table; setting->name; setting++)
        if (bytes_is(key, setting->name) ||
            (setting->type == SETTING_PAIRS && begins_with(key, setting->name)))
            return setting;
    return NULL;
}

const char *setting_nearest(const struct setting *const *tables, size_t count, struct bytes key)
{
    const char *best = NULL;
    uint32_t best_distance = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        for (const struct setting *setting = tables[i]; setting->name; setting++) {
            uint32_t distance = nearest_distance(key, bytes_from(setting->name));
            if (distance < best_distance) {
                best_distance = distance;
                best = setting->name;
            }
        }
    }
    return best && nearest_is_near(key, best_distance) ? best : NULL;
}

/* ---- the reference ---- */

static void print_type(const struct setting *setting, struct buf *out)
{
    static const char *const names[] = {
        [SETTING_TEXT] = "text", [SETTING_SECRET] = "secret",     [SETTING_INT] = "number",
        [SETTING_BOOL] = "bool", [SETTING_DURATION] = "duration", [SETTING_SIZE] = "size",
        [SETTING_LIST] = "list", [SETTING_PAIRS] = "prefix",      [SETTING_DECIMAL] = "decimal",
    };
    char limits[80];
    if (setting->type == SETTING_CHOICE) {
        for (int i = 0; setting->choices[i]; i++)
            buf_printf(out, "%s%s", i ? ", " : "", setting->choices[i]);
        return;
    }
    buf_text(out, names[setting->type]);
    if (has_limits(setting)) {
        print_limits(setting, limits, sizeof limits);
        buf_printf(out, ", %s", limits);
    }
}

static void print_default(const struct setting *setting, bool markdown, struct buf *out)
{
    const char *quote = markdown ? "`" : "";
    if (setting->type == SETTING_PAIRS)
        buf_text(out, "none");
    else if (!setting->default_text)
        buf_text(out, markdown ? "**required**" : "required");
    else if (!*setting->default_text)
        buf_text(out, "empty");
    else
        buf_printf(out, "%s%s%s", quote, setting->default_text, quote);
}

/* In a cell of Markdown a bar would end the cell, and <name> would be taken for HTML. */
static void print_help(const char *help, bool markdown, struct buf *out)
{
    for (; *help; help++) {
        if (markdown && (*help == '|' || *help == '<'))
            buf_u8(out, '\\');
        buf_u8(out, (uint8_t)*help);
    }
}

void setting_print(const struct setting *table, bool markdown, struct buf *out)
{
    for (const struct setting *setting = table; setting->name; setting++) {
        const char *star = setting->type == SETTING_PAIRS ? "*" : "";
        buf_printf(out, markdown ? "| `%s%s` | " : "  %s%s\n      ", setting->name, star);
        print_type(setting, out);
        buf_text(out, markdown ? " | " : "; default: ");
        print_default(setting, markdown, out);
        buf_text(out, markdown ? " | " : "\n      ");
        print_help(setting->help, markdown, out);
        buf_text(out, markdown ? " |\n" : "\n");
    }
}
