/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/clickhouse/shape.h"

#include <strings.h>

#include "engine/base/assert.h"
#include "sinks/clickhouse/sql.h"

static void where_table(struct buf *sql, const char *table_column, struct bytes database,
                        struct bytes name)
{
    buf_text(sql, " WHERE database = ");
    sql_string(sql, database);
    buf_printf(sql, " AND %s = ", table_column);
    sql_string(sql, name);
}

static bool shape_read_table(struct clickhouse_server *server, struct bytes database,
                             struct bytes name, struct arena *arena, struct clickhouse_shape *out,
                             struct error *err)
{
    struct buf *sql = server_sql(server);
    buf_text(sql, "SELECT assumeNotNull((SELECT count() FROM system.databases WHERE name = ");
    sql_string(sql, database);
    buf_text(sql,
             ")), count(), any(engine), any(engine_full), any(comment), any(partition_key != '')"
             " FROM system.tables");
    where_table(sql, "name", database, name);
    buf_text(sql, " FORMAT RowBinary");
    struct reader rows;
    if (!server_query(server, &rows, err))
        return false;
    out->database_exists = reader_le(&rows, 8) > 0;
    out->exists = reader_le(&rows, 8) > 0;
    out->engine = arena_copy(arena, row_string(&rows));
    out->engine_full = arena_copy(arena, row_string(&rows));
    out->comment = arena_copy(arena, row_string(&rows));
    out->partitioned = reader_u8(&rows) != 0;
    return !rows.failed || error_set(err, ERROR_RETRY, "system.tables: an answer that was cut off");
}

static void shape_read_column(struct reader *rows, struct arena *arena,
                              struct clickhouse_column *out)
{
    out->name = arena_copy(arena, row_string(rows));
    out->type_text = arena_copy(arena, row_string(rows));
    out->comment = arena_copy(arena, row_string(rows));
    out->in_sorting_key = reader_u8(rows) != 0;
    out->computed = reader_u8(rows) != 0;
    out->type = clickhouse_type_parse(out->type_text);
}

static bool shape_read_columns(struct clickhouse_server *server, struct bytes database,
                               struct bytes name, struct arena *arena, struct clickhouse_shape *out,
                               struct error *err)
{
    struct buf *sql = server_sql(server);
    buf_text(sql, "SELECT count() OVER (), name, type, comment, is_in_sorting_key, "
                  "default_kind IN ('ALIAS', 'MATERIALIZED') FROM system.columns");
    where_table(sql, "table", database, name);
    buf_text(sql, " ORDER BY position FORMAT RowBinary");
    struct reader rows;
    if (!server_query(server, &rows, err))
        return false;
    uint64_t count = 1; /* no table is without a column */
    for (uint64_t i = 0; rows.rest.size > 0 && !rows.failed; i++) {
        count = reader_le(&rows, 8);
        if (count > UINT16_MAX || i >= count)
            return error_set(err, ERROR_DATA, "the target has too many columns");
        if (i == 0)
            out->columns = arena_array(arena, count, sizeof *out->columns);
        shape_read_column(&rows, arena, &out->columns[i]);
        out->column_count = (uint16_t)(i + 1);
    }
    return (!rows.failed && out->column_count == count) ||
           error_set(err, ERROR_RETRY, "system.columns: an answer that was cut off");
}

bool shape_read(struct clickhouse_server *server, struct bytes database, struct bytes name,
                struct arena *arena, struct clickhouse_shape *out, struct error *err)
{
    *out = (struct clickhouse_shape){ 0 };
    return shape_read_table(server, database, name, arena, out, err) &&
           (!out->exists || shape_read_columns(server, database, name, arena, out, err));
}

const struct clickhouse_column *shape_column(const struct clickhouse_shape *shape,
                                             struct bytes name)
{
    const struct clickhouse_column *alike = NULL;
    unsigned alike_count = 0;
    for (uint16_t i = 0; i < shape->column_count; i++) {
        const struct clickhouse_column *column = &shape->columns[i];
        if (bytes_equal(column->name, name))
            return column;
        if (column->name.size == name.size &&
            strncasecmp((const char *)column->name.data, (const char *)name.data, name.size) == 0) {
            alike = column;
            alike_count++;
        }
    }
    return alike_count == 1 ? alike : NULL;
}
