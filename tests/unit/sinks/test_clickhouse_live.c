/* SPDX-License-Identifier: Apache-2.0
 *
 * The ClickHouse sink against a real server: MILLRACE_TEST_CLICKHOUSE holds its URL (and
 * MILLRACE_TEST_CLICKHOUSE_USER and _PASSWORD, if need be); without it every test is skipped. Works
 * in a database of its own, which it drops. */
#include "tests/unit/sinks/fixture.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "sinks/clickhouse/clickhouse.h"
#include "sinks/drivers.h"

#define ASSERT_OK(call, err)                                                                       \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, (err).message);                                              \
    } while (0)

struct lab {
    struct arena arena;
    struct clickhouse_options options;
    struct bytes url;
    struct sink_counters counters;
    struct sink *sink;
    struct target target;
    struct load load;
    struct bytes database;
    struct error err;
};

static struct bytes lab_environment(const char *name, const char *otherwise)
{
    const char *text = getenv(name);
    return bytes_from(text ? text : otherwise);
}

static unsigned lab_count; /* labs opened so far; each has a database of its own */

static bool lab_open(struct lab *lab)
{
    *lab = (struct lab){ .options = fixture_options() };
    lab->url = lab_environment("MILLRACE_TEST_CLICKHOUSE", "");
    if (lab->url.size == 0)
        return false;
    lab->options.urls = (struct setting_list){ &lab->url, 1 };
    lab->options.username = lab_environment("MILLRACE_TEST_CLICKHOUSE_USER", "default");
    lab->options.password = lab_environment("MILLRACE_TEST_CLICKHOUSE_PASSWORD", "");
    lab->database = arena_printf(&lab->arena, "millrace_unit_%d_%u", (int)getpid(), lab_count++);
    lab->target = (struct target){ .database = lab->database, .name = BYTES_LITERAL("t") };
    ASSERT_OK(
        sink_clickhouse.open(&lab->options, &lab->arena, &lab->counters, &lab->sink, &lab->err),
        lab->err);
    return true;
}

static struct clickhouse_server *lab_server(struct lab *lab)
{
    return &((struct clickhouse_sink *)lab->sink)->server;
}

static void lab_run(struct lab *lab, const char *format, const char *extra)
{
    struct buf *sql = server_sql(lab_server(lab));
    buf_text(sql, format);
    buf_text(sql, extra);
    ASSERT_OK(server_execute(lab_server(lab), &lab->err), lab->err);
}

/* SELECT ..., as lines of tab-separated values; `%` stands for the database. */
static void lab_expect(struct lab *lab, const char *query, const char *expected)
{
    struct buf *sql = server_sql(lab_server(lab));
    struct reader rows;
    for (const char *at = query; *at; at++) {
        if (*at == '%')
            buf_bytes(sql, lab->database);
        else
            buf_u8(sql, (uint8_t)*at);
    }
    buf_text(sql, " FORMAT TSV");
    ASSERT_OK(server_query(lab_server(lab), &rows, &lab->err), lab->err);
    char *found = arena_text(&lab->arena, rows.rest);
    assert_string_equal(found, expected);
}

static void lab_close(struct lab *lab)
{
    load_done(&lab->load);
    lab_run(lab, "DROP DATABASE IF EXISTS ", (const char *)lab->database.data);
    sink_clickhouse.close(lab->sink);
    arena_done(&lab->arena);
}

#define LAB(lab)                                                                                   \
    struct lab lab;                                                                                \
    (void)state;                                                                                   \
    if (!lab_open(&lab)) {                                                                         \
        skip();                                                                                    \
        return;                                                                                    \
    }

static void lab_load(struct lab *lab, const struct table *table, const char *label)
{
    uint32_t parts;
    load_done(&lab->load);
    ASSERT_OK(sink_clickhouse.prepare(lab->sink, &lab->target, table, &parts, &lab->err), lab->err);
    load_init(&lab->load, &lab->target, table, parts, label);
}

static void lab_add(struct lab *lab, enum event_op op, const struct value *before,
                    const struct value *after, uint64_t mark)
{
    struct event event = row_event(op, lab->load.table, before, after, mark);
    ASSERT_OK(sink_clickhouse.encode(lab->sink, &lab->load, &event, &lab->err), lab->err);
    lab->load.first = mark < lab->load.first ? mark : lab->load.first;
    lab->load.last = mark;
}

static void lab_write(struct lab *lab)
{
    ASSERT_OK(sink_clickhouse.write(lab->sink, &lab->load, &lab->err), lab->err);
}

