/* SPDX-License-Identifier: Apache-2.0
 *
 * For runs under ThreadSanitizer, by LD_PRELOAD: librdkafka begins its threads by C11's
 * thrd_create(), which gcc 12's sanitizer does not know: they would have no state of its own and
 * fall over. Here they begin by pthread_create(), and C11's locks are pthread's already. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

struct beginning {
    thrd_start_t function;
    void *argument;
};

static void *begin(void *context)
{
    struct beginning beginning = *(struct beginning *)context;
    free(context);
    return (void *)(intptr_t)beginning.function(beginning.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *argument)
{
    struct beginning *beginning = malloc(sizeof *beginning);
    if (!beginning)
        return thrd_nomem;
    *beginning = (struct beginning){ function, argument };
    if (pthread_create(thread, NULL, begin, beginning) == 0)
        return thrd_success;
    free(beginning);
    return thrd_error;
}

int thrd_join(thrd_t thread, int *result)
{
    void *value;
    if (pthread_join(thread, &value) != 0)
        return thrd_error;
    if (result)
        *result = (int)(intptr_t)value;
    return thrd_success;
}
