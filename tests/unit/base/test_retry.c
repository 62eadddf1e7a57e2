/* SPDX-License-Identifier: Apache-2.0
 *
 * Waits between attempts, and their end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/retry.h"

static int64_t time_us = 1;

static int64_t told_time(void *context)
{
    (void)context;
    return time_us;
}

static const struct clock_source clock = { .now_us = told_time, .wall_us = told_time };

static bool again(struct retry *retry, uint32_t *wait_ms, struct error *err)
{
    error_set(err, ERROR_RETRY, "gone");
    return retry_again(retry, wait_ms, err);
}

static const struct {
    const char *name;
    struct retry_policy policy;
    uint32_t waits[6]; /* 0: it is over */
} cases[] = {
    { "doubled",
      { .initial_ms = 100, .maximum_ms = 1000, .multiplier = 2 },
      { 100, 200, 400, 800, 1000, 1000 } },
    { "by a half",
      { .initial_ms = 1000, .maximum_ms = 60000, .multiplier = 1.5 },
      { 1000, 1500, 2250, 3375, 5062, 7593 } },
    { "fixed",
      { .initial_ms = 700, .maximum_ms = 700, .multiplier = 1, .attempts = 3 },
      { 700, 700, 700, 0 } },
    { "one attempt",
      { .initial_ms = 5, .maximum_ms = 5, .multiplier = 1, .attempts = 1 },
      { 5, 0 } },
    { "none", { .never = true }, { 0 } },
};

static void test_waits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct retry retry = { .policy = cases[i].policy };
        struct error err = { 0 };
        print_message("%s\n", cases[i].name);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(retry_succeeded(&retry), round > 0 && cases[i].waits[0] > 0);
            for (size_t k = 0; k < ARRAY_SIZE(cases[i].waits); k++) {
                uint32_t wait_ms = 0;
                bool goes_on = again(&retry, &wait_ms, &err);
                assert_int_equal(goes_on, cases[i].waits[k] > 0);
                if (!goes_on)
                    break;
                assert_int_equal(wait_ms, cases[i].waits[k]);
                assert_int_equal(err.kind, ERROR_RETRY);
            }
        }
    }
}

static void test_the_end_says_why(void **state)
{
    (void)state;
    struct error err = { 0 };
    uint32_t wait_ms;
    struct retry none = { .policy = { .never = true } };
    assert_false(again(&none, &wait_ms, &err));
    assert_string_equal(err.message, "gave up, restart-strategy.type is none: gone");
    assert_int_equal(err.kind, ERROR_CONFIG);
    struct retry one = { .policy = { .initial_ms = 1, .maximum_ms = 1, .attempts = 1 } };
    assert_true(again(&one, &wait_ms, &err));
    assert_false(again(&one, &wait_ms, &err));
    assert_string_equal(err.message, "gave up after 1 attempts: gone");
}

/* A success alone does not make it begin anew, a time without failures does. */
static void test_the_threshold(void **state)
{
    (void)state;
    struct retry retry = { .policy = { .initial_ms = 100,
                                       .maximum_ms = 9000,
                                       .multiplier = 2,
                                       .reset_ms = 5000,
                                       .attempts = 3 } };
    struct error err = { 0 };
    uint32_t wait_ms = 0;
    assert_true(again(&retry, &wait_ms, &err));
    assert_true(retry_succeeded(&retry));
    time_us += 4999 * 1000;
    assert_true(again(&retry, &wait_ms, &err));
    assert_int_equal(wait_ms, 200);
    time_us += 5000 * 1000;
    assert_true(again(&retry, &wait_ms, &err));
    assert_int_equal(wait_ms, 100);
    assert_true(again(&retry, &wait_ms, &err) && again(&retry, &wait_ms, &err));
    assert_false(again(&retry, &wait_ms, &err));
}

static void test_jitter(void **state)
{
    (void)state;
    struct retry retry = {
        .policy = { .initial_ms = 1000, .maximum_ms = 1100, .multiplier = 1, .jitter = 0.5 }
    };
    struct error err = { 0 };
    uint32_t low = UINT32_MAX, high = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t wait_ms = 0;
        assert_true(again(&retry, &wait_ms, &err));
        low = wait_ms < low ? wait_ms : low;
        high = wait_ms > high ? wait_ms : high;
    }
    assert_in_range(low, 500, 510);
    assert_int_equal(high, 1100);
}

static int own_clock(void **state)
{
    (void)state;
    clock_replace(&clock);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_the_end_says_why),
        cmocka_unit_test(test_the_threshold),
        cmocka_unit_test(test_jitter),
    };
    return cmocka_run_group_tests(tests, own_clock, NULL);
}
