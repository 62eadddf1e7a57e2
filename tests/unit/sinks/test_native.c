/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows to Native columns, byte by byte, and what must not be encoded. */
#include "tests/unit/sinks/fixture.h"

#include "sinks/clickhouse/native.h"

#define WIDE_RANGE                                                                                 \
    {                                                                                              \
        .time64 = true, .date_min = -719162, .date_max = 2932896, .seconds_min = -62135596800,     \
        .seconds_max = 253402300799                                                                \
    }
static const struct clickhouse_abilities abilities = WIDE_RANGE;

struct bench {
    struct arena arena;
    struct clickhouse_options options;
    struct sink_counters counters;
    struct native_encoder encoder;
    struct target target;
    struct load load;
    const struct native_layout *layout;
    struct error err;
};

static void bench_open(struct bench *bench, const struct table *table, bool nullable)
{
    struct native_field *fields = arena_array(&bench->arena, table->column_count, sizeof *fields);
    for (uint16_t i = 0; i < table->column_count; i++)
        fields[i] = (struct native_field){ .name = table->columns[i].name,
                                           .source = i,
                                           .nullable = nullable && !table->columns[i].key_order,
                                           .in_key = table->columns[i].key_order > 0 };
    bench->options = fixture_options();
    bench->encoder = (struct native_encoder){ .options = &bench->options,
                                              .abilities = &abilities,
                                              .counters = &bench->counters,
                                              .arena = &bench->arena };
    bench->layout =
        native_layout_make(table, fields, table->column_count, &abilities, &bench->arena);
    load_init(&bench->load, &bench->target, table, bench->layout->parts, "label");
}

static void bench_close(struct bench *bench)
{
    load_done(&bench->load);
    arena_done(&bench->arena);
}

static bool bench_encode(struct bench *bench, enum event_op op, const struct value *before,
                         const struct value *after, uint64_t mark)
{
    struct event event = row_event(op, bench->load.table, before, after, mark);
    return native_encode(&bench->encoder, bench->layout, &bench->load, &event, &bench->err);
}

static void expect_part(const struct bench *bench, uint32_t part, const char *bytes, size_t size)
{
    assert_int_equal(bench->load.parts[part].size, size);
    assert_memory_equal(bench->load.parts[part].data, bytes, size);
}
#define EXPECT_PART(bench, part, literal) expect_part(bench, part, literal, sizeof(literal) - 1)

/* ---- one value of each type ---- */

#define TEXT(literal)                                                                              \
    {                                                                                              \
        .tag = VALUE_TEXT, .size = sizeof(literal) - 1, .data = (const uint8_t *)(literal)         \
    }
#define INT(number)                                                                                \
    {                                                                                              \
        .tag = VALUE_INT, .integer = (number)                                                      \
    }
#define UINT(number)                                                                               \
    {                                                                                              \
        .tag = VALUE_UINT, .natural = (number)                                                     \
    }
#define DOUBLE(of)                                                                                 \
    {                                                                                              \
        .tag = VALUE_DOUBLE, .number = (of)                                                        \
    }
#define BYTES(literal) literal, sizeof(literal) - 1

