/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: lines of COPY, decoded as rows of a table with a column of each kind of type, or each line
 * as the only column of one kind: u8 (0: the table, else the kind), the lines. What was decoded is
 * printed and decoded again: it must be the same. */
#include "engine/base/assert.h"
#include "engine/base/reader.h"
#include "schema/array.h"
#include "sources/postgres/copy_text.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

enum { TEXT_MAX = 1 << 20 };

static const struct column columns[] = {
    { .type = { .kind = TYPE_INT, .bits = 64 } },
    { .type = { .kind = TYPE_INT, .bits = 8, .boolean = true } },
    { .type = { .kind = TYPE_UINT, .bits = 64 } },
    { .type = { .kind = TYPE_FLOAT } },
    { .type = { .kind = TYPE_DOUBLE } },
    { .type = { .kind = TYPE_DECIMAL, .precision = 14, .scale = 4 } },
    { .type = { .kind = TYPE_DECIMAL, .precision = 38, .scale = 9 } },
    { .type = { .kind = TYPE_DATE } },
    { .type = { .kind = TYPE_TIME, .scale = 6 } },
    { .type = { .kind = TYPE_DATETIME, .scale = 6 } },
    { .type = { .kind = TYPE_TIMESTAMP, .scale = 6 } },
    { .type = { .kind = TYPE_BYTES } },
    { .type = { .kind = TYPE_UUID } },
    { .type = { .kind = TYPE_TEXT } },
    { .type = { .kind = TYPE_ARRAY, .element = TYPE_INT, .bits = 32 } },
    { .type = { .kind = TYPE_ARRAY, .element = TYPE_TEXT } },
};

/* A date of a year that the server does not know may be printed with more digits than are read. */
static bool is_printable(const struct type *type, const struct value *value)
{
    bool counts = type->kind == TYPE_DATE || type->kind == TYPE_DATETIME ||
                  type->kind == TYPE_TIMESTAMP || type->kind == TYPE_TIME;
    return value->tag > VALUE_NULL && !counts && type->kind != TYPE_FLOAT && !type->boolean &&
           type->kind != TYPE_DOUBLE;
}

static void check(const struct type *type, const struct value *value, struct arena *arena)
{
    struct buf text;
    struct value again;
    if (value->tag == VALUE_NULL)
        return;
    if (type->kind == TYPE_ARRAY) {
        struct bytes rest = value_bytes(value);
        while (array_is_list(value) && array_next(&rest, &again))
            ASSERT(again.tag != VALUE_ABSENT);
        ASSERT(rest.size == 0 || !array_is_list(value));
        return;
    }
    buf_init(&text, TEXT_MAX);
    value_sql_text(type, value, &text);
    bool same = text_decoder_of(type).decode(buf_view(&text), type, arena, &again) &&
                value_equal(value, &again);
    ASSERT(text.failed || same || !is_printable(type, value));
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = reader_of((struct bytes){ data, size });
    uint8_t which = reader_u8(&in);
    struct table table = { .columns = columns, .column_count = ARRAY_SIZE(columns) };
    if (which > 0)
        table = (struct table){ .columns = &columns[which % ARRAY_SIZE(columns)],
                                .column_count = 1 };
    struct batch batch = { 0 };
    struct buf scratch;
    struct error err;
    buf_init(&scratch, TEXT_MAX);
    struct copy_plan *plan = copy_plan_make(&table, &batch.arena);
    while (in.rest.size > 0) {
        const uint8_t *end = memchr(in.rest.data, '\n', in.rest.size);
        size_t used = end ? (size_t)(end - in.rest.data) + 1 : in.rest.size;
        uint32_t before = batch.count;
        if (copy_row(plan, reader_take(&in, used), &batch, &scratch, &err)) {
            ASSERT(batch.count == before + 1);
            for (uint16_t i = 0; i < table.column_count; i++)
                check(&table.columns[i].type, &batch.events[before].after[i], &batch.arena);
        } else {
            ASSERT(batch.count == before && err.kind == ERROR_DATA && err.message[0]);
        }
    }
    buf_done(&scratch);
    arena_done(&batch.arena);
    free(batch.events);
    return 0;
}
