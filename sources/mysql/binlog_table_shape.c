/* SPDX-License-Identifier: Apache-2.0
 *
 * A table map against a version of the table: do they fit, and what version does the map describe.
 * With binlog_row_metadata=FULL the map is the truth about names, types and keys, as of the rows
 * that follow it; comments, defaults and MariaDB's types that are only a way to show bytes come
 * from the tracked version. */
#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/cleanup.h"
#include "schema/mysql_types.h"
#include "sources/mysql/binlog_column.h"
#include "sources/mysql/binlog_rows.h"

static bool name_equal(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        uint8_t x = a.data[i], y = b.data[i];
        x = (uint8_t)(x >= 'A' && x <= 'Z' ? x + 32 : x);
        y = (uint8_t)(y >= 'A' && y <= 'Z' ? y + 32 : y);
        if (x != y)
            return false;
    }
    return true;
}

static const struct charset *map_charset(const struct table_map *map, uint16_t index,
                                         const struct collation_table *collations)
{
    if (!map->has_charsets || !map->collation[index])
        return NULL;
    const struct collation_entry *entry = collation_find(collations, map->collation[index]);
    return entry ? charset_find(entry->charset) : NULL;
}

static bool is_bytes(const struct table_map *map, uint16_t index)
{
    enum { COLLATION_BINARY = 63 };
    return map->has_charsets && map->collation[index] == COLLATION_BINARY;
}

/* ---- does it fit ---- */

static void arena_cleanup(struct arena *arena) { arena_done(arena); }

static bool members_fit(const struct table_map *map, uint16_t index, const struct type *type)
{
    const struct charset *charset = map_charset(map, index, NULL);
    if (!map->members[index] || !charset)
        return true;
    if (map->member_counts[index] != type->member_count)
        return false;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    uint64_t replaced = 0;
    for (uint16_t i = 0; i < type->member_count; i++) {
        struct bytes label = charset_decode(charset, map->members[index][i], &arena, &replaced);
        if (!bytes_equal(label, type->members[i]))
            return false;
    }
    return true;
}

static bool charset_fits(const struct table_map *map, uint16_t index, const struct column *column)
{
    bool text = column->type.kind == TYPE_TEXT, bytes = column->type.kind == TYPE_BYTES;
    if (!map->has_charsets || !map->collation[index] || (!text && !bytes))
        return true;
    if (is_bytes(map, index) != bytes)
        return false;
    const struct charset *told = map_charset(map, index, NULL);
    return bytes || !told || !column->charset.data || told == charset_find(column->charset);
}

/* What differs, or NULL. */
static const char *column_misfit(const struct table_map *map, uint16_t index,
                                 const struct column *column)
{
    struct column_decoder decoder;
    struct error err;
    const struct type *type = &column->type;
    bool integer = type->kind == TYPE_INT || type->kind == TYPE_UINT;
    if (map->has_names && !name_equal(map->names[index], column->name))
        return "name";
    if (!column_decoder_make(map->types[index], map->metadata[index], column,
                             charset_find(BYTES_LITERAL("utf8mb4")), &decoder, &err))
        return "type";
    if (map->has_signedness && integer && map->is_unsigned[index] != (type->kind == TYPE_UINT))
        return "sign";
    if (!charset_fits(map, index, column))
        return "character set";
    if (map->members && !members_fit(map, index, type))
        return "labels";
    if (map->vector_dimension && type->kind == TYPE_VECTOR && type->length &&
        map->vector_dimension[index] != type->length)
        return "dimension";
    return NULL;
}

static bool key_fits(const struct table_map *map, const struct table *table)
{
    if (!map->has_keys)
        return true;
    return map->key_count == table->key_count &&
           (map->key_count == 0 || memcmp(map->key_columns, table->key_columns,
                                          map->key_count * sizeof *map->key_columns) == 0);
}

bool table_map_fits(const struct table_map *map, const struct table *table, struct buf *why)
{
    if (map->column_count != table->column_count) {
        buf_printf(why, "%u columns instead of %u", map->column_count, table->column_count);
        return false;
    }
    for (uint16_t i = 0; i < map->column_count; i++) {
        const struct column *column = &table->columns[i];
        const char *misfit = column_misfit(map, i, column);
        if (!misfit)
            continue;
        buf_printf(why, "the %s of column '%.*s' differs", misfit, BYTES_ARGS(column->name));
        return false;
    }
    if (!key_fits(map, table)) {
        buf_text(why, "the primary key differs");
        return false;
    }
    return true;
}