static const struct value_case {
    const char *name;
    struct type type;
    struct value value;
    const char *type_name; /* NULL: must be refused */
    const char *bytes;
    size_t size;
} value_cases[] = {
    { "int8", INT_TYPE(8), INT(-2), "Int8", BYTES("\xfe") },
    { "int24", INT_TYPE(24), INT(-8388608), "Int32", BYTES("\0\0\x80\xff") },
    { "int64", INT_TYPE(64), INT(INT64_MIN), "Int64", BYTES("\0\0\0\0\0\0\0\x80") },
    { "uint16", UINT_TYPE(16), UINT(65535), "UInt16", BYTES("\xff\xff") },
    { "int as text", INT_TYPE(8), TEXT("1"), NULL, NULL, 0 },
    { "bool", { .kind = TYPE_INT, .bits = 8, .boolean = true }, INT(2), "Bool", BYTES("\1") },
    { "float", PLAIN_TYPE(FLOAT), DOUBLE(1.5), "Float32", BYTES("\0\0\xc0\x3f") },
    { "double", PLAIN_TYPE(DOUBLE), DOUBLE(-0.0), "Float64", BYTES("\0\0\0\0\0\0\0\x80") },
    { "double as int", PLAIN_TYPE(DOUBLE), INT(1), NULL, NULL, 0 },
    { "decimal 9", DECIMAL_TYPE(9, 2), INT(-1), "Decimal(9, 2)", BYTES("\xff\xff\xff\xff") },
    { "decimal 18", DECIMAL_TYPE(18, 2), INT(258), "Decimal(18, 2)", BYTES("\2\1\0\0\0\0\0\0") },
    { "decimal 20", DECIMAL_TYPE(20, 2), TEXT("-0.01"), "Decimal(20, 2)",
      BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") },
    { "decimal of words", DECIMAL_TYPE(20, 2), TEXT("one"), NULL, NULL, 0 },
    { "decimal too long", DECIMAL_TYPE(20, 2), TEXT("1.001"), NULL, NULL, 0 },
    { "bit 9", { .kind = TYPE_BIT, .length = 9 }, UINT(257), "UInt16", BYTES("\1\1") },
    { "year", PLAIN_TYPE(YEAR), INT(2155), "UInt16", BYTES("\x6b\x08") },
    { "date", PLAIN_TYPE(DATE), INT(-1), "Date32", BYTES("\xff\xff\xff\xff") },
    { "time", SCALED_TYPE(TIME, 3), INT(-1500), "Time64(3)",
      BYTES("\xff\xff\xff\xff\xff\xff\xff\xff") },
    { "datetime seconds", SCALED_TYPE(DATETIME, 0), INT(-1000000), "DateTime64(0, 'UTC')",
      BYTES("\xff\xff\xff\xff\xff\xff\xff\xff") },
    { "timestamp", SCALED_TYPE(TIMESTAMP, 6), INT(258), "DateTime64(6, 'UTC')",
      BYTES("\2\1\0\0\0\0\0\0") },
    { "text", PLAIN_TYPE(TEXT), TEXT("ab"), "String", BYTES("\2ab") },
    { "empty text", PLAIN_TYPE(TEXT), TEXT(""), "String", BYTES("\0") },
    { "text as int", PLAIN_TYPE(TEXT), INT(1), NULL, NULL, 0 },
    { "bytes", PLAIN_TYPE(BYTES), TEXT("\0\xff"), "String", BYTES("\2\0\xff") },
    { "enum", PLAIN_TYPE(ENUM), TEXT("x"), "String", BYTES("\1x") },
    { "uuid", PLAIN_TYPE(UUID), TEXT("\0\1\2\3\4\5\6\7\x10\x11\x12\x13\x14\x15\x16\x17"), "UUID",
      BYTES("\7\6\5\4\3\2\1\0\x17\x16\x15\x14\x13\x12\x11\x10") },
    { "uuid cut off", PLAIN_TYPE(UUID), TEXT("\0\1\2"), NULL, NULL, 0 },
    { "inet4", PLAIN_TYPE(INET4), TEXT("\300\250\1\2"), "IPv4", BYTES("\2\1\250\300") },
    { "inet4 too long", PLAIN_TYPE(INET4), TEXT("\300\250\1\2\3"), NULL, NULL, 0 },
    { "inet6", PLAIN_TYPE(INET6), TEXT("0123456789abcdef"), "IPv6", BYTES("0123456789abcdef") },
    { "vector", PLAIN_TYPE(VECTOR), TEXT("abcdABCD"), "Array(Float32)", BYTES("abcdABCD") },
    { "vector cut off", PLAIN_TYPE(VECTOR), TEXT("abc"), NULL, NULL, 0 },
};

static void value_case_run(const struct value_case *c, bool nullable)
{
    struct bench bench = { .err = { 0 } };
    const struct column column = { .name = WORD("c"), .type = c->type };
    struct table *table = fixture_table(&bench.arena, "t", &column, 1);
    bench_open(&bench, table, nullable);
    assert_int_equal(bench_encode(&bench, EVENT_INSERT, NULL, &c->value, 1), c->type_name != NULL);
    if (!c->type_name) {
        assert_int_equal(bench.err.kind, ERROR_DATA);
        assert_int_equal(bench.load.rows, 0);
        for (uint32_t i = 0; i < bench.load.part_count; i++)
            assert_int_equal(bench.load.parts[i].size, 0);
        bench_close(&bench);
        return;
    }
    bool array = c->type.kind == TYPE_VECTOR;
    nullable = nullable && !array;
    char header[80];
    char type_name[60];
    snprintf(type_name, sizeof type_name, nullable ? "Nullable(%s)" : "%s", c->type_name);
    int size = snprintf(header, sizeof header, "\1c%c%s", (int)strlen(type_name), type_name);
    const struct buf *first = &bench.load.parts[2];
    assert_memory_equal(first->data, header, (size_t)size);
    const struct buf *data = nullable || array ? &bench.load.parts[3] : first;
    size_t at = data == first ? (size_t)size : 0;
    assert_int_equal(data->size - at, c->size);
    if (c->size)
        assert_memory_equal(data->data + at, c->bytes, c->size);
    if (nullable)
        assert_int_equal(first->data[size], 0);
    bench_close(&bench);
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(value_cases); i++) {
        print_message("%s\n", value_cases[i].name);
        value_case_run(&value_cases[i], false);
        value_case_run(&value_cases[i], true);
    }
}

