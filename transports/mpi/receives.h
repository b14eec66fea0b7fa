/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages on their way in, handed on in the order in which each rank sent them. A large frame is
 * a note of its size among the small messages, and parts on a communicator of their own. This room
 * knows neither links nor tags, except the tags of notes and parts.
 */
#ifndef MWI_MPI_RECEIVES_H
#define MWI_MPI_RECEIVES_H

#include "near.h"
#include "posted.h"
#include "ranks.h"

struct mwi_mpi_receive_entry;

/* Messages of one rank in the order of sending: a message waits while an earlier one is
 * incomplete. */
struct mwi_mpi_queue {
    struct mwi_mpi_receive_entry *first;
    struct mwi_mpi_receive_entry *last;
    struct mwi_mpi_receive_entry
        *asking; /* the first message that has parts to be asked for, or NULL */
};

struct mwi_mpi_receives {
    struct mwi_mpi_near *near;    /* small messages from ranks that have rings */
    struct mwi_mpi_posted posted; /* all other small messages */
    unsigned near_only_count;     /* looks at the rings alone, since MPI was looked at */
    struct mwi_mpi_queue *queues; /* by rank */
    int *waiting;                 /* the ranks whose queues are not empty, in no order */
    int waiting_count;
    int cursor;           /* the queue that is looked at next */
    size_t bytes;         /* of all messages on their way */
    uint64_t parts_count; /* that were received */
};

/* Handles a message. For a frame in parts, the tag is that of a frame in one. The callee borrows
 * the frame's data or, if it has a block, may keep it, as mw_transport_events.message says. */
typedef void mwi_mpi_arrived(void *context, int rank, int tag, mw_frame *frame);

/* Borrows `near` until mwi_mpi_receives_fini, which the caller calls even if this fails. Errors:
 * MW_ENOMEM, MW_ENETWORK. */
mw_error mwi_mpi_receives_init(struct mwi_mpi_receives *receives, struct mwi_mpi_near *near,
                               const struct mwi_mpi_ranks *ranks, mw_reason *why);

/* Hands on the messages that have arrived, a bounded number. Errors: MW_ENETWORK, MW_ENOMEM; after
 * the latter no message is lost. */
mw_error mwi_mpi_receives_look(struct mwi_mpi_receives *receives, const struct mwi_mpi_ranks *ranks,
                               mwi_mpi_arrived *arrived, void *context, mw_reason *why);

/* Leaves memory to which MPI still writes to MPI. */
void mwi_mpi_receives_fini(struct mwi_mpi_receives *receives);

#endif
