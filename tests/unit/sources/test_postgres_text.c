/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts of PostgreSQL to values and back, types by OID and typmod, snapshots, lines of COPY. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "engine/source.h"
#include "schema/array.h"
#include "sources/postgres/copy_text.h"
#include "sources/postgres/session_errors.h"
#include "sources/postgres/text_value.h"
#include "sources/postgres/token.h"
#include "sources/postgres/types.h"

#define DAY INT64_C(86400000000)
static const struct type decimal = { .kind = TYPE_DECIMAL, .precision = 10, .scale = 2 };
static const struct type units = { .kind = TYPE_DECIMAL, .precision = 18 };
static const struct type wide = { .kind = TYPE_DECIMAL, .precision = 40, .scale = 3 };
static const struct type date = { .kind = TYPE_DATE },
                         stamp = { .kind = TYPE_DATETIME, .scale = 6 };
static const struct type instant = { .kind = TYPE_TIMESTAMP, .scale = 6 };
static const struct type clock_time = { .kind = TYPE_TIME, .scale = 6 };
static const struct type integer = { .kind = TYPE_INT, .bits = 64 },
                         natural = { .kind = TYPE_UINT };
static const struct type boolean = { .kind = TYPE_INT, .bits = 8, .boolean = true };

static const struct {
    const struct type *type;
    const char *text;
    bool ok;
    int64_t number;
} numbers[] = {
    { &integer, "-9223372036854775808", true, INT64_MIN },
    { &integer, "9223372036854775807", true, INT64_MAX },
    { &integer, "", false, 0 },
    { &integer, "-", false, 0 },
    { &integer, "1x", false, 0 },
    { &integer, "12.5", false, 0 },
    { &integer, "12345678", true, 12345678 },
    { &integer, "-1234567890123456789", true, -1234567890123456789 },
    { &integer, "1234567/", false, 0 },
    { &integer, ":2345678", false, 0 },
    { &integer, "123\xff"
                "5678",
      false, 0 },
    { &boolean, "t", true, 1 },
    { &boolean, "f", true, 0 },
    { &boolean, "true", false, 0 },
    { &decimal, "-99.99", true, -9999 },
    { &decimal, "0.05", true, 5 },
    { &decimal, "7", true, 700 },
    { &decimal, "$1,234.50", true, 123450 },
    { &decimal, "-$0.01", true, -1 },
    { &decimal, "1.234", false, 0 },
    { &decimal, ".05", true, 5 },
    { &decimal, "", false, 0 },
    { &decimal, "-", false, 0 },
    { &units, "999999999999999999", true, 999999999999999999 },
    { &units, "-1", true, -1 },
    { &decimal, "12345678.90", true, 1234567890 },
    { &decimal, "1234x678.90", false, 0 },
    { &decimal, "12345678x90", false, 0 },
    { &units, "99999999999999999999", false, 0 },
    { &decimal, "1e3", false, 0 },
    { &date, "1970-01-01", true, 0 },
    { &date, "1969-12-31", true, -1 },
    { &date, "2024-02-29", true, 19782 },
    { &date, "0001-01-01", true, -719162 },
    { &date, "0001-12-31 BC", true, -719163 },
    { &date, "4714-11-24 BC", true, -2440588 },
    { &date, "9999-12-31", true, 2932896 },
    { &date, "294276-12-31", true, 106762939 },
    { &date, "2024-13-01", false, 0 },
    { &date, "2024-1-1", false, 0 },
    { &date, "2024-01-01 x", false, 0 },
    { &stamp, "1970-01-02 00:00:00.5", true, DAY + 500000 },
    { &stamp, "1969-12-31 23:59:59.999999", true, -1 },
    { &stamp, "1970-01-01", false, 0 },
    { &instant, "1970-01-01 00:00:01+00", true, 1000000 },
    { &instant, "1970-01-01 00:00:01+02", false, 0 },
    { &instant, "1970-01-01 00:00:01", false, 0 },
    { &clock_time, "24:00:00", true, DAY },
    { &clock_time, "12:34", false, 0 },
};

