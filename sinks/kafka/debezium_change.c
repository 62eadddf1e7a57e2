/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/debezium_change.h"

#include "engine/base/cleanup.h"
#include "engine/base/json_write.h"
#include "engine/base/parse.h"
#include "sinks/kafka/jdbc.h"

enum { ID_LIMIT = 4096 };

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
static struct bytes type_name(struct arena *arena, struct bytes type)
{
    uint8_t *name = arena_raw(arena, type.size + 1), *to = name;
    int depth = 0;
    for (size_t i = 0; i < type.size; i++) {
        uint8_t c = type.data[i];
        depth += c == '(';
        if (depth == 0)
            *to++ = c >= 'a' && c <= 'z' ? (uint8_t)(c & ~0x20) : c;
        depth -= c == ')';
    }
    return (struct bytes){ name, (size_t)(to - name) };
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

static int64_t length_of(const struct column *column)
{
    const struct type *type = &column->type;
    bool whole = type->kind == TYPE_INT || type->kind == TYPE_UINT;
    bool fraction =
        type->kind == TYPE_DATETIME || type->kind == TYPE_TIMESTAMP || type->kind == TYPE_TIME;
    int64_t length = type->kind == TYPE_DECIMAL ? type->precision
                     : fraction                 ? type->scale
                     : whole                    ? display_width(column->source_type)
                                                : (int64_t)type->length;
    return length > 0 ? length : -1;
}

struct told_column debezium_told_column(struct arena *arena, const struct column *column)
{
    return (struct told_column){
        .column = column,
        .type = type_name(arena, column->source_type),
        .length = length_of(column),
        .scale = column->type.kind == TYPE_DECIMAL ? column->type.scale : -1,
        .jdbc_type = jdbc_type(column),
        .comment = column->comment.size ? column->comment : (struct bytes){ 0 },
    };
}

static void put_id(struct buf *out, const struct table *table)
{
    buf_printf(out, "\"%.*s\".", BYTES_ARGS(table->database));
    if (table->schema.data)
        buf_printf(out, "\"%.*s\".", BYTES_ARGS(table->schema));
    buf_printf(out, "\"%.*s\"", BYTES_ARGS(table->name));
}

static struct bytes id_of(struct arena *arena, const struct schema_change *change, bool create)
{
    CLEANUP(buf_done) struct buf id;
    buf_init(&id, ID_LIMIT);
    put_id(&id, change->before && !create ? change->before : change->after);
    if (change->kind == CHANGE_RENAME_TABLE) {
        buf_u8(&id, ',');
        put_id(&id, change->after);
    }
    return arena_copy(arena, buf_view(&id));
}

struct told_change debezium_told_change(struct arena *arena, const struct schema_change *change)
{
    bool drop = change->kind == CHANGE_DROP_TABLE, create = change->kind == CHANGE_CREATE_TABLE;
    if (change->kind == CHANGE_TRUNCATE_TABLE || (!change->after && !change->before))
        return (struct told_change){ 0 };
    return (struct told_change){ .type = drop     ? "DROP"
                                         : create ? "CREATE"
                                                  : "ALTER",
                                 .id = id_of(arena, change, create),
                                 .table = drop ? NULL : change->after };
}

/* ---- as JSON ---- */

static void member_number(struct json_writer *json, const char *key, int64_t number)
{
    json_key(json, bytes_from(key));
    if (number < 0)
        json_null(json);
    else
        json_int(json, number);
}

static void column_json(struct json_writer *json, struct arena *arena, const struct column *column,
                        uint16_t position)
{
    struct told_column told = debezium_told_column(arena, column);
    json_object(json);
    json_member_string(json, "name", column->name);
    json_member_int(json, "jdbcType", told.jdbc_type);
    member_null(json, "nativeType");
    json_member_string(json, "typeName", told.type);
    json_member_string(json, "typeExpression", told.type);
    member_text(json, "charsetName", column->charset);
    member_number(json, "length", told.length);
    member_number(json, "scale", told.scale);
    json_member_int(json, "position", position);
    member_bool(json, "optional", column->nullable);
    member_bool(json, "autoIncremented", column->auto_increment);
    member_bool(json, "generated", column->generated != COLUMN_STORED_PLAIN);
    member_text(json, "comment", told.comment);
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

static void table_json(struct json_writer *json, struct arena *arena, const struct table *table)
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
        column_json(json, arena, &table->columns[i], (uint16_t)(i + 1));
    json_array_end(json);
    member_text(json, "comment", table->comment.size ? table->comment : (struct bytes){ 0 });
    json_object_end(json);
}

void debezium_table_changes(const struct schema_change *change, struct buf *out)
{
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct json_writer json = json_writer_of(out);
    struct told_change told = debezium_told_change(&arena, change);
    json_array(&json);
    if (told.type) {
        json_object(&json);
        json_member_string(&json, "type", bytes_from(told.type));
        json_member_string(&json, "id", told.id);
        json_key(&json, bytes_from("table"));
        if (told.table)
            table_json(&json, &arena, told.table);
        else
            json_null(&json);
        json_object_end(&json);
    }
    json_array_end(&json);
}
