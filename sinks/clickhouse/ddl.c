/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements. A table with a key is a ReplacingMergeTree(_version, _is_deleted) ordered by that
 * key: the row of the highest mark wins, so that a repeat changes nothing, and FINAL leaves deleted
 * rows out. A table without a key is a MergeTree of signed rows. Both remember the labels of recent
 * inserts (deduplication windows: 10000 inserts, seven days), which plain MergeTree does not by
 * default, and both index _version, by which a load is looked for after a restart. */
#include "sinks/clickhouse/ddl.h"

#include "sinks/clickhouse/sql.h"

static void on_cluster(const struct ddl *ddl, struct buf *sql)
{
    if (ddl->options->cluster.size == 0)
        return;
    buf_text(sql, " ON CLUSTER ");
    sql_identifier(sql, ddl->options->cluster);
}

static void alter_table(const struct ddl *ddl, struct buf *sql)
{
    buf_text(sql, "ALTER TABLE ");
    sql_table(sql, ddl->database, ddl->name);
    on_cluster(ddl, sql);
}

struct clickhouse_type ddl_type(const struct ddl *ddl, const struct column *column)
{
    struct clickhouse_type type = clickhouse_type_of(&column->type, ddl->abilities);
    if (!clickhouse_type_is_array(&type))
        type.nullable = column->nullable && column->key_order == 0;
    return type;
}

/* ---- defaults ---- */

static bool text_is_number(struct bytes text)
{
    bool digit = false, point = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c >= '0' && c <= '9')
            digit = true;
        else if (c == '.' && !point)
            point = true;
        else if (!(c == '-' && i == 0))
            return false;
    }
    return digit;
}

/* "2020-01-01..." in years that every server reads in a text. */
static bool text_is_date(struct bytes text)
{
    if (text.size < 10 || text.data[4] != '-' || text.data[7] != '-')
        return false;
    int year = 0;
    for (int i = 0; i < 4; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        year = year * 10 + (text.data[i] - '0');
    }
    bool zero = memcmp(text.data + 5, "00", 2) == 0 || memcmp(text.data + 8, "00", 2) == 0;
    return year >= 1900 && year <= 2261 && !zero;
}

/* b'101' */
static bool bit_literal(struct bytes text, uint64_t *out)
{
    uint64_t number = 0;
    if (text.size < 4 || text.size > 67 || text.data[0] != 'b' || text.data[1] != '\'')
        return false;
    for (size_t i = 2; i + 1 < text.size; i++) {
        if (text.data[i] != '0' && text.data[i] != '1')
            return false;
        number = number << 1 | (text.data[i] == '1');
    }
    *out = number;
    return true;
}

static bool default_is_number(enum type_kind kind)
{
    return kind == TYPE_INT || kind == TYPE_UINT || kind == TYPE_FLOAT || kind == TYPE_DOUBLE ||
           kind == TYPE_YEAR;
}

/* The column's default as a literal. False: none that ClickHouse reads alike. */
static bool literal(const struct column *column, struct buf *sql)
{
    struct bytes text = column->default_text;
    enum type_kind kind = column->type.kind;
    uint64_t bits;
    bool quoted = kind == TYPE_TEXT || kind == TYPE_ENUM || kind == TYPE_SET ||
                  ((kind == TYPE_DATE || kind == TYPE_DATETIME || kind == TYPE_TIMESTAMP) &&
                   text_is_date(text));
    if (default_is_number(kind) && text_is_number(text))
        buf_bytes(sql, text);
    else if (kind == TYPE_DECIMAL && text_is_number(text))
        sql_string(sql, text); /* a number with a fraction would be a double */
    else if (kind == TYPE_BIT && bit_literal(text, &bits))
        buf_printf(sql, "%llu", (unsigned long long)bits);
    else if (quoted)
        sql_string(sql, text);
    else
        return false;
    return true;
}

/* What the source filled the rows from before an ADD COLUMN with: its default, or the first label
 * of an ENUM that is never NULL. Expressions of the source are not carried. */
