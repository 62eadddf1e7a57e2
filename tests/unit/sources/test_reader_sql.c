/* SPDX-License-Identifier: Apache-2.0
 *
 * What the snapshot reader asks the server: literals that compare as their columns do, and the
 * conditions between two keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cmocka.h"

#include "engine/base/assert.h"
#include "sources/mysql/reader_sql.h"

static const struct bytes members[] = {
    { (const uint8_t *)"z", 1 },
    { (const uint8_t *)"", 0 },
    { (const uint8_t *)"a b", 3 },
    { (const uint8_t *)"c", 1 },
};

#define TEXT(literal)                                                                              \
    {                                                                                              \
        .tag = VALUE_TEXT, .size = sizeof(literal) - 1, .data = (const uint8_t *)(literal)         \
    }
#define INTEGER(number)                                                                            \
    {                                                                                              \
        .tag = VALUE_INT, .integer = (number)                                                      \
    }
#define LABELS(of)                                                                                 \
    {                                                                                              \
        .kind = (of), .members = members, .member_count = 4                                        \
    }

static const struct {
    struct type type;
    struct value value;
    const char *sql;
} literals[] = {
    { { .kind = TYPE_INT }, INTEGER(INT64_MIN), "-9223372036854775808" },
    { { .kind = TYPE_UINT }, { .tag = VALUE_UINT, .natural = UINT64_MAX }, "18446744073709551615" },
    { { .kind = TYPE_DOUBLE }, { .tag = VALUE_DOUBLE, .number = 0.1 }, "1.00000000000000006e-01" },
    { { .kind = TYPE_DECIMAL, .precision = 6, .scale = 3 }, INTEGER(-5), "-0.005" },
    { { .kind = TYPE_DECIMAL, .precision = 30, .scale = 1 },
      TEXT("-12345678901234567890.5"),
      "-12345678901234567890.5" },
    { { .kind = TYPE_DATE }, INTEGER(-1), "'1969-12-31'" },
    { { .kind = TYPE_DATETIME, .scale = 6 }, INTEGER(-1), "'1969-12-31 23:59:59.999999'" },
    { { .kind = TYPE_TIME }, INTEGER(-3020399000001), "'-838:59:59.000001'" },
    { { .kind = TYPE_YEAR }, INTEGER(0), "0" },
    { { .kind = TYPE_BYTES }, TEXT("\0'"), "x'0027'" },
    { { .kind = TYPE_ENUM }, TEXT("x"), "0" },
    { LABELS(TYPE_ENUM), TEXT("z"), "1" },
    { LABELS(TYPE_ENUM), TEXT("c"), "4" },
    { LABELS(TYPE_ENUM), TEXT(""), "2" },
    { LABELS(TYPE_SET), TEXT(""), "0" },
    { LABELS(TYPE_SET), TEXT("z,a b,c"), "13" },
    { LABELS(TYPE_SET), TEXT("c"), "8" },
    { { .kind = TYPE_UUID },
      TEXT("\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x55\x44\0\0"),
      "'123e4567-e89b-12d3-a456-426655440000'" },
    { { .kind = TYPE_INET6 },
      TEXT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"),
      "INET6_NTOA(x'00000000000000000000000000000001')" },
    { { .kind = TYPE_INT }, { .tag = VALUE_NULL }, "NULL" },
};

static void assert_sql(struct buf *sql, const char *expected)
{
    buf_u8(sql, 0);
    assert_string_equal((const char *)sql->data, expected);
    buf_reset(sql);
}

static void test_literals(void **unused)
{
    (void)unused;
    struct buf sql;
    buf_init(&sql, 1000);
    for (size_t i = 0; i < ARRAY_SIZE(literals); i++) {
        const struct column column = { .type = literals[i].type };
        reader_sql_literal(&sql, &column, &literals[i].value);
        assert_sql(&sql, literals[i].sql);
    }
    buf_done(&sql);
}

/* Whatever a text holds, it cannot end its literal. */
static void test_texts_are_quoted_as_bytes(void **unused)
{
    (void)unused;
    const struct column column = { .type = { .kind = TYPE_TEXT } };
    const struct value value = TEXT("';--\\");
    struct buf sql;
    buf_init(&sql, 1000);
    reader_sql_literal(&sql, &column, &value);
    assert_null(memchr(sql.data, ';', sql.size));
    assert_non_null(memmem(sql.data, sql.size, "273b2d2d5c", 10));
    buf_done(&sql);
}

static void test_conditions_between_keys(void **unused)
{
    (void)unused;
    static const struct column columns[] = {
        { .name = { (const uint8_t *)"v", 1 } },
        { .name = { (const uint8_t *)"b", 1 }, .type = { .kind = TYPE_INT }, .key_order = 2 },
        { .name = { (const uint8_t *)"a", 1 }, .type = LABELS(TYPE_ENUM), .key_order = 1 },
    };
    static const struct value bound[] = { TEXT("a b"), INTEGER(7) };
    struct arena arena = { 0 };
    struct table table = { .database = BYTES_LITERAL("d"),
                           .name = BYTES_LITERAL("t`"),
                           .columns = columns,
                           .column_count = 3 };
    struct buf sql;
    buf_init(&sql, 1000);
    table_index_keys(&arena, &table);
    reader_sql_select(&sql, &table);
    assert_sql(&sql, "SELECT `v`, `b`, `a` FROM `d`.`t```");
    reader_sql_after(&sql, &table, bound);
    assert_sql(&sql, "`a` >= 3 AND (`a` > 3 OR (`a` = 3 AND (`b` > 7)))");
    reader_sql_not_after(&sql, &table, bound);
    assert_sql(&sql, "`a` <= 3 AND (`a` < 3 OR (`a` = 3 AND (`b` <= 7)))");
    reader_sql_order(&sql, &table);
    assert_sql(&sql, " ORDER BY `a`, `b`");
    buf_done(&sql);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_texts_are_quoted_as_bytes),
        cmocka_unit_test(test_conditions_between_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
