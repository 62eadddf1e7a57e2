/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cmocka.h"

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/cleanup.h"
#include "sources/mysql/binlog_column.h"
#include "sources/mysql/binlog_rows.h"
#include "tests/support/value_text.h"
#include "tests/unit/sources/captured_rows.h"

#include <stdlib.h>

static void arena_cleanup(struct arena *arena) { arena_done(arena); }
static void buf_cleanup(struct buf *buf) { buf_done(buf); }
static void batch_cleanup(struct batch *batch)
{
    arena_done(&batch->arena);
    free(batch->events);
}

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

/* The collations of MariaDB 11.8 that its tables had. */
static const struct collation_entry entries[] = {
    { 2304, { (const uint8_t *)"utf8mb4_uca1400_ai_ci", 21 }, { (const uint8_t *)"utf8mb4", 7 } },
};
static const struct collation_table collations = { entries, 1 };

struct fixture {
    struct arena arena;
    struct table_map *map;
    struct table *table;
    struct row_plan *plan;
    struct error err;
};
static void fixture_cleanup(struct fixture *fixture) { arena_done(&fixture->arena); }

static void set_type(struct fixture *fixture, const char *name)
{
    struct column *columns = (struct column *)(uintptr_t)fixture->table->columns;
    columns[1].type.kind = strcmp(name, "uuid") == 0    ? TYPE_UUID
                           : strcmp(name, "inet6") == 0 ? TYPE_INET6
                           : strcmp(name, "inet4") == 0 ? TYPE_INET4
                                                        : columns[1].type.kind;
}

static void prepare(struct fixture *fixture, const struct captured *captured)
{
    struct bytes map = from_hex(&fixture->arena, captured->map);
    struct error *err = &fixture->err;
    struct arena *arena = &fixture->arena;
    assert_true(table_map_parse(map, captured->mariadb, arena, &fixture->map, err));
    assert_true(table_map_derive(fixture->map, NULL, &collations, arena, &fixture->table, err));
    set_type(fixture, captured->name);
    assert_true(
        row_plan_make(fixture->map, fixture->table, &collations, arena, &fixture->plan, err));
}

static const struct captured *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(captured_rows); i++)
        if (strcmp(captured_rows[i].name, name) == 0)
            return &captured_rows[i];
    fail_msg("no capture '%s'", name);
    return NULL;
}

static void test_captured(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(captured_rows); i++) {
        const struct captured *captured = &captured_rows[i];
        print_message("%s\n", captured->name);
        CLEANUP(fixture_cleanup) struct fixture fixture = { 0 };
        CLEANUP(batch_cleanup) struct batch batch = { 0 };
        CLEANUP(buf_cleanup) struct buf shown;
        buf_init(&shown, 1 << 20);
        prepare(&fixture, captured);
        struct rows_cursor cursor = { .plan = fixture.plan, .time_us = 77 };
        bool end = false;
        struct bytes body = from_hex(&fixture.arena, captured->rows);
        assert_true(rows_event_parse(body, captured->type, &cursor.event, &fixture.err));
        if (!rows_decode(&cursor, &batch, &end, &fixture.err))
            fail_msg("%s", fixture.err.message);
        assert_true(end);
        for (uint32_t j = 0; j < batch.count; j++) {
            const struct event *event = &batch.events[j];
            assert_int_equal(event->op, captured->type == 39 ? EVENT_UPDATE : EVENT_INSERT);
            assert_int_equal(event->after[0].integer, j + 1);
            assert_int_equal(event->time_us, 77);
            assert_ptr_equal(event->table, fixture.table);
            buf_text(&shown, j ? "|" : "");
            value_show(&shown, &fixture.table->columns[1].type, &event->after[1]);
        }
        buf_u8(&shown, 0);
        assert_string_equal((const char *)shown.data, captured->shown);
    }
}

/* Every event, cut at every place, is refused or is shorter by whole rows: nothing is read behind.
 */
