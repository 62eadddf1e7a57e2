/* SPDX-License-Identifier: Apache-2.0
 *
 * The exact forms of keys and values in Kafka: each type by each mode, whole messages, partitions.
 */
#include "tests/unit/sinks/fixture.h"

#include <librdkafka/rdkafka.h>

#include "sinks/kafka/debezium_type.h"
#include "sinks/kafka/json_text.h"
#include "sinks/kafka/unscaled.h"

static const char *text_of(struct buf *out)
{
    buf_u8(out, '\0');
    assert_false(out->failed);
    return (const char *)out->data;
}

#define TEXT(literal)                                                                              \
    {                                                                                              \
        .tag = VALUE_TEXT, .size = sizeof(literal) - 1, .data = (const uint8_t *)(literal)         \
    }
#define NUMBER(n)                                                                                  \
    {                                                                                              \
        .tag = VALUE_INT, .integer = (n)                                                           \
    }
#define NATURAL(n)                                                                                 \
    {                                                                                              \
        .tag = VALUE_UINT, .natural = (n)                                                          \
    }
#define REAL(n)                                                                                    \
    {                                                                                              \
        .tag = VALUE_DOUBLE, .number = (n)                                                         \
    }

static const struct kafka_options defaults = { .placeholder =
                                                   WORD("__debezium_unavailable_value") };
static const struct kafka_options texts = { .decimal = DECIMAL_STRING,
                                            .bigint_unsigned = UNSIGNED_PRECISE,
                                            .time = TIME_CONNECT,
                                            .binary = BINARY_HEX,
                                            .zero_date = ZERO_EPOCH };
static const struct kafka_options doubles = { .decimal = DECIMAL_DOUBLE,
                                              .bigint_unsigned = UNSIGNED_PRECISE,
                                              .time = TIME_ADAPTIVE,
                                              .binary = BINARY_BASE64_URL_SAFE,
                                              .zero_date = ZERO_FAIL };
static const struct kafka_options precise = { .bigint_unsigned = UNSIGNED_PRECISE };

