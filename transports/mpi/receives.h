/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages on their way in: matched, received, and handed on in the order in which each rank sent
 * them, large frames joined from their parts. Knows nothing of links, nor of what the tags mean but
 * for the parts.
 */
#ifndef MWI_MPI_RECEIVES_H
#define MWI_MPI_RECEIVES_H

#include "world.h"

struct mwi_mpi_receive;

/* Messages of one rank that are on their way, in the order in which it sent them: a message waits
 * while an earlier one of its rank is not there. */
struct mwi_mpi_queue {
    struct mwi_mpi_receive *first;
    struct mwi_mpi_receive *last;
    /* The frame whose parts come next, and how much of it has been asked for. The block is NULL
     * until the first part is there. */
    unsigned char *whole;
    size_t whole_size;
    size_t whole_asked;
};

struct mwi_mpi_receives {
    struct mwi_mpi_queue *queues; /* by rank */
    int *waiting;                 /* the ranks whose queues are not empty, in no order */
    int waiting_count;
    int cursor;                    /* which of them is looked at next */
    size_t bytes;                  /* of all that is on its way */
    uint64_t parts_count;          /* that were received */
    struct mwi_mpi_receive *spare; /* for the next message; NULL when it has gone into a queue */
    unsigned char *buffer;         /* for small messages; NULL when it went with the spare */
    /* A message that was matched when there was no memory for it: it has to be received first. */
    MPI_Message stuck;
    MPI_Status stuck_status;
};

/* What is done with a message; of a frame in parts, the tag is that of a frame in one. The frame's data is the callee's to borrow or, if it has a block, to
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
