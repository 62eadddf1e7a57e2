/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML to nodes: values with variables, and what each wrong file is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/parse.h"
#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/cleanup.h"

static char secret_path[] = "/tmp/millrace-test-secret-XXXXXX";

static const struct {
    const char *name, *text; /* of the value of key `a` */
    const char *value;       /* NULL: null */
    bool hidden;
} values[] = {
    { "plain", "a: b", "b", false },
    { "colon inside", "a: http://x:1", "http://x:1", false },
    { "double quotes", "a: \"b c\"", "b c", false },
    { "escape in quotes", "a: \"b\\u00e9\"", "b\xc3\xa9", false },
    { "backslashes of a pattern", "a: shop\\.*.\\.*", "shop\\.*.\\.*", false },
    { "empty text", "a: \"\"", "", false },
    { "nothing", "a:", NULL, false },
    { "tilde", "a: ~", NULL, false },
    { "null in quotes", "a: 'null'", "null", false },
    { "dollar alone", "a: x$y$1$", "x$y$1$", false },
    { "environment", "a: ${env:MILLRACE_TEST_A}", "first", true },
    { "environment inside", "a: http://${env:MILLRACE_TEST_A}:8123/", "http://first:8123/", true },
    { "two variables", "a: ${env:MILLRACE_TEST_A}${env:MILLRACE_TEST_B}", "first#: [x", true },
    { "not looked at again", "a: ${env:MILLRACE_TEST_C}", "${env:MILLRACE_TEST_A}", true },
    { "empty variable", "a: <${env:MILLRACE_TEST_EMPTY}>", "<>", true },
    { "escaped", "a: $${env:X}", "${env:X}", false },
    { "escaped, then one", "a: $${x}${env:MILLRACE_TEST_A}", "${x}first", true },
    { "secret file", "a: ${file:/tmp/millrace-test-secret-XXXXXX}", "s3cret word", true },
    { "alias", "b: &x hello\na: *x", "hello", false },
    { "comment", "a: b # c", "b", false },
    { "windows line ends", "a: b\r\nc: d\r\n", "b", false },
    { "byte order mark",
      "\xef\xbb\xbf"
      "a: b",
      "b", false },
};

static const struct node *value_of(const struct node *root, const char *key)
{
    for (uint32_t i = 0; i < root->count; i++)
        if (bytes_is(root->entries[i].key, key))
            return root->entries[i].value;
    fail_msg("no key %s", key);
    return NULL;
}

/* The template's name of the secret file stands for the real one. */
static const char *with_path(const char *text, char *out, size_t size)
{
    const char *at = strstr(text, "secret-XXXXXX");
    if (!at)
        return text;
    snprintf(out, size, "%.*s%s%s", (int)(at - text), text, strstr(secret_path, "secret-"),
             at + strlen("secret-XXXXXX"));
    return out;
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        CLEANUP(arena_done) struct arena arena = { 0 };
        struct node *root = NULL;
        struct error err = { 0 };
        char text[256];
        print_message("%s\n", values[i].name);
        if (!parse_text("x.yaml", bytes_from(with_path(values[i].text, text, sizeof text)), &arena,
                        &root, &err))
            fail_msg("%s", err.message);
        const struct node *node = value_of(root, "a");
        assert_int_equal(node->kind, values[i].value ? NODE_SCALAR : NODE_NULL);
        if (values[i].value)
            assert_string_equal((const char *)node->text.data, values[i].value);
        assert_int_equal(node->hidden, values[i].hidden);
        parse_wipe(root);
        for (size_t k = 0; k < node->text.size; k++)
            assert_int_equal(node->text.data[k], 0);
    }
}

