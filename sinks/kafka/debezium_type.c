/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/debezium_type.h"

#include "schema/array.h"
#include "schema/default_value.h"
#include "sinks/kafka/debezium_gone.h"
#include "sinks/kafka/unscaled.h"

/* One line a type: what the Connect schema is, and which function writes a value. */
struct carrier {
    const char *type, *name;
    json_put put;
    int64_t divisor;
};

static bool is_point(const struct column *column)
{
    return column->source_type.size == 5 && memcmp(column->source_type.data, "point", 5) == 0;
}

static struct carrier integer_carrier(const struct column *column,
                                      const struct kafka_options *options)
{
    const struct type *type = &column->type;
    static const struct carrier precise[] = {
        [DECIMAL_PRECISE] = { "bytes", "org.apache.kafka.connect.data.Decimal", put_uint_bytes, 0 },
        [DECIMAL_STRING] = { "string", NULL, put_uint_text, 0 },
        [DECIMAL_DOUBLE] = { "double", NULL, put_uint_double, 0 },
    };
    if (type->boolean)
        return (struct carrier){ "boolean", NULL, put_boolean, 0 };
    if (type->kind == TYPE_INT) {
        const char *name = type->bits <= 16 ? "int16" : type->bits <= 32 ? "int32" : "int64";
        return (struct carrier){ name, NULL, put_int, 0 };
    }
    if (type->bits == 64 && options->bigint_unsigned == UNSIGNED_PRECISE)
        return precise[options->decimal];
    const char *name = type->bits <= 8 ? "int16" : type->bits <= 24 ? "int32" : "int64";
    return (struct carrier){ name, NULL, put_uint, 0 };
}

static struct carrier decimal_carrier(const struct kafka_options *options)
{
    static const struct carrier carriers[] = {
        [DECIMAL_PRECISE] = { "bytes", "org.apache.kafka.connect.data.Decimal", put_decimal_bytes,
                              0 },
        [DECIMAL_STRING] = { "string", NULL, put_decimal_text, 0 },
        [DECIMAL_DOUBLE] = { "double", NULL, put_decimal_double, 0 },
    };
    return carriers[options->decimal];
}

static struct carrier time_carrier(const struct type *type, const struct kafka_options *options)
{
    if (options->time == TIME_CONNECT)
        return (struct carrier){ "int32", "org.apache.kafka.connect.data.Time", put_units, 1000 };
    if (options->time == TIME_ADAPTIVE && type->scale <= 3)
        return (struct carrier){ "int32", "io.debezium.time.Time", put_units, 1000 };
    return (struct carrier){ "int64", "io.debezium.time.MicroTime", put_units, 1 };
}

static struct carrier datetime_carrier(const struct type *type, const struct kafka_options *options)
{
    if (options->time == TIME_CONNECT)
        return (struct carrier){ "int64", "org.apache.kafka.connect.data.Timestamp", put_units,
                                 1000 };
    if (type->scale <= 3)
        return (struct carrier){ "int64", "io.debezium.time.Timestamp", put_units, 1000 };
    return (struct carrier){ "int64", "io.debezium.time.MicroTimestamp", put_units, 1 };
}

static struct carrier binary_carrier(const struct kafka_options *options)
{
    static const struct carrier carriers[] = {
        [BINARY_BYTES] = { "bytes", NULL, put_base64, 0 },
        [BINARY_BASE64] = { "string", NULL, put_base64, 0 },
        [BINARY_BASE64_URL_SAFE] = { "string", NULL, put_base64_url, 0 },
        [BINARY_HEX] = { "string", NULL, put_hex, 0 },
    };
    return carriers[options->binary];
}

