/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the text of exported.h. The sum of the whole is proven first; then each member must be
 * there, of its type and within its limits, or the line is named. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "agent/exported.h"
#include "engine/base/assert.h"
#include "engine/base/cleanup.h"

/* One object of a line. The first thing that is wrong is told, the rest is zero. */
struct fields {
    struct arena *arena;
    const json_t *object;
    uint64_t line;
    struct error *err;
    bool failed;
};

static json_t *field(struct fields *in, const char *key)
{
    json_t *value = json_object_get(in->object, key);
    if (!value && !in->failed) {
        in->failed = true;
        error_set(in->err, ERROR_CONFIG, "line %" PRIu64 ": '%s' is missing", in->line, key);
    }
    return value;
}

static void wrong(struct fields *in, const char *key, const char *what)
{
    if (!in->failed)
        error_set(in->err, ERROR_CONFIG, "line %" PRIu64 ": '%s' must be %s", in->line, key, what);
    in->failed = true;
}

static uint64_t take_number(struct fields *in, const char *key, uint64_t maximum)
{
    const json_t *value = field(in, key);
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number > maximum)
        wrong(in, key, "a number within its limits");
    return in->failed ? 0 : (uint64_t)number;
}

static bool take_flag(struct fields *in, const char *key)
{
    const json_t *value = field(in, key);
    if (!json_is_boolean(value))
        wrong(in, key, "true or false");
    return json_is_true(value);
}

static int hex_digit(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                          : -1;
}

static bool hex_read(struct arena *arena, const char *text, size_t size, struct bytes *out)
{
    uint8_t *raw = arena_raw(arena, size / 2 + 1);
    for (size_t i = 0; i + 1 < size; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        raw[i / 2] = (uint8_t)(high << 4 | low);
    }
    *out = (struct bytes){ raw, size / 2 };
    return size % 2 == 0;
}

static struct bytes take_bytes(struct fields *in, const char *key)
{
    const json_t *value = field(in, key);
    const json_t *hex = json_object_get(value, "hex");
    struct bytes out = { 0 };
    if (json_is_string(value))
        out = arena_copy(in->arena, (struct bytes){ (const uint8_t *)json_string_value(value),
                                                    json_string_length(value) });
    else if (!json_is_null(value) &&
             (!json_is_string(hex) ||
              !hex_read(in->arena, json_string_value(hex), json_string_length(hex), &out)))
        wrong(in, key, "a text, null or {\"hex\":\"...\"}");
    return in->failed ? (struct bytes){ 0 } : out;
}

static uint64_t take_mark(struct fields *in, const char *key)
{
    const char *text = json_string_value(field(in, key));
    uint64_t commit = 0;
    uint32_t row = 0;
    int used = 0;
    bool ok = text && sscanf(text, "%" SCNu64 ":%" SCNu32 "%n", &commit, &row, &used) == 2 &&
              text[used] == '\0' && commit < UINT64_C(1) << 40 && row < 1u << MARK_ROW_BITS;
    if (!ok)
        wrong(in, key, "a mark such as \"12:3\"");
    return in->failed ? 0 : mark_make(commit, row);
}

/* Which of `count` names is it? */
static int take_name(struct fields *in, const char *key, int count, const char *(*name)(int))
{
    const char *text = json_string_value(field(in, key));
    for (int i = 0; text && i < count; i++)
        if (strcmp(text, name(i)) == 0)
            return i;
    wrong(in, key, "a name that this version knows");
    return 0;
}

static const json_t *take_list(struct fields *in, const char *key, size_t maximum)
{
    const json_t *list = field(in, key);
    if (!json_is_array(list) || json_array_size(list) > maximum)
        wrong(in, key, "a list within its limits");
    return in->failed ? NULL : list;
}

/* The same line, one object deeper. */
static struct fields deeper(const struct fields *in, const json_t *object)
{
    struct fields inner = *in;
    inner.object = object;
    return inner;
}

