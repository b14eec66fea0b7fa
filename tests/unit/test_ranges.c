/* SPDX-License-Identifier: Apache-2.0
 *
 * A set of numbers in ranges, held against a table of booleans, and a long row of numbers that is
 * one range. MW_TEST_SEED replays a run.
 */
#include "base/ranges.h"

#include "mwt_random.h"
#include "mwt_run.h"

/* Numbers in a row are one range, and asking for them in order finds exactly them. */
static void test_random(void)
{
    enum { NUMBERS_MAX = 3000 };
    static bool is_in[NUMBERS_MAX + 1];
    struct mwt_random random;
    struct mwi_ranges ranges = {0};
    size_t rows_count = 0, have_cursor = 0, next_cursor = 0;
    mwt_random_start(&random);
    for (uint64_t i = 1; i < NUMBERS_MAX; i++) {
        is_in[i] = mwt_random_below(&random, 4) > 0;
        rows_count += is_in[i] && !is_in[i - 1];
        if (is_in[i])
            CU_ASSERT_TRUE(mwi_ranges_append(&ranges, i));
    }

    CU_ASSERT_EQUAL(ranges.count, rows_count);
    uint64_t next = 0;
    for (uint64_t i = 1; i < NUMBERS_MAX; i++) {
        CU_ASSERT_EQUAL(mwi_ranges_have(&ranges, i, &have_cursor), is_in[i]);
        if (!is_in[i])
            continue;
        next++;
        CU_ASSERT_TRUE(mwi_ranges_next(&ranges, &next, &next_cursor));
        CU_ASSERT_EQUAL(next, i);
    }
    next++;
    CU_ASSERT_FALSE(mwi_ranges_next(&ranges, &next, &next_cursor));
    mwi_ranges_fini(&ranges);
}

/* Ten million numbers in a row take one range; an empty set has none. */
static void test_row(void)
{
    struct mwi_ranges ranges = {0};
    size_t cursor = 0;
    CU_ASSERT_FALSE(mwi_ranges_have(&ranges, 1, &cursor));
    for (uint64_t i = 5; i < 10000000; i++)
        (void)mwi_ranges_append(&ranges, i);
    CU_ASSERT_EQUAL(ranges.count, 1);
    CU_ASSERT_FALSE(mwi_ranges_have(&ranges, 4, &cursor));
    CU_ASSERT_TRUE(mwi_ranges_have(&ranges, 9999999, &cursor));
    CU_ASSERT_FALSE(mwi_ranges_have(&ranges, 10000000, &cursor));
    mwi_ranges_fini(&ranges);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"random", test_random},
        {"row", test_row},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("ranges", tests);
}