static bool fill_literal(const struct column *column, struct buf *sql)
{
    if (column->default_is_expression || column->generated != COLUMN_STORED_PLAIN)
        return false;
    if (column->default_text.data)
        return literal(column, sql);
    if (column->nullable || column->type.kind != TYPE_ENUM || column->type.member_count == 0)
        return false;
    sql_string(sql, column->type.members[0]);
    return true;
}

/* Rows always carry all columns: a default only tells what the rows from before hold. */
static void column_default(const struct column *column, struct buf *sql)
{
    size_t before = sql->size;
    buf_text(sql, " DEFAULT ");
    if (!fill_literal(column, sql))
        sql->size = before;
}

static void column_definition(const struct ddl *ddl, const struct column *column, struct buf *sql)
{
    struct clickhouse_type type = ddl_type(ddl, column);
    sql_identifier(sql, column->name);
    buf_u8(sql, ' ');
    buf_bytes(sql, clickhouse_type_name(&type, true, ddl->arena));
    column_default(column, sql);
    if (column->comment.size > 0) {
        buf_text(sql, " COMMENT ");
        sql_string(sql, column->comment);
    }
}

/* ---- CREATE TABLE ---- */

void ddl_create_database(const struct ddl *ddl, struct buf *sql)
{
    buf_text(sql, "CREATE DATABASE IF NOT EXISTS ");
    sql_identifier(sql, ddl->database);
    on_cluster(ddl, sql);
}

static bool may_order(const struct ddl *ddl, const struct table *table, const struct column *column)
{
    if (table->key_count > 0)
        return column->key_order > 0;
    return !column->nullable && column->type.kind != TYPE_VECTOR &&
           column->type.kind != TYPE_ARRAY && ddl_type(ddl, column).family != FAMILY_OTHER;
}

static bool is_ordered_first(const struct ddl *ddl, struct bytes name)
{
    for (size_t i = 0; i < ddl->options->order_by.count; i++)
        if (bytes_equal(ddl->options->order_by.items[i], name))
            return true;
    return false;
}

static void order_item(struct buf *sql, bool *first, struct bytes name)
{
    buf_text(sql, *first ? "" : ", ");
    sql_identifier(sql, name);
    *first = false;
}

/* The user's columns first, then the rest of the key: the set of columns stays the key's. */
static void order_by(const struct ddl *ddl, const struct table *table, struct buf *sql)
{
    bool first = true;
    buf_text(sql, " ORDER BY (");
    for (size_t i = 0; i < ddl->options->order_by.count; i++) {
        const struct column *column = NULL;
        for (uint16_t k = 0; k < table->column_count; k++)
            if (bytes_equal(table->columns[k].name, ddl->options->order_by.items[i]))
                column = &table->columns[k];
        if (column && may_order(ddl, table, column))
            order_item(sql, &first, column->name);
    }
    for (uint16_t i = 0; i < table->key_count; i++) {
        struct bytes name = table->columns[table->key_columns[i]].name;
        if (!is_ordered_first(ddl, name))
            order_item(sql, &first, name);
    }
    buf_text(sql, ")");
}

static void engine(const struct ddl *ddl, const struct table *table, struct buf *sql)
{
    buf_printf(sql, " ENGINE = %s%s", ddl->options->replicated ? "Replicated" : "",
               table->key_count > 0 ? "ReplacingMergeTree(" COLUMN_VERSION ", " COLUMN_DELETED ")"
                                    : "MergeTree");
    if (table->key_count > 0 && ddl->options->partition_by.size > 0) {
        buf_text(sql, " PARTITION BY ");
        buf_bytes(sql, ddl->options->partition_by);
    }
    order_by(ddl, table, sql);
}

static bool property_is_set(const struct ddl *ddl, const char *name)
{
    for (size_t i = 0; i < ddl->options->table_properties.count; i++)
        if (bytes_is(ddl->options->table_properties.items[i].key, name))
            return true;
    return false;
}

