/* SPDX-License-Identifier: Apache-2.0
 *
 * To which transaction does a row belong? The snapshot's merge asks that for every change, so a row
 * that is counted to a neighbour is lost or comes twice. Rows carry the number of their
 * transaction, and the batches are walked as the intake walks them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cmocka.h"

#include "engine/base/assert.h"
#include "tests/support/scripted_log.h"

#include <stdlib.h>

enum { PER_TRANSACTION = 100000 }; /* rows: id / this is the transaction's number */

struct walk {
    struct log_lab lab;
    uint64_t current; /* transaction of the newest row */
    uint64_t mark;
    uint64_t rows, continued, batches;
    int64_t next_id; /* rows come in order, none is left out */
};

static uint64_t number_of(const struct transaction *transaction)
{
    struct token token;
    struct error err;
    char text[100];
    assert_true(token_decode(transaction->id, &token, &err));
    snprintf(text, sizeof text, "%.*s", BYTES_ARGS(token.gtid));
    const char *colon = strrchr(text, ':');
    assert_non_null(colon);
    return strtoull(colon + 1, NULL, 10);
}

static void enter_transaction(struct walk *walk, const struct transaction *transaction,
                              uint32_t index)
{
    uint64_t number = number_of(transaction);
    if (transaction->continued) {
        assert_int_equal(index, 0);
        assert_int_equal(transaction->first_event, 0);
        assert_int_equal(number, walk->current);
        walk->continued++;
        return;
    }
    assert_true(number > walk->current);
    walk->current = number;
}

static void check_batch(struct walk *walk)
{
    const struct batch *batch = &walk->lab.batch;
    uint32_t next = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct event *event = &batch->events[i];
        while (next < batch->transaction_count && batch->transactions[next].first_event <= i) {
            enter_transaction(walk, &batch->transactions[next], next);
            next++;
        }
        assert_true(next > 0);
        assert_true(event->mark > walk->mark);
        walk->mark = event->mark;
        if (event->op == EVENT_SCHEMA) {
            assert_int_equal(batch->count, 1);
            continue;
        }
        int64_t id = event->after[0].integer;
        assert_int_equal(id / PER_TRANSACTION, walk->current);
        if (id % PER_TRANSACTION != 0)
            assert_int_equal(id, walk->next_id);
        walk->next_id = id + 1;
        walk->rows++;
    }
    assert_int_equal(next, batch->transaction_count); /* none without a row */
}

static void walk_log(struct walk *walk)
{
    struct error err;
    while (!lab_is_empty() || walk->lab.log->cursor_active) {
        assert_true(lab_read(&walk->lab, &err));
        check_batch(walk);
        walk->batches++;
        bool inside = walk->lab.log->inside;
        assert_int_equal(walk->lab.batch.end.token.data == NULL, inside);
    }
}

/* One transaction: its number, and how many rows each of its events has; ends with 0. */
static void put_transaction(struct walk *walk, uint64_t number, const uint32_t *events)
{
    int32_t id = (int32_t)(number * PER_TRANSACTION);
    lab_gtid(&walk->lab, number);
    lab_query(&walk->lab, "BEGIN");
    for (; *events; events++) {
        lab_map(&walk->lab);
        lab_rows(&walk->lab, id, *events);
        id += (int32_t)*events;
    }
    lab_xid(&walk->lab);
}

static void test_small_transactions_share_a_batch(void **unused)
{
    (void)unused;
    struct walk walk = { 0 };
    lab_open(&walk.lab, false);
    for (uint64_t i = 1; i <= 10; i++)
        put_transaction(&walk, i, (const uint32_t[]){ 3, 1, 2, 0 });
    walk_log(&walk);
    assert_int_equal(walk.rows, 60);
    assert_int_equal(walk.batches, 1);
    lab_close(&walk.lab);
}

/* The event ends exactly with the batch, one row before it, one row behind it. */
static void test_events_that_end_with_the_batch(void **unused)
{
    (void)unused;
    for (int difference = -1; difference <= 1; difference++) {
        struct walk walk = { 0 };
        uint32_t size = (uint32_t)(BATCH_EVENTS_MAX + difference);
        lab_open(&walk.lab, false);
        put_transaction(&walk, 1, (const uint32_t[]){ size, 0 });
        put_transaction(&walk, 2, (const uint32_t[]){ 1, size - 1, 0 });
        put_transaction(&walk, 3, (const uint32_t[]){ 1, 0 });
        walk_log(&walk);
        assert_int_equal(walk.rows, 2 * size + 1);
        lab_close(&walk.lab);
    }
}

