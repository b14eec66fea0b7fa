/* SPDX-License-Identifier: Apache-2.0
 *
 * The back-off of the mpi transport, without MPI.
 */
#include <CUnit/Basic.h>
#include <stdlib.h>

#include "backoff.h"

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

/* Right after an event it spins, then it gives way, then it naps. */
static void test_stages(void)
{
    CU_ASSERT_EQUAL(mwi_mpi_backoff_ns(0, 0), MWI_MPI_BACKOFF_SPIN);
    CU_ASSERT_EQUAL(mwi_mpi_backoff_ns(40 * US, 0), MWI_MPI_BACKOFF_SPIN);
    CU_ASSERT_EQUAL(mwi_mpi_backoff_ns(60 * US, 0), MWI_MPI_BACKOFF_YIELD);
    CU_ASSERT_EQUAL(mwi_mpi_backoff_ns(990 * US, 0), MWI_MPI_BACKOFF_YIELD);
    CU_ASSERT(mwi_mpi_backoff_ns(1 * MS, 0) > 0);
}

/* Naps grow up to 2 ms, and none is longer than a sixteenth of the wait before it. */
static void test_naps_grow(void)
{
    int64_t before_ns = 0;

    for (int64_t idle_ns = 1 * MS; idle_ns < 100 * MS; idle_ns += 100 * US) {
        int64_t nap_ns = mwi_mpi_backoff_ns(idle_ns, 0);

        CU_ASSERT(nap_ns >= before_ns && nap_ns <= idle_ns / 16 && nap_ns <= 2 * MS);
        before_ns = nap_ns;
    }

    CU_ASSERT_EQUAL(mwi_mpi_backoff_ns(1 * S, 0), 2 * MS);
    CU_ASSERT_EQUAL(mwi_mpi_backoff_ns(INT64_MAX, 0), 2 * MS);
}

/* While 10 MB are on their way there is no nap for 100 ms, but there is later. */
static void test_naps_wait_for_transfer(void)
{
    CU_ASSERT_EQUAL(mwi_mpi_backoff_ns(10 * US, 10000000), MWI_MPI_BACKOFF_SPIN);
    CU_ASSERT_EQUAL(mwi_mpi_backoff_ns(100 * MS, 10000000), MWI_MPI_BACKOFF_YIELD);
    CU_ASSERT(mwi_mpi_backoff_ns(102 * MS, 10000000) > 0);
    CU_ASSERT_EQUAL(mwi_mpi_backoff_ns(1 * S, 10000000), 2 * MS);
}

int main(void)
{
    CU_pSuite suite;
    unsigned failures_count;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    suite = CU_add_suite("mpi_backoff", NULL, NULL);
    CU_add_test(suite, "stages", test_stages);
    CU_add_test(suite, "naps_grow", test_naps_grow);
    CU_add_test(suite, "naps_wait_for_transfer", test_naps_wait_for_transfer);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures_count = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
