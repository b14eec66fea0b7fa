/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages on their way in: matched, received, and handed on in the order in which each rank sent
 * them. Knows nothing of links, nor of what the tags mean.
 */
#ifndef MWI_MPI_RECEIVES_H
#define MWI_MPI_RECEIVES_H

#include "world.h"

struct mwi_mpi_receive;

/* The order in which a rank sent is kept by letting its messages wait while an earlier one of it is
 * on its way. */
struct mwi_mpi_rank {
    unsigned pending_count;
    unsigned blocked_in; /* the scan that found its first message not there yet */
};

struct mwi_mpi_receives {
    struct mwi_mpi_receive *first; /* on their way, in order of arrival */
    struct mwi_mpi_receive **last;
    size_t bytes;                  /* of those */
    struct mwi_mpi_receive *spare; /* for the next message; NULL when it has gone into the list */
    unsigned char *buffer;         /* for small messages; NULL when it went with the spare */
    struct mwi_mpi_rank *ranks;
    unsigned scans_count;
    /* A message that was matched when there was no memory for it: it has to be received first. */
    MPI_Message stuck;
    MPI_Status stuck_status;
};

/* What is done with a message. The frame's data is the callee's to borrow or, if it has a block, to
 * keep, as mw_transport_events.message says. */
typedef void mwi_mpi_arrived(void *context, int rank, int tag, mw_frame *frame);

/* MW_ENOMEM. */
mw_error mwi_mpi_receives_init(struct mwi_mpi_receives *receives, int ranks_count);

/* Hands on what is there, a bounded number of messages. Errors: MW_ENETWORK, MW_ENOMEM. */
mw_error mwi_mpi_receives_look(struct mwi_mpi_receives *receives, const struct mwi_mpi_world *world,
                               mwi_mpi_arrived *arrived, void *context, mw_reason *why);

/* What MPI still writes to is left to it. */
void mwi_mpi_receives_fini(struct mwi_mpi_receives *receives);

#endif
