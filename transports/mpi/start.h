/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts MPI if the program has not done so, and finds out which MPI it is, and which threads may
 * call it.
 */
#ifndef MWI_MPI_START_H
#define MWI_MPI_START_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <mpi.h>

#include <mw/transport.h>

/* The threads that may call MPI. */
struct mwi_mpi_threads {
    pthread_t only; /* the one that may, if is_bound */
    bool is_bound;  /* MPI was initialised at a level that lets only one thread call it */
};

/* Makes MPI usable: initialises it if it is not and `may_initialize` is true, and sets
 * *must_finalize to whether it did. Fails before it calls MPI_Init if the process has another MPI
 * than this module was built for. Errors: MW_ENETWORK, MW_EUNAVAILABLE. */
mw_error mwi_mpi_start(bool may_initialize, bool *must_finalize, mw_reason *why);

/* Reads which threads may call MPI, once it is usable. MW_EUNAVAILABLE if this one may not;
 * MW_ENETWORK. */
mw_error mwi_mpi_start_threads(struct mwi_mpi_threads *threads, mw_reason *why);

/* Whether this thread may call MPI. */
static inline bool mwi_mpi_start_may_call(const struct mwi_mpi_threads *threads)
{
    return !threads->is_bound || pthread_equal(threads->only, pthread_self()) != 0;
}

/* MW_EUNAVAILABLE, with the sentence for a thread that may not call MPI. */
mw_error mwi_mpi_start_fail_thread(mw_reason *why);

/* MW_OK if a program that was compiled with the MPI called `kind` (mw_mpi_environment.kind) can
 * hand its communicators to this module. NULL stands for this module's own. MW_EUNAVAILABLE. */
mw_error mwi_mpi_start_check_kind(const char *kind, mw_reason *why);

/* Writes name and version of the MPI of this process, "Open MPI v4.1.4", to name[0..size). */
void mwi_mpi_start_name(char *name, size_t size);

/* Whether MPI can be called: it is initialised and not finalised. */
bool mwi_mpi_start_is_usable(void);

#endif
