/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cmocka.h"

#include "engine/base/assert.h"
#include "engine/base/cleanup.h"
#include "sources/mysql/charset.h"

#include <pthread.h>
#include <stdlib.h>

static void arena_cleanup(struct arena *arena) { arena_done(arena); }

/* Expected texts are what the server's CONVERT(... USING utf8mb4) gives. */
#define CASE(charset, in, out, replaced)                                                           \
    {                                                                                              \
        charset, in, sizeof(in) - 1, out, replaced                                                 \
    }
static const struct {
    const char *charset, *in;
    size_t size;
    const char *out;
    uint64_t replaced;
} cases[] = {
    CASE("utf8mb4", "", "", 0),
    CASE("utf8mb4", "plain and caf\xc3\xa9 \xf0\x9f\x98\x80",
         "plain and caf\xc3\xa9 \xf0\x9f\x98\x80", 0),
    CASE("utf8mb4",
         "a\xff"
         "b",
         "a\xef\xbf\xbd"
         "b",
         1),
    CASE("utf8mb4", "cut \xe4\xb8", "cut \xef\xbf\xbd\xef\xbf\xbd", 2),
    CASE("utf8mb4", "\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd", 2),
    CASE("utf8mb4", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 3),
    CASE("utf8mb4", "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 4),
    CASE("utf8mb3", "\xe4\xb8\xad", "\xe4\xb8\xad", 0),
    CASE("utf8", "\xe4\xb8\xad", "\xe4\xb8\xad", 0),
    CASE("ascii", "a\x80", "a\xef\xbf\xbd", 1),
    CASE("latin1", "caf\xe9 \x80\x81", "caf\xc3\xa9 \xe2\x82\xac\xc2\x81", 0),
    CASE("latin2", "\xb1", "\xc4\x85", 0),
    CASE("cp1251", "\xc6\x98", "\xd0\x96\xef\xbf\xbd", 1),
    CASE("koi8r", "\xd6", "\xd0\xb6", 0),
    CASE("swe7", "{}~", "\xc3\xa4\xc3\xa5\xc3\xbc", 0),
    CASE("swe7", "a\x80", "a\xef\xbf\xbd", 1),
    CASE("ucs2", "\0a\x4e\x2d", "a\xe4\xb8\xad", 0),
    CASE("ucs2", "\xd8\x3d\xde\x00", "\xef\xbf\xbd\xef\xbf\xbd", 2),
    CASE("ucs2", "\0a\0", "a\xef\xbf\xbd", 1),
    CASE("utf16", "\xd8\x3d\xde\x00\0z", "\xf0\x9f\x98\x80z", 0),
    CASE("utf16", "\xd8\x3d", "\xef\xbf\xbd", 1),
    CASE("utf16", "\xde\x00\0z", "\xef\xbf\xbdz", 1),
    CASE("utf16le", "\x3d\xd8\x00\xde", "\xf0\x9f\x98\x80", 0),
    CASE("utf32", "\0\1\xf6\0\0\0\0a",
         "\xf0\x9f\x98\x80"
         "a",
         0),
    CASE("utf32", "\0\x11\0\0\0\0\xd8\0\0", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 3),
    CASE("gbk", "\xd6\xd0\xce\xc4 a", "\xe4\xb8\xad\xe6\x96\x87 a", 0),
    CASE("gbk", "\xd6", "\xef\xbf\xbd", 1),
    CASE("gb2312", "\xa1\xa4", "\xe3\x83\xbb", 0),
    CASE("gb18030", "\x94\x39\xfc\x36\xa6\xd9", "\xf0\x9f\x98\x80\xee\x9e\x8d", 0),
    CASE("big5", "\xa4\xa4\xa1\x45\xc6\xa5\xc6\xf7z",
         "\xe4\xb8\xad\xe2\x80\xa2\xe3\x81\x81\xe3\x82\x93z", 0),
    CASE("big5", "\xa1\x5a", "\xef\xbf\xbd", 1),
    CASE("sjis", "\x93\xfa\x81\x5f~\\\xb1", "\xe6\x97\xa5\\~\\\xef\xbd\xb1", 0),
    CASE("cp932", "\x81\x5f", "\xef\xbc\xbc", 0),
    CASE("ujis", "\xc6\xfc\xa1\xc1\x8f\xa2\xb7\x8e\xb1", "\xe6\x97\xa5\xe3\x80\x9c~\xef\xbd\xb1",
         0),
    CASE("eucjpms", "\xc6\xfc\xa1\xc1", "\xe6\x97\xa5\xef\xbd\x9e", 0),
    CASE("euckr", "\xc7\xd1\x81\x41", "\xed\x95\x9c\xea\xb0\x82", 0),
};

static void test_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        print_message("%s, case %zu\n", cases[i].charset, i);
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        const struct charset *charset = charset_find(bytes_from(cases[i].charset));
        assert_non_null(charset);
        uint8_t *exact = malloc(cases[i].size ? cases[i].size : 1);
        assert_non_null(exact);
        memcpy(exact, cases[i].in, cases[i].size);
        uint64_t replaced = 0;
        struct bytes out =
            charset_decode(charset, (struct bytes){ exact, cases[i].size }, &arena, &replaced);
        assert_int_equal(out.size, strlen(cases[i].out));
        assert_memory_equal(out.data, cases[i].out, out.size);
        assert_int_equal(replaced, cases[i].replaced);
        free(exact);
    }
}

