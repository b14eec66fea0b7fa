/* SPDX-License-Identifier: Apache-2.0
 *
 * Coroutines: functions that stop in the middle and go on later. They take turns, they nest, and
 * their stacks are as large as was asked for and are used again.
 */
#include "base/coroutine.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mwt_run.h"

#define STACK_BYTES ((size_t)256 << 10)

/* A function that counts up, and gives way after each step. */
struct counter {
    struct mwi_coroutine *coroutine;
    int steps;
    int count;
};

static void count_up(void *context)
{
    struct counter *counter = context;
    for (int i = 0; i < counter->steps; i++) {
        counter->count++;
        mwi_coroutine_yield(counter->coroutine);
    }
}

static void start(struct mwi_coroutine_pool *pool, struct counter *counter)
{
    counter->coroutine = mwi_coroutine_take(pool, count_up, counter);
    CU_ASSERT_PTR_NOT_NULL_FATAL(counter->coroutine);
}

/* Two functions go on in turn, each from where it stopped. */
static void test_turns(void)
{
    struct mwi_coroutine_pool pool = {.stack_bytes = STACK_BYTES};
    struct counter one = {.steps = 2}, other = {.steps = 1};
    start(&pool, &one);
    start(&pool, &other);

    CU_ASSERT_TRUE(mwi_coroutine_resume(one.coroutine));
    CU_ASSERT_TRUE(mwi_coroutine_resume(other.coroutine));
    CU_ASSERT_TRUE(mwi_coroutine_resume(one.coroutine));
    CU_ASSERT_FALSE(mwi_coroutine_resume(other.coroutine));
    CU_ASSERT_FALSE(mwi_coroutine_resume(one.coroutine));

    CU_ASSERT_EQUAL(one.count, 2);
    CU_ASSERT_EQUAL(other.count, 1);
    mwi_coroutine_put(&pool, one.coroutine);
    mwi_coroutine_put(&pool, other.coroutine);
    mwi_coroutine_pool_fini(&pool);
}

/* A stack whose function has returned runs the next function. */
static void test_reuse(void)
{
    struct mwi_coroutine_pool pool = {.stack_bytes = STACK_BYTES};
    struct counter first = {0}, second = {.steps = 1};
    start(&pool, &first);
    CU_ASSERT_FALSE(mwi_coroutine_resume(first.coroutine));
    mwi_coroutine_put(&pool, first.coroutine);

    start(&pool, &second);
    CU_ASSERT_PTR_EQUAL(second.coroutine, first.coroutine);
    CU_ASSERT_TRUE(mwi_coroutine_resume(second.coroutine));
    CU_ASSERT_FALSE(mwi_coroutine_resume(second.coroutine));

    CU_ASSERT_EQUAL(second.count, 1);
    mwi_coroutine_put(&pool, second.coroutine);
    mwi_coroutine_pool_fini(&pool);
}

/* A coroutine that was never resumed can be put back, on a new stack and on a used one. */
static void test_never_resumed(void)
{
    struct mwi_coroutine_pool pool = {.stack_bytes = STACK_BYTES};
    struct counter counter = {.steps = 0};
    start(&pool, &counter);
    mwi_coroutine_put(&pool, counter.coroutine);
    start(&pool, &counter);
    CU_ASSERT_FALSE(mwi_coroutine_resume(counter.coroutine));
    mwi_coroutine_put(&pool, counter.coroutine);
    counter.steps = 1;
    start(&pool, &counter);

    mwi_coroutine_put(&pool, counter.coroutine);

    CU_ASSERT_EQUAL(counter.count, 0);
    mwi_coroutine_pool_fini(&pool);
}

static void use_stack(void *context)
{
    volatile unsigned char bytes[STACK_BYTES * 3 / 4];
    memset((void *)bytes, 1, sizeof bytes);
    *(int *)context = bytes[0] + bytes[sizeof bytes - 1];
}

