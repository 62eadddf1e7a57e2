/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cmocka.h"

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/cleanup.h"
#include "sources/mysql/binlog_json.h"
#include "sources/mysql/binlog_json_text.h"
#include "tests/unit/sources/captured_json.h"

#include <math.h>
#include <stdlib.h>

static void arena_cleanup(struct arena *arena) { arena_done(arena); }
static void buf_cleanup(struct buf *buf) { buf_done(buf); }

static struct bytes from_hex(struct arena *arena, const char *hex)
{
    size_t size = strlen(hex) / 2;
    uint8_t *data = arena_raw(arena, size + 1);
    for (size_t i = 0; i < size; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };
        data[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return (struct bytes){ data, size };
}

static void assert_text(struct bytes text, const char *expected)
{
    char *copy = calloc(1, text.size + 1);
    assert_non_null(copy);
    if (text.size)
        memcpy(copy, text.data, text.size);
    assert_string_equal(copy, expected);
    free(copy);
}

static void test_captured(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(captured_json); i++) {
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        struct bytes text, document = from_hex(&arena, captured_json[i].document);
        assert_true(json_binary_print(document, &arena, &text));
        assert_text(text, captured_json[i].text);
        assert_true(json_binary_apply(document, BYTES_LITERAL(""), &arena, &text));
        assert_text(text, captured_json[i].text);
    }
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    struct bytes text;
    assert_true(json_binary_print(BYTES_LITERAL(""), &arena, &text));
    assert_text(text, "null");
}

static void test_cut_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(captured_json); i++) {
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        struct bytes text, document = from_hex(&arena, captured_json[i].document);
        for (size_t size = 1; size < document.size; size++) {
            uint8_t *exact = malloc(size); /* the sanitizer watches its end */
            assert_non_null(exact);
            memcpy(exact, document.data, size);
            assert_false(json_binary_print((struct bytes){ exact, size }, &arena, &text));
            free(exact);
        }
    }
}

static const struct {
    const char *name, *document;
} malformed[] = {
    { "type 13", "0d0000" },
    { "literal 3", "0403" },
    { "array larger than the document", "020000ff00" },
    { "more elements than it has room for", "02ffff0400" },
    { "element outside the array", "020100070007ff00" },
    { "key outside the object", "0001000c000b000200040000"
                                "61" },
    { "key longer than the object", "0001000c000b00ffff040000"
                                    "61" },
    { "string longer than the document", "0c05616263" },
    { "length of a string without an end", "0cffffffffffff" },
    { "text that is no UTF-8", "0c02c328" },
    { "double that is no number", "0b000000000000f07f" },
    { "decimal without digits", "0ff6020a02" },
    { "decimal of no precision", "0ff603000080" },
    { "array that holds itself", "020100070002"
                                 "0000" },
};

static void test_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
        print_message("%s\n", malformed[i].name);
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        struct bytes text, document = from_hex(&arena, malformed[i].document);
        assert_false(json_binary_print(document, &arena, &text));
        assert_false(json_binary_apply(document, BYTES_LITERAL(""), &arena, &text));
    }
}

/* An array of arrays, `depth` deep. */
static struct bytes nested(struct buf *out, uint32_t depth)
{
    buf_init(out, 1 << 20);
    buf_u8(out, 2);
    for (uint32_t i = 0; i < depth; i++) {
        bool inner = i + 1 == depth;
        buf_le(out, !inner, 2);
        buf_le(out, inner ? 4 : 4 + 3 + 7 * (depth - i - 2) + 4, 2);
        if (!inner) {
            buf_u8(out, 2);
            buf_le(out, 7, 2);
        }
    }
    return buf_view(out);
}

static void test_depth(void **state)
{
    (void)state;
    static const struct {
        uint32_t depth;
        bool ok;
    } cases[] = { { 1, true }, { 100, true }, { 101, true }, { 102, false }, { 2000, false } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        CLEANUP(buf_cleanup) struct buf raw;
        struct bytes text, document = nested(&raw, cases[i].depth);
        assert_int_equal(json_binary_print(document, &arena, &text), cases[i].ok);
        if (cases[i].ok)
            assert_int_equal(text.size, 2 * cases[i].depth);
    }
}

/* Forty levels of two offsets at the next level each: 2^40 elements, were there no limit. */
static void test_shared_subtrees(void **state)
{
    (void)state;
    enum { LEVELS = 40, LEVEL_BYTES = 10 };
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    CLEANUP(buf_cleanup) struct buf raw;
    struct bytes text;
    buf_init(&raw, 1 << 20);
    buf_u8(&raw, 2);
    for (uint32_t i = 0; i < LEVELS; i++) {
        buf_le(&raw, 2, 2);
        buf_le(&raw, (LEVELS - i) * LEVEL_BYTES, 2);
        for (int j = 0; j < 2; j++) {
            buf_u8(&raw, i + 1 < LEVELS ? 2 : 4);
            buf_le(&raw, i + 1 < LEVELS ? LEVEL_BYTES : 1, 2);
        }
    }
    assert_false(json_binary_print(buf_view(&raw), &arena, &text));
    assert_true(arena.total < 1 << 20);
}

/* ---- diffs ---- */

/* {"a": 2, "c": [], "ab": {}, "bb": 1} */
#define OBJECT                                                                                     \
    "0004002e0020000100210001002200020024000200050200022600002a000501006163616262620000040000000"  \
    "400"