static const struct {
    const struct kafka_options *options;
    struct column column;
    struct value value;
    const char *schema, *name; /* of Connect */
    const char *text;          /* NULL: refused */
} cases[] = {
    { &defaults, COLUMN("c", INT_TYPE(8)), NUMBER(-128), "int16", NULL, "-128" },
    { &defaults, COLUMN("c", UINT_TYPE(8)), NATURAL(255), "int16", NULL, "255" },
    { &defaults, COLUMN("c", INT_TYPE(16)), NUMBER(-32768), "int16", NULL, "-32768" },
    { &defaults, COLUMN("c", UINT_TYPE(16)), NATURAL(65535), "int32", NULL, "65535" },
    { &defaults, COLUMN("c", INT_TYPE(24)), NUMBER(-8388608), "int32", NULL, "-8388608" },
    { &defaults, COLUMN("c", UINT_TYPE(24)), NATURAL(16777215), "int32", NULL, "16777215" },
    { &defaults, COLUMN("c", UINT_TYPE(32)), NATURAL(4294967295), "int64", NULL, "4294967295" },
    { &defaults, COLUMN("c", INT_TYPE(64)), NUMBER(INT64_MIN), "int64", NULL,
      "-9223372036854775808" },
    { &defaults, COLUMN("c", UINT_TYPE(64)), NATURAL(UINT64_MAX), "int64", NULL,
      "18446744073709551615" },
    { &precise, COLUMN("c", UINT_TYPE(64)), NATURAL(UINT64_MAX), "bytes",
      "org.apache.kafka.connect.data.Decimal", "\"AP//////////\"" },
    { &texts, COLUMN("c", UINT_TYPE(64)), NATURAL(UINT64_MAX), "string", NULL,
      "\"18446744073709551615\"" },
    { &defaults, COLUMN("c", PLAIN_TYPE(FLOAT)), REAL((double)1.1f), "float", NULL, "1.1" },
    { &defaults, COLUMN("c", PLAIN_TYPE(DOUBLE)), REAL(0.1), "double", NULL, "0.1" },
    { &defaults, COLUMN("c", PLAIN_TYPE(DOUBLE)), REAL(-3.0), "double", NULL, "-3.0" },
    { &defaults, COLUMN("c", DECIMAL_TYPE(10, 2)), NUMBER(1250), "bytes",
      "org.apache.kafka.connect.data.Decimal", "\"BOI=\"" },
    { &defaults, COLUMN("c", DECIMAL_TYPE(10, 2)), NUMBER(1399), "bytes",
      "org.apache.kafka.connect.data.Decimal", "\"BXc=\"" },
    { &defaults, COLUMN("c", DECIMAL_TYPE(10, 2)), NUMBER(0), "bytes",
      "org.apache.kafka.connect.data.Decimal", "\"AA==\"" },
    { &defaults, COLUMN("c", DECIMAL_TYPE(30, 2)), TEXT("-1.28"), "bytes",
      "org.apache.kafka.connect.data.Decimal", "\"gA==\"" },
    { &texts, COLUMN("c", DECIMAL_TYPE(10, 2)), NUMBER(1250), "string", NULL, "\"12.50\"" },
    { &texts, COLUMN("c", DECIMAL_TYPE(30, 2)), TEXT("-0.05"), "string", NULL, "\"-0.05\"" },
    { &doubles, COLUMN("c", DECIMAL_TYPE(10, 2)), NUMBER(1250), "double", NULL, "12.5" },
    { &defaults, COLUMN("c", { .kind = TYPE_BIT, .length = 1 }), NATURAL(1), "boolean", NULL,
      "true" },
    { &defaults, COLUMN("c", { .kind = TYPE_BIT, .length = 10 }), NATURAL(0x201), "bytes",
      "io.debezium.data.Bits", "\"AQI=\"" },
    { &defaults, COLUMN("c", PLAIN_TYPE(YEAR)), NUMBER(2026), "int32", "io.debezium.time.Year",
      "2026" },
    { &defaults, COLUMN("c", PLAIN_TYPE(DATE)), NUMBER(20777), "int32", "io.debezium.time.Date",
      "20777" },
    { &texts, COLUMN("c", PLAIN_TYPE(DATE)), NUMBER(-1), "int32",
      "org.apache.kafka.connect.data.Date", "-1" },
    { &defaults, COLUMN("c", PLAIN_TYPE(TIME)), NUMBER(-1000001), "int64",
      "io.debezium.time.MicroTime", "-1000001" },
    { &doubles, COLUMN("c", SCALED_TYPE(TIME, 3)), NUMBER(1500), "int32", "io.debezium.time.Time",
      "1" },
    { &texts, COLUMN("c", SCALED_TYPE(TIME, 6)), NUMBER(-1), "int32",
      "org.apache.kafka.connect.data.Time", "-1" },
    { &defaults, COLUMN("c", SCALED_TYPE(DATETIME, 3)), NUMBER(1795163400000000), "int64",
      "io.debezium.time.Timestamp", "1795163400000" },
    { &defaults, COLUMN("c", SCALED_TYPE(DATETIME, 4)), NUMBER(1795163400000100), "int64",
      "io.debezium.time.MicroTimestamp", "1795163400000100" },
    { &texts, COLUMN("c", SCALED_TYPE(DATETIME, 6)), NUMBER(-1), "int64",
      "org.apache.kafka.connect.data.Timestamp", "-1" },
    { &defaults, COLUMN("c", PLAIN_TYPE(TIMESTAMP)), NUMBER(1795163400000000), "string",
      "io.debezium.time.ZonedTimestamp", "\"2026-11-20T08:30:00Z\"" },
    { &defaults, COLUMN("c", SCALED_TYPE(TIMESTAMP, 3)), NUMBER(1795163400120000), "string",
      "io.debezium.time.ZonedTimestamp", "\"2026-11-20T08:30:00.120Z\"" },
    { &defaults, COLUMN("c", PLAIN_TYPE(DATE), .nullable = true), TEXT("0000-00-00"), "int32",
      "io.debezium.time.Date", "null" },
    { &defaults, COLUMN("c", PLAIN_TYPE(DATE)), TEXT("0000-00-00"), "int32",
      "io.debezium.time.Date", "0" },
    { &texts, COLUMN("c", PLAIN_TYPE(TIMESTAMP), .nullable = true), TEXT("0000-00-00 00:00:00"),
      "string", "io.debezium.time.ZonedTimestamp", "\"1970-01-01T00:00:00Z\"" },
    { &doubles, COLUMN("c", PLAIN_TYPE(DATETIME), .nullable = true), TEXT("0000-00-00 00:00:00"),
      "int64", "io.debezium.time.Timestamp", NULL },
    { &defaults, COLUMN("c", PLAIN_TYPE(TEXT)), TEXT("a\"\\\n\xc3\xa9"), "string", NULL,
      "\"a\\\"\\\\\\n\xc3\xa9\"" },
    { &defaults, COLUMN("c", PLAIN_TYPE(JSON)), TEXT("{\"a\": 1}"), "string",
      "io.debezium.data.Json", "\"{\\\"a\\\": 1}\"" },
    { &defaults, COLUMN("c", PLAIN_TYPE(ENUM)), TEXT("red"), "string", "io.debezium.data.Enum",
      "\"red\"" },
    { &defaults, COLUMN("c", PLAIN_TYPE(SET)), TEXT("a,b"), "string", "io.debezium.data.EnumSet",
      "\"a,b\"" },
    { &defaults, COLUMN("c", PLAIN_TYPE(BYTES)), TEXT("\xfb\xff\xfe"), "bytes", NULL, "\"+//+\"" },
    { &texts, COLUMN("c", PLAIN_TYPE(BYTES)), TEXT("\xfb\xff"), "string", NULL, "\"fbff\"" },
    { &doubles, COLUMN("c", PLAIN_TYPE(BYTES)), TEXT("\xfb\xff\xfe\x01"), "string", NULL,
      "\"-__-AQ==\"" },
    { &defaults, COLUMN("c", PLAIN_TYPE(BYTES)), TEXT(""), "bytes", NULL, "\"\"" },
    { &defaults, COLUMN("c", PLAIN_TYPE(GEOMETRY), .source_type = WORD("point")),
      TEXT("\x10\x0e\0\0\1\1\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40"), "struct",
      "io.debezium.data.geometry.Point",
      "{\"x\":1.0,\"y\":2.0,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAABA\",\"srid\":3600}" },
    { &defaults, COLUMN("c", PLAIN_TYPE(GEOMETRY), .source_type = WORD("geometry")),
      TEXT("\0\0\0\0\1\1"), "struct", "io.debezium.data.geometry.Geometry",
      "{\"wkb\":\"AQE=\",\"srid\":null}" },
    { &defaults, COLUMN("c", PLAIN_TYPE(VECTOR)), TEXT("\0\0\x80\x3f\xcd\xcc\x8c\x3f"), "array",
      "io.debezium.data.FloatVector", "[1.0,1.1]" },
    { &defaults, COLUMN("c", PLAIN_TYPE(UUID)),
      TEXT("\1\x23\x45\x67\x89\xab\xcd\xef\1\x23\x45\x67\x89\xab\xcd\xef"), "string", NULL,
      "\"01234567-89ab-cdef-0123-456789abcdef\"" },
    { &defaults, COLUMN("c", PLAIN_TYPE(INET4)), TEXT("\x7f\0\0\1"), "string", NULL,
      "\"127.0.0.1\"" },
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena = { 0 };
        struct sink_counters counters = { 0 };
        static const struct table binlog = { 0 };
        struct format_context context = { .options = cases[i].options,
                                          .table = &binlog,
                                          .counters = &counters,
                                          .arena = &arena };
        struct connect_schema schema = debezium_schema(&context, &cases[i].column);
        struct json_column column = debezium_column(&context, &cases[i].column, false);
        struct buf out;
        buf_init(&out, 4096);
        print_message("case %zu\n", i);
        assert_string_equal(schema.type, cases[i].schema);
        assert_string_equal(schema.name ? schema.name : "", cases[i].name ? cases[i].name : "");
        bool ok = column.put(&column, &cases[i].value, &out);
        assert_int_equal(ok, cases[i].text != NULL);
        if (ok)
            assert_string_equal(text_of(&out), cases[i].text);
        bool zero = cases[i].value.tag == VALUE_TEXT && column.zero.data &&
                    memcmp(cases[i].value.data, "0000", 4) == 0;
        assert_int_equal(counters.zero_dates, zero);
        buf_done(&out);
        arena_done(&arena);
    }
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        json_put put;
        struct column column;
        struct value value;
        const char *text; /* NULL: refused */
    } texts_of[] = {
        { put_decimal_number, COLUMN("c", DECIMAL_TYPE(10, 2)), NUMBER(1250), "12.50" },
        { put_decimal_stripped, COLUMN("c", DECIMAL_TYPE(10, 2)), NUMBER(1250), "12.5" },
        { put_decimal_stripped, COLUMN("c", DECIMAL_TYPE(10, 2)), NUMBER(-10000), "-100" },
        { put_decimal_stripped, COLUMN("c", DECIMAL_TYPE(3, 0)), NUMBER(100), "100" },
        { put_date, COLUMN("c", PLAIN_TYPE(DATE)), NUMBER(20777), "\"2026-11-20\"" },
        { put_date, COLUMN("c", PLAIN_TYPE(DATE)), TEXT("2020-00-31"), "\"2020-00-31\"" },
        { put_date_or_zero, COLUMN("c", PLAIN_TYPE(DATE)), TEXT("2020-00-31"), NULL },
        { put_datetime, COLUMN("c", SCALED_TYPE(DATETIME, 3)), NUMBER(1795163400120000),
          "\"2026-11-20 08:30:00.120\"" },
        { put_datetime_stripped, COLUMN("c", SCALED_TYPE(DATETIME, 3)), NUMBER(1795163400120000),
          "\"2026-11-20 08:30:00.12\"" },
        { put_datetime_stripped, COLUMN("c", SCALED_TYPE(DATETIME, 3)), NUMBER(1795163400000000),
          "\"2026-11-20 08:30:00\"" },
        { put_instant_stripped, COLUMN("c", SCALED_TYPE(TIMESTAMP, 6)), NUMBER(1795163400000010),
          "\"2026-11-20 08:30:00.00001Z\"" },
        { put_time, COLUMN("c", SCALED_TYPE(TIME, 1)), NUMBER(-3020399500000), "\"-838:59:59.5\"" },
        { put_time_stripped, COLUMN("c", SCALED_TYPE(TIME, 6)), NUMBER(1500000), "\"00:00:01.5\"" },
        { put_int_text, COLUMN("c", INT_TYPE(8)), NUMBER(-7), "\"-7\"" },
        { put_double_text, COLUMN("c", PLAIN_TYPE(DOUBLE)), REAL(0.1), "\"0.1\"" },
        { put_document, COLUMN("c", PLAIN_TYPE(JSON)), TEXT("{\"a\": [1]}"), "{\"a\": [1]}" },
        { put_latin1, COLUMN("c", PLAIN_TYPE(BYTES)), TEXT("a\xe9\n\""), "\"a\xc3\xa9\\n\\\"\"" },
        { put_set_array, COLUMN("c", PLAIN_TYPE(SET)), TEXT("a,b"), "[\"a\",\"b\"]" },
        { put_set_array, COLUMN("c", PLAIN_TYPE(SET)), TEXT(""), "[]" },
        { put_boolean, COLUMN("c", INT_TYPE(8)), NUMBER(1), "true" },
        { put_boolean, COLUMN("c", INT_TYPE(8)), NUMBER(2), NULL },
        { put_wkt, COLUMN("c", PLAIN_TYPE(GEOMETRY)),
          TEXT("\0\0\0\0\1\1\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40"), "\"POINT (1 2)\"" },
        { put_wkt, COLUMN("c", PLAIN_TYPE(GEOMETRY)),
          TEXT("\0\0\0\0\1\4\0\0\0\1\0\0\0\1\1\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40"),
          "\"MULTIPOINT ((1 2))\"" },
        { put_wkt, COLUMN("c", PLAIN_TYPE(GEOMETRY)), /* 12345678.5 and -0.25 */
          TEXT("\0\0\0\0\1\1\0\0\0\0\0\0\xd0\x29\x8c\x67\x41\0\0\0\0\0\0\xd0\xbf"),
          "\"POINT (12345678.5 -0.25)\"" },
        { put_wkt, COLUMN("c", PLAIN_TYPE(GEOMETRY)), TEXT("\0\0\0\0\1\1\0\0\0\0\0"), NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts_of); i++) {
        struct json_column column = { .scale = texts_of[i].column.type.scale };
        struct buf out;
        buf_init(&out, 4096);
        print_message("text %zu\n", i);
        bool ok = texts_of[i].put(&column, &texts_of[i].value, &out);
        assert_int_equal(ok, texts_of[i].text != NULL);
        if (ok)
            assert_string_equal(text_of(&out), texts_of[i].text);
        buf_done(&out);
    }
}

