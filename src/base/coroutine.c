/* SPDX-License-Identifier: Apache-2.0
 *
 * Coroutines. The world of transports/sim runs each host on one, and face/serial.c the slave of a
 * serial farm. A stack is entered once with makecontext and setcontext. From then on switches are
 * _setjmp and _longjmp, since swapcontext makes two system calls to keep signal masks that never
 * differ here (measured: 570 ns a round trip against 25 ns).
 *
 * A process may have only 65,530 mappings, so stacks share large ones: the arenas. An arena is
 * divided into places. A place is a guard page, the stack, and at the upper end the coroutine
 * itself, which so shares a page with the frames that a switch needs. Since Linux 6.13 a guard page
 * does not split its mapping. On older systems it does, and only the first GUARDED_MAX stacks of a
 * pool get one. An overflow of another stack overwrites the marks of the coroutine in the place
 * below, and mwi_coroutine_resume checks them.
 *
 * Invariants: all coroutines of a pool run in one thread, one at a time. A stack whose function has
 * returned stays suspended in the pool, and runs the next function from there. AddressSanitizer and
 * valgrind are told of each stack. If another tool follows stacks, tell it in the same functions.
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
#define RUNNING_ON_VALGRIND 0
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

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define GUARDED_MAX 4096
/* Each arena has as many places as the arenas before it together, unless it would be larger than
 * this. */
#define ARENA_BYTES_MAX ((size_t)1 << 30)
#define LINE_BYTES 64
#define MARKS_COUNT 4
#define MARK UINT64_C(0x5ca1ab1e0ddba11)

struct mwi_coroutine_arena {
    struct mwi_coroutine_arena *next;
    unsigned char *mapping;
    size_t places_count, used_count; /* the first used_count places have a coroutine */
};

struct mwi_coroutine {
    struct mwi_coroutine *next;
    void (*run)(void *context);
    void *context;
    unsigned char *bottom; /* the lowest byte of the stack, which ends where the coroutine begins */
    unsigned valgrind_id;
    /* AddressSanitizer's: the fake stacks of both sides, and the stack of whoever resumed. */
    void *inside_fake, *outside_fake;
    const void *outside_bottom;
    size_t outside_bytes;
    /* A switch needs only the fields below, which fill one line of the cache. */
    jmp_buf *inside;  /* where it has stopped, on its stack; NULL: its stack was never entered */
    jmp_buf *outside; /* where its resumer has stopped, on the resumer's stack */
    bool has_begun;   /* it was resumed since it was taken */
    bool is_running;  /* `run` has not returned */
    uint64_t marks[MARKS_COUNT]; /* last, so that an overflow of the stack above meets them first */
};

static size_t stack_bytes(const struct mwi_coroutine *coroutine)
{
    return (size_t)((const unsigned char *)coroutine - coroutine->bottom);
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* The size of a place. It is an odd number of pages: the processor sorts cached addresses (TLB) by
 * the lower bits of a page's number. With an even number the upper ends of all places would share
 * half of that cache, or less. */
static size_t place_bytes(const struct mwi_coroutine_pool *pool)
{
    size_t page = page_bytes();
    size_t bytes = pool->stack_bytes + sizeof(struct mwi_coroutine) + LINE_BYTES;
    size_t pages_count = (bytes + page - 1) / page + 1;
    return (pages_count | 1) * page;
}

/* Maps an arena, without huge pages: the first byte that a stack writes would take 2 MiB. */
static unsigned char *map(size_t bytes)
{
    unsigned char *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED)
        return NULL;
    (void)madvise(mapping, bytes, MADV_NOHUGEPAGE);
    return mapping;
}

/* Adds an arena, a smaller one if there is no room for a large one. */
static bool add_arena(struct mwi_coroutine_pool *pool)
{
    size_t bytes = place_bytes(pool);
    size_t count_max = ARENA_BYTES_MAX / bytes;
    size_t count = pool->stacks_count < count_max ? pool->stacks_count : count_max;
    struct mwi_coroutine_arena *arena = malloc(sizeof *arena);
    if (arena == NULL)
        return false;
    if (count == 0)
        count = 1;
    *arena = (struct mwi_coroutine_arena){.next = pool->arenas, .mapping = map(count * bytes)};
    for (; arena->mapping == NULL && count > 1; arena->mapping = map(count * bytes))
        count /= 2;
    if (arena->mapping == NULL) {
        free(arena);
        return false;
    }
    arena->places_count = count;
    pool->arenas = arena;
    return true;
}

/* Makes a guard page, if the system and GUARDED_MAX allow one; false out of memory. */
static bool guard(const struct mwi_coroutine_pool *pool, unsigned char *page)
{
    return madvise(page, page_bytes(), MADV_GUARD_INSTALL) == 0 ||
           pool->stacks_count >= GUARDED_MAX || mprotect(page, page_bytes(), PROT_NONE) == 0;
}

