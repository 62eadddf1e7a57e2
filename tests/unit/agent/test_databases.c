/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands for a database in the names of folders and slots: no two alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/databases.h"
#include "engine/base/assert.h"
#include "engine/base/cleanup.h"

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = { "shop",  "Shop",  "sh op", "sh_op",
                                         "sh.op", "sh-op", "läden" };
    CLEANUP(arena_done) struct arena arena = { 0 };
    struct bytes slots[ARRAY_SIZE(names)];
    assert_true(bytes_is(databases_label(&arena, bytes_from("shop")), "shop"));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct bytes label = databases_label(&arena, bytes_from(names[i]));
        slots[i] = databases_slot(&arena, bytes_from("millrace"), label);
        print_message("%s: %s\n", names[i], (const char *)slots[i].data);
        for (size_t k = 0; k < slots[i].size; k++)
            assert_non_null(strchr("abcdefghijklmnopqrstuvwxyz0123456789_", slots[i].data[k]));
        for (size_t k = 0; k < i; k++)
            assert_false(bytes_equal(slots[i], slots[k]));
    }
    assert_true(bytes_is(slots[0], "millrace_shop"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_names) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
