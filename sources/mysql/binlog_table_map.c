/* SPDX-License-Identifier: Apache-2.0
 *
 * TABLE_MAP events.
 *   body     := u48 table id, u16 flags, u8 size, database, NUL, u8 size, table, NUL,
 *               packed column count, u8 type of each, packed size, metadata of each,
 *               bitmap of nullable columns, optional*
 *   optional := u8 kind, packed size, field
 * The fields are lists over the columns they concern (numeric, character, ENUM, ...), in the order
 * of the table: a list says nothing of the others. MySQL sends some by default, MariaDB none;
 * binlog_row_metadata=FULL sends all that exist. */
#include "sources/mysql/binlog_column.h"
#include "sources/mysql/binlog_rows.h"
#include "sources/mysql/packed.h"

enum { COLUMNS_MAX = 4096 }; /* the servers' own limit */

enum optional_kind {
    OPTIONAL_SIGNEDNESS = 1,
    OPTIONAL_DEFAULT_CHARSET = 2,
    OPTIONAL_COLUMN_CHARSET = 3,
    OPTIONAL_COLUMN_NAME = 4,
    OPTIONAL_SET_STR_VALUE = 5,
    OPTIONAL_ENUM_STR_VALUE = 6,
    OPTIONAL_GEOMETRY_TYPE = 7,
    OPTIONAL_SIMPLE_PRIMARY_KEY = 8,
    OPTIONAL_PRIMARY_KEY_WITH_PREFIX = 9,
    OPTIONAL_ENUM_AND_SET_DEFAULT_CHARSET = 10,
    OPTIONAL_ENUM_AND_SET_COLUMN_CHARSET = 11,
    OPTIONAL_COLUMN_VISIBILITY = 12,
    OPTIONAL_VECTOR_DIMENSIONALITY = 13,
};

static struct bytes text_take(struct reader *in, struct arena *arena)
{
    return arena_copy(arena, reader_take(in, reader_packed(in)));
}

/* ---- the fixed part ---- */

static void head_take(struct reader *in, struct table_map_name *out)
{
    out->table_id = reader_le(in, 6);
    reader_take(in, 2);
    out->database = reader_take(in, reader_u8(in));
    reader_take(in, 1);
    out->name = reader_take(in, reader_u8(in));
    reader_take(in, 1);
}

bool table_map_peek(struct bytes body, struct table_map_name *out, struct error *err)
{
    struct reader in = reader_of(body);
    struct table_map_name name;
    head_take(&in, &name);
    if (in.failed)
        return error_set(err, ERROR_DATA, "table map: cut off in its header");
    *out = name;
    return true;
}

/* Bytes of metadata of a wire type; -1: not a type that is known. */
static int metadata_size(uint8_t type)
{
    switch (type) {
    case WIRE_TINY:
    case WIRE_SHORT:
    case WIRE_LONG:
    case WIRE_LONGLONG:
    case WIRE_INT24:
    case WIRE_NULL:
    case WIRE_TIMESTAMP:
    case WIRE_DATE:
    case WIRE_TIME:
    case WIRE_DATETIME:
    case WIRE_YEAR:
    case WIRE_NEWDATE:
        return 0;
    case WIRE_FLOAT:
    case WIRE_DOUBLE:
    case WIRE_TIMESTAMP2:
    case WIRE_DATETIME2:
    case WIRE_TIME2:
    case WIRE_BLOB_COMPRESSED:
    case WIRE_VECTOR:
    case WIRE_JSON:
    case WIRE_TINY_BLOB:
    case WIRE_MEDIUM_BLOB:
    case WIRE_LONG_BLOB:
    case WIRE_BLOB:
    case WIRE_GEOMETRY:
        return 1;
    case WIRE_VARCHAR:
    case WIRE_BIT:
    case WIRE_VARCHAR_COMPRESSED:
    case WIRE_NEWDECIMAL:
    case WIRE_ENUM:
    case WIRE_SET:
    case WIRE_VAR_STRING:
    case WIRE_STRING:
        return 2;
    default:
        return -1;
    }
}

/* STRING's first byte is its real type; lengths above 255 hide in two bits of it, inverted. */
static void unfold_string(uint8_t first, uint8_t second, uint8_t *type, uint16_t *metadata)
{
    if ((first & 0x30) == 0x30) {
        *type = first;
        *metadata = second;
    } else {
        *type = first | 0x30;
        *metadata = (uint16_t)(second | ((first & 0x30) ^ 0x30) << 4);
    }
}

