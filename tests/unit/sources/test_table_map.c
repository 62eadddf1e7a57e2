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
#include "tests/unit/sources/captured_rows.h"

#include <stdlib.h>

static void arena_cleanup(struct arena *arena) { arena_done(arena); }
static void buf_cleanup(struct buf *buf) { buf_done(buf); }

static void put_hex(struct buf *out, const char *hex)
{
    for (size_t i = 0; i + 1 < strlen(hex); i += 2) {
        char pair[3] = { hex[i], hex[i + 1], 0 };
        buf_u8(out, (uint8_t)strtoul(pair, NULL, 16));
    }
}

/* A map of table d.t: `columns` is all from the column count on. */
static void map_begin(struct buf *out, const char *columns)
{
    buf_init(out, 1 << 20);
    put_hex(out, "2a0000000000"
                 "0100"
                 "0164"
                 "00"
                 "0174"
                 "00");
    put_hex(out, columns);
}

#define EIGHT /* INT, VARCHAR, FLOAT, BLOB, ENUM, GEOMETRY, SET, YEAR */                           \
    "08"                                                                                           \
    "030f04fcfefffe0d"                                                                             \
    "09"                                                                                           \
    "5000"                                                                                         \
    "04"                                                                                           \
    "02"                                                                                           \
    "f701"                                                                                         \
    "04"                                                                                           \
    "f801"                                                                                         \
    "fe"

static const struct {
    const char *name, *columns;
    bool mariadb, ok;
} parse_cases[] = {
    { "no columns",
      "00"
      "00",
      false, true },
    { "eight columns", EIGHT, false, true },
    { "more types than bytes", "ff", false, false },
    { "more columns than a server allows", "fdffff00", false, false },
    { "unknown type",
      "01"
      "14"
      "00"
      "00",
      false, false },
    { "metadata cut off",
      "01"
      "0f"
      "0150",
      false, false },
    { "metadata longer than the event",
      "01"
      "0f"
      "ff",
      false, false },
    { "no bitmap of nullable columns",
      "01"
      "03"
      "00",
      false, false },
    { "unknown field",
      "01"
      "03"
      "00"
      "00"
      "6303aabbcc",
      false, true },
    { "field cut off",
      "01"
      "03"
      "00"
      "00"
      "0105aa",
      false, false },
    { "field without a size",
      "01"
      "03"
      "00"
      "00"
      "01",
      false, false },
    { "no bytes of signs",
      "01"
      "03"
      "00"
      "00"
      "0100",
      false, false },
    { "name cut off",
      "01"
      "03"
      "00"
      "00"
      "04020561",
      false, false },
    { "names of too few columns",
      "02"
      "0303"
      "00"
      "00"
      "04020161",
      false, false },
    { "character set for no column", EIGHT "0203210508", false, false },
    { "too few character sets", EIGHT "030121", false, false },
    { "more labels than bytes", EIGHT "0602fa01", false, false },
    { "label cut off", EIGHT "0603010561", false, false },
    { "key of no column", EIGHT "080108", false, false },
    { "key of one column twice", EIGHT "08020000", false, false },
    { "key with a prefix cut off", EIGHT "090101", false, false },
    { "visibility cut off", EIGHT "0c00", false, false },
    { "geometry cut off", EIGHT "0700", false, false },
    { "three character sets are MariaDB's", EIGHT "0303213f3f", true, true },
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(parse_cases); i++) {
        print_message("%s\n", parse_cases[i].name);
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        CLEANUP(buf_cleanup) struct buf body;
        struct table_map *map;
        struct error err = { 0 };
        map_begin(&body, parse_cases[i].columns);
        bool ok = table_map_parse(buf_view(&body), parse_cases[i].mariadb, &arena, &map, &err);
        assert_int_equal(ok, parse_cases[i].ok);
        if (!ok)
            assert_int_equal(err.kind, ERROR_DATA);
    }
}

