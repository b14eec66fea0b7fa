/* SPDX-License-Identifier: Apache-2.0
 *
 * Learning how long tasks take: the average of each algorithm, the weight of new times, and times
 * that cannot be true.
 */
#include "farm/pace.h"

#include "mwt_run.h"

#define MS UINT64_C(1000000)

/* Nothing is known of an algorithm until one of its tasks has ended, nor ever of one that is not
 * there. */
static void test_unknown(void)
{
    struct mwi_pace pace;
    CU_ASSERT_TRUE_FATAL(mwi_pace_init(&pace, 2));

    mwi_pace_learn(&pace, 1, MS, 1);
    mwi_pace_learn(&pace, 2, MS, 1);

    CU_ASSERT_EQUAL(mwi_pace_of(&pace, 0), 0);
    CU_ASSERT(mwi_pace_of(&pace, 1) >= (int64_t)MS);
    CU_ASSERT_EQUAL(mwi_pace_of(&pace, 2), 0);
    mwi_pace_fini(&pace);
}

/* Tasks that take no time are not free, and the estimate goes where the tasks go. */
static void test_learning(void)
{
    struct mwi_pace pace;
    CU_ASSERT_TRUE_FATAL(mwi_pace_init(&pace, 1));

    mwi_pace_learn(&pace, 0, 0, 1);
    CU_ASSERT(mwi_pace_of(&pace, 0) > 0);
    for (int i = 0; i < 100; i++)
        mwi_pace_learn(&pace, 0, 10 * MS, 1);
    CU_ASSERT(mwi_pace_of(&pace, 0) > 9 * (int64_t)MS);
    CU_ASSERT(mwi_pace_of(&pace, 0) < 11 * (int64_t)MS);
    for (int i = 0; i < 1000; i++)
        mwi_pace_learn(&pace, 0, 1000, 1);
    CU_ASSERT(mwi_pace_of(&pace, 0) < 2000);

    mwi_pace_fini(&pace);
}

/* The first few count alike, and how many there were is known. */
static void test_first_few(void)
{
    struct mwi_pace pace;
    CU_ASSERT_TRUE_FATAL(mwi_pace_init(&pace, 1));

    mwi_pace_learn(&pace, 0, 1 * MS, 1);
    mwi_pace_learn(&pace, 0, 2 * MS, 1);
    mwi_pace_learn(&pace, 0, 6 * MS, 1);

    CU_ASSERT_DOUBLE_EQUAL((double)mwi_pace_of(&pace, 0), 3e6, 1e4);
    CU_ASSERT_EQUAL(mwi_pace_samples(&pace, 0), 3);
    CU_ASSERT_EQUAL(mwi_pace_samples(&pace, 1), 0);
    mwi_pace_fini(&pace);
}

/* A slave may report nonsense, which must not overflow. */
static void test_absurd(void)
{
    struct mwi_pace pace;
    CU_ASSERT_TRUE_FATAL(mwi_pace_init(&pace, 1));

    for (int i = 0; i < 100; i++)
        mwi_pace_learn(&pace, 0, UINT64_MAX, 1);

    CU_ASSERT(mwi_pace_of(&pace, 0) > 0);
    CU_ASSERT(mwi_pace_of(&pace, 0) < INT64_MAX / 4096);
    mwi_pace_fini(&pace);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"unknown", test_unknown}, {"learning", test_learning}, {"first few", test_first_few},
        {"absurd", test_absurd},   CU_TEST_INFO_NULL,
    };

    return mwt_run("pace", tests);
}
