/* SPDX-License-Identifier: Apache-2.0
 *
 * Times, durations and seconds, at the ends of the range of an int64_t. No conversion may
 * overflow.
 */
#include "base/time.h"

#include <math.h>

#include "mwt_run.h"

/* Seconds become nanoseconds, rounded down. A value out of range becomes the nearest end of the
 * range. */
static void test_from_seconds(void)
{
    static const struct {
        double seconds;
        int64_t ns;
    } cases[] = {
        {0, 0},
        {1, MWI_NS_PER_S},
        {0.25, 250 * MWI_NS_PER_MS},
        {1e-6, MWI_NS_PER_US},
        {0.9e-9, 0},
        {1e9, INT64_C(1000000000000000000)},
        {-1, 0},
        {-INFINITY, 0},
        {9.3e9, INT64_MAX},
        {9223372036.8547758, INT64_MAX},
        {1e300, INT64_MAX},
        {INFINITY, INT64_MAX},
        {NAN, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(mwi_time_from_seconds(cases[i].seconds), cases[i].ns);
}

/* Nanoseconds become seconds. */
static void test_to_seconds(void)
{
    CU_ASSERT_DOUBLE_EQUAL(mwi_time_to_seconds(0), 0, 0);
    CU_ASSERT_DOUBLE_EQUAL(mwi_time_to_seconds(1500 * MWI_NS_PER_MS), 1.5, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(mwi_time_to_seconds(1), 1e-9, 1e-24);
    CU_ASSERT_DOUBLE_EQUAL(mwi_time_to_seconds(INT64_MAX), 9223372036.85477, 1e-5);
}

/* A time after another is their sum, or never if the sum is too large. */
static void test_after(void)
{
    CU_ASSERT_EQUAL(mwi_time_after(5, 7), 12);
    CU_ASSERT_EQUAL(mwi_time_after(-5, 3), -2);
    CU_ASSERT_EQUAL(mwi_time_after(INT64_MIN, INT64_MAX), -1);
    CU_ASSERT_EQUAL(mwi_time_after(INT64_MAX - 7, 7), INT64_MAX);
    CU_ASSERT_EQUAL(mwi_time_after(INT64_MAX - 7, 8), INT64_MAX);
    CU_ASSERT_EQUAL(mwi_time_after(INT64_MAX, 0), INT64_MAX);
    CU_ASSERT_EQUAL(mwi_time_after(1, INT64_MAX), INT64_MAX);
    CU_ASSERT_EQUAL(mwi_time_after(INT64_MAX, INT64_MAX), INT64_MAX);
}

/* Of two times the earlier one is found on either side. */
static void test_earlier(void)
{
    CU_ASSERT_EQUAL(mwi_time_earlier(1, 2), 1);
    CU_ASSERT_EQUAL(mwi_time_earlier(2, 1), 1);
    CU_ASSERT_EQUAL(mwi_time_earlier(INT64_MAX, -1), -1);
    CU_ASSERT_EQUAL(mwi_time_earlier(INT64_MIN, INT64_MAX), INT64_MIN);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"from seconds", test_from_seconds},
        {"to seconds", test_to_seconds},
        {"after", test_after},
        {"earlier", test_earlier},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("time", tests);
}