static void test_unscaled(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        uint8_t bytes[4];
    } numbers[] = {
        { "0", 1, { 0 } },           { "127", 1, { 0x7f } },       { "128", 2, { 0, 0x80 } },
        { "-1", 1, { 0xff } },       { "-128", 1, { 0x80 } },      { "-129", 2, { 0xff, 0x7f } },
        { "12.50", 2, { 4, 0xe2 } }, { "-0.255", 2, { 0xff, 1 } }, { "65536", 3, { 1, 0, 0 } },
    };
    uint8_t room[UNSCALED_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        struct bytes raw = unscaled_of_text(bytes_from(numbers[i].text), room);
        assert_int_equal(raw.size, numbers[i].size);
        assert_memory_equal(raw.data, numbers[i].bytes, raw.size);
    }
    /* MySQL's longest decimal: 65 nines. */
    char nines[66] = { 0 };
    memset(nines, '9', 65);
    assert_int_equal(unscaled_of_text(bytes_from(nines), room).size, 28);
    char most[1101];
    memset(most, '9', sizeof most);
    assert_int_equal(unscaled_of_text((struct bytes){ (uint8_t *)most, 1000 }, room).size, 416);
    assert_null(unscaled_of_text((struct bytes){ (uint8_t *)most, sizeof most }, room).data);
    assert_null(unscaled_of_text(bytes_from("1x"), room).data);
    assert_null(unscaled_of_text(bytes_from(""), room).data);
    assert_int_equal(unscaled_of_int(INT64_MIN, room).size, 8);
}

