/* SPDX-License-Identifier: Apache-2.0
 *
 * The load of a slave: groups add to it and results take away, and the results after an idle time
 * measure a trip.
 */
#include "farm/load.h"

#include "mwt_run.h"

/* A group adds up, and each result takes its part away; the last one leaves nothing. */
static void test_add_and_remove(void)
{
    struct mwi_load load = {0};

    mwi_load_add(&load, &(struct mwi_load_group){.count = 2, .bytes = 300, .work_ns = 1000}, 50);
    mwi_load_add(&load, &(struct mwi_load_group){.count = 1, .bytes = 100, .work_ns = 500}, 60);
    mwi_load_remove(&load, 1, 100, 500);

    CU_ASSERT_EQUAL(load.tasks_count, 2);
    CU_ASSERT_EQUAL(load.bytes, 300);
    CU_ASSERT_EQUAL(load.work_ns, 1000);
    CU_ASSERT_EQUAL(load.sent_ns, 50);
    mwi_load_remove(&load, 1, 1, 1);
    mwi_load_remove(&load, 1, 1, 1);
    CU_ASSERT_EQUAL(load.tasks_count, 0);
    CU_ASSERT_EQUAL(load.bytes, 0);
    CU_ASSERT_EQUAL(load.work_ns, 0);
}

/* Tasks that took longer than was expected when they were sent never make the work ahead
 * negative. */
static void test_never_negative(void)
{
    struct mwi_load load = {0};
    mwi_load_add(&load, &(struct mwi_load_group){.count = 3, .bytes = 10, .work_ns = 10}, 1);

    mwi_load_remove(&load, 1, 100, 100);

    CU_ASSERT_EQUAL(load.tasks_count, 2);
    CU_ASSERT_EQUAL(load.bytes, 0);
    CU_ASSERT_EQUAL(load.work_ns, 0);
}

/* A task that is alone leaves the slave free for others when it has come back. */
static void test_alone(void)
{
    struct mwi_load load = {0};
    mwi_load_add(&load, &(struct mwi_load_group){.count = 1, .is_alone = true}, 1);
    CU_ASSERT_TRUE(load.is_alone);

    mwi_load_remove(&load, 1, 0, 0);

    CU_ASSERT_FALSE(load.is_alone);
}

/* The first results after an idle time measure the trip: the time since they were sent, less the
 * running time of the tasks. Later measurements count less. */
static void test_trip(void)
{
    struct mwi_load load = {0};
    mwi_load_add(&load, &(struct mwi_load_group){.count = 2}, 1000);

    mwi_load_measure_trip(&load, 1500, 100);
    CU_ASSERT_EQUAL(load.trip_ns, 400);
    mwi_load_measure_trip(&load, 9000, 0);
    CU_ASSERT_EQUAL(load.trip_ns, 400);

    mwi_load_clear(&load);
    mwi_load_add(&load, &(struct mwi_load_group){.count = 1}, 10000);
    mwi_load_measure_trip(&load, 10800, 0);
    CU_ASSERT_EQUAL(load.trip_ns, 500);
}

/* A group that was held back was under way only since it left; one that had left before is not
 * concerned. */
static void test_delay(void)
{
    struct mwi_load load = {0};
    mwi_load_add(&load, &(struct mwi_load_group){.count = 1}, 1000);
    mwi_load_delay(&load, 1001, 5000);
    CU_ASSERT_EQUAL(load.sent_ns, 1000);
    mwi_load_delay(&load, 1000, 5000);
    CU_ASSERT_EQUAL(load.sent_ns, 5000);
    mwi_load_measure_trip(&load, 5100, 0);
    mwi_load_delay(&load, 1000, 6000);
    CU_ASSERT_EQUAL(load.sent_ns, 0);
}

/* A slave that claims to have computed for longer than it was away had no trip at all. */
static void test_absurd_duration(void)
{
    struct mwi_load load = {0};
    mwi_load_add(&load, &(struct mwi_load_group){.count = 1}, 1000);

    mwi_load_measure_trip(&load, 1100, INT64_MAX);

    CU_ASSERT_EQUAL(load.trip_ns, 0);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"add and remove", test_add_and_remove},
        {"never negative", test_never_negative},
        {"alone", test_alone},
        {"trip", test_trip},
        {"delay", test_delay},
        {"absurd duration", test_absurd_duration},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("load", tests);
}
