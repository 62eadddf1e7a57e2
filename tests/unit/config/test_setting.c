/* SPDX-License-Identifier: Apache-2.0
 *
 * Values to fields, by type; limits; the reference; and which word is near to which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/nearest.h"
#include "config/parse.h"
#include "config/setting.h"
#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/cleanup.h"

struct options {
    struct bytes text, password;
    int64_t number, wait_ms, size;
    bool flag;
    double factor;
    int mode;
    struct setting_list list;
    struct setting_pairs pairs;
    struct bytes special;
};
#define FIELD(name) SETTING_FIELD(options, name)

static const char *const modes[] = { "initial", "latest-offset", NULL };
static const struct setting table[] = {
    { "text", SETTING_TEXT, FIELD(text), "none", "A text.", 0, 0, NULL },
    { "password", SETTING_SECRET, FIELD(password), "", "A secret.", 0, 0, NULL },
    { "number", SETTING_INT, FIELD(number), "7", "A number.", 1, 65535, NULL },
    { "wait", SETTING_DURATION, FIELD(wait_ms), "1s", "A time.", 10, 3600000, NULL },
    { "size", SETTING_SIZE, FIELD(size), "8mb", "A size.", 1024, INT64_MAX, NULL },
    { "flag", SETTING_BOOL, FIELD(flag), "false", "A flag.", 0, 0, NULL },
    { "factor", SETTING_DECIMAL, FIELD(factor), "1.5", "A factor.", 1000, 100000, NULL },
    { "mode", SETTING_CHOICE, FIELD(mode), "initial", "A mode.", 0, 0, modes },
    { "list", SETTING_LIST, FIELD(list), "", "A list.", 0, 0, NULL },
    { "properties.", SETTING_PAIRS, FIELD(pairs), NULL, "Others.", 0, 0, NULL },
    { "properties.special", SETTING_TEXT, FIELD(special), "", "One of them.", 0, 0, NULL },
    { 0 },
};
static const struct setting required[] = {
    { "hostname", SETTING_TEXT, FIELD(text), NULL, "Name of the host.", 0, 0, NULL },
    { 0 },
};

static bool fill(const struct setting *settings, const char *text, struct arena *arena,
                 struct options *options, struct error *err)
{
    struct node *root = NULL;
    struct section section;
    return parse_text("x.yaml", bytes_from(text), arena, &root, err) &&
           section_of(root, "x.yaml", "source", arena, &section, err) &&
           setting_fill(settings, &section, options, arena, err);
}

static void test_defaults(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct options options = { 0 };
    struct error err = { 0 };
    assert_true(fill(table, "{}", &arena, &options, &err));
    assert_true(bytes_is(options.text, "none"));
    assert_int_equal(options.password.size, 0);
    assert_non_null(options.password.data);
    assert_int_equal(options.number, 7);
    assert_int_equal(options.wait_ms, 1000);
    assert_int_equal(options.size, 8 << 20);
    assert_false(options.flag);
    assert_true(options.factor > 1.499 && options.factor < 1.501);
    assert_int_equal(options.mode, 0);
    assert_int_equal(options.list.count, 0);
    assert_int_equal(options.pairs.count, 0);
}

static const struct {
    const char *text;
    size_t offset;
    int64_t value;
} numbers[] = {
    { "number: 1", FIELD(number), 1 },        { "number: '65535'", FIELD(number), 65535 },
    { "number: 007", FIELD(number), 7 },      { "wait: 10", FIELD(wait_ms), 10 },
    { "wait: 500ms", FIELD(wait_ms), 500 },   { "wait: 3 min", FIELD(wait_ms), 180000 },
    { "wait: 30 S", FIELD(wait_ms), 30000 },  { "wait: 1h", FIELD(wait_ms), 3600000 },
    { "size: 1024", FIELD(size), 1024 },      { "size: 64kb", FIELD(size), 65536 },
    { "size: 10 MB", FIELD(size), 10485760 }, { "size: 2gib", FIELD(size), 2147483648 },
    { "size: 3g", FIELD(size), 3221225472 },
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        CLEANUP(arena_done) struct arena arena = { 0 };
        struct options options = { 0 };
        struct error err = { 0 };
        print_message("%s\n", numbers[i].text);
        if (!fill(table, numbers[i].text, &arena, &options, &err))
            fail_msg("%s", err.message);
        int64_t got = 0;
        memcpy(&got, (uint8_t *)&options + numbers[i].offset, sizeof got);
        assert_int_equal(got, numbers[i].value);
    }
}

static const struct {
    const char *text, *message;
} wrongs[] = {
    { "a: 1\nnumber: 0", "x.yaml:2: source: 'number' must be 1 to 65535, but is '0'" },
    { "number: 65536", "must be 1 to 65535, but is '65536'" },
    { "number: -1", "must be 1 to 65535, but is '-1'" },
    { "number: abc", "'number' must be a whole number, but is 'abc'" },
    { "number: 1.5", "'number' must be a whole number" },
    { "number: 0x10", "'number' must be a whole number" },
    { "number: 10s", "'number' must be a whole number" },
    { "number: 99999999999999999999", "'number' must be a whole number" },
    { "number: ''", "'number' must be a whole number" },
    { "number: [1]", "'number' must be a single value, but is a list" },
    { "number:", "'number' has no value; an empty text is written \"\"" },
    { "wait: 9ms", "'wait' must be 10ms to 1h, but is '9ms'" },
    { "wait: 2h", "'wait' must be 10ms to 1h" },
    { "wait: -1s", "'wait' must be a duration like" },
    { "wait: 1 fortnight", "'wait' must be a duration like" },
    { "wait: 9223372036854775807d", "'wait' must be a duration like" },
    { "size: 1", "'size' must be at least 1kb" },
    { "size: 10mbs", "'size' must be a size like" },
    { "flag: maybe", "'flag' must be true or false, but is 'maybe'" },
    { "mode: latest", "'mode' must be one of initial, latest-offset, but is 'latest'" },
    { "factor: 0.9", "'factor' must be 1 to 100, but is '0.9'" },
    { "factor: 100.5", "'factor' must be 1 to 100, but is '100.5'" },
    { "factor: 1,5", "'factor' must be a number such as 1.5, but is '1,5'" },
    { "factor: 1.5.1", "'factor' must be a number such as 1.5" },
    { "factor: 1e1", "'factor' must be a number such as 1.5" },
    { "factor: -2", "'factor' must be a number such as 1.5" },
    { "factor: .", "'factor' must be a number such as 1.5" },
    { "mode: latestoffset", "but is 'latestoffset'; did you mean 'latest-offset'?" },
    { "list: [a, [b]]", "'list' must be a list of texts" },
    { "list: [a, ~]", "'list' must be a list of texts" },
    { "properties.x: [1]", "'properties.x' must be a single value" },
    { "text: [a]", "'text' must be a single value" },
    { "password: [hunter2]", "'password' must be a single value, but is the value" },
    { "number: ${env:MILLRACE_TEST_SECRET}", "'number' must be a whole number, but is the value" },
};

static void test_wrongs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
        CLEANUP(arena_done) struct arena arena = { 0 };
        struct options options = { 0 };
        struct error err = { 0 };
        print_message("%s\n", wrongs[i].text);
        assert_false(fill(table, wrongs[i].text, &arena, &options, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        if (!strstr(err.message, wrongs[i].message))
            fail_msg("'%s' instead of '%s'", err.message, wrongs[i].message);
        assert_null(strstr(err.message, "hunter2"));
    }
}

static void test_required(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct options options = { 0 };
    struct error err = { 0 };
    assert_false(fill(required, "a: b", &arena, &options, &err));
    assert_string_equal(err.message, "x.yaml:1: source: 'hostname' is missing: Name of the host.");
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool flag;
        int mode;
    } cases[] = {
        { "flag: true\nmode: INITIAL", true, 0 },
        { "flag: YES\nmode: latest-offset", true, 1 },
        { "flag: off\nmode: ' Latest-Offset '", false, 1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(arena_done) struct arena arena = { 0 };
        struct options options = { 0 };
        struct error err = { 0 };
        assert_true(fill(table, cases[i].text, &arena, &options, &err));
        assert_int_equal(options.flag, cases[i].flag);
        assert_int_equal(options.mode, cases[i].mode);
    }
}

static const struct {
    const char *text, *joined;
} lists[] = {
    { "list: a", "a|" },
    { "list: a, b ,c", "a|b|c|" },
    { "list: ',a,,b,'", "a|b|" },
    { "list: [a, 'b, c']", "a|b, c|" },
    { "list:\n  - a\n  - b", "a|b|" },
    { "list: 'shop\\.*.\\.*, crm.t{1,2}'", "shop\\.*.\\.*|crm.t{1,2}|" },
    { "list: 'a.(x,y),b.[,;]z'", "a.(x,y)|b.[,;]z|" },
    { "list: 'a\\,b,c)'", "a\\,b|c)|" },
    { "list: []", "" },
    { "list: ''", "" },
};

static void test_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        CLEANUP(arena_done) struct arena arena = { 0 };
        CLEANUP(buf_done) struct buf joined;
        struct options options = { 0 };
        struct error err = { 0 };
        buf_init(&joined, 1000);
        print_message("%s\n", lists[i].text);
        assert_true(fill(table, lists[i].text, &arena, &options, &err));
        for (size_t k = 0; k < options.list.count; k++)
            buf_printf(&joined, "%.*s|", BYTES_ARGS(options.list.items[k]));
        buf_u8(&joined, 0);
        assert_string_equal((const char *)joined.data, lists[i].joined);
    }
}

static void test_pairs(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct options options = { 0 };
    struct error err = { 0 };
    const char *text = "properties.a: 1\nproperties:\n  b.c: x\n  special: y\n";
    assert_true(fill(table, text, &arena, &options, &err));
    assert_int_equal(options.pairs.count, 2);
    assert_true(bytes_is(options.pairs.items[0].key, "a"));
    assert_true(bytes_is(options.pairs.items[1].key, "b.c"));
    assert_true(bytes_is(options.pairs.items[1].value, "x"));
    assert_true(bytes_is(options.special, "y"));
}

static void test_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        uint32_t distance;
    } cases[] = {
        { "", "", 0 },
        { "abc", "abc", 0 },
        { "abc", "", 3 },
        { "hostnam", "hostname", 1 },
        { "hsotname", "hostname", 1 },
        { "kitten", "sitting", 3 },
        { "ab", "ba", 1 },
        { "ca", "abc", 3 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bytes a = bytes_from(cases[i].a), b = bytes_from(cases[i].b);
        assert_int_equal(nearest_distance(a, b), cases[i].distance);
        assert_int_equal(nearest_distance(b, a), cases[i].distance);
    }
    const struct setting *const tables[] = { table, required };
    assert_string_equal(setting_nearest(tables, 2, BYTES_LITERAL("hostnmae")), "hostname");
    assert_string_equal(setting_nearest(tables, 2, BYTES_LITERAL("pasword")), "password");
    assert_null(setting_nearest(tables, 2, BYTES_LITERAL("something.else.entirely")));
}

static void test_reference(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 10000);
    setting_print(table, true, &out);
    buf_u8(&out, 0);
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "| `number` | number, 1 to 65535 | `7` | A number. |\n"));
    assert_non_null(strstr(text, "| `wait` | duration, 10ms to 1h | `1s` | A time. |\n"));
    assert_non_null(strstr(text, "| `mode` | initial, latest-offset | `initial` | A mode. |\n"));
    assert_non_null(strstr(text, "| `properties.*` | prefix | none | Others. |\n"));
    assert_non_null(strstr(text, "| `password` | secret | empty | A secret. |\n"));
    buf_reset(&out);
    setting_print(required, false, &out);
    buf_u8(&out, 0);
    assert_string_equal((const char *)out.data,
                        "  hostname\n      text; default: required\n      Name of the host.\n");
}

static int setup(void **state)
{
    (void)state;
    return setenv("MILLRACE_TEST_SECRET", "hunter2", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),  cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_wrongs),    cmocka_unit_test(test_required),
        cmocka_unit_test(test_words),     cmocka_unit_test(test_lists),
        cmocka_unit_test(test_pairs),     cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