static void test_transactions_larger_than_batches(void **unused)
{
    (void)unused;
    struct walk walk = { 0 };
    lab_open(&walk.lab, false);
    put_transaction(&walk, 1, (const uint32_t[]){ 1, 0 });
    put_transaction(&walk, 2, (const uint32_t[]){ 30000, 20000, 1, 0 });
    put_transaction(&walk, 3, (const uint32_t[]){ 2, 0 });
    put_transaction(&walk, 4, (const uint32_t[]){ 9000, 0 });
    walk_log(&walk);
    assert_int_equal(walk.rows, 59004);
    assert_true(walk.continued >= 6);
    lab_close(&walk.lab);
}

/* A transaction without rows of ours has no place in a batch, and moves no border. */
static void test_transactions_without_rows(void **unused)
{
    (void)unused;
    struct walk walk = { 0 };
    lab_open(&walk.lab, false);
    for (uint64_t i = 1; i <= 9; i++)
        put_transaction(&walk, i, i % 3 ? (const uint32_t[]){ 0 } : (const uint32_t[]){ 2, 0 });
    walk_log(&walk);
    assert_int_equal(walk.rows, 6);
    lab_close(&walk.lab);
}

/* A statement travels alone, and the rows around it stay with their own transactions. */
static void test_statements_between_rows(void **unused)
{
    (void)unused;
    struct walk walk = { 0 };
    lab_open(&walk.lab, false);
    put_transaction(&walk, 1, (const uint32_t[]){ 5, 0 });
    lab_gtid(&walk.lab, 2);
    lab_query(&walk.lab, "TRUNCATE TABLE t");
    put_transaction(&walk, 3, (const uint32_t[]){ 9000, 0 });
    lab_gtid(&walk.lab, 4);
    lab_query(&walk.lab, "TRUNCATE TABLE t");
    put_transaction(&walk, 5, (const uint32_t[]){ 5, 0 });
    walk_log(&walk);
    assert_int_equal(walk.rows, 9010);
    assert_int_equal(walk.current, 5);
    lab_close(&walk.lab);
}

static void test_random_logs(void **unused)
{
    (void)unused;
    for (unsigned seed = 1; seed <= 60; seed++) {
        struct walk walk = { 0 };
        uint64_t rows = 0;
        lab_open(&walk.lab, false);
        srandom(seed);
        for (uint64_t number = 1; number <= 40; number++) {
            uint32_t events[8] = { 0 };
            for (long i = random() % 7; i > 0; i--) {
                uint32_t size = (uint32_t)(random() % (random() % 8 ? 30 : 12000)) + 1;
                events[i - 1] = size;
                rows += size;
            }
            put_transaction(&walk, number, events);
        }
        walk_log(&walk);
        assert_int_equal(walk.rows, rows);
        lab_close(&walk.lab);
    }
}

/* The mark of the first row behind CREATE TABLE ... SELECT, in a log that begins with `before`. */
static uint64_t row_mark_behind_create(const char *before, uint32_t *told)
{
    struct log_lab lab;
    struct error err;
    uint64_t mark = 0;
    *told = 0;
    lab_open(&lab, false);
    lab_gtid(&lab, 1);
    lab_query(&lab, before);
    lab_gtid(&lab, 2);
    lab_query(&lab, "BEGIN");
    lab_query(&lab,
              "CREATE TABLE t (id INT NOT NULL PRIMARY KEY) CHARSET=utf8mb4 START TRANSACTION");
    lab_map(&lab);
    lab_rows(&lab, 7, 2);
    lab_xid(&lab);
    while (!lab_is_empty() || lab.log->has_waiting) {
        assert_true(lab_read(&lab, &err));
        for (uint32_t i = 0; i < lab.batch.count; i++) {
            const struct event *event = &lab.batch.events[i];
            *told += event->op == EVENT_SCHEMA;
            if (event->op == EVENT_INSERT && event->after[0].integer == 7)
                mark = event->mark;
        }
    }
    lab_close(&lab);
    assert_true(mark > 0);
    return mark;
}

/* When the log is read again by the same life of the agent the catalog has the table already: the
 * mark of its making would be the first row's, which would count as delivered. */
static void test_rows_behind_a_table_that_is_known_already(void **unused)
{
    (void)unused;
    uint32_t first_time, again;
    uint64_t mark = row_mark_behind_create("DROP TABLE t", &first_time);
    assert_int_equal(row_mark_behind_create("DROP TABLE other", &again), mark);
    assert_int_equal(first_time, 2);
    assert_int_equal(again, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_transactions_share_a_batch),
        cmocka_unit_test(test_events_that_end_with_the_batch),
        cmocka_unit_test(test_transactions_larger_than_batches),
        cmocka_unit_test(test_transactions_without_rows),
        cmocka_unit_test(test_statements_between_rows),
        cmocka_unit_test(test_random_logs),
        cmocka_unit_test(test_rows_behind_a_table_that_is_known_already),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
