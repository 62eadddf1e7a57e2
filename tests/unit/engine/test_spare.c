/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffers that loads give back: used again, and never more than the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cmocka.h"

#include "engine/spare.h"

static struct buf filled(size_t size)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    assert_non_null(buf_reserve(&buf, size));
    buf.size = size;
    return buf;
}

static void test_the_last_given_is_taken_first(void **state)
{
    (void)state;
    struct spare spare = { .count = 0 };
    struct buf first = filled(1000), second = filled(5000);
    const uint8_t *memory = second.data;
    spare_give(&spare, &first, 1 << 20);
    spare_give(&spare, &second, 1 << 20);
    assert_null(second.data);
    struct buf taken = spare_take(&spare, 77);
    assert_ptr_equal(taken.data, memory);
    assert_int_equal(taken.size, 0);
    assert_int_equal(taken.limit, 77);
    buf_done(&taken);
    spare_done(&spare);
    assert_int_equal(spare.bytes, 0);
    taken = spare_take(&spare, 10);
    assert_null(taken.data);
}

static void test_what_is_above_the_limit_is_freed(void **state)
{
    (void)state;
    struct spare spare = { .count = 0 };
    struct buf fits = filled(4096), over = filled(8192), empty = { .limit = 10 };
    size_t kept = fits.capacity;
    spare_give(&spare, &fits, 8192);
    spare_give(&spare, &over, 8192);
    spare_give(&spare, &empty, 8192);
    assert_int_equal(spare.count, 1);
    assert_int_equal(spare.bytes, kept);
    assert_null(over.data);
    for (size_t i = 0; i < SPARE_MAX + 10; i++) {
        struct buf more = filled(256);
        spare_give(&spare, &more, 1 << 30);
    }
    assert_int_equal(spare.count, SPARE_MAX);
    spare_done(&spare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_given_is_taken_first),
        cmocka_unit_test(test_what_is_above_the_limit_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
