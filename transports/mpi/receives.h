/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages on their way in, handed on in the order in which each rank sent them. A large frame is
 * a note of its size among the small messages, and parts on a communicator of their own. Knows
 * nothing of links, nor of what the tags mean but for these.
 */
#ifndef MWI_MPI_RECEIVES_H
#define MWI_MPI_RECEIVES_H

#include "posted.h"
#include "ranks.h"

struct mwi_mpi_receive;

/* Messages of one rank in the order in which it sent them: a message waits while an earlier one of
 * its rank is not there. */
struct mwi_mpi_queue {
    struct mwi_mpi_receive *first;
    struct mwi_mpi_receive *last;
    struct mwi_mpi_receive *asking; /* the first whose parts were not all asked for; NULL: none */
};

struct mwi_mpi_receives {
    struct mwi_mpi_posted posted; /* all small messages come here */
    struct mwi_mpi_queue *queues; /* by rank */
    int *waiting;                 /* the ranks whose queues are not empty, in no order */
    int waiting_count;
    int cursor;           /* which of them is looked at next */
    size_t bytes;         /* of all that is on its way */
    uint64_t parts_count; /* that were received */
};

/* What is done with a message; of a frame in parts, the tag is that of a frame in one. The frame's
 * data is the callee's to borrow or, if it has a block, to keep, as mw_transport_events.message
 * says. */
typedef void mwi_mpi_arrived(void *context, int rank, int tag, mw_frame *frame);

/* Has to be ended with mwi_mpi_receives_fini even if it fails. Errors: MW_ENOMEM, MW_ENETWORK. */
mw_error mwi_mpi_receives_init(struct mwi_mpi_receives *receives, const struct mwi_mpi_world *world,
                               mw_reason *why);

/* Hands on what is there, a bounded number of messages. Errors: MW_ENETWORK, MW_ENOMEM; after the
 * latter nothing is lost. */
mw_error mwi_mpi_receives_look(struct mwi_mpi_receives *receives, const struct mwi_mpi_world *world,
                               mwi_mpi_arrived *arrived, void *context, mw_reason *why);

/* What MPI still writes to is left to it. */
void mwi_mpi_receives_fini(struct mwi_mpi_receives *receives);

#endif