/* ---- rows ---- */

static const struct column keyed_columns[] = {
    { .name = WORD("id"), .type = INT_TYPE(8), .key_order = 1 },
    { .name = WORD("s"), .type = PLAIN_TYPE(TEXT) },
    { .name = WORD("n"), .type = INT_TYPE(8), .nullable = true },
};

static void test_tombstone(void **state)
{
    (void)state;
    struct bench bench = { .err = { 0 } };
    bench_open(&bench, fixture_table(&bench.arena, "t", keyed_columns, 3), true);
    const struct value old[] = { value_int(1), value_absent(), value_absent() };
    const struct value new[] = { value_int(2), text_value("b"), value_int(7) };
    assert_true(bench_encode(&bench, EVENT_UPDATE, old, new, 0x0102));
    assert_int_equal(bench.load.rows, 2);
    EXPECT_PART(&bench, 0, "\10_version\6UInt64\2\1\0\0\0\0\0\0\2\1\0\0\0\0\0\0");
    EXPECT_PART(&bench, 1, "\13_is_deleted\5UInt8\1\0");
    EXPECT_PART(&bench, 2, "\2id\4Int8\1\2");
    EXPECT_PART(&bench, 3, "\1s\20Nullable(String)\1\0");
    EXPECT_PART(&bench, 4, "\0\1b");
    EXPECT_PART(&bench, 5, "\1n\16Nullable(Int8)\1\0");
    EXPECT_PART(&bench, 6, "\0\7");
    struct bytes name;
    uint32_t part = 0, count = 0;
    while (native_next_column(&bench.load, &part, &name))
        count++;
    assert_int_equal(count, 5);
    assert_true(bytes_is(name, "n"));
    bench_close(&bench);
}

