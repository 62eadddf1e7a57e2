/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/avro_change.h"

#include "engine/base/cleanup.h"
#include "engine/base/clock.h"
#include "sinks/kafka/avro_put.h"
#include "sinks/kafka/avro_source.h"
#include "sinks/kafka/debezium_change.h"
#include "sinks/kafka/registry.h"

/* ---- the schemas ---- */

#define OPTIONAL(name, type) "{\"name\":\"" name "\",\"type\":[\"null\"," type "],\"default\":null}"
#define REQUIRED(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define TEXT                 "\"string\""
#define TEXTS                "{\"type\":\"array\",\"items\":\"string\"}"
#define INTEGER              "\"int\""
#define FLAG                 "\"boolean\""

/* clang-format off */
#define RECORD_END(name) \
    "],\"connect.version\":1,\"connect.name\":\"io.debezium.connector.schema." name "\"}"

static const char tail_fields[] =
    REQUIRED("ts_ms", "\"long\"") ","
    OPTIONAL("databaseName", TEXT) ","
    OPTIONAL("schemaName", TEXT) ","
    OPTIONAL("ddl", TEXT) ","
    "{\"name\":\"tableChanges\",\"type\":{\"type\":\"array\",\"items\":"
    "{\"type\":\"record\",\"name\":\"Change\",\"namespace\":\"io.debezium.connector.schema\","
    "\"fields\":["
        REQUIRED("type", TEXT) ","
        REQUIRED("id", TEXT) ","
        "{\"name\":\"table\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"Table\","
        "\"fields\":["
            OPTIONAL("defaultCharsetName", TEXT) ","
            OPTIONAL("primaryKeyColumnNames", TEXTS) ","
            "{\"name\":\"columns\",\"type\":{\"type\":\"array\",\"items\":"
            "{\"type\":\"record\",\"name\":\"Column\",\"fields\":["
                REQUIRED("name", TEXT) ","
                REQUIRED("jdbcType", INTEGER) ","
                OPTIONAL("nativeType", INTEGER) ","
                REQUIRED("typeName", TEXT) ","
                OPTIONAL("typeExpression", TEXT) ","
                OPTIONAL("charsetName", TEXT) ","
                OPTIONAL("length", INTEGER) ","
                OPTIONAL("scale", INTEGER) ","
                REQUIRED("position", INTEGER) ","
                OPTIONAL("optional", FLAG) ","
                OPTIONAL("autoIncremented", FLAG) ","
                OPTIONAL("generated", FLAG) ","
                OPTIONAL("comment", TEXT) ","
                OPTIONAL("defaultValueExpression", TEXT) ","
                OPTIONAL("enumValues", TEXTS)
            RECORD_END("Column") "}},"
            OPTIONAL("comment", TEXT)
        RECORD_END("Table") "],\"default\":null}"
    RECORD_END("Change") "}}";
/* clang-format on */

/* SchemaChangeKey or SchemaChangeValue. */
static struct bytes record(struct arena *arena, const char *connector, const char *part,
                           struct bytes fields)
{
    struct bytes space = arena_printf(arena, "io.debezium.connector.%s", connector);
    return arena_printf(arena,
                        "{\"type\":\"record\",\"name\":\"SchemaChange%s\",\"namespace\":\"%.*s\","
                        "\"fields\":[%.*s],\"connect.version\":1,"
                        "\"connect.name\":\"%.*s.SchemaChange%s\"}",
                        part, BYTES_ARGS(space), BYTES_ARGS(fields), BYTES_ARGS(space), part);
}

static struct bytes key_schema(struct arena *arena, const char *connector)
{
    return record(arena, connector, "Key", BYTES_LITERAL(REQUIRED("databaseName", TEXT)));
}

static struct bytes value_schema(struct arena *arena, const char *connector, bool wal)
{
    struct bytes space = arena_printf(arena, "io.debezium.connector.%s", connector);
    struct bytes source = avro_source_schema(arena, connector, wal, space);
    struct bytes fields = arena_printf(arena, "{\"name\":\"source\",\"type\":%.*s},%s",
                                       BYTES_ARGS(source), tail_fields);
    return record(arena, connector, "Value", fields);
}