/* What needs no conversion is not copied; ASCII stays what it is beside other characters. */
static void test_ascii(void **state)
{
    (void)state;
    static const char *const sets[] = { "utf8mb4", "utf8mb3", "ascii",   "latin1", "cp1251",
                                        "gbk",     "gb2312",  "gb18030", "big5",   "sjis",
                                        "cp932",   "ujis",    "eucjpms", "euckr",  "tis620" };
    uint8_t text[130];
    for (uint8_t i = 0; i < 128; i++)
        text[i] = i;
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
        print_message("%s\n", sets[i]);
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        const struct charset *charset = charset_find(bytes_from(sets[i]));
        uint64_t replaced = 0;
        struct bytes in = { text, 128 };
        assert_ptr_equal(charset_decode(charset, in, &arena, &replaced).data, text);
        assert_int_equal(arena.total, 0);
        text[128] = text[129] = 0xb1; /* a character of its own in all but the first three */
        in.size = 130;
        struct bytes out = charset_decode(charset, in, &arena, &replaced);
        assert_true(out.size > 129);
        assert_memory_equal(out.data, text, 128);
        assert_int_equal(replaced, i < 3 ? 2 : 0);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_null(charset_find(BYTES_LITERAL("latin9")));
    assert_null(charset_find(BYTES_LITERAL("")));
    assert_ptr_equal(charset_find(BYTES_LITERAL("utf8")), charset_find(BYTES_LITERAL("utf8mb3")));
    assert_true(charset_is_plain(charset_find(BYTES_LITERAL("utf8mb4"))));
    assert_false(charset_is_plain(charset_find(BYTES_LITERAL("latin1"))));
    assert_int_equal(charset_max_bytes(charset_find(BYTES_LITERAL("utf8mb4"))), 4);
    assert_int_equal(charset_max_bytes(charset_find(BYTES_LITERAL("ujis"))), 3);
    assert_int_equal(charset_max_bytes(charset_find(BYTES_LITERAL("binary"))), 1);
}

static void test_utf8_prefix(void **state)
{
    (void)state;
    uint8_t text[64];
    for (size_t size = 0; size <= sizeof text; size++)
        for (size_t bad = 0; bad <= size; bad++) {
            memset(text, 'a', sizeof text);
            if (bad < size)
                text[bad] = 0x80;
            assert_int_equal(text_utf8_prefix(text, size), bad);
            assert_int_equal(text_is_ascii(text, size, size), bad == size);
            text[size < sizeof text ? size : 0] |= size < sizeof text ? 0x80 : 0;
            assert_int_equal(text_is_ascii(text, size, sizeof text), bad == size);
        }
}

static void test_collations(void **state)
{
    (void)state;
    static const struct collation_entry entries[] = {
        { 33, { (const uint8_t *)"own", 3 }, { (const uint8_t *)"utf8mb3", 7 } },
        { 2304,
          { (const uint8_t *)"utf8mb4_uca1400_ai_ci", 21 },
          { (const uint8_t *)"utf8mb4", 7 } },
    };
    static const struct collation_table table = { entries, ARRAY_SIZE(entries) };
    assert_true(bytes_is(collation_find(NULL, 8)->charset, "latin1"));
    assert_true(bytes_is(collation_find(NULL, 255)->collation, "utf8mb4_0900_ai_ci"));
    assert_true(bytes_is(collation_find(&table, 33)->collation, "own"));
    assert_true(bytes_is(collation_find(&table, 63)->charset, "binary"));
    assert_true(bytes_is(collation_find(&table, 2304)->charset, "utf8mb4"));
    assert_null(collation_find(NULL, 2304));
    assert_null(collation_find(&table, 0));
    assert_null(collation_find(&table, 5000));
    for (uint32_t id = 1; id < 256; id++) { /* every set that a collation names is known */
        const struct collation_entry *entry = collation_find(NULL, id);
        if (entry)
            assert_non_null(charset_find(entry->charset));
    }
}

static void *convert(void *unused)
{
    (void)unused;
    const struct charset *charset = charset_find(BYTES_LITERAL("gbk"));
    for (int i = 0; i < 1000; i++) {
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        uint64_t replaced = 0;
        struct bytes out = charset_decode(charset, BYTES_LITERAL("\xd6\xd0"), &arena, &replaced);
        if (!bytes_is(out, "\xe4\xb8\xad"))
            return (void *)1;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, convert, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),     cmocka_unit_test(test_ascii),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_utf8_prefix),
        cmocka_unit_test(test_collations), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