/* ---- the version that a map describes ---- */

/* What deriving shares. */
struct derive {
    const struct table_map *map;
    const struct table *tracked; /* or NULL */
    const struct collation_table *collations;
    struct arena *arena;
    struct error *err;
};

static bool column_unclear(const struct derive *derive, uint16_t index, const char *what)
{
    return error_set(derive->err, ERROR_DATA,
                     "table '%.*s.%.*s': the log does not tell the %s of column '%.*s'",
                     BYTES_ARGS(derive->map->database), BYTES_ARGS(derive->map->name), what,
                     BYTES_ARGS(derive->map->names[index]));
}

static void spell_integer(uint8_t wire, struct mysql_spelling *out)
{
    static const struct {
        uint8_t wire, bits;
        const char *base;
    } rows[] = {
        { WIRE_TINY, 8, "tinyint" },     { WIRE_SHORT, 16, "smallint" },
        { WIRE_INT24, 24, "mediumint" }, { WIRE_LONG, 32, "int" },
        { WIRE_LONGLONG, 64, "bigint" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].wire != wire)
            continue;
        *out = (struct mysql_spelling){ .family = MYSQL_INT,
                                        .base = rows[i].base,
                                        .size = rows[i].bits };
    }
}

static void spell_time(const struct derive *derive, uint16_t index, const struct column *tracked,
                       struct mysql_spelling *out)
{
    uint8_t wire = derive->map->types[index];
    bool old = wire == WIRE_TIME || wire == WIRE_DATETIME || wire == WIRE_TIMESTAMP;
    *out = (struct mysql_spelling){ .family = MYSQL_TIMESTAMP, .base = "timestamp" };
    if (wire == WIRE_TIME || wire == WIRE_TIME2)
        *out = (struct mysql_spelling){ .family = MYSQL_TIME, .base = "time" };
    if (wire == WIRE_DATETIME || wire == WIRE_DATETIME2)
        *out = (struct mysql_spelling){ .family = MYSQL_DATETIME, .base = "datetime" };
    out->length = old ? (tracked ? tracked->type.scale : 0) : derive->map->metadata[index];
}

/* CHAR, VARCHAR and the TEXTs, or their twins of bytes. The map counts in bytes. */
static bool spell_sized(const struct derive *derive, uint16_t index, struct mysql_spelling *out)
{
    static const char *const texts[] = { "text", "tinytext", "text", "mediumtext", "longtext" };
    static const char *const blobs[] = { "blob", "tinyblob", "blob", "mediumblob", "longblob" };
    uint8_t wire = derive->map->types[index];
    uint16_t metadata = derive->map->metadata[index];
    bool bytes = is_bytes(derive->map, index);
    bool blob = wire == WIRE_BLOB || wire == WIRE_BLOB_COMPRESSED;
    const struct charset *charset = map_charset(derive->map, index, derive->collations);
    if (!bytes && !charset)
        return column_unclear(derive, index, "character set");
    if (blob && (metadata < 1 || metadata > 4))
        return column_unclear(derive, index, "length");
    *out = (struct mysql_spelling){ .compressed = wire == WIRE_BLOB_COMPRESSED ||
                                                  wire == WIRE_VARCHAR_COMPRESSED };
    if (blob) {
        out->family = bytes ? MYSQL_BLOB : MYSQL_TEXT;
        out->base = (bytes ? blobs : texts)[metadata];
        out->size = (uint8_t)metadata;
        return true;
    }
    bool fixed = wire == WIRE_STRING;
    out->family =
        fixed ? (bytes ? MYSQL_BINARY : MYSQL_CHAR) : (bytes ? MYSQL_VARBINARY : MYSQL_VARCHAR);
    out->base = fixed ? (bytes ? "binary" : "char") : (bytes ? "varbinary" : "varchar");
    out->has_length = true;
    if (out->compressed && metadata) /* the log counts the header of compressed values */
        metadata--;
    out->length = bytes ? metadata : metadata / charset_max_bytes(charset);
    return true;
}

