/* SPDX-License-Identifier: Apache-2.0
 *
 * Outstanding sends. MPI copies small messages, so most sends are done when MPI_Isend returns and
 * never enter the arrays; those that do are tested a few dozen at a time, in turn, so that the work
 * of a poll does not grow with their number.
 */
#include "sends.h"

#include <stdlib.h>

#define TESTS_MAX 64
/* A message beyond this is rarely done at once, so asking is a waste. */
#define ASK_BYTES_MAX 4096

static bool reserve(struct mwi_mpi_sends *sends)
{
    size_t capacity = sends->capacity == 0 ? 16 : 2 * sends->capacity;
    MPI_Request *requests;
    struct mwi_mpi_send *entries;

    if (sends->count < sends->capacity)
        return true;
    requests = realloc(sends->requests, capacity * sizeof *requests);
    if (requests == NULL)
        return false;
    sends->requests = requests;
    entries = realloc(sends->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    sends->entries = entries;
    sends->capacity = capacity;
    return true;
}

static void keep(struct mwi_mpi_sends *sends, MPI_Request request, struct mwi_mpi_send entry)
{
    sends->requests[sends->count] = request;
    sends->entries[sends->count] = entry;
    sends->bytes += entry.size;
    sends->count++;
}

mw_error mwi_mpi_sends_post(struct mwi_mpi_sends *sends, const struct mwi_mpi_world *world,
                            struct mwi_mpi_link *link, int tag, void *data, size_t size)
{
    MPI_Request request;
    int done = 0;
    int code;

    if (!reserve(sends))
        return MW_ENOMEM;
    code = MPI_Isend(data, (int)size, MPI_BYTE, link->rank, tag, world->comm, &request);
    if (code == MPI_SUCCESS && size <= ASK_BYTES_MAX)
        code = MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (code == MPI_SUCCESS && !done) {
        keep(sends, request, (struct mwi_mpi_send){link->peer, data, size});
        link->backlog_bytes += size;
        return MW_OK;
    }
    if (mwi_mpi_check(code, "MPI_Isend", &sends->failure) != MW_OK)
        link->failed = true;
    free(data);
    return MW_OK;
}

bool mwi_mpi_sends_signal(struct mwi_mpi_sends *sends, const struct mwi_mpi_world *world, int rank,
                          int tag)
{
    MPI_Request request;
    int done = 0;
    int code = MPI_Isend(NULL, 0, MPI_BYTE, rank, tag, world->comm, &request);

    if (code == MPI_SUCCESS)
        code = MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (code == MPI_SUCCESS && !done) {
        if (reserve(sends))
            keep(sends, request, (struct mwi_mpi_send){0});
        else
            code = MPI_Wait(&request, MPI_STATUS_IGNORE);
    }
    return mwi_mpi_check(code, "MPI_Isend", &sends->failure) == MW_OK;
}

static void finish(struct mwi_mpi_sends *sends, size_t i, int code, struct mwi_mpi_links *links)
{
    struct mwi_mpi_link *link = mwi_mpi_links_of_peer(links, sends->entries[i].peer);

    if (link != NULL) {
        link->backlog_bytes -= sends->entries[i].size;
        if (mwi_mpi_check(code, "MPI_Isend", &sends->failure) != MW_OK)
            link->failed = true;
    }
    sends->bytes -= sends->entries[i].size;
    free(sends->entries[i].data);
}

/* Closes the gaps in requests [from, from + count), which MPI has set to MPI_REQUEST_NULL. */
static void compact(struct mwi_mpi_sends *sends, size_t from, size_t count)
{
    for (size_t i = from + count; i-- > from;) {
        if (sends->requests[i] != MPI_REQUEST_NULL)
            continue;
        sends->count--;
        sends->requests[i] = sends->requests[sends->count];
        sends->entries[i] = sends->entries[sends->count];
    }
}

size_t mwi_mpi_sends_test(struct mwi_mpi_sends *sends, struct mwi_mpi_links *links)
{
    MPI_Status statuses[TESTS_MAX];
    int indices[TESTS_MAX];
    int done_count = 0;
    size_t from = sends->cursor < sends->count ? sends->cursor : 0;
    size_t count = sends->count - from < TESTS_MAX ? sends->count - from : TESTS_MAX;
    int code;

    if (count == 0)
        return 0;
    code = MPI_Testsome((int)count, sends->requests + from, &done_count, indices, statuses);
    if (done_count == MPI_UNDEFINED)
        done_count = 0;
    for (int i = 0; i < done_count; i++)
        finish(sends, from + (size_t)indices[i],
               code == MPI_ERR_IN_STATUS ? statuses[i].MPI_ERROR : code, links);
    sends->cursor = from + count;
    if (done_count > 0)
        compact(sends, from, count);
    return (size_t)done_count;
}

void mwi_mpi_sends_fini(struct mwi_mpi_sends *sends)
{
    free(sends->requests);
    free(sends->entries);
    *sends = (struct mwi_mpi_sends){0};
}
