/* SPDX-License-Identifier: Apache-2.0
 *
 * The expected values are those of information_schema on MariaDB 10.11 and 11.8 and MySQL 9.7,
 * where the same spellings were used in CREATE TABLE. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "schema/mysql_ddl.h"
#include "schema/mysql_types.h"

static const struct {
    const char *text, *charset;
    struct type type;
    const char *mysql, *mariadb; /* COLUMN_TYPE; NULL as written */
} good[] = {
    { "int", NULL, { .kind = TYPE_INT, .bits = 32 }, "int", "int(11)" },
    { "int(10) unsigned zerofill", NULL, { .kind = TYPE_UINT, .bits = 32 }, NULL, NULL },
    { "INTEGER(5) ZEROFILL",
      NULL,
      { .kind = TYPE_UINT, .bits = 32 },
      "int(5) unsigned zerofill",
      "int(5) unsigned zerofill" },
    { "int4 signed", NULL, { .kind = TYPE_INT, .bits = 32 }, "int", "int(11)" },
    { "int1", NULL, { .kind = TYPE_INT, .bits = 8 }, "tinyint", "tinyint(4)" },
    { "int2 unsigned",
      NULL,
      { .kind = TYPE_UINT, .bits = 16 },
      "smallint unsigned",
      "smallint(5) unsigned" },
    { "middleint", NULL, { .kind = TYPE_INT, .bits = 24 }, "mediumint", "mediumint(9)" },
    { "int8", NULL, { .kind = TYPE_INT, .bits = 64 }, "bigint", "bigint(20)" },
    { "serial", NULL, { .kind = TYPE_UINT, .bits = 64 }, "bigint unsigned", "bigint(20) unsigned" },
    { "tinyint(1)", NULL, { .kind = TYPE_INT, .bits = 8, .boolean = true }, NULL, NULL },
    { "bool", NULL, { .kind = TYPE_INT, .bits = 8, .boolean = true }, "tinyint(1)", "tinyint(1)" },
    { "tinyint(1) unsigned",
      NULL,
      { .kind = TYPE_UINT, .bits = 8 },
      "tinyint unsigned",
      "tinyint(1) unsigned" },
    { "tinyint(4)", NULL, { .kind = TYPE_INT, .bits = 8 }, "tinyint", "tinyint(4)" },
    { "real", NULL, { .kind = TYPE_DOUBLE }, "double", "double" },
    { "double precision", NULL, { .kind = TYPE_DOUBLE }, "double", "double" },
    { "float(24)", NULL, { .kind = TYPE_FLOAT }, "float", "float" },
    { "float(25)", NULL, { .kind = TYPE_DOUBLE }, "double", "double" },
    { "float(7,3)", NULL, { .kind = TYPE_FLOAT }, NULL, NULL },
    { "double(9,2) unsigned", NULL, { .kind = TYPE_DOUBLE }, NULL, NULL },
    { "dec", NULL, { .kind = TYPE_DECIMAL, .precision = 10 }, "decimal(10,0)", "decimal(10,0)" },
    { "fixed(5)", NULL, { .kind = TYPE_DECIMAL, .precision = 5 }, "decimal(5,0)", "decimal(5,0)" },
    { "decimal(65,30)", NULL, { .kind = TYPE_DECIMAL, .precision = 65, .scale = 30 }, NULL, NULL },
    { "numeric(10,2) unsigned zerofill",
      NULL,
      { .kind = TYPE_DECIMAL, .precision = 10, .scale = 2 },
      "decimal(10,2) unsigned zerofill",
      "decimal(10,2) unsigned zerofill" },
    { "bit", NULL, { .kind = TYPE_BIT, .length = 1 }, "bit(1)", "bit(1)" },
    { "bit(64)", NULL, { .kind = TYPE_BIT, .length = 64 }, NULL, NULL },
    { "year(4)", NULL, { .kind = TYPE_YEAR }, "year", "year(4)" },
    { "date", NULL, { .kind = TYPE_DATE }, NULL, NULL },
    { "time(0)", NULL, { .kind = TYPE_TIME }, "time", "time" },
    { "datetime(3)", NULL, { .kind = TYPE_DATETIME, .scale = 3 }, NULL, NULL },
    { "timestamp(6)", NULL, { .kind = TYPE_TIMESTAMP, .scale = 6 }, NULL, NULL },
    { "datetime /* mariadb-5.3 */", NULL, { .kind = TYPE_DATETIME }, "datetime", "datetime" },
    { "char", "utf8mb4", { .kind = TYPE_TEXT, .fixed = true, .length = 1 }, "char(1)", "char(1)" },
    { "char(0)", "utf8mb4", { .kind = TYPE_TEXT, .fixed = true }, NULL, NULL },
    { "varchar(20)", "gbk", { .kind = TYPE_TEXT, .length = 20 }, NULL, NULL },
    { "national varchar(10)",
      NULL,
      { .kind = TYPE_TEXT, .length = 10 },
      "varchar(10)",
      "varchar(10)" },
    { "nchar varying(9)", NULL, { .kind = TYPE_TEXT, .length = 9 }, "varchar(9)", "varchar(9)" },
    { "character varying(5)",
      NULL,
      { .kind = TYPE_TEXT, .length = 5 },
      "varchar(5)",
      "varchar(5)" },
    { "char(3) byte",
      "utf8mb4",
      { .kind = TYPE_BYTES, .fixed = true, .length = 3 },
      "binary(3)",
      "binary(3)" },
    { "varchar(9)", "binary", { .kind = TYPE_BYTES, .length = 9 }, "varbinary(9)", "varbinary(9)" },
    { "varchar(9) character set binary",
      "utf8mb4",
      { .kind = TYPE_BYTES, .length = 9 },
      "varbinary(9)",
      "varbinary(9)" },
    { "varchar(5) binary charset latin1",
      "utf8mb4",
      { .kind = TYPE_TEXT, .length = 5 },
      "varchar(5)",
      "varchar(5)" },
    { "text", "binary", { .kind = TYPE_BYTES }, "blob", "blob" },
    { "text(10)", "utf8mb4", { .kind = TYPE_TEXT }, "tinytext", "tinytext" },
    { "text(64)", "utf8mb4", { .kind = TYPE_TEXT }, "text", "text" },
    { "text(255)", "latin1", { .kind = TYPE_TEXT }, "tinytext", "tinytext" },
    { "blob(70000)", NULL, { .kind = TYPE_BYTES }, "mediumblob", "mediumblob" },
    { "long", NULL, { .kind = TYPE_TEXT }, "mediumtext", "mediumtext" },
    { "long varbinary", NULL, { .kind = TYPE_BYTES }, "mediumblob", "mediumblob" },
    { "long char varying", NULL, { .kind = TYPE_TEXT }, "mediumtext", "mediumtext" },
    { "binary",
      NULL,
      { .kind = TYPE_BYTES, .fixed = true, .length = 1 },
      "binary(1)",
      "binary(1)" },
    { "varbinary(5)", NULL, { .kind = TYPE_BYTES, .length = 5 }, NULL, NULL },
    { "json", NULL, { .kind = TYPE_TEXT }, "json", "json" },
    { "point", NULL, { .kind = TYPE_GEOMETRY }, NULL, NULL },
    { "geomcollection", NULL, { .kind = TYPE_GEOMETRY }, "geomcollection", "geometrycollection" },
    { "vector(3)", NULL, { .kind = TYPE_VECTOR, .length = 3 }, NULL, NULL },
    { "uuid", NULL, { .kind = TYPE_UUID }, NULL, NULL },
    { "inet4", NULL, { .kind = TYPE_INET4 }, NULL, NULL },
    { "inet6", NULL, { .kind = TYPE_INET6 }, NULL, NULL },
};

