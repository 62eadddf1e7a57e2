/* SPDX-License-Identifier: Apache-2.0
 *
 * A member of a Connect schema becomes a field; an optional one a union with null that defaults to
 * it, or to what its column does. What Avro has no word for is kept in connect.* properties. A
 * record that was named once is referred to by its name. */
#include "sinks/kafka/avro_schema.h"

#include "sinks/kafka/avro_source.h"

struct avro_writer {
    const struct format_context *context;
    struct json_writer json;
    struct bytes space;           /* namespace of the topic's records */
    bool point, geometry, scaled; /* named already */
};

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

struct bytes avro_field_name(struct arena *arena, struct bytes name)
{
    struct bytes out = arena_copy(arena, name);
    uint8_t *text = (uint8_t *)(uintptr_t)out.data;
    for (size_t i = 0; i < out.size; i++)
        if (!is_letter(text[i]) && (i == 0 || !is_digit(text[i])))
            text[i] = '_';
    return out;
}

/* A topic as a namespace: each part between dots is a name. */
static struct bytes space_of(struct arena *arena, struct bytes topic)
{
    struct bytes out = arena_copy(arena, topic);
    uint8_t *text = (uint8_t *)(uintptr_t)out.data;
    bool first = true;
    for (size_t i = 0; i < out.size; i++) {
        if (text[i] != '.' && !is_letter(text[i]) && (first || !is_digit(text[i])))
            text[i] = '_';
        first = text[i] == '.';
    }
    return out;
}

static const char *primitive_of(const char *type)
{
    static const char *const names[][2] = { { "int16", "int" },     { "int32", "int" },
                                            { "int64", "long" },    { "float", "float" },
                                            { "double", "double" }, { "boolean", "boolean" },
                                            { "string", "string" }, { "bytes", "bytes" } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(type, names[i][0]) == 0)
            return names[i][1];
    return "array";
}

static const char *logical_of(const char *name)
{
    static const char *const types[][2] = {
        { "org.apache.kafka.connect.data.Decimal", "decimal" },
        { "org.apache.kafka.connect.data.Date", "date" },
        { "org.apache.kafka.connect.data.Time", "time-millis" },
        { "org.apache.kafka.connect.data.Timestamp", "timestamp-millis" },
    };
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
        if (strcmp(name, types[i][0]) == 0)
            return types[i][1];
    return NULL;
}

static void connect_parameters(const struct connect_schema *schema, struct json_writer *json)
{
    if (!schema->parameters[0].data)
        return;
    json_key(json, bytes_from("connect.parameters"));
    json_object(json);
    for (size_t i = 0; i < 4 && schema->parameters[i].data; i += 2) {
        json_key(json, schema->parameters[i]);
        json_string(json, schema->parameters[i + 1]);
    }
    json_object_end(json);
}

/* A decimal's scale and precision stand in Avro's own words too. */
static void decimal_members(const struct connect_schema *schema, struct json_writer *json)
{
    json_key(json, bytes_from("scale"));
    json_raw(json, schema->parameters[1]);
    json_key(json, bytes_from("precision"));
    json_raw(json, schema->parameters[3]);
}

/* clang-format off */
#define SRID "{\"name\":\"srid\",\"type\":[\"null\",\"int\"],\"default\":null}"

static const char point_fields[] =
    "{\"name\":\"x\",\"type\":\"double\"},{\"name\":\"y\",\"type\":\"double\"},"
    "{\"name\":\"wkb\",\"type\":[\"null\",\"bytes\"],\"default\":null}," SRID;
static const char geometry_fields[] = "{\"name\":\"wkb\",\"type\":\"bytes\"}," SRID;
static const char scaled_fields[] =
    "{\"name\":\"scale\",\"type\":\"int\"},{\"name\":\"value\",\"type\":\"bytes\"}";
/* clang-format on */