/* ---- records ---- */

static const char *kind_name(int kind) { return type_kind_name((enum type_kind)kind); }
static const char *state_name(int state) { return table_state_name((enum table_state)state); }

static void read_type(struct fields *in, struct type *type)
{
    type->kind = (enum type_kind)take_name(in, "kind", TYPE_KIND_COUNT, kind_name);
    if (type->kind == TYPE_ARRAY)
        type->element = (uint8_t)take_name(in, "element", TYPE_KIND_COUNT, kind_name);
    type->bits = (uint8_t)take_number(in, "bits", UINT8_MAX);
    type->precision = (uint8_t)take_number(in, "precision", UINT8_MAX);
    type->scale = (uint8_t)take_number(in, "scale", UINT8_MAX);
    type->length = (uint32_t)take_number(in, "length", UINT32_MAX);
    type->fixed = take_flag(in, "fixed");
    type->boolean = take_flag(in, "boolean");
    const json_t *list = take_list(in, "members", UINT16_MAX);
    size_t count = json_array_size(list);
    struct bytes *members = arena_array(in->arena, count + 1, sizeof *members);
    for (size_t i = 0; i < count; i++) {
        struct fields inner = deeper(in, json_array_get(list, i));
        members[i] = take_bytes(&inner, "label");
        in->failed |= inner.failed;
    }
    type->members = members;
    type->member_count = (uint16_t)count;
}

static void read_column(struct fields *in, struct column *column)
{
    column->name = take_bytes(in, "name");
    struct fields type = deeper(in, field(in, "type"));
    read_type(&type, &column->type);
    in->failed |= type.failed;
    column->nullable = take_flag(in, "nullable");
    column->invisible = take_flag(in, "invisible");
    column->generated = (uint8_t)take_number(in, "generated", COLUMN_GENERATED_STORED);
    column->auto_increment = take_flag(in, "auto_increment");
    column->key_order = (uint16_t)take_number(in, "key_order", UINT16_MAX);
    column->charset = take_bytes(in, "charset");
    column->collation = take_bytes(in, "collation");
    column->source_type = take_bytes(in, "source_type");
    column->default_text = take_bytes(in, "default_text");
    column->default_is_expression = take_flag(in, "default_is_expression");
    column->comment = take_bytes(in, "comment");
    column->source_id = (uint32_t)take_number(in, "source_id", UINT32_MAX);
}

static struct table *read_table(struct fields *in)
{
    struct table *table = arena_zalloc(in->arena, sizeof *table);
    table->id = (uint32_t)take_number(in, "id", UINT32_MAX);
    table->version = (uint32_t)take_number(in, "version", UINT32_MAX);
    table->valid_from = take_mark(in, "valid_from");
    table->database = take_bytes(in, "database");
    table->schema = take_bytes(in, "schema");
    table->name = take_bytes(in, "name");
    table->key_name = take_bytes(in, "key_name");
    table->leaves = take_bytes(in, "leaves");
    table->charset = take_bytes(in, "charset");
    table->collation = take_bytes(in, "collation");
    table->comment = take_bytes(in, "comment");
    table->system_versioned = take_flag(in, "system_versioned");
    table->source_id = (uint32_t)take_number(in, "source_id", UINT32_MAX);
    table->columns_ever = (uint32_t)take_number(in, "columns_ever", UINT32_MAX);
    table->storage = (uint32_t)take_number(in, "storage", UINT32_MAX);
    const json_t *list = take_list(in, "columns", UINT16_MAX);
    size_t count = json_array_size(list);
    struct column *columns = arena_array(in->arena, count + 1, sizeof *columns);
    for (size_t i = 0; i < count && !in->failed; i++) {
        struct fields inner = deeper(in, json_array_get(list, i));
        read_column(&inner, &columns[i]);
        in->failed |= inner.failed;
    }
    table->columns = columns;
    table->column_count = (uint16_t)count;
    return table;
}