/* ---- every type, with its extremes ---- */

static const uint8_t raw_uuid[16] = { 0x8c, 0x8e, 0x9b, 0xd0, 0x11, 0x22, 0x33, 0x44,
                                      0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xff };
static const uint8_t raw_inet6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
static const uint8_t raw_inet4[4] = { 192, 168, 1, 254 };
static const uint8_t raw_vector[8] = { 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0 };
static const uint8_t raw_bytes[5] = { 0, 0xff, '\'', '\\', 0x80 };
#define RAW(array) value_text((struct bytes){ array, sizeof array })

static const struct column all_columns[] = {
    { .name = WORD("id"), .type = INT_TYPE(64), .key_order = 1 },
    COLUMN("i8", INT_TYPE(8)),
    COLUMN("i16", INT_TYPE(16)),
    COLUMN("i24", INT_TYPE(24)),
    COLUMN("i32", INT_TYPE(32)),
    COLUMN("u64", UINT_TYPE(64)),
    COLUMN("u24", UINT_TYPE(24)),
    COLUMN("flag", { .kind = TYPE_INT, .bits = 8, .boolean = true }),
    COLUMN("f", PLAIN_TYPE(FLOAT)),
    COLUMN("d", PLAIN_TYPE(DOUBLE)),
    COLUMN("dec9", DECIMAL_TYPE(9, 2)),
    COLUMN("dec18", DECIMAL_TYPE(18, 4)),
    COLUMN("dec38", DECIMAL_TYPE(38, 10)),
    COLUMN("dec65", DECIMAL_TYPE(65, 30)),
    COLUMN("b", { .kind = TYPE_BIT, .length = 64 }),
    COLUMN("y", PLAIN_TYPE(YEAR)),
    COLUMN("da", PLAIN_TYPE(DATE)),
    COLUMN("ti", SCALED_TYPE(TIME, 6)),
    COLUMN("dt0", SCALED_TYPE(DATETIME, 0)),
    COLUMN("dt6", SCALED_TYPE(DATETIME, 6)),
    COLUMN("ts3", SCALED_TYPE(TIMESTAMP, 3)),
    COLUMN("te", PLAIN_TYPE(TEXT)),
    COLUMN("by", PLAIN_TYPE(BYTES)),
    COLUMN("js", PLAIN_TYPE(JSON)),
    COLUMN("en", PLAIN_TYPE(ENUM)),
    COLUMN("se", PLAIN_TYPE(SET)),
    COLUMN("ve", PLAIN_TYPE(VECTOR)),
    COLUMN("uu", PLAIN_TYPE(UUID)),
    COLUMN("i4", PLAIN_TYPE(INET4)),
    COLUMN("i6", PLAIN_TYPE(INET6)),
};
enum { ALL_COUNT = ARRAY_SIZE(all_columns) };
#define DECIMAL_65 "99999999999999999999999999999999999.999999999999999999999999999999"

static void all_row(struct value row[ALL_COUNT], bool low)
{
    const int64_t day = 86400000000;
    const struct value lows[ALL_COUNT] = { value_int(INT64_MIN),
                                           value_int(-128),
                                           value_int(-32768),
                                           value_int(-8388608),
                                           value_int(INT32_MIN),
                                           value_uint(0),
                                           value_uint(0),
                                           value_int(0),
                                           value_double((double)-FLT_MAX),
                                           value_double(-DBL_MAX),
                                           value_int(-999999999),
                                           value_int(-999999999999999999),
                                           text_value("-9999999999999999999999999999.9999999999"),
                                           text_value("-" DECIMAL_65),
                                           value_uint(0),
                                           value_int(0),
                                           value_int(-25567),
                                           value_int(-3020399999999),
                                           value_int(-25567 * day),
                                           value_int(-62135596800000000),
                                           value_int(1),
                                           text_value(""),
                                           text_value(""),
                                           text_value("null"),
                                           text_value(""),
                                           text_value(""),
                                           text_value(""),
                                           RAW(raw_uuid),
                                           RAW(raw_inet4),
                                           RAW(raw_inet6) };
    const struct value highs[ALL_COUNT] = { value_int(INT64_MAX),
                                            value_int(127),
                                            value_int(32767),
                                            value_int(8388607),
                                            value_int(INT32_MAX),
                                            value_uint(UINT64_MAX),
                                            value_uint(16777215),
                                            value_int(1),
                                            value_double(1.5),
                                            value_double(DBL_MIN),
                                            value_int(999999999),
                                            value_int(999999999999999999),
                                            text_value("9999999999999999999999999999.9999999999"),
                                            text_value(DECIMAL_65),
                                            value_uint(UINT64_MAX),
                                            value_int(2155),
                                            value_int(120529),
                                            value_int(3020399999999),
                                            value_int(120529 * day),
                                            value_int(253402300799999999),
                                            value_int(1123456),
                                            text_value("h\xc3\xa9\tx\n'\\"),
                                            RAW(raw_bytes),
                                            text_value("{\"a\": [1, 2]}"),
                                            text_value("small"),
                                            text_value("a,b"),
                                            RAW(raw_vector),
                                            RAW(raw_uuid),
                                            RAW(raw_inet4),
                                            RAW(raw_inet6) };
    memcpy(row, low ? lows : highs, sizeof lows);
}

