/* SPDX-License-Identifier: Apache-2.0
 *
 * Sending loads that become visible together: what is asked of the sink, in which order, after each
 * kind of failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "engine/delivery_internal.h"

/* A sink that follows a script: for each commit one of '.' done, 'r' try again, 'u' not known,
 * 'a' or 'b' rows of that target refused; for each resolve 'v' visible or 'n' not. */
struct scripted {
    struct sink base;
    const char *commits, *resolves;
    struct buf calls;
    struct target *targets;
};

static struct scripted *scripted_of(struct sink *sink) { return (struct scripted *)sink; }

static bool scripted_begin(struct sink *sink, const char *label, struct error *err)
{
    (void)label, (void)err;
    buf_text(&scripted_of(sink)->calls, "B");
    return true;
}

static bool scripted_write(struct sink *sink, const struct load *load, struct error *err)
{
    (void)err;
    buf_bytes(&scripted_of(sink)->calls, load->target->name);
    return true;
}

static bool scripted_commit(struct sink *sink, const char *label, const struct group_facts *facts,
                            struct target **refused, struct error *err)
{
    (void)label, (void)facts;
    struct scripted *self = scripted_of(sink);
    buf_text(&self->calls, "C ");
    char now = *self->commits++;
    if (now == '.')
        return true;
    if (now == 'a' || now == 'b') {
        *refused = &self->targets[now - 'a'];
        return error_set(err, ERROR_DATA, "refused");
    }
    return error_set(err,
                     now == 'u'   ? ERROR_UNKNOWN
                     : now == 'r' ? ERROR_RETRY
                                  : ERROR_CONFIG,
                     "scripted");
}

static bool scripted_resolve(struct sink *sink, struct target *target, const char *label,
                             uint64_t first, uint64_t last, enum load_state *out, struct error *err)
{
    (void)target, (void)label, (void)first, (void)last, (void)err;
    struct scripted *self = scripted_of(sink);
    buf_text(&self->calls, "R ");
    *out = *self->resolves++ == 'v' ? LOAD_VISIBLE : LOAD_ABSENT;
    return true;
}

static const struct sink_driver driver = { .name = "scripted",
                                           .begin = scripted_begin,
                                           .write = scripted_write,
                                           .commit = scripted_commit,
                                           .resolve = scripted_resolve };

static const struct {
    const char *name, *commits, *resolves, *calls;
    bool ok;
    const char *parked;
} cases[] = {
    { "done at once", ".", "", "BabC ", true, "" },
    { "not at once", "r.", "", "BabC BabC ", true, "" },
    { "no answer, it is there", "u", "v", "BabC R ", true, "" },
    { "no answer, it is not", "u.", "n", "BabC R BabC ", true, "" },
    { "no answer twice", "uu.", "nn", "BabC R BabC R BabC ", true, "" },
    { "one is refused", "b.", "", "BabC BaC ", true, "b" },
    { "both are refused", "ab", "", "BabC BbC ", true, "ab" },
    { "a person is needed", "x", "", "BabC ", false, "" },
};

static void run(size_t index)
{
    static const struct table table = { .id = 1 };
    struct target targets[2] = { { .id = 0, .name = BYTES_LITERAL("a") },
                                 { .id = 1, .name = BYTES_LITERAL("b") } };
    struct pipeline_metrics metrics;
    metrics_init(&metrics);
    struct pipeline_options options = { .name = BYTES_LITERAL("test") };
    struct inflight inflight;
    inflight_init(&inflight, 1);
    struct delivery_shared shared = {
        .options = &options, .driver = &driver, .metrics = &metrics, .inflight = &inflight
    };
    struct scripted sink = {
        { &driver }, cases[index].commits, cases[index].resolves, { 0 }, targets
    };
    buf_init(&sink.calls, 4096);
    struct worker worker = { .shared = &shared,
                             .sink = &sink.base,
                             .flush = &metrics.flushes[0],
                             .retry = { .policy = {
                                            .initial_ms = 1, .maximum_ms = 1, .multiplier = 1 } } };
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        targets[i].metrics = metrics_add_table(&metrics, targets[i].name, targets[i].name);
        struct delivery_target *state = load_state(&worker, &targets[i]);
        load_open(&worker, state, &table);
        state->load.rows = 1;
    }
    load_group_label(&worker);
    assert_string_equal(worker.open->load.label, worker.open->next_open->load.label);
    struct error err;
    assert_int_equal(load_group_send(&worker, &err), cases[index].ok);
    buf_u8(&sink.calls, '\0');
    assert_string_equal((const char *)sink.calls.data, cases[index].calls);
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        bool parked = strchr(cases[index].parked, (char)targets[i].name.data[0]) != NULL;
        assert_int_equal(targets[i].parked, parked);
        bool counted = cases[index].ok && !parked;
        assert_int_equal(atomic_load(&targets[i].metrics->loads), counted);
        load_close(&worker, load_state(&worker, &targets[i]));
    }
    buf_done(&sink.calls);
    arena_done(&worker.arena);
    metrics_done(&metrics);
    inflight_done(&inflight);
}

static void test_groups(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        print_message("%s\n", cases[i].name);
        run(i);
    }
}

/* Of two pipelines that begin in the same second, with names that differ late. */
static void test_long_names_have_labels_of_their_own(void **state)
{
    (void)state;
    static const char *const names[] = {
        "a_pipeline_with_a_rather_long_name.clickhouse@one",
        "a_pipeline_with_a_rather_long_name.clickhouse@two_and_more",
        "a_pipeline_with_a_rather_long_name.clickhouse@two_or_more", "short"
    };
    char labels[ARRAY_SIZE(names)][LOAD_LABEL_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct pipeline_options options = { .name = bytes_from(names[i]) };
        struct delivery_shared shared = { .options = &options, .epoch = UINT32_MAX };
        struct worker worker = { .shared = &shared };
        load_worker_label(&worker, 7, labels[i]);
        assert_non_null(strstr(labels[i], "-4294967295-7-1"));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(labels[i], labels[k]);
    }
    assert_string_equal(labels[3], "short-4294967295-7-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_long_names_have_labels_of_their_own),
                                        cmocka_unit_test(test_groups) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