#define VALUE_7      "03050700" /* size 3: 7 */
#define VALUE_TEXT_N "030c016e" /* size 3: "n" */

static const struct {
    const char *name, *document, *path; /* an operation's digit, then the path */
    const char *value, *text;           /* text NULL: does not apply */
} diffs[] = {
    { "replace a member", OBJECT, "0$.a", VALUE_7, "{\"a\": 7, \"c\": [], \"ab\": {}, \"bb\": 1}" },
    { "replace the document", OBJECT, "0$", VALUE_7, "7" },
    { "insert a member in its place", OBJECT, "1$.b", VALUE_TEXT_N,
      "{\"a\": 2, \"b\": \"n\", \"c\": [], \"ab\": {}, \"bb\": 1}" },
    { "insert a longer key behind", OBJECT, "1$.zzz", VALUE_7,
      "{\"a\": 2, \"c\": [], \"ab\": {}, \"bb\": 1, \"zzz\": 7}" },
    { "insert below", OBJECT, "1$.ab.x", VALUE_7,
      "{\"a\": 2, \"c\": [], \"ab\": {\"x\": 7}, \"bb\": 1}" },
    { "insert into an empty array", OBJECT, "1$.c[0]", VALUE_7,
      "{\"a\": 2, \"c\": [7], \"ab\": {}, \"bb\": 1}" },
    { "quoted key", OBJECT, "1$.\"q\\\"\\n\\u0001 k\"", VALUE_7,
      "{\"a\": 2, \"c\": [], \"ab\": {}, \"bb\": 1, \"q\\\"\\n\\u0001 k\": 7}" },
    { "remove a member", OBJECT, "2$.ab", "", "{\"a\": 2, \"c\": [], \"bb\": 1}" },
    { "insert what is there", OBJECT, "1$.a", VALUE_7, NULL },
    { "replace what is not there", OBJECT, "0$.x", VALUE_7, NULL },
    { "remove what is not there", OBJECT, "2$.x", "", NULL },
    { "remove the document", OBJECT, "2$", "", NULL },
    { "cell of an object", OBJECT, "0$[1]", VALUE_7, NULL },
    { "below a number", OBJECT, "1$.a.x", VALUE_7, NULL },
    { "path without a root", OBJECT, "0.a", VALUE_7, NULL },
    { "path that ends in a dot", OBJECT, "0$.", VALUE_7, NULL },
    { "path with a quote alone", OBJECT, "0$.\"a", VALUE_7, NULL },
    { "path with a strange escape", OBJECT, "0$.\"\\q\"", VALUE_7, NULL },
    { "path with a cell that does not end", OBJECT, "0$.c[0", VALUE_7, NULL },
    { "path with a cell without a number", OBJECT, "0$.c[]", VALUE_7, NULL },
    { "operation 3", OBJECT, "3$.a", VALUE_7, NULL },
    { "value of no type", OBJECT, "0$.a", "010d", NULL },
    { "value cut off", OBJECT, "0$.a", "0505", NULL },
};

static void test_diffs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(diffs); i++) {
        print_message("%s\n", diffs[i].name);
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        CLEANUP(buf_cleanup) struct buf raw;
        struct bytes text, document = from_hex(&arena, diffs[i].document);
        buf_init(&raw, 4096);
        buf_u8(&raw, (uint8_t)(diffs[i].path[0] - '0'));
        buf_u8(&raw, (uint8_t)(strlen(diffs[i].path) - 1));
        buf_text(&raw, diffs[i].path + 1);
        buf_bytes(&raw, from_hex(&arena, diffs[i].value));
        bool ok = json_binary_apply(document, buf_view(&raw), &arena, &text);
        assert_int_equal(ok, diffs[i].text != NULL);
        if (ok)
            assert_text(text, diffs[i].text);
    }
}

/* [7] built by many inserts, each in front of the last. */
static void test_many_inserts(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    CLEANUP(buf_cleanup) struct buf raw;
    struct bytes text;
    buf_init(&raw, 1 << 20);
    for (int i = 0; i < 100; i++) {
        buf_text(&raw, i % 2 ? "\1\4$[0]\3\5" : "\1\7$[last]\3\5");
        buf_le(&raw, (uint64_t)i, 2);
    }
    assert_true(json_binary_apply(BYTES_LITERAL("\2\0\0\4\0"), buf_view(&raw), &arena, &text));
    assert_int_equal(text.data[1], '9');
    assert_int_equal(text.data[2], '9');
}

static void test_doubles_read_back(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double number;
        memcpy(&number, &bits, sizeof number);
        if (i % 2)
            number = (double)(int64_t)(bits >> 40) / 1000;
        if (!isfinite(number))
            continue;
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        struct json_text text = json_text_of(&arena, 9);
        struct bytes out;
        json_text_double(&text, number);
        assert_true(json_text_finish(&text, &out));
        char copy[64] = { 0 };
        memcpy(copy, out.data, out.size);
        assert_true(strtod(copy, NULL) == number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captured),        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_malformed),       cmocka_unit_test(test_depth),
        cmocka_unit_test(test_shared_subtrees), cmocka_unit_test(test_diffs),
        cmocka_unit_test(test_many_inserts),    cmocka_unit_test(test_doubles_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