static const char all_lows[] =
    "-9223372036854775808\t-128\t-32768\t-8388608\t-2147483648\t0\t0\tfalse\t-3.4028235e38\t"
    "-1.7976931348623157e308\t-9999999.99\t-99999999999999.9999\t"
    "-9999999999999999999999999999.9999999999\t-" DECIMAL_65 "\t0\t0\t1900-01-01\t"
    "-838:59:59.999999\t1900-01-01 00:00:00\t0001-01-01 00:00:00.000000\t"
    "1970-01-01 00:00:00.000\t\t\tnull\t\t\t[]\t8c8e9bd0-1122-3344-5566-778899aabbff\t"
    "192.168.1.254\t2001:db8::1\n";
static const char all_highs[] =
    "9223372036854775807\t127\t32767\t8388607\t2147483647\t18446744073709551615\t16777215\ttrue\t"
    "1.5\t2.2250738585072014e-308\t9999999.99\t99999999999999.9999\t"
    "9999999999999999999999999999.9999999999\t" DECIMAL_65 "\t18446744073709551615\t2155\t"
    "2299-12-31\t838:59:59.999999\t2299-12-31 00:00:00\t9999-12-31 23:59:59.999999\t"
    "1970-01-01 00:00:01.123\th\xc3\xa9\\tx\\n\\'\\\\\t00FF275C80\t{\"a\": [1, 2]}\tsmall\ta,b\t"
    "[1,-2]\t8c8e9bd0-1122-3344-5566-778899aabbff\t192.168.1.254\t2001:db8::1\n";
static const char all_query[] = "SELECT * EXCEPT (_version, _is_deleted) REPLACE (if(id > 0, "
                                "hex(by), by) AS by) FROM %.t FINAL "
                                "ORDER BY id";

static void expect_all(struct lab *lab)
{
    struct bytes expected = arena_printf(&lab->arena, "%s%s", all_lows, all_highs);
    lab_expect(lab, all_query, arena_text(&lab->arena, expected));
}

static void write_all(struct lab *lab, const struct table *table, const char *label)
{
    struct value low[ALL_COUNT], high[ALL_COUNT];
    all_row(low, true);
    all_row(high, false);
    lab_load(lab, table, label);
    lab_add(lab, EVENT_INSERT, NULL, low, 1);
    lab_add(lab, EVENT_INSERT, NULL, high, 2);
    lab_write(lab);
}

static void test_types(void **state)
{
    LAB(lab);
    struct table *table = fixture_table(&lab.arena, "t", all_columns, ALL_COUNT);
    write_all(&lab, table, "types-1");
    expect_all(&lab);
    assert_int_equal(lab.counters.out_of_range, 0);
    lab_close(&lab);
}

/* All types Nullable: extremes, and a row of NULLs. */
static void test_nullable_types(void **state)
{
    LAB(lab);
    struct table *table = fixture_table(&lab.arena, "t", all_columns, ALL_COUNT);
    struct column *columns = arena_array(&lab.arena, ALL_COUNT, sizeof *columns);
    memcpy(columns, all_columns, sizeof all_columns);
    for (size_t i = 1; i < ALL_COUNT; i++)
        columns[i].nullable = true;
    table->columns = columns;
    write_all(&lab, table, "nullable-1");
    expect_all(&lab);
    struct value nulls[ALL_COUNT] = { value_int(7) };
    lab_load(&lab, table, "nullable-2");
    lab_add(&lab, EVENT_INSERT, NULL, nulls, 3);
    lab_write(&lab);
    lab_expect(
        &lab, "SELECT * EXCEPT (id, ve, _version, _is_deleted), ve FROM %.t WHERE id = 7",
        "\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t"
        "\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t[]\n");
    lab_expect(
        &lab,
        "SELECT type FROM system.columns WHERE database = '%' AND table = 't' AND name "
        "IN ('en', 'ti', 'dec65', 'dt6')",
        "Nullable(Decimal(65, 30))\nNullable(Time64(6))\nNullable(DateTime64(6, \\'UTC\\'))\n"
        "LowCardinality(Nullable(String))\n");
    lab_close(&lab);
}

