/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of a snapshot: the binary protocol's bytes and the canonical values that they become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cmocka.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/source.h"
#include "sources/mysql/reader_row.h"
#include "tests/support/value_text.h"

enum {
    TINY = 1,
    SHORT = 2,
    LONG = 3,
    FLOAT = 4,
    DOUBLE = 5,
    TIMESTAMP = 7,
    LONGLONG = 8,
    INT24 = 9,
    DATE = 10,
    TIME = 11,
    DATETIME = 12,
    YEAR = 13,
    VARCHAR = 15,
    BIT = 16,
    JSON = 245,
    DECIMAL = 246,
    BLOB = 252,
    STRING = 254,
    GEOMETRY = 255
};

#define RAW(bytes)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(bytes), sizeof(bytes) - 1                                                \
    }
#define NUMBER(of, width)                                                                          \
    {                                                                                              \
        .kind = (of), .bits = (width)                                                              \
    }
#define CLOCK(of, digits)                                                                          \
    {                                                                                              \
        .kind = (of), .scale = (digits)                                                            \
    }

static const struct cell_case {
    const char *name;
    struct type type;
    uint8_t wire;
    struct bytes raw;
    const char *shown;
    const char *charset;
} cases[] = {
    { "tiny", NUMBER(TYPE_INT, 8), TINY, RAW("\x80"), "-128", NULL },
    { "tiny unsigned", NUMBER(TYPE_UINT, 8), TINY, RAW("\xff"), "255", NULL },
    { "short", NUMBER(TYPE_INT, 16), SHORT, RAW("\x00\x80"), "-32768", NULL },
    { "medium", NUMBER(TYPE_INT, 24), INT24, RAW("\xff\xff\xff\xff"), "-1", NULL },
    { "medium unsigned", NUMBER(TYPE_UINT, 24), INT24, RAW("\xff\xff\xff\x00"), "16777215", NULL },
    { "int", NUMBER(TYPE_INT, 32), LONG, RAW("\x00\x00\x00\x80"), "-2147483648", NULL },
    { "bigint", NUMBER(TYPE_INT, 64), LONGLONG, RAW("\0\0\0\0\0\0\0\x80"), "-9223372036854775808",
      NULL },
    { "bigint unsigned", NUMBER(TYPE_UINT, 64), LONGLONG, RAW("\xff\xff\xff\xff\xff\xff\xff\xff"),
      "18446744073709551615", NULL },
    { "year", { .kind = TYPE_YEAR }, YEAR, RAW("\x6b\x08"), "2155", NULL },
    { "year 0000", { .kind = TYPE_YEAR }, YEAR, RAW("\0\0"), "0", NULL },
    { "float",
      { .kind = TYPE_FLOAT },
      FLOAT,
      RAW("\xcd\xcc\xcc\x3d"),
      "0.10000000149011612",
      NULL },
    { "double", { .kind = TYPE_DOUBLE }, DOUBLE, RAW("\0\0\0\0\0\0\xf8\xbf"), "-1.5", NULL },
    { "decimal",
      { .kind = TYPE_DECIMAL, .precision = 6, .scale = 2 },
      DECIMAL,
      RAW("\5-0.50"),
      "-0.50",
      NULL },
    { "wide decimal",
      { .kind = TYPE_DECIMAL, .precision = 30, .scale = 2 },
      DECIMAL,
      RAW("\25"
          "123456789012345678.90"),
      "123456789012345678.90",
      NULL },
    { "bit", { .kind = TYPE_BIT, .length = 9 }, BIT, RAW("\2\1\1"), "257", NULL },
    { "date", { .kind = TYPE_DATE }, DATE, RAW("\4\xe8\7\2\x1d"), "2024-02-29", NULL },
    { "zero date", { .kind = TYPE_DATE }, DATE, RAW("\0"), "0000-00-00", NULL },
    { "date of no month", { .kind = TYPE_DATE }, DATE, RAW("\4\xe4\7\0\x1f"), "2020-00-31", NULL },
    { "datetime", CLOCK(TYPE_DATETIME, 6), DATETIME, RAW("\13\xb1\7\14\37\27\73\73\x3f\x42\x0f\0"),
      "1969-12-31 23:59:59.999999", NULL },
    { "datetime at midnight", CLOCK(TYPE_DATETIME, 0), DATETIME, RAW("\4\xe8\7\1\1"),
      "2024-01-01 00:00:00", NULL },
    { "zero datetime", CLOCK(TYPE_DATETIME, 3), DATETIME, RAW("\0"), "0000-00-00 00:00:00.000",
      NULL },
    { "timestamp", CLOCK(TYPE_TIMESTAMP, 0), TIMESTAMP, RAW("\7\xf6\7\1\23\3\16\7"),
      "2038-01-19 03:14:07", NULL },
    { "time", CLOCK(TYPE_TIME, 6), TIME, RAW("\14\1\42\0\0\0\26\73\73\1\0\0\0"),
      "-838:59:59.000001", NULL },
    { "time of nothing", CLOCK(TYPE_TIME, 0), TIME, RAW("\0"), "00:00:00", NULL },
    { "text", { .kind = TYPE_TEXT }, VARCHAR, RAW("\3a\xc3\xa9"), "61C3A9", "utf8mb4" },
    { "text of latin1", { .kind = TYPE_TEXT }, VARCHAR, RAW("\2a\xe9"), "61C3A9", "latin1" },
    { "text with a longer length",
      { .kind = TYPE_TEXT },
      BLOB,
      RAW("\374\2\0ab"),
      "6162",
      "utf8mb4" },
    { "bytes", { .kind = TYPE_BYTES }, BLOB, RAW("\2\0\xff"), "00FF", NULL },
    { "binary, padded",
      { .kind = TYPE_BYTES, .fixed = true, .length = 4 },
      STRING,
      RAW("\1a"),
      "61000000",
      NULL },
    { "json", { .kind = TYPE_JSON }, JSON, RAW("\4null"), "6E756C6C", NULL },
    { "enum", { .kind = TYPE_ENUM }, STRING, RAW("\1a"), "61", "latin1" },
    { "set", { .kind = TYPE_SET }, STRING, RAW("\3a,b"), "612C62", "latin1" },
    { "geometry", { .kind = TYPE_GEOMETRY }, GEOMETRY, RAW("\3\0\0\1"), "000001", NULL },
    { "uuid",
      { .kind = TYPE_UUID },
      STRING,
      RAW("\44"
          "123e4567-e89b-12d3-a456-426655440000"),
      "123E4567E89B12D3A456426655440000",
      NULL },
    { "inet4",
      { .kind = TYPE_INET4 },
      STRING,
      RAW("\12"
          "192.0.2.33"),
      "C0000221",
      NULL },
    { "inet6",
      { .kind = TYPE_INET6 },
      STRING,
      RAW("\3::1"),
      "00000000000000000000000000000001",
      NULL },
};

