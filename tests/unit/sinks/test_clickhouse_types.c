/* SPDX-License-Identifier: Apache-2.0
 *
 * Types, large numbers, quoting, statements, codes: what the ClickHouse sink decides by itself. */
#include "tests/unit/sinks/fixture.h"

#include <stdio.h>

#include "sinks/clickhouse/ddl.h"
#include "sinks/clickhouse/errors.h"
#include "sinks/clickhouse/sql.h"
#include "sinks/clickhouse/types.h"
#include "sinks/clickhouse/wide.h"

static const struct clickhouse_abilities modern = { .time64 = true }, old = { .time64 = false };

static void test_names(void **state)
{
    (void)state;
    static const struct {
        struct type type;
        const char *encoded, *created;
    } cases[] = {
        { INT_TYPE(24), "Nullable(Int32)", "Nullable(Int32)" },
        { { .kind = TYPE_BIT, .length = 1 }, "Nullable(UInt8)", "Nullable(UInt8)" },
        { { .kind = TYPE_BIT, .length = 33 }, "Nullable(UInt64)", "Nullable(UInt64)" },
        { DECIMAL_TYPE(76, 38), "Nullable(Decimal(76, 38))", "Nullable(Decimal(76, 38))" },
        { DECIMAL_TYPE(77, 0), "Nullable(String)", "Nullable(String)" },
        { PLAIN_TYPE(ENUM), "Nullable(String)", "LowCardinality(Nullable(String))" },
        { PLAIN_TYPE(SET), "Nullable(String)", "Nullable(String)" },
        { SCALED_TYPE(TIME, 2), "Nullable(Time64(2))", "Nullable(Time64(2))" },
        { SCALED_TYPE(DATETIME, 3), "Nullable(DateTime64(3, 'UTC'))",
          "Nullable(DateTime64(3, 'UTC'))" },
        { { .kind = TYPE_ARRAY, .element = TYPE_DECIMAL, .precision = 10, .scale = 2 },
          "Array(Nullable(Decimal(10, 2)))", "Array(Nullable(Decimal(10, 2)))" },
    };
    struct arena arena = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct clickhouse_type type = clickhouse_type_of(&cases[i].type, &modern);
        type.nullable = true;
        struct bytes encoded = clickhouse_type_name(&type, false, &arena);
        struct bytes created = clickhouse_type_name(&type, true, &arena);
        assert_string_equal(arena_text(&arena, encoded), cases[i].encoded);
        assert_string_equal(arena_text(&arena, created), cases[i].created);
        struct clickhouse_type back = clickhouse_type_parse(created);
        assert_int_equal(back.family, type.family);
        assert_true(back.nullable);
        assert_int_equal(back.low_cardinality, type.low_cardinality);
    }
    const struct type time = SCALED_TYPE(TIME, 6);
    assert_int_equal(clickhouse_type_of(&time, &old).family, FAMILY_STRING);
    arena_done(&arena);
}