/* ---- tables with a key ---- */

static const struct column keyed_columns[] = {
    { .name = WORD("id"), .type = INT_TYPE(32), .key_order = 1 },
    { .name = WORD("na`me\\'"),
      .type = PLAIN_TYPE(TEXT),
      .nullable = true,
      .comment = WORD("it's") },
};

static void test_keyed(void **state)
{
    LAB(lab);
    lab.options.final_view = true;
    struct table *table = fixture_table(&lab.arena, "t", keyed_columns, 2);
    const struct value one[] = { value_int(1), text_value("a") };
    const struct value one_b[] = { value_int(1), text_value("b") };
    const struct value two[] = { value_int(2), value_null() };
    const struct value three[] = { value_int(3), text_value("c") };
    const struct value partial[] = { value_int(3), value_absent() };
    lab_load(&lab, table, "keyed-1");
    lab_add(&lab, EVENT_INSERT, NULL, one, 10);
    lab_add(&lab, EVENT_INSERT, NULL, two, 11);
    lab_add(&lab, EVENT_UPDATE, one, one_b, 12);
    assert_int_equal(lab.load.rows, 3);
    lab_write(&lab);
    lab_expect(&lab, "SELECT * FROM %.t_final ORDER BY id", "1\tb\n2\t\\N\n");
    lab_load(&lab, table, "keyed-2");
    lab_add(&lab, EVENT_UPDATE, two, three, 13); /* the key changes */
    assert_int_equal(lab.load.rows, 2);
    lab_add(&lab, EVENT_DELETE, one_b, NULL, 14);
    lab_add(&lab, EVENT_UPDATE, three, partial, 15); /* the name was not logged: it stays */
    lab_write(&lab);
    lab_expect(&lab, "SELECT *, 0 FROM %.t FINAL ORDER BY id", "3\tc\t15\t0\t0\n");
    lab_expect(&lab,
               "SELECT comment FROM system.columns WHERE database = '%' AND table = 't' AND "
               "position = 2",
               "it\\'s\n");
    struct event bad = row_event(EVENT_INSERT, table, NULL, partial, 16);
    assert_false(sink_clickhouse.encode(lab.sink, &lab.load, &bad, &lab.err));
    assert_int_equal(lab.err.kind, ERROR_DATA);
    lab_close(&lab);
}

/* ---- tables without one ---- */

static const struct column keyless_columns[] = {
    { .name = WORD("d"), .type = PLAIN_TYPE(DOUBLE), .nullable = true },
    { .name = WORD("s"), .type = PLAIN_TYPE(TEXT), .nullable = true },
    { .name = WORD("v"), .type = PLAIN_TYPE(VECTOR) },
};

static void test_keyless(void **state)
{
    LAB(lab);
    struct table *table = fixture_table(&lab.arena, "t", keyless_columns, 3);
    size_t size = 3 << 20;
    char *large = arena_alloc(&lab.arena, size);
    memset(large, 'x', size);
    const struct value nan_row[] = { value_double(NAN), value_null(), RAW(raw_vector) };
    const struct value zero[] = { value_double(-0.0), text_value("a"), RAW(raw_vector) };
    const struct value big[] = { value_null(), value_text((struct bytes){ (uint8_t *)large, size }),
                                 text_value("") };
    lab_load(&lab, table, "keyless-1");
    for (uint64_t i = 0; i < 3; i++) {
        lab_add(&lab, EVENT_INSERT, NULL, nan_row, 10 + i);
        lab_add(&lab, EVENT_INSERT, NULL, zero, 20 + i);
    }
    lab_add(&lab, EVENT_UPDATE, zero, big, 30);
    assert_int_equal(lab.load.rows, 8);
    lab_add(&lab, EVENT_DELETE, nan_row, NULL, 31);
    lab_write(&lab);
    lab_expect(&lab, "SELECT d, length(s), v FROM %.t_rows ORDER BY d, length(s)",
               "-0\t1\t[1,-2]\n-0\t1\t[1,-2]\nnan\t\\N\t[1,-2]\nnan\t\\N\t[1,-2]\n"
               "\\N\t3145728\t[]\n");
    const struct value partial[] = { value_double(1), value_absent(), text_value("") };
    struct event bad = row_event(EVENT_UPDATE, table, partial, zero, 32);
    uint32_t rows = lab.load.rows;
    assert_false(sink_clickhouse.encode(lab.sink, &lab.load, &bad, &lab.err));
    assert_int_equal(lab.err.kind, ERROR_DATA);
    assert_int_equal(lab.load.rows, rows);
    ASSERT_OK(sink_clickhouse.truncate(lab.sink, &lab.target, &lab.err), lab.err);
    lab_expect(&lab, "SELECT count() FROM %.t_rows", "0\n");
    lab_close(&lab);
}

