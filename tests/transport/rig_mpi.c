/* SPDX-License-Identifier: Apache-2.0
 *
 * The rig of mpi: rank 0 is the near end and runs the suite, rank 1 the far end. Before each case
 * rank 0 sends it the limit. The transport is loaded from its module, as programs do. With an
 * argument, the ranks have no rings in shared memory.
 */
#include <dlfcn.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include <CUnit/CUnit.h>

#include "conformance.h"

#define NEAR_RANK 0
#define FAR_RANK 1
#define TAG_RUN 1
#define TAG_STATUS 2
/* As the master, a rank that does not exist: so the ranks here have no rings in shared memory. */
#define NO_RANK 1000

/* CUnit hands no context to the rig. */
static int master_rank = NEAR_RANK;

static const mw_transport_api *load_api(void)
{
    void *module = dlopen(MW_MPI_MODULE, RTLD_NOW | RTLD_LOCAL);

    if (module == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
        return NULL;
    }
    return dlsym(module, MW_TRANSPORT_MODULE_SYMBOL);
}

static void run_mpi(const struct mwt_plan *plan)
{
    MPI_Comm world = MPI_COMM_WORLD;
    mw_mpi_environment environment = {.comm = &world, .master_rank = master_rank};
    unsigned long long limit = plan->far_bytes_max;
    int status = -1;

    MPI_Send(&limit, 1, MPI_UNSIGNED_LONG_LONG, FAR_RANK, TAG_RUN, MPI_COMM_WORLD);
    mwt_near_run(plan, load_api(), &environment, "", NULL, NULL);
    MPI_Recv(&status, 1, MPI_INT, FAR_RANK, TAG_STATUS, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    CU_ASSERT_EQUAL(status, 0);
}

const struct mwt_rig mwt_rig = {.name = "mpi",
                                .far_address = "1",
                                .nobody = NULL,
                                .has_wake_fd = true,
                                .peers_max = 1,
                                .run = run_mpi};

/* A limit of 0 ends rank 1: there are no more cases. */
static void serve(void)
{
    MPI_Comm world = MPI_COMM_WORLD;
    mw_mpi_environment environment = {.comm = &world, .master_rank = master_rank};
    struct mwt_far far = {
        .api = load_api(), .environment = &environment, .address = "0", .listen_address = ""};
    unsigned long long limit = 1;

    while (limit > 0) {
        MPI_Recv(&limit, 1, MPI_UNSIGNED_LONG_LONG, NEAR_RANK, TAG_RUN, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
        far.frame_bytes_max = (size_t)limit;
        int status = limit > 0 ? mwt_far_run(&far) : 0;
        if (limit > 0)
            MPI_Send(&status, 1, MPI_INT, NEAR_RANK, TAG_STATUS, MPI_COMM_WORLD);
    }
}

static int check(void)
{
    unsigned long long end = 0;
    int status = mwt_conformance_run();

    MPI_Send(&end, 1, MPI_UNSIGNED_LONG_LONG, FAR_RANK, TAG_RUN, MPI_COMM_WORLD);
    return status;
}

int main(int argc, char **argv)
{
    int status = EXIT_SUCCESS;
    int provided;
    int rank;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (argc > 1)
        master_rank = NO_RANK;
    if (rank == NEAR_RANK)
        status = check();
    else if (rank == FAR_RANK)
        serve();
    MPI_Finalize();
    return status;
}
