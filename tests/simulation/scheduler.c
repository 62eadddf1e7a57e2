/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads as fibers. The linker sends the engine's calls of pthread, clock and malloc here
 * (--wrap), so the code under test is what ships. One fiber runs at a time; at each lock, wait and
 * wake the seed decides who goes on. Time is a number that grows a little with each step and leaps
 * when nobody can run. A kill abandons all fibers and frees what they had allocated. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#include "engine/base/log.h"
#include "engine/base/retry.h"
#include "sim.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

bool run_verbose;

#if defined(__SANITIZE_ADDRESS__)
/* A kill abandons what libraries hold; what the engine itself leaks is counted here, exactly. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "detect_leaks=0:detect_stack_use_after_return=0";
}
#endif

enum { FIBERS_MAX = 40, STACK_SIZE = 256 << 10 };

struct fiber {
    ucontext_t context;
    char *stack;
    void *(*main)(void *);
    void (*plain)(void *);
    void *argument;
    bool used, done, blocked, timed_out;
    const void *waits_on;
    int64_t wake_us; /* INT64_MAX: only when somebody wakes it */
};

struct block {
    struct block *next, *previous;
    size_t size, magic;
};

static struct {
    struct fiber fibers[FIBERS_MAX];
    uint32_t count, current;
    ucontext_t home;
    struct chance chance;
    int64_t now_us;
    uint64_t steps, kill_at, steps_max;
    enum run_end end;
    bool running, failed;
    char message[1024];
    struct block blocks; /* ring of the agent's allocations */
    size_t allocated;
} sim;

/* ---- memory ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

enum { BLOCK_MAGIC = 0x51ab10c };

void *kept_alloc(size_t size)
{
    void *memory = __real_calloc(1, size ? size : 1);
    if (!memory)
        abort();
    return memory;
}

void kept_free(void *memory) { __real_free(memory); }

static void block_link(struct block *block)
{
    if (!sim.blocks.next)
        sim.blocks.next = sim.blocks.previous = &sim.blocks;
    block->next = sim.blocks.next;
    block->previous = &sim.blocks;
    block->next->previous = block;
    sim.blocks.next = block;
    sim.allocated += block->size;
}

static void block_unlink(struct block *block)
{
    if (block->magic != BLOCK_MAGIC)
        abort();
    block->previous->next = block->next;
    block->next->previous = block->previous;
    sim.allocated -= block->size;
}

void *__wrap_malloc(size_t size)
{
    struct block *block = __real_malloc(size + sizeof *block);
    if (!block)
        abort();
    block->size = size;
    block->magic = BLOCK_MAGIC;
    block_link(block);
    return block + 1;
}

void *__wrap_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        abort();
    void *memory = __wrap_malloc(bytes);
    memset(memory, 0, bytes);
    return memory;
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (!memory)
        return __wrap_malloc(size);
    struct block *block = (struct block *)memory - 1;
    block_unlink(block);
    block = __real_realloc(block, size + sizeof *block);
    if (!block)
        abort();
    block->size = size;
    block_link(block);
    return block + 1;
}

void __wrap_free(void *memory)
{
    if (!memory)
        return;
    struct block *block = (struct block *)memory - 1;
    block_unlink(block);
    block->magic = 0;
    __real_free(block);
}

static void blocks_free(void)
{
    while (sim.blocks.next && sim.blocks.next != &sim.blocks)
        __wrap_free(sim.blocks.next + 1);
}

size_t run_leaked(void) { return sim.allocated; }

/* ---- fibers ---- */

static void fiber_switch(ucontext_t *from, ucontext_t *to, char *stack)
{
#if defined(__SANITIZE_ADDRESS__)
    void *fake = NULL;
    static const void *home_stack;
    static size_t home_size;
    const void *old_stack;
    size_t old_size;
    __sanitizer_start_switch_fiber(&fake, stack ? stack : home_stack,
                                   stack ? STACK_SIZE : home_size);
    swapcontext(from, to);
    __sanitizer_finish_switch_fiber(fake, &old_stack, &old_size);
#else
    (void)stack;
    swapcontext(from, to);
#endif
}

static void go_home(enum run_end end)
{
    sim.end = end;
    ucontext_t *self = &sim.fibers[sim.current].context;
    fiber_switch(self, &sim.home, NULL);
}

static bool fiber_can_run(const struct fiber *fiber)
{
    return fiber->used && !fiber->done && (!fiber->blocked || fiber->wake_us <= sim.now_us);
}

