/* SPDX-License-Identifier: Apache-2.0
 *
 * The durations of the last tasks of an algorithm, and their median, by which the master knows slow
 * tasks.
 */
#include "farm/durations.h"

#include "mwt_run.h"

/* The median is of the last durations, and is unknown before enough of them are there. */
static void test_median(void)
{
    struct mwi_durations durations;
    CU_ASSERT_FATAL(mwi_durations_init(&durations, 2));
    mwi_durations_add(&durations, 1, 30);
    mwi_durations_add(&durations, 1, 10);
    CU_ASSERT_EQUAL(mwi_durations_median(&durations, 1, 3), 0);
    mwi_durations_add(&durations, 1, 1000000);
    CU_ASSERT_EQUAL(mwi_durations_median(&durations, 1, 3), 30);
    CU_ASSERT_EQUAL(mwi_durations_median(&durations, 0, 1), 0);
    for (int i = 0; i < MWI_DURATIONS_KEPT; i++)
        mwi_durations_add(&durations, 1, 7);
    CU_ASSERT_EQUAL(mwi_durations_median(&durations, 1, 3), 7);
    for (int i = 0; i <= MWI_DURATIONS_KEPT / 2; i++)
        mwi_durations_add(&durations, 1, 8);
    CU_ASSERT_EQUAL(mwi_durations_median(&durations, 1, 3), 8);
    mwi_durations_fini(&durations);
}

int main(void)
{
    CU_TestInfo tests[] = {{"median", test_median}, CU_TEST_INFO_NULL};

    return mwt_run("durations", tests);
}
