/* SPDX-License-Identifier: Apache-2.0
 *
 * Coroutines on mmap'd stacks with a guard page below. The world of transports/sim runs each host
 * on one, and face/serial.c the slave of a serial farm. A stack is entered once with makecontext
 * and setcontext. From then on switches are _setjmp and _longjmp, since swapcontext makes two
 * system calls to keep signal masks that never differ here (measured: 570 ns a round trip against
 * 25 ns).
 *
 * Invariants: all coroutines of a pool run in one thread, one at a time. A stack whose function has
 * returned stays suspended in the pool, and runs the next function from there. AddressSanitizer and
 * valgrind are told of each stack; another tool that follows stacks must be told beside them.
 */

/* With _FORTIFY_SOURCE glibc checks longjmp, and takes a jump to another stack for an error. */
#undef _FORTIFY_SOURCE

#include "base/coroutine.h"

#include <assert.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(start, end) 0
#define VALGRIND_STACK_DEREGISTER(id) (void)(id)
#endif

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/common_interface_defs.h>
#define UNCHECKED __attribute__((no_sanitize_address))
#define START_SWITCH(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define FINISH_SWITCH(save, bottom, size) __sanitizer_finish_switch_fiber(save, bottom, size)
#else
#define UNCHECKED
#define START_SWITCH(save, bottom, size) (void)(save)
#define FINISH_SWITCH(save, bottom, size) (void)(save)
#endif

struct mwi_coroutine {
    struct mwi_coroutine *next;
    void (*run)(void *context);
    void *context;
    bool is_entered; /* its stack has its bottom frame */
    bool has_begun;  /* it was resumed since it was taken */
    bool is_running; /* `run` has not returned */
    jmp_buf inside, outside;
    unsigned char *mapping;
    size_t mapping_bytes, guard_bytes;
    unsigned valgrind_id;
    /* AddressSanitizer's: the fake stacks of both sides, and the stack of whoever resumed. */
    void *inside_fake, *outside_fake;
    const void *outside_bottom;
    size_t outside_bytes;
};

static unsigned char *stack_bottom(const struct mwi_coroutine *coroutine)
{
    return coroutine->mapping + coroutine->guard_bytes;
}

static size_t stack_bytes(const struct mwi_coroutine *coroutine)
{
    return coroutine->mapping_bytes - coroutine->guard_bytes;
}

static bool map_stack(struct mwi_coroutine *coroutine, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return false;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    coroutine->guard_bytes = page;
    coroutine->mapping_bytes = (bytes + page - 1) / page * page + page;
    coroutine->mapping = mmap(NULL, coroutine->mapping_bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (coroutine->mapping == MAP_FAILED)
        return false;
    if (mprotect(coroutine->mapping, coroutine->guard_bytes, PROT_NONE) != 0) {
        munmap(coroutine->mapping, coroutine->mapping_bytes);
        return false;
    }
    coroutine->valgrind_id = VALGRIND_STACK_REGISTER(
        stack_bottom(coroutine), stack_bottom(coroutine) + stack_bytes(coroutine));
    return true;
}

static struct mwi_coroutine *create_coroutine(size_t bytes)
{
    struct mwi_coroutine *coroutine = calloc(1, sizeof *coroutine);
    if (coroutine != NULL && !map_stack(coroutine, bytes)) {
        free(coroutine);
        return NULL;
    }
    return coroutine;
}

static void destroy_coroutine(struct mwi_coroutine *coroutine)
{
    VALGRIND_STACK_DEREGISTER(coroutine->valgrind_id);
    munmap(coroutine->mapping, coroutine->mapping_bytes);
    free(coroutine);
}

struct mwi_coroutine *mwi_coroutine_take(struct mwi_coroutine_pool *pool,
                                         void (*run)(void *context), void *context)
{
    struct mwi_coroutine *coroutine = pool->idle;
    if (coroutine != NULL)
        pool->idle = coroutine->next;
    else
        coroutine = create_coroutine(pool->stack_bytes);
    if (coroutine == NULL)
        return NULL;
    coroutine->run = run;
    coroutine->context = context;
    coroutine->has_begun = false;
    coroutine->is_running = true;
    return coroutine;
}

void mwi_coroutine_put(struct mwi_coroutine_pool *pool, struct mwi_coroutine *coroutine)
{
    assert(!coroutine->is_running || !coroutine->has_begun);
    coroutine->next = pool->idle;
    pool->idle = coroutine;
}

void mwi_coroutine_pool_fini(struct mwi_coroutine_pool *pool)
{
    while (pool->idle != NULL) {
        struct mwi_coroutine *coroutine = pool->idle;
        pool->idle = coroutine->next;
        destroy_coroutine(coroutine);
    }
}

/* The bottom frame of every stack. It is never left: between two functions it is suspended. */
static void run_for_ever(unsigned high, unsigned low)
{
    struct mwi_coroutine *coroutine = (void *)(uintptr_t)((uint64_t)high << 32 | low);
    FINISH_SWITCH(NULL, &coroutine->outside_bottom, &coroutine->outside_bytes);
    for (;;) {
        coroutine->run(coroutine->context);
        coroutine->is_running = false;
        mwi_coroutine_yield(coroutine);
    }
}

/* AddressSanitizer must not watch this function: setcontext leaves its frame without a return, and
 * the frame would stay guarded. */
static UNCHECKED void enter_stack(struct mwi_coroutine *coroutine)
{
    ucontext_t entry;
    getcontext(&entry);
    entry.uc_stack.ss_sp = stack_bottom(coroutine);
    entry.uc_stack.ss_size = stack_bytes(coroutine);
    entry.uc_link = NULL;
    uint64_t address = (uintptr_t)coroutine; /* makecontext passes on numbers of type int only */
    makecontext(&entry, (void (*)(void))run_for_ever, 2, (unsigned)(address >> 32),
                (unsigned)address);
    coroutine->is_entered = true;
    setcontext(&entry);
}

bool mwi_coroutine_resume(struct mwi_coroutine *coroutine)
{
    coroutine->has_begun = true;
    START_SWITCH(&coroutine->outside_fake, stack_bottom(coroutine), stack_bytes(coroutine));
    if (_setjmp(coroutine->outside) == 0) {
        if (coroutine->is_entered)
            _longjmp(coroutine->inside, 1);
        enter_stack(coroutine);
    }
    FINISH_SWITCH(coroutine->outside_fake, NULL, NULL);
    return coroutine->is_running;
}

void mwi_coroutine_yield(struct mwi_coroutine *coroutine)
{
    START_SWITCH(&coroutine->inside_fake, coroutine->outside_bottom, coroutine->outside_bytes);
    if (_setjmp(coroutine->inside) == 0)
        _longjmp(coroutine->outside, 1);
    FINISH_SWITCH(coroutine->inside_fake, &coroutine->outside_bottom, &coroutine->outside_bytes);
}
