/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements, one behind another with a NUL between: parsed under the modes and the server of the
 * first two bytes, and applied to the table that the ones before made. */
#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "schema/fill.h"
#include "schema/mysql_ddl.h"
#include "tests/fuzz/fuzz.h"

static struct ddl_context context_of(uint8_t modes, uint8_t server)
{
    static const uint32_t versions[] = { 0, 50744, 90704, 101119 };
    struct ddl_context context = { .database = BYTES_LITERAL("shop"),
                                   .server_version = versions[server % 4],
                                   .mariadb = server & 4,
                                   .implicit_timestamps = server & 8 };
    context.sql_mode = (modes & 1 ? 1u : 0u) | (modes & 2 ? 4u : 0u) | (modes & 4 ? 1u << 9 : 0u) |
                       (modes & 8 ? 1u << 20 : 0u);
    if (modes & 16) {
        context.default_charset = BYTES_LITERAL("utf8mb4");
        context.default_collation = BYTES_LITERAL("utf8mb4_general_ci");
    }
    return context;
}

/* A draft must hold together, and its record must read back. */
static void check_table(const struct table *table, struct arena *arena)
{
    ASSERT(table->column_count > 0);
    for (uint16_t i = 0; i < table->key_count; i++) {
        const struct column *column = &table->columns[table->key_columns[i]];
        ASSERT(column->key_order == i + 1 && !column->nullable);
    }
    for (uint16_t i = 0; i < table->column_count; i++) {
        enum type_kind kind = table->columns[i].type.kind;
        ASSERT(kind < TYPE_KIND_COUNT && table_column(table, table->columns[i].name));
        ASSERT(kind != TYPE_TEXT || table->columns[i].charset.data);
    }
    struct buf record;
    buf_init(&record, 1 << 24);
    table_encode(table, &record);
    struct table *again;
    struct error err;
    ASSERT(record.failed || table_decode(buf_view(&record), arena, &again, &err));
    buf_done(&record);
}

static const struct table *follow(const struct table *table, struct bytes sql,
                                  const struct ddl_context *context, struct arena *arena)
{
    const struct ddl_statement *statements;
    size_t count;
    bool doubt;
    ddl_parse(sql, context, arena, &statements, &count, &doubt);
    for (size_t i = 0; i < count; i++) {
        struct table *draft;
        const struct column_rename *renames;
        uint16_t rename_count;
        if (statements[i].created) {
            table = statements[i].created;
        } else if (table &&
                   ddl_apply(table, &statements[i], arena, &draft, &renames, &rename_count)) {
            const struct schema_change change = { .kind = CHANGE_ALTER_TABLE,
                                                  .before = table,
                                                  .after = draft,
                                                  .renames = renames,
                                                  .rename_count = rename_count };
            ASSERT(!fill_needs_reading(&change, true, arena) ||
                   fill_needs_reading(&change, false, arena));
            table = draft;
        }
        if (table)
            check_table(table, arena);
    }
    return table;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct arena arena = { 0 };
    struct ddl_context context = context_of(data[0], data[1]);
    const struct table *table = NULL;
    struct bytes rest = { data + 2, size - 2 };
    while (rest.size > 0) {
        const uint8_t *end = memchr(rest.data, 0, rest.size);
        size_t length = end ? (size_t)(end - rest.data) : rest.size;
        table = follow(table, (struct bytes){ rest.data, length }, &context, &arena);
        struct type type;
        mysql_type_parse((struct bytes){ rest.data, length }, context.default_charset,
                         context.mariadb, &arena, &type);
        size_t step = end ? length + 1 : length;
        rest = (struct bytes){ rest.data + step, rest.size - step };
    }
    arena_done(&arena);
    return 0;
}
