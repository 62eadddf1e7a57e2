/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of a checkpoint: what is exported and imported is the same, record by record, and a text
 * that was changed, cut or made by something else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/exported.h"
#include "engine/base/assert.h"
#include "engine/checkpoint_store.h"

static char folder[128];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mr-exported-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[200];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    static char path[2][256];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

/* ---- a checkpoint in which every field of every record says something ---- */

/* BYTES_LITERAL of a constant. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const struct bytes members[] = { TEXT("a"), TEXT(""), TEXT("\xff\xfe"),
                                        TEXT("\xef\xbf\xbd") };
static const struct column columns[] = {
    { .name = TEXT("id"),
      .type = { .kind = TYPE_DECIMAL,
                .bits = 1,
                .precision = 38,
                .scale = 9,
                .length = 4294967295 },
      .key_order = 2,
      .auto_increment = true,
      .source_type = TEXT("decimal(38,9)"),
      .source_id = 4000000000 },
    { .name = TEXT("na\"me \\ \n\xf0\x9f\x98\x80"),
      .type = { .kind = TYPE_SET,
                .fixed = true,
                .boolean = true,
                .members = members,
                .member_count = 4 },
      .nullable = true,
      .invisible = true,
      .generated = COLUMN_GENERATED_STORED,
      .key_order = 1,
      .charset = TEXT("latin1"),
      .collation = TEXT("latin1_bin"),
      .source_type = TEXT("set('a')"),
      .default_text = TEXT(""),
      .default_is_expression = true,
      .comment = TEXT("\x01\x02") },
    { .name = TEXT("list"),
      .type = { .kind = TYPE_ARRAY, .element = TYPE_DECIMAL, .precision = 10, .scale = 2 } },
};
static const struct table tables[] = {
    { .id = 7, .version = 1, .valid_from = 3, .database = TEXT("db"), .name = TEXT("t") },
    { .id = 7,
      .version = 2,
      .valid_from = UINT64_MAX,
      .database = TEXT("db"),
      .schema = TEXT("s"),
      .name = TEXT("t\xff"),
      .columns = columns,
      .column_count = 3,
      .key_name = TEXT("PRIMARY"),
      .leaves = TEXT("16390,16395"),
      .charset = TEXT("utf8mb4"),
      .collation = TEXT("utf8mb4_bin"),
      .comment = TEXT("none"),
      .system_versioned = true,
      .source_id = 16384,
      .columns_ever = 5,
      .storage = UINT32_MAX },
    { .id = 8, .version = TABLE_DROPPED_VERSION, .database = TEXT(""), .name = TEXT("gone") },
};
static const struct chunk_record chunks[] = {
    { .table_id = 7, .cursor = TEXT("k\0x"), .until = TEXT("z"), .rows = UINT64_C(1) << 60 },
    { .table_id = 7, .range = 1, .complete = true },
};
static const struct intent intents[] = {
    { .database = TEXT("db"),
      .name = TEXT("t"),
      .label = TEXT("shop-1-0-2"),
      .first = 5,
      .last = 9,
      .applied = 10,
      .rows = 3,
      .chunks = chunks,
      .chunk_count = 2 },
    { .database = TEXT("db"),
      .name = TEXT("empty"),
      .label = TEXT("shop-1-0-3"),
      .first = UINT64_MAX,
      .applied = UINT64_C(1) << 63 },
};

static void fill(struct checkpoint_write *write)
{
    checkpoint_put_position(write,
                            &(struct position){ mark_make(12, 3), BYTES_LITERAL("\x01\0token") });
    checkpoint_put_chunk_mark(write, mark_make(0, MARK_CHUNK_LAST));
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        checkpoint_put_table(write, &tables[i]);
    for (enum table_state state = TABLE_WAITING; state <= TABLE_RESYNC; state++)
        checkpoint_put_record(write,
                              &(struct table_record){ .table_id = 7 + (uint32_t)state,
                                                      .state = state,
                                                      .range_count = 2,
                                                      .epoch = 4000000000,
                                                      .sweep = UINT64_MAX - state,
                                                      .reason = BYTES_LITERAL("why \t not") });
    for (size_t i = 0; i < ARRAY_SIZE(chunks); i++)
        checkpoint_put_range(write, &chunks[i]);
    for (size_t i = 0; i < ARRAY_SIZE(intents); i++)
        checkpoint_put_intent(write, &intents[i]);
    checkpoint_put_target(write,
                          &(struct target_record){ BYTES_LITERAL("db"), BYTES_LITERAL("t"), 10 });
    checkpoint_put_target(
        write, &(struct target_record){ BYTES_LITERAL(""), BYTES_LITERAL("\0"), UINT64_MAX });
}

static void make(const char *directory)
{
    struct checkpoint *checkpoint;
    struct checkpoint_image image;
    struct error err;
    if (!checkpoint_open(directory, BYTES_LITERAL("mysql -> clickhouse olap"), &checkpoint, &image,
                         &err))
        fail_msg("%s", err.message);
    checkpoint_image_done(&image);
    struct checkpoint_write *write = checkpoint_begin(checkpoint);
    fill(write);
    if (!checkpoint_commit(write, true, &err))
        fail_msg("%s", err.message);
    checkpoint_close(checkpoint);
}

static void export(const char *directory, struct buf *out)
{
    struct checkpoint_image image;
    struct error err;
    if (!checkpoint_peek(directory, &image, &err))
        fail_msg("%s", err.message);
    buf_init(out, 1 << 24);
    struct export export = { .out = out };
    export_begin(&export, BYTES_LITERAL("shop"));
    export_sink(&export, BYTES_LITERAL("olap"), &image, BYTES_LITERAL("somewhere"));
    export_end(&export);
    assert_false(out->failed);
    checkpoint_image_done(&image);
}

/* ---- comparing ---- */