static void test_partitions(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint32_t hash; /* from Kafka's own tests of its Java client */
    } known[] = {
        { "21", (uint32_t)-973932308 },
        { "foobar", (uint32_t)-790332482 },
        { "a-little-bit-long-string", (uint32_t)-985981536 },
        { "a-little-bit-longer-string", (uint32_t)-1486304829 },
        { "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", (uint32_t)-58897971 },
        { "abc", 479470107 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct bytes key = bytes_from(known[i].key);
        assert_int_equal(murmur2(key), known[i].hash);
        for (int32_t count = 1; count < 20; count++)
            assert_int_equal(
                (murmur2(key) & 0x7fffffff) % (uint32_t)count,
                rd_kafka_msg_partitioner_murmur2(NULL, key.data, key.size, count, NULL, NULL));
    }
}

/* ---- whole messages ---- */

static const struct column order_columns[] = {
    COLUMN("id", INT_TYPE(64), .key_order = 1, .source_type = WORD("bigint")),
    COLUMN("note", PLAIN_TYPE(TEXT), .nullable = true, .source_type = WORD("varchar(20)")),
    COLUMN("price", DECIMAL_TYPE(10, 2), .source_type = WORD("decimal(10,2)")),
};

/* Appends a value without what the clock gave: the digits behind "ts": and what follows "op". */
static void put_without_clock(struct bytes value, struct buf *lines)
{
    const char *text = (const char *)value.data;
    static const char op[] = "\"transaction\":null,\"op\":\"c\"";
    const char *clock = memmem(text, value.size, op, sizeof op - 5);
    size_t size = clock ? (size_t)(clock - text) + sizeof op - 1 : value.size;
    const char *built = clock ? NULL : memmem(text, value.size, ",\"ts\":", 6);
    if (!built) {
        buf_put(lines, text, size);
        return;
    }
    size_t to = (size_t)(built + 6 - text);
    buf_put(lines, text, to);
    for (; text[to] >= '0' && text[to] <= '9'; to++)
        ;
    buf_put(lines, text + to, size - to);
}

