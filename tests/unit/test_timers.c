/* SPDX-License-Identifier: Apache-2.0
 *
 * The timers: in order of their deadlines, equal ones in the order in which they were started,
 * whatever was stopped or started anew in between.
 */
#include "base/timers.h"

#include "mwt_random.h"
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
    struct mwi_timer timer = {0};
    struct mwi_timers timers;
    mwi_timers_init(&timers);

    CU_ASSERT_TRUE(mwi_timers_start(&timers, &timer, 100));

    CU_ASSERT_EQUAL(mwi_timers_deadline(&timers), 100);
    CU_ASSERT_PTR_NULL(mwi_timers_due(&timers, 99));
    CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, 100), &timer);
    CU_ASSERT_PTR_NULL(mwi_timers_due(&timers, INT64_MAX));
    CU_ASSERT_EQUAL(timer.position, 0);
    mwi_timers_fini(&timers);
}

/* Equal deadlines come out in the order in which they were started. */
static void test_equal_deadlines(void)
{
    struct mwi_timer timer[100] = {0};
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
    struct mwi_timer a = {0}, b = {0};
    struct mwi_timers timers;
    mwi_timers_init(&timers);
    CU_ASSERT_TRUE(mwi_timers_start(&timers, &a, 5));
    CU_ASSERT_TRUE(mwi_timers_start(&timers, &b, 7));

    CU_ASSERT_TRUE(mwi_timers_start(&timers, &a, 7));

    CU_ASSERT_EQUAL(timers.count, 2);
    CU_ASSERT_EQUAL(mwi_timers_deadline(&timers), 7);
    CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, 7), &b);
    CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, 7), &a);
    mwi_timers_fini(&timers);
}

/* A timer that does not run can be stopped all the same. */
static void test_stop_what_does_not_run(void)
{
    struct mwi_timer runs = {0}, never_ran = {0};
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
    struct mwi_timer first = {0}, middle = {0}, last = {0};
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

/* The timer that is due next, found by looking at all. */
static struct mwi_timer *find_next(struct mwi_timer *timer, size_t count)
{
    struct mwi_timer *next = NULL;
    for (size_t i = 0; i < count; i++) {
        if (timer[i].position == 0)
            continue;
        if (next == NULL || timer[i].deadline_ns < next->deadline_ns ||
            (timer[i].deadline_ns == next->deadline_ns && timer[i].order < next->order))
            next = &timer[i];
    }
    return next;
}

/* After any starts and stops the next one is the one that a search finds. */
static void test_like_a_search(void)
{
    enum { COUNT = 200 };
    static struct mwi_timer timer[COUNT];
    struct mwt_random random;
    struct mwi_timers timers;
    mwt_random_start(&random);
    mwi_timers_init(&timers);

    for (size_t step = 0; step < 20000; step++) {
        struct mwi_timer *any = &timer[mwt_random_below(&random, COUNT)];
        size_t chance = mwt_random_below(&random, 4);
        if (chance < 2) {
            CU_ASSERT_TRUE(mwi_timers_start(&timers, any, (int64_t)mwt_random_below(&random, 50)));
        } else if (chance == 2) {
            mwi_timers_stop(&timers, any);
        } else {
            struct mwi_timer *next = find_next(timer, COUNT);
            CU_ASSERT_EQUAL(mwi_timers_deadline(&timers),
                            next == NULL ? INT64_MAX : next->deadline_ns);
            CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, 50), next);
        }
    }

    for (struct mwi_timer *next; (next = find_next(timer, COUNT)) != NULL;)
        CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, 50), next);
    CU_ASSERT_EQUAL(timers.count, 0);
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
        {"like a search", test_like_a_search},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("timers", tests);
}
