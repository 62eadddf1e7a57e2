/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames and messages of pgoutput: whole, cut off at every byte, and malformed. */
#include "sources/postgres/pgoutput.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/base/assert.h"

#define MESSAGE(literal) BYTES_LITERAL(literal)
#define PLAIN(literal)                                                                             \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const struct bytes begin = { (const uint8_t *)"B\0\0\0\0\1\2\3\4"
                                                     "\0\0\0\0\0\0\0\1\0\0\2\337",
                                    21 };
static const struct bytes commit = { (const uint8_t *)"C\0\0\0\0\0\1\2\3\4\0\0\0\0\1\2\3\64"
                                                      "\0\0\0\0\0\0\0\1",
                                     26 };
static const struct bytes relation = { (const uint8_t *)"R\0\0\100\1public\0t\0d\0\2"
                                                        "\1id\0\0\0\0\27\377\377\377\377"
                                                        "\0v\0\0\0\6\244\0\12\0\6",
                                       40 };

static void test_transactions(void **state)
{
    (void)state;
    struct pgoutput_begin b;
    struct pgoutput_commit c;
    assert_true(pgoutput_begin_parse(begin, &b));
    assert_int_equal(b.final_lsn, 0x01020304);
    assert_int_equal(b.time_us, INT64_C(946684800000001));
    assert_int_equal(b.xid, 735);
    assert_true(pgoutput_commit_parse(commit, &c));
    assert_int_equal(c.commit_lsn, 0x01020304);
    assert_int_equal(c.end_lsn, 0x01020334);
    assert_false(pgoutput_begin_parse(commit, &b));
}

static void test_a_relation(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct pgoutput_relation r;
    assert_true(pgoutput_relation_parse(relation, &arena, &r));
    assert_int_equal(r.oid, 16385);
    assert_true(bytes_is(r.schema, "public"));
    assert_true(bytes_is(r.name, "t"));
    assert_int_equal(r.identity, 'd');
    assert_int_equal(r.column_count, 2);
    assert_true(r.columns[0].key);
    assert_int_equal(r.columns[0].type, 23);
    assert_int_equal(r.columns[0].typmod, -1);
    assert_false(r.columns[1].key);
    assert_int_equal(r.columns[1].type, 1700);
    assert_int_equal(r.columns[1].typmod, 10 << 16 | 6);
    arena_done(&arena);
}

/* Whatever is cut off or stands behind is refused. */
static void test_cut_off(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    uint8_t longer[64] = { 0 };
    struct pgoutput_begin b;
    struct pgoutput_commit c;
    struct pgoutput_relation r;
    for (size_t size = 0; size < begin.size; size++)
        assert_false(pgoutput_begin_parse((struct bytes){ begin.data, size }, &b));
    for (size_t size = 0; size < commit.size; size++)
        assert_false(pgoutput_commit_parse((struct bytes){ commit.data, size }, &c));
    for (size_t size = 0; size < relation.size; size++)
        assert_false(pgoutput_relation_parse((struct bytes){ relation.data, size }, &arena, &r));
    memcpy(longer, relation.data, relation.size);
    assert_false(pgoutput_relation_parse((struct bytes){ longer, relation.size + 1 }, &arena, &r));
    arena_done(&arena);
}

static const struct row_case {
    const char *name;
    struct bytes message;
    bool ok;
    uint8_t old;
    bool has_new;
} row_cases[] = {
    { "insert",
      PLAIN("I\0\0\100\1N\0\2t\0\0\0\1"
            "7n"),
      true, 0, true },
    { "insert of no columns", PLAIN("I\0\0\100\1N\0\0"), true, 0, true },
    { "update without the old row", PLAIN("U\0\0\100\1N\0\1u"), true, 0, true },
    { "update with the old key",
      PLAIN("U\0\0\100\1K\0\2t\0\0\0\1"
            "1nN\0\2t\0\0\0\1"
            "2u"),
      true, 'K', true },
    { "update with the whole old row", PLAIN("U\0\0\100\1O\0\1nN\0\1n"), true, 'O', true },
    { "delete by key", PLAIN("D\0\0\100\1K\0\1t\0\0\0\0"), true, 'K', false },
    { "delete without the old row", PLAIN("D\0\0\100\1N\0\1n"), false, 0, false },
    { "insert with an old row", PLAIN("I\0\0\100\1O\0\1n"), false, 0, false },
    { "update that ends behind the old row", PLAIN("U\0\0\100\1K\0\1n"), false, 0, false },
    { "a cell of an unknown kind", PLAIN("I\0\0\100\1N\0\1x"), false, 0, false },
    { "a text beyond the end",
      PLAIN("I\0\0\100\1N\0\1t\377\377\377\377"
            "a"),
      false, 0, false },
    { "fewer cells than said", PLAIN("I\0\0\100\1N\377\377nn"), false, 0, false },
    { "something behind", PLAIN("I\0\0\100\1N\0\1nn"), false, 0, false },
    { "nothing", PLAIN(""), false, 0, false },
};