/* What PostgreSQL's source reads as text, and Debezium as something else. */
static struct carrier text_carrier(const struct column *column, const struct kafka_options *options)
{
    static const struct carrier numerics[] = {
        [DECIMAL_PRECISE] = { "struct", "io.debezium.data.VariableScaleDecimal", put_scaled, 0 },
        [DECIMAL_STRING] = { "string", NULL, put_text, 0 },
        [DECIMAL_DOUBLE] = { "double", NULL, put_decimal_double, 0 },
    };
    static const struct carrier intervals[] = {
        [INTERVAL_NUMERIC] = { "int64", "io.debezium.time.MicroDuration", put_interval, 0 },
        [INTERVAL_STRING] = { "string", "io.debezium.time.Interval", put_interval_iso, 0 },
    };
    struct bytes type = column->source_type;
    if (bytes_is(type, "numeric"))
        return numerics[options->decimal];
    if (bytes_is(type, "bit(1)") || bytes_is(type, "bit varying(1)"))
        return (struct carrier){ "boolean", NULL, put_bit_text, 0 };
    if (bytes_begins(type, "interval"))
        return intervals[options->interval];
    if (bytes_begins(type, "bit(") || bytes_begins(type, "bit varying"))
        return (struct carrier){ "bytes", "io.debezium.data.Bits", put_bits_text, 0 };
    if (bytes_is(type, "point"))
        return (struct carrier){ "struct", "io.debezium.data.geometry.Point", put_point_text, 0 };
    if (bytes_begins(type, "time") && type.size > 15 &&
        memcmp(type.data + type.size - 15, " with time zone", 15) == 0)
        return (struct carrier){ "string", "io.debezium.time.ZonedTime", put_zoned_time, 0 };
    const char *name = bytes_is(type, "xml")        ? "io.debezium.data.Xml"
                       : bytes_is(type, "tsvector") ? "io.debezium.data.Tsvector"
                                                    : NULL;
    return (struct carrier){ "string", name, put_text, 0 };
}

static struct carrier carrier_of(const struct format_context *context, const struct column *column)
{
    const struct kafka_options *options = context->options;
    const struct type *type = &column->type;
    bool wal = context->table->schema.data != NULL;
    static const struct carrier fixed[TYPE_KIND_COUNT] = {
        [TYPE_FLOAT] = { "float", NULL, put_float, 0 },
        [TYPE_DOUBLE] = { "double", NULL, put_double, 0 },
        [TYPE_YEAR] = { "int32", "io.debezium.time.Year", put_int, 0 },
        [TYPE_TIMESTAMP] = { "string", "io.debezium.time.ZonedTimestamp", put_instant, 0 },
        [TYPE_JSON] = { "string", "io.debezium.data.Json", put_text, 0 },
        [TYPE_ENUM] = { "string", "io.debezium.data.Enum", put_text, 0 },
        [TYPE_SET] = { "string", "io.debezium.data.EnumSet", put_text, 0 },
        [TYPE_VECTOR] = { "array", "io.debezium.data.FloatVector", put_vector, 0 },
        [TYPE_INET4] = { "string", NULL, put_address, 0 },
        [TYPE_INET6] = { "string", NULL, put_address, 0 },
        [TYPE_ARRAY] = { "array", NULL, put_array, 0 },
    };
    switch (type->kind) {
    case TYPE_TEXT:
        return text_carrier(column, options);
    case TYPE_UUID:
        return (struct carrier){ "string", wal ? "io.debezium.data.Uuid" : NULL, put_uuid, 0 };
    case TYPE_INT:
    case TYPE_UINT:
        return integer_carrier(column, options);
    case TYPE_DECIMAL:
        return decimal_carrier(options);
    case TYPE_BIT:
        return type->length <= 1
                   ? (struct carrier){ "boolean", NULL, put_bit_boolean, 0 }
                   : (struct carrier){ "bytes", "io.debezium.data.Bits", put_bits, 0 };
    case TYPE_DATE:
        return options->time == TIME_CONNECT
                   ? (struct carrier){ "int32", "org.apache.kafka.connect.data.Date", put_days, 0 }
                   : (struct carrier){ "int32", "io.debezium.time.Date", put_days, 0 };
    case TYPE_TIME:
        return time_carrier(type, options);
    case TYPE_DATETIME:
        return datetime_carrier(type, options);
    case TYPE_BYTES:
        return binary_carrier(options);
    case TYPE_GEOMETRY:
        return is_point(column)
                   ? (struct carrier){ "struct", "io.debezium.data.geometry.Point", put_point, 0 }
                   : (struct carrier){ "struct", "io.debezium.data.geometry.Geometry", put_geometry,
                                       0 };
    default:
        return fixed[type->kind];
    }
}

/* ---- schemas ---- */

static struct bytes members_text(const struct type *type, struct arena *arena)
{
    size_t size = type->member_count;
    for (uint16_t i = 0; i < type->member_count; i++)
        size += type->members[i].size;
    uint8_t *text = arena_raw(arena, size + 1), *to = text;
    for (uint16_t i = 0; i < type->member_count; i++) {
        if (i > 0)
            *to++ = ',';
        memcpy(to, type->members[i].data, type->members[i].size);
        to += type->members[i].size;
    }
    return (struct bytes){ text, (size_t)(to - text) };
}

