/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files: ours, Flink CDC's, and wrong ones with the text that the user reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"
#include "engine/base/assert.h"
#include "engine/base/cleanup.h"

/* A driver's table, as config knows none of its own. */
struct driver_options {
    struct bytes hostname, password;
    int64_t port;
};
static const struct setting driver_settings[] = {
    { "hostname", SETTING_TEXT, SETTING_FIELD(driver_options, hostname), NULL, "Host.", 0, 0,
      NULL },
    { "port", SETTING_INT, SETTING_FIELD(driver_options, port), "3306", "Port.", 1, 65535, NULL },
    { "password", SETTING_SECRET, SETTING_FIELD(driver_options, password), "", "Password.", 0, 0,
      NULL },
    { 0 },
};

#define HEAD "source: {type: mysql, hostname: h, tables: a.b}\n"
#define SINK "sink: {type: blackhole}\n"

static const struct {
    const char *name, *text, *message;
} wrongs[] = {
    { "not a map", "- a", "dir/x.yaml:1: the file must be a map" },
    { "unknown part", HEAD SINK "pipelin: {}",
      "dir/x.yaml:3: unknown part 'pipelin'; did you mean "
      "'pipeline'?" },
    { "far unknown part", HEAD SINK "zzzzzzz: {}", "there are source, sink, sinks, route" },
    { "no source", SINK, "dir/x.yaml:1: 'source' is missing" },
    { "no sink", HEAD, "'sink' (or 'sinks') is missing" },
    { "both", HEAD SINK "sinks: []", "dir/x.yaml:3: write either 'sink' or 'sinks'" },
    { "sinks is no list", HEAD "sinks: {type: x}", "dir/x.yaml:2: 'sinks' must be a list" },
    { "sinks is empty", HEAD "sinks: []", "'sinks' must be a list of sinks" },
    { "sink is a list", HEAD "sink: [a]", "a list of sinks is called 'sinks'" },
    { "sink is a text", HEAD "sink: a", "dir/x.yaml:2: sink must be a map of settings" },
    { "sink without type", HEAD "sink: {name: a}", "sink: 'type' is missing" },
    { "same names", HEAD "sinks:\n- {type: a}\n- {type: a}",
      "dir/x.yaml:4: two sinks are called 'a'" },
    { "same folders", HEAD "sinks:\n- {type: a, name: x y}\n- {type: a, name: x_y}",
      "two sinks are called 'x_y'" },
    { "no tables", "source: {type: mysql}\n" SINK, "dir/x.yaml:1: source: 'tables' is missing" },
    { "empty tables", "source: {type: mysql, tables: ''}\n" SINK, "'tables' names no table" },
    { "transform", HEAD SINK "transform:\n- {source-table: a.b}",
      "dir/x.yaml:4: 'transform' is not supported yet" },
    { "route is a map", HEAD SINK "route: {a: b}", "'route' must be a list of rules" },
    { "route key", HEAD SINK "route:\n- {source-table: a.b, sink-tabel: c.d}",
      "dir/x.yaml:4: route: 'sink-table' is missing" },
    { "route typo", HEAD SINK "route:\n- {source-table: a.b, sink-table: c.d, replace-symbl: x}",
      "route: unknown key 'replace-symbl'; did you mean 'replace-symbol'?" },
    { "route to nowhere", HEAD SINK "route:\n- {source-table: a, sink-table: b, sink: x}",
      "route: there is no sink 'x'" },
    { "pipeline typo", HEAD SINK "pipeline:\n  schema.change.behaviour: evolve",
      "dir/x.yaml:4: pipeline: unknown key 'schema.change.behaviour'; did you mean "
      "'schema.change.behavior'?" },
    { "far key", HEAD SINK "pipeline: {zzzzzzzzzz: 1}",
      "unknown key 'zzzzzzzzzz'; `millrace options` lists all keys" },
    { "behavior", HEAD SINK "pipeline: {schema.change.behavior: strict}",
      "must be one of evolve, try_evolve, lenient, ignore, exception, but is 'strict'" },
    { "interval", HEAD SINK "pipeline: {checkpoint.interval: 1ms}",
      "'checkpoint.interval' must be 10ms to 10min" },
    { "parallelism", HEAD "sink: {type: x, sink.parallelism: 9}",
      "'sink.parallelism' must be 1 to 8, but is '9'" },
    { "back-off", HEAD SINK "pipeline:\n  restart-strategy.exponential-delay.max-backoff: 100ms",
      "max-backoff is shorter than initial-backoff" },
    { "restart strategy", HEAD SINK "pipeline: {restart-strategy.type: fixed_delay}",
      "must be one of exponential-delay, fixed-delay, none, but is 'fixed_delay'; did you mean "
      "'fixed-delay'?" },
    { "restart key", HEAD SINK "pipeline: {restart-strategy.fixed-delay.attempt: 3}",
      "did you mean 'restart-strategy.fixed-delay.attempts'?" },
    { "multiplier",
      HEAD SINK "pipeline: {restart-strategy.exponential-delay.backoff-multiplier: 0.5}",
      "must be 1 to 100, but is '0.5'" },
    { "name with a line end", HEAD "sink: {type: x, name: \"a\\nb\"}", "'name' must be a text" },
};

