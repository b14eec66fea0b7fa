/* SPDX-License-Identifier: Apache-2.0
 *
 * Outstanding sends. protocol.c posts them and tests them in each poll. MPI copies small messages,
 * so most sends are done when MPI_Isend returns and never enter the arrays. The others are tested a
 * few dozen at a time, in turn, so that the work of a poll does not grow with their number.
 *
 * Invariants: `bytes` is the sum of the entries' sizes, and a link's backlog_bytes the sum of those
 * of its link; memory is freed only when MPI has finished with it, after which the whole frame of
 * several parts is freed with its last part.
 */
#include "sends.h"

#include <stdlib.h>
#include <string.h>

#include "base/body.h"
#include "tags.h"

#define TESTS_MAX 64
/* From this number of bytes on their way on, there is much to test. */
#define PENDING_BYTES ((size_t)1024 * 1024)
/* A message beyond this size is rarely done at once, so asking is a waste. */
#define ASK_BYTES_MAX 4096

/* A frame that is sent in parts. It is let go with the last part. */
struct mwi_mpi_whole {
    size_t parts_count; /* that MPI has not done with */
    void *data;
    mw_body body;
    unsigned char note[]; /* its size, for the other end, and its first bytes if it has a body */
};

/* Makes room for `count` more. */
static bool reserve(struct mwi_mpi_sends *sends, size_t count)
{
    size_t capacity = sends->capacity == 0 ? 16 : 2 * sends->capacity;
    MPI_Request *requests;
    struct mwi_mpi_send_entry *entries;
    if (sends->capacity - sends->count >= count)
        return true;
    while (capacity - sends->count < count)
        capacity *= 2;
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

static void keep(struct mwi_mpi_sends *sends, MPI_Request request, struct mwi_mpi_send_entry entry)
{
    sends->requests[sends->count] = request;
    sends->entries[sends->count] = entry;
    sends->bytes += entry.size;
    sends->count++;
}

static void release(struct mwi_mpi_whole *whole)
{
    if (--whole->parts_count > 0)
        return;
    free(whole->data);
    mwi_body_release(&whole->body);
    free(whole);
}

/* Hands `size` bytes to MPI. Sets *is_done to whether MPI has finished with them. */
static int post(const void *data, size_t size, int rank, int tag, MPI_Comm comm,
                MPI_Request *request, bool *is_done)
{
    int flag = 0;
    int code = MPI_Isend(data, (int)size, MPI_BYTE, rank, tag, comm, request);
    if (code == MPI_SUCCESS && size <= ASK_BYTES_MAX)
        code = MPI_Test(request, &flag, MPI_STATUS_IGNORE);
    *is_done = flag != 0;
    return code;
}

/* Hands a part, or the note, to MPI. The caller has reserved room for it. Returns false if MPI
 * refuses. */
static bool post_part(struct mwi_mpi_sends *sends, struct mwi_mpi_link_entry *link, int tag,
                      MPI_Comm comm, struct mwi_mpi_whole *whole, const void *data, size_t size)
{
    MPI_Request request;
    bool is_done;
    int code = post(data, size, link->rank, tag, comm, &request, &is_done);
    if (mwi_mpi_why_check(code, "MPI_Isend", &sends->failure) != MW_OK) {
        link->has_failed = true;
        return false;
    }
    if (!is_done) {
        whole->parts_count++;
        keep(sends, request, (struct mwi_mpi_send_entry){link->peer, NULL, size, whole});
    }
    return true;
}

/* Makes a frame for parts: `size` bytes of `data`, or, with a body, the body as the parts and
 * `data` in the note. */
static struct mwi_mpi_whole *make_whole(void *data, size_t size, const mw_body *body)
{
    size_t noted = body == NULL ? 0 : size;
    struct mwi_mpi_whole *whole = malloc(sizeof *whole + MWI_MPI_NUMBER_BYTES + noted);
    if (whole == NULL)
        return NULL;
    *whole = (struct mwi_mpi_whole){.parts_count = 1, .data = data};
    mwi_mpi_put_number(whole->note, size + mwi_body_size(body));
    if (noted > 0)
        memcpy(whole->note + MWI_MPI_NUMBER_BYTES, data, noted);
    if (body != NULL)
        whole->body = *body;
    return whole;
}

static bool post_note(struct mwi_mpi_sends *sends, const struct mwi_mpi_ranks *ranks,
                      struct mwi_mpi_link_entry *link, int tag, struct mwi_mpi_whole *whole,
                      size_t size)
{
    if (!mwi_mpi_near_has(sends->near, link->rank))
        return post_part(sends, link, tag, ranks->comm, whole, whole->note, size);
    if (mwi_mpi_near_send(sends->near, link->rank, tag, whole->note, size, false) == MW_OK)
        return true;
    link->has_failed = true;
    (void)mwi_mpi_why_fail(&sends->failure, MW_ENOMEM, "out of memory");
    return false;
}

/* Hands over all parts at once, so that no other message comes between them and the other end can
 * join them by their order alone. MPI moves each part when the other end asks for it. */
static mw_error post_parts(struct mwi_mpi_sends *sends, const struct mwi_mpi_ranks *ranks,
                           struct mwi_mpi_link_entry *link, int tag, void *data, size_t size,
                           const mw_body *body)
{
    const unsigned char *bytes = body == NULL ? data : body->data;
    size_t note_bytes = MWI_MPI_NUMBER_BYTES + (body == NULL ? 0 : size);
    size_t parts_bytes = body == NULL ? size : body->size;
    struct mwi_mpi_whole *whole = make_whole(data, size, body);
    bool is_taken;
    if (whole == NULL ||
        !reserve(sends, (parts_bytes + MWI_MPI_PART_BYTES - 1) / MWI_MPI_PART_BYTES + 1)) {
        free(whole);
        return MW_ENOMEM;
    }
    is_taken = post_note(sends, ranks, link, mwi_mpi_tag_as(tag, MWI_MPI_SIZE), whole, note_bytes);
    for (size_t at = 0; is_taken && at < parts_bytes; at += MWI_MPI_PART_BYTES) {
        size_t left = parts_bytes - at;
        is_taken =
            post_part(sends, link, mwi_mpi_tag_as(tag, MWI_MPI_PART), ranks->parts_comm, whole,
                      bytes + at, left < MWI_MPI_PART_BYTES ? left : MWI_MPI_PART_BYTES);
    }
    release(whole);
    return MW_OK;
}

static mw_error post_small(struct mwi_mpi_sends *sends, const struct mwi_mpi_ranks *ranks,
                           struct mwi_mpi_link_entry *link, int tag, void *data, size_t size)
{
    MPI_Request request;
    bool is_done;
    int code;
    if (!reserve(sends, 1))
        return MW_ENOMEM;
    code = post(data, size, link->rank, tag, ranks->comm, &request, &is_done);
    if (code == MPI_SUCCESS && !is_done) {
        keep(sends, request, (struct mwi_mpi_send_entry){link->peer, data, size, NULL});
        return MW_OK;
    }
    if (mwi_mpi_why_check(code, "MPI_Isend", &sends->failure) != MW_OK)
        link->has_failed = true;
    free(data);
    return MW_OK;
}

mw_error mwi_mpi_sends_post(struct mwi_mpi_sends *sends, const struct mwi_mpi_ranks *ranks,
                            struct mwi_mpi_link_entry *link, int tag, void *data, size_t size,
                            const mw_body *body)
{
    bool is_near = mwi_mpi_near_has(sends->near, link->rank);
    size_t size_max = is_near ? MWI_MPI_RING_MESSAGE_MAX : MWI_MPI_SMALL_BYTES;
    bool is_small = body == NULL && size <= size_max;
    if (is_near && !is_small &&
        mwi_mpi_near_send_frame(sends->near, link->rank, tag, data, size, body)) {
        free(data);
        mwi_body_release(body);
        return MW_OK;
    }
    if (!is_small)
        return post_parts(sends, ranks, link, tag, data, size, body);
    if (is_near)
        return mwi_mpi_near_send(sends->near, link->rank, tag, data, size, true);
    return post_small(sends, ranks, link, tag, data, size);
}

bool mwi_mpi_sends_signal(struct mwi_mpi_sends *sends, const struct mwi_mpi_ranks *ranks, int rank,
                          int tag)
{
    if (mwi_mpi_near_has(sends->near, rank)) {
        if (mwi_mpi_near_send(sends->near, rank, tag, NULL, 0, false) == MW_OK)
            return true;
        (void)mwi_mpi_why_fail(&sends->failure, MW_ENOMEM, "out of memory");
        return false;
    }
    MPI_Request request;
    bool is_done;
    int code = post(NULL, 0, rank, tag, ranks->comm, &request, &is_done);
    if (code == MPI_SUCCESS && !is_done) {
        if (reserve(sends, 1))
            keep(sends, request, (struct mwi_mpi_send_entry){0});
        else
            code = MPI_Wait(&request, MPI_STATUS_IGNORE);
    }
    return mwi_mpi_why_check(code, "MPI_Isend", &sends->failure) == MW_OK;
}

static void finish(struct mwi_mpi_sends *sends, size_t i, int code, struct mwi_mpi_links *links)
{
    struct mwi_mpi_link_entry *link = mwi_mpi_links_of_peer(links, sends->entries[i].peer);
    if (link != NULL) {
        if (mwi_mpi_why_check(code, "MPI_Isend", &sends->failure) != MW_OK)
            link->has_failed = true;
    }
    sends->bytes -= sends->entries[i].size;
    free(sends->entries[i].data);
    if (sends->entries[i].whole != NULL)
        release(sends->entries[i].whole);
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

static size_t test_some(struct mwi_mpi_sends *sends, struct mwi_mpi_links *links)
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

/* Open MPI notices few finished sends at a time, and none while it reports others. While much is on
 * its way, the loop asks again until MPI twice reports nothing, so that the memory is free, and
 * still in the cache, for the next sends. */
size_t mwi_mpi_sends_test(struct mwi_mpi_sends *sends, struct mwi_mpi_links *links)
{
    size_t done_count = test_some(sends, links);
    int vain_count = 0;
    while (sends->bytes > PENDING_BYTES && vain_count < 2) {
        size_t count = test_some(sends, links);
        vain_count = count > 0 ? 0 : vain_count + 1;
        done_count += count;
    }
    return done_count;
}

void mwi_mpi_sends_fini(struct mwi_mpi_sends *sends)
{
    free(sends->requests);
    free(sends->entries);
    *sends = (struct mwi_mpi_sends){0};
}