static const struct {
    const char *name, *text, *message;
} wrongs[] = {
    { "empty file", "", "x.yaml:1: the file is empty" },
    { "only a comment", "# a\n", "x.yaml:1: the file is empty" },
    { "tab", "a:\n\tb: c\n", "x.yaml:2: a tab in the indentation" },
    { "tab after spaces", "a:\n  b: c\n  \td: e\n", "x.yaml:3: a tab in the indentation" },
    { "bad UTF-8", "a: b\nc: \xff\xfe\n", "x.yaml:2: not readable as UTF-8 text" },
    { "overlong UTF-8", "a: \xc0\x80\n", "x.yaml:1: not readable as UTF-8 text" },
    { "control character", "a: b\n\x01\n", "x.yaml:2: not readable as UTF-8 text" },
    { "NUL in quotes", "a: \"\\0\"\n", "x.yaml:1: a value holds a NUL byte" },
    { "not closed", "a: [b\n", "not valid YAML" },
    { "quote not closed", "a: b\nc: \"d\n", "not valid YAML" },
    { "two colons", "a: b: c\n", "x.yaml:1: not valid YAML: mapping values are not allowed" },
    { "key twice", "a: 1\nb: 2\na: 3\n", "x.yaml:3: key 'a' is there twice, first on line 1" },
    { "key is a list", "? [a]\n: b\n", "x.yaml:1: a key must be a plain text" },
    { "key is empty", "'': b\n", "x.yaml:1: a key must be a text of 1 to 256 bytes" },
    { "merge key", "a: &x {b: c}\nd:\n  <<: *x\n", "x.yaml:3: merge keys" },
    { "alias of nothing", "a: *x\n", "x.yaml:1: alias '*x' has no anchor before it" },
    { "alias of itself", "a: &x\n  b: *x\n", "x.yaml:2: alias '*x' has no anchor before it" },
    { "two documents", "a: b\n---\nc: d\n", "x.yaml:2: a second document" },
    { "variable not set", "a: 1\nb: ${env:MILLRACE_TEST_NOT_SET}\n",
      "x.yaml:2: environment variable 'MILLRACE_TEST_NOT_SET' is not set" },
    { "unknown variable", "a: ${secret}\n", "x.yaml:1: unknown variable '${secret}'" },
    { "variable without a name", "a: ${env:}\n", "x.yaml:1: unknown variable '${env:}'" },
    { "variable not closed", "a: ${env:X\n", "x.yaml:1: '${' without a '}'" },
    { "secret file missing", "a: ${file:/nonexistent/x}\n",
      "x.yaml:1: secret file: open '/nonexistent/x': No such file" },
    { "secret file empty", "a: ${file:/dev/null}\n", "secret file: '/dev/null' is empty" },
    { "secret file endless", "a: ${file:/dev/zero}\n", "'/dev/zero' is longer than 4096 bytes" },
    { "secret file a folder", "a: ${file:/tmp}\n", "secret file: read '/tmp': Is a directory" },
};

static void test_wrongs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
        CLEANUP(arena_done) struct arena arena = { 0 };
        struct node *root = NULL;
        struct error err = { 0 };
        print_message("%s\n", wrongs[i].name);
        assert_false(parse_text("x.yaml", bytes_from(wrongs[i].text), &arena, &root, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        if (!strstr(err.message, wrongs[i].message))
            fail_msg("'%s' instead of '%s'", err.message, wrongs[i].message);
        assert_null(root);
    }
}

static void expect_limit(struct buf *text, const char *message)
{
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct node *root = NULL;
    struct error err = { 0 };
    assert_false(text->failed);
    assert_false(parse_text("x.yaml", buf_view(text), &arena, &root, &err));
    if (!strstr(err.message, message))
        fail_msg("'%s' instead of '%s'", err.message, message);
    assert_true(arena.total < 16 * 1024 * 1024);
    buf_reset(text);
}