static void test_columns(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    CLEANUP(buf_cleanup) struct buf body;
    struct table_map *map;
    struct error err;
    map_begin(&body, "09"
                     "fefef6100f8c8dfc13"
                     "0f"
                     "cefc"
                     "fe05"
                     "4105"
                     "0701"
                     "2c01"
                     "03"
                     "c900"
                     "04"
                     "06"
                     "0301");
    assert_true(table_map_parse(buf_view(&body), true, &arena, &map, &err));
    static const uint8_t types[] = {
        WIRE_STRING,  WIRE_STRING,          WIRE_NEWDECIMAL,         WIRE_BIT,
        WIRE_VARCHAR, WIRE_BLOB_COMPRESSED, WIRE_VARCHAR_COMPRESSED, WIRE_BLOB,
        WIRE_TIME2
    };
    static const uint16_t metadata[] = { 1020, 5, 65 << 8 | 5, 15, 300, 3, 201, 4, 6 };
    assert_int_equal(map->column_count, 9);
    assert_int_equal(map->table_id, 42);
    assert_memory_equal(map->types, types, sizeof types);
    assert_memory_equal(map->metadata, metadata, sizeof metadata);
    assert_memory_equal(map->nullable, "\3\1", 2);
    assert_false(map->has_names || map->has_keys || map->has_signedness || map->has_charsets);
    struct table_map_name name;
    assert_true(table_map_peek(buf_view(&body), &name, &err));
    assert_int_equal(name.table_id, 42);
    assert_true(bytes_is(name.database, "d") && bytes_is(name.name, "t"));
    assert_false(table_map_peek((struct bytes){ body.data, 11 }, &name, &err));
}

static void test_metadata(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    CLEANUP(buf_cleanup) struct buf body;
    struct table_map *map;
    struct error err;
    map_begin(&body, EIGHT);
    put_hex(&body, "0101a0"); /* numeric: INT unsigned, FLOAT, YEAR unsigned */
    put_hex(&body, "0203"
                   "21013f"); /* default 33; the second of the character columns is binary */
    put_hex(&body, "0a01"
                   "08"); /* labels in latin1 */
    put_hex(&body, "0410"
                   "0161"
                   "0162"
                   "0163"
                   "0164"
                   "0165"
                   "0166"
                   "0167"
                   "0168");
    put_hex(&body, "0605"
                   "02"
                   "0178"
                   "01e9");
    put_hex(&body, "0503"
                   "01"
                   "0173");
    put_hex(&body, "070101");
    put_hex(&body, "0904"
                   "0100"
                   "000a");   /* b, and a by a prefix */
    put_hex(&body, "0c017f"); /* a is invisible */
    assert_true(table_map_parse(buf_view(&body), false, &arena, &map, &err));
    assert_true(map->has_names && map->has_keys && map->has_signedness && map->has_charsets);
    assert_true(map->is_unsigned[0]);
    assert_false(map->is_unsigned[2]);
    assert_true(map->is_unsigned[7]);
    static const uint32_t collations[] = { 0, 33, 0, 63, 8, 0, 8, 0 };
    for (size_t i = 0; i < ARRAY_SIZE(collations); i++)
        assert_int_equal(map->collation[i], collations[i]);
    assert_true(bytes_is(map->names[7], "h"));
    assert_int_equal(map->member_counts[4], 2);
    assert_true(bytes_is(map->members[4][1], "\xe9"));
    assert_int_equal(map->member_counts[6], 1);
    assert_null(map->members[0]);
    assert_int_equal(map->key_count, 2);
    assert_int_equal(map->key_columns[0], 1);
    assert_int_equal(map->key_columns[1], 0);
    assert_true(map->invisible[0]);
    assert_false(map->invisible[1]);
    assert_int_equal(map->geometry_type[5], 1);

    struct table *table;
    assert_true(table_map_derive(map, NULL, NULL, &arena, &table, &err));
    static const char *const spelled[] = {
        "int unsigned",         "varchar(26)", "float",    "blob",
        "enum('x','\xc3\xa9')", "point",       "set('s')", "year"
    };
    for (uint16_t i = 0; i < 8; i++)
        assert_true(bytes_is(table->columns[i].source_type, spelled[i]));
    assert_true(bytes_is(table->columns[1].charset, "utf8mb3"));
    assert_true(bytes_is(table->columns[1].collation, "utf8mb3_general_ci"));
    assert_null(table->columns[3].charset.data);
    assert_int_equal(table->columns[3].type.kind, TYPE_BYTES);
    assert_true(bytes_is(table->columns[4].type.members[1], "\xc3\xa9"));
    assert_int_equal(table->key_count, 2);
    assert_int_equal(table->key_columns[0], 1);
    assert_int_equal(table->key_columns[1], 0);
    assert_false(table->columns[0].nullable);
    assert_true(table->columns[1].nullable);
    assert_true(table->columns[0].invisible);
}

