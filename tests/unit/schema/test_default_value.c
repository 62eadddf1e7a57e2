/* SPDX-License-Identifier: Apache-2.0
 *
 * Defaults as the parser of statements keeps them, and the values that they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/base/assert.h"
#include "schema/default_value.h"
#include "schema/mysql_ddl.h"

static const struct ddl_context context = {
    .database = { (const uint8_t *)"d", 1 },
    .server_version = 101100,
    .mariadb = true,
    .default_charset = { (const uint8_t *)"utf8mb4", 7 },
    .default_collation = { (const uint8_t *)"utf8mb4_general_ci", 18 },
};

/* `text` NULL: the value is `number`; "none": nothing is told. */
static const struct {
    const char *column, *text;
    double number;
} cases[] = {
    { "int default -5", NULL, -5 },
    { "bigint unsigned default 18446744073709551615", NULL, 18446744073709551615.0 },
    { "int default '42'", NULL, 42 },
    { "int default 0x10", NULL, 16 },
    { "int default 1.5", "none", 0 }, /* the server rounds */
    { "boolean default true", NULL, 1 },
    { "float default 0.1", NULL, (double)0.1f },
    { "double default -2.5", NULL, -2.5 },
    { "decimal(10,2) default 12.5", NULL, 1250 },
    { "decimal(10,2) default -0.05", NULL, -5 },
    { "decimal(10,2) default 12.555", "none", 0 },
    { "decimal(18,0) default 7", NULL, 7 },
    { "decimal(40,10) default -00123.5", "-123.5000000000", 0 },
    { "decimal(40,10) default -0.0", "0.0000000000", 0 },
    { "decimal(30,0) default 0012", "12", 0 },
    { "bit(20) default b'1010'", NULL, 10 },
    { "year default 2020", NULL, 2020 },
    { "date default '1970-01-01'", NULL, 0 },
    { "date default '2000-02-29'", NULL, 11016 },
    { "date default '2099-12-31'", NULL, 47481 },
    { "date default '2001-02-29'", "none", 0 },
    { "date default '0000-00-00'", "none", 0 },
    { "date default '1969-12-31'", "none", 0 },
    { "datetime default '1970-01-02 00:00:01'", NULL, 86401e6 },
    { "datetime(6) default '1970-01-01 00:00:00.000012'", NULL, 12 },
    { "datetime(3) default '1970-01-01 00:00:01.5'", NULL, 1500000 },
    { "datetime default current_timestamp", "none", 0 },
    { "timestamp default '2020-01-01 00:00:00'", "none", 0 },
    { "time default '12:34:56'", NULL, 45296e6 },
    { "time(3) default '-01:02:03.5'", NULL, -3723.5e6 },
    { "time default '12:34:56.'", "none", 0 },
    { "time default '12:34'", "none", 0 },
    { "varchar(9) default 'it''s'", "it's", 0 },
    { "varchar(9) default ''", "", 0 },
    { "char(9) default 'a '", "none", 0 },
    { "enum('red','green') default 'green'", "green", 0 },
    { "set('a','b','c') default 'a,c'", "a,c", 0 },
    { "set('a','b','c') default ''", "", 0 },
    { "set('a','b','c') default 'c,a'", "none", 0 }, /* the server sorts */
    { "binary(4) default 'ab'", "none", 0 },
    { "int default (1 + 2)", "none", 0 },
    { "int default null", "none", 0 },
    { "int not null", "none", 0 },
    { "int auto_increment unique", "none", 0 },
};

static double number_of(const struct value *value)
{
    return value->tag == VALUE_INT    ? (double)value->integer
           : value->tag == VALUE_UINT ? (double)value->natural
                                      : value->number;
}

static void check_case(size_t i)
{
    struct arena arena = { 0 };
    const struct ddl_statement *statements;
    size_t count;
    bool doubt = false;
    struct value value;
    struct bytes sql = arena_printf(&arena, "create table t (v %s)", cases[i].column);
    ddl_parse(sql, &context, &arena, &statements, &count, &doubt);
    if (count != 1 || !statements[0].created)
        fail_msg("%s: is not parsed", cases[i].column);
    bool told = default_value(&statements[0].created->columns[0], &arena, &value);
    bool none = cases[i].text && strcmp(cases[i].text, "none") == 0;
    if (told == none)
        fail_msg("%s: %s", cases[i].column, told ? "is told" : "is not told");
    bool text = told && cases[i].text;
    if (told && (value.tag == VALUE_TEXT) != text)
        fail_msg("%s: of another kind", cases[i].column);
    if (text && !bytes_equal(value_bytes(&value), bytes_from(cases[i].text)))
        fail_msg("%s: %.*s", cases[i].column, BYTES_ARGS(value_bytes(&value)));
    if (told && !text && number_of(&value) != cases[i].number)
        fail_msg("%s: %.17g", cases[i].column, number_of(&value));
    arena_done(&arena);
}

static void test_defaults(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_case(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_defaults) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
