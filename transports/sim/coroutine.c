/* SPDX-License-Identifier: Apache-2.0
 *
 * Coroutines on mmap'd stacks with a guard page below. A stack is entered once with makecontext and
 * setcontext; from then on switches are _setjmp and _longjmp, since swapcontext makes two system
 * calls to keep signal masks that never differ here (measured: 570 ns a round trip against 25 ns).
 * A stack whose function has returned waits in the pool with its frame, ready for the next one.
 * AddressSanitizer and valgrind are told of each stack.
 */

/* The checked longjmp of glibc takes a jump to another stack for an error. */
#undef _FORTIFY_SOURCE

#include "coroutine.h"

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
    bool entered, running;
    jmp_buf inside, outside;
    unsigned char *mapping;
    size_t mapping_bytes, guard_bytes;
    unsigned valgrind_id;
    /* AddressSanitizer's: the fake stacks of both sides, and the stack of whoever resumed. */
    void *inside_fake, *outside_fake;
    const void *outside_bottom;
    size_t outside_bytes;
};

static unsigned char *stack_bottom(const struct mwi_coroutine *c)
{
    return c->mapping + c->guard_bytes;
}

static size_t stack_bytes(const struct mwi_coroutine *c)
{
    return c->mapping_bytes - c->guard_bytes;
}

static bool map_stack(struct mwi_coroutine *c, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (bytes > SIZE_MAX / 2)
        return false;
    c->guard_bytes = page;
    c->mapping_bytes = (bytes + page - 1) / page * page + page;
    c->mapping = mmap(NULL, c->mapping_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (c->mapping == MAP_FAILED)
        return false;
    if (mprotect(c->mapping, c->guard_bytes, PROT_NONE) != 0) {
        munmap(c->mapping, c->mapping_bytes);
        return false;
    }
    c->valgrind_id = VALGRIND_STACK_REGISTER(stack_bottom(c), stack_bottom(c) + stack_bytes(c));
    return true;
}

static struct mwi_coroutine *create_coroutine(size_t bytes)
{
    struct mwi_coroutine *c = calloc(1, sizeof *c);

    if (c != NULL && !map_stack(c, bytes)) {
        free(c);
        return NULL;
    }
    return c;
}

static void destroy_coroutine(struct mwi_coroutine *c)
{
    VALGRIND_STACK_DEREGISTER(c->valgrind_id);
    munmap(c->mapping, c->mapping_bytes);
    free(c);
}

struct mwi_coroutine *mwi_coroutine_take(struct mwi_coroutine_pool *pool,
                                         void (*run)(void *context), void *context)
{
    struct mwi_coroutine *c = pool->idle;

    if (c != NULL)
        pool->idle = c->next;
    else
        c = create_coroutine(pool->stack_bytes);
    if (c == NULL)
        return NULL;
    c->run = run;
    c->context = context;
    c->running = true;
    return c;
}

void mwi_coroutine_put(struct mwi_coroutine_pool *pool, struct mwi_coroutine *c)
{
    c->next = pool->idle;
    pool->idle = c;
}

void mwi_coroutine_pool_fini(struct mwi_coroutine_pool *pool)
{
    while (pool->idle != NULL) {
        struct mwi_coroutine *c = pool->idle;

        pool->idle = c->next;
        destroy_coroutine(c);
    }
}

/* The bottom frame of every stack. It is never left: between two functions it is suspended. */
static void run_for_ever(unsigned high, unsigned low)
{
    struct mwi_coroutine *c = (void *)(uintptr_t)((uint64_t)high << 32 | low);

    FINISH_SWITCH(NULL, &c->outside_bottom, &c->outside_bytes);
    for (;;) {
        c->run(c->context);
        c->running = false;
        mwi_coroutine_yield(c);
    }
}

/* Its frame is left by setcontext, after which AddressSanitizer would still guard what lay there.
 */
static UNCHECKED void enter_stack(struct mwi_coroutine *c)
{
    uint64_t address = (uintptr_t)c;
    ucontext_t entry;

    getcontext(&entry);
    entry.uc_stack.ss_sp = stack_bottom(c);
    entry.uc_stack.ss_size = stack_bytes(c);
    entry.uc_link = NULL;
    makecontext(&entry, (void (*)(void))run_for_ever, 2, (unsigned)(address >> 32),
                (unsigned)address);
    c->entered = true;
    setcontext(&entry);
}

bool mwi_coroutine_resume(struct mwi_coroutine *c)
{
    START_SWITCH(&c->outside_fake, stack_bottom(c), stack_bytes(c));
    if (_setjmp(c->outside) == 0) {
        if (c->entered)
            _longjmp(c->inside, 1);
        enter_stack(c);
    }
    FINISH_SWITCH(c->outside_fake, NULL, NULL);
    return c->running;
}

void mwi_coroutine_yield(struct mwi_coroutine *c)
{
    START_SWITCH(&c->inside_fake, c->outside_bottom, c->outside_bytes);
    if (_setjmp(c->inside) == 0)
        _longjmp(c->outside, 1);
    FINISH_SWITCH(c->inside_fake, &c->outside_bottom, &c->outside_bytes);
}
