/* SPDX-License-Identifier: Apache-2.0
 *
 * Which tasks fit a slave.
 * It also tests which limits of slaves count when a task fitted none of them for a time-out.
 */
#include "farm/fit.h"

#include "mwt_run.h"

/* A message has at most this much besides the arguments of its task. */
#define AROUND ((size_t)(2 * MWI_MESSAGE_OVERHEAD_BYTES))

/* A task fits a slave if it does with the message around it. */
static void test_met(void)
{
    struct mwi_slave_entry slave = {.frame_bytes_max = 1000};
    struct mwi_task_entry task = {.size = 1000 - AROUND};

    CU_ASSERT_TRUE(mwi_fit_is_met(&task, &slave));
    task.size++;
    CU_ASSERT_FALSE(mwi_fit_is_met(&task, &slave));
}

/* The limits of all slaves that ever came are known. */
static void test_limits_seen(void)
{
    struct mwi_fit fit = {0};

    for (size_t limit = 1000; limit < 4000; limit += 1000)
        mwi_fit_note_slave(&fit, &(struct mwi_slave_entry){.frame_bytes_max = limit});

    CU_ASSERT_EQUAL(fit.least_bytes, 1000);
    CU_ASSERT_EQUAL(fit.most_bytes, 3000);
}

/* Nothing is hopeless before the time-out has passed since the beginning. */
static void test_time_out(void)
{
    struct mwi_fit fit = {0};

    mwi_fit_begin(&fit, 1000);

    for (int i = 1; i < MWI_FIT_PARTS; i++)
        CU_ASSERT_EQUAL(mwi_fit_end_part(&fit, 1000), SIZE_MAX);
    CU_ASSERT_EQUAL(mwi_fit_end_part(&fit, 1000), 1000);
}

/* A slave that was there for a moment counts until the time-out has passed since. */
static void test_moment(void)
{
    struct mwi_fit fit = {0};
    mwi_fit_begin(&fit, 1000);
    for (int i = 0; i < MWI_FIT_PARTS; i++)
        mwi_fit_end_part(&fit, 1000);

    mwi_fit_note_slave(&fit, &(struct mwi_slave_entry){.frame_bytes_max = 5000});

    for (int i = 0; i < MWI_FIT_PARTS; i++)
        CU_ASSERT_EQUAL(mwi_fit_end_part(&fit, 1000), 5000);
    CU_ASSERT_EQUAL(mwi_fit_end_part(&fit, 1000), 1000);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"met", test_met},           {"limits seen", test_limits_seen},
        {"time-out", test_time_out}, {"moment", test_moment},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("fit", tests);
}