static void column_take(struct reader *in, int size, uint8_t *type, uint16_t *metadata)
{
    uint8_t first = size > 0 ? reader_u8(in) : 0, second = size > 1 ? reader_u8(in) : 0;
    switch (*type) {
    case WIRE_STRING:
    case WIRE_ENUM:
    case WIRE_SET:
        unfold_string(first, second, type, metadata);
        break;
    case WIRE_NEWDECIMAL:
        *metadata = (uint16_t)(first << 8 | second);
        break;
    case WIRE_BIT:
        *metadata = (uint16_t)(second * 8 + first);
        break;
    case WIRE_TINY_BLOB:
    case WIRE_MEDIUM_BLOB:
    case WIRE_LONG_BLOB:
        *type = WIRE_BLOB; /* fall through */
    default:
        *metadata = (uint16_t)(first | second << 8);
    }
}

static bool columns_take(struct reader *in, struct arena *arena, struct table_map *map,
                         struct error *err)
{
    uint64_t count = reader_packed(in);
    struct bytes types = reader_take(in, count);
    if (in->failed || count > COLUMNS_MAX)
        return error_set(err, ERROR_DATA, "table map: not a list of columns");
    map->column_count = (uint16_t)count;
    uint8_t *unfolded = arena_zalloc(arena, count + 1);
    uint16_t *metadata = arena_array(arena, count + 1, sizeof *metadata);
    struct reader fields = reader_of(reader_take(in, reader_packed(in)));
    for (size_t i = 0; i < count; i++) {
        int size = metadata_size(types.data[i]);
        if (size < 0)
            return error_set(
                err, ERROR_DATA, "table '%.*s.%.*s': column %zu has an unknown wire type, %u",
                BYTES_ARGS(map->database), BYTES_ARGS(map->name), i + 1, types.data[i]);
        unfolded[i] = types.data[i];
        column_take(&fields, size, &unfolded[i], &metadata[i]);
    }
    map->types = unfolded;
    map->metadata = metadata;
    map->nullable = arena_copy(arena, reader_take(in, (count + 7) / 8)).data;
    if (in->failed || fields.failed)
        return error_set(err, ERROR_DATA, "table map: cut off in its columns");
    return true;
}

/* ---- which columns a list is about ---- */

static bool is_numeric(uint8_t type)
{
    return type == WIRE_TINY || type == WIRE_SHORT || type == WIRE_INT24 || type == WIRE_LONG ||
           type == WIRE_LONGLONG || type == WIRE_FLOAT || type == WIRE_DOUBLE ||
           type == WIRE_NEWDECIMAL || type == WIRE_YEAR;
}

static bool is_character(uint8_t type)
{
    return type == WIRE_STRING || type == WIRE_VAR_STRING || type == WIRE_VARCHAR ||
           type == WIRE_BLOB || type == WIRE_VECTOR || type == WIRE_VARCHAR_COMPRESSED ||
           type == WIRE_BLOB_COMPRESSED;
}

/* In MariaDB, where it is a kind of BLOB. */
static bool is_character_or_geometry(uint8_t type)
{
    return is_character(type) || type == WIRE_GEOMETRY;
}

static bool is_labelled(uint8_t type) { return type == WIRE_ENUM || type == WIRE_SET; }
static bool is_enum(uint8_t type) { return type == WIRE_ENUM; }
static bool is_set(uint8_t type) { return type == WIRE_SET; }
static bool is_geometry(uint8_t type) { return type == WIRE_GEOMETRY; }
static bool is_vector(uint8_t type) { return type == WIRE_VECTOR; }

/* The first column from `from` on that the list is about; column_count when there is none. */
static uint32_t column_next(const struct table_map *map, uint32_t from, bool (*about)(uint8_t))
{
    while (from < map->column_count && !about(map->types[from]))
        from++;
    return from;
}

/* ---- the optional part ---- */