/* Who goes on. Time leaps to the next deadline when nobody can; without one all wait for ever. */
static bool fiber_pick(uint32_t *next)
{
    for (;;) {
        uint32_t able[FIBERS_MAX], count = 0;
        int64_t soonest = INT64_MAX;
        for (uint32_t i = 0; i < sim.count; i++) {
            const struct fiber *fiber = &sim.fibers[i];
            if (fiber_can_run(fiber))
                able[count++] = i;
            else if (fiber->used && !fiber->done && fiber->wake_us < soonest)
                soonest = fiber->wake_us;
        }
        if (count > 0) {
            *next = able[count == 1 ? 0 : chance_below(&sim.chance, count)];
            return true;
        }
        if (soonest == INT64_MAX)
            return false;
        sim.now_us = soonest;
    }
}

static void fiber_go(void)
{
    uint32_t next = 0;
    if (!fiber_pick(&next)) {
        run_fail("deadlock: every thread waits for another");
        go_home(RUN_FAILED);
    }
    struct fiber *self = &sim.fibers[sim.current], *other = &sim.fibers[next];
    if (other->blocked) { /* its deadline came */
        other->blocked = false;
        other->timed_out = true;
    }
    if (next == sim.current)
        return;
    sim.current = next;
    fiber_switch(&self->context, &other->context, other->stack);
}

/* A place where another thread may go on, time passes, or all is over. */
static void point(void)
{
    if (!sim.running)
        return;
    sim.steps++;
    sim.now_us += 1 + (int64_t)chance_below(&sim.chance, 4);
    if (chance_one_in(&sim.chance, 400))
        sim.now_us +=
            chance_below(&sim.chance, 20000); /* a thread is slow while the world goes on */
    if (sim.failed)
        go_home(RUN_FAILED);
    if (sim.kill_at && sim.steps >= sim.kill_at)
        go_home(RUN_KILLED);
    if (sim.steps > sim.steps_max) {
        run_fail("no end after %llu steps", (unsigned long long)sim.steps);
        go_home(RUN_FAILED);
    }
    if (chance_one_in(&sim.chance, 3))
        fiber_go();
}

static void block_on(const void *thing, int64_t wake_us)
{
    struct fiber *self = &sim.fibers[sim.current];
    self->blocked = true;
    self->timed_out = false;
    self->waits_on = thing;
    self->wake_us = wake_us;
    fiber_go();
    self->blocked = false;
    self->waits_on = NULL;
    self->wake_us = INT64_MAX;
}

static void wake(const void *thing, bool all)
{
    uint32_t start = sim.count ? chance_below(&sim.chance, sim.count) : 0;
    for (uint32_t i = 0; i < sim.count; i++) {
        struct fiber *fiber = &sim.fibers[(start + i) % sim.count];
        if (!fiber->used || fiber->done || !fiber->blocked || fiber->waits_on != thing)
            continue;
        fiber->blocked = false;
        fiber->waits_on = NULL;
        if (!all)
            return;
    }
}

static void fiber_main(void)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
    struct fiber *self = &sim.fibers[sim.current];
    if (self->main)
        self->main(self->argument);
    else
        self->plain(self->argument);
    self->done = true;
    if (self == &sim.fibers[0])
        go_home(RUN_OVER);
    wake(self, true);
    fiber_go();
    abort(); /* nobody comes back to a thread that has ended */
}

/* On its own: getcontext() may return twice, and a compiler then trusts no variable beside it. */
__attribute__((noinline)) static void context_make(ucontext_t *context, char *stack)
{
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = STACK_SIZE;
    context->uc_link = NULL;
    makecontext(context, fiber_main, 0);
}

static struct fiber *fiber_new(void *argument)
{
    uint32_t index = sim.count;
    for (uint32_t i = 1; i < sim.count && index == sim.count; i++)
        if (!sim.fibers[i].used)
            index = i;
    if (index == FIBERS_MAX)
        abort();
    if (index == sim.count)
        sim.count++;
    struct fiber *fiber = &sim.fibers[index];
    char *stack = fiber->stack ? fiber->stack : kept_alloc(STACK_SIZE);
    *fiber =
        (struct fiber){ .stack = stack, .argument = argument, .used = true, .wake_us = INT64_MAX };
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stack, STACK_SIZE);
#endif
    context_make(&fiber->context, stack);
    return fiber;
}

void run_spawn(void (*main)(void *), void *context) { fiber_new(context)->plain = main; }

enum run_end run_agent(const struct run_plan *plan, void (*main)(void *), void *context)
{
    for (uint32_t i = 0; i < FIBERS_MAX; i++)
        sim.fibers[i].used = false;
    sim.count = 0;
    sim.chance.state = plan->seed;
    sim.steps = 0;
    sim.kill_at = plan->kill_at;
    sim.steps_max = plan->steps_max;
    struct fiber *first = fiber_new(context);
    first->plain = main;
    sim.current = 0;
    sim.running = true;
    fiber_switch(&sim.home, &first->context, first->stack);
    sim.running = false;
    if (sim.failed)
        sim.end = RUN_FAILED;
    if (sim.end != RUN_OVER)
        blocks_free();
    return sim.end;
}

uint64_t run_steps(void) { return sim.steps; }

