/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/debezium_change.h"

#include "engine/base/json_write.h"
#include "engine/base/parse.h"
#include "sinks/kafka/jdbc.h"

static void member_null(struct json_writer *json, const char *key)
{
    json_key(json, bytes_from(key));
    json_null(json);
}

static void member_text(struct json_writer *json, const char *key, struct bytes text)
{
    if (text.data)
        json_member_string(json, key, text);
    else
        member_null(json, key);
}

static void member_bool(struct json_writer *json, const char *key, bool flag)
{
    json_key(json, bytes_from(key));
    json_bool(json, flag);
}

/* "decimal(10,2) unsigned" is DECIMAL UNSIGNED. */
static void put_type_name(struct json_writer *json, const char *key, struct bytes type)
{
    struct buf name;
    buf_init(&name, 4096);
    int depth = 0;
    for (size_t i = 0; i < type.size; i++) {
        uint8_t c = type.data[i];
        depth += c == '(';
        if (depth == 0)
            buf_u8(&name, c >= 'a' && c <= 'z' ? (uint8_t)(c & ~0x20) : c);
        depth -= c == ')';
    }
    json_member_string(json, key, buf_view(&name));
    buf_done(&name);
}

/* "int(11)": 11, which says how wide it is printed; 0 where there is none. */
static int64_t display_width(struct bytes type)
{
    const uint8_t *open = memchr(type.data, '(', type.size);
    if (!open)
        return 0;
    size_t before = (size_t)(open + 1 - type.data);
    return (int64_t)parse_digits((struct bytes){ open + 1, type.size - before });
}

static void put_sizes(struct json_writer *json, const struct column *column)
{
    const struct type *type = &column->type;
    bool whole = type->kind == TYPE_INT || type->kind == TYPE_UINT;
    bool fraction =
        type->kind == TYPE_DATETIME || type->kind == TYPE_TIMESTAMP || type->kind == TYPE_TIME;
    int64_t length = type->kind == TYPE_DECIMAL ? type->precision
                     : fraction                 ? type->scale
                     : whole                    ? display_width(column->source_type)
                                                : (int64_t)type->length;
    json_key(json, bytes_from("length"));
    if (length > 0)
        json_int(json, length);
    else
        json_null(json);
    json_key(json, bytes_from("scale"));
    if (type->kind == TYPE_DECIMAL)
        json_int(json, type->scale);
    else
        json_null(json);
}

static void column_json(struct json_writer *json, const struct column *column, uint16_t position)
{
    json_object(json);
    json_member_string(json, "name", column->name);
    json_member_int(json, "jdbcType", jdbc_type(column));
    member_null(json, "nativeType");
    put_type_name(json, "typeName", column->source_type);
    put_type_name(json, "typeExpression", column->source_type);
    member_text(json, "charsetName", column->charset);
    put_sizes(json, column);
    json_member_int(json, "position", position);
    member_bool(json, "optional", column->nullable);
    member_bool(json, "autoIncremented", column->auto_increment);
    member_bool(json, "generated", column->generated != COLUMN_STORED_PLAIN);
    member_text(json, "comment", column->comment.size ? column->comment : (struct bytes){ 0 });
    member_text(json, "defaultValueExpression", column->default_text);
    json_key(json, bytes_from("enumValues"));
    if (column->type.member_count == 0) {
        json_null(json);
    } else {
        json_array(json);
        for (uint16_t i = 0; i < column->type.member_count; i++)
            json_string(json, column->type.members[i]);
        json_array_end(json);
    }
    json_object_end(json);
}

static void put_id(struct buf *out, const struct table *table)
{
    buf_printf(out, "\"%.*s\".", BYTES_ARGS(table->database));
    if (table->schema.data)
        buf_printf(out, "\"%.*s\".", BYTES_ARGS(table->schema));
    buf_printf(out, "\"%.*s\"", BYTES_ARGS(table->name));
}

static void table_json(struct json_writer *json, const struct table *table)
{
    json_object(json);
    member_text(json, "defaultCharsetName", table->charset);
    json_key(json, bytes_from("primaryKeyColumnNames"));
    json_array(json);
    for (uint16_t i = 0; i < table->key_count; i++)
        json_string(json, table->columns[table->key_columns[i]].name);
    json_array_end(json);
    json_key(json, bytes_from("columns"));
    json_array(json);
    for (uint16_t i = 0; i < table->column_count; i++)
        column_json(json, &table->columns[i], (uint16_t)(i + 1));
    json_array_end(json);
    member_text(json, "comment", table->comment.size ? table->comment : (struct bytes){ 0 });
    json_object_end(json);
}

/* A statement that leaves all tables as they are (TRUNCATE) changes none. */
void debezium_table_changes(const struct schema_change *change, struct buf *out)
{
    struct json_writer json = json_writer_of(out);
    bool drop = change->kind == CHANGE_DROP_TABLE, create = change->kind == CHANGE_CREATE_TABLE;
    struct buf id;
    json_array(&json);
    if (change->kind != CHANGE_TRUNCATE_TABLE && (change->after || change->before)) {
        buf_init(&id, 4096);
        put_id(&id, change->before && !create ? change->before : change->after);
        if (change->kind == CHANGE_RENAME_TABLE) {
            buf_u8(&id, ',');
            put_id(&id, change->after);
        }
        json_object(&json);
        json_member_string(&json, "type", bytes_from(drop ? "DROP" : create ? "CREATE" : "ALTER"));
        json_member_string(&json, "id", buf_view(&id));
        json_key(&json, bytes_from("table"));
        if (drop || !change->after)
            json_null(&json);
        else
            table_json(&json, change->after);
        json_object_end(&json);
        buf_done(&id);
    }
    json_array_end(&json);
}
