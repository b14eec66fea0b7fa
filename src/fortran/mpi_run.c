/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions for the Fortran module mw_mpi.f90: those of mw/mpi.h, with a communicator of Fortran in
 * place of one of C. Only MPI can turn the one into the other, and only its header says how.
 *
 * Invariant: the names and arguments here are those of the interfaces in mw_mpi.f90, since no
 * compiler compares them. Another function of mw/mpi.h that has a communicator gets a counterpart
 * here.
 */
#include <mw/mpi.h>

mw_error mw_fortran_mpi_run(int comm, int master_rank, const mw_program *program,
                            mw_options *options, int argc, char **argv, int *status);
mw_error mw_fortran_mpi_decline(int comm);

mw_error mw_fortran_mpi_run(int comm, int master_rank, const mw_program *program,
                            mw_options *options, int argc, char **argv, int *status)
{
    return mw_mpi_run(MPI_Comm_f2c((MPI_Fint)comm), master_rank, program, options, argc, argv,
                      status);
}

mw_error mw_fortran_mpi_decline(int comm)
{
    return mw_mpi_decline(MPI_Comm_f2c((MPI_Fint)comm));
}
