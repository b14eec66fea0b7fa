/* SPDX-License-Identifier: Apache-2.0
 *
 * The mpi transport in a program that does not link MPI: the transport starts MPI and ends it.
 * mpirun runs it with 2 processes, which both run CUnit, or with one and the argument "alone".
 */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "mpi_end.h"

/* Without a communicator the transport takes MPI_COMM_WORLD of an MPI that it starts itself. */
static void test_start(void)
{
    struct mwt_mpi_end end;
    char bound[16] = "";

    CU_ASSERT_EQUAL_FATAL(mwt_mpi_open(&end, mwt_mpi_load(MW_MPI_MODULE), NULL, 1000), MW_OK);
    CU_ASSERT_EQUAL(end.api->listen(end.transport, "", bound, sizeof bound, &end.why), MW_OK);
    end.does_echo = strcmp(bound, "rank 0") == 0;
    if (end.does_echo) {
        CU_ASSERT(mwt_mpi_await_downs(&end, 1));
    } else {
        mw_peer peer = mwt_mpi_connect(&end, 0);

        CU_ASSERT_EQUAL(mwt_mpi_send(&end, peer, 0, 100), MW_OK);
        CU_ASSERT(mwt_mpi_await_frames(&end, 1));
    }

    mwt_mpi_close(&end);

    CU_ASSERT_EQUAL(end.faults_count, 0);
    CU_ASSERT_EQUAL(end.frames_count, 1);
}

/* The transport has ended MPI in its close, and refuses to open a second time. */
static void test_no_second_start(void)
{
    struct mwt_mpi_end end;

    CU_ASSERT_EQUAL(mwt_mpi_open(&end, mwt_mpi_load(MW_MPI_MODULE), NULL, 1000), MW_EUNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(end.why.text, "already finalised"));
    CU_ASSERT_PTR_NULL(end.transport);
}

/* With one process there is a transport, but no peer comes. */
static void test_alone(void)
{
    struct mwt_mpi_end end;

    CU_ASSERT_EQUAL_FATAL(mwt_mpi_open(&end, mwt_mpi_load(MW_MPI_MODULE), NULL, 1000), MW_OK);
    CU_ASSERT_EQUAL(end.api->peers_max(end.transport), 0);
    mwt_mpi_close(&end);
}

int main(int argc, char **argv)
{
    CU_pSuite suite;
    unsigned failures_count;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    suite = CU_add_suite("mpi_init", NULL, NULL);
    if (argc > 1 && strcmp(argv[1], "alone") == 0) {
        CU_add_test(suite, "alone", test_alone);
    } else {
        CU_add_test(suite, "start", test_start);
        CU_add_test(suite, "no_second_start", test_no_second_start);
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures_count = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