static void test_cut_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(captured_rows); i++) {
        CLEANUP(fixture_cleanup) struct fixture fixture = { 0 };
        prepare(&fixture, &captured_rows[i]);
        struct bytes body = from_hex(&fixture.arena, captured_rows[i].rows);
        for (size_t size = 0; size < body.size; size++) {
            CLEANUP(batch_cleanup) struct batch batch = { 0 };
            struct rows_cursor cursor = { .plan = fixture.plan };
            bool end;
            uint8_t *exact = malloc(size ? size : 1); /* the sanitizer watches its end */
            assert_non_null(exact);
            memcpy(exact, body.data, size);
            struct bytes cut = { exact, size };
            if (rows_event_parse(cut, captured_rows[i].type, &cursor.event, &fixture.err) &&
                !rows_decode(&cursor, &batch, &end, &fixture.err))
                assert_int_equal(fixture.err.kind, ERROR_DATA);
            free(exact);
        }
    }
}

/* ---- events made by hand: one table of (a TINYINT, b VARCHAR(20), c ENUM('x')) ---- */

static const struct bytes members[] = { { (const uint8_t *)"x", 1 } };
static const struct column columns[] = {
    { .name = { (const uint8_t *)"a", 1 }, .type = { .kind = TYPE_INT, .bits = 8 } },
    { .name = { (const uint8_t *)"b", 1 },
      .type = { .kind = TYPE_TEXT, .length = 20 },
      .charset = { (const uint8_t *)"utf8mb4", 7 },
      .nullable = true },
    { .name = { (const uint8_t *)"c", 1 },
      .type = { .kind = TYPE_ENUM, .members = members, .member_count = 1 },
      .nullable = true },
};
static const struct table hand_table = { .columns = columns,
                                         .column_count = 3,
                                         .version = 2,
                                         .database = { (const uint8_t *)"d", 1 },
                                         .name = { (const uint8_t *)"t", 1 } };
static const uint8_t hand_types[] = { WIRE_TINY, WIRE_VARCHAR, WIRE_ENUM };
static const uint16_t hand_metadata[] = { 0, 80, 1 };
static const struct table_map hand_map = { .column_count = 3,
                                           .types = hand_types,
                                           .metadata = hand_metadata,
                                           .database = { (const uint8_t *)"d", 1 },
                                           .name = { (const uint8_t *)"t", 1 } };

static void show_image(struct buf *out, const struct value *values)
{
    for (uint16_t i = 0; values && i < 3; i++) {
        buf_text(out, i ? "," : "");
        value_show(out, &columns[i].type, &values[i]);
    }
}

static const struct {
    const char *name;
    uint8_t type;
    const char *rows, *shown; /* after the table id; NULL: refused */
} hand_cases[] = {
    { "v1 insert", 23,
      "01000307"
      "00"
      "01"
      "0141"
      "01",
      "+1,41,78;" },
    { "v2 insert", 30,
      "010002000307"
      "00"
      "01"
      "0141"
      "00",
      "+1,41,;" },
    { "extra data is stepped over", 30,
      "0100050001aabb0307"
      "06"
      "ff",
      "+-1,NULL,NULL;" },
    { "extra data is cut off", 30, "0100ff000307", NULL },
    { "extra data shorter than its length", 30, "010001000307", NULL },
    { "delete of two", 32,
      "010002000307"
      "06"
      "01"
      "06"
      "02",
      "-1,NULL,NULL;-2,NULL,NULL;" },
    { "update", 31,
      "01000200030707"
      "06"
      "01"
      "02"
      "01"
      "00",
      "-1,NULL,NULL+1,NULL,;" },
    { "update to a label", 31,
      "01000200030707"
      "06"
      "01"
      "02"
      "0101",
      "-1,NULL,NULL+1,NULL,78;" },
    { "update, minimal image", 31,
      "01000200030102"
      "00"
      "01"
      "00"
      "0142",
      "-1,ABSENT,ABSENT+ABSENT,42,ABSENT;" },
    { "update without the after image", 31,
      "01000200030707"
      "06"
      "01",
      NULL },
    { "no such label", 30,
      "010002000307"
      "02"
      "01"
      "02",
      NULL },
    { "another number of columns", 30,
      "010002000203"
      "00"
      "01"
      "00",
      NULL },
    { "columns as a long number", 30,
      "01000200fc030007"
      "06"
      "01",
      "+1,NULL,NULL;" },
    { "no rows at all", 30, "010002000307", "" },
    { "no columns present", 30,
      "010002000300"
      "ff",
      NULL },
    { "bytes behind the last row", 30,
      "010002000307"
      "06"
      "01"
      "06",
      NULL },
    { "no bitmap", 30, "0100020003", NULL },
    { "not a rows event", 19,
      "01000307"
      "06"
      "01",
      NULL },
};