/* A function may use the stack that was asked for. */
static void test_stack(void)
{
    struct mwi_coroutine_pool pool = {.stack_bytes = STACK_BYTES};
    int sum = 0;
    struct mwi_coroutine *coroutine = mwi_coroutine_take(&pool, use_stack, &sum);
    CU_ASSERT_PTR_NOT_NULL_FATAL(coroutine);

    CU_ASSERT_FALSE(mwi_coroutine_resume(coroutine));

    CU_ASSERT_EQUAL(sum, 2);
    mwi_coroutine_put(&pool, coroutine);
    mwi_coroutine_pool_fini(&pool);
}

static void nest(void *context)
{
    struct counter *inner = context;
    while (mwi_coroutine_resume(inner->coroutine))
        ;
}

/* A coroutine may resume another one, which gives way to it. */
static void test_nested(void)
{
    struct mwi_coroutine_pool pool = {.stack_bytes = STACK_BYTES};
    struct counter inner = {.steps = 3};
    start(&pool, &inner);
    struct mwi_coroutine *outer = mwi_coroutine_take(&pool, nest, &inner);
    CU_ASSERT_PTR_NOT_NULL_FATAL(outer);

    CU_ASSERT_FALSE(mwi_coroutine_resume(outer));

    CU_ASSERT_EQUAL(inner.count, 3);
    mwi_coroutine_put(&pool, outer);
    mwi_coroutine_put(&pool, inner.coroutine);
    mwi_coroutine_pool_fini(&pool);
}

/* Memory for a stack that the machine has not is asked for in vain. */
static void test_too_large(void)
{
    struct mwi_coroutine_pool pool = {.stack_bytes = SIZE_MAX / 4};

    CU_ASSERT_PTR_NULL(mwi_coroutine_take(&pool, count_up, NULL));

    mwi_coroutine_pool_fini(&pool);
}

#define MANY 70000

static void add_one(void *context)
{
    struct counter *counter = context;
    counter->count++;
    mwi_coroutine_yield(counter->coroutine);
}

/* There may be more stacks than a process may have mappings. */
static void test_many(void)
{
    struct mwi_coroutine_pool pool = {.stack_bytes = 16384};
    struct counter *counters = calloc(MANY, sizeof *counters);
    CU_ASSERT_PTR_NOT_NULL_FATAL(counters);

    int sum = 0;
    for (int i = 0; i < MANY; i++) {
        counters[i].coroutine = mwi_coroutine_take(&pool, add_one, &counters[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(counters[i].coroutine);
        sum += mwi_coroutine_resume(counters[i].coroutine);
    }
    for (int i = 0; i < MANY; i++) {
        sum += counters[i].count + mwi_coroutine_resume(counters[i].coroutine);
        mwi_coroutine_put(&pool, counters[i].coroutine);
    }

    CU_ASSERT_EQUAL(sum, 2 * MANY);
    mwi_coroutine_pool_fini(&pool);
    free(counters);
}

/* Does in a child process what an overflow of a stack does where no guard page stops it: it writes
 * to the end of the place below. Then the coroutine there is resumed. */
static void overflow(struct mwi_coroutine *below)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t end = ((uintptr_t)below + page - 1) / page * page;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    fclose(stderr);
    memset((void *)(end - 64), 1, 64);
    mwi_coroutine_resume(below);
}

/* No function runs whose coroutine was overwritten. */
static void test_overflow(void)
{
    struct mwi_coroutine_pool pool = {.stack_bytes = STACK_BYTES};
    struct counter first = {0}, below = {0}, above = {0};
    start(&pool, &first);
    start(&pool, &below);
    start(&pool, &above);

    pid_t child = fork();
    if (child == 0) {
        overflow(below.coroutine);
        _exit(0);
    }
    int status = 0;
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);

    CU_ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    mwi_coroutine_put(&pool, first.coroutine);
    mwi_coroutine_put(&pool, below.coroutine);
    mwi_coroutine_put(&pool, above.coroutine);
    mwi_coroutine_pool_fini(&pool);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"turns", test_turns}, {"reuse", test_reuse},       {"never resumed", test_never_resumed},
        {"stack", test_stack}, {"nested", test_nested},     {"too large", test_too_large},
        {"many", test_many},   {"overflow", test_overflow}, CU_TEST_INFO_NULL,
    };
    return mwt_run("coroutine", tests);
}