static void signedness_take(struct reader *in, struct arena *arena, struct table_map *map)
{
    bool *is_unsigned = arena_array(arena, map->column_count + 1u, sizeof *is_unsigned);
    uint32_t place = 0;
    uint8_t bits = 0;
    for (uint32_t i = column_next(map, 0, is_numeric); i < map->column_count;
         i = column_next(map, i + 1, is_numeric), place++) {
        bits = (uint8_t)(place % 8 ? bits << 1 : reader_u8(in));
        is_unsigned[i] = bits & 0x80;
    }
    map->is_unsigned = is_unsigned;
    map->has_signedness = true;
}

/* packed default, then pairs: place among the columns, collation */
static void default_charset_take(struct reader *in, bool (*about)(uint8_t), struct table_map *map,
                                 uint32_t *collation)
{
    uint32_t usual = (uint32_t)reader_packed(in);
    for (uint32_t i = column_next(map, 0, about); i < map->column_count;
         i = column_next(map, i + 1, about))
        collation[i] = usual;
    while (in->rest.size && !in->failed) {
        uint64_t place = reader_packed(in);
        uint32_t other = (uint32_t)reader_packed(in), i = column_next(map, 0, about);
        for (; place > 0 && i < map->column_count; place--)
            i = column_next(map, i + 1, about);
        in->failed |= i >= map->column_count;
        if (!in->failed)
            collation[i] = other;
    }
}

static void column_charset_take(struct reader *in, bool (*about)(uint8_t), struct table_map *map,
                                uint32_t *collation)
{
    for (uint32_t i = column_next(map, 0, about); i < map->column_count;
         i = column_next(map, i + 1, about))
        collation[i] = (uint32_t)reader_packed(in);
}

static void names_take(struct reader *in, struct arena *arena, struct table_map *map)
{
    struct bytes *names = arena_array(arena, map->column_count + 1u, sizeof *names);
    for (uint32_t i = 0; i < map->column_count; i++)
        names[i] = text_take(in, arena);
    map->names = names;
    map->has_names = true;
}

/* What lists are gathered into before the map's const pointers show them. */
struct lists {
    bool (*characters)(uint8_t type); /* which columns have a character set */
    uint32_t *collation;
    const struct bytes **members;
    uint16_t *counts;
};

static void labels_take(struct reader *in, bool (*about)(uint8_t), struct arena *arena,
                        const struct table_map *map, const struct lists *lists)
{
    for (uint32_t i = column_next(map, 0, about); i < map->column_count;
         i = column_next(map, i + 1, about)) {
        uint64_t count = reader_packed(in);
        in->failed |= count > in->rest.size || count > UINT16_MAX; /* a label takes a byte */
        if (in->failed)
            return;
        struct bytes *labels = arena_array(arena, count + 1, sizeof *labels);
        for (uint64_t j = 0; j < count; j++)
            labels[j] = text_take(in, arena);
        lists->members[i] = labels;
        lists->counts[i] = (uint16_t)count;
    }
}

static void key_take(struct reader *in, bool prefixes, struct arena *arena, struct table_map *map)
{
    uint16_t *columns = arena_array(arena, in->rest.size + 1, sizeof *columns);
    uint16_t count = 0;
    while (in->rest.size && !in->failed && count < map->column_count) {
        uint64_t column = reader_packed(in);
        if (prefixes)
            reader_packed(in);
        in->failed |= column >= map->column_count;
        for (uint16_t i = 0; i < count; i++)
            in->failed |= columns[i] == column;
        columns[count++] = (uint16_t)column;
    }
    in->failed |= in->rest.size > 0;
    map->key_columns = columns;
    map->key_count = count;
    map->has_keys = true;
}

static void visibility_take(struct reader *in, struct arena *arena, struct table_map *map)
{
    bool *invisible = arena_array(arena, map->column_count + 1u, sizeof *invisible);
    struct bytes bits = reader_take(in, (map->column_count + 7u) / 8);
    for (uint32_t i = 0; i < map->column_count && !in->failed; i++)
        invisible[i] = !(bits.data[i / 8] >> (7 - i % 8) & 1);
    map->invisible = invisible;
}

static void geometry_take(struct reader *in, struct arena *arena, struct table_map *map)
{
    uint8_t *types = arena_zalloc(arena, map->column_count + 1u);
    for (uint32_t i = column_next(map, 0, is_geometry); i < map->column_count;
         i = column_next(map, i + 1, is_geometry))
        types[i] = (uint8_t)reader_packed(in);
    map->geometry_type = types;
}

