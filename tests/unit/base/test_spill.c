/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cmocka.h"

#include "engine/base/spill.h"

static struct bytes record_of(uint8_t *room, uint32_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        room[i] = (uint8_t)(number * 31 + i);
    return (struct bytes){ room, size };
}

static void assert_next(struct spill *spill, uint32_t number, size_t size)
{
    static uint8_t room[300000];
    struct buf record;
    struct error err;
    bool end;
    buf_init(&record, 1 << 20);
    assert_true(spill_next(spill, &record, &end, &err));
    assert_false(end);
    assert_true(bytes_equal(buf_view(&record), record_of(room, number, size)));
    buf_done(&record);
}

static void assert_end(struct spill *spill)
{
    struct buf record;
    struct error err;
    bool end;
    buf_init(&record, 1 << 20);
    assert_true(spill_next(spill, &record, &end, &err));
    assert_true(end);
    buf_done(&record);
}

/* Few records stay in memory, many go to the file, and a large one alone does. */
static void test_records_come_back_in_order(void **unused)
{
    (void)unused;
    static const struct {
        uint32_t count;
        size_t size;
        bool filed;
    } cases[] = {
        { 0, 0, false },
        { 3, 0, false },
        { 3, 100, false },
        { 5000, 100, true },
        { 1, 200000, true },
        { 4, 200000, true },
        { 65536 / 104 + 1, 100, true },
    };
    static uint8_t room[300000];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct spill spill;
        struct error err;
        spill_init(&spill, 64 << 10, 1 << 30);
        for (uint32_t k = 0; k < cases[i].count; k++)
            assert_true(spill_add(&spill, record_of(room, k, cases[i].size), &err));
        assert_int_equal(spill.filed > 0, cases[i].filed);
        assert_true(spill.memory.size <= 64 << 10);
        for (uint32_t k = 0; k < cases[i].count; k++) {
            assert_next(&spill, k, cases[i].size);
            if (k % 7 == 0) {
                spill_back(&spill);
                assert_next(&spill, k, cases[i].size);
            }
        }
        assert_end(&spill);
        assert_end(&spill);
        spill_done(&spill);
    }
}

static void test_limits(void **unused)
{
    (void)unused;
    struct spill spill;
    struct error err;
    uint8_t room[100];
    spill_init(&spill, 1000, 300);
    assert_true(spill_add(&spill, record_of(room, 1, 100), &err));
    assert_true(spill_add(&spill, record_of(room, 2, 100), &err));
    assert_false(spill_add(&spill, record_of(room, 3, 100), &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_next(&spill, 1, 100);
    assert_next(&spill, 2, 100);
    assert_end(&spill);
    spill_done(&spill);
}

static void test_a_folder_that_is_not_there(void **unused)
{
    (void)unused;
    static uint8_t room[100000];
    struct spill spill;
    struct error err;
    spill_folder("/no/such/folder");
    spill_init(&spill, 64 << 10, 1 << 20);
    assert_true(spill_add(&spill, record_of(room, 1, 1000), &err));
    assert_false(spill_add(&spill, record_of(room, 1, sizeof room), &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.message, "/no/such/folder"));
    spill_done(&spill);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_come_back_in_order),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_a_folder_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