/* ---- exactly once ---- */

static void test_repeat_and_resolve(void **state)
{
    LAB(lab);
    struct table *table = fixture_table(&lab.arena, "t", keyless_columns, 3);
    const struct value row[] = { value_double(1), text_value("a"), text_value("") };
    enum load_state found;
    lab_load(&lab, table, "once-1");
    lab_add(&lab, EVENT_INSERT, NULL, row, 10);
    lab_add(&lab, EVENT_INSERT, NULL, row, 11);
    ASSERT_OK(sink_clickhouse.resolve(lab.sink, &lab.target, "once-1", 10, 11, &found, &lab.err),
              lab.err);
    assert_int_equal(found, LOAD_ABSENT);
    lab_write(&lab);
    ASSERT_OK(sink_clickhouse.resolve(lab.sink, &lab.target, "once-1", 10, 11, &found, &lab.err),
              lab.err);
    assert_int_equal(found, LOAD_VISIBLE);
    lab.load.repeat = true;
    lab_write(&lab);
    lab_expect(&lab, "SELECT count() FROM %.t", "2\n");
    lab_expect(&lab, "SELECT count() FROM system.parts WHERE database = '%' AND table = 't'",
               "1\n");
    struct target missing = { .database = lab.database, .name = BYTES_LITERAL("missing") };
    ASSERT_OK(sink_clickhouse.resolve(lab.sink, &missing, "once-9", 10, 11, &found, &lab.err),
              lab.err);
    assert_int_equal(found, LOAD_ABSENT);
    lab_close(&lab);
}

/* A large load is one part and one block, in every compression. */
static void test_large_load(void **state)
{
    for (int compression = COMPRESSION_LZ4; compression <= COMPRESSION_NONE; compression++) {
        LAB(lab);
        struct clickhouse_sink *self = (struct clickhouse_sink *)lab.sink;
        body_close(&self->body);
        body_open(&self->body, compression);
        struct table *table = fixture_table(&lab.arena, "t", keyed_columns, 2);
        lab_load(&lab, table, "large-1");
        for (int i = 0; i < 1500000; i++) {
            const struct value row[] = { value_int(i), text_value("some text of a row") };
            lab_add(&lab, EVENT_INSERT, NULL, row, (uint64_t)i + 1);
        }
        lab_write(&lab);
        lab_expect(&lab, "SELECT count(), sum(id), max(_version) FROM %.t",
                   "1500000\t1124999250000\t1500000\n");
        lab_expect(&lab,
                   "SELECT count(), any(rows) FROM system.parts WHERE database = '%' AND "
                   "table = 't'",
                   "1\t1500000\n");
        lab_close(&lab);
    }
}

/* ---- dates that do not fit ---- */