static void vectors_take(struct reader *in, struct arena *arena, struct table_map *map)
{
    uint32_t *dimensions = arena_array(arena, map->column_count + 1u, sizeof *dimensions);
    for (uint32_t i = column_next(map, 0, is_vector); i < map->column_count;
         i = column_next(map, i + 1, is_vector))
        dimensions[i] = (uint32_t)reader_packed(in);
    map->vector_dimension = dimensions;
}

/* One field; kinds that are not known are passed over. */
static void optional_take(uint8_t kind, struct reader *in, struct arena *arena,
                          struct table_map *map, const struct lists *lists)
{
    switch (kind) {
    case OPTIONAL_SIGNEDNESS:
        signedness_take(in, arena, map);
        break;
    case OPTIONAL_DEFAULT_CHARSET:
    case OPTIONAL_ENUM_AND_SET_DEFAULT_CHARSET:
        map->has_charsets = true;
        default_charset_take(in, kind == OPTIONAL_DEFAULT_CHARSET ? lists->characters : is_labelled,
                             map, lists->collation);
        break;
    case OPTIONAL_COLUMN_CHARSET:
    case OPTIONAL_ENUM_AND_SET_COLUMN_CHARSET:
        map->has_charsets = true;
        column_charset_take(in, kind == OPTIONAL_COLUMN_CHARSET ? lists->characters : is_labelled,
                            map, lists->collation);
        break;
    case OPTIONAL_COLUMN_NAME:
        names_take(in, arena, map);
        break;
    case OPTIONAL_SET_STR_VALUE:
        labels_take(in, is_set, arena, map, lists);
        break;
    case OPTIONAL_ENUM_STR_VALUE:
        labels_take(in, is_enum, arena, map, lists);
        break;
    case OPTIONAL_GEOMETRY_TYPE:
        geometry_take(in, arena, map);
        break;
    case OPTIONAL_SIMPLE_PRIMARY_KEY:
        key_take(in, false, arena, map);
        break;
    case OPTIONAL_PRIMARY_KEY_WITH_PREFIX:
        key_take(in, true, arena, map);
        break;
    case OPTIONAL_COLUMN_VISIBILITY:
        visibility_take(in, arena, map);
        break;
    case OPTIONAL_VECTOR_DIMENSIONALITY:
        vectors_take(in, arena, map);
        break;
    default:
        break;
    }
}

static bool optionals_take(struct reader *in, bool mariadb, struct arena *arena,
                           struct table_map *map, struct error *err)
{
    struct lists lists = {
        .characters = mariadb ? is_character_or_geometry : is_character,
        .collation = arena_array(arena, map->column_count + 1u, sizeof *lists.collation),
        .members = arena_array(arena, map->column_count + 1u, sizeof *lists.members),
        .counts = arena_array(arena, map->column_count + 1u, sizeof *lists.counts),
    };
    while (in->rest.size && !in->failed) {
        uint8_t kind = reader_u8(in);
        struct reader field = reader_of(reader_take(in, reader_packed(in)));
        if (!in->failed)
            optional_take(kind, &field, arena, map, &lists);
        if (field.failed)
            return error_set(err, ERROR_DATA, "table '%.*s.%.*s': malformed metadata of kind %u",
                             BYTES_ARGS(map->database), BYTES_ARGS(map->name), kind);
    }
    if (in->failed)
        return error_set(err, ERROR_DATA, "table map: cut off in its metadata");
    map->collation = lists.collation;
    map->members = lists.members;
    map->member_counts = lists.counts;
    return true;
}

bool table_map_parse(struct bytes body, bool mariadb, struct arena *arena, struct table_map **out,
                     struct error *err)
{
    struct reader in = reader_of(body);
    struct table_map_name name;
    head_take(&in, &name);
    if (in.failed)
        return error_set(err, ERROR_DATA, "table map: cut off in its header");
    struct table_map *map = arena_zalloc(arena, sizeof *map);
    map->table_id = name.table_id;
    map->database = arena_copy(arena, name.database);
    map->name = arena_copy(arena, name.name);
    if (!columns_take(&in, arena, map, err) || !optionals_take(&in, mariadb, arena, map, err))
        return false;
    *out = map;
    return true;
}