struct fixture {
    struct arena arena;
    struct batch batch;
    struct column column;
    struct table table;
    struct cell_plan *plan;
    struct error err;
};

static bool fixture_make(struct fixture *fixture, const struct cell_case *cell)
{
    *fixture = (struct fixture){ 0 };
    fixture->column =
        (struct column){ .name = BYTES_LITERAL("v"), .type = cell->type, .nullable = true };
    if (cell->charset)
        fixture->column.charset = bytes_from(cell->charset);
    fixture->table = (struct table){ .database = BYTES_LITERAL("d"),
                                     .name = BYTES_LITERAL("t"),
                                     .columns = &fixture->column,
                                     .column_count = 1 };
    return cell_plan_make(&fixture->table, &cell->wire, &fixture->arena, &fixture->plan,
                          &fixture->err);
}

static void fixture_done(struct fixture *fixture)
{
    arena_done(&fixture->arena);
    arena_done(&fixture->batch.arena);
    free(fixture->batch.events);
}

/* 00, the bitmap, and the first `size` bytes of the value, in memory that ends with them. */
static bool read_row(struct fixture *fixture, uint8_t nulls, struct bytes raw)
{
    uint8_t *packet = malloc(2 + raw.size);
    assert_non_null(packet);
    packet[0] = 0;
    packet[1] = nulls;
    memcpy(packet + 2, raw.data, raw.size);
    fixture->batch.count = 0;
    bool ok = cell_row(fixture->plan, (struct bytes){ packet, 2 + raw.size }, &fixture->batch,
                       &fixture->err);
    free(packet); /* what was kept is a copy */
    return ok;
}