static void test_policies(void **state)
{
    LAB(lab);
    const struct column columns[] = {
        { .name = WORD("id"), .type = INT_TYPE(32), .key_order = 1 },
        { .name = WORD("a"), .type = PLAIN_TYPE(DATE), .nullable = true },
        { .name = WORD("b"), .type = SCALED_TYPE(DATETIME, 0) },
    };
    struct table *table = fixture_table(&lab.arena, "t", columns, 3);
    const struct value zero[] = { value_int(1), text_value("0000-00-00"),
                                  text_value("2020-00-31 00:00:00") };
    const struct value early[] = { value_int(2), value_int(-719528),
                                   value_int(-62167219200000000) };
    lab_load(&lab, table, "policies-1");
    lab_add(&lab, EVENT_INSERT, NULL, zero, 1);
    assert_int_equal(lab.counters.zero_dates, 2);
    lab_add(&lab, EVENT_INSERT, NULL, early, 2);
    assert_int_equal(lab.counters.out_of_range, 2);
    lab.options.out_of_range = OUT_OF_RANGE_FAIL;
    struct event event = row_event(EVENT_INSERT, table, NULL, early, 3);
    assert_false(sink_clickhouse.encode(lab.sink, &lab.load, &event, &lab.err));
    lab.options.zero_date = ZERO_DATE_FAIL;
    event = row_event(EVENT_INSERT, table, NULL, zero, 3);
    assert_false(sink_clickhouse.encode(lab.sink, &lab.load, &event, &lab.err));
    assert_int_equal(lab.load.rows, 2);
    lab_write(&lab);
    lab_expect(&lab, "SELECT id, a, b FROM %.t ORDER BY id",
               "1\t\\N\t1970-01-01 00:00:00\n2\t0001-01-01\t0001-01-01 00:00:00\n");
    lab_close(&lab);
}

/* ---- schema changes ---- */

static void lab_change(struct lab *lab, struct schema_change change, struct target *renamed)
{
    for (int i = 0; i < 2; i++) /* again, as after a crash: nothing more happens */
        ASSERT_OK(sink_clickhouse.change(lab->sink, &lab->target, renamed, &change, &lab->err),
                  lab->err);
}

static struct schema_change alter_of(const struct table *before, const struct table *after)
{
    return (struct schema_change){ .kind = CHANGE_ALTER_TABLE, .before = before, .after = after };
}

static const char columns_query[] =
    "SELECT name, type FROM system.columns WHERE database = '%' AND table = 't' ORDER BY position";

static void test_alter(void **state)
{
    LAB(lab);
    const struct column before_columns[] = {
        { .name = WORD("id"), .type = INT_TYPE(32), .key_order = 1 },
        { .name = WORD("old"), .type = INT_TYPE(16) },
        { .name = WORD("wide"), .type = INT_TYPE(64) },
        { .name = WORD("gone"), .type = PLAIN_TYPE(TEXT), .nullable = true },
    };
    const struct bytes members[] = { WORD("x"), WORD("y") };
    const struct column after_columns[] = {
        { .name = WORD("id"), .type = INT_TYPE(32), .key_order = 1 },
        { .name = WORD("added"),
          .type = INT_TYPE(32),
          .comment = WORD("new"),
          .default_text = WORD("5") },
        { .name = WORD("new"), .type = INT_TYPE(64), .nullable = true },
        { .name = WORD("wide"), .type = INT_TYPE(16), .comment = WORD("w") },
        { .name = WORD("kind"),
          .type = { .kind = TYPE_ENUM, .members = members, .member_count = 2 } },
    };
    struct table *before = fixture_table(&lab.arena, "t", before_columns, 4);
    struct table *after = fixture_table(&lab.arena, "t", after_columns, 5);
    after->version = 2;
    after->comment = BYTES_LITERAL("now");
    const struct column_rename renames[] = { { WORD("old"), WORD("new") } };
    const struct value row[] = { value_int(1), value_int(2), value_int(3), text_value("x") };
    lab_load(&lab, before, "alter-1");
    lab_add(&lab, EVENT_INSERT, NULL, row, 1);
    lab_write(&lab);
    struct schema_change change = alter_of(before, after);
    change.renames = renames;
    change.rename_count = 1;
    change.excluded = 8; /* drop.column */
    lab_change(&lab, change, NULL);
    lab_expect(&lab, "SELECT id, added, new, wide, gone, kind FROM %.t", "1\t5\t2\t3\tx\tx\n");
    change.excluded = 0;
    lab_change(&lab, change, NULL);
    lab_expect(&lab, columns_query,
               "id\tInt32\nadded\tInt32\nnew\tNullable(Int64)\nwide\tInt64\n"
               "kind\tLowCardinality(String)\n_version\tUInt64\n_is_deleted\tUInt8\n");
    lab_expect(&lab, "SELECT comment FROM system.tables WHERE database = '%' AND name = 't'",
               "now\n");
    const struct value next[] = { value_int(2), value_int(6), value_null(), value_int(7),
                                  text_value("y") };
    lab_load(&lab, after, "alter-2");
    lab_add(&lab, EVENT_INSERT, NULL, next, 2);
    lab_write(&lab);
    lab_expect(&lab, "SELECT id, added, new, wide, kind FROM %.t FINAL ORDER BY id",
               "1\t5\t2\t3\tx\n2\t6\t\\N\t7\ty\n");
    lab_close(&lab);
}

