/* SPDX-License-Identifier: Apache-2.0
 *
 * Receives that are posted before their messages come, from any rank. There are a few, each with a
 * small buffer. MPI gives the first message to the first receive and so on, so a look at one
 * receive tells whether there is any message. Only messages of at most MWI_MPI_SMALL_BYTES may be
 * sent to the communicator.
 */
#ifndef MWI_MPI_POSTED_H
#define MWI_MPI_POSTED_H

#include "ranks.h"

/* While one message is handled, the next ones find a place. */
#define MWI_MPI_POSTED_COUNT 8

struct mwi_mpi_posted {
    MPI_Request requests[MWI_MPI_POSTED_COUNT]; /* persistent */
    bool is_waiting[MWI_MPI_POSTED_COUNT];      /* started, and its message has not come */
    unsigned char *buffers;
    unsigned first; /* the receive that was posted first */
    bool is_there;  /* its message has come, and was not released */
    bool was_there; /* at the last look, a message */
    MPI_Status status;
};

struct mwi_mpi_message {
    int rank;
    int tag;
    unsigned char *data; /* until it is released */
    size_t size;
};

/* Posts all receives. The caller calls mwi_mpi_posted_fini even if it fails. Errors: MW_ENOMEM,
 * MW_ENETWORK. */
mw_error mwi_mpi_posted_init(struct mwi_mpi_posted *posted, MPI_Comm comm, mw_reason *why);

/* Sets *is_there to whether there is a message, and returns the same message until it is released.
 * Errors: MW_ENETWORK. */
mw_error mwi_mpi_posted_look(struct mwi_mpi_posted *posted, bool *is_there,
                             struct mwi_mpi_message *message, mw_reason *why);

/* Ends the use of the message that was returned, and posts its receive again. Errors:
 * MW_ENETWORK. */
mw_error mwi_mpi_posted_release(struct mwi_mpi_posted *posted, mw_reason *why);

/* Takes back the posted receives. No message may be in flight. */
void mwi_mpi_posted_fini(struct mwi_mpi_posted *posted);

#endif
