/* SPDX-License-Identifier: Apache-2.0
 *
 * The allocator of a test program, which fails when it is told to. It replaces malloc for the whole
 * program, the C library and msgpack-c included; it needs glibc, and does not go with sanitizers.
 */
#ifndef MWT_MEMORY_H
#define MWT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "mwt_run.h"

/* From now on the n-th allocation fails, counting from 1, and those after it too if `for_good`.
 * 0: none does. */
void mwt_memory_fail(size_t n, bool for_good);

/* Whether one has failed since then. */
bool mwt_memory_has_failed(void);

/* How many blocks are allocated and not freed. */
long mwt_memory_blocks(void);

/* What came of a piece of work. */
enum mwt_outcome {
    MWT_RIGHT, /* all is as it must be */
    MWT_TOLD,  /* it is not, and somebody was told: an error, a peer dropped */
    MWT_WRONG
};

/* Does the work again and again, its first allocation failing, then its second, until it passes
 * without failure, which must be after more than so many. Each time there must be no leak, and
 * nothing wrong that nobody was told of. */
static inline void mwt_memory_repeat(enum mwt_outcome (*work)(void), bool for_good,
                                     size_t failures_min)
{
    size_t n = 0;
    bool has_failed = true;
    while (has_failed && n < 100000) {
        long before = mwt_memory_blocks();
        mwt_memory_fail(++n, for_good);
        enum mwt_outcome outcome = work();
        has_failed = mwt_memory_has_failed();
        mwt_memory_fail(0, false);
        long leaked = mwt_memory_blocks() - before;
        if (outcome == MWT_WRONG || leaked != 0 || (!has_failed && outcome != MWT_RIGHT))
            printf("\n  allocation %zu: outcome %d, %ld blocks leaked\n", n, (int)outcome, leaked);
        CU_ASSERT_EQUAL(leaked, 0);
        CU_ASSERT_NOT_EQUAL(outcome, MWT_WRONG);
        CU_ASSERT_TRUE(has_failed || outcome == MWT_RIGHT);
    }
    CU_ASSERT_FALSE(has_failed);
    CU_ASSERT_TRUE(n > failures_min);
    printf("(%zu failures) ", n - 1);
}

/* As mwt_run; but if allocations come to something else than this, valgrind for instance, nothing
 * is run. */
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
