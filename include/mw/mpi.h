/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm on the ranks of an MPI communicator, in a program that uses MPI for its own purposes:
 *
 *     mw_mpi_run(comm, 0, &program, options, argc, argv, &status);
 *
 * is a collective call, like MPI_Barrier. Rank 0 of `comm` runs the master algorithm, every other
 * rank becomes one of its slaves, and when the master algorithm has returned, all ranks return. One
 * such call is a phase. A program may have many phases, one for each time step for instance; data
 * that a slave keeps from one phase to the next is reached through mw_program.user. Farms on
 * communicators that have no rank in common can run at the same time. examples/embed_mpi.c is a
 * whole program.
 *
 * The farm changes nothing of the caller's. In each phase it makes a communicator of its own from
 * `comm`, uses only that one, and frees it at the end; the attributes of `comm` are not used. The
 * error handler of `comm` is called in one case only: if MPI itself fails while the farm's
 * communicator is made. The default handler (MPI_ERRORS_ARE_FATAL) then ends the job; with
 * MPI_ERRORS_RETURN the farm's functions return the failure. The library neither initialises nor
 * finalises MPI here, and aborts it only after mw_mpi_end_job.
 *
 * Threads: below MPI_THREAD_SERIALIZED only the thread that initialised MPI may call these
 * functions and use the master and the slave; for another thread they fail with MW_EUNAVAILABLE.
 * MPI_Init and MPI_THREAD_SINGLE are enough for a program that has no other threads; MPI asks
 * programs that have some for MPI_THREAD_FUNNELED. With MPI_THREAD_SERIALIZED any thread may, but
 * no other thread may call MPI at the same time: every function on a master, a slave or a call may
 * call MPI.
 *
 * The functions are inline so that the library need not be linked with MPI. A program that uses
 * them is linked with MPI.
 */
#ifndef MW_MPI_H
#define MW_MPI_H

#include <mpi.h>

#include <mw/embed.h>

MW_BEGIN_DECLS

/* The kind of MPI that the caller is compiled with; the handles of one are not those of the other.
 */
#if defined OPEN_MPI
#define MW_MPI_KIND_ "Open MPI"
#elif defined MPICH_NUMVERSION || defined MPICH_VERSION
#define MW_MPI_KIND_ "MPICH"
#else
#define MW_MPI_KIND_ MW_NULL_
#endif

/* For mw_mpi_use: the number of ranks; 0 if MPI cannot be asked. */
static inline int mw_mpi_ranks_count_(MPI_Comm comm)
{
    int is_initialized = 0, is_finalized = 0, is_inter = 0, count = 0;
    MPI_Initialized(&is_initialized);
    MPI_Finalized(&is_finalized);
    if (!is_initialized || is_finalized || comm == MPI_COMM_NULL)
        return 0;
    MPI_Comm_test_inter(comm, &is_inter);
    if (!is_inter)
        MPI_Comm_size(comm, &count);
    return count;
}

/* Makes mw_master_open and mw_slave_open use the communicator *comm: rank `master_rank` calls the
 * former, each other rank the latter. This is for a program that serves the farm from its own loop
 * and so cannot use mw_mpi_run. The two are then collective over *comm, and so are mw_master_close
 * and mw_slave_close. Call it when MPI is initialised. Borrows `comm` until the options are
 * destroyed or mw_mpi_use is called again; NULL ends the use.
 *
 * If *comm has one rank, its master has a slave in its own process, as with --mw-local 0: every
 * function on the master that serves slaves may then run a task to its end.
 *
 * If open fails on a rank and mw_options_must_decline(options) is true there, because that rank has
 * no MPI module, it calls mw_mpi_decline so that the other ranks do not wait for it.
 *
 * --mw-transport may be auto, mpi or mpi,tcp; with mpi,tcp the master also listens for slaves over
 * TCP. Environment variables that would make another farm (MW_LOCAL, MW_TRANSPORT=tcp) are ignored
 * while the options have a communicator. Not collective. */
static inline void mw_mpi_use(mw_options *options, MPI_Comm *comm, int master_rank)
{
    mw_options_set_communicator(options, comm, master_rank,
                                comm == MW_NULL_ ? 0 : mw_mpi_ranks_count_(*comm), MW_MPI_KIND_);
}

/* Lets the master end the job, as mw_main does: if a rank has not come back from its task when
 * --mw-shutdown-timeout is over after the master algorithm has returned, the master calls MPI_Abort
 * with the status that mw_mpi_run would have returned. Without this, mw_mpi_run waits for that rank
 * on all ranks, for ever if the task never ends. It counts on the rank of the master. */
static inline void mw_mpi_end_job(mw_options *options, bool ends_job)
{
    mw_options_end_job(options, ends_job);
}

/* Takes part in the collective call that begins a farm, but not in the farm. A rank calls it in
 * place of mw_mpi_run, and need not wait for the end of the farm. Collective over `comm`. Errors:
 *   MW_EUNAVAILABLE  MPI is not initialised
 *   MW_EINVAL        MPI_COMM_NULL or an inter-communicator
 *   MW_ENETWORK      MPI failed */
static inline mw_error mw_mpi_decline(MPI_Comm comm)
{
    int is_initialized = 0, is_finalized = 0, is_inter = 0;
    MPI_Comm none;
    MPI_Initialized(&is_initialized);
    MPI_Finalized(&is_finalized);
    if (!is_initialized || is_finalized)
        return MW_EUNAVAILABLE;
    if (comm == MPI_COMM_NULL)
        return MW_EINVAL;
    MPI_Comm_test_inter(comm, &is_inter);
    if (is_inter)
        return MW_EINVAL;
    /* The same call as in open of the mpi transport; see mw_transport_api.open. */
    return MPI_Comm_split(comm, MPI_UNDEFINED, 0, &none) == MPI_SUCCESS ? MW_OK : MW_ENETWORK;
}

/* Runs a farm: rank `master_rank` of `comm` does as mw_run_master, the other ranks as mw_run_slave.
 * On a communicator of one rank the slave runs in that rank too, and tasks have no time limits.
 * Collective over `comm`: each rank calls it with the same `master_rank`, or calls mw_mpi_decline.
 * `options` must not be NULL. Each rank has options of its own: those of the master apply to the
 * master, those of a slave to that slave. Borrows all pointers for the call. *status is set if
 * MW_OK is returned.
 *
 * The errors are those of mw_run_master and mw_run_slave, with a sentence in mw_options_error. A
 * rank that fails early still takes part in the collective call, so that no other rank waits for
 * it. If that rank was the master, the slaves get MW_EUNAVAILABLE, or MW_EGONE if the master had
 * joined them; if it was a slave, the farm runs without it. Particular to MPI are:
 *   MW_EUNAVAILABLE  MPI is not initialised, or must not be called by this thread, or is another
 *                    than the one that mw was built with; or no other rank, or not the master's,
 *                    takes part
 *   MW_EINVAL        MPI_COMM_NULL, an inter-communicator, or a `master_rank` that `comm` has not
 */
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
    /* Without the MPI module open could not make the collective call. */
    if (mw_options_must_decline(options))
        (void)mw_mpi_decline(comm);
    return error;
}

MW_END_DECLS

#endif
