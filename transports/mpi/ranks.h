/* SPDX-License-Identifier: Apache-2.0
 *
 * The communicators of a transport: MPI itself if nobody else started it, two of its own, made of
 * what the caller gave, and what the ranks of them tell each other once, at open.
 */
#ifndef MWI_MPI_WORLD_H
#define MWI_MPI_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include <mpi.h>

#include <mw/transport.h>

/* What ranks tell each other of themselves. */
struct mwi_mpi_card {
    int64_t parent_rank; /* in the communicator that the caller gave */
    int64_t master_rank; /* in it; -1: not said */
    int64_t frame_bytes_max;
};

struct mwi_mpi_world {
    /* Ours alone, MPI_ERRORS_RETURN, with the same ranks: one for small messages, one for what only
     * comes when it was announced there. */
    MPI_Comm comm, parts_comm;
    int rank;
    int size;
    int parent_size;                 /* of the communicator that the caller gave */
    struct mwi_mpi_card own, *cards; /* of this rank, and of all by rank */
    int tag_max;
    bool finalize; /* we initialised MPI */
};

/* Opens a world, over MPI_COMM_WORLD if `environment` is NULL. Collective. Has to be closed
 * even if it fails. Errors: MW_EINVAL, MW_ENETWORK, MW_EUNAVAILABLE. */
mw_error mwi_mpi_world_open(struct mwi_mpi_world *world, const mw_mpi_environment *environment,
                            mw_reason *why);

/* In place of the above on a rank that stays out. Errors: MW_EINVAL, MW_ENETWORK, MW_EUNAVAILABLE.
 */
mw_error mwi_mpi_world_decline(const mw_mpi_environment *environment, mw_reason *why);

/* The rank of comm that the caller calls `parent_rank`; -1 if it stayed out, or there is none. */
int mwi_mpi_world_find(const struct mwi_mpi_world *world, int parent_rank);

/* Second step of opening, collective: tells the others whether this rank has all it needs, and what
 * frames it takes. Fails on every rank if one is not ready, so that none is left waiting for it, or
 * if they name different masters. Errors: MW_EINVAL, MW_ENOMEM, MW_ENETWORK. */
mw_error mwi_mpi_world_agree(struct mwi_mpi_world *world, bool is_ready, int64_t frame_bytes_max,
                             mw_reason *why);

/* Collective. No message may be in flight. */
void mwi_mpi_world_close(struct mwi_mpi_world *world);

/* Whether MPI can be called at all: initialised and not finalised. */
bool mwi_mpi_world_usable(void);

/* Writes a sentence to `why` and returns `error`. */
mw_error mwi_mpi_fail(mw_reason *why, mw_error error, const char *format, ...) MW_PRINTF(3, 4);

/* Writes `call` and what MPI says of the code to `why`; returns MW_ENETWORK. */
mw_error mwi_mpi_explain(int code, const char *call, mw_reason *why);

/* MW_OK for MPI_SUCCESS, else explains. Inline since it is around each call of a look. */
static inline mw_error mwi_mpi_check(int code, const char *call, mw_reason *why)
{
    return code == MPI_SUCCESS ? MW_OK : mwi_mpi_explain(code, call, why);
}

#endif