static void test_wrongs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
        CLEANUP(config_done) struct config config = { 0 };
        struct error err = { 0 };
        print_message("%s\n", wrongs[i].name);
        assert_false(config_read("dir/x.yaml", bytes_from(wrongs[i].text), &config, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        if (!strstr(err.message, wrongs[i].message))
            fail_msg("'%s' instead of '%s'", err.message, wrongs[i].message);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    CLEANUP(config_done) struct config config = { 0 };
    struct error err = { 0 };
    if (!config_read("/etc/millrace/my shop.yaml", bytes_from(HEAD SINK), &config, &err))
        fail_msg("%s", err.message);
    assert_true(bytes_is(config.pipeline.name, "my_shop"));
    assert_true(bytes_is(config.pipeline.checkpoint_directory, "/var/lib/millrace/my_shop"));
    assert_int_equal(config.pipeline.checkpoint_interval_ms, 1000);
    assert_int_equal(config.pipeline.memory_bytes, 32 << 20);
    assert_true(bytes_is(config.pipeline.http_listen, "127.0.0.1:8040"));
    assert_int_equal(config.pipeline.http_line, 0);
    assert_int_equal(config.source.chunk_rows, 32768);
    assert_int_equal(config.sink_count, 1);
    assert_true(bytes_is(config.sinks[0].name, "blackhole"));
    assert_int_equal(config.sinks[0].flush_rows, 100000);
    assert_int_equal(config.sinks[0].flush_bytes, 8 << 20);
    assert_int_equal(config.sinks[0].parallelism, 1);
    assert_int_equal(config.warning_count, 0);
}

/* The words of Flink CDC's documentation of its MySQL pipeline source, all at once. */
static const char flink[] = "source:\n"
                            "  type: mysql\n"
                            "  name: MySQL Source\n"
                            "  hostname: 127.0.0.1\n"
                            "  port: 3306\n"
                            "  password: pass\n"
                            "  tables: adb.\\.*, bdb.user_table_[0-9]+, [app|web]_order_\\.*\n"
                            "  scan.incremental.snapshot.chunk.size: 8096\n"
                            "  scan.incremental.snapshot.backfill.skip: false\n"
                            "  scan.newly-added-table.enabled: true\n"
                            "  server-time-zone: UTC\n"
                            "  chunk-meta.group.size: 1000\n"
                            "  connection.pool.size: 20\n"
                            "  debezium:\n"
                            "    snapshot.locking.mode: none\n"
                            "  debezium.max.batch.size: 2048\n"
                            "  jdbc.properties.useSSL: false\n"
                            "sink:\n"
                            "  type: blackhole\n"
                            "  name: Sink\n"
                            "route:\n"
                            "  - source-table: adb.\\.*\n"
                            "    sink-table: ods.<>\n"
                            "    replace-symbol: <>\n"
                            "    description: route all tables of adb\n"
                            "transform: []\n"
                            "pipeline:\n"
                            "  name: Sync MySQL Database\n"
                            "  parallelism: 4\n"
                            "  schema.change.behavior: EVOLVE\n"
                            "  schema-operator.rpc-timeout: 1 h\n"
                            "  user-defined-function:\n"
                            "    - name: addone\n"
                            "      classpath: org.example.AddOne\n";

static void test_flink(void **state)
{
    (void)state;
    CLEANUP(config_done) struct config config = { 0 };
    struct driver_options options = { 0 };
    struct error err = { 0 };
    if (!config_read("x.yaml", bytes_from(flink), &config, &err) ||
        !config_fill(&config, &config.source.section, FLINK_SOURCE, config_source_settings,
                     driver_settings, &options, &err))
        fail_msg("%s", err.message);
    assert_int_equal(config.source.tables.count, 3);
    assert_int_equal(config.source.chunk_rows, 8096);
    assert_true(bytes_is(options.hostname, "127.0.0.1"));
    assert_int_equal(options.port, 3306);
    assert_true(bytes_is(config.sinks[0].folder, "Sink"));
    assert_true(
        bytes_is(config.pipeline.checkpoint_directory, "/var/lib/millrace/Sync_MySQL_Database"));
    assert_int_equal(config.route_count, 1);
    assert_int_equal(config.routes[0].line, 22);
    assert_true(bytes_is(config.routes[0].replace_symbol, "<>"));
    assert_int_equal(config.pipeline.schema_behavior, 0);
    assert_int_equal(config.warning_count, 11);
    assert_string_equal((const char *)config.warnings[0].data,
                        "x.yaml:29: pipeline: 'parallelism' is ignored: see snapshot.parallelism "
                        "and sink.parallelism");
}

static void test_driver_keys(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "source: {type: mysql, tables: a.b, hostnam: h}\n" SINK,
          "x.yaml:1: source: 'hostname' is missing: Host." },
        { "source:\n  type: mysql\n  tables: a.b\n  hostname: h\n  pasword: hunter2\n" SINK,
          "x.yaml:5: source: unknown key 'pasword'; did you mean 'password'?" },
        { "source:\n  type: mysql\n  tables: a.b\n  hostname: h\n  table.exclude: x\n" SINK,
          "x.yaml:5: source: unknown key 'table.exclude'; did you mean 'tables.exclude'?" },
        { "source: {type: mysql, tables: a.b, hostname: h, port: 0}\n" SINK,
          "x.yaml:1: source: 'port' must be 1 to 65535, but is '0'" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(config_done) struct config config = { 0 };
        struct driver_options options = { 0 };
        struct error err = { 0 };
        assert_true(config_read("x.yaml", bytes_from(cases[i].text), &config, &err));
        assert_false(config_fill(&config, &config.source.section, FLINK_SOURCE,
                                 config_source_settings, driver_settings, &options, &err));
        assert_string_equal(err.message, cases[i].message);
    }
}

static void test_folder(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena arena = { 0 };
    static const struct {
        const char *name, *folder;
    } cases[] = {
        { "shop", "shop" }, { "a b/c", "a_b_c" }, { "..", "_." },
        { ".x", "_x" },     { "", "_" },          { "caf\xc3\xa9", "caf__" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_true(bytes_is(config_folder(&arena, bytes_from(cases[i].name)), cases[i].folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrongs), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_flink),  cmocka_unit_test(test_driver_keys),
        cmocka_unit_test(test_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
