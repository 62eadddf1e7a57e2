/* SPDX-License-Identifier: Apache-2.0
 *
 * The checkpoint: what was committed is there after a reopen, foreign and locked directories are
 * refused, and a damaged record is never guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "engine/checkpoint_record.h"

static char directory[128];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/mr-checkpoint-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    char command[200];
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

static const struct chunk_record chunk = {
    .table_id = 7, .range = 1, .cursor = { (const uint8_t *)"k\0x", 3 }, .rows = 12
};
static const struct intent intent = { .database = { (const uint8_t *)"db", 2 },
                                      .name = { (const uint8_t *)"t", 1 },
                                      .label = { (const uint8_t *)"label-1", 7 },
                                      .first = 5,
                                      .last = 9,
                                      .applied = 10,
                                      .rows = 3,
                                      .chunks = &chunk,
                                      .chunk_count = 1 };

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
    checkpoint_put_record(
        write, &(struct table_record){
                   .table_id = 7, .state = TABLE_SNAPSHOT, .range_count = 2, .epoch = 3 });
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

/* ---- damaged files ---- */

/* Each commit makes the position and all records of one number: any mixture shows. */
enum { COMMITS = 10, RECORDS = 5 };

static void commit_number(struct checkpoint *checkpoint, uint32_t number, bool sync)
{
    struct error err;
    struct checkpoint_write *write = checkpoint_begin(checkpoint);
    checkpoint_put_position(write, &(struct position){ number, bytes_from("token") });
    checkpoint_clear_ranges(write, 7);
    for (uint32_t i = 0; i < RECORDS; i++) {
        checkpoint_put_record(write, &(struct table_record){ .table_id = i, .epoch = number });
        checkpoint_put_range(
            write, &(struct chunk_record){ .table_id = 7, .range = i + number, .rows = number });
    }
    checkpoint_put_intent(write, &intent);
    if (number % 2)
        checkpoint_drop_intent(write, &intent);
    if (!checkpoint_commit(write, sync, &err))
        fail_msg("%s", err.message);
}

/* A life of the agent, ended by a crash unless it is closed. */
static void live(uint32_t from, bool closed)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct checkpoint_image image;
        struct checkpoint *checkpoint = open_it(&image);
        for (uint32_t i = from; i < from + COMMITS; i++)
            commit_number(checkpoint, i, i % 3 == 0);
        if (closed)
            checkpoint_close(checkpoint);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static uint64_t number_of(const struct checkpoint_image *image)
{
    uint64_t number = image->position.mark;
    assert_int_equal(image->record_count, RECORDS);
    assert_int_equal(image->range_count, RECORDS);
    assert_int_equal(image->intent_count, number % 2 ? 0 : 1);
    for (uint32_t i = 0; i < RECORDS; i++) {
        assert_int_equal(image->records[i].epoch, number);
        assert_int_equal(image->ranges[i].rows, number);
        assert_int_equal(image->ranges[i].range, number + i);
    }
    return number;
}

static void run_command(const char *words, const char *a, const char *b)
{
    char command[700];
    snprintf(command, sizeof command, "%s '%s' %s", words, a, b);
    assert_int_equal(system(command), 0);
}

enum damage {
    DAMAGE_DELETE,
    DAMAGE_EMPTY,
    DAMAGE_CUT,
    DAMAGE_FLIP,
    DAMAGE_FLIP_EARLY,
    DAMAGE_FLIP_LATE,
    DAMAGE_KINDS
};

static void damage(const char *path, enum damage kind)
{
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    static const int eighths[] = {
        [DAMAGE_FLIP] = 4, [DAMAGE_FLIP_EARLY] = 1, [DAMAGE_FLIP_LATE] = 7
    };
    if (kind == DAMAGE_DELETE) {
        assert_int_equal(unlink(path), 0);
    } else if (kind == DAMAGE_EMPTY || kind == DAMAGE_CUT) {
        assert_int_equal(truncate(path, kind == DAMAGE_CUT ? facts.st_size / 2 : 0), 0);
    } else if (facts.st_size > 0) {
        int fd = open(path, O_RDWR);
        uint8_t byte;
        off_t at = facts.st_size * eighths[kind] / 8;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
    }
}