static const char *const bad[] = {
    "",
    "integ",
    "int(",
    "int(10",
    "int(x)",
    "int(99999999999)",
    "decimal(66,0)",
    "decimal(5,6)",
    "bit(65)",
    "bit(0)",
    "time(7)",
    "enum",
    "enum()",
    "enum('a'",
    "enum('a',)",
    "enum('a' int)",
    "enum(b'1')",
    "int unsigned garbage",
    "varchar(10) charset",
    "'int'",
    "`int`",
    "set('a",
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        print_message("%s\n", good[i].text);
        struct arena arena = { 0 };
        struct bytes charset = good[i].charset ? bytes_from(good[i].charset) : (struct bytes){ 0 };
        struct type type, want = good[i].type;
        assert_true(mysql_type_parse(bytes_from(good[i].text), charset, true, &arena, &type));
        assert_int_equal(type.kind, want.kind);
        assert_int_equal(type.bits, want.bits);
        assert_int_equal(type.precision, want.precision);
        assert_int_equal(type.scale, want.scale);
        assert_int_equal(type.fixed, want.fixed);
        assert_int_equal(type.boolean, want.boolean);
        assert_int_equal(type.length, want.length);
        arena_done(&arena);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        print_message("%s\n", bad[i]);
        struct arena arena = { 0 };
        struct type type;
        assert_false(
            mysql_type_parse(bytes_from(bad[i]), (struct bytes){ 0 }, false, &arena, &type));
        arena_done(&arena);
    }
}