static void table_settings(const struct ddl *ddl, struct buf *sql)
{
    static const struct {
        const char *name;
        unsigned value;
    } windows[] = { { "non_replicated_deduplication_window", 10000 },
                    { "replicated_deduplication_window", 10000 },
                    { "replicated_deduplication_window_seconds", 604800 } };
    const struct setting_pairs *pairs = &ddl->options->table_properties;
    const char *comma = " SETTINGS ";
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        if (property_is_set(ddl, windows[i].name))
            continue;
        buf_printf(sql, "%s%s = %u", comma, windows[i].name, windows[i].value);
        comma = ", ";
    }
    for (size_t i = 0; i < pairs->count; i++) {
        buf_printf(sql, "%s%.*s = ", comma, BYTES_ARGS(pairs->items[i].key));
        if (text_is_number(pairs->items[i].value))
            buf_bytes(sql, pairs->items[i].value);
        else
            sql_string(sql, pairs->items[i].value);
        comma = ", ";
    }
}

void ddl_create_table(const struct ddl *ddl, const struct table *table, struct buf *sql)
{
    buf_text(sql, "CREATE TABLE IF NOT EXISTS ");
    sql_table(sql, ddl->database, ddl->name);
    on_cluster(ddl, sql);
    buf_text(sql, " (");
    for (uint16_t i = 0; i < table->column_count; i++) {
        column_definition(ddl, &table->columns[i], sql);
        buf_text(sql, ", ");
    }
    buf_printf(sql,
               COLUMN_VERSION " UInt64, %s, INDEX _version_range " COLUMN_VERSION
                              " TYPE minmax GRANULARITY 1)",
               table->key_count > 0 ? COLUMN_DELETED " UInt8" : COLUMN_SIGN " Int8");
    engine(ddl, table, sql);
    table_settings(ddl, sql);
    if (table->comment.size > 0) {
        buf_text(sql, " COMMENT ");
        sql_string(sql, table->comment);
    }
}

/* ---- ALTER TABLE ---- */

void ddl_add_column(const struct ddl *ddl, const struct column *column, struct bytes after,
                    struct buf *sql)
{
    alter_table(ddl, sql);
    buf_text(sql, " ADD COLUMN IF NOT EXISTS ");
    column_definition(ddl, column, sql);
    if (!after.data)
        return;
    buf_text(sql, " AFTER ");
    sql_identifier(sql, after);
}

void ddl_modify_column(const struct ddl *ddl, struct bytes column, struct bytes type,
                       struct buf *sql)
{
    alter_table(ddl, sql);
    buf_text(sql, " MODIFY COLUMN ");
    sql_identifier(sql, column);
    buf_u8(sql, ' ');
    buf_bytes(sql, type);
}

void ddl_fill_column(const struct ddl *ddl, const struct column *column, struct bytes name,
                     struct buf *sql)
{
    struct clickhouse_type type = ddl_type(ddl, column);
    alter_table(ddl, sql);
    buf_text(sql, " UPDATE ");
    sql_identifier(sql, name);
    buf_text(sql, " = ");
    if (!fill_literal(column, sql)) {
        buf_text(sql, "defaultValueOfTypeName(");
        sql_string(sql, clickhouse_type_name(&type, false, ddl->arena));
        buf_u8(sql, ')');
    }
    buf_text(sql, " WHERE true");
}

void ddl_rename_column(const struct ddl *ddl, struct bytes from, struct bytes to, struct buf *sql)
{
    alter_table(ddl, sql);
    buf_text(sql, " RENAME COLUMN IF EXISTS ");
    sql_identifier(sql, from);
    buf_text(sql, " TO ");
    sql_identifier(sql, to);
}

void ddl_drop_column(const struct ddl *ddl, struct bytes column, struct buf *sql)
{
    alter_table(ddl, sql);
    buf_text(sql, " DROP COLUMN IF EXISTS ");
    sql_identifier(sql, column);
}

void ddl_comment_column(const struct ddl *ddl, struct bytes column, struct bytes comment,
                        struct buf *sql)
{
    alter_table(ddl, sql);
    buf_text(sql, " COMMENT COLUMN IF EXISTS ");
    sql_identifier(sql, column);
    buf_u8(sql, ' ');
    sql_string(sql, comment);
}