static void test_holds(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        struct type source;
        bool holds;
    } cases[] = {
        { "Int32", INT_TYPE(24), true },
        { "Int16", INT_TYPE(24), false },
        { "Int256", INT_TYPE(64), true },
        { "Array(Nullable(Int64))",
          { .kind = TYPE_ARRAY, .element = TYPE_INT, .bits = 32 }, true },
        { "Array(Nullable(Int16))",
          { .kind = TYPE_ARRAY, .element = TYPE_INT, .bits = 32 }, false },
        { "Array(Int32)", { .kind = TYPE_ARRAY, .element = TYPE_INT, .bits = 32 }, false },
        { "Nullable(Int32)", { .kind = TYPE_ARRAY, .element = TYPE_INT, .bits = 32 }, false },
        { "String", { .kind = TYPE_ARRAY, .element = TYPE_TEXT }, false },
        { "Array(Float32)", { .kind = TYPE_ARRAY, .element = TYPE_FLOAT }, false },
        { "UInt64", INT_TYPE(8), false },
        { "Int64", UINT_TYPE(32), true },
        { "Int64", UINT_TYPE(64), false },
        { "Bool", INT_TYPE(8), false },
        { "Bool", { .kind = TYPE_INT, .bits = 8, .boolean = true }, true },
        { "IntervalDay", INT_TYPE(8), false },
        { "Float64", PLAIN_TYPE(FLOAT), true },
        { "Float32", PLAIN_TYPE(DOUBLE), false },
        { "Decimal(12, 4)", DECIMAL_TYPE(10, 2), true },
        { "Decimal(10, 4)", DECIMAL_TYPE(10, 2), false },
        { "Decimal(10, 1)", DECIMAL_TYPE(9, 2), false },
        { "Float64", DECIMAL_TYPE(9, 2), false },
        { "Date", PLAIN_TYPE(DATE), false },
        { "Nullable(Date32)", PLAIN_TYPE(DATE), true },
        { "DateTime64(6)", SCALED_TYPE(DATETIME, 6), true },
        { "DateTime64(3)", SCALED_TYPE(DATETIME, 6), false },
        { "DateTime64(9)", SCALED_TYPE(DATETIME, 6), false },
        { "DateTime64(6, 'Asia/Tokyo')", SCALED_TYPE(DATETIME, 6), false },
        { "DateTime64(6, 'Asia/Tokyo')", SCALED_TYPE(TIMESTAMP, 6), true },
        { "DateTime('UTC')", SCALED_TYPE(TIMESTAMP, 0), false },
        { "Time64(6)", SCALED_TYPE(TIME, 3), true },
        { "LowCardinality(Nullable(String))", PLAIN_TYPE(TEXT), true },
        { "String", SCALED_TYPE(DATETIME, 6), true },
        { "String", PLAIN_TYPE(VECTOR), false },
        { "FixedString(16)", { .kind = TYPE_BYTES, .fixed = true, .length = 16 }, true },
        { "FixedString(16)", { .kind = TYPE_BYTES, .fixed = true, .length = 8 }, false },
        { "FixedString(16)", { .kind = TYPE_TEXT, .fixed = true, .length = 16 }, false },
        { "Enum8('a' = 1, 'b' = 2)", PLAIN_TYPE(ENUM), true },
        { "Enum8('a' = 1)", PLAIN_TYPE(TEXT), false },
        { "JSON", PLAIN_TYPE(JSON), true },
        { "JSON(a UInt8)", PLAIN_TYPE(JSON), true },
        { "JSON", PLAIN_TYPE(TEXT), false },
        { "UUID", PLAIN_TYPE(UUID), true },
        { "Array(String)", PLAIN_TYPE(VECTOR), false },
        { "Array(Float32)", PLAIN_TYPE(VECTOR), true },
        { "Tuple(a Int8)", INT_TYPE(8), false },
        { "", INT_TYPE(8), false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct clickhouse_type to = clickhouse_type_parse(bytes_from(cases[i].target));
        struct clickhouse_type from = clickhouse_type_of(&cases[i].source, &modern);
        if (clickhouse_type_holds(&to, &from, &cases[i].source) != cases[i].holds)
            fail_msg("%s for %s", cases[i].target, "its case");
    }
}

static void test_converts(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        bool converts;
    } cases[] = {
        { "Int32", "Int64", true },
        { "Int64", "Int32", true }, /* the source let it pass, or is read again */
        { "Int32", "String", true },
        { "String", "Int32", false },
        { "Decimal(9, 2)", "String", false },
        { "Float64", "String", false },
        { "Float32", "Float64", true },
        { "Decimal(9, 2)", "Decimal(18, 4)", true },
        { "Int32", "Decimal(10, 0)", true },
        { "Int32", "Decimal(10, 1)", false },
        { "UInt64", "Decimal(20, 0)", true },
        { "Bool", "Int32", true },
        { "DateTime64(0, 'UTC')", "DateTime64(6, 'UTC')", true },
        { "Date32", "DateTime64(0, 'UTC')", false },
        { "Array(Float32)", "String", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct clickhouse_type from = clickhouse_type_parse(bytes_from(cases[i].from));
        struct clickhouse_type to = clickhouse_type_parse(bytes_from(cases[i].to));
        if (clickhouse_type_converts(&from, &to) != cases[i].converts)
            fail_msg("%s to %s", cases[i].from, cases[i].to);
    }
}

