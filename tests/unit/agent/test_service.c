/* SPDX-License-Identifier: Apache-2.0
 *
 * What systemd would receive, over a real socket; signals; and where the log goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/service.h"

/* A datagram socket with an abstract name ('@' for systemd). */
static int listener(char *name, size_t size)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(name, size, "@millrace-test-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(file, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    return file;
}

static void test_notify(void **state)
{
    (void)state;
    char name[64], text[64] = "";
    int file = listener(name, sizeof name);
    setenv("NOTIFY_SOCKET", name, 1);
    service_notify("READY=1");
    ssize_t got = recv(file, text, sizeof text - 1, MSG_DONTWAIT);
    assert_int_equal(got, 7);
    assert_string_equal(text, "READY=1");
    close(file);
    service_notify("WATCHDOG=1"); /* nobody listens any more: no harm */
    setenv("NOTIFY_SOCKET", "relative", 1);
    service_notify("READY=1");
    char longer[300];
    memset(longer, '/', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    service_notify("READY=1");
    unsetenv("NOTIFY_SOCKET");
    service_notify("READY=1");
}

static void test_watchdog(void **state)
{
    (void)state;
    char pid[24];
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    assert_int_equal(service_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(service_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1); /* somebody else's */
    assert_int_equal(service_watchdog_ms(), 0);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(service_watchdog_ms(), 15000);
    setenv("WATCHDOG_USEC", "x", 1);
    assert_int_equal(service_watchdog_ms(), 0);
}

static void test_signals(void **state)
{
    (void)state;
    service_block_signals();
    assert_int_equal(service_wait_signal(1), 0);
    service_wake();
    assert_int_equal(service_wait_signal(1000), SIGUSR1);
    kill(getpid(), SIGTERM);
    assert_int_equal(service_wait_signal(1000), SIGTERM);
    assert_int_equal(service_wait_signal(1), 0);
}

static void test_log_format(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    assert_int_equal(service_log_format(), LOG_FORMAT_TEXT);
    setenv("JOURNAL_STREAM", "1:1", 1); /* inherited, but standard error went elsewhere */
    assert_int_equal(service_log_format(), LOG_FORMAT_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notify),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_log_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
