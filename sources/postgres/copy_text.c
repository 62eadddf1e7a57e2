/* SPDX-License-Identifier: Apache-2.0
 *
 * line := field {'\t' field} '\n'
 * field := '\N' (NULL) | {character | '\' ('b' 'f' 'n' 'r' 't' 'v' | itself)}
 * A tab or a newline of a value is always written as its escape. */
#include "sources/postgres/copy_text.h"

#include "engine/source.h"

struct copy_plan {
    const struct table *table;
    struct text_decoder decoders[];
};

struct copy_plan *copy_plan_make(const struct table *table, struct arena *arena)
{
    struct copy_plan *plan =
        arena_alloc(arena, sizeof *plan + table->column_count * sizeof *plan->decoders);
    plan->table = table;
    for (uint16_t i = 0; i < table->column_count; i++)
        plan->decoders[i] = text_decoder_of(&table->columns[i].type);
    return plan;
}

static uint8_t escaped(uint8_t c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'v':
        return '\v';
    default:
        return c;
    }
}

static bool unescape(struct bytes field, struct buf *scratch)
{
    buf_reset(scratch);
    for (size_t i = 0; i < field.size; i++) {
        uint8_t c = field.data[i];
        if (c == '\\' && ++i == field.size)
            return false;
        buf_u8(scratch, c == '\\' ? escaped(field.data[i]) : c);
    }
    return !scratch->failed;
}

static bool decode(const struct copy_plan *plan, uint16_t column, struct bytes field,
                   struct arena *arena, struct buf *scratch, struct value *out)
{
    if (bytes_is(field, "\\N")) {
        *out = value_null();
        return true;
    }
    if (field.size > 0 && memchr(field.data, '\\', field.size)) {
        if (!unescape(field, scratch))
            return false;
        field = buf_view(scratch);
    }
    return plan->decoders[column].decode(field, &plan->table->columns[column].type, arena, out);
}

bool copy_row(const struct copy_plan *plan, struct bytes line, struct batch *batch,
              struct buf *scratch, struct error *err)
{
    const struct table *table = plan->table;
    if (line.size > 0 && line.data[line.size - 1] == '\n')
        line.size--;
    struct value *values = arena_alloc(&batch->arena, (table->column_count + 1u) * sizeof *values);
    for (uint16_t i = 0; i < table->column_count; i++) {
        const uint8_t *tab = line.size ? memchr(line.data, '\t', line.size) : NULL;
        size_t size = tab ? (size_t)(tab - line.data) : line.size;
        bool is_last = i + 1 == table->column_count;
        if (is_last != !tab)
            return error_code(err, ERROR_DATA, READER_SHAPE, "a row has another number of columns");
        if (!decode(plan, i, (struct bytes){ line.data, size }, &batch->arena, scratch, &values[i]))
            return error_code(
                err, ERROR_DATA, READER_SHAPE, "column '%.*s' holds what is not of its type, %.*s",
                BYTES_ARGS(table->columns[i].name), BYTES_ARGS(table->columns[i].source_type));
        line = tab ? (struct bytes){ tab + 1, line.size - size - 1 } : line;
    }
    struct event *event = batch_add(batch);
    event->op = EVENT_INSERT;
    event->snapshot = true;
    event->table = table;
    event->after = values;
    return true;
}
