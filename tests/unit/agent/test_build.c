/* SPDX-License-Identifier: Apache-2.0
 *
 * From a config to plans: drivers, routes, schema changes, server ids. The source is one of the
 * test's own, so that the wiring is seen and not a driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/build.h"
#include "engine/base/assert.h"
#include "engine/base/cleanup.h"
#include "sources/sources.h"

struct fake_options {
    struct bytes hostname, server_id;
    int start_mode;
};
static const char *const modes[] = { "snapshot", "initial", "latest-offset", NULL };
static const struct setting fake_settings[] = {
    { "hostname", SETTING_TEXT, SETTING_FIELD(fake_options, hostname), NULL, "Host.", 0, 0, NULL },
    { "server-id", SETTING_TEXT, SETTING_FIELD(fake_options, server_id), "", "Id.", 0, 0, NULL },
    { "scan.startup.mode", SETTING_CHOICE, SETTING_FIELD(fake_options, start_mode), "initial",
      "Start.", 0, 0, modes },
    { 0 },
};
static const struct source_driver fake_source = { .name = "fake",
                                                  .settings = fake_settings,
                                                  .options_size = sizeof(struct fake_options) };
const struct source_driver *const source_drivers[] = { &fake_source, NULL };

#define HEAD "source: {type: fake, hostname: h, tables: a.b}\n"

static void test_plans(void **state)
{
    (void)state;
    CLEANUP(config_done) struct config config = { 0 };
    struct plan *plans = NULL;
    uint32_t count = 0;
    struct error err = { 0 };
    const char *text = "source:\n  type: fake\n  hostname: h\n  server-id: 5401-5404\n"
                       "  tables: [a.b, c.d]\n  tables.exclude: a.c\n"
                       "  scan.startup.mode: snapshot\n"
                       "sinks:\n- {type: blackhole, name: one, sink.buffer-flush.max-rows: 5}\n"
                       "- {type: stdout, name: t w, include.schema.changes: [add]}\n"
                       "route:\n- {source-table: a.b, sink-table: x.y, sink: one}\n"
                       "- {source-table: c.d, sink-table: x.<>, replace-symbol: <>}\n"
                       "pipeline: {name: my shop, checkpoint.directory: /c, "
                       "on-lost-position: latest, memory.budget: 64mb}\n";
    if (!config_read("x.yaml", bytes_from(text), &config, &err) ||
        !build_plans(&config, &plans, &count, &err))
        fail_msg("%s", err.message);
    assert_int_equal(count, 2);
    const struct pipeline_options *one = &plans[0].options, *two = &plans[1].options;
    assert_string_equal(plans[0].sink->name, "blackhole");
    assert_string_equal(plans[1].sink->name, "stdout");
    assert_true(bytes_is(one->name, "my_shop.one"));
    assert_true(bytes_is(two->checkpoint_directory, "/c/t_w"));
    assert_int_equal(one->flush_rows, 5);
    assert_int_equal(two->flush_rows, 100000);
    assert_int_equal(one->memory_bytes, 64 << 20);
    assert_int_equal(one->on_lost_position, LOST_LATEST);
    assert_int_equal(one->schema_behavior, SCHEMA_LENIENT);
    assert_int_equal(one->start, START_SNAPSHOT);
    assert_true(one->until_snapshot_done);
    assert_int_equal(one->schema_changes,
                     CHANGE_BITS_ALL & ~(CHANGE_BIT_DROP_TABLE | CHANGE_BIT_TRUNCATE_TABLE |
                                         CHANGE_BIT_DROP_COLUMN));
    assert_int_equal(two->schema_changes, CHANGE_BIT_ADD_COLUMN);
    assert_int_equal(one->routes.table_count, 2);
    assert_int_equal(one->routes.exclude_count, 1);
    assert_int_equal(one->routes.rule_count, 2);
    assert_null(one->routes.rules[0].replace_symbol.data);
    assert_int_equal(two->routes.rule_count, 1);
    assert_true(bytes_is(two->routes.rules[0].replace_symbol, "<>"));
    assert_int_equal(two->routes.rules[0].line, 13);
    const struct fake_options *first = plans[0].source_options, *second = plans[1].source_options;
    assert_true(bytes_is(first->server_id, "5401-5402"));
    assert_true(bytes_is(second->server_id, "5403-5404"));
    assert_true(bytes_is(second->hostname, "h"));

    build_narrow(&config, &plans[0], "a.b");
    assert_int_equal(plans[0].options.routes.table_count, 1);
    assert_int_equal(plans[0].options.checkpoint_directory.size,
                     strlen("/c/one-backfill-0123456789abcdef"));
}

static const struct {
    const char *name, *text, *message;
} wrongs[] = {
    { "source type", "source: {type: mysqll, tables: a.b}\nsink: {type: blackhole}\n",
      "x.yaml:1: source: there is no type 'mysqll', but fake" },
    { "sink type", HEAD "sink: {type: doris}\n",
      "x.yaml:2: sink 'doris': there is no type 'doris', but clickhouse" },
    { "source key",
      "source: {type: fake, hostname: h, tables: a.b, hostnam: x}\n"
      "sink: {type: blackhole}\n",
      "x.yaml:1: source: unknown key 'hostnam'; did you mean 'hostname'?" },
    { "sink key", HEAD "sink: {type: blackhole, sink.paralelism: 2}\n",
      "x.yaml:2: sink 'blackhole': unknown key 'sink.paralelism'; did you mean "
      "'sink.parallelism'?" },
    { "schema change", HEAD "sink: {type: blackhole, exclude.schema.changes: drop.tables}\n",
      "x.yaml:2: sink 'blackhole': exclude.schema.changes: 'drop.tables' is no schema change; the "
      "nearest is 'drop.table'" },
    { "one id for two",
      "source: {type: fake, hostname: h, tables: a.b, server-id: 7}\n"
      "sinks: [{type: blackhole}, {type: stdout}]\n",
      "x.yaml:1: source: server-id: must be a range of at least 2 numbers, one a sink" },
    { "pattern of tables",
      "source:\n  type: fake\n  hostname: h\n  tables: a.(b\nsink: {type: blackhole}\n",
      "x.yaml:4: source: tables: pattern 'a.(b': missing closing parenthesis" },
    { "pattern of a route",
      HEAD "sink: {type: blackhole}\nroute:\n  - {source-table: 'a.[', sink-table: a.b}\n",
      "x.yaml:4: route: source-table: pattern 'a.[': missing terminating ]" },
    { "address", HEAD "sink:\n  type: clickhouse\n  url: ftp://nowhere\n",
      "x.yaml:4: sink 'clickhouse': url: an address begins with http:// or https://" },
    { "listen", HEAD "sink: {type: blackhole}\npipeline: {http.listen: everywhere}\n",
      "x.yaml:3: pipeline: http.listen must be an address and a port" },
};

static void test_wrongs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
        CLEANUP(config_done) struct config config = { 0 };
        struct plan *plans = NULL;
        uint32_t count = 0;
        struct error err = { 0 };
        print_message("%s\n", wrongs[i].name);
        assert_true(config_read("x.yaml", bytes_from(wrongs[i].text), &config, &err));
        assert_false(build_plans(&config, &plans, &count, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        if (strncmp(err.message, wrongs[i].message, strlen(wrongs[i].message)) != 0)
            fail_msg("'%s' instead of '%s'", err.message, wrongs[i].message);
    }
}

enum { DROPS = CHANGE_BIT_DROP_TABLE | CHANGE_BIT_DROP_COLUMN };
static const struct {
    const char *include, *exclude;
    enum schema_behavior behavior;
    bool enabled, ok;
    uint32_t bits;
} changes[] = {
    { NULL, NULL, SCHEMA_EVOLVE, true, true, CHANGE_BITS_ALL },
    { NULL, NULL, SCHEMA_LENIENT, true, true,
      CHANGE_BITS_ALL & ~(DROPS | CHANGE_BIT_TRUNCATE_TABLE) },
    { NULL, "truncate.table", SCHEMA_LENIENT, true, true,
      CHANGE_BITS_ALL & ~(CHANGE_BIT_DROP_COLUMN | CHANGE_BIT_TRUNCATE_TABLE) },
    { NULL, "drop", SCHEMA_EVOLVE, true, true, CHANGE_BITS_ALL & ~DROPS },
    { "drop", NULL, SCHEMA_LENIENT, true, true, DROPS },
    { "drop", "drop.table", SCHEMA_EVOLVE, true, true, CHANGE_BIT_DROP_COLUMN },
    { "alter.table.comment", NULL, SCHEMA_EVOLVE, true, true, CHANGE_BIT_ALTER_TABLE_COMMENT },
    { "alter", NULL, SCHEMA_EVOLVE, true, true,
      CHANGE_BIT_ALTER_TABLE_COMMENT | CHANGE_BIT_ALTER_COLUMN_TYPE },
    { NULL, NULL, SCHEMA_EVOLVE, false, true, CHANGE_BIT_CREATE_TABLE },
    { "dro", NULL, SCHEMA_EVOLVE, true, false, 0 },
    { "drop.", NULL, SCHEMA_EVOLVE, true, false, 0 },
    { NULL, "add.columns", SCHEMA_EVOLVE, true, false, 0 },
};

static struct setting_list one_item(const char *text, struct bytes *item)
{
    *item = text ? bytes_from(text) : (struct bytes){ 0 };
    return (struct setting_list){ item, text != NULL };
}

static void test_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        struct bytes include, exclude;
        struct change_names names = { one_item(changes[i].include, &include),
                                      one_item(changes[i].exclude, &exclude), changes[i].enabled };
        uint32_t bits = 0;
        struct error err = { 0 };
        print_message("%s, %s\n", changes[i].include ? changes[i].include : "-",
                      changes[i].exclude ? changes[i].exclude : "-");
        assert_int_equal(build_change_bits(&names, changes[i].behavior, &bits, &err),
                         changes[i].ok);
        assert_int_equal(bits, changes[i].bits);
    }
}

static const struct {
    const char *text;
    uint32_t index, count;
    const char *id;
} ids[] = {
    { "", 1, 3, "" },
    { "5401", 0, 1, "5401" },
    { "5401-5404", 0, 1, "5401-5404" },
    { "1-2", 1, 2, "2" },
    { "5401-5405", 1, 2, "5403-5404" },
    { "7", 0, 2, NULL },
    { "5-4", 0, 1, NULL },
    { "0", 0, 1, NULL },
    { "x", 0, 1, NULL },
    { "1-", 0, 1, NULL },
    { "-1", 0, 1, NULL },
    { "1-2-3", 0, 1, NULL },
    { "4294967296", 0, 1, NULL },
    { "99999999999", 0, 1, NULL },
};

static void test_server_ids(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena arena = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        struct bytes id = { 0 };
        struct error err = { 0 };
        print_message("'%s'\n", ids[i].text);
        assert_int_equal(
            build_server_id(bytes_from(ids[i].text), ids[i].index, ids[i].count, &arena, &id, &err),
            ids[i].id != NULL);
        if (ids[i].id)
            assert_true(bytes_is(id, ids[i].id));
    }
}

static void test_start_modes(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum start_mode mode;
    } cases[] = {
        { "initial", START_INITIAL },           { "earliest-offset", START_EARLIEST },
        { "latest-offset", START_LATEST },      { "specific-offset", START_SPECIFIC },
        { "timestamp", START_TIMESTAMP },       { "snapshot", START_SNAPSHOT },
        { "committed-offset", START_SPECIFIC }, { "nonsense", START_INITIAL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(build_start_mode(cases[i].word), cases[i].mode);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),       cmocka_unit_test(test_wrongs),
        cmocka_unit_test(test_changes),     cmocka_unit_test(test_server_ids),
        cmocka_unit_test(test_start_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