/* What was there is opened again: as it was, or as it was at an earlier commit. */
static void open_damaged(const char *file, int kind, uint64_t oldest, uint64_t newest)
{
    struct checkpoint_image image;
    print_message("%s damage %d\n", file, kind);
    struct checkpoint *checkpoint = open_it(&image);
    uint64_t number = number_of(&image);
    assert_true(number >= oldest && number <= newest);
    checkpoint_image_done(&image);
    /* and goes on being whole */
    commit_number(checkpoint, (uint32_t)newest + 1, true);
    checkpoint_close(checkpoint);
    checkpoint = open_it(&image);
    assert_int_equal(number_of(&image), newest + 1);
    checkpoint_image_done(&image);
    checkpoint_close(checkpoint);
}

static size_t list_files(const char *folder, const char *prefix, char files[][300], size_t count)
{
    DIR *listed = opendir(folder);
    assert_non_null(listed);
    for (struct dirent *entry; (entry = readdir(listed));)
        if (entry->d_type == DT_REG && count < 64)
            snprintf(files[count++], 300, "%s%s", prefix, entry->d_name);
    closedir(listed);
    return count;
}

static void test_each_file_damaged(void **state)
{
    (void)state;
    static char files[64][300];
    char whole[64], db[80], path[700];
    live(1, false);  /* a log */
    live(11, true);  /* replayed into a table; a copy */
    live(21, false); /* another log */
    snprintf(whole, sizeof whole, "%.60s", directory);
    snprintf(db, sizeof db, "%s/db", whole);
    size_t count = list_files(whole, "", files, 0);
    count = list_files(db, "db/", files, count);
    assert_true(count >= 9);
    for (size_t i = 0; i < count; i++)
        for (int kind = 0; kind < DAMAGE_KINDS; kind++) {
            snprintf(directory, sizeof directory, "%.60s-d", whole);
            run_command("cp -r", whole, directory);
            snprintf(path, sizeof path, "%.120s/%.300s", directory, files[i]);
            damage(path, (enum damage)kind);
            open_damaged(files[i], kind, 20, 30);
            run_command("rm -r", directory, "");
        }
    snprintf(directory, sizeof directory, "%s", whole);
}

