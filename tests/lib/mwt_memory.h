/* SPDX-License-Identifier: Apache-2.0
 *
 * The allocator of a test program, which fails when the test tells it to. It replaces malloc for
 * the whole program, including the C library and msgpack-c. It needs glibc, and does not work with
 * sanitizers.
 */
#ifndef MWT_MEMORY_H
#define MWT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "mwt_run.h"

/* From now on allocation number `index` fails, counting from 1, and all later ones too if
 * `fails_later`. With index 0, no allocation fails. */
void mwt_memory_fail(size_t index, bool fails_later);

/* Whether an allocation has failed since the last mwt_memory_fail. */
bool mwt_memory_has_failed(void);

/* The number of blocks that are allocated and not freed. */
long mwt_memory_blocks(void);

/* The outcome of a piece of work. */
enum mwt_outcome {
    MWT_RIGHT, /* everything is right */
    MWT_TOLD,  /* something is wrong, and the library told: by an error, or by dropping a peer */
    MWT_WRONG
};

/* Does the work again and again. Its first allocation fails, then its second, until the work passes
 * without a failure, which must be after more than `failures_min` failures. Each time, nothing may
 * leak, and the outcome must not be MWT_WRONG. */
static inline void mwt_memory_repeat(enum mwt_outcome (*work)(void), bool fails_later,
                                     size_t failures_min)
{
    size_t failing = 0;
    bool has_failed = true;
    while (has_failed && failing < 100000) {
        long before = mwt_memory_blocks();
        mwt_memory_fail(++failing, fails_later);
        enum mwt_outcome outcome = work();
        has_failed = mwt_memory_has_failed();
        mwt_memory_fail(0, false);
        long leaked = mwt_memory_blocks() - before;
        if (outcome == MWT_WRONG || leaked != 0 || (!has_failed && outcome != MWT_RIGHT))
            printf("\n  allocation %zu: outcome %d, %ld blocks leaked\n", failing, (int)outcome,
                   leaked);
        CU_ASSERT_EQUAL(leaked, 0);
        CU_ASSERT_NOT_EQUAL(outcome, MWT_WRONG);
        CU_ASSERT_TRUE(has_failed || outcome == MWT_RIGHT);
    }
    CU_ASSERT_FALSE(has_failed);
    CU_ASSERT_TRUE(failing > failures_min);
    printf("(%zu failures) ", failing - 1);
}

/* As mwt_run. But it runs nothing if something else has replaced the allocator, as valgrind
 * does. */
static inline int mwt_memory_run(const char *name, CU_TestInfo *tests)
{
    long before = mwt_memory_blocks();
    void *volatile block = malloc(1);
    bool is_counted = mwt_memory_blocks() == before + 1;
    free(block);
    if (is_counted)
        return mwt_run(name, tests);
    puts("not run: something else has replaced the allocator");
    return EXIT_SUCCESS;
}

#endif
