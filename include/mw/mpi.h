/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm on the ranks of an MPI communicator, in a program that uses MPI for its own purposes:
 *
 *     mw_mpi_run(comm, 0, &program, options, argc, argv, &status);
 *
 * is a collective call, like MPI_Barrier. Rank 0 of `comm` runs the master algorithm, every other
 * rank is its slave, and when the master algorithm has returned, all return. It may be called again
 * and again, once for each time step for instance; what a slave is to keep between the phases lies
 * behind mw_program.user. Farms on communicators that have no rank in common run at the same time
 * without knowing of each other. examples/embed_mpi.c is a whole program.
 *
 * What is the caller's stays so. The communicator is only read: the farm has one of its own, made
 * from it and freed again in each phase, and the attributes of the caller's are not used. Its error
 * handler is, in one case: making the farm's communicator is a call on the caller's, and if MPI
 * itself fails in it, MPI tells that handler, which by default (MPI_ERRORS_ARE_FATAL) ends the job;
 * with MPI_ERRORS_RETURN the farm's functions return the failure. All later calls are on the farm's
 * own, and return. MPI is neither initialised nor finalised nor aborted.
 *
 * Threads: MPI must have been initialised with MPI_THREAD_FUNNELED at least, by MPI_Init_thread;
 * what is below that, MPI_Init for instance, is MW_EUNAVAILABLE. With less than
 * MPI_THREAD_SERIALIZED only the thread that initialised MPI may call these functions; with
 * MPI_THREAD_SERIALIZED one thread at a time may call MPI, and mw calls it from every function of
 * the master, the slave and the call.
 *
 * The functions are small and stand here so that the library need not be linked with MPI; a program
 * that uses them is.
 */
#ifndef MW_MPI_H
#define MW_MPI_H

#include <mpi.h>

#include <mw/embed.h>

MW_BEGIN_DECLS

/* Says that mw_master_open, on rank `master_rank` of *comm, and mw_slave_open, on its other ranks,
 * are to use this communicator: for who wants to serve a farm from a loop of his own, where
 * mw_mpi_run is too much. These two are then collective over *comm, and so are mw_master_close and
 * mw_slave_close. `comm` is borrowed until the options are destroyed or this is said anew; NULL
 * takes it back. A rank whose open fails with mw_options_must_decline, since mw has no MPI module
 * there, calls mw_mpi_decline, so that the others need not wait. Of --mw-transport, only auto, mpi
 * and mpi,tcp go with it; with mpi,tcp the master listens for slaves over TCP too. What the
 * environment says against it (MW_LOCAL, MW_TRANSPORT=tcp, ...) is not looked at while it is there.
 * Not collective. */
static inline void mw_mpi_use(mw_options *options, MPI_Comm *comm, int master_rank)
{
    mw_options_set_communicator(options, comm, master_rank);
}

/* For a rank that has no part in the farm that the others are about to run: the collective call,
 * and nothing else; it does not wait for the end of the farm. Errors: MW_EUNAVAILABLE and MW_EINVAL
 * as those of mw_mpi_run that come from the communicator; MW_ENETWORK: MPI failed. */
static inline mw_error mw_mpi_decline(MPI_Comm comm)
{
    int is_initialized = 0, is_finalized = 0, level = MPI_THREAD_SINGLE, is_inter = 0;
    MPI_Comm none;

    MPI_Initialized(&is_initialized);
    MPI_Finalized(&is_finalized);
    if (!is_initialized || is_finalized)
        return MW_EUNAVAILABLE;
    MPI_Query_thread(&level);
    if (level < MPI_THREAD_FUNNELED)
        return MW_EUNAVAILABLE;
    if (comm == MPI_COMM_NULL)
        return MW_EINVAL;
    MPI_Comm_test_inter(comm, &is_inter);
    if (is_inter)
        return MW_EINVAL;
    /* As mw_transport_api.open says of mpi. */
    return MPI_Comm_split(comm, MPI_UNDEFINED, 0, &none) == MPI_SUCCESS ? MW_OK : MW_ENETWORK;
}

/* Runs a farm, on rank `master_rank` of `comm` as mw_run_master and on the others as mw_run_slave.
 * Collective over `comm`: each rank must call it with the same `master_rank`, or mw_mpi_decline.
 * `options` may not be NULL; what it says of the audit trail, groups and time limits counts on the
 * rank that says it. All that is given is borrowed for the call. *status is set if MW_OK is
 * returned.
 *
 * Errors are those of mw_run_master and mw_run_slave, with the sentence in mw_options_error. A rank
 * that fails before the others are reached takes part in the collective call all the same: slaves
 * without a master get MW_EUNAVAILABLE, or MW_EGONE if it had joined them already, and a master
 * without one of its slaves goes on with the others. Particular to MPI are:
 *   MW_EUNAVAILABLE  no MPI, or at too low a thread level; nobody else, or no master, takes part
 *   MW_EINVAL        MPI_COMM_NULL, or an inter-communicator; `comm` has no such rank */
static inline mw_error mw_mpi_run(MPI_Comm comm, int master_rank, const mw_program *program,
                                  mw_options *options, int argc, char **argv, int *status)
{
    int is_initialized = 0, is_finalized = 0;
    int rank = MPI_PROC_NULL;
    mw_error error;

    MPI_Initialized(&is_initialized);
    MPI_Finalized(&is_finalized);
    if (is_initialized && !is_finalized && comm != MPI_COMM_NULL)
        MPI_Comm_rank(comm, &rank);
    mw_mpi_use(options, &comm, master_rank);
    error = rank == master_rank ? mw_run_master(program, options, argc, argv, status)
                                : mw_run_slave(program, options, argc, argv, status);
    mw_mpi_use(options, MW_NULL_, 0);
    /* Without a module there was nobody to say so to the others. */
    if (mw_options_must_decline(options))
        (void)mw_mpi_decline(comm);
    return error;
}

MW_END_DECLS

#endif
