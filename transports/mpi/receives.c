/* SPDX-License-Identifier: Apache-2.0
 *
 * Incoming messages, which protocol.c looks for in each poll. Small ones are handed on from the
 * buffer of their receive. A note of a large frame enters the queue of its rank, and so do all
 * later messages of the rank, while the frame's parts arrive as fast as its sender calls MPI. The
 * parts are received side by side into one block, which the receiver of the frame may keep.
 *
 * Invariants: a rank's parts are asked for in the order of its notes, which is the order of
 * sending, so each receive is large enough for its part. The block belongs to the queue, even if
 * the link ends meanwhile: MPI writes to it until all parts have arrived.
 */
#include "receives.h"

#include <stdlib.h>
#include <string.h>

#include "tags.h"

#define MESSAGES_PER_LOOK_MAX 64
#define NEAR_ONLY_MAX 16
#define QUEUES_PER_LOOK_MAX 64
/* A look asks for no more parts once it has asked for this many bytes: asking may already move the
 * bytes. */
#define BYTES_PER_LOOK_MAX ((size_t)4 * 1024 * 1024)

struct mwi_mpi_receive_entry {
    struct mwi_mpi_receive_entry *next;
    int rank;
    int tag;
    size_t size;
    unsigned char *block; /* NULL until it is allocated */
    size_t asked;         /* of its bytes; all bytes of a small message */
    MPI_Request request;  /* the part that was asked for last, or MPI_REQUEST_NULL */
    size_t noted;
    unsigned char note[]; /* the bytes of it that came with the note of its size */
};

struct look {
    struct mwi_mpi_receives *receives;
    const struct mwi_mpi_ranks *ranks;
    mwi_mpi_arrived *arrived;
    void *context;
    mw_reason *why;
    int budget;
    size_t bytes; /* that were asked for */
};

mw_error mwi_mpi_receives_init(struct mwi_mpi_receives *receives, struct mwi_mpi_near *near,
                               const struct mwi_mpi_ranks *ranks, mw_reason *why)
{
    size_t ranks_count = (size_t)ranks->size;
    *receives = (struct mwi_mpi_receives){.near = near};
    receives->queues = calloc(ranks_count, sizeof *receives->queues);
    receives->waiting = calloc(ranks_count, sizeof *receives->waiting);
    if (receives->queues == NULL || receives->waiting == NULL)
        return mwi_mpi_why_fail(why, MW_ENOMEM, "out of memory");
    return mwi_mpi_posted_init(&receives->posted, ranks->comm, why);
}

void mwi_mpi_receives_fini(struct mwi_mpi_receives *receives)
{
    mwi_mpi_posted_fini(&receives->posted);
    free(receives->waiting);
    free(receives->queues);
    receives->waiting = NULL;
    receives->queues = NULL;
}

static mw_error out_of_memory(const struct look *look, size_t size)
{
    return mwi_mpi_why_fail(look->why, MW_ENOMEM, "out of memory for a message of %zu bytes", size);
}

static void append(struct mwi_mpi_receives *receives, struct mwi_mpi_receive_entry *receive)
{
    struct mwi_mpi_queue *queue = &receives->queues[receive->rank];
    if (queue->first == NULL) {
        queue->first = receive;
        receives->waiting[receives->waiting_count++] = receive->rank;
    } else {
        queue->last->next = receive;
    }
    queue->last = receive;
    if (queue->asking == NULL && receive->asked < receive->size)
        queue->asking = receive;
    receives->bytes += receive->size;
}

/* Small messages. */

static struct mwi_mpi_receive_entry *make_receive(const struct mwi_mpi_message *message,
                                                  size_t noted)
{
    struct mwi_mpi_receive_entry *receive = malloc(sizeof *receive + noted);
    if (receive != NULL)
        *receive = (struct mwi_mpi_receive_entry){.rank = message->rank,
                                                  .tag = message->tag,
                                                  .request = MPI_REQUEST_NULL,
                                                  .asked = noted,
                                                  .noted = noted};
    return receive;
}