static bool spell_labels(const struct derive *derive, uint16_t index, struct mysql_spelling *out)
{
    const struct table_map *map = derive->map;
    const struct charset *charset = map_charset(map, index, derive->collations);
    if (!map->members || !map->members[index] || !charset)
        return column_unclear(derive, index, "labels");
    uint16_t count = map->member_counts[index];
    struct bytes *labels = arena_array(derive->arena, count + 1u, sizeof *labels);
    uint64_t replaced = 0;
    for (uint16_t i = 0; i < count; i++)
        labels[i] = charset_decode(charset, map->members[index][i], derive->arena, &replaced);
    bool set = map->types[index] == WIRE_SET;
    *out = (struct mysql_spelling){ .family = set ? MYSQL_SET : MYSQL_ENUM,
                                    .base = set ? "set" : "enum",
                                    .labels = labels,
                                    .label_count = count };
    return true;
}

static void spell_geometry(const struct derive *derive, uint16_t index, struct mysql_spelling *out)
{
    static const char *const names[] = { "geometry",     "point",
                                         "linestring",   "polygon",
                                         "multipoint",   "multilinestring",
                                         "multipolygon", "geometrycollection" };
    uint8_t type = derive->map->geometry_type ? derive->map->geometry_type[index] : 0;
    *out = (struct mysql_spelling){ .family = MYSQL_GEOMETRY,
                                    .base = names[type < ARRAY_SIZE(names) ? type : 0] };
}

static void spell_plain(enum mysql_family family, const char *base, uint32_t length,
                        struct mysql_spelling *out)
{
    *out = (struct mysql_spelling){
        .family = family, .base = base, .has_length = length > 0, .length = length
    };
}

static bool spell(const struct derive *derive, uint16_t index, const struct column *tracked,
                  struct mysql_spelling *out)
{
    const struct table_map *map = derive->map;
    uint16_t metadata = map->metadata[index];
    switch (map->types[index]) {
    case WIRE_TINY:
    case WIRE_SHORT:
    case WIRE_INT24:
    case WIRE_LONG:
    case WIRE_LONGLONG:
        spell_integer(map->types[index], out);
        break;
    case WIRE_FLOAT:
        spell_plain(MYSQL_FLOAT, "float", 0, out);
        break;
    case WIRE_DOUBLE:
        spell_plain(MYSQL_DOUBLE, "double", 0, out);
        break;
    case WIRE_NEWDECIMAL:
        spell_plain(MYSQL_DECIMAL, "decimal", metadata >> 8, out);
        out->has_scale = true;
        out->scale = metadata & 0xff;
        break;
    case WIRE_BIT:
        spell_plain(MYSQL_BIT, "bit", metadata, out);
        break;
    case WIRE_YEAR:
        spell_plain(MYSQL_YEAR, "year", 0, out);
        break;
    case WIRE_DATE:
    case WIRE_NEWDATE:
        spell_plain(MYSQL_DATE, "date", 0, out);
        break;
    case WIRE_TIME:
    case WIRE_TIME2:
    case WIRE_DATETIME:
    case WIRE_DATETIME2:
    case WIRE_TIMESTAMP:
    case WIRE_TIMESTAMP2:
        spell_time(derive, index, tracked, out);
        break;
    case WIRE_JSON:
        spell_plain(MYSQL_JSON, "json", 0, out);
        break;
    case WIRE_GEOMETRY:
        spell_geometry(derive, index, out);
        break;
    case WIRE_VECTOR:
        spell_plain(MYSQL_VECTOR, "vector",
                    map->vector_dimension ? map->vector_dimension[index] : 0, out);
        break;
    case WIRE_ENUM:
    case WIRE_SET:
        return spell_labels(derive, index, out);
    default:
        return spell_sized(derive, index, out);
    }
    return true;
}

/* Is the tracked type the same thing, known better: BOOLEAN, or a type that MariaDB's log shows
 * only as bytes or text? */
static bool type_agrees(const struct type *told, const struct type *tracked)
{
    bool wide = tracked->kind == TYPE_UUID || tracked->kind == TYPE_INET6;
    if (told->kind == TYPE_BYTES && (wide || tracked->kind == TYPE_INET4))
        return told->fixed && told->length == (wide ? 16u : 4u);
    if (told->kind == TYPE_BYTES && tracked->kind == TYPE_VECTOR)
        return true;
    if (told->kind == TYPE_TEXT && tracked->kind == TYPE_JSON)
        return !told->length;
    if (told->kind != tracked->kind || told->member_count != tracked->member_count)
        return false;
    for (uint16_t i = 0; i < told->member_count; i++)
        if (!bytes_equal(told->members[i], tracked->members[i]))
            return false;
    return told->bits == tracked->bits && told->precision == tracked->precision &&
           told->scale == tracked->scale && told->fixed == tracked->fixed &&
           told->length == tracked->length;
}

