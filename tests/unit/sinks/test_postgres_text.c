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

static void intervals(void **state)
{
    static const struct {
        const char *text, *iso; /* NULL: it is none */
        int64_t micros;         /* -1: too many */
    } cases[] = {
        { "00:00:00", "P0Y0M0DT0H0M0S", 0 },
        { "1 year 2 mons 3 days 04:05:06.789", "P1Y2M3DT4H5M6.789S", 37091106789000 },
        { "-1 days +00:00:01", "P0Y0M-1DT0H0M1S", -86399000000 },
        { "-1 years -2 mons +3 days -04:05:06.7", "P-1Y-2M3DT-4H-5M-6.7S", -36572706700000 },
        { "-00:00:00.5", "P0Y0M0DT0H0M-0.5S", -500000 },
        { "00:00:00.000001", "P0Y0M0DT0H0M0.000001S", 1 },
        { "-00:00:30", "P0Y0M0DT0H0M-30S", -30000000 },
        { "1 day", "P0Y0M1DT0H0M0S", 86400000000 },
        { "2 years", "P2Y0M0DT0H0M0S", 63115200000000 },
        { "2562047788:00:54.775807", "P0Y0M0DT2562047788H0M54.775807S", INT64_MAX },
        { "178000000 years", "P178000000Y0M0DT0H0M0S", -1 },
        { "infinity", NULL, 0 },
        { "", NULL, 0 },
        { "1", NULL, 0 },
        { "1 week", NULL, 0 },
        { "1 day2", NULL, 0 },
        { "01:02", NULL, 0 },
        { "01:02:03x", NULL, 0 },
        { "- days", NULL, 0 },
        { "1234567890123 days", NULL, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf iso;
        struct interval interval;
        int64_t micros = -1;
        buf_init(&iso, 100);
        bool good = interval_of_text(bytes_from(cases[i].text), &interval);
        if (good)
            interval_put_iso(&interval, &iso);
        if (good != (cases[i].iso != NULL) ||
            (good && (!bytes_is(buf_view(&iso), cases[i].iso) ||
                      interval_micros(&interval, &micros) != (cases[i].micros != -1) ||
                      (cases[i].micros != -1 && micros != cases[i].micros))))
            fail_msg("'%s' gives %.*s, %lld", cases[i].text, BYTES_ARGS(buf_view(&iso)),
                     (long long)micros);
        buf_done(&iso);
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
                                        cmocka_unit_test(zoned_times), cmocka_unit_test(intervals),
                                        cmocka_unit_test(numbers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