static mw_error expect_parts(const struct look *look, const struct mwi_mpi_message *message)
{
    bool is_note = message->size >= MWI_MPI_NUMBER_BYTES;
    size_t noted = is_note ? message->size - MWI_MPI_NUMBER_BYTES : 0;
    uint64_t size = is_note ? mwi_mpi_get_number(message->data) : 0;
    if (!is_note || size > MW_FRAME_BYTES_MAX || size < noted)
        return mwi_mpi_why_fail(look->why, MW_ENETWORK, "a malformed note of a large frame");
    struct mwi_mpi_receive_entry *receive = make_receive(message, noted);
    if (receive == NULL)
        return out_of_memory(look, message->size);
    memcpy(receive->note, message->data + MWI_MPI_NUMBER_BYTES, noted);
    receive->size = (size_t)size;
    append(look->receives, receive);
    return MW_OK;
}

static mw_error put_behind(const struct look *look, const struct mwi_mpi_message *message)
{
    struct mwi_mpi_receive_entry *receive = make_receive(message, 0);
    if (receive != NULL)
        receive->block = malloc(message->size > 0 ? message->size : 1);
    if (receive == NULL || receive->block == NULL) {
        free(receive);
        return out_of_memory(look, message->size);
    }
    memcpy(receive->block, message->data, message->size);
    receive->size = receive->asked = message->size;
    append(look->receives, receive);
    return MW_OK;
}

/* The receiver of a frame may take the block of the message. */
static mw_error take(const struct look *look, struct mwi_mpi_message *message)
{
    mw_frame frame = {.data = message->data,
                      .size = message->size,
                      .block = message->block,
                      .release = mwi_mpi_memory_give_back};
    if (mwi_mpi_tag_kind(message->tag) == MWI_MPI_SIZE)
        return expect_parts(look, message);
    if (look->receives->queues[message->rank].first != NULL)
        return put_behind(look, message);
    look->arrived(look->context, message->rank, message->tag, &frame);
    message->block = frame.block;
    return MW_OK;
}

/* Asks for a second message only if the first was no single one either. Asking in vain takes as
 * long as receiving, and Open MPI yields to other processes then if there are more of its own than
 * cores. */
static mw_error look_at_posted(const struct look *look)
{
    struct mwi_mpi_posted *posted = &look->receives->posted;
    mw_error error = MW_OK;
    bool is_there = true;
    bool is_single = false;
    for (int i = 0; i < MESSAGES_PER_LOOK_MAX && error == MW_OK && !is_single; i++) {
        struct mwi_mpi_message message;
        is_single = !posted->was_there;
        error = mwi_mpi_posted_look(posted, &is_there, &message, look->why);
        if (error != MW_OK || !is_there)
            break;
        error = take(look, &message);
        if (error == MW_OK)
            error = mwi_mpi_posted_release(posted, look->why);
    }
    return error;
}

/* Sets *count to the number of messages that were handed on. */
static mw_error look_at_near(const struct look *look, int *count)
{
    struct mwi_mpi_near *near = look->receives->near;
    struct mwi_mpi_message message;
    mw_error error = MW_OK;
    *count = 0;
    while (*count < MESSAGES_PER_LOOK_MAX && error == MW_OK && mwi_mpi_near_look(near, &message)) {
        error = take(look, &message);
        if (error == MW_OK)
            mwi_mpi_near_release(near, &message);
        else
            mwi_mpi_near_put_back(&message);
        ++*count;
    }
    return error;
}

/* While the rings have messages, MPI is looked at now and then only. */
static mw_error look_at_small(const struct look *look)
{
    struct mwi_mpi_receives *receives = look->receives;
    int count = 0;
    mw_error error = look_at_near(look, &count);
    if (error != MW_OK || (count > 0 && ++receives->near_only_count < NEAR_ONLY_MAX))
        return error;
    receives->near_only_count = 0;
    return look_at_posted(look);
}

/* Large frames. */

/* Whether the part that was asked for last has arrived. */
static mw_error test(const struct look *look, struct mwi_mpi_receive_entry *receive, bool *is_done)
{
    int flag = 0;
    mw_error error = MW_OK;
    *is_done = true;
    if (receive->request == MPI_REQUEST_NULL)
        return MW_OK;
    error = mwi_mpi_why_check(MPI_Test(&receive->request, &flag, MPI_STATUS_IGNORE), "MPI_Test",
                              look->why);
    *is_done = error == MW_OK && flag != 0;
    look->receives->parts_count += *is_done;
    return error;
}