/* Doubles of all sizes, as short and as long as they are printed: alike to strtod(). */
static void test_doubles(void **state)
{
    (void)state;
    static const struct type real = { .kind = TYPE_DOUBLE };
    static const char *const texts[] = { "0",
                                         "-0",
                                         "1",
                                         "-1.5",
                                         "0.1",
                                         "9007199254740993",
                                         "9007199254740992.5",
                                         "0.30000000000000004",
                                         "18446744073709551615",
                                         "9999999999999999999",
                                         "1e22",
                                         "5e-324",
                                         "Infinity",
                                         "-Infinity",
                                         "1.",
                                         "123456789.0123456789",
                                         "4503599627370496.5" };
    struct arena arena = { 0 };
    struct text_decoder decoder = text_decoder_of(&real);
    uint64_t bits = 88172645463325252;
    for (size_t i = 0; i < ARRAY_SIZE(texts) + 200000; i++) {
        char text[400];
        struct value value;
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        if (i < ARRAY_SIZE(texts))
            snprintf(text, sizeof text, "%s", texts[i]);
        else
            snprintf(text, sizeof text, "%.*f", (int)(bits >> 40) % 20,
                     (double)(bits >> 11) / (double)(1ull << bits % 53));
        double wanted = strtod(text, NULL);
        assert_true(decoder.decode(bytes_from(text), &real, &arena, &value));
        if (memcmp(&value.number, &wanted, sizeof wanted) != 0)
            fail_msg("%s is %.17g, not %.17g", text, value.number, wanted);
    }
    struct value value;
    for (size_t i = 0; i < 4; i++) {
        static const char *const wrong[] = { "", "-", "1x", "." };
        assert_false(decoder.decode(bytes_from(wrong[i]), &real, &arena, &value));
    }
    arena_done(&arena);
}

static void test_numbers(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        const struct type *type = numbers[i].type;
        struct value value;
        struct buf back;
        print_message("%s '%s'\n", type_kind_name(type->kind), numbers[i].text);
        assert_int_equal(
            text_decoder_of(type).decode(bytes_from(numbers[i].text), type, &arena, &value),
            numbers[i].ok);
        if (!numbers[i].ok)
            continue;
        assert_int_equal(value.tag, VALUE_INT);
        assert_true(value.integer == numbers[i].number);
        buf_init(&back, 100);
        value_sql_text(type, &value, &back);
        struct value again;
        if (!type->boolean) {
            assert_true(text_decoder_of(type).decode(buf_view(&back), type, &arena, &again));
            assert_true(value_equal(&value, &again));
        }
        buf_done(&back);
    }
    arena_done(&arena);
}

static void check_text(const struct type *type, const char *text, struct bytes expected)
{
    struct arena arena = { 0 };
    struct value value;
    print_message("%s '%s'\n", type_kind_name(type->kind), text);
    assert_true(text_decoder_of(type).decode(bytes_from(text), type, &arena, &value));
    assert_int_equal(value.tag, VALUE_TEXT);
    assert_true(bytes_equal(value_bytes(&value), expected));
    arena_done(&arena);
}

