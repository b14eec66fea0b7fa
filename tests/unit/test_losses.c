/* SPDX-License-Identifier: Apache-2.0
 *
 * Where tasks were lost. The side table must forget a task with all that it holds, and must know
 * each host once.
 */
#include "farm/losses.h"

#include "mwt_run.h"

/* A host is new for a task once; each loss counts. */
static void test_hosts_of_a_task(void)
{
    struct mwi_losses losses = {0};
    struct mwi_host_entry first = {.slaves_count = 1}, second = {.slaves_count = 0};

    CU_ASSERT_TRUE(mwi_losses_add(&losses, 7, &first, false));
    CU_ASSERT_FALSE(mwi_losses_add(&losses, 7, &first, false));
    CU_ASSERT_FALSE(mwi_losses_was_proven(&losses, 7));
    CU_ASSERT_TRUE(mwi_losses_add(&losses, 7, &second, true));

    CU_ASSERT_EQUAL(mwi_losses_count(&losses, 7), 3);
    CU_ASSERT_EQUAL(mwi_losses_hosts_connected(&losses, 7), 1);
    CU_ASSERT_PTR_EQUAL(mwi_losses_host(&losses, 7, 0), &first);
    CU_ASSERT_PTR_EQUAL(mwi_losses_host(&losses, 7, 1), &second);
    CU_ASSERT_PTR_NULL(mwi_losses_host(&losses, 7, 2));
    CU_ASSERT_TRUE(mwi_losses_was_proven(&losses, 7));
    mwi_losses_fini(&losses);
}

/* Nothing is known of a task that was not lost, or is gone. */
static void test_unknown(void)
{
    struct mwi_losses losses = {0};
    struct mwi_host_entry host = {.slaves_count = 1};
    mwi_losses_add(&losses, 7, &host, true);

    mwi_losses_forget(&losses, 7);

    CU_ASSERT_EQUAL(mwi_losses_count(&losses, 7), 0);
    CU_ASSERT_EQUAL(mwi_losses_hosts_connected(&losses, 7), 0);
    CU_ASSERT_PTR_NULL(mwi_losses_host(&losses, 7, 0));
    CU_ASSERT_FALSE(mwi_losses_was_proven(&losses, 7));
    mwi_losses_fini(&losses);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"hosts of a task", test_hosts_of_a_task},
        {"unknown", test_unknown},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("losses", tests);
}