void ddl_comment_table(const struct ddl *ddl, struct bytes comment, struct buf *sql)
{
    alter_table(ddl, sql);
    buf_text(sql, " MODIFY COMMENT ");
    sql_string(sql, comment);
}

void ddl_set_window(const struct ddl *ddl, struct buf *sql)
{
    alter_table(ddl, sql);
    buf_text(sql, " MODIFY SETTING non_replicated_deduplication_window = 10000");
}

void ddl_rename_table(const struct ddl *ddl, struct bytes database, struct bytes name,
                      struct buf *sql)
{
    buf_text(sql, "RENAME TABLE ");
    sql_table(sql, ddl->database, ddl->name);
    buf_text(sql, " TO ");
    sql_table(sql, database, name);
    on_cluster(ddl, sql);
}

void ddl_exchange_table(const struct ddl *ddl, struct bytes other, struct buf *sql)
{
    buf_text(sql, "EXCHANGE TABLES ");
    sql_table(sql, ddl->database, ddl->name);
    buf_text(sql, " AND ");
    sql_table(sql, ddl->database, other);
    on_cluster(ddl, sql);
}

void ddl_replace_table(const struct ddl *ddl, struct bytes old, struct bytes new, struct buf *sql)
{
    buf_text(sql, "RENAME TABLE ");
    sql_table(sql, ddl->database, ddl->name);
    buf_text(sql, " TO ");
    sql_table(sql, ddl->database, old);
    buf_text(sql, ", ");
    sql_table(sql, ddl->database, new);
    buf_text(sql, " TO ");
    sql_table(sql, ddl->database, ddl->name);
    on_cluster(ddl, sql);
}

void ddl_drop_table(const struct ddl *ddl, struct buf *sql)
{
    buf_text(sql, "DROP TABLE IF EXISTS ");
    sql_table(sql, ddl->database, ddl->name);
    on_cluster(ddl, sql);
    buf_text(sql, " SYNC");
}

void ddl_truncate(const struct ddl *ddl, struct buf *sql)
{
    buf_text(sql, "TRUNCATE TABLE IF EXISTS ");
    sql_table(sql, ddl->database, ddl->name);
    on_cluster(ddl, sql);
}

/* ---- views ---- */

struct bytes ddl_view_name(const struct ddl *ddl, bool keyed)
{
    return arena_printf(ddl->arena, "%.*s%s", BYTES_ARGS(ddl->name), keyed ? "_final" : "_rows");
}

static void column_list(struct buf *sql, const struct bytes *columns, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        buf_text(sql, i ? ", " : "");
        sql_identifier(sql, columns[i]);
    }
}

void ddl_create_view(const struct ddl *ddl, bool keyed, const struct bytes *columns, uint16_t count,
                     struct buf *sql)
{
    buf_text(sql, "CREATE OR REPLACE VIEW ");
    sql_table(sql, ddl->database, ddl_view_name(ddl, keyed));
    on_cluster(ddl, sql);
    buf_text(sql, " AS SELECT ");
    column_list(sql, columns, count);
    buf_text(sql, " FROM ");
    if (keyed) {
        sql_table(sql, ddl->database, ddl->name);
        buf_text(sql, " FINAL");
        return;
    }
    buf_text(sql, "(SELECT ");
    column_list(sql, columns, count);
    buf_text(sql, ", sum(" COLUMN_SIGN ") AS _copies FROM ");
    sql_table(sql, ddl->database, ddl->name);
    buf_text(sql, " GROUP BY ");
    column_list(sql, columns, count);
    buf_text(sql, " HAVING _copies > 0) ARRAY JOIN range(toUInt64(_copies)) AS _copy");
}

void ddl_drop_view(const struct ddl *ddl, bool keyed, struct buf *sql)
{
    buf_text(sql, "DROP VIEW IF EXISTS ");
    sql_table(sql, ddl->database, ddl_view_name(ddl, keyed));
    on_cluster(ddl, sql);
    buf_text(sql, " SYNC");
}
