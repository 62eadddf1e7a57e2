/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing the text of exported.h. The names of members are those of the structs. */
#include <inttypes.h>
#include <stdio.h>
#include <zlib.h>

#include "agent/exported.h"
#include "engine/base/arena.h"
#include "engine/base/cleanup.h"
#include "engine/base/json_write.h"

/* Would a reader of JSON get back the very bytes? */
static bool is_plain(struct bytes text)
{
    static const uint8_t replacement[] = { 0xef, 0xbf, 0xbd };
    CLEANUP(buf_done) struct buf json = { 0 };
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == 0x7f ||
            (text.data[i] < 0x20 && text.data[i] != '\n' && text.data[i] != '\t'))
            return false;
    buf_init(&json, text.size * 6 + 64);
    json_put_text(&json, text);
    return !memmem(json.data, json.size, replacement, sizeof replacement) &&
           !memmem(json.data, json.size, "\\ufffd", 6);
}

static void put_bytes(struct json_writer *json, const char *key, struct bytes value)
{
    static const char digits[] = "0123456789abcdef";
    CLEANUP(buf_done) struct buf hex = { 0 };
    json_key(json, bytes_from(key));
    if (!value.data) {
        json_null(json);
        return;
    }
    if (is_plain(value)) {
        json_string(json, value);
        return;
    }
    buf_init(&hex, value.size * 2 + 16);
    for (size_t i = 0; i < value.size; i++) {
        buf_u8(&hex, (uint8_t)digits[value.data[i] >> 4]);
        buf_u8(&hex, (uint8_t)digits[value.data[i] & 15]);
    }
    json_object(json);
    json_member_string(json, "hex", buf_view(&hex));
    json_object_end(json);
}

static void put_mark(struct json_writer *json, const char *key, uint64_t mark)
{
    char text[48];
    snprintf(text, sizeof text, "%" PRIu64 ":%" PRIu32, mark_commit(mark), mark_row(mark));
    json_member_string(json, key, bytes_from(text));
}

static void put_flag(struct json_writer *json, const char *key, bool flag)
{
    json_key(json, bytes_from(key));
    json_bool(json, flag);
}

/* ---- a line ---- */

static struct json_writer line_begin(struct export *export, const char *record)
{
    if (export->bare && export->records > 0)
        buf_text(export->out, ",\n");
    struct json_writer json = json_writer_of(export->out);
    json_object(&json);
    if (record)
        json_member_string(&json, "record", bytes_from(record));
    return json;
}

static void line_end(struct export *export, struct json_writer *json)
{
    json_object_end(json);
    if (!export->bare)
        buf_u8(export->out, '\n');
    export->records++;
}