/* The messages of one event as lines: key, value, headers. */
static void messages_of(const struct format *format, const struct kafka_options *options,
                        const struct event *change, struct buf *lines)
{
    struct arena arena = { 0 };
    struct sink_counters counters = { 0 };
    struct error err;
    struct table *table = fixture_table(&arena, "orders", order_columns, 3);
    table_index_keys(&arena, table);
    struct target target = { .database = table->database, .name = table->name };
    struct format_context context = { .options = options,
                                      .counters = &counters,
                                      .arena = &arena,
                                      .target = &target,
                                      .table = table,
                                      .topic = bytes_from("t1.shop.orders") };
    struct event_origin origin = { .connector = "mysql",
                                   .file = bytes_from("mysql-bin.000003"),
                                   .position = 484,
                                   .thread = 7,
                                   .server_id = 5401,
                                   .gtid = bytes_from("24da167-0c0c:42"),
                                   .first_mark = 5 };
    struct event event = *change;
    event.table = table;
    event.origin = &origin;
    event.mark = mark_make(3, 7);
    origin.first_mark = mark_make(3, 5);
    event.time_us = 1795163400000000;
    void *plan;
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_true(format->plan(&context, &plan, &err));
    assert_true(format->encode(plan, &event, &out, &err));
    struct bytes rest = buf_view(&out);
    struct frame_view message;
    while (frame_next(&rest, &message)) {
        assert_int_equal(message.frame.hash, murmur2(message.key));
        buf_printf(lines, "%s%.*s ", message.frame.null_key ? "null " : "",
                   BYTES_ARGS(message.key));
        if (message.frame.null_value)
            buf_text(lines, "null");
        else
            put_without_clock(message.value, lines);
        buf_u8(lines, '\n');
        if (message.headers.size > 0)
            buf_printf(lines, "  %.*s %.*s\n", (int)message.headers.data[0],
                       (const char *)message.headers.data + 4,
                       (int)message.headers.data[4 + message.headers.data[0]],
                       (const char *)message.headers.data + 8 + message.headers.data[0]);
    }
    buf_done(&out);
    arena_done(&arena);
}

