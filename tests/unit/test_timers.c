/* SPDX-License-Identifier: Apache-2.0
 *
 * The timers: in order of their deadlines, equal ones in the order in which they were started.
 * How they are kept in that order is the heap's, see test_heap.c.
 */
#include "base/timers.h"

#include "mwt_run.h"

/* Without a timer there is no deadline and nothing is due. */
static void test_empty(void)
{
    struct mwi_timers timers;
    mwi_timers_init(&timers);

    CU_ASSERT_EQUAL(mwi_timers_deadline(&timers), INT64_MAX);
    CU_ASSERT_PTR_NULL(mwi_timers_due(&timers, INT64_MAX));

    mwi_timers_fini(&timers);
}

/* A timer is due from its deadline on, not before, and only once. */
static void test_due(void)
{
    struct mwi_timer_entry timer = {0};
    struct mwi_timers timers;
    mwi_timers_init(&timers);

    CU_ASSERT_TRUE(mwi_timers_start(&timers, &timer, 100));

    CU_ASSERT_EQUAL(mwi_timers_deadline(&timers), 100);
    CU_ASSERT_PTR_NULL(mwi_timers_due(&timers, 99));
    CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, 100), &timer);
    CU_ASSERT_PTR_NULL(mwi_timers_due(&timers, INT64_MAX));
    CU_ASSERT_EQUAL(timer.node.position, 0);
    mwi_timers_fini(&timers);
}

/* Equal deadlines come out in the order in which they were started. */
static void test_equal_deadlines(void)
{
    struct mwi_timer_entry timer[100] = {0};
    struct mwi_timers timers;
    mwi_timers_init(&timers);

    for (size_t i = 0; i < 100; i++)
        CU_ASSERT_TRUE(mwi_timers_start(&timers, &timer[i], (int64_t)(i % 3)));

    for (size_t deadline = 0; deadline < 3; deadline++)
        for (size_t i = deadline; i < 100; i += 3)
            CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, 10), &timer[i]);
    mwi_timers_fini(&timers);
}

/* A timer that is started again has its new deadline and stands behind its equals. */
static void test_start_anew(void)
{
    struct mwi_timer_entry moved = {0}, other = {0};
    struct mwi_timers timers;
    mwi_timers_init(&timers);
    CU_ASSERT_TRUE(mwi_timers_start(&timers, &moved, 5));
    CU_ASSERT_TRUE(mwi_timers_start(&timers, &other, 7));

    CU_ASSERT_TRUE(mwi_timers_start(&timers, &moved, 7));

    CU_ASSERT_EQUAL(timers.heap.count, 2);
    CU_ASSERT_EQUAL(mwi_timers_deadline(&timers), 7);
    CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, 7), &other);
    CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, 7), &moved);
    mwi_timers_fini(&timers);
}

/* A timer that does not run can be stopped all the same. */
static void test_stop_what_does_not_run(void)
{
    struct mwi_timer_entry runs = {0}, never_ran = {0};
    struct mwi_timers timers;
    mwi_timers_init(&timers);
    CU_ASSERT_TRUE(mwi_timers_start(&timers, &runs, 1));

    mwi_timers_stop(&timers, &never_ran);
    mwi_timers_stop(&timers, &runs);
    mwi_timers_stop(&timers, &runs);

    CU_ASSERT_EQUAL(mwi_timers_deadline(&timers), INT64_MAX);
    mwi_timers_fini(&timers);
}

/* The ends of time are deadlines as others are. */
static void test_ends_of_time(void)
{
    struct mwi_timer_entry first = {0}, middle = {0}, last = {0};
    struct mwi_timers timers;
    mwi_timers_init(&timers);

    CU_ASSERT_TRUE(mwi_timers_start(&timers, &last, INT64_MAX));
    CU_ASSERT_TRUE(mwi_timers_start(&timers, &middle, 0));
    CU_ASSERT_TRUE(mwi_timers_start(&timers, &first, INT64_MIN));

    CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, INT64_MIN), &first);
    CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, 1), &middle);
    CU_ASSERT_PTR_NULL(mwi_timers_due(&timers, INT64_MAX - 1));
    CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, INT64_MAX), &last);
    mwi_timers_fini(&timers);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"empty", test_empty},
        {"due", test_due},
        {"equal deadlines", test_equal_deadlines},
        {"start anew", test_start_anew},
        {"stop what does not run", test_stop_what_does_not_run},
        {"ends of time", test_ends_of_time},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("timers", tests);
}