static void test_keyless_view_follows(void **state)
{
    LAB(lab);
    const struct column wider[] = {
        { .name = WORD("d"), .type = PLAIN_TYPE(DOUBLE), .nullable = true },
        { .name = WORD("t"), .type = PLAIN_TYPE(TEXT), .nullable = true },
        { .name = WORD("v"), .type = PLAIN_TYPE(VECTOR) },
        { .name = WORD("n"), .type = INT_TYPE(8) },
    };
    const struct column_rename renames[] = { { WORD("s"), WORD("t") } };
    struct table *before = fixture_table(&lab.arena, "t", keyless_columns, 3);
    struct table *after = fixture_table(&lab.arena, "t", wider, 4);
    const struct value row[] = { value_double(1), text_value("a"), text_value("") };
    lab_load(&lab, before, "view-1");
    lab_add(&lab, EVENT_INSERT, NULL, row, 10);
    lab_write(&lab);
    struct schema_change change = alter_of(before, after);
    change.renames = renames;
    change.rename_count = 1;
    lab_change(&lab, change, NULL);
    lab_expect(&lab, "SELECT d, t, v, n FROM %.t_rows", "1\ta\t[]\t0\n");
    struct target renamed = { .database =
                                  arena_printf(&lab.arena, "%.*s", BYTES_ARGS(lab.database)),
                              .name = BYTES_LITERAL("u") };
    change = (struct schema_change){ .kind = CHANGE_RENAME_TABLE, .before = after, .after = after };
    lab_change(&lab, change, &renamed);
    lab_expect(&lab, "SELECT * FROM %.u_rows", "1\ta\t[]\t0\n");
    lab_expect(&lab, "SELECT name FROM system.tables WHERE database = '%' ORDER BY name",
               "u\nu_rows\n");
    lab.target.name = renamed.name;
    lab_change(
        &lab,
        (struct schema_change){ .kind = CHANGE_TRUNCATE_TABLE, .before = after, .after = after },
        NULL);
    lab_expect(&lab, "SELECT count() FROM %.u_rows", "0\n");
    lab_change(&lab,
               (struct schema_change){ .kind = CHANGE_DROP_TABLE, .before = after, .after = after },
               NULL);
    lab_expect(&lab, "SELECT count() FROM system.tables WHERE database = '%'", "0\n");
    lab_close(&lab);
}

/* ---- targets that were there before ---- */

static void refused(struct lab *lab, const char *create, const char *word)
{
    struct table *table = fixture_table(&lab->arena, "t", keyed_columns, 2);
    uint32_t parts;
    struct bytes sql =
        arena_printf(&lab->arena, "CREATE TABLE %.*s.t (%s", BYTES_ARGS(lab->database), create);
    lab->target.sink_data = NULL;
    lab_run(lab, "DROP TABLE IF EXISTS ",
            (const char *)arena_printf(&lab->arena, "%.*s.t SYNC", BYTES_ARGS(lab->database)).data);
    lab_run(lab, arena_text(&lab->arena, sql), "");
    bool ok = sink_clickhouse.prepare(lab->sink, &lab->target, table, &parts, &lab->err);
    if (!word) {
        ASSERT_OK(ok, lab->err);
        return;
    }
    assert_false(ok);
    assert_int_equal(lab->err.kind, ERROR_DATA);
    if (!strstr(lab->err.message, word))
        fail_msg("'%s' is not in: %s", word, lab->err.message);
}

#define OWN "_version UInt64, _is_deleted UInt8"
#define RMT ") ENGINE = ReplacingMergeTree(_version, _is_deleted) ORDER BY "
static void test_existing(void **state)
{
    LAB(lab);
    lab_run(&lab, "CREATE DATABASE ", (const char *)lab.database.data);
    refused(&lab, "id Int32) ENGINE = MergeTree ORDER BY id", "engine is MergeTree");
    refused(&lab, "id Int32, v UInt64) ENGINE = ReplacingMergeTree(v) ORDER BY id",
            "(_version, _is_deleted)");
    refused(&lab, "id Int32, x Int8, " OWN RMT "(id, x)", "not in the source's key");
    refused(&lab, "x Int8, " OWN RMT "x", "'id' is not in the target's ORDER BY");
    refused(&lab, "id Int8, " OWN RMT "id", "cannot hold");
    refused(&lab, "id Int32, extra String, " OWN RMT "id", NULL);
    lab_expect(&lab, columns_query,
               "id\tInt32\nna`me\\\\\\'\tNullable(String)\nextra\tString\n"
               "_version\tUInt64\n_is_deleted\tUInt8\n");
    lab_expect(&lab,
               "SELECT position(engine_full, 'non_replicated_deduplication_window = 10000') > 0 "
               "FROM system.tables WHERE database = '%' AND name = 't'",
               "1\n");
    refused(&lab, "ID Int64, " OWN RMT "ID", NULL);
    lab_close(&lab);
}

