/* SPDX-License-Identifier: Apache-2.0
 *
 * The communicators of a transport. This room makes two communicators from the caller's, and
 * exchanges the ranks' cards once, at open.
 */
#ifndef MWI_MPI_RANKS_H
#define MWI_MPI_RANKS_H

#include <stdbool.h>
#include <stddef.h>

#include <mpi.h>

#include <mw/transport.h>

#include "memory.h"
#include "start.h"
#include "why.h"

/* The facts that each rank sends to all others. */
struct mwi_mpi_card {
    int64_t parent_rank; /* in the communicator that the caller gave */
    int64_t master_rank; /* in it; -1 if the rank names none */
    int64_t frame_bytes_max;
    struct mwi_mpi_memory_place memory; /* that it offers to share with the master */
};

struct mwi_mpi_ranks {
    /* Communicators of our own, with MPI_ERRORS_RETURN and the same ranks: one for small messages,
     * one for the parts that are announced there. */
    MPI_Comm comm, parts_comm;
    int rank;
    int size;
    int parent_size;                 /* of the communicator that the caller gave */
    struct mwi_mpi_card own, *cards; /* of this rank, and of all by rank */
    int tag_max;
    bool must_finalize; /* we initialised MPI */
    struct mwi_mpi_threads threads;
};

/* Opens the communicators, over MPI_COMM_WORLD if `environment` is NULL. Collective. The caller
 * closes them even if it fails. Errors: MW_EINVAL, MW_ENETWORK, MW_EUNAVAILABLE. */
mw_error mwi_mpi_ranks_open(struct mwi_mpi_ranks *ranks, const mw_mpi_environment *environment,
                            mw_reason *why);

/* A rank that stays out calls this in place of the above. Errors: MW_EINVAL, MW_ENETWORK,
 * MW_EUNAVAILABLE. */
mw_error mwi_mpi_ranks_decline(const mw_mpi_environment *environment, mw_reason *why);

/* The rank in `comm` of the caller's rank `parent_rank`; -1 if it stayed out, or there is no such
 * rank. */
int mwi_mpi_ranks_find(const struct mwi_mpi_ranks *ranks, int parent_rank);

/* The second step of opening, collective: tells the others whether this rank is ready, and the
 * largest frame that it takes. Fails on every rank if one is not ready, so that no rank waits for
 * it, or if they name different masters. Errors: MW_EINVAL, MW_ENOMEM, MW_ENETWORK. */
mw_error mwi_mpi_ranks_agree(struct mwi_mpi_ranks *ranks, bool is_ready, int64_t frame_bytes_max,
                             mw_reason *why);

/* Closes the communicators. Collective. No message may be in flight. */
void mwi_mpi_ranks_close(struct mwi_mpi_ranks *ranks);

#endif
