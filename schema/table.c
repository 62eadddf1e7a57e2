/* SPDX-License-Identifier: Apache-2.0
 *
 * Table versions: copying, finding columns, and their record in the checkpoint:
 *   u8 format, u32 id, u32 version, u64 valid_from, database, schema, name, charset, collation,
 *   comment, key_name (each sized), u8 flags (1: system versioned), u32 source_id, u16 columns,
 * then a column each: name, charset, collation, source_type, default, comment (sized), u8 kind, u8
 * bits, u8 precision, u8 scale, u32 length, u8 flags, u8 generated, u16 key_order, u32 source_id,
 *   u16 members, labels. Format 1 had no source_id. The kind of an array is that of its elements
 * with the highest bit set. */
#include "schema/table.h"

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/base/reader.h"

enum {
    TABLE_FORMAT = 4,
    TABLE_FORMAT_STORAGE = 4,
    TABLE_FORMAT_LEAVES = 3,
    TABLE_FORMAT_FIRST = 1,
    COLUMN_BYTES_MIN = 30
};
enum {
    FLAG_FIXED = 1,
    FLAG_BOOLEAN = 2,
    FLAG_NULLABLE = 4,
    FLAG_INVISIBLE = 8,
    FLAG_AUTO_INCREMENT = 16,
    FLAG_EXPRESSION = 32
};
enum { FLAG_ARRAY = 0x80 }; /* of a kind */

static uint8_t fold(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c; }

static bool names_equal(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (fold(a.data[i]) != fold(b.data[i]))
            return false;
    return true;
}

const struct column *table_column(const struct table *table, struct bytes name)
{
    for (uint16_t i = 0; i < table->column_count; i++)
        if (names_equal(table->columns[i].name, name))
            return &table->columns[i];
    return NULL;
}

void table_index_keys(struct arena *arena, struct table *table)
{
    uint16_t count = 0;
    for (uint16_t i = 0; i < table->column_count; i++)
        count = (uint16_t)(count + (table->columns[i].key_order > 0));
    uint16_t *keys = arena_array(arena, count + 1u, sizeof *keys);
    uint16_t found = 0;
    for (uint16_t order = 1; found < count && order != 0; order++)
        for (uint16_t i = 0; i < table->column_count; i++)
            if (table->columns[i].key_order == order)
                keys[found++] = i;
    table->key_count = found;
    table->key_columns = keys;
}

static void column_copy(struct arena *arena, struct column *to, const struct column *from)
{
    *to = *from;
    to->name = arena_copy(arena, from->name);
    to->charset = arena_copy(arena, from->charset);
    to->collation = arena_copy(arena, from->collation);
    to->source_type = arena_copy(arena, from->source_type);
    to->default_text = arena_copy(arena, from->default_text);
    to->comment = arena_copy(arena, from->comment);
    struct bytes *members = arena_array(arena, from->type.member_count + 1u, sizeof *members);
    for (uint16_t i = 0; i < from->type.member_count; i++)
        members[i] = arena_copy(arena, from->type.members[i]);
    to->type.members = members;
}

bool table_same_columns(const struct table *a, const struct table *b)
{
    if (a->column_count != b->column_count || a->key_count != b->key_count)
        return false;
    for (uint16_t i = 0; i < a->column_count; i++) {
        const struct column *x = &a->columns[i], *y = &b->columns[i];
        if (!bytes_equal(x->name, y->name) || !type_equal(&x->type, &y->type) ||
            x->nullable != y->nullable || x->generated != y->generated ||
            x->key_order != y->key_order)
            return false;
    }
    return true;
}

struct table *table_copy(struct arena *arena, const struct table *table)
{
    struct table *copy = arena_alloc(arena, sizeof *copy);
    *copy = *table;
    copy->database = arena_copy(arena, table->database);
    copy->schema = arena_copy(arena, table->schema);
    copy->name = arena_copy(arena, table->name);
    copy->charset = arena_copy(arena, table->charset);
    copy->collation = arena_copy(arena, table->collation);
    copy->comment = arena_copy(arena, table->comment);
    copy->key_name = arena_copy(arena, table->key_name);
    copy->leaves = arena_copy(arena, table->leaves);
    struct column *columns = arena_array(arena, table->column_count + 1u, sizeof *columns);
    for (uint16_t i = 0; i < table->column_count; i++)
        column_copy(arena, &columns[i], &table->columns[i]);
    copy->columns = columns;
    table_index_keys(arena, copy);
    return copy;
}

/* ---- the record ---- */

static void column_encode(const struct column *column, struct buf *out)
{
    buf_sized(out, column->name);
    buf_sized(out, column->charset);
    buf_sized(out, column->collation);
    buf_sized(out, column->source_type);
    buf_sized(out, column->default_text);
    buf_sized(out, column->comment);
    const struct type *type = &column->type;
    buf_u8(out,
           type->kind == TYPE_ARRAY ? (uint8_t)(FLAG_ARRAY | type->element) : (uint8_t)type->kind);
    buf_u8(out, type->bits);
    buf_u8(out, type->precision);
    buf_u8(out, type->scale);
    buf_le(out, type->length, 4);
    buf_u8(out, (uint8_t)((type->fixed ? FLAG_FIXED : 0) | (type->boolean ? FLAG_BOOLEAN : 0) |
                          (column->nullable ? FLAG_NULLABLE : 0) |
                          (column->invisible ? FLAG_INVISIBLE : 0) |
                          (column->auto_increment ? FLAG_AUTO_INCREMENT : 0) |
                          (column->default_is_expression ? FLAG_EXPRESSION : 0)));
    buf_u8(out, column->generated);
    buf_le(out, column->key_order, 2);
    buf_le(out, column->source_id, 4);
    buf_le(out, type->member_count, 2);
    for (uint16_t i = 0; i < type->member_count; i++)
        buf_sized(out, type->members[i]);
}

