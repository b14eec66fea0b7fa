/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring of persistent receives. receives.c looks at it in each poll. MPI_Test of one receive that
 * has no message makes Open MPI look at the network once; an MPI_Iprobe that finds no message takes
 * more than twice as long.
 *
 * Invariants: `first` is the receive that was posted before all others, so MPI gives it the next
 * message, and no other receive has to be tested. Every receive is posted but the one whose message
 * is in use. To take larger small messages, change MWI_MPI_SMALL_BYTES in tags.h, on all ranks;
 * more that come at once need a larger MWI_MPI_POSTED_COUNT.
 */
#include "posted.h"

#include <stdlib.h>

#include "tags.h"

static unsigned char *buffer_of(const struct mwi_mpi_posted *posted, unsigned i)
{
    return posted->buffers + i * MWI_MPI_SMALL_BYTES;
}

static mw_error start(struct mwi_mpi_posted *posted, unsigned i, mw_reason *why)
{
    mw_error error = mwi_mpi_why_check(MPI_Start(&posted->requests[i]), "MPI_Start", why);
    posted->is_waiting[i] = error == MW_OK;
    return error;
}

mw_error mwi_mpi_posted_init(struct mwi_mpi_posted *posted, MPI_Comm comm, mw_reason *why)
{
    mw_error error = MW_OK;
    *posted =
        (struct mwi_mpi_posted){.buffers = malloc(MWI_MPI_POSTED_COUNT * MWI_MPI_SMALL_BYTES)};
    for (unsigned i = 0; i < MWI_MPI_POSTED_COUNT; i++)
        posted->requests[i] = MPI_REQUEST_NULL;
    if (posted->buffers == NULL)
        return mwi_mpi_why_fail(why, MW_ENOMEM, "out of memory");
    for (unsigned i = 0; i < MWI_MPI_POSTED_COUNT && error == MW_OK; i++) {
        error = mwi_mpi_why_check(MPI_Recv_init(buffer_of(posted, i), (int)MWI_MPI_SMALL_BYTES,
                                                MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, comm,
                                                &posted->requests[i]),
                                  "MPI_Recv_init", why);
        if (error == MW_OK)
            error = start(posted, i, why);
    }
    return error;
}

mw_error mwi_mpi_posted_look(struct mwi_mpi_posted *posted, bool *is_there,
                             struct mwi_mpi_message *message, mw_reason *why)
{
    int flag = posted->is_there;
    int size = 0;
    mw_error error = MW_OK;
    if (flag == 0)
        error = mwi_mpi_why_check(
            MPI_Test(&posted->requests[posted->first], &flag, &posted->status), "MPI_Test", why);
    *is_there = posted->is_there = posted->was_there = error == MW_OK && flag != 0;
    if (!*is_there)
        return error;
    posted->is_waiting[posted->first] = false;
    error =
        mwi_mpi_why_check(MPI_Get_count(&posted->status, MPI_BYTE, &size), "MPI_Get_count", why);
    *message = (struct mwi_mpi_message){.rank = posted->status.MPI_SOURCE,
                                        .tag = posted->status.MPI_TAG,
                                        .data = buffer_of(posted, posted->first),
                                        .size = (size_t)size};
    return error;
}

mw_error mwi_mpi_posted_release(struct mwi_mpi_posted *posted, mw_reason *why)
{
    unsigned i = posted->first;
    posted->first = (i + 1) % MWI_MPI_POSTED_COUNT;
    posted->is_there = false;
    return start(posted, i, why);
}

static void take_back(struct mwi_mpi_posted *posted, unsigned i)
{
    if (posted->is_waiting[i]) {
        MPI_Cancel(&posted->requests[i]);
        MPI_Wait(&posted->requests[i], MPI_STATUS_IGNORE);
    }
    MPI_Request_free(&posted->requests[i]);
}

void mwi_mpi_posted_fini(struct mwi_mpi_posted *posted)
{
    if (posted->buffers == NULL || !mwi_mpi_start_is_usable())
        return;
    for (unsigned i = 0; i < MWI_MPI_POSTED_COUNT; i++)
        if (posted->requests[i] != MPI_REQUEST_NULL)
            take_back(posted, i);
    free(posted->buffers);
    posted->buffers = NULL;
}
