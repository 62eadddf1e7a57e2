/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/debezium_schema.h"

#include "engine/base/assert.h"

enum { SCHEMA_LIMIT = 64 << 20 };

struct bytes debezium_server_name(const struct kafka_options *options)
{
    return options->topic_prefix.size > 0 ? options->topic_prefix : BYTES_LITERAL("millrace");
}

struct event debezium_placed(const struct event *event)
{
    static const struct event_origin binlog = { .connector = "mysql",
                                                .file = { (const uint8_t *)"", 0 } };
    static const struct event_origin wal = { .connector = "postgresql",
                                             .file = { (const uint8_t *)"", 0 } };
    struct event placed = *event;
    if (!placed.origin)
        placed.origin = event->table->schema.data ? &wal : &binlog;
    return placed;
}

/* The columns as fields of a struct; `places`: of the key. */
static void columns_json(const struct format_context *context, const uint16_t *places,
                         uint16_t count, struct json_writer *json)
{
    json_key(json, bytes_from("fields"));
    json_array(json);
    for (uint16_t i = 0; i < count; i++) {
        const struct column *column = &context->table->columns[places ? places[i] : i];
        struct connect_schema schema = debezium_schema(context, column);
        json_object(json);
        connect_schema_json(&schema, !places && column->nullable, json);
        json_member_string(json, "field", column->name);
        json_object_end(json);
    }
    json_array_end(json);
}

static void schema_end(const struct format_context *context, bool optional, const char *suffix,
                       struct json_writer *json)
{
    json_key(json, bytes_from("optional"));
    json_bool(json, optional);
    json_member_string(json, "name",
                       arena_printf(context->arena, "%.*s.%s", BYTES_ARGS(context->topic), suffix));
}

void debezium_key_schema(const struct format_context *context, struct bytes *head,
                         struct bytes *tail)
{
    struct buf out;
    buf_init(&out, SCHEMA_LIMIT);
    buf_text(&out, "{\"schema\":");
    struct json_writer json = json_writer_of(&out);
    json_object(&json);
    json_member_string(&json, "type", bytes_from("struct"));
    columns_json(context, context->table->key_columns, context->table->key_count, &json);
    schema_end(context, false, "Key", &json);
    json_object_end(&json);
    buf_text(&out, ",\"payload\":");
    *head = arena_copy(context->arena, buf_view(&out));
    *tail = BYTES_LITERAL("}");
    buf_done(&out);
}

static void image_json(const struct format_context *context, const char *field,
                       struct json_writer *json)
{
    json_object(json);
    json_member_string(json, "type", bytes_from("struct"));
    columns_json(context, NULL, context->table->column_count, json);
    schema_end(context, true, "Value", json);
    json_member_string(json, "field", bytes_from(field));
    json_object_end(json);
}

/* Fields that never change, as they stand in a message. */
#define REQUIRED(type, name) "{\"type\":\"" type "\",\"optional\":false,\"field\":\"" name "\"}"
#define OPTIONAL(type, name) "{\"type\":\"" type "\",\"optional\":true,\"field\":\"" name "\"}"

/* clang-format off */
static const char source_common[] =
    REQUIRED("string", "version") ","
    REQUIRED("string", "connector") ","
    REQUIRED("string", "name") ","
    REQUIRED("int64", "ts_ms") ","
    "{\"type\":\"string\",\"optional\":true,\"name\":\"io.debezium.data.Enum\","
    "\"version\":1,\"parameters\":{\"allowed\":\"true,first,first_in_data_collection,"
    "last_in_data_collection,last,false,incremental\"},\"default\":\"false\","
    "\"field\":\"snapshot\"},"
    REQUIRED("string", "db") ","
    OPTIONAL("string", "sequence") ","
    OPTIONAL("int64", "ts_us") ","
    OPTIONAL("int64", "ts_ns") ",";

static const char source_binlog[] =
    OPTIONAL("string", "table") ","
    REQUIRED("int64", "server_id") ","
    OPTIONAL("string", "gtid") ","
    REQUIRED("string", "file") ","
    REQUIRED("int64", "pos") ","
    REQUIRED("int32", "row") ","
    OPTIONAL("int64", "thread") ","
    OPTIONAL("string", "query");

static const char source_wal[] =
    REQUIRED("string", "schema") ","
    REQUIRED("string", "table") ","
    OPTIONAL("int64", "txId") ","
    OPTIONAL("int64", "lsn") ","
    OPTIONAL("int64", "xmin") ","
    OPTIONAL("string", "origin") ","
    OPTIONAL("int64", "origin_lsn");

