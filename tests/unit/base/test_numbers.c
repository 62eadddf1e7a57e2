/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers and texts of JSON. The shortest digits are held against the C library: they read back as
 * the same number, no shorter ones do, and of equally short ones the library finds none nearer. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka.h"

#include "engine/base/assert.h"
#include "engine/base/digits.h"
#include "engine/base/json_write.h"
#include "engine/base/shortest.h"

enum { RANDOM_NUMBERS = 200000 };

static uint64_t random_state = 88172645463325252U;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static bool reads_back(const char *text, double number, bool single)
{
    return single ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number;
}

static void check_shortest(double number, bool single)
{
    struct shortest found = single ? shortest_float((float)number) : shortest_double(number);
    int count = digits_count(found.digits);
    char text[64], other[64];
    snprintf(text, sizeof text, "%llue%d", (unsigned long long)found.digits, found.exponent);
    if (!reads_back(text, number, single))
        fail_msg("%s is not %a", text, number);
    snprintf(other, sizeof other, "%.*e", count > 1 ? count - 2 : 0, number);
    if (count > 1 && reads_back(other, number, single))
        fail_msg("%s is not the shortest, %s does for %a", text, other, number);
    snprintf(other, sizeof other, "%.*e", count - 1, number);
    if (reads_back(other, number, single) && strtold(text, NULL) != strtold(other, NULL))
        fail_msg("%s is nearer to %a than %s", other, number, text);
}

static double double_of(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static double single_of(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return (double)number;
}

static void test_shortest_of_each_exponent(void **state)
{
    (void)state;
    for (uint64_t exponent = 1; exponent < 0x7ff; exponent++)
        for (uint64_t near = 0; near < 5; near++)
            check_shortest(double_of((exponent << 52) + near - 2), false);
    for (uint32_t exponent = 1; exponent < 0xff; exponent++)
        for (uint32_t near = 0; near < 5; near++)
            check_shortest(single_of((exponent << 23) + near - 2), true);
    for (uint32_t smallest = 1; smallest < 1000; smallest++) {
        check_shortest(double_of(smallest), false);
        check_shortest(single_of(smallest), true);
    }
}

static void test_shortest_of_random_numbers(void **state)
{
    (void)state;
    for (int i = 0; i < RANDOM_NUMBERS; i++) {
        double number = double_of(next_random() >> 1),
               single = single_of(next_random() & INT32_MAX);
        if (isfinite(number) && number != 0)
            check_shortest(number, false);
        if (isfinite(single) && single != 0)
            check_shortest(single, true);
        check_shortest((double)(next_random() % 1000000000 + 1) / 100, false);
    }
}

static void test_numbers(void **state)
{
    static const struct {
        double number;
        bool single;
        const char *text;
    } cases[] = {
        { 0.0, false, "0.0" },
        { -0.0, false, "-0.0" },
        { 3, false, "3.0" },
        { -12.5, false, "-12.5" },
        { 0.1, false, "0.1" },
        { 0.001, false, "0.001" },
        { 0.012, false, "0.012" },
        { 0.000999, false, "9.99E-4" },
        { 9999999, false, "9999999.0" },
        { 1234567.25, false, "1234567.25" },
        { 1e7, false, "1.0E7" },
        { 120, false, "120.0" },
        { 1e100, false, "1.0E100" },
        { 123456789012345680, false, "1.2345678901234568E17" },
        { 1.7976931348623157e308, false, "1.7976931348623157E308" },
        { 2.2250738585072014e-308, false, "2.2250738585072014E-308" },
        { (double)1.1f, true, "1.1" },
        { (double)3.4028235e38f, true, "3.4028235E38" },
        { (double)16777216.0f, true, "1.6777216E7" },
        { NAN, false, "\"NaN\"" },
        { -INFINITY, false, "\"-Infinity\"" },
        { INFINITY, true, "\"Infinity\"" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct buf out;
        buf_init(&out, 100);
        if (cases[i].single)
            json_put_float(&out, cases[i].number);
        else
            json_put_double(&out, cases[i].number);
        buf_u8(&out, '\0');
        assert_string_equal((const char *)out.data, cases[i].text);
        buf_done(&out);
    }
}

static void test_whole_numbers(void **state)
{
    (void)state;
    uint64_t number = 1;
    for (int digits = 0; digits <= 20; digits++, number *= 10) {
        const uint64_t near[] = { number - 1, number, number + 1, (uint64_t)INT64_MIN, UINT64_MAX };
        for (size_t i = 0; i < ARRAY_SIZE(near); i++) {
            char wanted[64];
            struct buf out;
            buf_init(&out, 100);
            json_put_uint(&out, near[i]);
            buf_u8(&out, ' ');
            json_put_int(&out, (int64_t)near[i]);
            buf_u8(&out, '\0');
            snprintf(wanted, sizeof wanted, "%llu %lld", (unsigned long long)near[i],
                     (long long)near[i]);
            assert_string_equal((const char *)out.data, wanted);
            buf_done(&out);
        }
    }
}

/* Each byte at each place of a text longer than a word, beside the plain rule for one byte. */
static void test_texts(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < 20; place++) {
            uint8_t text[20];
            struct buf out, one;
            memset(text, 'x', sizeof text);
            text[place] = (uint8_t)byte;
            buf_init(&out, 200);
            buf_init(&one, 200);
            json_put_text(&out, (struct bytes){ text, sizeof text });
            json_put_text(&one, (struct bytes){ text + place, 1 });
            struct bytes found = buf_view(&out), alone = buf_view(&one);
            assert_int_equal(found.size, sizeof text - 1 + alone.size);
            assert_memory_equal(found.data + 1 + place, alone.data + 1, alone.size - 2);
            for (size_t i = 0; i < place; i++)
                assert_int_equal(found.data[1 + i], 'x');
            buf_done(&out);
            buf_done(&one);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shortest_of_each_exponent),
        cmocka_unit_test(test_shortest_of_random_numbers),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
