/* SPDX-License-Identifier: Apache-2.0
 *
 * Versions of tables by name: renames, swaps, names that fold, and what a checkpoint brings back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "schema/catalog.h"

static const struct table *put(struct catalog *catalog, const char *name,
                               const struct table *previous)
{
    static const struct column column = { .name = { (const uint8_t *)"id", 2 },
                                          .type = { .kind = TYPE_INT, .bits = 32 } };
    const struct table draft = { .database = BYTES_LITERAL("d"),
                                 .name = bytes_from(name),
                                 .columns = &column,
                                 .column_count = 1 };
    return catalog_put(catalog, &draft, previous, previous ? 7 : 0);
}

static const struct table *find(const struct catalog *catalog, const char *name)
{
    return catalog_find(catalog, BYTES_LITERAL("d"), (struct bytes){ 0 }, bytes_from(name));
}

static void test_versions(void **state)
{
    (void)state;
    struct catalog catalog;
    catalog_init(&catalog);
    const struct table *first = put(&catalog, "a", NULL), *other = put(&catalog, "b", NULL);
    assert_int_equal(first->version, 1);
    assert_int_not_equal(first->id, other->id);
    uint32_t generation = catalog.generation;
    const struct table *second = put(&catalog, "a", first);
    assert_int_equal(second->id, first->id);
    assert_int_equal(second->version, 2);
    assert_ptr_equal(second->previous, first);
    assert_int_equal(second->valid_from, 7);
    assert_int_not_equal(catalog.generation, generation);
    assert_ptr_equal(find(&catalog, "a"), second);
    assert_null(find(&catalog, "A"));
    assert_int_equal(catalog.all_count, 3);
    catalog_done(&catalog);
}

/* RENAME TABLE a TO c, b TO a, c TO b */
static void test_a_swap(void **state)
{
    (void)state;
    struct catalog catalog;
    catalog_init(&catalog);
    const struct table *a = put(&catalog, "a", NULL), *b = put(&catalog, "b", NULL);
    const struct table *c = put(&catalog, "c", a);
    assert_null(find(&catalog, "a"));
    put(&catalog, "a", b);
    put(&catalog, "b", c);
    assert_int_equal(find(&catalog, "a")->id, b->id);
    assert_int_equal(find(&catalog, "b")->id, a->id);
    assert_null(find(&catalog, "c"));
    catalog_done(&catalog);
}

/* A name that another table has taken is not forgotten with the one that had it. */
static void test_drop(void **state)
{
    (void)state;
    struct catalog catalog;
    catalog_init(&catalog);
    const struct table *a = put(&catalog, "a", NULL);
    put(&catalog, "b", a);
    const struct table *fresh = put(&catalog, "a", NULL);
    catalog_drop(&catalog, a);
    assert_ptr_equal(find(&catalog, "a"), fresh);
    catalog_drop(&catalog, fresh);
    assert_null(find(&catalog, "a"));
    const struct table *later = put(&catalog, "a", NULL);
    assert_true(later->id > fresh->id);
    catalog_done(&catalog);
}

static void test_names_that_fold(void **state)
{
    (void)state;
    struct catalog catalog;
    catalog_init(&catalog);
    catalog.fold_names = true;
    const struct table *a = put(&catalog, "Orders", NULL);
    assert_ptr_equal(find(&catalog, "orders"), a);
    assert_ptr_equal(find(&catalog, "ORDERS"), a);
    catalog_done(&catalog);
}

static void test_what_a_checkpoint_brings_back(void **state)
{
    (void)state;
    struct catalog first, again;
    catalog_init(&first);
    catalog_init(&again);
    put(&first, "b", put(&first, "a", NULL));
    put(&first, "c", NULL);
    for (size_t i = 0; i < first.all_count; i++)
        catalog_restore(&again, first.all[i]);
    catalog_settle(&again);
    assert_null(find(&again, "a"));
    assert_int_equal(find(&again, "b")->version, 2);
    assert_ptr_not_equal(find(&again, "b"), find(&first, "b"));
    assert_int_equal(find(&again, "b")->previous->version, 1);
    assert_int_equal(put(&again, "d", NULL)->id, find(&first, "c")->id + 1);
    catalog_done(&first);
    catalog_done(&again);
}

/* A checkpoint keeps versions by id, and a swap gives the lower id the name that the higher had. */
static void test_a_swap_that_was_saved(void **state)
{
    (void)state;
    struct catalog first, again;
    catalog_init(&first);
    catalog_init(&again);
    const struct table *a = put(&first, "a", NULL), *b = put(&first, "b", NULL);
    const struct table *c = put(&first, "c", a);
    const struct table *new_a = put(&first, "a", b), *new_b = put(&first, "b", c);
    const struct table *by_id[] = { a, c, new_b, b, new_a };
    for (size_t i = 0; i < ARRAY_SIZE(by_id); i++)
        catalog_restore(&again, by_id[i]);
    catalog_settle(&again);
    assert_int_equal(find(&again, "a")->id, b->id);
    assert_int_equal(find(&again, "b")->id, a->id);
    assert_null(find(&again, "c"));
    catalog_done(&first);
    catalog_done(&again);
}

static void test_a_drop_that_was_saved(void **state)
{
    (void)state;
    struct catalog first, again;
    catalog_init(&first);
    catalog_init(&again);
    struct table dropped = *put(&first, "a", NULL);
    const struct table *taker = put(&first, "a", put(&first, "b", NULL));
    dropped.version = TABLE_DROPPED_VERSION;
    catalog_restore(&again, taker);
    catalog_restore(&again, &dropped);
    catalog_settle(&again);
    assert_int_equal(find(&again, "a")->id, taker->id);
    catalog_done(&first);
    catalog_done(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_a_swap),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_names_that_fold),
        cmocka_unit_test(test_what_a_checkpoint_brings_back),
        cmocka_unit_test(test_a_swap_that_was_saved),
        cmocka_unit_test(test_a_drop_that_was_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