static struct bytes raw_of(const struct carrier *carrier, const struct column *column,
                           const struct value *value, struct arena *arena)
{
    uint8_t room[UNSCALED_MAX];
    if (carrier->put == put_bits) {
        uint8_t *bits = arena_raw(arena, sizeof value->natural);
        memcpy(bits, &value->natural, sizeof value->natural); /* little endian, as we are */
        return (struct bytes){ bits, (column->type.length + 7u) / 8 };
    }
    return arena_copy(arena, carrier->put == put_uint_bytes ? unscaled_of_uint(value->natural, room)
                             : value->tag == VALUE_TEXT ? unscaled_of_text(value_bytes(value), room)
                                                        : unscaled_of_int(value->integer, room));
}

static void put_fallback(const struct format_context *context, const struct column *column,
                         const struct carrier *carrier, struct connect_schema *schema)
{
    struct value value;
    struct buf text;
    if (strcmp(carrier->type, "struct") == 0 || !default_value(column, context->arena, &value))
        return;
    struct json_column json = debezium_column(context, column, true);
    buf_init(&text, (size_t)value.size * 6 + 4096);
    if (carrier->put(&json, &value, &text) && !text.failed) {
        schema->fallback = arena_copy(context->arena, buf_view(&text));
        if (strcmp(schema->type, "bytes") == 0)
            schema->fallback_raw = raw_of(carrier, column, &value, context->arena);
    }
    buf_done(&text);
}

/* "5" of bit(5); a length that is not declared is Java's largest. */
static struct bytes bits_length(const struct column *column, struct arena *arena)
{
    struct bytes type = column->source_type;
    const uint8_t *open = type.size ? memchr(type.data, '(', type.size) : NULL;
    if (column->type.kind == TYPE_BIT)
        return arena_printf(arena, "%u", column->type.length);
    if (!open)
        return BYTES_LITERAL("2147483647");
    return (struct bytes){ open + 1, (size_t)(type.data + type.size - open - 2) };
}

struct connect_schema debezium_schema(const struct format_context *context,
                                      const struct column *column)
{
    struct carrier carrier = carrier_of(context, column);
    const struct type *type = &column->type;
    struct connect_schema schema = { .type = carrier.type, .name = carrier.name };
    if (type->kind == TYPE_ENUM || type->kind == TYPE_SET) {
        schema.parameters[0] = bytes_from("allowed");
        schema.parameters[1] = members_text(type, context->arena);
    } else if (carrier.put == put_bits || carrier.put == put_bits_text) {
        schema.parameters[0] = bytes_from("length");
        schema.parameters[1] = bits_length(column, context->arena);
    } else if (carrier.put == put_decimal_bytes || carrier.put == put_uint_bytes) {
        bool decimal = type->kind == TYPE_DECIMAL;
        schema.parameters[0] = bytes_from("scale");
        schema.parameters[1] = arena_printf(context->arena, "%u", decimal ? type->scale : 0u);
        schema.parameters[2] = bytes_from("connect.decimal.precision");
        schema.parameters[3] = arena_printf(context->arena, "%u", decimal ? type->precision : 20u);
    } else if (type->kind == TYPE_ARRAY) {
        struct column element = array_element_column(column);
        struct connect_schema *items = arena_zalloc(context->arena, sizeof *items);
        *items = debezium_schema(context, &element);
        schema.items = items;
    }
    put_fallback(context, column, &carrier, &schema);
    return schema;
}

static void field_json(struct json_writer *json, const char *type, bool optional, const char *name)
{
    json_object(json);
    json_member_string(json, "type", bytes_from(type));
    json_key(json, bytes_from("optional"));
    json_bool(json, optional);
    json_member_string(json, "field", bytes_from(name));
    json_object_end(json);
}

static bool is_named(const struct connect_schema *schema, const char *part)
{
    return strstr(schema->name, part) != NULL;
}

static void struct_json(const struct connect_schema *schema, struct json_writer *json)
{
    bool point = is_named(schema, "Point");
    json_key(json, bytes_from("fields"));
    json_array(json);
    if (is_named(schema, "VariableScaleDecimal")) {
        field_json(json, "int32", false, "scale");
        field_json(json, "bytes", false, "value");
    } else {
        if (point) {
            field_json(json, "double", false, "x");
            field_json(json, "double", false, "y");
        }
        field_json(json, "bytes", point, "wkb");
        field_json(json, "int32", true, "srid");
    }
    json_array_end(json);
}

