/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables, rows and loads for the tests of sinks. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "engine/base/cleanup.h"
#include "engine/sink.h"
#include "sinks/clickhouse/options.h"

enum { FIXTURE_PARTS_MAX = 128, FIXTURE_PART_LIMIT = 1 << 28 };

/* A view of a literal, as an initializer of a static array may have it. */
#define WORD(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }
#define INT_TYPE(width)                                                                            \
    {                                                                                              \
        .kind = TYPE_INT, .bits = (width)                                                          \
    }
#define UINT_TYPE(width)                                                                           \
    {                                                                                              \
        .kind = TYPE_UINT, .bits = (width)                                                         \
    }
#define PLAIN_TYPE(name)                                                                           \
    {                                                                                              \
        .kind = TYPE_##name                                                                        \
    }
#define SCALED_TYPE(name, digits)                                                                  \
    {                                                                                              \
        .kind = TYPE_##name, .scale = (digits)                                                     \
    }
#define DECIMAL_TYPE(digits, fraction)                                                             \
    {                                                                                              \
        .kind = TYPE_DECIMAL, .precision = (digits), .scale = (fraction)                           \
    }
#define COLUMN(text, ...)                                                                          \
    {                                                                                              \
        .name = WORD(text), .type = __VA_ARGS__                                                    \
    }

/* A version of a table: the columns are copied, the views in them are not. */
static inline struct table *fixture_table(struct arena *arena, const char *name,
                                          const struct column *columns, uint16_t count)
{
    struct table *table = arena_zalloc(arena, sizeof *table);
    struct column *copies = arena_array(arena, count, sizeof *copies);
    memcpy(copies, columns, count * sizeof *copies);
    *table = (struct table){ .id = 1,
                             .version = 1,
                             .database = BYTES_LITERAL("shop"),
                             .name = bytes_from(name),
                             .columns = copies,
                             .column_count = count };
    table_index_keys(arena, table);
    return table;
}

static inline struct value text_value(const char *text) { return value_text(bytes_from(text)); }

static inline void load_init(struct load *load, struct target *target, const struct table *table,
                             uint32_t parts, const char *label)
{
    *load =
        (struct load){ .target = target, .table = table, .part_count = parts, .first = UINT64_MAX };
    load->parts = calloc(parts ? parts : 1, sizeof *load->parts);
    for (uint32_t i = 0; i < parts; i++)
        buf_init(&load->parts[i], FIXTURE_PART_LIMIT);
    size_t size = strlen(label);
    assert_true(size < sizeof load->label);
    memcpy(load->label, label, size + 1);
}

static inline void load_done(struct load *load)
{
    for (uint32_t i = 0; i < load->part_count; i++)
        buf_done(&load->parts[i]);
    free(load->parts);
    *load = (struct load){ 0 };
}

static inline struct event row_event(enum event_op op, const struct table *table,
                                     const struct value *before, const struct value *after,
                                     uint64_t mark)
{
    return (struct event){
        .op = (uint8_t)op, .table = table, .before = before, .after = after, .mark = mark
    };
}

static inline struct clickhouse_options fixture_options(void)
{
    return (struct clickhouse_options){
        .username = BYTES_LITERAL("default"),
        .password = BYTES_LITERAL(""),
        .connect_timeout_ms = 5000,
        .request_timeout_ms = 60000,
    };
}
