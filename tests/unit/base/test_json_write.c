/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON texts: what is escaped, how numbers look, and that each double comes back as it was. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka.h"

#include "engine/base/assert.h"
#include "engine/base/json_write.h"

static void assert_text(struct bytes text, const char *wanted)
{
    struct buf out;
    buf_init(&out, 10000);
    json_put_text(&out, text);
    buf_u8(&out, '\0');
    assert_string_equal((const char *)out.data, wanted);
    buf_done(&out);
}

static void test_texts(void **unused)
{
    (void)unused;
    const struct {
        struct bytes text;
        const char *wanted;
    } cases[] = {
        { BYTES_LITERAL(""), "\"\"" },
        { BYTES_LITERAL("plain"), "\"plain\"" },
        { BYTES_LITERAL("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"" },
        { BYTES_LITERAL("\n\r\t\b\f"), "\"\\n\\r\\t\\b\\f\"" },
        { BYTES_LITERAL("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"" },
        { BYTES_LITERAL("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
          "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"" },
        { BYTES_LITERAL("\xff"), "\"\xef\xbf\xbd\"" },
        { BYTES_LITERAL("a\xc3"), "\"a\xef\xbf\xbd\"" },               /* cut */
        { BYTES_LITERAL("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" }, /* overlong */
        { BYTES_LITERAL("\xed\xa0\x80z"),
          "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"" }, /* a surrogate */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_text(cases[i].text, cases[i].wanted);
}

static void test_a_document(void **unused)
{
    (void)unused;
    struct buf out;
    buf_init(&out, 10000);
    struct json_writer json = json_writer_of(&out);
    json_object(&json);
    json_member_string(&json, "name", BYTES_LITERAL("x"));
    json_key(&json, BYTES_LITERAL("list"));
    json_array(&json);
    json_int(&json, INT64_MIN);
    json_uint(&json, UINT64_MAX);
    json_bool(&json, true);
    json_null(&json);
    json_object(&json);
    json_object_end(&json);
    json_array_end(&json);
    json_member_int(&json, "n", -1);
    json_object_end(&json);
    buf_u8(&out, '\0');
    assert_string_equal((const char *)out.data,
                        "{\"name\":\"x\",\"list\":[-9223372036854775808,18446744073709551615,"
                        "true,null,{}],\"n\":-1}");
    buf_done(&out);
}

static void number_text(double number, bool single, char *room, size_t size)
{
    struct buf out;
    buf_init(&out, 100);
    single ? json_put_float(&out, number) : json_put_double(&out, number);
    assert_true(out.size > 0 && out.size < size);
    memcpy(room, out.data, out.size);
    room[out.size] = '\0';
    buf_done(&out);
}

/* How many digits the text has, leading and trailing zeros apart. */
static size_t digits_of(const char *text)
{
    size_t digits = 0, zeros = 0;
    for (; *text && *text != 'e' && *text != 'E'; text++) {
        if (*text == '0' && digits > 0)
            zeros++;
        if (*text > '0' && *text <= '9') {
            digits += zeros + 1;
            zeros = 0;
        }
    }
    return digits;
}

static size_t shortest(double number, bool single)
{
    char room[40];
    int most = single ? 9 : 17;
    for (int digits = 1; digits <= most; digits++) {
        snprintf(room, sizeof room, "%.*e", digits - 1, number);
        double back = single ? (double)strtof(room, NULL) : strtod(room, NULL);
        if (back == number)
            return digits_of(room);
    }
    fail();
    return 0;
}

/* Whole numbers may be written as such, and subnormal ones have few significant bits: both are
 * exact, and not always as short as could be. */
static void assert_exact(double number, bool single)
{
    char text[64];
    number_text(number, single, text, sizeof text);
    double back = single ? (double)strtof(text, NULL) : strtod(text, NULL);
    bool normal = fabs(number) >= (single ? (double)FLT_MIN : DBL_MIN) && floor(number) != number;
    if (back != number || (normal && digits_of(text) != shortest(number, single)))
        fail_msg("%.17g became %s", number, text);
}

static void test_doubles_are_exact_and_short(void **unused)
{
    (void)unused;
    static const double cases[] = { 0.1,
                                    1.0 / 3,
                                    5e-324,
                                    1.7976931348623157e308,
                                    2.2250738585072014e-308,
                                    1e22,
                                    1e23,
                                    9007199254740993.0,
                                    123456.789,
                                    1e-7,
                                    4.35,
                                    1e16,
                                    -2.5,
                                    100,
                                    1e300 };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_exact(cases[i], false);
    uint64_t seed = 42;
    for (int i = 0; i < 50000; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        uint64_t bits = seed ^ seed >> 29;
        double number;
        memcpy(&number, &bits, sizeof number);
        if (isfinite(number))
            assert_exact(number, false);
        uint32_t half = (uint32_t)(bits >> 17);
        float single;
        memcpy(&single, &half, sizeof single);
        if (isfinite(single))
            assert_exact((double)single, true);
    }
}

static void test_numbers_that_json_has_not(void **unused)
{
    (void)unused;
    struct buf out;
    buf_init(&out, 100);
    struct json_writer json = json_writer_of(&out);
    json_array(&json);
    json_double(&json, (double)NAN);
    json_double(&json, (double)INFINITY);
    json_double(&json, -(double)INFINITY);
    json_double(&json, 0);
    json_array_end(&json);
    buf_u8(&out, '\0');
    assert_string_equal((const char *)out.data, "[\"NaN\",\"Infinity\",\"-Infinity\",0]");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_a_document),
        cmocka_unit_test(test_doubles_are_exact_and_short),
        cmocka_unit_test(test_numbers_that_json_has_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
