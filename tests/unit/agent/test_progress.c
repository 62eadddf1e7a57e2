/* SPDX-License-Identifier: Apache-2.0
 *
 * The figures of the terminal's block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/progress.h"
#include "engine/base/assert.h"

static void test_number(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { 7, "7" },
        { 999, "999" },
        { 1000, "1,000" },
        { 1234567, "1,234,567" },
        { UINT64_MAX, "18,446,744,073,709,551,615" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[32];
        progress_number(cases[i].number, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
    char small[4];
    progress_number(UINT64_MAX, small, sizeof small); /* cut, never overflowed */
    assert_true(strlen(small) < sizeof small);
}

static void test_time(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        { -1, "-" },       { 0, "0:00" },       { 7, "0:07" },         { 75, "1:15" },
        { 3599, "59:59" }, { 3600, "1:00:00" }, { 90061, "25:01:01" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[32];
        progress_time(cases[i].seconds, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_left(void **state)
{
    (void)state;
    assert_int_equal(progress_left(0, 1000, 100), 10);
    assert_int_equal(progress_left(999, 1000, 2), 1);
    assert_int_equal(progress_left(1000, 1000, 100), -1);
    assert_int_equal(progress_left(2000, 1000, 100), -1); /* the estimate was too low */
    assert_int_equal(progress_left(0, 1000, 0), -1);
    assert_int_equal(progress_left(0, UINT64_MAX, 0.02), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