static bool take_cells(struct pgoutput_row *row)
{
    struct pgoutput_cell cell;
    for (uint16_t i = 0; i < row->count; i++)
        if (!pgoutput_cell_take(&row->cells, &cell))
            return false;
    return true;
}

/* Walks it as the log reader does. */
static bool walk(struct bytes message, struct pgoutput_row *row, uint8_t *old)
{
    *old = 0;
    if (!pgoutput_row_parse(message, row))
        return false;
    if (row->part != 'N')
        *old = row->part;
    return take_cells(row) &&
           (row->kind != PGOUTPUT_UPDATE || !*old ||
            (pgoutput_row_next(row) && take_cells(row))) &&
           pgoutput_row_is_over(row);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(row_cases); i++) {
        const struct row_case *one = &row_cases[i];
        struct pgoutput_row row;
        uint8_t old;
        print_message("%s\n", one->name);
        assert_int_equal(walk(one->message, &row, &old), one->ok);
        if (!one->ok)
            continue;
        assert_int_equal(row.oid, 16385);
        assert_int_equal(old, one->old);
        assert_int_equal(row.part == 'N', one->has_new);
    }
}

static void test_cells(void **state)
{
    (void)state;
    struct pgoutput_row row;
    struct pgoutput_cell cell;
    assert_true(pgoutput_row_parse(row_cases[3].message, &row) && row.part == 'K');
    assert_true(pgoutput_cell_take(&row.cells, &cell));
    assert_true(cell.kind == 't' && bytes_is(cell.text, "1"));
    assert_true(pgoutput_cell_take(&row.cells, &cell) && cell.kind == 'n');
    assert_false(pgoutput_row_is_over(&row));
    assert_true(pgoutput_row_next(&row) && row.part == 'N' && row.count == 2);
    assert_true(pgoutput_cell_take(&row.cells, &cell));
    assert_true(cell.kind == 't' && bytes_is(cell.text, "2"));
    assert_true(pgoutput_cell_take(&row.cells, &cell) && cell.kind == 'u');
    assert_true(pgoutput_row_is_over(&row));
}

static void test_truncate_and_message(void **state)
{
    (void)state;
    struct pgoutput_truncate truncate;
    struct pgoutput_message message;
    assert_true(pgoutput_truncate_parse(MESSAGE("T\0\0\0\2\1\0\0\100\1\0\0\100\2"), &truncate));
    assert_true(truncate.cascade && !truncate.restart && truncate.count == 2);
    assert_int_equal(reader_be(&truncate.oids, 4), 16385);
    assert_int_equal(reader_be(&truncate.oids, 4), 16386);
    assert_false(pgoutput_truncate_parse(MESSAGE("T\377\377\377\377\0\0\0\100\1"), &truncate));
    assert_true(
        pgoutput_message_parse(MESSAGE("M\1\0\0\0\0\0\0\0\5millrace\0\0\0\0\2hi"), &message));
    assert_true(message.transactional && message.lsn == 5);
    assert_true(bytes_is(message.prefix, "millrace") && bytes_is(message.content, "hi"));
    assert_false(
        pgoutput_message_parse(MESSAGE("M\1\0\0\0\0\0\0\0\5millrace\0\0\0\0\3hi"), &message));
}

static void test_frames(void **state)
{
    (void)state;
    struct stream_data data;
    struct stream_keepalive keepalive;
    uint8_t status[STREAM_STATUS_SIZE];
    assert_true(
        stream_data_parse(MESSAGE("w\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3B"), &data));
    assert_true(data.start == 1 && data.end == 2 && bytes_is(data.message, "B"));
    assert_false(
        stream_data_parse(MESSAGE("w\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3"), &data));
    assert_true(stream_keepalive_parse(MESSAGE("k\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\3\1"), &keepalive));
    assert_true(keepalive.end == (UINT64_C(1) << 32 | 2) && keepalive.reply_now);
    assert_false(stream_keepalive_parse(MESSAGE("k\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\3"), &keepalive));
    stream_status_make(0x0102, 0x0101, INT64_C(946684800000005), true, status);
    assert_memory_equal(status,
                        "r\0\0\0\0\0\0\1\2\0\0\0\0\0\0\1\1\0\0\0\0\0\0\1\1\0\0\0\0\0\0\0\5\1",
                        sizeof status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transactions), cmocka_unit_test(test_a_relation),
        cmocka_unit_test(test_cut_off),      cmocka_unit_test(test_rows),
        cmocka_unit_test(test_cells),        cmocka_unit_test(test_truncate_and_message),
        cmocka_unit_test(test_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
