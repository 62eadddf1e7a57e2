/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts of values, and the lines of the stdout sink; the blackhole's counting; the list of sinks.
 */
#include "tests/unit/sinks/fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "schema/value_text.h"
#include "sinks/drivers.h"
#include "sinks/sinks.h"

static const char *text_of(struct buf *out)
{
    buf_u8(out, '\0');
    assert_false(out->failed);
    return (const char *)out->data;
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        char kind; /* d date, t datetime, s span, n decimal */
        int64_t number;
        uint8_t scale;
        const char *text;
    } cases[] = {
        { 'd', 0, 0, "1970-01-01" },
        { 'd', -1, 0, "1969-12-31" },
        { 'd', 11016, 0, "2000-02-29" },
        { 'd', -719162, 0, "0001-01-01" },
        { 'd', -719163, 0, "0000-12-31" },
        { 'd', 2932896, 0, "9999-12-31" },
        { 'd', -25509, 0, "1900-02-28" },
        { 'd', -25508, 0, "1900-03-01" },
        { 't', 0, 0, "1970-01-01 00:00:00" },
        { 't', -1, 6, "1969-12-31 23:59:59.999999" },
        { 't', 1123456, 3, "1970-01-01 00:00:01.123" },
        { 't', 253402300799999999, 6, "9999-12-31 23:59:59.999999" },
        { 's', -3020399999999, 6, "-838:59:59.999999" },
        { 's', 500000, 1, "00:00:00.5" },
        { 's', 0, 0, "00:00:00" },
        { 'n', 1250, 2, "12.50" },
        { 'n', -5, 2, "-0.05" },
        { 'n', 0, 3, "0.000" },
        { 'n', INT64_MIN, 0, "-9223372036854775808" },
        { 'n', 7, 18, "0.000000000000000007" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct buf out;
        buf_init(&out, 100);
        if (cases[i].kind == 'd')
            date_text(cases[i].number, &out);
        else if (cases[i].kind == 't')
            datetime_text(cases[i].number, cases[i].scale, &out);
        else if (cases[i].kind == 's')
            time_text(cases[i].number, cases[i].scale, &out);
        else
            decimal_text(cases[i].number, cases[i].scale, &out);
        assert_string_equal(text_of(&out), cases[i].text);
        buf_done(&out);
    }
}

static const struct column columns[] = {
    COLUMN("id", INT_TYPE(32)),      COLUMN("na\"me", PLAIN_TYPE(TEXT)),
    COLUMN("n", DECIMAL_TYPE(9, 2)), COLUMN("d", PLAIN_TYPE(DATE)),
    COLUMN("b", PLAIN_TYPE(BYTES)),  COLUMN("u", PLAIN_TYPE(UUID)),
    COLUMN("a", PLAIN_TYPE(INET4)),
};

static void test_lines(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct error err;
    struct sink *sink;
    struct load load;
    struct target target = { .database = BYTES_LITERAL("shop"), .name = BYTES_LITERAL("t") };
    struct table *table = fixture_table(&arena, "t", columns, ARRAY_SIZE(columns));
    uint32_t parts;
    assert_true(sink_stdout.open(NULL, &arena, NULL, &sink, &err));
    assert_true(sink_stdout.prepare(sink, &target, table, &parts, &err));
    load_init(&load, &target, table, parts, "label");
    const struct value row[] = { value_int(1),
                                 text_value("a\n\""),
                                 value_int(-5),
                                 value_int(0),
                                 text_value("\xff\x01"),
                                 text_value("0123456789abcdef"),
                                 text_value("\x7f\x01\x02\x03") };
    const struct value gone[] = { value_int(1),   value_absent(), value_null(),  value_absent(),
                                  value_absent(), value_absent(), value_absent() };
    struct event insert = row_event(EVENT_INSERT, table, NULL, row, 7);
    insert.snapshot = true;
    struct event delete = row_event(EVENT_DELETE, table, gone, NULL, 8);
    delete.time_us = 5000;
    assert_true(sink_stdout.encode(sink, &load, &insert, &err));
    assert_true(sink_stdout.encode(sink, &load, &delete, &err));
    assert_int_equal(load.rows, 2);
    assert_string_equal(
        text_of(&load.parts[0]),
        "{\"op\":\"r\",\"table\":\"shop.t\",\"mark\":7,\"ts_ms\":0,\"after\":{\"id\":1,"
        "\"na\\\"me\":\"a\\n\\\"\",\"n\":\"-0.05\",\"d\":\"1970-01-01\",\"b\":\"ff01\","
        "\"u\":\"30313233-3435-3637-3839-616263646566\",\"a\":\"127.1.2.3\"}}\n"
        "{\"op\":\"d\",\"table\":\"shop.t\",\"mark\":8,\"ts_ms\":5,\"before\":{\"id\":1,\"n\":null}"
        "}\n");
    sink_stdout.close(sink);
    load_done(&load);
    arena_done(&arena);
}

static void test_limit(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct error err;
    struct sink *sink;
    struct load load;
    struct target target = { .database = BYTES_LITERAL("shop"), .name = BYTES_LITERAL("t") };
    struct table *table = fixture_table(&arena, "t", columns, 2);
    assert_true(sink_stdout.open(NULL, &arena, NULL, &sink, &err));
    load_init(&load, &target, table, 1, "label");
    load.parts[0].limit = 300;
    char text[400];
    memset(text, 'x', sizeof text);
    const struct value row[] = { value_int(1),
                                 value_text((struct bytes){ (uint8_t *)text, sizeof text }) };
    struct event insert = row_event(EVENT_INSERT, table, NULL, row, 7);
    assert_false(sink_stdout.encode(sink, &load, &insert, &err));
    assert_int_equal(err.kind, ERROR_DATA);
    assert_int_equal(load.parts[0].size, 0);
    assert_int_equal(load.rows, 0);
    sink_stdout.close(sink);
    load_done(&load);
    arena_done(&arena);
}

static void test_list(void **state)
{
    (void)state;
    assert_ptr_equal(sink_find(BYTES_LITERAL("clickhouse")), &sink_clickhouse);
    assert_ptr_equal(sink_find(BYTES_LITERAL("blackhole")), &sink_blackhole);
    assert_null(sink_find(BYTES_LITERAL("clickhous")));
    for (const struct sink_driver *const *driver = sink_drivers; *driver; driver++) {
        assert_non_null((*driver)->open);
        assert_non_null((*driver)->encode);
        assert_non_null((*driver)->write);
        assert_true((*driver)->options_size > 0);
        assert_true((*driver)->transient || (*driver)->resolve);
        (*driver)->close(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_texts), cmocka_unit_test(test_lines),
                                        cmocka_unit_test(test_limit), cmocka_unit_test(test_list) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