#define SOURCE                                                                                     \
    "\"source\":{\"version\":\"0.1.0\",\"connector\":\"mysql\",\"name\":\"t1\","                   \
    "\"ts_ms\":1795163400000,\"snapshot\":\"false\",\"db\":\"shop\",\"sequence\":null,"            \
    "\"ts_us\":1795163400000000,\"ts_ns\":1795163400000000000,\"table\":\"orders\","               \
    "\"server_id\":5401,\"gtid\":\"24da167-0c0c:42\",\"file\":\"mysql-bin.000003\",\"pos\":484,"   \
    "\"row\":2,\"thread\":7,\"query\":null},\"transaction\":null,\"op\":"

static void test_messages(void **state)
{
    (void)state;
    static const struct value old[] = { NUMBER(1001), TEXT("hi"), NUMBER(1250) };
    static const struct value new[] = { NUMBER(1001), { .tag = VALUE_NULL }, NUMBER(1399) };
    static const struct value moved[] = { NUMBER(7), { .tag = VALUE_ABSENT }, NUMBER(1250) };
    static const struct kafka_options options = { .topic_prefix = WORD("t1"), .tombstones = true };
    static const struct {
        const struct format *format;
        struct event event;
        const char *lines;
    } events[] = {
        { &format_debezium_json,
          { .op = EVENT_INSERT, .after = old },
          "{\"id\":1001} "
          "{\"before\":null,\"after\":{\"id\":1001,\"note\":\"hi\",\"price\":\"BOI=\"}," SOURCE
          "\"c\"\n" },
        { &format_debezium_json,
          { .op = EVENT_UPDATE, .before = old, .after = new },
          "{\"id\":1001} {\"before\":{\"id\":1001,\"note\":\"hi\",\"price\":\"BOI=\"},"
          "\"after\":{\"id\":1001,\"note\":null,\"price\":\"BXc=\"}," SOURCE "\"u\"\n" },
        { &format_debezium_json,
          { .op = EVENT_DELETE, .before = old },
          "{\"id\":1001} {\"before\":{\"id\":1001,\"note\":\"hi\",\"price\":\"BOI=\"},"
          "\"after\":null," SOURCE "\"d\"\n{\"id\":1001} null\n" },
        { &format_debezium_json,
          { .op = EVENT_UPDATE, .before = old, .after = moved },
          "{\"id\":1001} {\"before\":{\"id\":1001,\"note\":\"hi\",\"price\":\"BOI=\"},"
          "\"after\":null," SOURCE "\"d\"\n  __debezium.newkey {\"id\":7}\n"
          "{\"id\":1001} null\n  __debezium.newkey {\"id\":7}\n"
          "{\"id\":7} "
          "{\"before\":null,\"after\":{\"id\":7,\"note\":\"hi\",\"price\":\"BOI=\"}," SOURCE
          "\"c\"\n  __debezium.oldkey {\"id\":1001}\n" },
        { &format_debezium_json_flink,
          { .op = EVENT_UPDATE, .before = old, .after = new },
          "{\"TableId\":\"shop.orders\",\"id\":1001} "
          "{\"before\":{\"id\":1001,\"note\":\"hi\",\"price\":12.5},"
          "\"after\":{\"id\":1001,\"note\":null,\"price\":13.99},\"op\":\"u\","
          "\"source\":{\"db\":\"shop\",\"table\":\"orders\"}}\n" },
        { &format_debezium_json_flink,
          { .op = EVENT_INSERT, .after = old, .snapshot = true },
          "{\"TableId\":\"shop.orders\",\"id\":1001} {\"before\":null,"
          "\"after\":{\"id\":1001,\"note\":\"hi\",\"price\":12.5},\"op\":\"r\","
          "\"source\":{\"db\":\"shop\",\"table\":\"orders\"}}\n" },
        { &format_canal_json,
          { .op = EVENT_UPDATE, .before = old, .after = new },
          "null {\"id\":1001} {\"data\":[{\"id\":\"1001\",\"note\":null,\"price\":\"13.99\"}],"
          "\"database\":\"shop\",\"es\":1795163400000,\"gtid\":\"24da167-0c0c:42\",\"id\":3,"
          "\"isDdl\":false,\"mysqlType\":{\"id\":\"bigint\",\"note\":\"varchar(20)\","
          "\"price\":\"decimal(10,2)\"},\"old\":[{\"note\":\"hi\",\"price\":\"12.50\"}],"
          "\"pkNames\":[\"id\"],\"sql\":\"\",\"sqlType\":{\"id\":-5,\"note\":12,\"price\":3},"
          "\"table\":\"orders\",\"ts\":,\"type\":\"UPDATE\"}\n" },
        { &format_maxwell_json,
          { .op = EVENT_UPDATE, .before = old, .after = new },
          "{\"database\":\"shop\",\"table\":\"orders\",\"pk.id\":1001} "
          "{\"database\":\"shop\",\"table\":\"orders\",\"type\":\"update\",\"ts\":,"
          "\"xid\":3,\"xoffset\":7,\"data\":{\"id\":1001,\"note\":null,\"price\":13.99},"
          "\"old\":{\"note\":\"hi\",\"price\":12.50}}\n" },
        { &format_maxwell_json,
          { .op = EVENT_DELETE, .before = old },
          "{\"database\":\"shop\",\"table\":\"orders\",\"pk.id\":1001} "
          "{\"database\":\"shop\",\"table\":\"orders\",\"type\":\"delete\",\"ts\":,"
          "\"xid\":3,\"xoffset\":7,\"data\":{\"id\":1001,\"note\":\"hi\",\"price\":12.50}}\n" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        struct buf lines;
        buf_init(&lines, 1 << 20);
        messages_of(events[i].format, &options, &events[i].event, &lines);
        assert_string_equal(text_of(&lines), events[i].lines);
        buf_done(&lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),   cmocka_unit_test(test_texts),
        cmocka_unit_test(test_unscaled), cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