static struct bytes spelled(const char *text, struct bytes charset, bool mariadb,
                            struct arena *arena)
{
    struct lexer lexer = lexer_of(bytes_from(text), arena);
    lexer.mariadb = mariadb;
    lexer_start(&lexer);
    struct mysql_spelling spelling;
    assert_true(mysql_type_take(&lexer, &spelling));
    mysql_type_settle(&spelling, spelling.charset.data ? spelling.charset : charset);
    return mysql_type_spell(&spelling, mariadb, mariadb ? 101119 : 90704, arena);
}

static void test_spelling(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct arena arena = { 0 };
        struct bytes charset = good[i].charset ? bytes_from(good[i].charset) : (struct bytes){ 0 };
        const char *mysql = good[i].mysql ? good[i].mysql : good[i].text;
        const char *mariadb = good[i].mariadb ? good[i].mariadb : good[i].text;
        assert_string_equal(spelled(good[i].text, charset, false, &arena).data, mysql);
        assert_string_equal(spelled(good[i].text, charset, true, &arena).data, mariadb);
        arena_done(&arena);
    }
}

static void test_labels(void **state)
{
    (void)state;
    static const char *const labels[] = { "it's",     "back\\slash", "nl\nx", "per\\%c", "q\"q",
                                          "\xc3\xa9", "tail",        "a,b",   "A",       "" };
    const char *text = "enum('it''s','back\\\\slash','nl\\nx','per\\%c','q\"q','\xc3\xa9',"
                       "'tail  ','a,b',x'41','')";
    struct arena arena = { 0 };
    struct type type;
    assert_true(mysql_type_parse(bytes_from(text), BYTES_LITERAL("utf8mb4"), false, &arena, &type));
    assert_int_equal(type.kind, TYPE_ENUM);
    assert_int_equal(type.member_count, ARRAY_SIZE(labels));
    for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
        assert_true(bytes_is(type.members[i], labels[i]));
    /* What is spelled reads back as the same labels. */
    struct bytes again = spelled(text, BYTES_LITERAL("utf8mb4"), true, &arena);
    struct type second;
    assert_true(mysql_type_parse(again, BYTES_LITERAL("utf8mb4"), true, &arena, &second));
    for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
        assert_true(bytes_equal(type.members[i], second.members[i]));
    assert_true(mysql_type_parse(BYTES_LITERAL("set('a','b ')"), BYTES_LITERAL("binary"), false,
                                 &arena, &type));
    assert_int_equal(type.kind, TYPE_SET);
    assert_true(bytes_is(type.members[1], "b "));
    arena_done(&arena);
}

static void test_compressed(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct type type;
    struct bytes text = BYTES_LITERAL("varchar(100) /*M!100301 COMPRESSED*/");
    assert_true(mysql_type_parse(text, BYTES_LITERAL("utf8mb4"), true, &arena, &type));
    assert_int_equal(type.kind, TYPE_TEXT);
    assert_int_equal(type.length, 100);
    assert_true(
        bytes_equal(text, spelled((const char *)text.data, (struct bytes){ 0 }, true, &arena)));
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_bad),
        cmocka_unit_test(test_spelling),   cmocka_unit_test(test_labels),
        cmocka_unit_test(test_compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