static bool register_schemas(struct avro_changes *changes, const struct format_context *context,
                             const char *connector, struct error *err)
{
    CLEANUP(arena_done) struct arena arena = { 0 };
    if (changes->connector == connector)
        return true;
    bool wal = context->table->schema.data != NULL;
    struct bytes topic = context->changes_topic;
    if (!registry_register(context->registry, topic, "key", key_schema(&arena, connector),
                           &changes->key_id, err) ||
        !registry_register(context->registry, topic, "value", value_schema(&arena, connector, wal),
                           &changes->value_id, err))
        return false;
    changes->connector = connector;
    return true;
}

/* ---- the message ---- */

static void put_optional_int(struct buf *out, int64_t number)
{
    avro_put_long(out, number >= 0);
    if (number >= 0)
        avro_put_long(out, number);
}

static void put_optional_flag(struct buf *out, bool flag)
{
    avro_put_long(out, 1);
    buf_u8(out, flag);
}

static void put_texts(struct buf *out, const struct bytes *texts, uint16_t count)
{
    if (count > 0)
        avro_put_long(out, count);
    for (uint16_t i = 0; i < count; i++)
        avro_put_bytes(out, texts[i]);
    avro_put_long(out, 0);
}

static void put_column(struct arena *arena, const struct column *column, uint16_t position,
                       struct buf *out)
{
    struct told_column told = debezium_told_column(arena, column);
    avro_put_bytes(out, column->name);
    avro_put_long(out, told.jdbc_type);
    avro_put_long(out, 0); /* nativeType */
    avro_put_bytes(out, told.type);
    avro_put_optional_text(out, told.type);
    avro_put_optional_text(out, column->charset);
    put_optional_int(out, told.length);
    put_optional_int(out, told.scale);
    avro_put_long(out, position);
    put_optional_flag(out, column->nullable);
    put_optional_flag(out, column->auto_increment);
    put_optional_flag(out, column->generated != COLUMN_STORED_PLAIN);
    avro_put_optional_text(out, told.comment);
    avro_put_optional_text(out, column->default_text);
    avro_put_long(out, column->type.member_count > 0);
    if (column->type.member_count > 0)
        put_texts(out, column->type.members, column->type.member_count);
}

static void put_table(struct arena *arena, const struct table *table, struct buf *out)
{
    struct bytes *keys = arena_array(arena, table->key_count + 1u, sizeof *keys);
    for (uint16_t i = 0; i < table->key_count; i++)
        keys[i] = table->columns[table->key_columns[i]].name;
    avro_put_optional_text(out, table->charset);
    avro_put_long(out, 1);
    put_texts(out, keys, table->key_count);
    if (table->column_count > 0)
        avro_put_long(out, table->column_count);
    for (uint16_t i = 0; i < table->column_count; i++)
        put_column(arena, &table->columns[i], (uint16_t)(i + 1), out);
    avro_put_long(out, 0);
    avro_put_optional_text(out, table->comment.size ? table->comment : (struct bytes){ 0 });
}

static void put_changes(const struct schema_change *change, struct buf *out)
{
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct told_change told = debezium_told_change(&arena, change);
    if (told.type) {
        avro_put_long(out, 1); /* a block of one */
        avro_put_bytes(out, bytes_from(told.type));
        avro_put_bytes(out, told.id);
        avro_put_long(out, told.table != NULL);
        if (told.table)
            put_table(&arena, told.table, out);
    }
    avro_put_long(out, 0);
}

bool avro_put_change(struct avro_changes *changes, const struct format_context *context,
                     const struct event *event, struct buf *out, struct error *err)
{
    const struct table *table = context->table;
    int64_t now_us = clock_wall_us();
    if (!register_schemas(changes, context, event->origin->connector, err))
        return false;
    struct frame frame = { .to = FRAME_CHANGES };
    size_t at = frame_open(out), key_at = out->size;
    avro_put_prefix(changes->key_id, out);
    avro_put_bytes(out, table->database);
    frame.key_size = (uint32_t)(out->size - key_at);
    size_t value_at = out->size;
    avro_put_prefix(changes->value_id, out);
    avro_put_source(context->options, event, now_us, out);
    avro_put_long(out, now_us / 1000);
    avro_put_optional_text(out, table->database);
    avro_put_optional_text(out, table->schema);
    avro_put_optional_text(out, event->change->sql);
    put_changes(event->change, out);
    frame.value_size = (uint32_t)(out->size - value_at);
    frame_close(out, at, &frame);
    return true;
}
