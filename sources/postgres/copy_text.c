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
    const uint8_t *at = field.data, *end = at + field.size, *next;
    while ((next = memchr(at, '\\', (size_t)(end - at)))) {
        buf_bytes(scratch, (struct bytes){ at, (size_t)(next - at) });
        if (next + 1 == end)
            return false;
        buf_u8(scratch, escaped(next[1]));
        at = next + 2;
    }
    buf_bytes(scratch, (struct bytes){ at, (size_t)(end - at) });
    return !scratch->failed;
}

static bool has_byte(uint64_t word, uint8_t byte)
{
    const uint64_t each = 0x0101010101010101;
    word ^= byte * each;
    return (word - each) & ~word & (0x80 * each);
}

/* Up to the tab, or all that is left. Fields are short: a call for each would cost more. */
static size_t field_size(struct bytes rest, bool *has_escapes)
{
    size_t i = 0;
    for (uint64_t word; i + sizeof word <= rest.size; i += sizeof word) {
        memcpy(&word, rest.data + i, sizeof word);
        if (has_byte(word, '\t') || has_byte(word, '\\'))
            break;
    }
    while (i < rest.size && rest.data[i] != '\t' && rest.data[i] != '\\')
        i++;
    *has_escapes = i < rest.size && rest.data[i] == '\\';
    if (!*has_escapes)
        return i;
    const uint8_t *tab = memchr(rest.data + i, '\t', rest.size - i);
    return tab ? (size_t)(tab - rest.data) : rest.size;
}

static bool decode_escaped(const struct copy_plan *plan, uint16_t column, struct bytes field,
                           struct arena *arena, struct buf *scratch, struct value *out)
{
    if (bytes_is(field, "\\N")) {
        *out = value_null();
        return true;
    }
    return unescape(field, scratch) &&
           plan->decoders[column].decode(buf_view(scratch), &plan->table->columns[column].type,
                                         arena, out);
}

bool copy_row(const struct copy_plan *plan, struct bytes line, struct batch *batch,
              struct buf *scratch, struct error *err)
{
    const struct table *table = plan->table;
    if (line.size > 0 && line.data[line.size - 1] == '\n')
        line.size--;
    struct value *values = arena_alloc(&batch->arena, (table->column_count + 1u) * sizeof *values);
    for (uint16_t i = 0; i < table->column_count; i++) {
        bool has_escapes, is_last = i + 1 == table->column_count;
        struct bytes field = { line.data, field_size(line, &has_escapes) };
        if (is_last != (field.size == line.size))
            return error_code(err, ERROR_DATA, READER_SHAPE, "a row has another number of columns");
        const struct type *type = &table->columns[i].type;
        bool ok = has_escapes
                      ? decode_escaped(plan, i, field, &batch->arena, scratch, &values[i])
                      : plan->decoders[i].decode(field, type, &batch->arena, &values[i]);
        if (!ok)
            return error_code(
                err, ERROR_DATA, READER_SHAPE, "column '%.*s' holds what is not of its type, %.*s",
                BYTES_ARGS(table->columns[i].name), BYTES_ARGS(table->columns[i].source_type));
        if (!is_last)
            line = (struct bytes){ line.data + field.size + 1, line.size - field.size - 1 };
    }
    struct event *event = batch_add(batch);
    event->op = EVENT_INSERT;
    event->snapshot = true;
    event->table = table;
    event->after = values;
    return true;
}