static struct chunk_record read_chunk(struct fields *in)
{
    struct chunk_record chunk = { .table_id = (uint32_t)take_number(in, "table_id", UINT32_MAX) };
    chunk.range = (uint32_t)take_number(in, "range", UINT32_MAX);
    chunk.cursor = take_bytes(in, "cursor");
    chunk.until = take_bytes(in, "until");
    chunk.complete = take_flag(in, "complete");
    chunk.rows = take_number(in, "rows", INT64_MAX);
    return chunk;
}

static struct table_record read_state(struct fields *in)
{
    struct table_record record = { .table_id = (uint32_t)take_number(in, "table_id", UINT32_MAX) };
    record.state = (enum table_state)take_name(in, "state", TABLE_RESYNC + 1, state_name);
    record.range_count = (uint32_t)take_number(in, "range_count", UINT32_MAX);
    record.epoch = (uint32_t)take_number(in, "epoch", UINT32_MAX);
    record.sweep = take_mark(in, "sweep");
    record.reason = take_bytes(in, "reason");
    return record;
}

static struct intent read_intent(struct fields *in)
{
    struct intent intent = { .database = take_bytes(in, "database") };
    intent.name = take_bytes(in, "name");
    intent.label = take_bytes(in, "label");
    intent.first = take_mark(in, "first");
    intent.last = take_mark(in, "last");
    intent.applied = take_mark(in, "applied");
    intent.rows = (uint32_t)take_number(in, "rows", UINT32_MAX);
    const json_t *list = take_list(in, "chunks", UINT32_MAX - 1);
    size_t count = json_array_size(list);
    struct chunk_record *chunks = arena_array(in->arena, count + 1, sizeof *chunks);
    for (size_t i = 0; i < count && !in->failed; i++) {
        struct fields inner = deeper(in, json_array_get(list, i));
        chunks[i] = read_chunk(&inner);
        in->failed |= inner.failed;
    }
    intent.chunks = chunks;
    intent.chunk_count = (uint32_t)count;
    return intent;
}

/* ---- lines ---- */

/* Room for one more behind `count`. */
static void *more(struct arena *arena, void *items, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return items;
    void *larger = arena_array(arena, count ? count * 2 : 1, size);
    if (count > 0)
        memcpy(larger, items, count * size);
    return larger;
}

static void read_sink(struct fields *in, struct imported *out)
{
    if (out->count == EXPORT_SINKS_MAX) {
        wrong(in, "record", "one of fewer sinks");
        return;
    }
    struct imported_sink *sink = &out->sinks[out->count++];
    sink->name = take_bytes(in, "name");
    sink->image.identity = take_bytes(in, "identity");
    sink->image.origin = take_bytes(in, "origin");
    sink->image.epoch = take_number(in, "epoch", INT64_MAX);
    sink->image.chunk_mark = take_mark(in, "chunk_mark");
}

/* Not what begins a sink. False: there is no such record. */
static bool read_record(struct fields *in, const char *record, struct checkpoint_image *image)
{
    struct arena *arena = in->arena;
    if (strcmp(record, "position") == 0) {
        image->position.mark = take_mark(in, "mark");
        image->position.token = take_bytes(in, "token");
    } else if (strcmp(record, "table") == 0) {
        image->tables = more(arena, image->tables, image->table_count, sizeof(struct table *));
        image->tables[image->table_count++] = read_table(in);
    } else if (strcmp(record, "state") == 0) {
        image->records = more(arena, image->records, image->record_count, sizeof *image->records);
        image->records[image->record_count++] = read_state(in);
    } else if (strcmp(record, "range") == 0) {
        image->ranges = more(arena, image->ranges, image->range_count, sizeof *image->ranges);
        image->ranges[image->range_count++] = read_chunk(in);
    } else if (strcmp(record, "intent") == 0) {
        image->intents = more(arena, image->intents, image->intent_count, sizeof *image->intents);
        image->intents[image->intent_count++] = read_intent(in);
    } else if (strcmp(record, "target") == 0) {
        image->targets = more(arena, image->targets, image->target_count, sizeof *image->targets);
        image->targets[image->target_count++] =
            (struct target_record){ .database = take_bytes(in, "database"),
                                    .name = take_bytes(in, "name"),
                                    .applied = take_mark(in, "applied") };
    } else {
        return false;
    }
    return true;
}