static const char transaction_field[] =
    "{\"type\":\"struct\",\"fields\":["
    REQUIRED("string", "id") ","
    REQUIRED("int64", "total_order") ","
    REQUIRED("int64", "data_collection_order")
    "],\"optional\":true,\"name\":\"event.block\",\"version\":1,"
    "\"field\":\"transaction\"}";
/* clang-format on */

static const char closing_fields[] = REQUIRED("string", "op") "," OPTIONAL(
    "int64", "ts_ms") "," OPTIONAL("int64", "ts_us") "," OPTIONAL("int64", "ts_ns");

static void source_json(const struct format_context *context, const char *connector,
                        struct json_writer *json)
{
    bool wal = context->table->schema.data != NULL;
    struct bytes text = arena_printf(
        context->arena,
        "{\"type\":\"struct\",\"fields\":[%s%s],\"optional\":false,"
        "\"name\":\"io.debezium.connector.%s.Source\",\"version\":1,\"field\":\"source\"}",
        source_common, wal ? source_wal : source_binlog, connector);
    json_raw(json, text);
}

void debezium_envelope_schema(const struct format_context *context, const char *connector,
                              struct buf *out)
{
    struct json_writer json = json_writer_of(out);
    json_object(&json);
    json_member_string(&json, "type", bytes_from("struct"));
    json_key(&json, bytes_from("fields"));
    json_array(&json);
    image_json(context, "before", &json);
    image_json(context, "after", &json);
    source_json(context, connector, &json);
    json_raw(&json, bytes_from(transaction_field));
    json_raw(&json, bytes_from(closing_fields));
    json_array_end(&json);
    schema_end(context, false, "Envelope", &json);
    json_member_int(&json, "version", 2);
    json_object_end(&json);
}

/* ---- schema changes ---- */

/* clang-format off */
#define CHANGE_RECORD(name) "\"name\":\"io.debezium.connector.schema." name "\",\"version\":1"
#define TEXTS "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"optional\":false},"

static const char change_fields[] =
    REQUIRED("int64", "ts_ms") ","
    OPTIONAL("string", "databaseName") ","
    OPTIONAL("string", "schemaName") ","
    OPTIONAL("string", "ddl") ","
    "{\"type\":\"array\",\"items\":{\"type\":\"struct\",\"fields\":["
        REQUIRED("string", "type") ","
        REQUIRED("string", "id") ","
        "{\"type\":\"struct\",\"fields\":["
            OPTIONAL("string", "defaultCharsetName") ","
            TEXTS "\"optional\":true,\"field\":\"primaryKeyColumnNames\"},"
            "{\"type\":\"array\",\"items\":{\"type\":\"struct\",\"fields\":["
                REQUIRED("string", "name") ","
                REQUIRED("int32", "jdbcType") ","
                OPTIONAL("int32", "nativeType") ","
                REQUIRED("string", "typeName") ","
                OPTIONAL("string", "typeExpression") ","
                OPTIONAL("string", "charsetName") ","
                OPTIONAL("int32", "length") ","
                OPTIONAL("int32", "scale") ","
                REQUIRED("int32", "position") ","
                OPTIONAL("boolean", "optional") ","
                OPTIONAL("boolean", "autoIncremented") ","
                OPTIONAL("boolean", "generated") ","
                OPTIONAL("string", "comment") ","
                OPTIONAL("string", "defaultValueExpression") ","
                TEXTS "\"optional\":true,\"field\":\"enumValues\"}"
            "],\"optional\":false," CHANGE_RECORD("Column") "},"
            "\"optional\":false,\"field\":\"columns\"},"
            OPTIONAL("string", "comment")
        "],\"optional\":true," CHANGE_RECORD("Table") ",\"field\":\"table\"}"
    "],\"optional\":false," CHANGE_RECORD("Change") "},"
    "\"optional\":false,\"field\":\"tableChanges\"}";
/* clang-format on */

static void change_end(const char *connector, const char *part, struct buf *out)
{
    buf_printf(out,
               "],\"optional\":false,\"name\":\"io.debezium.connector.%s.SchemaChange%s\","
               "\"version\":1},\"payload\":",
               connector, part);
}

void debezium_change_key_schema(const char *connector, struct buf *out)
{
    buf_text(out,
             "{\"schema\":{\"type\":\"struct\",\"fields\":[" REQUIRED("string", "databaseName"));
    change_end(connector, "Key", out);
}

void debezium_change_schema(const struct format_context *context, const char *connector,
                            struct buf *out)
{
    struct json_writer json = json_writer_of(out);
    buf_text(out, "{\"schema\":{\"type\":\"struct\",\"fields\":[");
    source_json(context, connector, &json);
    buf_u8(out, ',');
    buf_text(out, change_fields);
    change_end(connector, "Value", out);
}
