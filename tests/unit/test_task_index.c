/* SPDX-License-Identifier: Apache-2.0
 *
 * The index of tasks by number: numbers may be far apart, and come and go in any order. The index
 * needs no more memory than the numbers that it holds.
 */
#include "farm/task_index.h"

#include <stdlib.h>

#include "mwt_random.h"
#include "mwt_run.h"

/* A number that was entered is found until it is taken out. */
static void test_add_find_remove(void)
{
    struct mwi_task_index index = {0};
    CU_ASSERT_TRUE(mwi_task_index_add(&index, 1, 0));
    CU_ASSERT_TRUE(mwi_task_index_add(&index, 2, 7));

    CU_ASSERT_EQUAL(mwi_task_index_find(&index, 1), 0);
    CU_ASSERT_EQUAL(mwi_task_index_find(&index, 2), 7);
    CU_ASSERT_EQUAL(mwi_task_index_find(&index, 3), MWI_TASK_INDEX_NONE);
    CU_ASSERT_EQUAL(mwi_task_index_remove(&index, 2), 7);
    CU_ASSERT_EQUAL(mwi_task_index_find(&index, 2), MWI_TASK_INDEX_NONE);

    mwi_task_index_fini(&index);
}

/* Numbers far apart, as after a restart that goes on counting, cost no more than their pages. */
static void test_gap(void)
{
    struct mwi_task_index index = {0};
    CU_ASSERT_TRUE(mwi_task_index_add(&index, UINT64_C(1) << 40, 5));
    CU_ASSERT_TRUE(mwi_task_index_add(&index, (UINT64_C(1) << 40) + 100000, 6));

    CU_ASSERT_EQUAL(mwi_task_index_find(&index, UINT64_C(1) << 40), 5);
    CU_ASSERT_EQUAL(mwi_task_index_find(&index, (UINT64_C(1) << 40) + 100000), 6);
    CU_ASSERT_EQUAL(mwi_task_index_find(&index, 1), MWI_TASK_INDEX_NONE);
    CU_ASSERT_EQUAL(mwi_task_index_find(&index, UINT64_MAX), MWI_TASK_INDEX_NONE);

    mwi_task_index_fini(&index);
}

/* A window of tasks that moves on for long needs no more room than the window. */
static void test_moving_window(void)
{
    enum { WINDOW = 1000, NUMBERS = 1000000 };
    struct mwi_task_index index = {0};

    for (uint64_t id = 1; id <= NUMBERS; id++) {
        if (!mwi_task_index_add(&index, id, (uint32_t)id))
            CU_FAIL_FATAL("out of memory");
        if (id > WINDOW && mwi_task_index_remove(&index, id - WINDOW) != id - WINDOW)
            CU_FAIL_FATAL("another slot");
    }

    CU_ASSERT_TRUE(index.capacity <= 64);
    mwi_task_index_fini(&index);
}

/* Taken out in any order, each number is found exactly while it is in. */
static void test_any_order(void)
{
    enum { COUNT = 5000 };
    static bool is_in[COUNT + 1];
    struct mwi_task_index index = {0};
    struct mwt_random random;
    mwt_random_start(&random);
    for (uint64_t id = 1; id <= COUNT; id++) {
        CU_ASSERT_TRUE_FATAL(mwi_task_index_add(&index, id, (uint32_t)(2 * id)));
        is_in[id] = true;
    }

    for (int step = 0; step < 2 * COUNT; step++) {
        uint64_t id = 1 + mwt_random_below(&random, COUNT);
        uint32_t expected = is_in[id] ? (uint32_t)(2 * id) : MWI_TASK_INDEX_NONE;
        if (mwi_task_index_find(&index, id) != expected)
            CU_FAIL_FATAL("a number is not found, or one that has gone is");
        if (is_in[id])
            mwi_task_index_remove(&index, id);
        is_in[id] = false;
    }

    mwi_task_index_fini(&index);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"add, find, remove", test_add_find_remove},
        {"gap", test_gap},
        {"moving window", test_moving_window},
        {"any order", test_any_order},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("task_index", tests);
}
