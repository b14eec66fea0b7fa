/* SPDX-License-Identifier: Apache-2.0
 *
 * A few receives, each with a small buffer, that are posted before their messages come, from any
 * rank. MPI gives the first message to the first receive and the next message to the next one, so a
 * look at one receive tells whether there is any message. Only messages of at most
 * MWI_MPI_SMALL_BYTES may be sent to the communicator.
 */
#ifndef MWI_MPI_POSTED_H
#define MWI_MPI_POSTED_H

#include "ranks.h"
#include "tags.h"

/* While the caller handles one message, the next ones are received into the other buffers. */
#define MWI_MPI_POSTED_COUNT 8

struct mwi_mpi_posted {
    MPI_Request requests[MWI_MPI_POSTED_COUNT]; /* persistent */
    bool is_waiting[MWI_MPI_POSTED_COUNT];      /* started, and its message has not come */
    unsigned char *buffers;
    unsigned first; /* the receive that was posted first */
    bool is_there;  /* the message of `first` has come, and was not released */
    bool was_there; /* the last look found a message */
    MPI_Status status;
};

/* Posts all receives. The caller calls mwi_mpi_posted_fini even if it fails. Errors: MW_ENOMEM,
 * MW_ENETWORK. */
mw_error mwi_mpi_posted_init(struct mwi_mpi_posted *posted, MPI_Comm comm, mw_reason *why);

/* Sets *is_there to whether there is a message, and then *message. Further calls give the same
 * message until the caller releases it. The data is borrowed until then. Errors: MW_ENETWORK. */
mw_error mwi_mpi_posted_look(struct mwi_mpi_posted *posted, bool *is_there,
                             struct mwi_mpi_message *message, mw_reason *why);

/* Ends the use of the message that was returned, and posts its receive again. Errors:
 * MW_ENETWORK. */
mw_error mwi_mpi_posted_release(struct mwi_mpi_posted *posted, mw_reason *why);

/* Takes back the posted receives. No message may be in flight. */
void mwi_mpi_posted_fini(struct mwi_mpi_posted *posted);

#endif
