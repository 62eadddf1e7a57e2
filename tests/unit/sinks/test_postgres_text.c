/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's texts of bits, points, times with a zone and numbers, in Debezium's forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sinks/kafka/postgres_text.h"

static void put_hex(struct bytes raw, char *out)
{
    *out = '\0';
    for (size_t i = 0; i < raw.size; i++)
        sprintf(out + 2 * i, "%02x", raw.data[i]);
}

static void bits(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = { { "", "" },
                  { "0", "" },
                  { "1", "01" },
                  { "00101", "05" },
                  { "10000000", "80" },
                  { "100000000", "0001" },
                  { "000000000001", "01" },
                  { "1111111111111111", "ffff" },
                  { "10000000000000001", "010001" } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf raw;
        char hex[64];
        buf_init(&raw, 64);
        bits_of_text(bytes_from(cases[i].text), &raw);
        put_hex(buf_view(&raw), hex);
        if (strcmp(hex, cases[i].wanted) != 0)
            fail_msg("'%s' gives %s, not %s", cases[i].text, hex, cases[i].wanted);
        buf_done(&raw);
    }
}

static void points(void **state)
{
    static const struct {
        const char *text;
        bool good;
        double x, y;
    } cases[] = { { "(1.5,-2)", true, 1.5, -2 },
                  { "(1e+300,0)", true, 1e300, 0 },
                  { "(-0,5e-324)", true, -0.0, 5e-324 },
                  { "", false, 0, 0 },
                  { "(", false, 0, 0 },
                  { "(1,2", false, 0, 0 },
                  { "(1,2))", false, 0, 0 },
                  { "(1;2)", false, 0, 0 },
                  { "(a,2)", false, 0, 0 },
                  { "(,2)", false, 0, 0 },
                  { "[1,2]", false, 0, 0 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct point point;
        bool good = point_of_text(bytes_from(cases[i].text), &point);
        if (good != cases[i].good || (good && (point.x != cases[i].x || point.y != cases[i].y)))
            fail_msg("'%s'", cases[i].text);
    }
    struct point point;
    char hex[64];
    assert_true(point_of_text(BYTES_LITERAL("(1,2)"), &point));
    put_hex((struct bytes){ point.wkb, sizeof point.wkb }, hex);
    assert_string_equal(hex, "0101000000000000000000f03f0000000000000040");
}

static void zoned_times(void **state)
{
    static const struct {
        const char *text, *wanted; /* NULL: it is none */
    } cases[] = { { "12:34:56.789+05:30", "07:04:56.789Z" },
                  { "00:00:00-15:59:59", "15:59:59Z" },
                  { "00:00:00+02", "22:00:00Z" },
                  { "23:59:59.999999-01", "00:59:59.999999Z" },
                  { "12:00:00.500000+00", "12:00:00.5Z" },
                  { "12:00:00.000000+00", "12:00:00Z" },
                  { "24:00:00+00", "00:00:00Z" },
                  { "12:00:00", NULL },
                  { "12:00:00+", NULL },
                  { "12:00:00+5", NULL },
                  { "12:00:00.+05", "07:00:00Z" },
                  { "12:00:00+05x", NULL },
                  { "noon+05", NULL },
                  { "", NULL } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        buf_init(&out, 64);
        bool good = zoned_time_of_text(bytes_from(cases[i].text), &out);
        if (good != (cases[i].wanted != NULL) ||
            (good && !bytes_is(buf_view(&out), cases[i].wanted)))
            fail_msg("'%s' gives %.*s", cases[i].text, BYTES_ARGS(buf_view(&out)));
        buf_done(&out);
    }
}

static void numbers(void **state)
{
    static const struct {
        const char *text, *wanted; /* scale and unscaled number; NULL: it is none */
    } cases[] = { { "0", "0 00" },       { "0.00", "0 00" },  { "-1.10", "1 f5" },
                  { "100", "0 64" },     { "100.0", "0 64" }, { "0.001", "3 01" },
                  { "-128", "0 80" },    { "255", "0 00ff" }, { "NaN", NULL },
                  { "-Infinity", NULL }, { "", NULL },        { ".", NULL } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scaled scaled;
        char hex[64], text[100];
        bool good = scaled_of_text(bytes_from(cases[i].text), &scaled);
        if (good)
            put_hex(scaled.unscaled, hex);
        snprintf(text, sizeof text, "%u %s", good ? scaled.scale : 0, good ? hex : "");
        if (good != (cases[i].wanted != NULL) || (good && strcmp(text, cases[i].wanted) != 0))
            fail_msg("'%s' gives %s", cases[i].text, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(bits), cmocka_unit_test(points),
                                        cmocka_unit_test(zoned_times), cmocka_unit_test(numbers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
