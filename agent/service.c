/* SPDX-License-Identifier: Apache-2.0
 *
 * Signals are waited for, never handled, so that no code runs in a handler. systemd's protocol
 * (sd_notify(3), "Standalone Implementations") is one datagram of lines to the socket that
 * NOTIFY_SOCKET names, '@' standing for the NUL of an abstract address; it needs no library. */
#include "agent/service.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static sigset_t waited_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    return set;
}

void service_block_signals(void)
{
    sigset_t set = waited_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int service_wait_signal(int timeout_ms)
{
    sigset_t set = waited_signals();
    struct timespec wait = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
    int number = sigtimedwait(&set, NULL, &wait);
    return number > 0 ? number : 0;
}

void service_wake(void) { kill(getpid(), SIGUSR1); }

void service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    size_t size = strlen(path);
    memcpy(address.sun_path, path, size);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (file < 0)
        return;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    /* A manager that does not listen is no reason to stop syncing. */
    (void)sendto(file, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                 length);
    close(file);
}

int64_t service_watchdog_ms(void)
{
    const char *period = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!period || (pid && strtoll(pid, NULL, 10) != (long long)getpid()))
        return 0;
    errno = 0;
    long long microseconds = strtoll(period, NULL, 10);
    return errno || microseconds < 2000 ? 0 : microseconds / 2000;
}

/* JOURNAL_STREAM is "device:inode" of the journal's socket; children inherit it, so that only
 * comparing tells whether standard error still is that stream (systemd.exec(5)). */
enum log_format service_log_format(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat error_output;
    if (!stream || fstat(STDERR_FILENO, &error_output) != 0)
        return LOG_FORMAT_TEXT;
    char mine[64];
    snprintf(mine, sizeof mine, "%ju:%ju", (uintmax_t)error_output.st_dev,
             (uintmax_t)error_output.st_ino);
    return strcmp(mine, stream) == 0 ? LOG_FORMAT_JOURNAL : LOG_FORMAT_TEXT;
}