static void test_texts(void **state)
{
    (void)state;
    struct type bytes = { .kind = TYPE_BYTES }, uuid = { .kind = TYPE_UUID };
    struct type text = { .kind = TYPE_TEXT };
    check_text(&wide, "-12345678901234567890.5", BYTES_LITERAL("-12345678901234567890.500"));
    check_text(&wide, "NaN", BYTES_LITERAL("NaN"));
    check_text(&date, "infinity", BYTES_LITERAL("infinity"));
    check_text(&instant, "-infinity", BYTES_LITERAL("-infinity"));
    check_text(&bytes, "\\x00ff5C", BYTES_LITERAL("\0\377\\"));
    check_text(&bytes, "\\x", BYTES_LITERAL(""));
    check_text(&uuid, "00112233-4455-6677-8899-aabbccddeeff",
               BYTES_LITERAL("\0\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"));
    check_text(&text, "1 year 2 mons", BYTES_LITERAL("1 year 2 mons"));
    struct value value;
    struct arena arena = { 0 };
    assert_false(text_decoder_of(&bytes).decode(BYTES_LITERAL("\\x0"), &bytes, &arena, &value));
    assert_false(text_decoder_of(&bytes).decode(BYTES_LITERAL("abc"), &bytes, &arena, &value));
    assert_false(text_decoder_of(&uuid).decode(BYTES_LITERAL("0011"), &uuid, &arena, &value));
    assert_true(text_decoder_of(&natural).decode(BYTES_LITERAL("18446744073709551615"), &natural,
                                                 &arena, &value));
    assert_true(value.tag == VALUE_UINT && value.natural == UINT64_MAX);
    assert_false(text_decoder_of(&natural).decode(BYTES_LITERAL("18446744073709551616"), &natural,
                                                  &arena, &value));
    arena_done(&arena);
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        uint32_t oid;
        int32_t typmod;
        struct type type;
    } cases[] = {
        { 16, -1, { .kind = TYPE_INT, .bits = 8, .boolean = true } },
        { 1700, -1, { .kind = TYPE_TEXT } },
        { 1700, (10 << 16 | 2) + 4, { .kind = TYPE_DECIMAL, .precision = 10, .scale = 2 } },
        { 1700, (3 << 16 | 0x7fe) + 4, { .kind = TYPE_DECIMAL, .precision = 5, .scale = 0 } },
        { 1700, (2 << 16 | 5) + 4, { .kind = TYPE_DECIMAL, .precision = 5, .scale = 5 } },
        { 1700, (1000 << 16 | 0) + 4, { .kind = TYPE_TEXT } },
        { 1043, 304, { .kind = TYPE_TEXT, .length = 300 } },
        { 1042, 24, { .kind = TYPE_TEXT, .length = 20, .fixed = true } },
        { 1184, -1, { .kind = TYPE_TIMESTAMP, .scale = 6 } },
        { 1184, 0, { .kind = TYPE_TIMESTAMP, .scale = 0 } },
        { 1186, -1, { .kind = TYPE_TEXT } },
        { 99999, -1, { .kind = TYPE_TEXT } },
        { 20001, -1, { .kind = TYPE_DECIMAL, .precision = 10, .scale = 2 } },
    };
    const struct user_type domain = { .oid = 20001, .base = 1700, .typmod = (10 << 16 | 2) + 4 };
    const struct user_types users = { &domain, 1, false };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct type type = postgres_type(cases[i].oid, cases[i].typmod, &users);
        print_message("oid %u, typmod %d\n", cases[i].oid, cases[i].typmod);
        assert_true(type_equal(&type, &cases[i].type));
    }
}

/* A list as it was walked: <a><NULL>; a text that is none as it stands. */
static void list_text(const struct value *array, struct buf *out)
{
    struct bytes rest = value_bytes(array);
    struct value item;
    if (!array_is_list(array))
        buf_bytes(out, rest);
    while (array_is_list(array) && array_next(&rest, &item))
        if (item.tag == VALUE_TEXT)
            buf_printf(out, "<%.*s>", BYTES_ARGS(value_bytes(&item)));
        else
            buf_text(out, item.tag == VALUE_NULL ? "<NULL>" : "<number>");
}

