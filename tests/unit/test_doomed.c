/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of tasks that a master does not want any more. A task is in it once.
 * It leaves the list when it has been returned.
 */
#include "engine/doomed.h"

#include "mwt_run.h"

/* A task is in the list once, until it is removed. */
static void test_add_and_remove(void)
{
    struct mwi_doomed doomed = {0};
    for (uint64_t id = 0; id < 100; id++)
        CU_ASSERT_TRUE(mwi_doomed_add(&doomed, id));
    CU_ASSERT_TRUE(mwi_doomed_add(&doomed, 7));
    CU_ASSERT_EQUAL(doomed.count, 100);

    mwi_doomed_remove(&doomed, 7);
    mwi_doomed_remove(&doomed, 1000);

    CU_ASSERT_FALSE(mwi_doomed_has(&doomed, 7));
    for (uint64_t id = 0; id < 100; id++)
        CU_ASSERT_EQUAL(mwi_doomed_has(&doomed, id), id != 7);
    mwi_doomed_clear(&doomed);
    CU_ASSERT_FALSE(mwi_doomed_has(&doomed, 8));
    mwi_doomed_fini(&doomed);
}

int main(void)
{
    CU_TestInfo tests[] = {{"add and remove", test_add_and_remove}, CU_TEST_INFO_NULL};
    return mwt_run("doomed", tests);
}
