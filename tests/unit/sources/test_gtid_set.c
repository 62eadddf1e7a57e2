/* SPDX-License-Identifier: Apache-2.0
 *
 * GTID sets: texts good and bad, adding, containment, the binary form; MariaDB's states; the tokens
 * that carry them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "sources/mysql/gtid_state.h"
#include "sources/mysql/token.h"

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "3e11fa47-71ca-11e1-9e33-c80aa9429563"

static const struct {
    const char *name, *text, *printed;
} texts[] = {
    { "empty", "", "" },
    { "one", A ":5", A ":5" },
    { "intervals join", A ":1-3:4-5:9", A ":1-5:9" },
    { "intervals out of order", A ":9:1-3", A ":1-3:9" },
    { "overlap", A ":1-5:3-9", A ":1-9" },
    { "two sources", A ":1-2,\n " B ":7", A ":1-2," B ":7" },
    { "tags", A ":1-2:mytag:4", A ":1-2," A ":mytag:4" },
    { "upper case and no dashes", "3E11FA4771CA11E19E33C80AA9429562:1", A ":1" },
    { "mariadb", "0-1-77,1-2-9", "0-1-77,1-2-9" },
    { "mariadb, the later of a domain", "0-1-77,0-2-80", "0-2-80" },
    { "no number", A, NULL },
    { "number 0", A ":0", NULL },
    { "interval backwards", A ":5-3", NULL },
    { "short uuid", "3e11fa47:1", NULL },
    { "tag without numbers", A ":mytag", NULL },
    { "mariadb, two parts", "0-1", NULL },
    { "mariadb, not a number", "0-x-1", NULL },
    { "garbage", "hello", NULL },
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct gtid_set set = { 0 };
        struct error err;
        print_message("%s\n", texts[i].name);
        bool ok = gtid_set_parse(&set, bytes_from(texts[i].text), &err);
        assert_int_equal(ok, texts[i].printed != NULL);
        struct buf out;
        buf_init(&out, 4096);
        gtid_set_text(&set, &out);
        if (ok)
            assert_true(bytes_is(buf_view(&out), texts[i].printed));
        buf_done(&out);
        gtid_set_done(&set);
    }
}

static const struct {
    const char *whole, *part;
    bool covers;
} covers[] = {
    { A ":1-10", A ":3-5", true },
    { A ":1-10", A ":3-11", false },
    { A ":1-4:6-10", A ":3-7", false },
    { A ":1-10", B ":1", false },
    { A ":1-10," B ":1", B ":1", true },
    { A ":1-10", "", true },
    { "", A ":1", false },
    { A ":1-10", A ":tag:1", false },
    { "0-1-77", "0-2-70", true },
    { "0-1-77", "0-1-78", false },
    { "0-1-77", "1-1-1", false },
};

static void test_covers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(covers); i++) {
        struct gtid_set whole = { 0 }, part = { 0 };
        struct error err;
        print_message("%s covers %s\n", covers[i].whole, covers[i].part);
        assert_true(gtid_set_parse(&whole, bytes_from(covers[i].whole), &err));
        assert_true(gtid_set_parse(&part, bytes_from(covers[i].part), &err));
        assert_int_equal(gtid_set_covers(&whole, &part), covers[i].covers);
        gtid_set_done(&whole);
        gtid_set_done(&part);
    }
}

static void test_adding_one_by_one(void **state)
{
    (void)state;
    static const uint64_t numbers[] = { 1, 2, 3, 7, 5, 6, 4, 4, 9 };
    struct gtid_set set = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        gtid_set_add(&set, &(struct gtid){ .uuid = { 1 }, .number = numbers[i] });
    assert_int_equal(set.count, 1);
    assert_int_equal(set.sources[0].count, 2);
    assert_int_equal(set.sources[0].intervals[0].last, 7);
    assert_false(gtid_set_has(&set, &(struct gtid){ .uuid = { 1 }, .number = 8 }));
    assert_true(gtid_set_has(&set, &(struct gtid){ .uuid = { 1 }, .number = 9 }));
    gtid_set_done(&set);
}

static void test_binary_form(void **state)
{
    (void)state;
    struct gtid_set set = { 0 };
    struct error err;
    assert_true(gtid_set_parse(&set, bytes_from(A ":2-5"), &err));
    struct buf out;
    buf_init(&out, 4096);
    gtid_set_encode(&set, &out);
    assert_int_equal(out.size, 8 + 16 + 8 + 16);
    assert_int_equal(out.data[0], 1); /* sources */
    assert_int_equal(out.data[8], 0x3e);
    assert_int_equal(out.data[24], 1); /* intervals */
    assert_int_equal(out.data[32], 2); /* first */
    assert_int_equal(out.data[40], 6); /* behind the last */
    buf_done(&out);
    gtid_set_done(&set);
}