/* Named by the last part of the schema's name, in the namespace before it. */
static void put_struct(struct avro_writer *writer, const struct connect_schema *schema)
{
    const char *name = strrchr(schema->name, '.') + 1;
    bool point = strcmp(name, "Point") == 0, scaled = strcmp(name, "VariableScaleDecimal") == 0;
    bool *named = point ? &writer->point : scaled ? &writer->scaled : &writer->geometry;
    struct json_writer *json = &writer->json;
    if (*named) {
        json_string(json, bytes_from(schema->name));
        return;
    }
    *named = true;
    json_object(json);
    json_member_string(json, "type", bytes_from("record"));
    json_member_string(json, "name", bytes_from(name));
    json_member_string(
        json, "namespace",
        (struct bytes){ (const uint8_t *)schema->name, (size_t)(name - schema->name - 1) });
    json_key(json, bytes_from("fields"));
    json_array(json);
    json_raw(json, bytes_from(point ? point_fields : scaled ? scaled_fields : geometry_fields));
    json_array_end(json);
    json_member_string(json, "connect.doc", bytes_from(connect_struct_doc(schema)));
    json_member_int(json, "connect.version", 1);
    json_member_string(json, "connect.name", bytes_from(schema->name));
    json_object_end(json);
}

/* A default: bytes are a text whose characters are theirs. */
static void put_fallback(struct avro_writer *writer, const char *key,
                         const struct connect_schema *schema)
{
    struct json_writer *json = &writer->json;
    struct bytes raw = schema->fallback_raw;
    if (!schema->fallback.data)
        return;
    json_key(json, bytes_from(key));
    if (!raw.data) {
        json_raw(json, schema->fallback);
        return;
    }
    uint8_t *text = arena_raw(writer->context->arena, raw.size * 2 + 1), *to = text;
    for (size_t i = 0; i < raw.size; i++) {
        if (raw.data[i] >= 0x80)
            *to++ = (uint8_t)(0xc0 | raw.data[i] >> 6);
        *to++ = raw.data[i] >= 0x80 ? (uint8_t)(0x80 | (raw.data[i] & 0x3f)) : raw.data[i];
    }
    json_string(json, (struct bytes){ text, (size_t)(to - text) });
}

static void put_type(struct avro_writer *writer, const struct connect_schema *schema);

static void put_items(struct avro_writer *writer, const struct connect_schema *items)
{
    struct json_writer *json = &writer->json;
    json_object(json);
    json_member_string(json, "type", bytes_from("array"));
    json_key(json, bytes_from("items"));
    json_array(json);
    json_string(json, bytes_from("null"));
    put_type(writer, items);
    json_array_end(json);
    json_object_end(json);
}

static void put_type(struct avro_writer *writer, const struct connect_schema *schema)
{
    struct json_writer *json = &writer->json;
    const char *primitive = primitive_of(schema->type);
    bool int16 = strcmp(schema->type, "int16") == 0;
    if (strcmp(schema->type, "struct") == 0) {
        put_struct(writer, schema);
        return;
    }
    if (schema->items) {
        put_items(writer, schema->items);
        return;
    }
    if (!schema->name && !int16 && !schema->fallback.data) {
        json_string(json, bytes_from(primitive));
        return;
    }
    const char *logical = logical_of(schema->name);
    json_object(json);
    json_member_string(json, "type", bytes_from(primitive));
    if (strcmp(primitive, "array") == 0)
        json_member_string(json, "items", bytes_from("float"));
    if (logical && strcmp(logical, "decimal") == 0)
        decimal_members(schema, json);
    if (schema->name) {
        json_member_int(json, "connect.version", 1);
        connect_parameters(schema, json);
    }
    put_fallback(writer, "connect.default", schema);
    if (schema->name)
        json_member_string(json, "connect.name", bytes_from(schema->name));
    if (int16)
        json_member_string(json, "connect.type", bytes_from("int16"));
    if (logical)
        json_member_string(json, "logicalType", bytes_from(logical));
    json_object_end(json);
}

static void put_field(struct avro_writer *writer, const struct column *column, bool optional)
{
    struct json_writer *json = &writer->json;
    struct connect_schema schema = debezium_schema(writer->context, column);
    json_object(json);
    json_member_string(json, "name", avro_field_name(writer->context->arena, column->name));
    json_key(json, bytes_from("type"));
    bool turned = schema.fallback.data != NULL; /* a default is of a union's first branch */
    if (optional)
        json_array(json);
    if (optional && !turned)
        json_string(json, bytes_from("null"));
    put_type(writer, &schema);
    if (optional && turned)
        json_string(json, bytes_from("null"));
    if (optional)
        json_array_end(json);
    put_fallback(writer, "default", &schema);
    if (optional && !turned) {
        json_key(json, bytes_from("default"));
        json_null(json);
    }
    json_object_end(json);
}