void table_encode(const struct table *table, struct buf *out)
{
    buf_u8(out, TABLE_FORMAT);
    buf_le(out, table->id, 4);
    buf_le(out, table->version, 4);
    buf_le(out, table->valid_from, 8);
    buf_sized(out, table->database);
    buf_sized(out, table->schema);
    buf_sized(out, table->name);
    buf_sized(out, table->charset);
    buf_sized(out, table->collation);
    buf_sized(out, table->comment);
    buf_sized(out, table->key_name);
    buf_u8(out, table->system_versioned);
    buf_le(out, table->source_id, 4);
    buf_sized(out, table->leaves);
    buf_le(out, table->columns_ever, 4);
    buf_le(out, table->storage, 4);
    buf_le(out, table->column_count, 2);
    for (uint16_t i = 0; i < table->column_count; i++)
        column_encode(&table->columns[i], out);
}

static struct bytes take_sized(struct reader *in, struct arena *arena)
{
    uint32_t size = (uint32_t)reader_le(in, 4);
    if (in->failed || size == UINT32_MAX)
        return (struct bytes){ 0 };
    return arena_copy(arena, reader_take(in, size));
}

static void members_decode(struct reader *in, struct arena *arena, struct type *type)
{
    uint16_t count = (uint16_t)reader_le(in, 2);
    if (in->failed || (size_t)count * 4 > in->rest.size) {
        in->failed = true;
        return;
    }
    struct bytes *members = arena_array(arena, count + 1u, sizeof *members);
    for (uint16_t i = 0; i < count; i++)
        members[i] = take_sized(in, arena);
    type->members = members;
    type->member_count = count;
}

static void column_decode(struct reader *in, uint8_t format, struct arena *arena,
                          struct column *column)
{
    column->name = take_sized(in, arena);
    column->charset = take_sized(in, arena);
    column->collation = take_sized(in, arena);
    column->source_type = take_sized(in, arena);
    column->default_text = take_sized(in, arena);
    column->comment = take_sized(in, arena);
    struct type *type = &column->type;
    uint8_t kind = reader_u8(in);
    bool array = kind & FLAG_ARRAY;
    kind &= (uint8_t)~FLAG_ARRAY;
    in->failed |= kind >= TYPE_KIND_COUNT || !column->name.data;
    kind = in->failed ? TYPE_INT : kind;
    type->kind = array ? TYPE_ARRAY : (enum type_kind)kind;
    type->element = array ? kind : 0;
    type->bits = reader_u8(in);
    type->precision = reader_u8(in);
    type->scale = reader_u8(in);
    type->length = (uint32_t)reader_le(in, 4);
    uint8_t flags = reader_u8(in);
    type->fixed = flags & FLAG_FIXED;
    type->boolean = flags & FLAG_BOOLEAN;
    column->nullable = flags & FLAG_NULLABLE;
    column->invisible = flags & FLAG_INVISIBLE;
    column->auto_increment = flags & FLAG_AUTO_INCREMENT;
    column->default_is_expression = flags & FLAG_EXPRESSION;
    column->generated = reader_u8(in);
    column->key_order = (uint16_t)reader_le(in, 2);
    column->source_id = format > TABLE_FORMAT_FIRST ? (uint32_t)reader_le(in, 4) : 0;
    members_decode(in, arena, type);
}

bool table_decode(struct bytes record, struct arena *arena, struct table **out, struct error *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);
    if (format < TABLE_FORMAT_FIRST || format > TABLE_FORMAT)
        return error_set(err, ERROR_CONFIG, "a table's record is of a format that is not known");
    struct table *table = arena_zalloc(arena, sizeof *table);
    table->id = (uint32_t)reader_le(&in, 4);
    table->version = (uint32_t)reader_le(&in, 4);
    table->valid_from = reader_le(&in, 8);
    table->database = take_sized(&in, arena);
    table->schema = take_sized(&in, arena);
    table->name = take_sized(&in, arena);
    table->charset = take_sized(&in, arena);
    table->collation = take_sized(&in, arena);
    table->comment = take_sized(&in, arena);
    table->key_name = take_sized(&in, arena);
    table->system_versioned = reader_u8(&in) != 0;
    table->source_id = format > TABLE_FORMAT_FIRST ? (uint32_t)reader_le(&in, 4) : 0;
    if (format >= TABLE_FORMAT_LEAVES)
        table->leaves = take_sized(&in, arena);
    if (format >= TABLE_FORMAT_STORAGE) {
        table->columns_ever = (uint32_t)reader_le(&in, 4);
        table->storage = (uint32_t)reader_le(&in, 4);
    }
    table->column_count = (uint16_t)reader_le(&in, 2);
    if (in.failed || (size_t)table->column_count * COLUMN_BYTES_MIN > in.rest.size ||
        !table->name.data)
        return error_set(err, ERROR_CONFIG, "a table's record is cut off");
    struct column *columns = arena_array(arena, table->column_count + 1u, sizeof *columns);
    for (uint16_t i = 0; i < table->column_count && !in.failed; i++)
        column_decode(&in, format, arena, &columns[i]);
    if (in.failed || in.rest.size > 0)
        return error_set(err, ERROR_CONFIG, "a table's record is malformed");
    table->columns = columns;
    table_index_keys(arena, table);
    *out = table;
    return true;
}
