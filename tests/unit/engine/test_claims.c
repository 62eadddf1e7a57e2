/* SPDX-License-Identifier: Apache-2.0
 *
 * A target is of the first who asks, and a name that only looks alike is another target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/claims.h"

static void test_first_come(void **state)
{
    (void)state;
    static const char one[] = "database 'a'", two[] = "database 'b'";
    struct claims claims;
    claims_init(&claims);
    struct bytes s = bytes_from("shop"), t = bytes_from("t");
    assert_ptr_equal(claims_take(&claims, one, s, t), one);
    assert_ptr_equal(claims_take(&claims, two, s, t), one);
    assert_ptr_equal(claims_take(&claims, one, s, t), one);
    assert_ptr_equal(claims_take(&claims, two, bytes_from("sho"), bytes_from("pt")), two);
    assert_ptr_equal(claims_take(&claims, two, s, bytes_from("T")), two);
    claims_done(&claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_first_come) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