static void test_by_hand(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    struct row_plan *plan;
    struct error err;
    assert_true(row_plan_make(&hand_map, &hand_table, NULL, &arena, &plan, &err));
    for (size_t i = 0; i < ARRAY_SIZE(hand_cases); i++) {
        print_message("%s\n", hand_cases[i].name);
        CLEANUP(batch_cleanup) struct batch batch = { 0 };
        CLEANUP(buf_cleanup) struct buf shown, hex;
        buf_init(&shown, 4096);
        buf_init(&hex, 4096);
        buf_printf(&hex, "050000000000%s", hand_cases[i].rows);
        buf_u8(&hex, 0);
        struct bytes body = from_hex(&arena, (const char *)hex.data);
        struct rows_cursor cursor = { .plan = plan };
        bool end = false;
        bool ok = rows_event_parse(body, hand_cases[i].type, &cursor.event, &err) &&
                  rows_decode(&cursor, &batch, &end, &err);
        assert_int_equal(ok, hand_cases[i].shown != NULL);
        assert_int_equal(end, ok);
        for (uint32_t j = 0; ok && j < batch.count; j++) {
            const struct event *event = &batch.events[j];
            buf_text(&shown, event->before ? "-" : "");
            show_image(&shown, event->before);
            buf_text(&shown, event->after ? "+" : "");
            show_image(&shown, event->after);
            buf_text(&shown, ";");
        }
        buf_u8(&shown, 0);
        if (ok)
            assert_string_equal((const char *)shown.data, hand_cases[i].shown);
        else
            assert_int_equal(err.kind, ERROR_DATA);
    }
}

static void test_dummy(void **state)
{
    (void)state;
    static const uint8_t body[] = { 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 2, 0 };
    struct rows_cursor cursor = { 0 };
    struct batch batch = { 0 };
    struct error err;
    bool end = false;
    assert_true(rows_event_parse((struct bytes){ body, sizeof body }, 30, &cursor.event, &err));
    assert_int_equal(cursor.event.flags, ROWS_STMT_END);
    assert_true(rows_decode(&cursor, &batch, &end, &err));
    assert_true(end);
    assert_int_equal(batch.count, 0);
}

/* An event of `count` rows whose text has `size` bytes, 300 of them a digit of the row's number. */
static struct bytes many_rows(struct buf *out, uint32_t count, uint32_t size)
{
    static const uint8_t head[] = { 5, 0, 0, 0, 0, 0, 1, 0, 2, 0, 3, 7 };
    buf_init(out, 1u << 30);
    buf_put(out, head, sizeof head);
    for (uint32_t i = 0; i < count; i++) {
        buf_le(out, 0, 1);
        buf_le(out, i & 0x7f, 1);
        buf_le(out, size, 4);
        memset(buf_reserve(out, size), 'a' + (int)(i % 26), size);
        out->size += size;
        buf_le(out, 1, 1);
    }
    return buf_view(out);
}

static const struct {
    const char *name;
    uint32_t count, size;
} many_cases[] = {
    { "more rows than a batch holds", 30000, 3 },
    { "more bytes than a batch holds", 2000, 1500 },
    { "rows larger than a batch", 3, 2 << 20 },
    { "one row", 1, 10 },
};