/* Every map that was captured: what it derives fits it, and what it derives over itself is the
 * same. */
static void test_captured(void **state)
{
    (void)state;
    static const struct collation_entry entries[] = {
        { 2304,
          { (const uint8_t *)"utf8mb4_uca1400_ai_ci", 21 },
          { (const uint8_t *)"utf8mb4", 7 } },
    };
    static const struct collation_table collations = { entries, 1 };
    for (size_t i = 0; i < ARRAY_SIZE(captured_rows); i++) {
        print_message("%s\n", captured_rows[i].name);
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        CLEANUP(buf_cleanup) struct buf body, why;
        struct table_map *map;
        struct table *table, *again;
        struct error err;
        buf_init(&body, 1 << 20);
        buf_init(&why, 1000);
        put_hex(&body, captured_rows[i].map);
        struct bytes raw = buf_view(&body);
        assert_true(table_map_parse(raw, captured_rows[i].mariadb, &arena, &map, &err));
        assert_true(table_map_derive(map, NULL, &collations, &arena, &table, &err));
        assert_true(table_map_fits(map, table, &why));
        assert_int_equal(table->key_count, 1);
        assert_true(table_map_derive(map, table, &collations, &arena, &again, &err));
        assert_true(bytes_equal(again->columns[1].source_type, table->columns[1].source_type));
        for (size_t size = 0; size < raw.size; size++) {
            uint8_t *exact = malloc(size ? size : 1); /* the sanitizer watches its end */
            assert_non_null(exact);
            memcpy(exact, raw.data, size);
            if (!table_map_parse((struct bytes){ exact, size }, false, &arena, &map, &err))
                assert_int_equal(err.kind, ERROR_DATA);
            free(exact);
        }
    }
}

/* ---- fitting: one table of (id INT UNSIGNED key, s VARCHAR(10) latin1, e ENUM('a','b')) ---- */

#define THREE                                                                                      \
    "03"                                                                                           \
    "030ffe"                                                                                       \
    "04"                                                                                           \
    "0a00"                                                                                         \
    "f701"                                                                                         \
    "06"
#define THREE_FULL                                                                                 \
    "010180"                                                                                       \
    "030108"                                                                                       \
    "0a0108"                                                                                       \
    "0407"                                                                                         \
    "026964"                                                                                       \
    "0173"                                                                                         \
    "0165"                                                                                         \
    "0605"                                                                                         \
    "02"                                                                                           \
    "0161"                                                                                         \
    "0162"                                                                                         \
    "080100"

static const struct {
    const char *name, *columns, *why; /* why NULL: fits */
} fit_cases[] = {
    { "nothing told", THREE, NULL },
    { "all told", THREE THREE_FULL, NULL },
    { "names in capitals",
      THREE "0407"
            "024944"
            "0153"
            "0145",
      NULL },
    { "another number of columns",
      "02"
      "030f"
      "02"
      "0a00"
      "02",
      "2 columns instead of 3" },
    { "another name",
      THREE "0407"
            "026964"
            "0178"
            "0165",
      "name of column 's'" },
    { "another type",
      "03"
      "080ffe"
      "04"
      "0a00"
      "f701"
      "06",
      "type of column 'id'" },
    { "another sign", THREE "010100", "sign of column 'id'" },
    { "another character set", THREE "030121", "character set of column 's'" },
    { "bytes", THREE "03013f", "character set of column 's'" },
    { "another label",
      THREE "0a0108"
            "0605"
            "02"
            "0161"
            "0163",
      "labels of column 'e'" },
    { "one label less",
      THREE "0a0108"
            "0603"
            "01"
            "0161",
      "labels of column 'e'" },
    { "another key", THREE "08020001", "primary key" },
};

