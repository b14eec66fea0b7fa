/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests are those of XXH3, whose values its specification fixes. They are the same on all
 * machines.
 */
#include "base/digest.h"

#include "mwt_run.h"

/* The digests of no bytes with seed 0, as published with XXH3. */
static void test_known_values(void)
{
    struct mwi_digest digest = mwi_digest_make(0, "", 0);

    CU_ASSERT_EQUAL(mwi_digest_64(0, "", 0), UINT64_C(0x2d06800538d394c2));
    CU_ASSERT_EQUAL(digest.low, UINT64_C(0x6001c324468d497f));
    CU_ASSERT_EQUAL(digest.high, UINT64_C(0x99aa06d3014798d8));
}

/* Seeds and bytes make a difference. */
static void test_differences(void)
{
    CU_ASSERT(mwi_digest_64(0, "a", 1) != mwi_digest_64(1, "a", 1));
    CU_ASSERT(mwi_digest_64(0, "a", 1) != mwi_digest_64(0, "b", 1));
    CU_ASSERT(mwi_digest_make(0, "a", 1).low != mwi_digest_make(1, "a", 1).low);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"known values", test_known_values},
        {"differences", test_differences},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("digest", tests);
}
