/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON texts: what is escaped, and what a document looks like. Numbers: test_numbers.c. */
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
    assert_string_equal((const char *)out.data, "[\"NaN\",\"Infinity\",\"-Infinity\",0.0]");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_a_document),
        cmocka_unit_test(test_numbers_that_json_has_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