const char *connect_struct_doc(const struct connect_schema *schema)
{
    return is_named(schema, "VariableScaleDecimal") ? "Variable scaled decimal"
           : is_named(schema, "Point")              ? "Geometry (POINT)"
                                                    : "Geometry";
}

static void name_json(const struct connect_schema *schema, bool is_struct, struct json_writer *json)
{
    json_member_string(json, "name", bytes_from(schema->name));
    json_member_int(json, "version", 1);
    if (is_struct)
        json_member_string(json, "doc", bytes_from(connect_struct_doc(schema)));
    if (!schema->parameters[0].data)
        return;
    json_key(json, bytes_from("parameters"));
    json_object(json);
    for (size_t i = 0; i < 4 && schema->parameters[i].data; i += 2) {
        json_key(json, schema->parameters[i]);
        json_string(json, schema->parameters[i + 1]);
    }
    json_object_end(json);
}

void connect_schema_json(const struct connect_schema *schema, bool optional,
                         struct json_writer *json)
{
    json_member_string(json, "type", bytes_from(schema->type));
    bool is_struct = strcmp(schema->type, "struct") == 0;
    if (is_struct)
        struct_json(schema, json);
    if (strcmp(schema->type, "array") == 0) {
        json_key(json, bytes_from("items"));
        static const struct connect_schema floats = { .type = "float" };
        json_object(json);
        connect_schema_json(schema->items ? schema->items : &floats, schema->items != NULL, json);
        json_object_end(json);
    }
    json_key(json, bytes_from("optional"));
    json_bool(json, optional);
    if (schema->name)
        name_json(schema, is_struct, json);
    if (schema->fallback.data) {
        json_key(json, bytes_from("default"));
        json_raw(json, schema->fallback);
    }
}

/* ---- encoders ---- */

static struct bytes zero_date(const struct column *column, const struct carrier *carrier,
                              const struct kafka_options *options)
{
    if (options->zero_date == ZERO_FAIL)
        return (struct bytes){ 0 };
    if (options->zero_date == ZERO_NULL && column->nullable)
        return BYTES_LITERAL("null");
    if (carrier->put == put_instant)
        return BYTES_LITERAL("\"1970-01-01T00:00:00Z\"");
    return BYTES_LITERAL("0");
}

/* What stands for a value that is not there: the user's placeholder where it can be told from data.
 */
static struct bytes absent_value(const struct format_context *context, const struct column *column,
                                 const struct carrier *carrier)
{
    struct bytes placeholder = context->options->placeholder;
    enum type_kind kind = column->type.kind;
    bool told =
        kind == TYPE_TEXT ? carrier->put == put_text : kind == TYPE_JSON || kind == TYPE_BYTES;
    if (!told)
        return (struct bytes){ 0 };
    struct buf text;
    buf_init(&text, placeholder.size * 8 + 16);
    struct value value = value_text(placeholder);
    carrier->put(&(struct json_column){ 0 }, &value, &text);
    struct bytes out = arena_copy(context->arena, buf_view(&text));
    buf_done(&text);
    return out;
}

static struct bytes gone_value(const struct format_context *context, const struct column *column)
{
    struct connect_schema schema = debezium_schema(context, column);
    return column->nullable       ? BYTES_LITERAL("null")
           : schema.fallback.data ? schema.fallback
                                  : debezium_gone(&schema).json;
}

struct json_column debezium_column(const struct format_context *context,
                                   const struct column *column, bool key)
{
    struct carrier carrier = carrier_of(context, column);
    struct json_column out = {
        .put = carrier.put,
        .lead = json_lead(context->arena, column->name),
        .zeros = &context->counters->zero_dates,
        .divisor = carrier.divisor,
        .width = (column->type.length + 7) / 8,
        .scale = column->type.scale,
    };
    if (column->type.kind == TYPE_ARRAY) {
        struct column element = array_element_column(column);
        struct json_column *inner = arena_zalloc(context->arena, sizeof *inner);
        *inner = debezium_column(context, &element, key);
        out.element = inner;
    }
    if (!key) {
        out.zero = zero_date(column, &carrier, context->options);
        out.absent = absent_value(context, column, &carrier);
        out.gone = gone_value(context, column);
    }
    return out;
}
