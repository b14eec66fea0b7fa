/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages on their way out. Each is handed to MPI at once, and kept until MPI has finished with
 * it. A large frame is handed to MPI in parts, which share it.
 */
#ifndef MWI_MPI_SENDS_H
#define MWI_MPI_SENDS_H

#include "links.h"
#include "near.h"
#include "ranks.h"

struct mwi_mpi_whole;

struct mwi_mpi_send_entry {
    mw_peer peer; /* whose link goes down if MPI fails to send it, or 0 */
    void *data;   /* to be freed when it is done, or NULL */
    size_t size;
    struct mwi_mpi_whole *whole; /* whose part it is, or NULL */
};

/* The sends that MPI has not finished with; the arrays have the same indexes. */
struct mwi_mpi_sends {
    struct mwi_mpi_near *near; /* takes the small messages to ranks that have rings */
    MPI_Request *requests;
    struct mwi_mpi_send_entry *entries;
    size_t count;
    size_t capacity;
    size_t bytes;      /* of all of them */
    size_t cursor;     /* where the next test starts */
    mw_reason failure; /* why a link has failed since the last look; empty if none has */
};

/* Sends `size` bytes and the bytes of `body`, if it is not NULL, to the link's rank. A frame of
 * more than MWI_MPI_SMALL_BYTES, or MWI_MPI_RING_MESSAGE_MAX to a rank that has rings, or with a
 * body, goes in parts. Takes both, but not if it fails with MW_ENOMEM. If MPI refuses, the link is
 * marked as failed, `failure` has the reason, and the error is MW_OK. */
mw_error mwi_mpi_sends_post(struct mwi_mpi_sends *sends, const struct mwi_mpi_ranks *ranks,
                            struct mwi_mpi_link_entry *link, int tag, void *data, size_t size,
                            const mw_body *body);

/* Sends an empty message, which needs memory only if a ring is full. Returns whether it was taken;
 * if not, `failure` has the reason. */
bool mwi_mpi_sends_signal(struct mwi_mpi_sends *sends, const struct mwi_mpi_ranks *ranks, int rank,
                          int tag);

/* Looks at some sends and lets go of those that are done. Returns their number. */
size_t mwi_mpi_sends_test(struct mwi_mpi_sends *sends, struct mwi_mpi_links *links);

/* Leaves memory that MPI still holds to MPI: freeing it would take it away from under MPI. */
void mwi_mpi_sends_fini(struct mwi_mpi_sends *sends);

#endif