static void test_wide(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t precision, scale;
        bool ok;
        uint32_t low, high; /* words 0 and 7 */
    } cases[] = {
        { "0", 20, 0, true, 0, 0 },
        { "0.00", 20, 2, true, 0, 0 },
        { "12.5", 20, 2, true, 1250, 0 },
        { "0012", 20, 0, true, 12, 0 },
        { "-1", 20, 0, true, UINT32_MAX, UINT32_MAX },
        { "18446744073709551616", 20, 0, true, 0, 0 },
        { "9999999999999999999999999999999999999999999999999999999999999999999999999999", 76, 0,
          true, 0xffffffff, 0x161bcca7 },
        { "99999999999999999999999999999999999999999999999999999999999999999999999999999", 76, 0,
          false, 0, 0 },
        { "123", 2, 0, false, 0, 0 },
        { "1.23", 20, 1, false, 0, 0 },
        { "", 20, 0, false, 0, 0 },
        { "-", 20, 0, false, 0, 0 },
        { ".5", 20, 1, false, 0, 0 },
        { "5.", 20, 1, false, 0, 0 },
        { "1.2.3", 20, 5, false, 0, 0 },
        { "1e5", 20, 0, false, 0, 0 },
        { "+1", 20, 0, false, 0, 0 },
        { " 1", 20, 0, false, 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wide number;
        print_message("'%s'\n", cases[i].text);
        assert_int_equal(wide_from_decimal(bytes_from(cases[i].text), cases[i].precision,
                                           cases[i].scale, &number),
                         cases[i].ok);
        if (!cases[i].ok)
            continue;
        assert_int_equal(number.words[0], cases[i].low);
        assert_int_equal(number.words[7], cases[i].high);
    }
    struct wide two_64;
    assert_true(wide_from_decimal(BYTES_LITERAL("18446744073709551616"), 20, 0, &two_64));
    assert_int_equal(two_64.words[2], 1);
    struct wide low = wide_from_int(INT64_MIN);
    assert_int_equal(low.words[1], 0x80000000);
    assert_int_equal(low.words[2], UINT32_MAX);
}

/* ---- statements ---- */

static const char *text_of(struct buf *sql)
{
    buf_u8(sql, '\0');
    assert_false(sql->failed);
    return (const char *)sql->data;
}

static void test_quoting(void **state)
{
    (void)state;
    struct buf sql;
    buf_init(&sql, 1000);
    sql_table(&sql, BYTES_LITERAL("a`b\\"), BYTES_LITERAL("c'd"));
    buf_u8(&sql, ' ');
    sql_string(&sql, BYTES_LITERAL("it's \\ \0`"));
    assert_string_equal(text_of(&sql), "`a\\`b\\\\`.`c'd` 'it\\'s \\\\ \\0`'");
    buf_done(&sql);
}

#define WINDOWS                                                                                    \
    "non_replicated_deduplication_window = 10000, "                                                \
    "replicated_deduplication_window = 10000, "                                                    \
    "replicated_deduplication_window_seconds = 604800"
#define INDEX "INDEX _version_range _version TYPE minmax GRANULARITY 1)"

static void test_create_table(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct clickhouse_options options = fixture_options();
    struct ddl ddl = { .options = &options,
                       .abilities = &modern,
                       .database = BYTES_LITERAL("db"),
                       .name = BYTES_LITERAL("t"),
                       .arena = &arena };
    const struct bytes members[] = { WORD("x"), WORD("y") };
    const struct column columns[] = {
        { .name = WORD("b"), .type = INT_TYPE(32), .key_order = 2 },
        { .name = WORD("a"), .type = PLAIN_TYPE(TEXT), .key_order = 1 },
        { .name = WORD("n"),
          .type = INT_TYPE(8),
          .nullable = true,
          .default_text = WORD("-5"),
          .comment = WORD("it's") },
        { .name = WORD("e"), .type = { .kind = TYPE_ENUM, .members = members, .member_count = 2 } },
        { .name = WORD("z"),
          .type = SCALED_TYPE(DATETIME, 0),
          .default_text = WORD("0000-00-00 00:00:00") },
        { .name = WORD("w"),
          .type = SCALED_TYPE(DATETIME, 0),
          .default_text = WORD("CURRENT_TIMESTAMP"),
          .default_is_expression = true },
        { .name = WORD("m"),
          .type = { .kind = TYPE_BIT, .length = 3 },
          .default_text = WORD("b'101'") },
        { .name = WORD("q"), .type = INT_TYPE(8), .default_text = WORD("1) , x") },
    };
    struct table *table = fixture_table(&arena, "t", columns, ARRAY_SIZE(columns));
    struct buf sql;
    buf_init(&sql, 10000);
    ddl_create_table(&ddl, table, &sql);
    assert_string_equal(
        text_of(&sql),
        "CREATE TABLE IF NOT EXISTS `db`.`t` (`b` Int32, `a` String, "
        "`n` Nullable(Int8) DEFAULT -5 COMMENT 'it\\'s', `e` LowCardinality(String) DEFAULT 'x', "
        "`z` DateTime64(0, 'UTC'), `w` DateTime64(0, 'UTC'), `m` UInt8 DEFAULT 5, `q` Int8, "
        "_version UInt64, _is_deleted UInt8, " INDEX
        " ENGINE = ReplacingMergeTree(_version, _is_deleted) ORDER BY (`a`, `b`) "
        "SETTINGS " WINDOWS);

    const struct bytes order[] = { WORD("q"), WORD("b"), WORD("other") };
    const struct setting_pair properties[] = { { WORD("replicated_deduplication_window"),
                                                 WORD("5") },
                                               { WORD("storage_policy"), WORD("hot'") } };
    options.order_by = (struct setting_list){ order, 3 };
    options.table_properties = (struct setting_pairs){ properties, 2 };
    options.cluster = BYTES_LITERAL("c1");
    options.replicated = true;
    options.partition_by = BYTES_LITERAL("b % 4");
    table = fixture_table(&arena, "t", columns, 2);
    buf_reset(&sql);
    ddl_create_table(&ddl, table, &sql);
    assert_string_equal(
        text_of(&sql),
        "CREATE TABLE IF NOT EXISTS `db`.`t` ON CLUSTER `c1` (`b` Int32, `a` String, "
        "_version UInt64, _is_deleted UInt8, " INDEX
        " ENGINE = ReplicatedReplacingMergeTree(_version, _is_deleted) PARTITION BY b % 4 "
        "ORDER BY (`b`, `a`) SETTINGS non_replicated_deduplication_window = 10000, "
        "replicated_deduplication_window_seconds = 604800, replicated_deduplication_window = 5, "
        "storage_policy = 'hot\\''");

    options.cluster = (struct bytes){ 0 };
    table = fixture_table(&arena, "t", columns + 2, 2);
    options.table_properties.count = 0;
    options.replicated = false;
    table->comment = BYTES_LITERAL("c");
    buf_reset(&sql);
    ddl_create_table(&ddl, table, &sql);
    assert_string_equal(
        text_of(&sql),
        "CREATE TABLE IF NOT EXISTS `db`.`t` (`n` Nullable(Int8) DEFAULT -5 COMMENT 'it\\'s', "
        "`e` LowCardinality(String) DEFAULT 'x', _version UInt64, _sign Int8, " INDEX
        " ENGINE = MergeTree ORDER BY () SETTINGS " WINDOWS " COMMENT 'c'");
    buf_done(&sql);
    arena_done(&arena);
}

