/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the ClickHouse that chDB's library contains as a server, for tests and the quickstart:
 *
 *     clickhouse-launcher LIBRARY GATE [option of clickhouse-local]...
 *
 * The library exports the entry of clickhouse-local; that program opens the true HTTP and native
 * handlers when it is asked by `SYSTEM START LISTEN`, and serves until its queries are over. Its
 * last query therefore reads from GATE, a fifo that nobody writes to: a signal opens and closes it,
 * the query ends, and with it the server, in good order. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct answer {
    char *text;
    size_t size;
    void *owner;
    double seconds;
    unsigned long long rows, bytes;
    char *error;
};
typedef struct answer *entry_function(int count, char **arguments);

enum { SHUTDOWN_SECONDS = 20 };

static sigset_t end_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

static void *open_gate_on_signal(void *gate)
{
    sigset_t set = end_signals();
    int number;
    sigwait(&set, &number);
    int file = open(gate, O_WRONLY | O_NONBLOCK);
    if (file < 0)
        _exit(0); /* the last query does not wait yet: nothing was served */
    close(file);
    alarm(SHUTDOWN_SECONDS);
    return NULL;
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "clickhouse-launcher: %s: %s\n", what, why);
    return 1;
}

int main(int count, char **arguments)
{
    if (count < 3)
        return fail("usage", "clickhouse-launcher LIBRARY GATE [option]...");
    char *gate = arguments[2];
    unlink(gate);
    if (mkfifo(gate, 0600) != 0)
        return fail(gate, strerror(errno));

    /* Blocked before the library starts its threads, which inherit the mask. */
    sigset_t set = end_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_t waiter;
    pthread_create(&waiter, NULL, open_gate_on_signal, gate);

    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return fail("dlopen", dlerror());
    void *symbol = dlsym(library, "query_stable_v2");
    if (!symbol)
        return fail("dlsym", dlerror());
    entry_function *entry = (entry_function *)symbol;

    char query[4096];
    snprintf(query, sizeof query,
             "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; "
             "SELECT * FROM file('%s', LineAsString, 'line String') FORMAT Null",
             gate);
    char **passed = calloc((size_t)count + 3, sizeof *passed);
    int total = 0;
    passed[total++] = "clickhouse";
    for (int i = 3; i < count; i++)
        passed[total++] = arguments[i];
    passed[total++] = "--query";
    passed[total++] = query;
    struct answer *answer = entry(total, passed);
    int status = answer && answer->error ? fail("query", answer->error) : 0;
    fflush(NULL);
    _exit(status); /* the library's destructors at exit may wait for threads that never end */
}