static const struct {
    const char *name, *text, *printed;
} states[] = {
    { "empty", "", "" },
    { "one", "0-1-7", "0-1-7" },
    { "two servers of a domain", "0-1-7,0-2-5", "0-1-7,0-2-5" },
    { "as an event's text", "[0-1-7,0-2-5]", "0-1-7,0-2-5" },
    { "the greater number counts", "0-1-7,0-1-5,0-1-9", "0-1-9" },
    { "domains", "0-1-7,\n1-1-3", "0-1-7,1-1-3" },
    { "not a number", "0-1-7,0-x", NULL },
};

static void test_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        struct gtid_state known = { 0 };
        struct error err;
        struct buf out;
        print_message("%s\n", states[i].name);
        bool ok = gtid_state_parse(&known, bytes_from(states[i].text), &err);
        assert_int_equal(ok, states[i].printed != NULL);
        buf_init(&out, 4096);
        gtid_state_text(&known, &out);
        if (ok)
            assert_true(bytes_is(buf_view(&out), states[i].printed));
        buf_done(&out);
        gtid_state_done(&known);
    }
}

static void test_state_last(void **state)
{
    (void)state;
    struct gtid_state known = { 0 };
    struct error err;
    assert_true(gtid_state_parse(&known, bytes_from("0-1-7,0-2-5"), &err));
    assert_int_equal(gtid_state_last(&known, &(struct gtid){ .server = 2 }), 5);
    assert_int_equal(gtid_state_last(&known, &(struct gtid){ .server = 3 }), 0);
    assert_int_equal(gtid_state_last(&known, &(struct gtid){ .domain = 1, .server = 1 }), 0);
    gtid_state_note(&known, &(struct gtid){ .mariadb = true, .server = 3, .number = 8 });
    assert_int_equal(gtid_state_last(&known, &(struct gtid){ .server = 3 }), 8);
    gtid_state_done(&known);
}

static void test_tokens(void **state)
{
    (void)state;
    struct token token = { .file = bytes_from("binlog.7"),
                           .offset = 1 << 20,
                           .gtid = bytes_from("0-2-5"),
                           .server = bytes_from("2"),
                           .created = 1790000000,
                           .state = bytes_from("0-1-7,0-2-5") };
    struct token back;
    struct error err;
    struct buf raw;
    buf_init(&raw, 4096);
    token_encode(&token, &raw);
    assert_true(token_decode(buf_view(&raw), &back, &err));
    assert_int_equal(back.created, token.created);
    assert_true(bytes_equal(back.state, token.state));
    /* One of the version before ends with the server. */
    struct bytes old = { raw.data, raw.size - 4 - 4 - token.state.size };
    raw.data[0] = 1;
    assert_true(token_decode(old, &back, &err));
    assert_int_equal(back.created, 0);
    assert_true(bytes_equal(back.server, token.server) && back.state.size == 0);
    raw.data[0] = 3;
    assert_false(token_decode(buf_view(&raw), &back, &err));
    buf_done(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),       cmocka_unit_test(test_states),
        cmocka_unit_test(test_state_last),  cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_covers),      cmocka_unit_test(test_adding_one_by_one),
        cmocka_unit_test(test_binary_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
