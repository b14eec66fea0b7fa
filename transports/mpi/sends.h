/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages on their way out: each is handed to MPI at once, and kept until MPI has done with it. A
 * large frame is handed to MPI in parts, which share it.
 */
#ifndef MWI_MPI_SENDS_H
#define MWI_MPI_SENDS_H

#include "links.h"
#include "ranks.h"

struct mwi_mpi_whole;

struct mwi_mpi_send {
    mw_peer peer; /* 0: nobody counts its bytes */
    void *data;   /* to be freed when it is done, or NULL */
    size_t size;
    struct mwi_mpi_whole *whole; /* whose part it is, or NULL */
};

/* Those that MPI has not done with; the arrays go together. */
struct mwi_mpi_sends {
    MPI_Request *requests;
    struct mwi_mpi_send *entries;
    size_t count;
    size_t capacity;
    size_t bytes;      /* of all of them */
    size_t cursor;     /* where the next test starts */
    mw_reason failure; /* what MPI last said of a send that failed; empty if none did */
};

/* Sends `size` bytes and those of the body, if it is not NULL, to the link's rank; a frame of more
 * than MWI_MPI_SMALL_BYTES, or with a body, in parts. Takes both, but not if it fails with
 * MW_ENOMEM. If MPI refuses, the link is marked as failed, `failure` says why, and the error is
 * MW_OK. */
mw_error mwi_mpi_sends_post(struct mwi_mpi_sends *sends, const struct mwi_mpi_world *world,
                            struct mwi_mpi_link *link, int tag, void *data, size_t size,
                            const mw_body *body);

/* Sends an empty message; needs no memory. Returns whether MPI took it; if not, `failure` says why.
 */
bool mwi_mpi_sends_signal(struct mwi_mpi_sends *sends, const struct mwi_mpi_world *world, int rank,
                          int tag);

/* Looks at a number of sends and lets go of those that are done; returns how many. */
size_t mwi_mpi_sends_test(struct mwi_mpi_sends *sends, struct mwi_mpi_links *links);

/* What MPI still holds is left to it: freeing that would pull the memory from under it. */
void mwi_mpi_sends_fini(struct mwi_mpi_sends *sends);

#endif