/* Without a copy there is nothing to go back to: one clear line, and nothing invented. */
static void test_damage_without_a_copy(void **state)
{
    (void)state;
    struct checkpoint_image image;
    struct checkpoint *checkpoint;
    struct error err;
    char path[400];
    live(1, false);
    snprintf(path, sizeof path, "%s/db/CURRENT", directory);
    assert_int_equal(unlink(path), 0);
    for (int turn = 0; turn < 2; turn++) {
        assert_false(checkpoint_open(directory, bytes_from("a -> b"), &checkpoint, &image, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_non_null(strstr(err.message, "--from-savepoint"));
    }
}

static void test_labels_are_new_after_going_back(void **state)
{
    (void)state;
    struct checkpoint_image image;
    struct error err;
    char savepoint[200];
    struct checkpoint *checkpoint = open_it(&image);
    uint64_t first = image.epoch;
    checkpoint_image_done(&image);
    commit_number(checkpoint, 1, true);
    snprintf(savepoint, sizeof savepoint, "%s.savepoint", directory);
    assert_true(checkpoint_save(directory, savepoint, &err)); /* while it is in use */
    commit_number(checkpoint, 2, true);
    checkpoint_close(checkpoint);
    for (int i = 0; i < 3; i++) {
        checkpoint = open_it(&image);
        checkpoint_image_done(&image);
        checkpoint_close(checkpoint);
    }
    bool done;
    if (!checkpoint_restore(directory, bytes_from("a -> b"), savepoint, &done, &err))
        fail_msg("%s", err.message);
    assert_true(done);
    for (int i = 0; i < 2; i++) { /* and is an older one until all that it asks for is stored */
        checkpoint = open_it(&image);
        assert_int_equal(number_of(&image), 1);
        assert_true(image.epoch > first + 3);
        assert_true(image.older && image.held >= image.position.mark);
        checkpoint_image_done(&image);
        if (i == 0)
            checkpoint_close(checkpoint);
    }
    struct checkpoint_write *write = checkpoint_begin(checkpoint);
    checkpoint_forget_older(write);
    assert_true(checkpoint_commit(write, true, &err));
    commit_number(checkpoint, 3, true);
    checkpoint_close(checkpoint);
    assert_true(checkpoint_restore(directory, bytes_from("a -> b"), savepoint, &done, &err));
    assert_false(done); /* it descends from it: not back again */
    checkpoint = open_it(&image);
    assert_int_equal(number_of(&image), 3);
    assert_false(image.older);
    checkpoint_image_done(&image);
    checkpoint_close(checkpoint);
    assert_false(checkpoint_restore(directory, bytes_from("c -> d"), savepoint, &done, &err));
    assert_non_null(strstr(err.message, "a -> b"));
    damage(savepoint, DAMAGE_FLIP);
    assert_false(checkpoint_restore(directory, bytes_from("a -> b"), savepoint, &done, &err));
    assert_non_null(strstr(err.message, "damaged"));
    unlink(savepoint);
}

static long milliseconds(clock_t ticks) { return (long)(ticks * 1000 / CLOCKS_PER_SEC); }

/* As one table after the other finishes: some of the records were stored before, in this life. */
static void finish_each_other_table(struct checkpoint *checkpoint, uint32_t tables)
{
    struct error err;
    for (uint32_t i = 0; i < tables; i += tables / 4) {
        struct checkpoint_write *write = checkpoint_begin(checkpoint);
        for (uint32_t id = i; id < i + tables / 4; id += 2)
            checkpoint_put_range(
                write, &(struct chunk_record){ .table_id = id, .rows = id + 1, .complete = true });
        assert_true(checkpoint_commit(write, false, &err));
    }
}

/* A start reads all of it; 20,000 tables of 12 columns are told with the processor's time. */
static void test_many_tables(void **state)
{
    (void)state;
    enum { TABLES = 20000, COLUMNS = 12 };
    struct checkpoint_image image;
    struct error err;
    struct column columns[COLUMNS] = { 0 };
    for (int i = 0; i < COLUMNS; i++)
        columns[i].name = bytes_from("a_column_name");
    struct checkpoint *checkpoint = open_it(&image);
    checkpoint_image_done(&image);
    struct checkpoint_write *write = checkpoint_begin(checkpoint);
    for (uint32_t i = 0; i < TABLES; i++) {
        struct table table = { .id = i,
                               .version = 1,
                               .database = bytes_from("shop"),
                               .name = bytes_from("orders"),
                               .columns = columns,
                               .column_count = COLUMNS };
        checkpoint_put_table(write, &table);
        checkpoint_put_record(write, &(struct table_record){ .table_id = i, .epoch = i });
        checkpoint_put_range(write, &(struct chunk_record){ .table_id = i, .rows = i });
    }
    clock_t begun = clock();
    assert_true(checkpoint_commit(write, true, &err));
    clock_t stored = clock();
    finish_each_other_table(checkpoint, TABLES);
    checkpoint_close(checkpoint);
    clock_t closed = clock();
    checkpoint = open_it(&image);
    print_message("%d tables: stored in %ld ms, closed with a copy in %ld ms, opened in %ld ms\n",
                  TABLES, milliseconds(stored - begun), milliseconds(closed - stored),
                  milliseconds(clock() - closed));
    assert_int_equal(image.table_count, TABLES);
    for (uint32_t i = 0; i < TABLES; i++) {
        struct checkpoint_progress read = checkpoint_progress_of(&image, i);
        assert_int_equal(checkpoint_record_of(&image, i)->epoch, i);
        assert_int_equal(read.ranges, 1);
        assert_int_equal(read.complete, i % 2 == 0);
        assert_int_equal(read.rows, i + (i % 2 == 0));
    }
    assert_int_equal(checkpoint_progress_of(&image, TABLES).ranges, 0);
    assert_null(checkpoint_record_of(&image, TABLES));
    checkpoint_image_done(&image);
    checkpoint_close(checkpoint);
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
        cmocka_unit_test_setup_teardown(test_many_tables, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_each_file_damaged, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_damage_without_a_copy, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(test_labels_are_new_after_going_back, make_directory,
                                        remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
