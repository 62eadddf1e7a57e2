/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/kafka/partition.h"

#include "sinks/kafka/options.h"

/* Takes the first column off a list; false at its end. */
static bool next_column(struct bytes *rest, struct bytes *name)
{
    struct bytes none;
    return kafka_list_next(rest, ',', name, &none);
}

/* An item: which target it is for (data NULL: any), and its columns. */
static bool next_item(struct bytes *rest, struct bytes *target, struct bytes *columns)
{
    if (!kafka_list_next(rest, ';', target, columns))
        return false;
    if (!columns->data) {
        *columns = *target;
        *target = (struct bytes){ 0 };
    }
    return true;
}

bool partition_columns_check(struct bytes setting, struct error *err)
{
    struct bytes target, columns, name;
    while (next_item(&setting, &target, &columns)) {
        bool good = columns.size > 0 && (!target.data || memchr(target.data, '.', target.size));
        while (next_column(&columns, &name))
            good &= name.size > 0;
        if (!good)
            return error_set(err, ERROR_CONFIG,
                             "partition.columns: database.table:column,column or column,column, "
                             "with ; between");
    }
    return true;
}

static bool is_named(struct bytes item, const struct target *target)
{
    size_t dot = target->database.size;
    return item.size == dot + 1 + target->name.size && item.data[dot] == '.' &&
           memcmp(item.data, target->database.data, dot) == 0 &&
           memcmp(item.data + dot + 1, target->name.data, target->name.size) == 0;
}

/* The places of the columns; false: *missing is none of the table's. */
static bool find_columns(const struct table *table, struct bytes names, struct arena *arena,
                         struct partition *out, struct bytes *missing)
{
    uint16_t *columns = arena_array(arena, table->column_count + 1u, sizeof *columns);
    *out = (struct partition){ columns, 0 };
    while (next_column(&names, missing)) {
        const struct column *column = table_column(table, *missing);
        if (!column || out->count == table->column_count)
            return false;
        columns[out->count++] = (uint16_t)(column - table->columns);
    }
    return true;
}

bool partition_plan(const struct kafka_options *options, const struct target *target,
                    const struct table *table, struct arena *arena, struct partition *out,
                    struct error *err)
{
    struct bytes rest = options->partition_columns, item, names, missing;
    while (next_item(&rest, &item, &names)) {
        if (item.data && !is_named(item, target))
            continue;
        if (find_columns(table, names, arena, out, &missing))
            return true;
        if (item.data)
            return error_set(err, ERROR_DATA, "partition.columns: there is no column '%.*s'",
                             BYTES_ARGS(missing));
    }
    *out = (struct partition){ 0 };
    return true;
}

/* A column of the key is what it was where there is no image of the row before. */
static bool is_told(const struct event *event, uint16_t column)
{
    const struct table *table = event->table;
    bool key = false;
    for (uint16_t i = 0; i < table->key_count; i++)
        key |= table->key_columns[i] == column;
    return event->before ? event->before[column].tag != VALUE_ABSENT : key;
}

bool partition_known(const struct partition *partition, const struct event *event,
                     struct error *err)
{
    for (uint16_t i = 0; i < partition->count; i++)
        if (event->op != EVENT_INSERT && !is_told(event, partition->columns[i]))
            return error_set(
                err, ERROR_DATA,
                "partition.columns: the log does not tell what '%.*s' was; it does with "
                "REPLICA IDENTITY FULL (PostgreSQL) or binlog_row_image=FULL (MySQL)",
                BYTES_ARGS(event->table->columns[partition->columns[i]].name));
    return true;
}

bool partition_moves(const struct partition *partition, const struct value *before,
                     const struct value *after)
{
    for (uint16_t i = 0; i < partition->count; i++)
        if (!value_equal(&before[partition->columns[i]], &after[partition->columns[i]]))
            return true;
    return false;
}