static void put_type(struct json_writer *json, const struct type *type)
{
    json_key(json, BYTES_LITERAL("type"));
    json_object(json);
    json_member_string(json, "kind", bytes_from(type_kind_name(type->kind)));
    if (type->kind == TYPE_ARRAY)
        json_member_string(json, "element",
                           bytes_from(type_kind_name((enum type_kind)type->element)));
    json_member_uint(json, "bits", type->bits);
    json_member_uint(json, "precision", type->precision);
    json_member_uint(json, "scale", type->scale);
    json_member_uint(json, "length", type->length);
    put_flag(json, "fixed", type->fixed);
    put_flag(json, "boolean", type->boolean);
    json_key(json, BYTES_LITERAL("members"));
    json_array(json);
    for (uint16_t i = 0; i < type->member_count; i++) {
        json_object(json);
        put_bytes(json, "label", type->members[i]);
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
}

static void put_column(struct json_writer *json, const struct column *column)
{
    json_object(json);
    put_bytes(json, "name", column->name);
    put_type(json, &column->type);
    put_flag(json, "nullable", column->nullable);
    put_flag(json, "invisible", column->invisible);
    json_member_uint(json, "generated", column->generated);
    put_flag(json, "auto_increment", column->auto_increment);
    json_member_uint(json, "key_order", column->key_order);
    put_bytes(json, "charset", column->charset);
    put_bytes(json, "collation", column->collation);
    put_bytes(json, "source_type", column->source_type);
    put_bytes(json, "default_text", column->default_text);
    put_flag(json, "default_is_expression", column->default_is_expression);
    put_bytes(json, "comment", column->comment);
    json_member_uint(json, "source_id", column->source_id);
    json_object_end(json);
}

static void put_table(struct export *export, const struct table *table)
{
    struct json_writer json = line_begin(export, "table");
    json_member_uint(&json, "id", table->id);
    json_member_uint(&json, "version", table->version);
    put_mark(&json, "valid_from", table->valid_from);
    put_bytes(&json, "database", table->database);
    put_bytes(&json, "schema", table->schema);
    put_bytes(&json, "name", table->name);
    put_bytes(&json, "key_name", table->key_name);
    put_bytes(&json, "leaves", table->leaves);
    put_bytes(&json, "charset", table->charset);
    put_bytes(&json, "collation", table->collation);
    put_bytes(&json, "comment", table->comment);
    put_flag(&json, "system_versioned", table->system_versioned);
    json_member_uint(&json, "source_id", table->source_id);
    json_member_uint(&json, "columns_ever", table->columns_ever);
    json_member_uint(&json, "storage", table->storage);
    json_key(&json, BYTES_LITERAL("columns"));
    json_array(&json);
    for (uint16_t i = 0; i < table->column_count; i++)
        put_column(&json, &table->columns[i]);
    json_array_end(&json);
    line_end(export, &json);
}

static void put_state(struct export *export, const struct table_record *record)
{
    struct json_writer json = line_begin(export, "state");
    json_member_uint(&json, "table_id", record->table_id);
    json_member_string(&json, "state", bytes_from(table_state_name(record->state)));
    json_member_uint(&json, "range_count", record->range_count);
    json_member_uint(&json, "epoch", record->epoch);
    put_mark(&json, "sweep", record->sweep);
    put_bytes(&json, "reason", record->reason);
    line_end(export, &json);
}

static void put_chunk(struct json_writer *json, const struct chunk_record *chunk)
{
    json_member_uint(json, "table_id", chunk->table_id);
    json_member_uint(json, "range", chunk->range);
    put_bytes(json, "cursor", chunk->cursor);
    put_bytes(json, "until", chunk->until);
    put_flag(json, "complete", chunk->complete);
    json_member_uint(json, "rows", chunk->rows);
}

static void put_intent(struct export *export, const struct intent *intent)
{
    struct json_writer json = line_begin(export, "intent");
    put_bytes(&json, "database", intent->database);
    put_bytes(&json, "name", intent->name);
    put_bytes(&json, "label", intent->label);
    put_mark(&json, "first", intent->first);
    put_mark(&json, "last", intent->last);
    put_mark(&json, "applied", intent->applied);
    json_member_uint(&json, "rows", intent->rows);
    json_key(&json, BYTES_LITERAL("chunks"));
    json_array(&json);
    for (uint32_t i = 0; i < intent->chunk_count; i++) {
        json_object(&json);
        put_chunk(&json, &intent->chunks[i]);
        json_object_end(&json);
    }
    json_array_end(&json);
    line_end(export, &json);
}

static void put_target(struct export *export, const struct target_record *target)
{
    struct json_writer json = line_begin(export, "target");
    put_bytes(&json, "database", target->database);
    put_bytes(&json, "name", target->name);
    put_mark(&json, "applied", target->applied);
    line_end(export, &json);
}

/* ---- the document ---- */

void export_begin(struct export *export, struct bytes pipeline)
{
    struct json_writer json = line_begin(export, NULL);
    json_member_uint(&json, "millrace-checkpoint", EXPORT_FORMAT);
    json_member_string(&json, "program", bytes_from(MILLRACE_VERSION));
    put_bytes(&json, "pipeline", pipeline);
    line_end(export, &json);
}

void export_sink(struct export *export, struct bytes name, const struct checkpoint_image *image,
                 struct bytes shown)
{
    struct json_writer json = line_begin(export, "sink");
    put_bytes(&json, "name", name);
    put_bytes(&json, "identity", image->identity);
    put_bytes(&json, "origin", image->origin);
    json_member_uint(&json, "epoch", image->epoch);
    put_mark(&json, "chunk_mark", image->chunk_mark);
    line_end(export, &json);
    json = line_begin(export, "position");
    put_mark(&json, "mark", image->position.mark);
    put_bytes(&json, "token", image->position.token);
    json_member_string(&json, "shown", shown);
    line_end(export, &json);
    for (size_t i = 0; i < image->table_count; i++)
        put_table(export, image->tables[i]);
    for (size_t i = 0; i < image->record_count; i++)
        put_state(export, &image->records[i]);
    for (size_t i = 0; i < image->range_count; i++) {
        json = line_begin(export, "range");
        put_chunk(&json, &image->ranges[i]);
        line_end(export, &json);
    }
    for (size_t i = 0; i < image->intent_count; i++)
        put_intent(export, &image->intents[i]);
    for (size_t i = 0; i < image->target_count; i++)
        put_target(export, &image->targets[i]);
}

void export_end(struct export *export)
{
    char sum[16];
    uint64_t records = export->records;
    snprintf(sum, sizeof sum, "%08lx", crc32_z(0, export->out->data, export->out->size));
    struct json_writer json = line_begin(export, "end");
    json_member_uint(&json, "records", records);
    json_member_string(&json, "crc32", bytes_from(sum));
    line_end(export, &json);
}