static bool dump_record(void *context, struct bytes key, struct bytes value, struct error *err)
{
    (void)err;
    buf_sized(context, key);
    buf_sized(context, value);
    return true;
}

static void dump(const char *directory, struct buf *out)
{
    char path[300];
    struct store *store;
    struct error err;
    snprintf(path, sizeof path, "%s/db", directory);
    buf_init(out, 1 << 24);
    if (!store_open(path, STORE_LOOK, &store, &err) || !store_each(store, dump_record, out, &err))
        fail_msg("%s", err.message);
    store_close(store);
}

static void assert_same(const char *a, const char *b)
{
    struct buf first, second;
    dump(a, &first);
    dump(b, &second);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    buf_done(&first);
    buf_done(&second);
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct buf text, again;
    struct imported imported;
    struct error err;
    make(in_folder("a"));
    export(in_folder("a"), &text);
    if (!import_read(buf_view(&text), &imported, &err))
        fail_msg("%s", err.message);
    assert_true(bytes_is(imported.pipeline, "shop"));
    assert_int_equal(imported.count, 1);
    assert_true(bytes_is(imported.sinks[0].name, "olap"));
    const struct checkpoint_image *image = &imported.sinks[0].image;
    if (!checkpoint_import(in_folder("b"), image, false, &err))
        fail_msg("%s", err.message);
    assert_same(in_folder("a"), in_folder("b"));
    export(in_folder("b"), &again);
    assert_int_equal(text.size, again.size);
    assert_memory_equal(text.data, again.data, text.size);
    /* Not over another one, but with consent; and never beside an agent. */
    assert_false(checkpoint_import(in_folder("b"), image, false, &err));
    assert_non_null(strstr(err.message, "there already"));
    assert_true(checkpoint_import(in_folder("b"), image, true, &err));
    struct checkpoint *checkpoint;
    struct checkpoint_image opened;
    assert_true(checkpoint_open(in_folder("b"), BYTES_LITERAL("mysql -> clickhouse olap"),
                                &checkpoint, &opened, &err));
    assert_true(opened.epoch > image->epoch);
    assert_int_not_equal(opened.chunk_mark, image->chunk_mark);
    assert_false(checkpoint_import(in_folder("b"), image, true, &err));
    assert_non_null(strstr(err.message, "another agent"));
    checkpoint_image_done(&opened);
    checkpoint_close(checkpoint);
    import_done(&imported);
    buf_done(&text);
    buf_done(&again);
}

static bool reads(struct bytes text, struct error *err)
{
    struct imported imported;
    bool ok = import_read(text, &imported, err);
    import_done(&imported);
    return ok;
}

/* Each byte changed, and the text cut at each place. */
static void test_damage_is_refused(void **state)
{
    (void)state;
    struct buf text;
    struct error err;
    make(in_folder("a"));
    export(in_folder("a"), &text);
    for (size_t i = 0; i < text.size; i++) {
        text.data[i] ^= 0x04;
        assert_false(reads(buf_view(&text), &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        text.data[i] ^= 0x04;
        if (i + 1 < text.size) /* the last byte ends the line: it may be missing */
            assert_false(reads((struct bytes){ text.data, i }, &err));
    }
    assert_true(reads(buf_view(&text), &err));
    buf_done(&text);
}

/* A text of our own, with a sum that fits. */
static const struct refused {
    const char *text, *said;
} refused[] = {
    { "", "no exported checkpoint" },
    { "hello\n", "no exported checkpoint" },
    { "{\"millrace-checkpoint\":2}\n", "format 2" },
    { "{\"millrace-checkpoint\":1}\n", "'pipeline' is missing" },
    { "{\"millrace-checkpoint\":1,\"pipeline\":\"p\"}\n{\"record\":\"new\"}\n",
      "line 2: 'record'" },
    { "{\"millrace-checkpoint\":1,\"pipeline\":\"p\"}\n{\"record\":\"target\"}\n",
      "line 2: 'record'" },
    { "{\"millrace-checkpoint\":1,\"pipeline\":\"p\"}\n{\"record\":\"sink\",\"name\":1}\n",
      "line 2: 'name' must be a text" },
    { "{\"millrace-checkpoint\":1,\"pipeline\":\"p\"}\n{\"record\":\"sink\",\"name\":\"n\","
      "\"identity\":{\"hex\":\"0g\"}}\n",
      "'identity' must be" },
};

static void test_foreign_texts_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct error err = { 0 };
        struct buf text;
        buf_init(&text, 4096);
        buf_text(&text, refused[i].text);
        struct export export = { .out = &text };
        for (const char *at = refused[i].text; *at; at++)
            export.records += *at == '\n';
        export_end(&export);
        assert_false(reads(buf_view(&text), &err));
        if (!strstr(err.message, refused[i].said))
            fail_msg("'%s' is told as: %s", refused[i].text, err.message);
        buf_done(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_damage_is_refused, make_folder, remove_folder),
        cmocka_unit_test(test_foreign_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
