/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: frames of the replication protocol, u16 size and its bytes, as COPY gives them. The rows
 * of a relation are decoded by the types that its newest Relation message named; what comes out
 * goes back to the text of SQL. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"
#include "sources/postgres/pgoutput.h"
#include "sources/postgres/text_value.h"
#include "sources/postgres/types.h"
#include "tests/fuzz/fuzz.h"

enum { TEXT_LIMIT = 1 << 20 };

static volatile uint64_t touched; /* keeps the compiler from leaving the values out */

static void touch(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        touched += text.data[i];
}

static void decode_value(const struct pgoutput_column *column, struct bytes text)
{
    static const struct user_types none;
    struct arena arena = { 0 };
    struct value value = { 0 };
    struct buf back;
    struct type type = postgres_type(column->type, column->typmod, &none);
    buf_init(&back, TEXT_LIMIT);
    if (text_decoder_of(&type).decode(text, &type, &arena, &value)) {
        ASSERT(value.tag <= VALUE_TEXT && value.tag > VALUE_ABSENT);
        value_sql_text(&type, &value, &back);
        touch(buf_view(&back));
    }
    buf_done(&back);
    arena_done(&arena);
}

static bool decode_cells(struct pgoutput_row *row, const struct pgoutput_relation *shape)
{
    struct pgoutput_cell cell;
    for (uint16_t i = 0; i < row->count; i++) {
        size_t left = row->cells.rest.size;
        if (!pgoutput_cell_take(&row->cells, &cell))
            return false;
        ASSERT(row->cells.rest.size < left);
        touch(cell.text);
        if (cell.kind == 't' && i < shape->column_count)
            decode_value(&shape->columns[i], cell.text);
    }
    return true;
}

static void decode_row(struct bytes message, const struct pgoutput_relation *shape)
{
    struct pgoutput_row row;
    bool more = pgoutput_row_parse(message, &row) && decode_cells(&row, shape);
    while (more && !pgoutput_row_is_over(&row))
        more = pgoutput_row_next(&row) && decode_cells(&row, shape);
    ASSERT(!more || row.cells.rest.size == 0);
}

static void decode_relation(struct bytes message, struct arena *arena,
                            struct pgoutput_relation *shape)
{
    struct pgoutput_relation next;
    if (!pgoutput_relation_parse(message, arena, &next))
        return;
    *shape = next;
    touch(next.schema);
    touch(next.name);
    for (uint16_t i = 0; i < next.column_count; i++)
        touch(next.columns[i].name);
}

static void decode_other(struct bytes message)
{
    struct pgoutput_begin begin;
    struct pgoutput_commit commit;
    struct pgoutput_truncate truncate;
    struct pgoutput_message logical;
    touched += pgoutput_begin_parse(message, &begin) + pgoutput_commit_parse(message, &commit);
    if (pgoutput_truncate_parse(message, &truncate))
        ASSERT(truncate.oids.rest.size / 4 == truncate.count);
    if (pgoutput_message_parse(message, &logical)) {
        touch(logical.prefix);
        touch(logical.content);
    }
}

static void decode_frame(struct bytes frame, struct arena *arena, struct pgoutput_relation *shape)
{
    struct stream_data data;
    struct stream_keepalive keepalive;
    touched += stream_keepalive_parse(frame, &keepalive);
    if (!stream_data_parse(frame, &data))
        return;
    switch (data.message.data[0]) {
    case PGOUTPUT_RELATION:
        decode_relation(data.message, arena, shape);
        break;
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
        decode_row(data.message, shape);
        break;
    default:
        decode_other(data.message);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = { 0 };
    struct pgoutput_relation shape = { 0 };
    struct reader in = reader_of((struct bytes){ data, size });
    while (in.rest.size > 0 && !in.failed)
        decode_frame(reader_take(&in, (size_t)reader_le(&in, 2)), &arena, &shape);
    arena_done(&arena);
    return 0;
}