static const struct bytes labels[] = { { (const uint8_t *)"a", 1 }, { (const uint8_t *)"b", 1 } };
static const struct column columns[] = {
    { .name = { (const uint8_t *)"id", 2 },
      .type = { .kind = TYPE_UINT, .bits = 32 },
      .key_order = 1,
      .comment = { (const uint8_t *)"kept", 4 },
      .source_type = { (const uint8_t *)"int(10) unsigned", 16 } },
    { .name = { (const uint8_t *)"s", 1 },
      .type = { .kind = TYPE_TEXT, .length = 10 },
      .charset = { (const uint8_t *)"latin1", 6 },
      .nullable = true },
    { .name = { (const uint8_t *)"e", 1 },
      .type = { .kind = TYPE_ENUM, .members = labels, .member_count = 2 },
      .nullable = true },
};
static const uint16_t key[] = { 0 };
static const struct table table = { .columns = columns,
                                    .column_count = 3,
                                    .key_count = 1,
                                    .key_columns = key,
                                    .comment = { (const uint8_t *)"of the table", 12 } };

static void test_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fit_cases); i++) {
        print_message("%s\n", fit_cases[i].name);
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        CLEANUP(buf_cleanup) struct buf body, why;
        struct table_map *map;
        struct error err;
        map_begin(&body, fit_cases[i].columns);
        buf_init(&why, 1000);
        assert_true(table_map_parse(buf_view(&body), false, &arena, &map, &err));
        assert_int_equal(table_map_fits(map, &table, &why), fit_cases[i].why == NULL);
        buf_u8(&why, 0);
        if (fit_cases[i].why)
            assert_non_null(strstr((const char *)why.data, fit_cases[i].why));
    }
}

static void test_derive_over_tracked(void **state)
{
    (void)state;
    CLEANUP(arena_cleanup) struct arena arena = { 0 };
    CLEANUP(buf_cleanup) struct buf body;
    struct table_map *map;
    struct table *draft;
    struct error err;
    /* s became VARCHAR(20), e is gone, n came as the first; no primary key is told */
    map_begin(&body, "03"
                     "03030f"
                     "02"
                     "1400"
                     "05"
                     "0101c0"
                     "030108"
                     "0407"
                     "016e"
                     "024944"
                     "0173");
    assert_true(table_map_parse(buf_view(&body), false, &arena, &map, &err));
    assert_true(table_map_derive(map, &table, NULL, &arena, &draft, &err));
    assert_int_equal(draft->column_count, 3);
    assert_true(bytes_is(draft->columns[0].source_type, "int unsigned"));
    assert_true(bytes_is(draft->columns[1].source_type, "int(10) unsigned"));
    assert_true(bytes_is(draft->columns[1].comment, "kept"));
    assert_true(bytes_is(draft->columns[1].name, "ID"));
    assert_true(bytes_is(draft->columns[2].source_type, "varchar(20)"));
    assert_true(bytes_is(draft->comment, "of the table"));
    assert_int_equal(draft->key_count, 1);
    assert_int_equal(draft->key_columns[0], 1);
}

static const struct {
    const char *name, *columns, *why;
} underivable[] = {
    { "no names", THREE "010180", "names" },
    { "no signs",
      THREE "0407"
            "026964"
            "0173"
            "0165",
      "sign of column 'id'" },
    { "no character sets",
      THREE "010180"
            "0407"
            "026964"
            "0173"
            "0165",
      "character set of column 's'" },
    { "no labels",
      THREE "010180"
            "030108"
            "0407"
            "026964"
            "0173"
            "0165",
      "labels of column 'e'" },
    { "unknown collation",
      THREE "010180"
            "0303fcffff"
            "0407"
            "026964"
            "0173"
            "0165",
      "character set of column 's'" },
};

static void test_underivable(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(underivable); i++) {
        print_message("%s\n", underivable[i].name);
        CLEANUP(arena_cleanup) struct arena arena = { 0 };
        CLEANUP(buf_cleanup) struct buf body;
        struct table_map *map;
        struct table *draft;
        struct error err;
        map_begin(&body, underivable[i].columns);
        assert_true(table_map_parse(buf_view(&body), false, &arena, &map, &err));
        assert_false(table_map_derive(map, NULL, NULL, &arena, &draft, &err));
        assert_int_equal(err.kind, ERROR_DATA);
        assert_non_null(strstr(err.message, underivable[i].why));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),       cmocka_unit_test(test_columns),
        cmocka_unit_test(test_metadata),    cmocka_unit_test(test_captured),
        cmocka_unit_test(test_fits),        cmocka_unit_test(test_derive_over_tracked),
        cmocka_unit_test(test_underivable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