static void test_values(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture fixture;
        struct buf shown;
        buf_init(&shown, 1000);
        assert_true(fixture_make(&fixture, &cases[i]));
        assert_true(read_row(&fixture, 0, cases[i].raw));
        const struct event *event = &fixture.batch.events[0];
        assert_true(event->snapshot && event->op == EVENT_INSERT);
        value_show(&shown, &cases[i].type, &event->after[0]);
        buf_u8(&shown, 0);
        if (strcmp((const char *)shown.data, cases[i].shown) != 0)
            fail_msg("%s: %s", cases[i].name, (const char *)shown.data);
        assert_true(read_row(&fixture, 4, (struct bytes){ (const uint8_t *)"", 0 }));
        assert_int_equal(fixture.batch.events[0].after[0].tag, VALUE_NULL);
        buf_done(&shown);
        fixture_done(&fixture);
    }
}

/* Cut anywhere a row is an error of the connection, and adds nothing. */
static void test_rows_that_are_cut(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (size_t size = 0; size < cases[i].raw.size; size++) {
            struct fixture fixture;
            assert_true(fixture_make(&fixture, &cases[i]));
            if (read_row(&fixture, 0, (struct bytes){ cases[i].raw.data, size }))
                fail_msg("%s is whole with %zu bytes", cases[i].name, size);
            assert_int_equal(fixture.batch.count, 0);
            assert_true(fixture.err.message[0]);
            fixture_done(&fixture);
        }
}

static void test_values_that_are_wrong(void **unused)
{
    (void)unused;
    static const struct cell_case wrong[] = {
        { "uuid", { .kind = TYPE_UUID }, STRING, RAW("\3abc"), NULL, NULL },
        { "inet4", { .kind = TYPE_INET4 }, STRING, RAW("\3::1"), NULL, NULL },
        { "inet6", { .kind = TYPE_INET6 }, STRING, RAW("\4nope"), NULL, NULL },
        { "decimal",
          { .kind = TYPE_DECIMAL, .precision = 5, .scale = 1 },
          DECIMAL,
          RAW("\3a.b"),
          NULL,
          NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct fixture fixture;
        assert_true(fixture_make(&fixture, &wrong[i]));
        assert_false(read_row(&fixture, 0, wrong[i].raw));
        assert_int_equal(fixture.err.kind, ERROR_DATA);
        assert_non_null(strstr(fixture.err.message, "column 'v'"));
        fixture_done(&fixture);
    }
}

/* The table was altered, or is another one: it will be read in its new shape. */
static void test_types_that_do_not_fit(void **unused)
{
    (void)unused;
    static const struct cell_case wrong[] = {
        { "int as text", NUMBER(TYPE_INT, 32), VARCHAR, RAW("\1a"), NULL, NULL },
        { "text as int", { .kind = TYPE_TEXT }, LONG, RAW("\1\0\0\0"), NULL, NULL },
        { "date as time", { .kind = TYPE_DATE }, TIME, RAW("\0"), NULL, NULL },
        { "float as double", { .kind = TYPE_FLOAT }, DOUBLE, RAW("\0"), NULL, NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct fixture fixture;
        assert_false(fixture_make(&fixture, &wrong[i]));
        assert_int_equal(fixture.err.kind, ERROR_DATA);
        assert_int_equal(fixture.err.code, READER_SHAPE);
        fixture_done(&fixture);
    }
}

static void test_texts_that_are_invalid_are_counted(void **unused)
{
    (void)unused;
    static const struct cell_case invalid = { "invalid", { .kind = TYPE_TEXT },
                                              VARCHAR,   RAW("\3\xc6\x98\x98"),
                                              NULL,      "cp1251" };
    struct fixture fixture;
    assert_true(fixture_make(&fixture, &invalid));
    assert_true(read_row(&fixture, 0, invalid.raw));
    assert_int_equal(fixture.batch.replaced, 1);
    fixture_done(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_rows_that_are_cut),
        cmocka_unit_test(test_values_that_are_wrong),
        cmocka_unit_test(test_types_that_do_not_fit),
        cmocka_unit_test(test_texts_that_are_invalid_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
