/* SPDX-License-Identifier: Apache-2.0
 *
 * The texts of /metrics, /status and /healthz, from metrics that a test fills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "agent/report.h"
#include "engine/base/assert.h"
#include "engine/base/cleanup.h"

static struct pipeline_metrics metrics;
static struct running running = { .pipeline_name = "shop",
                                  .sink_name = "olap",
                                  .metrics = &metrics };
static const struct running_set set = { &running, 1 };
static struct target_metrics *orders;

static int setup(void **state)
{
    (void)state;
    metrics_init(&metrics);
    orders = metrics_add_table(&metrics, BYTES_LITERAL("shop.\"o\\rders\n\""),
                               BYTES_LITERAL("ods.orders"));
    atomic_store(&orders->state, TABLE_STREAMING);
    atomic_store(&orders->inserts, 5);
    atomic_store(&orders->snapshot_rows, 70);
    atomic_store(&metrics.rows_durable, 75);
    atomic_store(&metrics.changed.zero_dates, 2);
    atomic_store(&metrics.connected, true);
    atomic_store(&metrics.caught_up, true);
    atomic_store(&running.state, RUNNING_LIVE);
    struct target_metrics *parked =
        metrics_add_table(&metrics, BYTES_LITERAL("shop.bad"), BYTES_LITERAL("ods.bad"));
    atomic_store(&parked->state, TABLE_PARKED);
    metrics_reason(parked, "a \"reason\"\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    metrics_done(&metrics);
    return 0;
}

static void expect(const struct buf *out, const char *text)
{
    if (!memmem(out->data, out->size, text, strlen(text)))
        fail_msg("no '%s' in:\n%.*s", text, (int)out->size, (const char *)out->data);
}

static void test_metrics(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    report_metrics(&set, &out);
    expect(&out, "# TYPE millrace_rows_total counter\n"
                 "millrace_rows_total{pipeline=\"shop\",sink=\"olap\"} 75\n");
    expect(&out, "millrace_up{pipeline=\"shop\",sink=\"olap\"} 1\n");
    expect(&out, "isStreamReading{pipeline=\"shop\",sink=\"olap\"} 1\n");
    expect(&out, "numTablesSnapshotted{pipeline=\"shop\",sink=\"olap\"} 1\n");
    expect(&out, "numTablesRemaining{pipeline=\"shop\",sink=\"olap\"} 1\n");
    expect(&out, "millrace_lag_milliseconds{pipeline=\"shop\",sink=\"olap\"} 0\n");
    expect(&out, "sink=\"olap\",reason=\"zero-date\"} 2\n");
    expect(&out, "sink=\"olap\",table=\"shop.\\\"o\\\\rders\\n\\\"\",target=\"ods.orders\","
                 "operation=\"insert\"} 5\n");
    expect(&out, "table=\"shop.bad\",target=\"ods.bad\",state=\"parked\"} 1\n");
}

/* Prometheus refuses a text in which a name's samples are not together or its type comes twice. */
static void test_metrics_shape(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    report_metrics(&set, &out);
    buf_u8(&out, 0);
    char family[128] = "";
    char *rest = NULL;
    unsigned families = 0;
    for (char *line = strtok_r((char *)out.data, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "# TYPE ", 7) == 0) {
            snprintf(family, sizeof family, "%.*s", (int)strcspn(line + 7, " "), line + 7);
            families++;
        } else if (line[0] != '#') {
            size_t size = strcspn(line, "{");
            assert_int_equal(size, strlen(family));
            assert_memory_equal(line, family, size);
        }
    }
    assert_true(families > 20);
}

static void test_status(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    report_status(&set, &out);
    json_t *document = json_loadb((const char *)out.data, out.size, 0, NULL);
    assert_non_null(document);
    assert_string_equal(json_string_value(json_object_get(document, "pipeline")), "shop");
    json_t *sink = json_array_get(json_object_get(document, "sinks"), 0);
    assert_string_equal(json_string_value(json_object_get(sink, "state")), "running");
    assert_int_equal(json_integer_value(json_object_get(sink, "rows")), 75);
    json_t *tables = json_object_get(sink, "tables");
    assert_int_equal(json_array_size(tables), 2);
    json_t *table = json_array_get(tables, 0);
    assert_string_equal(json_string_value(json_object_get(table, "reason")), "a \"reason\"\n");
    json_decref(document);
}

static void expect_health(bool ok, const char *text)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(report_health(&set, &out), ok);
    buf_u8(&out, 0);
    assert_string_equal((const char *)out.data, text);
}

static void test_health(void **state)
{
    (void)state;
    expect_health(true, "ok\n1 tables are parked\n");
    metrics_trouble(&metrics, "the sink is away");
    expect_health(false, "olap: the sink is away\n1 tables are parked\n");
    metrics_trouble(&metrics, "");
    error_set(&running.err, ERROR_CONFIG, "wrong password");
    atomic_store(&running.state, RUNNING_FAILED);
    expect_health(false, "olap: wrong password\n1 tables are parked\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_metrics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metrics_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status, setup, teardown),
        cmocka_unit_test_setup_teardown(test_health, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