/* A dropped target is not made anew in silence: its rows are gone. A second prepare makes it. */
static void test_dropped_under_us(void **state)
{
    LAB(lab);
    struct table *table = fixture_table(&lab.arena, "t", keyed_columns, 2);
    const struct value row[] = { value_int(1), text_value("a") };
    lab_load(&lab, table, "drop-1");
    lab_add(&lab, EVENT_INSERT, NULL, row, 1);
    lab_run(&lab, "DROP TABLE ",
            (const char *)arena_printf(&lab.arena, "%.*s.t SYNC", BYTES_ARGS(lab.database)).data);
    assert_false(sink_clickhouse.write(lab.sink, &lab.load, &lab.err));
    assert_int_equal(lab.err.kind, ERROR_DATA);
    assert_int_equal(lab.err.code, 60);
    uint32_t parts;
    assert_false(sink_clickhouse.prepare(lab.sink, &lab.target, table, &parts, &lab.err));
    assert_int_equal(lab.err.kind, ERROR_DATA);
    ASSERT_OK(sink_clickhouse.prepare(lab.sink, &lab.target, table, &parts, &lab.err), lab.err);
    lab_write(&lab);
    lab_expect(&lab, "SELECT count() FROM %.t", "1\n");
    lab_close(&lab);
}

/* ---- the preflight ---- */

static void test_check(void **state)
{
    LAB(lab);
    struct findings findings = { .count = 0 };
    ASSERT_OK(sink_clickhouse.check(&lab.options, NULL, 0, &findings, &lab.err), lab.err);
    for (size_t i = 0; i < findings.count; i++)
        assert_int_not_equal(findings.items[i].level, FINDING_FAIL);
    findings.count = 0;
    lab.options.username = BYTES_LITERAL("nobody-of-this-name");
    lab.options.password = BYTES_LITERAL("secret-word");
    ASSERT_OK(sink_clickhouse.check(&lab.options, NULL, 0, &findings, &lab.err), lab.err);
    const struct finding *last = &findings.items[findings.count - 1];
    assert_int_equal(last->level, FINDING_FAIL);
    assert_null(strstr(last->text, "secret-word"));
    assert_non_null(strstr(last->cure, "password"));
    struct sink *sink;
    struct arena arena = { 0 };
    assert_false(sink_clickhouse.open(&lab.options, &arena, &lab.counters, &sink, &lab.err));
    assert_int_equal(lab.err.kind, ERROR_CONFIG);
    lab.options.username = lab_environment("MILLRACE_TEST_CLICKHOUSE_USER", "default");
    lab.options.password = lab_environment("MILLRACE_TEST_CLICKHOUSE_PASSWORD", "");
    const struct setting_pair unknown = { WORD("insert_quorums"), WORD("2") };
    lab.options.insert_properties = (struct setting_pairs){ &unknown, 1 };
    assert_false(sink_clickhouse.open(&lab.options, &arena, &lab.counters, &sink, &lab.err));
    assert_int_equal(lab.err.kind, ERROR_CONFIG);
    assert_non_null(strstr(lab.err.message, "insert_quorums"));
    arena_done(&arena);
    lab_close(&lab);
}

/* What failed tests left behind. */
static int databases_drop(void **state)
{
    struct lab lab;
    (void)state;
    if (!lab_open(&lab))
        return 0;
    for (unsigned i = 0; i < lab_count; i++)
        lab_run(
            &lab, "DROP DATABASE IF EXISTS ",
            (const char *)arena_printf(&lab.arena, "millrace_unit_%d_%u", (int)getpid(), i).data);
    lab_close(&lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_nullable_types),
        cmocka_unit_test(test_keyed),
        cmocka_unit_test(test_keyless),
        cmocka_unit_test(test_repeat_and_resolve),
        cmocka_unit_test(test_large_load),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_alter),
        cmocka_unit_test(test_keyless_view_follows),
        cmocka_unit_test(test_existing),
        cmocka_unit_test(test_dropped_under_us),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, databases_drop);
}
