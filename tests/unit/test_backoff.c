/* SPDX-License-Identifier: Apache-2.0
 *
 * The way to wait without a descriptor: first it spins, then it naps, and it yields only as long
 * as that helps. The time is a number of the test.
 */
#include "base/backoff.h"

#include "mwt_run.h"

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

/* Right after an event it spins, then it gives way, then it naps. */
static void test_auto(void)
{
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_AUTO, 0, 0), MWI_BACKOFF_SPIN);
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_AUTO, 8 * US, 0), MWI_BACKOFF_SPIN);
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_AUTO, 12 * US, 0), MWI_BACKOFF_YIELD);
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_AUTO, 990 * US, 0), MWI_BACKOFF_YIELD);
    CU_ASSERT(mwi_backoff_ns(MW_WAIT_AUTO, 1 * MS, 0) > 0);
}

/* spin and yield stay what they are, however long nothing happens. */
static void test_spin_and_yield(void)
{
    static const int64_t quiets_ns[] = {0, 60 * US, 1 * MS, 1 * S, INT64_MAX};

    for (size_t i = 0; i < sizeof quiets_ns / sizeof quiets_ns[0]; i++) {
        CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_SPIN, quiets_ns[i], 1000000), MWI_BACKOFF_SPIN);
        CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_YIELD, quiets_ns[i], 1000000), MWI_BACKOFF_YIELD);
    }
}

/* nap naps from the first moment on, even while something is on its way. */
static void test_nap(void)
{
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_NAP, 0, 0), 50 * US);
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_NAP, 0, 10000000), 50 * US);
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_NAP, 16 * MS, 0), 1 * MS);
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_NAP, 1 * S, 0), 4 * MS);
}

/* Naps grow up to 4 ms, and by default none is longer than a sixteenth of the wait before it. */
static void test_naps_grow(void)
{
    int64_t before_ns = 0;

    for (int64_t quiet_ns = 1 * MS; quiet_ns < 100 * MS; quiet_ns += 100 * US) {
        int64_t nap_ns = mwi_backoff_ns(MW_WAIT_AUTO, quiet_ns, 0);

        CU_ASSERT(nap_ns >= before_ns && nap_ns <= quiet_ns / 16 && nap_ns <= 4 * MS);
        CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_NAP, quiet_ns, 0), nap_ns);
        before_ns = nap_ns;
    }

    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_AUTO, 1 * S, 0), 4 * MS);
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_AUTO, INT64_MAX, 0), 4 * MS);
}

/* While 10 MB are on their way there is no nap for 100 ms, but there is later. */
static void test_naps_wait_for_transfer(void)
{
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_AUTO, 5 * US, 10000000), MWI_BACKOFF_SPIN);
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_AUTO, 100 * MS, 10000000), MWI_BACKOFF_YIELD);
    CU_ASSERT(mwi_backoff_ns(MW_WAIT_AUTO, 102 * MS, 10000000) > 0);
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_AUTO, 1 * S, 10000000), 4 * MS);
    CU_ASSERT_EQUAL(mwi_backoff_ns(MW_WAIT_AUTO, 1 * S, (size_t)5 << 30), 4 * MS);
}

/* The quiet begins with the first look that is in vain, however long ago the last event was. */
static void test_quiet(void)
{
    struct mwi_backoff backoff;

    mwi_backoff_init(&backoff, MW_WAIT_AUTO);
    CU_ASSERT_EQUAL(mwi_backoff_next(&backoff, 4 * S, 0), MWI_BACKOFF_SPIN);
    mwi_backoff_quiet(&backoff, 5 * S);
    CU_ASSERT_EQUAL(mwi_backoff_next(&backoff, 5 * S, 0), MWI_BACKOFF_SPIN);
    CU_ASSERT_EQUAL(mwi_backoff_next(&backoff, 5 * S + 60 * US, 0), MWI_BACKOFF_YIELD);
    mwi_backoff_quiet(&backoff, 5 * S + 2 * MS);
    CU_ASSERT_EQUAL(mwi_backoff_next(&backoff, 5 * S + 16 * MS, 0), 1 * MS);
    mwi_backoff_active(&backoff);

    CU_ASSERT_EQUAL(mwi_backoff_next(&backoff, 9 * S, 0), MWI_BACKOFF_SPIN);
    mwi_backoff_quiet(&backoff, 9 * S);
    CU_ASSERT_EQUAL(mwi_backoff_next(&backoff, 9 * S + 60 * US, 0), MWI_BACKOFF_YIELD);
}

/* A process that has yielded to one that computes naps for a while and does not yield to it again,
 * unless much is on its way. A process that soon ran again does not nap, nor does one that was told
 * to yield. */
static void test_crowded(void)
{
    struct mwi_backoff backoff, yield;

    mwi_backoff_init(&backoff, MW_WAIT_AUTO);
    mwi_backoff_init(&yield, MW_WAIT_YIELD);
    mwi_backoff_quiet(&backoff, 1 * S);
    mwi_backoff_yielded(&backoff, 1 * S + 20 * US, 1 * S + 40 * US);
    CU_ASSERT_EQUAL(mwi_backoff_next(&backoff, 1 * S + 40 * US, 0), MWI_BACKOFF_YIELD);

    mwi_backoff_yielded(&backoff, 2 * S, 2 * S + 3 * MS);
    mwi_backoff_yielded(&yield, 2 * S, 2 * S + 3 * MS);
    mwi_backoff_active(&backoff);
    mwi_backoff_quiet(&backoff, 2 * S + 4 * MS);
    CU_ASSERT_EQUAL(mwi_backoff_next(&backoff, 2 * S + 4 * MS, 0), MWI_BACKOFF_SPIN);
    CU_ASSERT_EQUAL(mwi_backoff_next(&backoff, 2 * S + 4 * MS + 20 * US, 0), 100 * US);
    CU_ASSERT_EQUAL(mwi_backoff_next(&backoff, 2 * S + 4 * MS + 20 * US, 4000000),
                    MWI_BACKOFF_YIELD);
    CU_ASSERT_EQUAL(mwi_backoff_next(&yield, 2 * S + 5 * MS, 0), MWI_BACKOFF_YIELD);

    mwi_backoff_active(&backoff);
    mwi_backoff_quiet(&backoff, 3 * S);
    CU_ASSERT_EQUAL(mwi_backoff_next(&backoff, 3 * S + 20 * US, 0), MWI_BACKOFF_YIELD);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"auto", test_auto},
        {"spin and yield", test_spin_and_yield},
        {"nap", test_nap},
        {"naps grow", test_naps_grow},
        {"naps wait for a transfer", test_naps_wait_for_transfer},
        {"quiet", test_quiet},
        {"crowded", test_crowded},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("back-off", tests);
}
