/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of the log as they reach standard error: nothing from outside forges a key or a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka.h"

#include "engine/base/log.h"

enum { TIME_SIZE = sizeof "2026-11-26T08:00:00.000Z" - 1 };

/* What is written to standard error from here to captured(). */
struct capture {
    int kept, pipe[2];
    char text[8192];
};

static void capture(struct capture *to)
{
    assert_int_equal(pipe(to->pipe), 0);
    to->kept = dup(STDERR_FILENO);
    dup2(to->pipe[1], STDERR_FILENO);
}

static const char *captured(struct capture *from)
{
    dup2(from->kept, STDERR_FILENO);
    close(from->kept);
    close(from->pipe[1]);
    size_t size = 0;
    ssize_t got;
    while ((got = read(from->pipe[0], from->text + size, sizeof from->text - 1 - size)) > 0)
        size += (size_t)got;
    close(from->pipe[0]);
    from->text[size] = '\0';
    return from->text;
}

/* A line without its time. */
static const char *line_of(const char *text)
{
    assert_true(strlen(text) > TIME_SIZE);
    assert_int_equal(text[4], '-');
    assert_int_equal(text[TIME_SIZE - 1], 'Z');
    return text + TIME_SIZE + 1;
}

static void test_message_context_keys(void **unused)
{
    (void)unused;
    struct capture lines;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_context("pipeline=shop part=intake");
    capture(&lines);
    log_info("table '%s' is read table=%s rows=%d share=%.1f", "a", "d.t", 5, 0.5);
    assert_string_equal(line_of(captured(&lines)),
                        "info table 'a' is read pipeline=shop part=intake "
                        "table=d.t rows=5 share=0.5\n");
    log_context("");
    capture(&lines);
    log_debug("not wanted");
    log_error("100%% of %u", 7U);
    assert_string_equal(line_of(captured(&lines)), "error 100% of 7\n");
}

static void test_values_from_outside_forge_nothing(void **unused)
{
    (void)unused;
    static const struct {
        const char *value, *wanted;
    } cases[] = {
        { "plain", "name=plain" },
        { "", "name=\"\"" },
        { "two words", "name=\"two words\"" },
        { "a\nerror forged", "name=\"a\\nerror forged\"" },
        { "x level=error", "name=\"x level=error\"" },
        { "a\"b\\c", "name=\"a\\\"b\\\\c\"" },
        { "\x1b[31mred\x7f", "name=\"\\x1b[31mred\\x7f\"" },
        { "%s%n", "name=%s%n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct capture lines;
        char wanted[200];
        capture(&lines);
        log_info("seen name=%s", cases[i].value);
        snprintf(wanted, sizeof wanted, "info seen %s\n", cases[i].wanted);
        assert_string_equal(line_of(captured(&lines)), wanted);
    }
    struct capture lines;
    capture(&lines);
    log_warn("'%s' is odd key=1", "t\nwarn forged");
    assert_string_equal(line_of(captured(&lines)), "warn 't\\nwarn forged' is odd key=1\n");
}

static void test_a_line_has_an_end(void **unused)
{
    (void)unused;
    static char huge[20000];
    memset(huge, 'x', sizeof huge - 1);
    struct capture lines;
    capture(&lines);
    log_info("huge %s value=%s", huge, huge);
    const char *text = captured(&lines);
    assert_true(strlen(text) < 4300);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_string_equal(text + strlen(text) - 5, "x...\n");
}

static void test_a_cut_value_ends_with_a_whole_character(void **unused)
{
    (void)unused;
    for (size_t shift = 0; shift < 3; shift++) {
        char value[3000];
        memset(value, 'x', shift);
        for (size_t i = shift; i < sizeof value - 3; i += 3)
            memcpy(value + i, "\xe6\x95\xb0", 4);
        struct capture lines;
        capture(&lines);
        log_info("cut value=%s", value);
        const char *text = captured(&lines);
        assert_string_equal(text + strlen(text) - 7, "\xe6\x95\xb0...\n");
    }
}

static void test_other_formats(void **unused)
{
    (void)unused;
    struct capture lines;
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JOURNAL);
    capture(&lines);
    log_debug("seen in the journal");
    const char *text = captured(&lines);
    assert_memory_equal(text, "<7>", 3);
    assert_string_equal(line_of(text + 3), "debug seen in the journal\n");
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    capture(&lines);
    log_error("said name=%s", "a\"\n");
    text = captured(&lines);
    assert_memory_equal(text, "{\"time\":\"", 9);
    assert_string_equal(text + 9 + TIME_SIZE,
                        "\",\"level\":\"error\",\"message\":\"said\",\"name\":\"a\\\"\\n\"}\n");
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

static void test_the_same_line_again_is_counted(void **unused)
{
    (void)unused;
    struct capture lines;
    capture(&lines);
    for (int i = 0; i < 5; i++)
        log_warn("over and over n=%d", 1);
    assert_string_equal(line_of(captured(&lines)), "warn over and over n=1\n");
    usleep(1100 * 1000);
    capture(&lines);
    log_info("something else");
    const char *text = captured(&lines);
    assert_non_null(strstr(text, "warn message repeated times=4 text=\"over and over n=1\"\n"));
    assert_non_null(strstr(text, "info something else\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_context_keys),
        cmocka_unit_test(test_values_from_outside_forge_nothing),
        cmocka_unit_test(test_a_line_has_an_end),
        cmocka_unit_test(test_a_cut_value_ends_with_a_whole_character),
        cmocka_unit_test(test_other_formats),
        cmocka_unit_test(test_the_same_line_again_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
