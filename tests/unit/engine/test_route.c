/* SPDX-License-Identifier: Apache-2.0
 *
 * Flink CDC's patterns and routes: what is captured, where it goes, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "engine/route.h"

static struct bytes b(const char *text) { return text ? bytes_from(text) : (struct bytes){ 0 }; }

static const struct {
    const char *tables, *exclude, *database, *name;
    bool captured;
} captures[] = {
    { "shop.orders", "", "shop", "orders", true },
    { "shop.orders", "", "shop", "orders2", false },
    { "shop.orders", "", "xshop", "orders", false },
    { "shop.\\.*", "", "shop", "anything", true },
    { "shop\\.*.\\.*", "", "shop_2", "t", true },
    { "shop\\.*.\\.*", "", "sho", "t", false },
    { "a.x, b.y", "", "b", "y", true },
    { "a.x,b.y", "", "a", "y", false },
    { "a.t[0-9]{1,3}", "", "a", "t12", true },
    { "a.t[0-9]{1,3}", "", "a", "t1234", false },
    { "a.\\.*", "a.tmp\\.*", "a", "tmp_1", false },
    { "a.\\.*", "a.tmp\\.*", "a", "t", true },
    { "a.b", "", "a.b", "", false },
    { "\\.*.\\.*", "", "mysql", "user", false },
    { "\\.*.\\.*", "", "information_schema", "tables", false },
};

static void test_captures(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(captures); i++) {
        struct bytes tables = b(captures[i].tables), exclude = b(captures[i].exclude);
        struct route_options options = {
            .tables = &tables, .table_count = 1, .exclude = &exclude, .exclude_count = 1
        };
        struct route *route;
        struct error err;
        print_message("%s: %s.%s\n", captures[i].tables, captures[i].database, captures[i].name);
        assert_true(route_compile(&options, &route, &err));
        assert_int_equal(
            route_captures(route, b(captures[i].database), b(NULL), b(captures[i].name)),
            captures[i].captured);
        route_free(route);
    }
}

static const struct {
    const char *from, *to, *symbol, *name, *database, *table;
} routes[] = {
    { "shop.orders", "ods.o", NULL, "orders", "ods", "o" },
    { "shop.\\.*", "ods.shop_<>", "<>", "orders", "ods", "shop_orders" },
    { "shop.(\\.*)_[0-9]+", "ods.$1", NULL, "orders_12", "ods", "orders" },
    { "shop.\\.*", "merged", NULL, "orders", "shop", "merged" },
    { "shop.other", "ods.o", NULL, "orders", "shop", "orders" },
    { "shop.\\.*", "ods.<>.x", "<>", "orders", "ods", "orders.x" },
};

static void test_reaches(void **state)
{
    (void)state;
    static const struct {
        const char *tables, *database;
        bool reached;
    } cases[] = {
        { "shop.public.\\.*", "shop", true },       { "shop.public.\\.*", "shop2", false },
        { "shop\\d.public.t", "shop2", true },      { "\\.*.public.t", "any", true },
        { "a.s.t, b.s.t", "b", true },              { "a.s.t, b.s.t", "c", false },
        { "public.t", "any", true },                { "(a.s|b.s).t", "c", true },
        { "(a|b).s.t", "b", true },                 { "(a|b).s.t", "c", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bytes tables = b(cases[i].tables);
        struct route *route;
        struct error err;
        print_message("%s: %s\n", cases[i].tables, cases[i].database);
        assert_true(route_compile(&(struct route_options){ .tables = &tables, .table_count = 1 },
                                  &route, &err));
        assert_int_equal(route_reaches(route, b(cases[i].database)), cases[i].reached);
        route_free(route);
    }
}

static void test_targets(void **state)
{
    (void)state;
    struct bytes tables = b("shop.\\.*");
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        struct route_rule rule = { b(routes[i].from), b(routes[i].to), b(routes[i].symbol), 1 };
        struct route_options options = {
            .tables = &tables, .table_count = 1, .rules = &rule, .rule_count = 1
        };
        struct route *route;
        struct error err;
        struct arena arena = { 0 };
        struct bytes database, table;
        print_message("%s -> %s\n", routes[i].from, routes[i].to);
        assert_true(route_compile(&options, &route, &err));
        route_target(route, b("shop"), b(NULL), b(routes[i].name), &arena, &database, &table);
        assert_true(bytes_is(database, routes[i].database));
        assert_true(bytes_is(table, routes[i].table));
        arena_done(&arena);
        route_free(route);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "shop", "shop.(", "shop.[a", "," };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct bytes tables = b(bad[i]);
        struct route_options options = { .tables = &tables, .table_count = 1 };
        struct route *route;
        struct error err;
        print_message("'%s'\n", bad[i]);
        assert_false(route_compile(&options, &route, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_non_null(strstr(err.message, "tables"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_reaches),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
