/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring of positions: what may be stored is what every worker has durable, never more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/inflight.h"
#include "engine/queue.h"

struct step {
    enum { PUSH, DURABLE, ADVANCE } what;
    uint32_t worker;
    uint64_t
        number; /* PUSH: mark of the end, 0 for none; DURABLE: sequence; ADVANCE: mark, 0: none */
};

static const struct ring_case {
    const char *name;
    uint32_t workers;
    struct step steps[12];
    uint32_t count;
} cases[] = {
    { "nothing is durable yet", 1, { { PUSH, 0, 10 }, { ADVANCE, 0, 0 } }, 2 },
    { "the newest durable one counts",
      1,
      { { PUSH, 0, 10 },
        { PUSH, 0, 20 },
        { DURABLE, 0, 2 },
        { ADVANCE, 0, 20 },
        { ADVANCE, 0, 0 } },
      5 },
    { "the slowest worker decides",
      2,
      { { PUSH, 0, 10 },
        { PUSH, 0, 20 },
        { DURABLE, 0, 2 },
        { ADVANCE, 0, 0 },
        { DURABLE, 1, 1 },
        { ADVANCE, 0, 10 },
        { DURABLE, 1, 2 },
        { ADVANCE, 0, 20 } },
      8 },
    { "a batch inside a transaction moves nothing",
      1,
      { { PUSH, 0, 10 }, { PUSH, 0, 0 }, { DURABLE, 0, 2 }, { ADVANCE, 0, 10 } },
      4 },
    { "what was durable stays so",
      1,
      { { PUSH, 0, 10 },
        { PUSH, 0, 20 },
        { DURABLE, 0, 2 },
        { DURABLE, 0, 1 },
        { ADVANCE, 0, 20 } },
      5 },
};

static void run_case(const struct ring_case *item)
{
    struct inflight ring;
    struct arena arena = { 0 };
    inflight_init(&ring, item->workers);
    for (uint32_t i = 0; i < item->count; i++) {
        const struct step *step = &item->steps[i];
        struct position position = { 0 };
        if (step->what == PUSH) {
            if (step->number)
                position = (struct position){ step->number, BYTES_LITERAL("token") };
            inflight_push(&ring, &position, (int64_t)step->number);
        } else if (step->what == DURABLE) {
            inflight_durable(&ring, step->worker, step->number);
        } else {
            int64_t time_us = 0;
            bool moved = inflight_advance(&ring, &arena, &position, &time_us);
            if (moved != (step->number > 0) || (moved && position.mark != step->number))
                fail_msg("%s: step %u", item->name, i);
            if (moved)
                assert_int_equal(time_us, step->number);
        }
    }
    inflight_done(&ring);
    arena_done(&arena);
}

static void test_ring(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_case(&cases[i]);
}

/* Positions beyond the ring's size make its steps coarser, never further than what is durable. */
static void test_a_full_ring_is_coarser(void **state)
{
    (void)state;
    struct inflight ring;
    struct arena arena = { 0 };
    struct position position;
    int64_t time_us;
    inflight_init(&ring, 1);
    for (uint64_t i = 1; i <= INFLIGHT_MAX + 10; i++) {
        position = (struct position){ i, BYTES_LITERAL("token") };
        assert_int_equal(inflight_push(&ring, &position, 0), i);
    }
    inflight_durable(&ring, 0, INFLIGHT_MAX + 5);
    assert_true(inflight_advance(&ring, &arena, &position, &time_us));
    assert_int_equal(position.mark, INFLIGHT_MAX - 1);
    assert_false(inflight_is_durable(&ring, INFLIGHT_MAX + 10));
    inflight_durable(&ring, 0, INFLIGHT_MAX + 10);
    assert_true(inflight_advance(&ring, &arena, &position, &time_us));
    assert_int_equal(position.mark, INFLIGHT_MAX + 10);
    assert_true(inflight_is_durable(&ring, INFLIGHT_MAX + 10));
    inflight_done(&ring);
    arena_done(&arena);
}

static void test_a_queue_gives_what_it_has_after_it_was_closed(void **state)
{
    (void)state;
    struct queue queue;
    int items[2];
    queue_init(&queue, 2);
    assert_true(queue_push(&queue, &items[0]));
    assert_true(queue_push(&queue, &items[1]));
    queue_close(&queue);
    assert_false(queue_push(&queue, &items[0]));
    assert_false(queue_is_over(&queue));
    assert_ptr_equal(queue_pop(&queue, 0), &items[0]);
    assert_ptr_equal(queue_pop(&queue, 0), &items[1]);
    assert_true(queue_is_over(&queue));
    assert_null(queue_pop(&queue, -1));
    queue_done(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_a_full_ring_is_coarser),
        cmocka_unit_test(test_a_queue_gives_what_it_has_after_it_was_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
