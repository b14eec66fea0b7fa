/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases that only the mpi transport has. mpirun runs it with at least 3 processes. All ranks
 * run each case together. CUnit runs on rank 0 only: it tells the others the next case, and
 * asserts that no rank found anything wrong.
 */
#include <CUnit/Basic.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "mpi_cases.h"

#define RANKS_MIN 3

#define ENUMERATOR(name) CASE_##name,
enum { MWT_MPI_CASES(ENUMERATOR) CASES_COUNT };

#define FUNCTION(name) mwt_mpi_##name,
static void (*const cases[])(struct mwt_mpi_rank *) = {MWT_MPI_CASES(FUNCTION)};

/* Runs a case on this rank. Returns, on rank 0, the number of things that all ranks found wrong. */
static int run_case(int number, const mw_transport_api *api)
{
    struct mwt_mpi_rank self = {.api = api};
    int total = 0;

    MPI_Comm_rank(MPI_COMM_WORLD, &self.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &self.size);
    cases[number](&self);
    MPI_Reduce(&self.wrong_count, &total, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
    return total;
}

static void run_on_all(int number)
{
    MPI_Bcast(&number, 1, MPI_INT, 0, MPI_COMM_WORLD);
    CU_ASSERT_EQUAL(run_case(number, mwt_mpi_load(MW_MPI_MODULE)), 0);
}

#define TEST(name)                                                                                 \
    static void test_##name(void)                                                                  \
    {                                                                                              \
        run_on_all(CASE_##name);                                                                   \
    }
MWT_MPI_CASES(TEST)

static unsigned run_cunit(void)
{
    CU_pSuite suite;
    unsigned failures_count;
    int end = CASES_COUNT;

    if (CU_initialize_registry() != CUE_SUCCESS)
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    suite = CU_add_suite("mpi", NULL, NULL);
#define ADD(name) CU_add_test(suite, #name, test_##name);
    MWT_MPI_CASES(ADD)
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures_count = CU_get_number_of_failures();
    CU_cleanup_registry();
    MPI_Bcast(&end, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return failures_count;
}

static void obey(void)
{
    const mw_transport_api *api = mwt_mpi_load(MW_MPI_MODULE);

    for (;;) {
        int number;

        MPI_Bcast(&number, 1, MPI_INT, 0, MPI_COMM_WORLD);
        if (number == CASES_COUNT)
            return;
        run_case(number, api);
    }
}

int main(int argc, char **argv)
{
    unsigned failures_count = 0;
    int provided;
    int rank;
    int size;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size < RANKS_MIN) {
        fprintf(stderr, "test_mpi needs %d processes\n", RANKS_MIN);
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    }
    if (rank == 0)
        failures_count = run_cunit();
    else
        obey();
    MPI_Finalize();
    return failures_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