static void test_limits(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 4 * 1024 * 1024);

    /* The billion laughs: each line nine times the one before. */
    buf_text(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            buf_printf(&text, "%s*a%d", k ? "," : "", i - 1);
        buf_text(&text, "]\n");
    }
    expect_limit(&text, "aliases make more than 65536 values");

    for (int i = 0; i < 1000; i++)
        buf_text(&text, "[");
    expect_limit(&text, "nested deeper than 32 levels");

    buf_text(&text, "[");
    for (int i = 0; i < 5000; i++)
        buf_text(&text, "1,");
    expect_limit(&text, "more than 4096 entries");

    for (int i = 0; i < 100; i++)
        buf_printf(&text, "k%d: &a%d 1\n", i, i);
    expect_limit(&text, "more than 64 anchors");

    buf_text(&text, "a: ");
    for (int i = 0; i < 70000; i++)
        buf_text(&text, "x");
    expect_limit(&text, "a value longer than 65536 bytes");

    buf_text(&text, "a: ");
    for (int i = 0; i < 100; i++)
        buf_text(&text, "${env:MILLRACE_TEST_A}");
    expect_limit(&text, "more than 16 variables");
}

static void test_no_secret_in_errors(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct node *root = NULL;
    struct error err = { 0 };
    assert_false(parse_text("x.yaml", bytes_from("a: hunter2 ${env:NOT_THERE_AT_ALL}"), &arena,
                            &root, &err));
    assert_null(strstr(err.message, "hunter2"));
}

static void test_section(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct node *root = NULL;
    struct error err = { 0 };
    struct section section;
    const char *text = "scan.startup.mode: initial\nscan:\n  startup:\n    pos: 4\nlist: [a, b]\n"
                       "empty: {}\n";
    assert_true(parse_text("x.yaml", bytes_from(text), &arena, &root, &err));
    assert_true(section_of(root, "x.yaml", "source", &arena, &section, &err));
    assert_int_equal(section.count, 3);
    const struct section_item *item = section_find(&section, "scan.startup.pos");
    assert_non_null(item);
    assert_int_equal(item->line, 4);
    assert_string_equal((const char *)item->value->text.data, "4");
    assert_null(section_find(&section, "empty"));

    text = "a.b: 1\na:\n  b: 2\n";
    assert_true(parse_text("x.yaml", bytes_from(text), &arena, &root, &err));
    assert_false(section_of(root, "x.yaml", "source", &arena, &section, &err));
    assert_string_equal(err.message, "x.yaml:3: source: key 'a.b' is there twice, first on line 1");

    assert_true(parse_text("x.yaml", bytes_from("[a]"), &arena, &root, &err));
    assert_false(section_of(root, "x.yaml", "source", &arena, &section, &err));
    assert_string_equal(err.message, "x.yaml:1: source must be a map of settings");
}

static void test_file(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct node *root = NULL;
    struct error err = { 0 };
    assert_false(parse_file("/nonexistent/x.yaml", false, &arena, &root, &err));
    assert_string_equal(err.message, "open '/nonexistent/x.yaml': No such file or directory");
    assert_false(parse_file("/dev/zero", false, &arena, &root, &err));
    assert_string_equal(err.message, "/dev/zero: larger than 1048576 bytes");
}

static void test_lenient(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct node *root = NULL;
    struct error err = { 0 };
    char path[] = "/tmp/millrace-test-config-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_true(dprintf(file, "a: <${env:MILLRACE_TEST_NOT_SET}>\n") > 0);
    close(file);
    assert_false(parse_file(path, false, &arena, &root, &err));
    assert_true(parse_file(path, true, &arena, &root, &err));
    assert_string_equal((const char *)value_of(root, "a")->text.data, "<>");
    unlink(path);
}

static int setup(void **state)
{
    (void)state;
    int file = mkstemp(secret_path);
    if (file < 0 || write(file, "s3cret word\r\n", 13) != 13)
        return -1;
    setenv("MILLRACE_TEST_A", "first", 1);
    setenv("MILLRACE_TEST_B", "#: [x", 1);
    setenv("MILLRACE_TEST_C", "${env:MILLRACE_TEST_A}", 1);
    setenv("MILLRACE_TEST_EMPTY", "", 1);
    return close(file);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(secret_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_wrongs),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_no_secret_in_errors),
        cmocka_unit_test(test_section), cmocka_unit_test(test_file),
        cmocka_unit_test(test_lenient),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