static struct mwi_coroutine *coroutine_at(const struct mwi_coroutine_pool *pool,
                                          const struct mwi_coroutine_arena *arena, size_t index)
{
    size_t bytes = place_bytes(pool);
    size_t own_bytes = (sizeof(struct mwi_coroutine) + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    return (void *)(arena->mapping + (index + 1) * bytes - own_bytes);
}

static struct mwi_coroutine *create_coroutine(struct mwi_coroutine_pool *pool)
{
    if (pool->stack_bytes > SIZE_MAX / 2)
        return NULL;
    if ((pool->arenas == NULL || pool->arenas->used_count == pool->arenas->places_count) &&
        !add_arena(pool))
        return NULL;
    struct mwi_coroutine_arena *arena = pool->arenas;
    unsigned char *place = arena->mapping + arena->used_count * place_bytes(pool);
    if (!guard(pool, place))
        return NULL;
    struct mwi_coroutine *coroutine = coroutine_at(pool, arena, arena->used_count++);
    pool->stacks_count++;
    coroutine->bottom = place + page_bytes();
    coroutine->valgrind_id = VALGRIND_STACK_REGISTER(coroutine->bottom, coroutine);
    for (size_t i = 0; i < MARKS_COUNT; i++)
        coroutine->marks[i] = MARK;
    return coroutine;
}

static void destroy_arena(struct mwi_coroutine_pool *pool, struct mwi_coroutine_arena *arena)
{
    for (size_t i = 0; RUNNING_ON_VALGRIND && i < arena->used_count; i++)
        VALGRIND_STACK_DEREGISTER(coroutine_at(pool, arena, i)->valgrind_id);
    munmap(arena->mapping, arena->places_count * place_bytes(pool));
    free(arena);
}

struct mwi_coroutine *mwi_coroutine_take(struct mwi_coroutine_pool *pool,
                                         void (*run)(void *context), void *context)
{
    struct mwi_coroutine *coroutine = pool->idle;
    if (coroutine != NULL)
        pool->idle = coroutine->next;
    else
        coroutine = create_coroutine(pool);
    if (coroutine == NULL)
        return NULL;
    pool->taken_count++;
    coroutine->run = run;
    coroutine->context = context;
    coroutine->has_begun = false;
    coroutine->is_running = true;
    return coroutine;
}

void mwi_coroutine_put(struct mwi_coroutine_pool *pool, struct mwi_coroutine *coroutine)
{
    assert(!coroutine->is_running || !coroutine->has_begun);
    assert(pool->taken_count > 0);
    pool->taken_count--;
    coroutine->next = pool->idle;
    pool->idle = coroutine;
}

void mwi_coroutine_pool_fini(struct mwi_coroutine_pool *pool)
{
    assert(pool->taken_count == 0);
    while (pool->arenas != NULL) {
        struct mwi_coroutine_arena *arena = pool->arenas;
        pool->arenas = arena->next;
        destroy_arena(pool, arena);
    }
    *pool = (struct mwi_coroutine_pool){.stack_bytes = pool->stack_bytes};
}

/* The outermost function of every stack. It never returns: between two functions it is
 * suspended. */
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
    entry.uc_stack.ss_sp = coroutine->bottom;
    entry.uc_stack.ss_size = stack_bytes(coroutine);
    entry.uc_link = NULL;
    uint64_t address = (uintptr_t)coroutine; /* makecontext passes on numbers of type int only */
    makecontext(&entry, (void (*)(void))run_for_ever, 2, (unsigned)(address >> 32),
                (unsigned)address);
    setcontext(&entry);
}

static bool has_marks(const struct mwi_coroutine *coroutine)
{
    size_t i = 0;
    while (i < MARKS_COUNT && coroutine->marks[i] == MARK)
        i++;
    return i == MARKS_COUNT;
}

bool mwi_coroutine_resume(struct mwi_coroutine *coroutine)
{
    jmp_buf outside;
    assert(has_marks(coroutine)); /* else the stack above it has overflowed */
    coroutine->has_begun = true;
    coroutine->outside = &outside;
    START_SWITCH(&coroutine->outside_fake, coroutine->bottom, stack_bytes(coroutine));
    if (_setjmp(outside) == 0) {
        if (coroutine->inside != NULL)
            _longjmp(*coroutine->inside, 1);
        enter_stack(coroutine);
    }
    FINISH_SWITCH(coroutine->outside_fake, NULL, NULL);
    return coroutine->is_running;
}

void mwi_coroutine_yield(struct mwi_coroutine *coroutine)
{
    jmp_buf inside;
    coroutine->inside = &inside;
    START_SWITCH(&coroutine->inside_fake, coroutine->outside_bottom, coroutine->outside_bytes);
    if (_setjmp(inside) == 0)
        _longjmp(*coroutine->outside, 1);
    FINISH_SWITCH(coroutine->inside_fake, &coroutine->outside_bottom, &coroutine->outside_bytes);
}