void clock_begin(void)
{
    sim.now_us = 1000000000;
    sim.failed = false;
    blocks_free();
}

void run_fail(const char *format, ...)
{
    if (sim.failed)
        return;
    sim.failed = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sim.message, sizeof sim.message, format, arguments);
    va_end(arguments);
}

bool run_failed(void) { return sim.failed; }
const char *run_message(void) { return sim.message; }

/* ---- what the engine calls ---- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *argument);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes);
int __wrap_pthread_cond_destroy(pthread_cond_t *condition);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition);
int __wrap_clock_gettime(clockid_t id, struct timespec *time);
void __wrap_log_write(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool __real_retry_again(struct retry *retry, uint32_t *wait_ms, struct error *err);
bool __wrap_retry_again(struct retry *retry, uint32_t *wait_ms, struct error *err);
int __wrap_clock_nanosleep(clockid_t id, int flags, const struct timespec *time,
                           struct timespec *rest);

/* A lock is the number of its holder plus one, in the memory of the pthread_mutex_t. */
static uint32_t *holder(pthread_mutex_t *mutex) { return (uint32_t *)(void *)mutex; }

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *argument)
{
    (void)attributes;
    struct fiber *fiber = fiber_new(argument);
    fiber->main = main;
    *thread = (pthread_t)(fiber - sim.fibers + 1);
    point();
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    (void)result;
    struct fiber *fiber = &sim.fibers[thread - 1];
    point();
    while (!fiber->done)
        block_on(fiber, INT64_MAX);
    fiber->used = false;
    return 0;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    (void)attributes;
    memset(mutex, 0, sizeof *mutex);
    return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    if (*holder(mutex))
        run_fail("a lock is destroyed while it is held");
    return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!sim.running)
        return 0;
    point();
    if (*holder(mutex) == sim.current + 1)
        run_fail("a thread takes a lock that it holds");
    while (*holder(mutex))
        block_on(mutex, INT64_MAX);
    *holder(mutex) = sim.current + 1;
    return 0;
}

static void unlock(pthread_mutex_t *mutex)
{
    if (*holder(mutex) != sim.current + 1)
        run_fail("a thread gives back a lock that it does not hold");
    *holder(mutex) = 0;
    wake(mutex, true);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (!sim.running)
        return 0;
    unlock(mutex);
    point();
    return 0;
}

int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
{
    (void)attributes;
    memset(condition, 0, sizeof *condition);
    return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *condition)
{
    (void)condition;
    return 0;
}

static int wait_on(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t wake_us)
{
    struct fiber *self = &sim.fibers[sim.current];
    sim.steps++;
    sim.now_us++;
    if (sim.failed)
        go_home(RUN_FAILED);
    if (sim.kill_at && sim.steps >= sim.kill_at)
        go_home(RUN_KILLED);
    unlock(mutex);
    block_on(condition, wake_us);
    bool timed_out = self->timed_out;
    while (*holder(mutex))
        block_on(mutex, INT64_MAX);
    *holder(mutex) = sim.current + 1;
    return timed_out ? ETIMEDOUT : 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    return wait_on(condition, mutex, INT64_MAX);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    return wait_on(condition, mutex, (int64_t)until->tv_sec * 1000000 + until->tv_nsec / 1000 + 1);
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
    wake(condition, false);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
    wake(condition, true);
    return 0;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *time)
{
    (void)id;
    time->tv_sec = (time_t)(sim.now_us / 1000000);
    time->tv_nsec = (long)(sim.now_us % 1000000) * 1000;
    return 0;
}

int __wrap_clock_nanosleep(clockid_t id, int flags, const struct timespec *time,
                           struct timespec *rest)
{
    (void)id, (void)flags, (void)rest;
    if (!sim.running)
        return 0;
    point();
    block_on(time, sim.now_us + (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000);
    return 0;
}

/* The engine takes the seed of its jitter from the clock and from an address. */
bool __wrap_retry_again(struct retry *retry, uint32_t *wait_ms, struct error *err)
{
    retry->seed = 1 + chance_next(&sim.chance) % 1000;
    return __real_retry_again(retry, wait_ms, err);
}

/* Without the log's lock, so that a run is the same when it is watched. */
void __wrap_log_write(enum log_level level, const char *format, ...)
{
    if (!run_verbose)
        return;
    va_list arguments;
    va_start(arguments, format);
    printf("%9.3f ms thread %u %s ", (double)sim.now_us / 1e3 - 1e6, sim.current,
           level <= LOG_LEVEL_WARN ? "warn" : "info");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

/* ---- chance ---- */

uint64_t chance_next(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t chance_below(struct chance *chance, uint32_t limit)
{
    return limit ? (uint32_t)((chance_next(chance) >> 32) * limit >> 32) : 0;
}

bool chance_one_in(struct chance *chance, uint32_t count)
{
    return count > 0 && chance_below(chance, count) == 0;
}