/* Makes the block, if it does not exist yet, only when it is needed. */
static mw_error need_block(const struct look *look, struct mwi_mpi_receive_entry *receive)
{
    if (receive->block != NULL)
        return MW_OK;
    receive->block = malloc(receive->size > 0 ? receive->size : 1);
    if (receive->block == NULL)
        return out_of_memory(look, receive->size);
    memcpy(receive->block, receive->note, receive->noted);
    return MW_OK;
}

static mw_error ask_for_part(struct look *look, struct mwi_mpi_receive_entry *receive)
{
    size_t left = receive->size - receive->asked;
    size_t size = left < MWI_MPI_PART_BYTES ? left : MWI_MPI_PART_BYTES;
    mw_error error = need_block(look, receive);
    if (error != MW_OK)
        return error;
    error = mwi_mpi_why_check(MPI_Irecv(receive->block + receive->asked, (int)size, MPI_BYTE,
                                        receive->rank, mwi_mpi_tag_as(receive->tag, MWI_MPI_PART),
                                        look->ranks->parts_comm, &receive->request),
                              "MPI_Irecv", look->why);
    receive->asked += size;
    look->bytes += size;
    return error;
}

static void hand_on(const struct look *look, const struct mwi_mpi_receive_entry *receive)
{
    mw_frame frame = {.data = receive->block, .size = receive->size, .block = receive->block};
    int tag = receive->tag;
    if (mwi_mpi_tag_kind(tag) == MWI_MPI_SIZE)
        tag = mwi_mpi_tag_as(tag, MWI_MPI_FRAME);
    look->arrived(look->context, receive->rank, tag, &frame);
    free(frame.block);
}

/* Hands on the complete messages of one rank. */
static mw_error hand_on_first(struct look *look, struct mwi_mpi_queue *queue)
{
    mw_error error = MW_OK;
    while (queue->first != NULL && look->budget > 0) {
        struct mwi_mpi_receive_entry *receive = queue->first;
        bool is_done = false;
        if (receive->asked < receive->size)
            break;
        error = test(look, receive, &is_done);
        if (error == MW_OK && is_done)
            error = need_block(look, receive);
        if (error != MW_OK || !is_done)
            break;
        look->budget--;
        queue->first = receive->next;
        look->receives->bytes -= receive->size;
        hand_on(look, receive);
        free(receive);
    }
    return error;
}

/* Asks for a part when the part before it in its frame has arrived. A frame that is complete at
 * once is handed on before the next is asked for, so that its memory is used again while it is in
 * the cache. */
static mw_error look_at_queue(struct look *look, struct mwi_mpi_queue *queue)
{
    mw_error error = hand_on_first(look, queue);
    while (error == MW_OK && queue->asking != NULL && look->bytes < BYTES_PER_LOOK_MAX &&
           look->budget > 0) {
        struct mwi_mpi_receive_entry *receive = queue->asking;
        bool is_done = false;
        error = test(look, receive, &is_done);
        if (error == MW_OK && is_done)
            error = ask_for_part(look, receive);
        if (error != MW_OK || !is_done)
            break;
        while (queue->asking != NULL && queue->asking->asked == queue->asking->size)
            queue->asking = queue->asking->next;
        if (receive == queue->first)
            error = hand_on_first(look, queue);
    }
    return error;
}

/* Looks at some queues, and the next time at the following ones. */
static mw_error look_at_waiting(struct look *look)
{
    struct mwi_mpi_receives *receives = look->receives;
    int count = receives->waiting_count;
    mw_error error = MW_OK;
    if (count > QUEUES_PER_LOOK_MAX)
        count = QUEUES_PER_LOOK_MAX;
    for (; count > 0 && error == MW_OK; count--) {
        struct mwi_mpi_queue *queue;
        if (receives->cursor >= receives->waiting_count)
            receives->cursor = 0;
        queue = &receives->queues[receives->waiting[receives->cursor]];
        error = look_at_queue(look, queue);
        if (queue->first == NULL)
            receives->waiting[receives->cursor] = receives->waiting[--receives->waiting_count];
        else
            receives->cursor++;
    }
    return error;
}

mw_error mwi_mpi_receives_look(struct mwi_mpi_receives *receives, const struct mwi_mpi_ranks *ranks,
                               mwi_mpi_arrived *arrived, void *context, mw_reason *why)
{
    struct look look = {receives, ranks, arrived, context, why, MESSAGES_PER_LOOK_MAX, 0};
    mw_error error = look_at_small(&look);
    return error == MW_OK ? look_at_waiting(&look) : error;
}
