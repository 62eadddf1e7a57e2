/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ALTERs leave values behind that only reading tells. Statements go through the parser, so
 * the columns are those that the log would give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "schema/diff.h"
#include "schema/fill.h"
#include "schema/mysql_ddl.h"

static const struct ddl_context context = {
    .database = { (const uint8_t *)"d", 1 },
    .server_version = 90700,
    .default_charset = { (const uint8_t *)"utf8mb4", 7 },
    .default_collation = { (const uint8_t *)"utf8mb4_0900_ai_ci", 18 },
};

static const struct ddl_statement *parse(const char *sql, struct arena *arena)
{
    const struct ddl_statement *statements;
    size_t count;
    bool doubt = false;
    ddl_parse(bytes_from(sql), &context, arena, &statements, &count, &doubt);
    assert_int_equal(count, 1);
    assert_false(doubt);
    return &statements[0];
}

static bool needs_reading(const char *column, const char *alter, bool strict)
{
    struct arena arena = { 0 };
    const struct ddl_statement *create = parse(
        (const char *)arena_printf(&arena, "create table t (id int primary key, %s)", column).data,
        &arena);
    const struct ddl_statement *change =
        parse((const char *)arena_printf(&arena, "alter table t %s", alter).data, &arena);
    assert_non_null(create->created);
    struct table *after;
    struct schema_change told = { .kind = CHANGE_ALTER_TABLE, .before = create->created };
    assert_true(
        ddl_apply(create->created, change, &arena, &after, &told.renames, &told.rename_count));
    told.after = after;
    bool needs = change->fills_rows || fill_needs_reading(&told, strict, &arena);
    arena_done(&arena);
    return needs;
}