static void record_begin(struct avro_writer *writer, const char *name, bool with_space)
{
    struct json_writer *json = &writer->json;
    json_object(json);
    json_member_string(json, "type", bytes_from("record"));
    json_member_string(json, "name", bytes_from(name));
    if (with_space)
        json_member_string(json, "namespace", writer->space);
    json_key(json, bytes_from("fields"));
    json_array(json);
}

static void record_end(struct avro_writer *writer, const char *name, int version)
{
    struct json_writer *json = &writer->json;
    json_array_end(json);
    if (version)
        json_member_int(json, "connect.version", version);
    json_member_string(
        json, "connect.name",
        arena_printf(writer->context->arena, "%.*s.%s", BYTES_ARGS(writer->space), name));
    json_object_end(json);
}

static struct avro_writer writer_of(const struct format_context *context, struct buf *out)
{
    return (struct avro_writer){ .context = context,
                                 .json = json_writer_of(out),
                                 .space = space_of(context->arena, context->topic) };
}

void avro_key_schema(const struct format_context *context, struct buf *out)
{
    const struct table *table = context->table;
    struct avro_writer writer = writer_of(context, out);
    record_begin(&writer, "Key", true);
    for (uint16_t i = 0; i < table->key_count; i++)
        put_field(&writer, &table->columns[table->key_columns[i]], false);
    record_end(&writer, "Key", 0);
}

/* ---- the envelope ---- */

#define OPTIONAL(name, type)                                                                       \
    "{\"name\":\"" name "\",\"type\":[\"null\",\"" type "\"],\"default\":null}"
#define REQUIRED(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"

/* clang-format off */
static const char closing_fields[] =
    "{\"name\":\"transaction\",\"type\":[\"null\",{\"type\":\"record\","
    "\"name\":\"block\",\"namespace\":\"event\",\"fields\":["
    REQUIRED("id", "string") ","
    REQUIRED("total_order", "long") ","
    REQUIRED("data_collection_order", "long")
    "],\"connect.version\":1,\"connect.name\":\"event.block\"}],\"default\":null},"
    REQUIRED("op", "string") ","
    OPTIONAL("ts_ms", "long") ","
    OPTIONAL("ts_us", "long") ","
    OPTIONAL("ts_ns", "long");
/* clang-format on */

static void put_images(struct avro_writer *writer)
{
    struct json_writer *json = &writer->json;
    const struct table *table = writer->context->table;
    json_object(json);
    json_member_string(json, "name", bytes_from("before"));
    json_key(json, bytes_from("type"));
    json_array(json);
    json_string(json, bytes_from("null"));
    record_begin(writer, "Value", false);
    for (uint16_t i = 0; i < table->column_count; i++)
        put_field(writer, &table->columns[i], table->columns[i].nullable);
    record_end(writer, "Value", 0);
    json_array_end(json);
    json_key(json, bytes_from("default"));
    json_null(json);
    json_object_end(json);
    json_raw(json, bytes_from("{\"name\":\"after\",\"type\":[\"null\",\"Value\"],"
                              "\"default\":null}"));
}

void avro_envelope_schema(const struct format_context *context, const char *connector,
                          struct buf *out)
{
    struct avro_writer writer = writer_of(context, out);
    record_begin(&writer, "Envelope", true);
    put_images(&writer);
    json_object(&writer.json);
    json_member_string(&writer.json, "name", bytes_from("source"));
    json_key(&writer.json, bytes_from("type"));
    json_raw(&writer.json, avro_source_schema(context->arena, connector,
                                              context->table->schema.data != NULL, writer.space));
    json_object_end(&writer.json);
    json_raw(&writer.json, bytes_from(closing_fields));
    record_end(&writer, "Envelope", 2);
}