static void test_many(void **state)
{
    (void)state;
    static const uint16_t metadata[] = { 0, 4, 1 };
    static const uint8_t types[] = { WIRE_TINY, WIRE_BLOB, WIRE_ENUM };
    struct table_map map = hand_map;
    map.metadata = metadata;
    map.types = types;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    struct row_plan *plan;
    struct error err;
    assert_true(row_plan_make(&map, &hand_table, NULL, &arena, &plan, &err));
    for (size_t i = 0; i < ARRAY_SIZE(many_cases); i++) {
        print_message("%s\n", many_cases[i].name);
        CLEANUP(buf_cleanup) struct buf event;
        struct rows_cursor cursor = { .plan = plan };
        struct bytes body = many_rows(&event, many_cases[i].count, many_cases[i].size);
        assert_true(rows_event_parse(body, 30, &cursor.event, &err));
        uint32_t row = 0;
        for (bool end = false; !end;) {
            CLEANUP(batch_cleanup) struct batch batch = { 0 };
            assert_true(rows_decode(&cursor, &batch, &end, &err));
            assert_true(batch.count > 0);
            assert_true(batch.arena.total < BATCH_BYTES_GOAL + many_cases[i].size + (128u << 10));
            for (uint32_t j = 0; j < batch.count; j++, row++) {
                const struct value *after = batch.events[j].after;
                assert_int_equal(after[0].integer, row & 0x7f);
                assert_int_equal(after[1].size, many_cases[i].size);
                assert_int_equal(after[1].data[0], 'a' + (int)(row % 26));
                assert_int_equal(after[1].data[after[1].size - 1], 'a' + (int)(row % 26));
            }
        }
        assert_int_equal(row, many_cases[i].count);
    }
}

static void test_full_batch_takes_nothing(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    CLEANUP(batch_cleanup) struct batch batch = { 0 };
    struct row_plan *plan;
    struct error err;
    bool end = true;
    assert_true(row_plan_make(&hand_map, &hand_table, NULL, &arena, &plan, &err));
    struct bytes body = from_hex(&arena, "050000000000"
                                         "010002000307"
                                         "06"
                                         "01");
    struct rows_cursor cursor = { .plan = plan };
    assert_true(rows_event_parse(body, 30, &cursor.event, &err));
    arena_raw(&batch.arena, BATCH_BYTES_GOAL);
    assert_true(rows_decode(&cursor, &batch, &end, &err));
    assert_false(end);
    assert_int_equal(batch.count, 0);
}

/* Diffs without the document that they change. */
static void test_partial_without_before(void **state)
{
    (void)state;
    const struct captured *captured = find("json of diffs");
    CLEANUP(fixture_cleanup) struct fixture fixture = { 0 };
    CLEANUP(batch_cleanup) struct batch batch = { 0 };
    prepare(&fixture, captured);
    struct rows_cursor cursor = { .plan = fixture.plan };
    bool end;
    /* before: id alone; after: both, a bit that says diffs */
    struct bytes body = from_hex(&fixture.arena, "050000000000"
                                                 "01000200020103"
                                                 "00"
                                                 "01000000"
                                                 "0101"
                                                 "00"
                                                 "01000000"
                                                 "00000000");
    assert_true(rows_event_parse(body, 39, &cursor.event, &fixture.err));
    assert_false(rows_decode(&cursor, &batch, &end, &fixture.err));
    assert_non_null(strstr(fixture.err.message, "before image"));
}

static void test_plan_refuses(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    struct row_plan *plan;
    struct error err;
    struct table_map map = hand_map;
    static const uint8_t wrong[] = { WIRE_TINY, WIRE_LONG, WIRE_ENUM };
    map.column_count = 2;
    assert_false(row_plan_make(&map, &hand_table, NULL, &arena, &plan, &err));
    assert_int_equal(err.kind, ERROR_DATA);
    assert_non_null(strstr(err.message, "'c'"));
    map.column_count = 3;
    map.types = wrong;
    assert_false(row_plan_make(&map, &hand_table, NULL, &arena, &plan, &err));
    assert_int_equal(err.kind, ERROR_DATA);
    assert_non_null(strstr(err.message, "'b'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captured),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_dummy),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_full_batch_takes_nothing),
        cmocka_unit_test(test_partial_without_before),
        cmocka_unit_test(test_plan_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