static void test_options(void **state)
{
    (void)state;
    static const struct {
        const char *name, *url, *property, *password;
        bool ok;
    } cases[] = {
        { "plain", "http://h:8123", "insert_quorum", "x", true },
        { "https", "https://h:8443/", "insert_quorum", "x", true },
        { "no scheme", "h:8123", "insert_quorum", "x", false },
        { "password inside", "http://u:s3cret@h:8123", "insert_quorum", "x", false },
        { "query inside", "http://h:8123/?user=u", "insert_quorum", "x", false },
        { "line break in the password", "http://h:8123", "insert_quorum", "a\r\nX-Evil: 1", false },
        { "reserved property", "http://h:8123", "async_insert", "x", false },
        { "property with a second one", "http://h:8123", "a&b", "x", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct clickhouse_options options = fixture_options();
        struct bytes url = bytes_from(cases[i].url);
        struct setting_pair pair = { bytes_from(cases[i].property), WORD("1") };
        struct error err = { 0 };
        options.urls = (struct setting_list){ &url, 1 };
        options.insert_properties = (struct setting_pairs){ &pair, 1 };
        options.password = bytes_from(cases[i].password);
        print_message("%s\n", cases[i].name);
        assert_int_equal(clickhouse_options_check(&options, &err), cases[i].ok);
        assert_null(strstr(err.message, "s3cret"));
        if (!cases[i].ok)
            assert_int_equal(err.kind, ERROR_CONFIG);
    }
}

static void test_error_kinds(void **state)
{
    (void)state;
    assert_int_equal(clickhouse_error_kind(3), ERROR_UNKNOWN); /* the first and the last */
    assert_int_equal(clickhouse_error_kind(999), ERROR_UNKNOWN);
    assert_int_equal(clickhouse_error_kind(252), ERROR_RETRY);
    assert_int_equal(clickhouse_error_kind(241), ERROR_RETRY);
    assert_int_equal(clickhouse_error_kind(60), ERROR_DATA);
    assert_int_equal(clickhouse_error_kind(516), ERROR_CONFIG);
    assert_int_equal(clickhouse_error_kind(319), ERROR_UNKNOWN);
    assert_int_equal(clickhouse_error_kind(524), ERROR_DATA);
    assert_int_equal(clickhouse_error_kind(123456), ERROR_RETRY); /* not listed */
    assert_int_equal(clickhouse_error_kind(0), ERROR_RETRY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_holds),
        cmocka_unit_test(test_converts), cmocka_unit_test(test_wide),
        cmocka_unit_test(test_quoting),  cmocka_unit_test(test_create_table),
        cmocka_unit_test(test_options),  cmocka_unit_test(test_error_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