static void derive_charset(const struct derive *derive, uint16_t index,
                           const struct column *tracked, struct column *out)
{
    bool text =
        out->type.kind == TYPE_TEXT || out->type.kind == TYPE_ENUM || out->type.kind == TYPE_SET;
    const struct collation_entry *entry =
        text && derive->map->has_charsets
            ? collation_find(derive->collations, derive->map->collation[index])
            : NULL;
    if (entry) {
        out->charset = arena_copy(derive->arena, entry->charset);
        out->collation = arena_copy(derive->arena, entry->collation);
    } else if (tracked && tracked->type.kind == out->type.kind) {
        out->charset = tracked->charset;
        out->collation = tracked->collation;
    }
}

static bool derive_column(const struct derive *derive, uint16_t index, struct column *out)
{
    const struct table_map *map = derive->map;
    const struct column *tracked =
        derive->tracked ? table_column(derive->tracked, map->names[index]) : NULL;
    struct mysql_spelling spelling;
    struct type type;
    if (!spell(derive, index, tracked, &spelling))
        return false;
    if (!map->has_signedness && spelling.family == MYSQL_INT)
        return column_unclear(derive, index, "sign");
    spelling.is_unsigned =
        map->has_signedness && map->is_unsigned[index] && spelling.family <= MYSQL_DECIMAL;
    if (!mysql_type_canonical(&spelling, derive->arena, &type))
        return column_unclear(derive, index, "type");
    if (tracked)
        *out = *tracked;
    out->name = map->names[index];
    out->key_order = 0;
    out->nullable = map->nullable[index / 8] >> index % 8 & 1;
    if (map->invisible)
        out->invisible = map->invisible[index];
    if (!tracked || !type_agrees(&type, &tracked->type)) {
        out->type = type;
        out->source_type = mysql_type_spell(&spelling, false, 0, derive->arena);
    }
    derive_charset(derive, index, tracked, out);
    return true;
}

/* The map tells primary keys only: without one, a unique index that served as the key still does if
 * its columns are there. */
static void derive_key(const struct derive *derive, struct column *columns)
{
    const struct table_map *map = derive->map;
    const struct table *tracked = derive->tracked;
    for (uint16_t i = 0; map->has_keys && i < map->key_count; i++)
        columns[map->key_columns[i]].key_order = (uint16_t)(i + 1);
    if (map->has_keys || !tracked)
        return;
    uint16_t found = 0;
    for (uint16_t i = 0; i < map->column_count; i++) {
        const struct column *old = table_column(tracked, columns[i].name);
        columns[i].key_order = old && !columns[i].nullable ? old->key_order : 0;
        found = (uint16_t)(found + (columns[i].key_order > 0));
    }
    for (uint16_t i = 0; found != tracked->key_count && i < map->column_count; i++)
        columns[i].key_order = 0;
}

bool table_map_derive(const struct table_map *map, const struct table *tracked,
                      const struct collation_table *collations, struct arena *arena,
                      struct table **draft, struct error *err)
{
    struct derive derive = { map, tracked, collations, arena, err };
    if (!map->has_names)
        return error_set(err, ERROR_DATA,
                         "table '%.*s.%.*s': the log does not tell the columns' names "
                         "(binlog_row_metadata is not FULL)",
                         BYTES_ARGS(map->database), BYTES_ARGS(map->name));
    struct column *columns = arena_array(arena, map->column_count + 1u, sizeof *columns);
    for (uint16_t i = 0; i < map->column_count; i++)
        if (!derive_column(&derive, i, &columns[i]))
            return false;
    derive_key(&derive, columns);
    struct table draft_of = { 0 };
    if (tracked)
        draft_of = *tracked;
    draft_of.id = draft_of.version = 0;
    draft_of.valid_from = 0;
    draft_of.previous = NULL;
    draft_of.database = map->database;
    draft_of.schema = (struct bytes){ 0 };
    draft_of.name = map->name;
    draft_of.columns = columns;
    draft_of.column_count = map->column_count;
    struct table shallow = draft_of;
    table_index_keys(arena, &shallow);
    *draft = table_copy(arena, &shallow);
    return true;
}