static void json_cleanup(json_t **value) { json_decref(*value); }

static bool read_first(struct fields *in, struct imported *out)
{
    const json_t *format = json_object_get(in->object, "millrace-checkpoint");
    if (!json_is_integer(format))
        return error_set(in->err, ERROR_CONFIG, "this is no exported checkpoint of millrace");
    if (json_integer_value(format) != EXPORT_FORMAT)
        return error_set(in->err, ERROR_CONFIG,
                         "it is of format %lld, and this version of millrace reads format %d: "
                         "export it anew, or use the version that made it",
                         (long long)json_integer_value(format), EXPORT_FORMAT);
    out->pipeline = take_bytes(in, "pipeline");
    return !in->failed;
}

static bool read_line(struct bytes text, uint64_t line, struct imported *out, struct error *err)
{
    CLEANUP(json_cleanup)
    json_t *object = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    struct fields in = { .arena = &out->arena, .object = object, .line = line, .err = err };
    if (line == 1)
        return read_first(&in, out);
    const char *record = json_string_value(json_object_get(object, "record"));
    if (record && strcmp(record, "sink") == 0)
        read_sink(&in, out);
    else if (!record || out->count == 0 ||
             !read_record(&in, record, &out->sinks[out->count - 1].image))
        wrong(&in, "record", "one that this version knows");
    return !in.failed;
}

/* The last line, which holds the sum of the others. */
static bool sum_holds(struct bytes before, struct bytes last, uint64_t lines)
{
    CLEANUP(json_cleanup)
    json_t *end = json_loadb((const char *)last.data, last.size, JSON_REJECT_DUPLICATES, NULL);
    const char *record = json_string_value(json_object_get(end, "record"));
    const char *sum = json_string_value(json_object_get(end, "crc32"));
    json_int_t records = json_integer_value(json_object_get(end, "records"));
    char found[16];
    snprintf(found, sizeof found, "%08lx", crc32_z(0, before.data, before.size));
    return record && sum && strcmp(record, "end") == 0 && strcmp(sum, found) == 0 && records >= 0 &&
           (uint64_t)records == lines;
}

static uint64_t count_lines(struct bytes text)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    return lines;
}

static struct bytes take_line(struct bytes *text)
{
    const uint8_t *end = text->size ? memchr(text->data, '\n', text->size) : NULL;
    size_t size = end ? (size_t)(end - text->data) : text->size;
    struct bytes line = { text->data, size };
    size += end != NULL;
    *text = (struct bytes){ text->data + size, text->size - size };
    return line;
}

bool import_read(struct bytes text, struct imported *out, struct error *err)
{
    *out = (struct imported){ 0 };
    struct bytes rest = text;
    if (!read_line(take_line(&rest), 1, out, err))
        return false;
    size_t end = text.size > 0 ? text.size - (text.data[text.size - 1] == '\n') : 0;
    while (end > 0 && text.data[end - 1] != '\n')
        end--;
    struct bytes before = { text.data, end };
    struct bytes last = { text.data + end, text.size - end };
    if (!sum_holds(before, last, count_lines(before)))
        return error_set(err, ERROR_CONFIG,
                         "it is cut off, or was changed since it was exported (checksum)");
    rest = before;
    take_line(&rest);
    for (uint64_t line = 2; rest.size > 0; line++)
        if (!read_line(take_line(&rest), line, out, err))
            return false;
    return true;
}

void import_done(struct imported *imported)
{
    arena_done(&imported->arena);
    *imported = (struct imported){ 0 };
}
