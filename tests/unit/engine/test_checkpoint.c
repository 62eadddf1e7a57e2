/* SPDX-License-Identifier: Apache-2.0
 *
 * The checkpoint: what was committed is there after a reopen, foreign and locked directories are
 * refused, and a damaged record is never guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/checkpoint_record.h"

static char directory[64];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/mr-checkpoint-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

static struct checkpoint *open_it(struct checkpoint_image *image)
{
    struct checkpoint *checkpoint;
    struct error err;
    if (!checkpoint_open(directory, bytes_from("a -> b"), &checkpoint, image, &err))
        fail_msg("%s", err.message);
    return checkpoint;
}

static const struct chunk_record chunk = { .table_id = 7, .range = 1,
                                           .cursor = { (const uint8_t *)"k\0x", 3 }, .rows = 12 };
static const struct intent intent = {
    .database = { (const uint8_t *)"db", 2 }, .name = { (const uint8_t *)"t", 1 },
    .label = { (const uint8_t *)"label-1", 7 }, .first = 5, .last = 9, .applied = 10, .rows = 3,
    .chunks = &chunk, .chunk_count = 1 };

static void test_what_was_stored_is_there(void **state)
{
    (void)state;
    struct checkpoint_image image;
    struct error err;
    struct checkpoint *checkpoint = open_it(&image);
    assert_true(image.fresh);
    uint64_t epoch = image.epoch;
    checkpoint_image_done(&image);
    struct checkpoint_write *write = checkpoint_begin(checkpoint);
    checkpoint_put_position(write, &(struct position){ 42, bytes_from("token") });
    checkpoint_put_record(write, &(struct table_record){ .table_id = 7, .state = TABLE_SNAPSHOT,
                                                         .range_count = 2, .epoch = 3 });
    checkpoint_put_intent(write, &intent);
    assert_true(checkpoint_commit(write, true, &err));
    checkpoint_close(checkpoint);

    checkpoint = open_it(&image);
    assert_false(image.fresh);
    assert_true(image.epoch > epoch);
    assert_int_equal(image.position.mark, 42);
    assert_true(bytes_is(image.position.token, "token"));
    assert_int_equal(image.record_count, 1);
    assert_int_equal(image.records[0].state, TABLE_SNAPSHOT);
    assert_int_equal(image.intent_count, 1);
    assert_true(bytes_is(image.intents[0].label, "label-1"));
    assert_int_equal(image.intents[0].last, 9);
    assert_int_equal(image.intents[0].chunk_count, 1);
    assert_true(bytes_equal(image.intents[0].chunks[0].cursor, chunk.cursor));
    checkpoint_image_done(&image);

    write = checkpoint_begin(checkpoint);
    checkpoint_put_done(write, &intent);
    assert_true(checkpoint_commit(write, false, &err));
    checkpoint_close(checkpoint);
    checkpoint = open_it(&image);
    assert_int_equal(image.intent_count, 0);
    assert_int_equal(image.range_count, 1);
    assert_int_equal(image.ranges[0].rows, 12);
    assert_int_equal(image.target_count, 1);
    assert_int_equal(image.targets[0].applied, 10);
    checkpoint_image_done(&image);
    checkpoint_close(checkpoint);
}

static void test_another_pipelines_is_refused(void **state)
{
    (void)state;
    struct checkpoint_image image;
    struct checkpoint *checkpoint = open_it(&image);
    checkpoint_image_done(&image);
    checkpoint_close(checkpoint);
    struct error err;
    assert_false(checkpoint_open(directory, bytes_from("c -> d"), &checkpoint, &image, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.message, "a -> b"));
}

static void test_a_second_agent_is_refused(void **state)
{
    (void)state;
    struct checkpoint_image image;
    struct checkpoint *checkpoint = open_it(&image);
    checkpoint_image_done(&image);
    struct checkpoint *second;
    struct error err;
    assert_false(checkpoint_open(directory, bytes_from("a -> b"), &second, &image, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.message, "another agent"));
    checkpoint_close(checkpoint);
}

/* Each byte of a sealed record flipped, and the record cut at each length. */
static void test_damaged_records(void **state)
{
    (void)state;
    struct buf value, sealed;
    struct error err;
    record_intent(&intent, &value);
    record_seal(buf_view(&value), &sealed);
    struct bytes key = bytes_from("i1234dbt");
    for (size_t i = 0; i <= sealed.size; i++) {
        struct checkpoint_image image = { 0 };
        struct record_loader loader = { .image = &image };
        bool whole = i == sealed.size;
        if (!whole)
            sealed.data[i] ^= 0x40;
        assert_int_equal(record_load(&loader, key, buf_view(&sealed), &err), whole);
        if (!whole) {
            sealed.data[i] ^= 0x40;
            assert_false(record_load(&loader, key, (struct bytes){ sealed.data, i }, &err));
        }
        record_loader_done(&loader);
        checkpoint_image_done(&image);
    }
    buf_done(&value);
    buf_done(&sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_stored_is_there, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(test_another_pipelines_is_refused, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(test_a_second_agent_is_refused, make_directory,
                                        remove_directory),
        cmocka_unit_test(test_damaged_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