static const struct {
    const char *column, *alter;
    bool strict_needs, loose_needs;
} cases[] = {
    /* a column that is added */
    { "a int", "add b int", false, false },
    { "a int", "add b int not null", false, false },
    { "a int", "add b int default 7", false, false },
    { "a int, b int", "drop b, add B int", true, true },
    { "a int, b int", "add b int, drop b", true, true },
    { "a int, b int", "drop b, add c int", false, false },
    { "a int", "add b int default '-7'", false, false },
    { "a int", "add b int default '7.5'", true, true },
    { "a int", "add b int auto_increment unique", true, true },
    { "a int", "add b int as (a + 1)", true, true },
    { "a int", "add b int default (a + 1)", true, true },
    { "a int", "add b tinyint(1) default 1", true, true },
    { "a int", "add b decimal(5,2) default 1.25", false, false },
    { "a int", "add b decimal(5,2) default 1.255", true, true },
    { "a int", "add b double default 1.5", false, false },
    { "a int", "add b double default 1e3", true, true },
    { "a int", "add b bit(3) default b'101'", false, false },
    { "a int", "add b year default 2020", false, false },
    { "a int", "add b year default 99", true, true },
    { "a int", "add b date default '2020-02-29'", false, false },
    { "a int", "add b date default '2020-2-29'", true, true },
    { "a int", "add b date default '0000-00-00'", true, true },
    { "a int", "add b date not null", true, true },
    { "a int", "add b datetime default '2020-01-01 10:11:12'", false, false },
    { "a int", "add b datetime(2) default '2020-01-01 10:11:12.25'", false, false },
    { "a int", "add b datetime default '2020-01-01 10:11:12.9'", true, true },
    { "a int", "add b datetime default '2020-01-01'", true, true },
    { "a int", "add b datetime default current_timestamp", true, true },
    { "a int", "add b timestamp null default '2020-01-01 10:11:12'", true, true },
    { "a int", "add b timestamp null", false, false },
    { "a int", "add b time default '10:00:00'", true, true },
    { "a int", "add b varchar(9) default 'x y'", false, false },
    { "a int", "add b char(9) default 'x '", true, true },
    { "a int", "add b varchar(9) default _latin1'x'", true, true },
    { "a int", "add b varchar(9) default x'41'", true, true },
    { "a int", "add b text", false, false },
    { "a int", "add b varbinary(9) not null", false, false },
    { "a int", "add b varbinary(9) default 'x'", true, true },
    { "a int", "add b binary(9) not null", true, true },
    { "a int", "add b enum('x','y') not null", false, false },
    { "a int", "add b enum('x','y') default 'y'", false, false },
    { "a int", "add b enum('x','y') default 'Y'", true, true },
    { "a int", "add b set('x','y') default 'x,y'", true, true },
    { "a int", "add b json", false, false },
    { "a int", "add b json not null", true, true },
    /* a column that changes */
    { "a int", "modify a bigint", false, false },
    { "a bigint", "modify a int", false, true },
    { "a int", "modify a int unsigned", false, true },
    { "a tinyint(1)", "modify a tinyint", true, true },
    { "a int", "modify a int not null", false, true },
    { "a int not null", "modify a int", false, false },
    { "a int", "modify a int not null auto_increment unique", true, true },
    { "a int", "modify a varchar(30)", false, false },
    { "a int", "modify a varchar(5)", true, true },
    { "a int", "modify a decimal(12,2)", false, false },
    { "a int", "modify a decimal(11,2)", true, true },
    { "a int", "modify a double", true, true },
    { "a decimal(10,2)", "modify a decimal(12,4)", false, false },
    { "a decimal(10,4)", "modify a decimal(10,2)", true, true },
    { "a float", "modify a double", false, false },
    { "a double", "modify a float", true, true },
    { "a float", "modify a float(7,2)", true, true },
    { "a varchar(5)", "modify a varchar(9)", false, false },
    { "a varchar(9)", "modify a varchar(5)", true, true },
    { "a varchar(5)", "modify a char(5)", true, true },
    { "a char(5)", "modify a varchar(5)", false, false },
    { "a varchar(5)", "modify a text", false, false },
    { "a varchar(5)", "modify a varbinary(20)", true, true },
    { "a varchar(5)", "modify a varchar(5) character set latin1", false, true },
    { "a varchar(5)", "convert to character set latin1", false, true },
    { "a varchar(5)", "modify a int", true, true },
    { "a binary(5)", "modify a binary(6)", true, true },
    { "a binary(5)", "modify a varbinary(6)", false, false },
    { "a varbinary(5)", "modify a binary(6)", true, true },
    { "a enum('x','y')", "modify a enum('y','x','z')", false, false },
    { "a enum('x','y')", "modify a enum('x')", true, true },
    { "a enum('x','y')", "modify a varchar(5)", true, true },
    { "a set('x','y')", "modify a set('x','z','y')", false, false },
    { "a set('x','y')", "modify a set('y','x')", true, true },
    { "a date", "modify a datetime", true, true },
    { "a datetime", "modify a datetime(3)", false, false },
    { "a datetime(3)", "modify a datetime", true, true },
    { "a datetime", "modify a timestamp null", true, true },
    { "a bit(3)", "modify a bit(9)", false, false },
    { "a text", "modify a json", true, true },
    /* what changes no value */
    { "a int", "alter a set default 9", false, false },
    { "a int", "add index (a), comment 'x'", false, false },
    { "a int", "rename column a to b", false, false },
    { "a int", "change a b bigint", false, false },
    { "a int, b text", "drop a", false, false },
};

static void test_needs_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        print_message("%s: %s\n", cases[i].column, cases[i].alter);
        assert_int_equal(needs_reading(cases[i].column, cases[i].alter, true),
                         cases[i].strict_needs);
        assert_int_equal(needs_reading(cases[i].column, cases[i].alter, false),
                         cases[i].loose_needs);
    }
}

static void test_ignore(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    assert_true(parse("alter ignore table t add unique (a)", &arena)->ignores);
    assert_false(parse("alter table t add unique (a)", &arena)->ignores);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_needs_reading),
                                        cmocka_unit_test(test_ignore) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