static void test_keyed_events(void **state)
{
    (void)state;
    const struct value row[] = { value_int(1), text_value("a"), value_null() };
    const struct value other[] = { value_int(2), text_value("a"), value_null() };
    const struct value only_key[] = { value_int(1), value_absent(), value_absent() };
    const struct value no_key[] = { value_absent(), text_value("b"), value_absent() };
    const struct {
        const char *name;
        enum event_op op;
        const struct value *before, *after;
        uint32_t rows; /* 0: refused */
    } cases[] = {
        { "insert", EVENT_INSERT, NULL, row, 1 },
        { "insert without an image", EVENT_INSERT, row, NULL, 0 },
        { "insert with a value missing", EVENT_INSERT, NULL, only_key, 0 },
        { "update", EVENT_UPDATE, row, row, 1 },
        { "update of the key", EVENT_UPDATE, row, other, 2 },
        { "update, before has the key alone", EVENT_UPDATE, only_key, row, 1 },
        { "update, after lacks what before has", EVENT_UPDATE, row, no_key, 1 },
        { "update, nobody has it", EVENT_UPDATE, only_key, no_key, 0 },
        { "update without before", EVENT_UPDATE, NULL, row, 1 },
        { "delete", EVENT_DELETE, row, NULL, 1 },
        { "delete with the key alone", EVENT_DELETE, only_key, NULL, 1 },
        { "delete without the key", EVENT_DELETE, no_key, NULL, 0 },
        { "delete without an image", EVENT_DELETE, NULL, NULL, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench bench = { .err = { 0 } };
        print_message("%s\n", cases[i].name);
        bench_open(&bench, fixture_table(&bench.arena, "t", keyed_columns, 3), true);
        assert_int_equal(bench_encode(&bench, cases[i].op, cases[i].before, cases[i].after, 1),
                         cases[i].rows > 0);
        assert_int_equal(bench.load.rows, cases[i].rows);
        bench_close(&bench);
    }
}

static void test_keyless_events(void **state)
{
    (void)state;
    struct bench bench = { .err = { 0 } };
    bench_open(&bench, fixture_table(&bench.arena, "t", keyed_columns + 1, 2), true);
    const struct value row[] = { text_value("a"), value_null() };
    const struct value partial[] = { text_value("b"), value_absent() };
    assert_true(bench_encode(&bench, EVENT_UPDATE, row, partial, 5)); /* n stays what it was */
    assert_int_equal(bench.load.rows, 2);
    EXPECT_PART(&bench, 1, "\5_sign\4Int8\xff\1");
    assert_false(bench_encode(&bench, EVENT_UPDATE, partial, row, 6));
    assert_non_null(strstr(bench.err.message, "binlog_row_image=FULL"));
    assert_false(bench_encode(&bench, EVENT_DELETE, partial, NULL, 6));
    assert_true(bench_encode(&bench, EVENT_DELETE, row, NULL, 6));
    EXPECT_PART(&bench, 1, "\5_sign\4Int8\xff\1\xff");
    bench_close(&bench);
}

/* A NULL where the target takes none, in the last column: all that came before is taken back. */
static void test_null_refused(void **state)
{
    (void)state;
    struct bench bench = { .err = { 0 } };
    bench_open(&bench, fixture_table(&bench.arena, "t", keyed_columns, 3), false);
    const struct value good[] = { value_int(1), text_value("a"), value_int(1) };
    const struct value bad[] = { value_int(2), text_value("long text"), value_null() };
    assert_true(bench_encode(&bench, EVENT_INSERT, NULL, good, 1));
    size_t sizes[8];
    for (uint32_t i = 0; i < bench.load.part_count; i++)
        sizes[i] = bench.load.parts[i].size;
    assert_false(bench_encode(&bench, EVENT_INSERT, NULL, bad, 2));
    assert_non_null(strstr(bench.err.message, "'n'"));
    assert_null(strstr(bench.err.message, "long text"));
    for (uint32_t i = 0; i < bench.load.part_count; i++)
        assert_int_equal(bench.load.parts[i].size, sizes[i]);
    assert_int_equal(bench.load.rows, 1);
    bench_close(&bench);
}

static void test_load_limit(void **state)
{
    (void)state;
    struct bench bench = { .err = { 0 } };
    bench_open(&bench, fixture_table(&bench.arena, "t", keyed_columns, 3), true);
    bench.load.parts[4].limit = 8;
    const struct value large[] = { value_int(1), text_value("far too long a text"), value_null() };
    const struct value small[] = { value_int(1), text_value("b"), value_null() };
    assert_false(bench_encode(&bench, EVENT_INSERT, NULL, large, 1));
    assert_int_equal(bench.err.kind, ERROR_DATA);
    assert_true(bench_encode(&bench, EVENT_INSERT, NULL, small, 1));
    bench_close(&bench);
}

/* ---- dates ---- */

static void test_date_policies(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int zero_date, out_of_range;
        bool nullable, key, ok;
        struct value value;
        int64_t days; /* INT64_MIN: NULL */
    } cases[] = {
        { "zero to NULL", ZERO_DATE_NULL, 0, true, false, true, TEXT("0000-00-00"), INT64_MIN },
        { "zero, no NULL there", ZERO_DATE_NULL, 0, false, false, true, TEXT("0000-00-00"), 0 },
        { "zero to epoch", ZERO_DATE_EPOCH, 0, true, false, true, TEXT("2020-00-31"), 0 },
        { "zero fails", ZERO_DATE_FAIL, 0, true, false, false, TEXT("0000-00-00"), 0 },
        { "zero in a key", ZERO_DATE_EPOCH, 0, false, true, false, TEXT("0000-00-00"), 0 },
        { "early", 0, OUT_OF_RANGE_CLAMP, true, false, true, INT(-719528), -719162 },
        { "late", 0, OUT_OF_RANGE_CLAMP, true, false, true, INT(2932897), 2932896 },
        { "early to NULL", 0, OUT_OF_RANGE_NULL, true, false, true, INT(-719528), INT64_MIN },
        { "early, no NULL there", 0, OUT_OF_RANGE_NULL, false, false, true, INT(-719528), -719162 },
        { "early fails", 0, OUT_OF_RANGE_FAIL, true, false, false, INT(-719528), 0 },
        { "early in a key", 0, OUT_OF_RANGE_CLAMP, false, true, false, INT(-719528), 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench bench = { .err = { 0 } };
        const struct column column = { .name = WORD("c"),
                                       .type = PLAIN_TYPE(DATE),
                                       .key_order = cases[i].key };
        print_message("%s\n", cases[i].name);
        bench_open(&bench, fixture_table(&bench.arena, "t", &column, 1), cases[i].nullable);
        bench.options.zero_date = cases[i].zero_date;
        bench.options.out_of_range = cases[i].out_of_range;
        bool ok = bench_encode(&bench, EVENT_INSERT, NULL, &cases[i].value, 1);
        assert_int_equal(ok, cases[i].ok);
        bool zero = cases[i].value.tag == VALUE_TEXT;
        assert_int_equal(bench.counters.zero_dates, ok && zero);
        assert_int_equal(bench.counters.out_of_range, ok && !zero);
        if (ok) {
            const struct buf *data = &bench.load.parts[bench.load.part_count - 1];
            int32_t days;
            memcpy(&days, data->data + data->size - sizeof days, sizeof days);
            bool is_null = cases[i].days == INT64_MIN;
            assert_int_equal(days, is_null ? 0 : cases[i].days);
            if (cases[i].nullable)
                assert_int_equal(bench.load.parts[2].data[bench.load.parts[2].size - 1], is_null);
        }
        bench_close(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),        cmocka_unit_test(test_tombstone),
        cmocka_unit_test(test_keyed_events),  cmocka_unit_test(test_keyless_events),
        cmocka_unit_test(test_null_refused),  cmocka_unit_test(test_load_limit),
        cmocka_unit_test(test_date_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