static void test_arrays(void **state)
{
    (void)state;
    static const struct type texts = { .kind = TYPE_ARRAY, .element = TYPE_TEXT };
    static const struct type ints = { .kind = TYPE_ARRAY, .element = TYPE_INT, .bits = 32 };
    static const struct {
        const struct type *type;
        const char *text, *list; /* NULL: refused */
    } cases[] = {
        { &texts, "{}", "" },
        { &texts, "{a,NULL,\"NULL\",\"\",\"a,b\",\"{}\"}", "<a><NULL><NULL><><a,b><{}>" },
        { &texts, "{\"q\\\"\",\"b\\\\s\"}", "<q\"><b\\s>" },
        { &texts, "{{a},{b}}", "{{a},{b}}" },
        { &texts, "[0:1]={a,b}", "[0:1]={a,b}" },
        { &ints, "{1,NULL,-3}", "<number><NULL><number>" },
        { &ints, "{1,x}", NULL },
        { &texts, "", NULL },
        { &texts, "{", NULL },
        { &texts, "{a", NULL },
        { &texts, "{a,", NULL },
        { &texts, "{a,}", NULL },
        { &texts, "{\"a}", NULL },
        { &texts, "{\"a\\", NULL },
        { &texts, "{a}b", NULL },
        { &texts, "{a{b}", NULL },
        { &texts, "a}", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena = { 0 };
        struct value value;
        struct buf list;
        print_message("%s\n", cases[i].text);
        buf_init(&list, 1000);
        bool ok = text_decoder_of(cases[i].type)
                      .decode(bytes_from(cases[i].text), cases[i].type, &arena, &value);
        assert_true(ok == (cases[i].list != NULL));
        if (ok)
            list_text(&value, &list);
        assert_true(!ok || bytes_is(buf_view(&list), cases[i].list));
        buf_done(&list);
        arena_done(&arena);
    }
}

static void test_types_of_arrays(void **state)
{
    (void)state;
    const struct user_types users = { NULL, 0, true };
    struct type type = postgres_type(1231, (10 << 16 | 2) + 4, &users);
    const struct type decimals = {
        .kind = TYPE_ARRAY, .element = TYPE_DECIMAL, .precision = 10, .scale = 2
    };
    assert_true(type_equal(&type, &decimals));
    struct column column = { .type = type };
    postgres_key_type(&column);
    assert_int_equal(column.type.kind, TYPE_ARRAY);
    column.key_order = 1;
    postgres_key_type(&column);
    assert_int_equal(column.type.kind, TYPE_TEXT);
}

static bool sees(const char *text, uint32_t xid)
{
    struct arena arena = { 0 };
    struct snapshot_text snapshot;
    struct buf low, transaction;
    assert_true(snapshot_parse(bytes_from(text), &arena, &snapshot));
    bool seen = snapshot_sees(&snapshot, xid);
    buf_init(&low, 1000);
    buf_init(&transaction, 100);
    snapshot_token_put(&snapshot, &low);
    transaction_token_put(xid, &transaction);
    assert_int_equal(snapshot_token_member(buf_view(&low), buf_view(&transaction)),
                     seen ? MEMBER_IN : MEMBER_OUT);
    buf_done(&low);
    buf_done(&transaction);
    arena_done(&arena);
    return seen;
}

static void test_snapshots(void **state)
{
    (void)state;
    assert_true(sees("10:20:10,14,15", 9));
    assert_false(sees("10:20:10,14,15", 10));
    assert_true(sees("10:20:10,14,15", 11));
    assert_false(sees("10:20:10,14,15", 15));
    assert_true(sees("10:20:10,14,15", 19));
    assert_false(sees("10:20:10,14,15", 20));
    /* Behind the wraparound of 32 bits: 4294967300 is xid 4 of the next round. */
    assert_true(sees("4294967300:4294967310:4294967302", 4294967290u));
    assert_true(sees("4294967300:4294967310:4294967302", 5));
    assert_false(sees("4294967300:4294967310:4294967302", 6));
    assert_false(sees("4294967300:4294967310:4294967302", 14));
    struct arena arena = { 0 };
    struct snapshot_text snapshot;
    static const char *const bad[] = {
        "", "10", "10:20", "10:20:x", "a:b:", "10:20:,", "99999999999999999999:1:"
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        print_message("'%s'\n", bad[i]);
        assert_false(snapshot_parse(bytes_from(bad[i]), &arena, &snapshot));
    }
    arena_done(&arena);
}

static void test_gates(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct snapshot_text snapshot;
    struct buf gate;
    const uint32_t given[] = { 12, 14 };
    buf_init(&gate, 1000);
    gate_token_put(&(struct wal_gate){ 3, 10, given, 2 }, &gate);
    assert_true(gate_token_is_elsewhere(buf_view(&gate), 4));
    assert_false(gate_token_is_elsewhere(buf_view(&gate), 3));
    assert_false(gate_token_is_elsewhere(buf_view(&gate), 0));
    assert_false(gate_token_is_elsewhere((struct bytes){ 0 }, 4));
    assert_true(snapshot_parse(bytes_from("11:20:13"), &arena, &snapshot));
    assert_true(gate_token_holds(buf_view(&gate), &snapshot));
    assert_true(gate_token_holds((struct bytes){ 0 }, &snapshot));
    assert_true(snapshot_parse(bytes_from("11:20:14"), &arena, &snapshot));
    assert_false(gate_token_holds(buf_view(&gate), &snapshot)); /* 14 was given, and is not seen */
    assert_true(snapshot_parse(bytes_from("9:20:9"), &arena, &snapshot));
    assert_false(gate_token_holds(buf_view(&gate), &snapshot)); /* below the floor */
    assert_false(gate_token_holds((struct bytes){ gate.data, gate.size - 1 }, &snapshot));
    buf_done(&gate);
    arena_done(&arena);
}

static void test_positions(void **state)
{
    (void)state;
    uint64_t lsn;
    struct wal_place place;
    struct buf token;
    assert_true(lsn_parse(BYTES_LITERAL("16/B374D848"), &lsn));
    assert_true(lsn == UINT64_C(0x16b374d848));
    assert_false(lsn_parse(BYTES_LITERAL("16"), &lsn));
    assert_false(lsn_parse(BYTES_LITERAL("16/1FFFFFFFF"), &lsn));
    assert_false(lsn_parse(BYTES_LITERAL("16/x"), &lsn));
    buf_init(&token, 100);
    position_token_put(&(struct wal_place){ 7, 8, 9 }, &token);
    assert_true(position_token_parse(buf_view(&token), &place));
    assert_true(place.lsn == 7 && place.cluster == 8 && place.timeline == 9);
    assert_false(position_token_parse((struct bytes){ token.data, token.size - 1 }, &place));
    assert_false(high_token_parse(buf_view(&token), &lsn));
    buf_done(&token);
}

static void test_lines_of_copy(void **state)
{
    (void)state;
    const struct column columns[] = {
        { .name = BYTES_LITERAL("id"),
          .type = { .kind = TYPE_INT, .bits = 32 },
          .source_type = BYTES_LITERAL("integer") },
        { .name = BYTES_LITERAL("s"), .type = { .kind = TYPE_TEXT } },
        { .name = BYTES_LITERAL("b"), .type = { .kind = TYPE_BYTES } },
    };
    const struct table table = { .columns = columns, .column_count = 3 };
    struct batch batch = { 0 };
    struct buf scratch;
    struct error err;
    buf_init(&scratch, 1000);
    struct copy_plan *plan = copy_plan_make(&table, &batch.arena);
    assert_true(
        copy_row(plan, BYTES_LITERAL("7\ta\\tb\\\\N\\n\t\\\\x00ff\n"), &batch, &scratch, &err));
    const struct value *row = batch.events[0].after;
    assert_true(row[0].integer == 7);
    assert_true(bytes_is(value_bytes(&row[1]), "a\tb\\N\n"));
    assert_true(bytes_equal(value_bytes(&row[2]), BYTES_LITERAL("\0\377")));
    assert_true(copy_row(plan, BYTES_LITERAL("\\N\t\t\\N\n"), &batch, &scratch, &err));
    row = batch.events[1].after;
    assert_true(row[0].tag == VALUE_NULL && row[1].size == 0 && row[2].tag == VALUE_NULL);
    assert_true(copy_row(plan, BYTES_LITERAL("12345678901\tmore than eight\\\\ and on\t\\\\x\n"),
                         &batch, &scratch, &err));
    row = batch.events[2].after;
    assert_true(row[0].integer == 12345678901);
    assert_true(bytes_is(value_bytes(&row[1]), "more than eight\\ and on") && row[2].size == 0);
    static const char *const bad[] = { "7\ta\n", "7\ta\t\\\\x00\tmore\n", "x\ta\t\\\\x\n",
                                       "7\ta\\\t\\N\n", "" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        print_message("'%s'\n", bad[i]);
        assert_false(copy_row(plan, bytes_from(bad[i]), &batch, &scratch, &err));
        assert_int_equal(err.code, READER_SHAPE);
    }
    buf_done(&scratch);
    arena_done(&batch.arena);
    free(batch.events);
}

static void test_errors(void **state)
{
    (void)state;
    struct error err;
    assert_false(session_failure(&err, "28P01", BYTES_LITERAL("password authentication failed")));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_int_equal(err.code, sqlstate_code("28P01"));
    assert_false(session_failure(&err, "53300", BYTES_LITERAL("too many clients")));
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_false(session_failure(&err, "42999", BYTES_LITERAL("some syntax")));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_false(session_failure(&err, "XX000", BYTES_LITERAL("internal")));
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_false(session_failure(&err, "", BYTES_LITERAL("SSL error: certificate verify failed")));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_false(session_failure(&err, "", BYTES_LITERAL("something new")));
    assert_int_equal(err.kind, ERROR_RETRY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_texts),     cmocka_unit_test(test_types),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_types_of_arrays),
        cmocka_unit_test(test_snapshots), cmocka_unit_test(test_gates),
        cmocka_unit_test(test_positions), cmocka_unit_test(test_lines_of_copy),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
