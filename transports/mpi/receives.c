/* SPDX-License-Identifier: Apache-2.0
 *
 * Incoming messages. Each is matched, whoever it is from, and its receive is started. Mostly it is
 * there at once; if not (a large one comes as fast as its sender makes calls of MPI), it waits in
 * its rank's queue, and all that the rank sent after it behind it. Small messages go into one buffer that is
 * used again and again, large ones into a block of their own that the receiver may keep, and the
 * parts of a frame side by side into one such block.
 *
 * The block is the queue's or the last part's, whatever becomes of the link meanwhile: MPI writes to
 * it until all parts are there.
 */
#include "receives.h"

#include <stdlib.h>

#include "tags.h"

#define MESSAGES_PER_LOOK_MAX 64
#define QUEUES_PER_LOOK_MAX 64
#define BLOCK_BYTES_MIN ((size_t)16 * 1024)
/* A look asks for no more once it has asked for so much: asking may already move the bytes. */
#define BYTES_PER_LOOK_MAX ((size_t)4 * 1024 * 1024)

struct mwi_mpi_receive {
    struct mwi_mpi_receive *next;
    MPI_Request request;
    int rank;
    int tag;
    unsigned char *data; /* where MPI writes */
    size_t size;
    mw_frame frame;  /* to be handed on */
    bool is_partial; /* a part but the last: nothing is handed on */
};

struct look {
    struct mwi_mpi_receives *receives;
    const struct mwi_mpi_world *world;
    mwi_mpi_arrived *arrived;
    void *context;
    mw_reason *why;
    int budget;
    size_t bytes; /* that were asked for */
};

mw_error mwi_mpi_receives_init(struct mwi_mpi_receives *receives, int ranks_count)
{
    *receives = (struct mwi_mpi_receives){.stuck = MPI_MESSAGE_NULL};
    receives->queues = calloc((size_t)ranks_count, sizeof *receives->queues);
    receives->waiting = calloc((size_t)ranks_count, sizeof *receives->waiting);
    return receives->queues == NULL || receives->waiting == NULL ? MW_ENOMEM : MW_OK;
}

void mwi_mpi_receives_fini(struct mwi_mpi_receives *receives)
{
    free(receives->buffer);
    free(receives->spare);
    free(receives->waiting);
    free(receives->queues);
    *receives = (struct mwi_mpi_receives){.stuck = MPI_MESSAGE_NULL};
}

static void hand_on(const struct look *look, struct mwi_mpi_receive *receive)
{
    mw_frame frame = receive->frame;

    if (mwi_mpi_tag_kind(receive->tag) == MWI_MPI_PART) {
        look->receives->parts_count++;
        receive->tag = mwi_mpi_tag_as(receive->tag, MWI_MPI_FRAME);
    }
    if (receive->is_partial)
        return;
    look->arrived(look->context, receive->rank, receive->tag, &frame);
    free(frame.block);
}

static void append(struct mwi_mpi_receives *receives, struct mwi_mpi_receive *receive)
{
    struct mwi_mpi_queue *queue = &receives->queues[receive->rank];

    receive->next = NULL;
    if (queue->first == NULL) {
        queue->first = receive;
        receives->waiting[receives->waiting_count++] = receive->rank;
    } else {
        queue->last->next = receive;
    }
    queue->last = receive;
    receives->bytes += receive->size;
}

static mw_error test(struct mwi_mpi_receive *receive, bool *done, mw_reason *why)
{
    int flag = 0;
    mw_error error =
        mwi_mpi_check(MPI_Test(&receive->request, &flag, MPI_STATUS_IGNORE), "MPI_Test", why);

    *done = flag != 0;
    return error;
}

/* Hands on what is there of one rank. */
static mw_error look_at_queue(struct look *look, struct mwi_mpi_queue *queue)
{
    while (queue->first != NULL && look->budget > 0) {
        struct mwi_mpi_receive *receive = queue->first;
        bool done = false;
        mw_error error = test(receive, &done, look->why);

        if (error != MW_OK || !done)
            return error;
        look->budget--;
        queue->first = receive->next;
        look->receives->bytes -= receive->size;
        hand_on(look, receive);
        free(receive);
    }
    return MW_OK;
}

/* Looks at a number of queues, another time at the next ones. */
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

/* Finds room for a message: the buffer if it is small and likely to be there at once. */
static bool make_room(struct mwi_mpi_receives *receives, struct mwi_mpi_receive *receive)
{
    mw_frame *frame = &receive->frame;

    *frame = (mw_frame){.data = receives->buffer, .size = receive->size};
    receive->is_partial = false;
    if (receive->size >= BLOCK_BYTES_MIN || receives->queues[receive->rank].first != NULL) {
        frame->block = malloc(receive->size > 0 ? receive->size : 1);
        frame->data = frame->block;
    }
    receive->data = frame->data;
    return receive->data != NULL;
}

/* The room of a part is the next in its frame; the last one brings the whole. */
static bool make_part_room(struct mwi_mpi_queue *queue, struct mwi_mpi_receive *receive)
{
    if (queue->whole == NULL)
        queue->whole = malloc(queue->whole_size);
    if (queue->whole == NULL)
        return false;
    receive->data = queue->whole + queue->whole_asked;
    receive->is_partial = queue->whole_asked + receive->size < queue->whole_size;
    receive->frame = (mw_frame){0};
    if (!receive->is_partial)
        receive->frame = (mw_frame){queue->whole, queue->whole_size, queue->whole};
    return true;
}

/* The part is being received. */
static void advance_whole(struct mwi_mpi_queue *queue, const struct mwi_mpi_receive *receive)
{
    queue->whole_asked += receive->size;
    if (receive->is_partial)
        return;
    queue->whole = NULL;
    queue->whole_size = queue->whole_asked = 0;
}

/* Learns the size of a frame whose parts come next. This waits for eight bytes, which MPI sends
 * along with the envelope that has been matched. */
static mw_error begin_whole(struct look *look)
{
    struct mwi_mpi_receives *receives = look->receives;
    struct mwi_mpi_queue *queue = &receives->queues[receives->stuck_status.MPI_SOURCE];
    unsigned char note[MWI_MPI_NUMBER_BYTES] = {0};
    mw_error error =
        mwi_mpi_check(MPI_Mrecv(note, sizeof note, MPI_BYTE, &receives->stuck, MPI_STATUS_IGNORE),
                      "MPI_Mrecv", look->why);

    queue->whole_size = (size_t)mwi_mpi_get_number(note);
    queue->whole_asked = 0;
    return error;
}

/* Starts to receive the stuck message. */
static mw_error start(struct look *look, struct mwi_mpi_receive *receive)
{
    struct mwi_mpi_receives *receives = look->receives;
    struct mwi_mpi_queue *queue = &receives->queues[receives->stuck_status.MPI_SOURCE];
    bool is_part = mwi_mpi_tag_kind(receives->stuck_status.MPI_TAG) == MWI_MPI_PART;
    int size = 0;
    mw_error error = mwi_mpi_check(MPI_Get_count(&receives->stuck_status, MPI_BYTE, &size),
                                   "MPI_Get_count", look->why);

    if (error != MW_OK)
        return error;
    receive->rank = receives->stuck_status.MPI_SOURCE;
    receive->tag = receives->stuck_status.MPI_TAG;
    receive->size = (size_t)size;
    if (is_part && receive->size > queue->whole_size - queue->whole_asked)
        return mwi_mpi_fail(look->why, MW_ENETWORK, "rank %d sent more of a frame than its size",
                            receive->rank);
    if (is_part ? !make_part_room(queue, receive) : !make_room(receives, receive))
        return mwi_mpi_fail(look->why, MW_ENOMEM, "out of memory for a message of %zu bytes",
                            is_part ? queue->whole_size : receive->size);
    error = mwi_mpi_check(
        MPI_Imrecv(receive->data, size, MPI_BYTE, &receives->stuck, &receive->request),
        "MPI_Imrecv", look->why);
    if (error != MW_OK && !is_part)
        free(receive->frame.block);
    else if (error == MW_OK && is_part)
        advance_whole(queue, receive);
    look->bytes += receive->size;
    return error;
}

/* Puts the spare, which is being received, into its queue; the buffer goes with it if it is used. */
static void wait_for(struct mwi_mpi_receives *receives)
{
    struct mwi_mpi_receive *receive = receives->spare;

    receives->spare = NULL;
    if (receive->data == receives->buffer) {
        receive->frame.block = receives->buffer;
        receives->buffer = NULL;
    }
    append(receives, receive);
}

static mw_error take(struct look *look)
{
    struct mwi_mpi_receives *receives = look->receives;
    struct mwi_mpi_receive *receive = receives->spare;
    bool done = false;
    mw_error error;

    if (mwi_mpi_tag_kind(receives->stuck_status.MPI_TAG) == MWI_MPI_SIZE)
        return begin_whole(look);
    error = start(look, receive);
    if (error == MW_OK && receives->queues[receive->rank].first == NULL)
        error = test(receive, &done, look->why);
    if (error != MW_OK)
        return error;
    if (done)
        hand_on(look, receive);
    else
        wait_for(receives);
    return MW_OK;
}

/* All that a message may need apart from a block of its own. */
static bool prepare(struct mwi_mpi_receives *receives)
{
    if (receives->spare == NULL)
        receives->spare = malloc(sizeof *receives->spare);
    if (receives->buffer == NULL)
        receives->buffer = malloc(BLOCK_BYTES_MIN);
    return receives->spare != NULL && receives->buffer != NULL;
}

/* Matches the next message, unless one is stuck; *found tells whether there is one now. Asks twice:
 * Open MPI first looks through what it has, and only then at what has come. */
static mw_error match(struct look *look, bool *found)
{
    struct mwi_mpi_receives *receives = look->receives;
    MPI_Message message;
    int flag = 0;
    mw_error error = MW_OK;

    *found = receives->stuck != MPI_MESSAGE_NULL;
    if (*found)
        return MW_OK;
    for (int i = 0; i < 2 && error == MW_OK && !flag; i++)
        error = mwi_mpi_check(MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, look->world->comm, &flag,
                                          &message, &receives->stuck_status),
                              "MPI_Improbe", look->why);
    *found = error == MW_OK && flag != 0;
    if (*found)
        receives->stuck = message;
    return error;
}

/* Lets MPI see what has come. While it still has messages that it saw before, Open MPI does not look
 * for others, and asking for one of them may copy it at once: parts of a frame from one rank would
 * keep out what the others send. A probe that finds nothing looks. */
static mw_error let_others_in(const struct look *look)
{
    int flag;
    return mwi_mpi_check(
        MPI_Iprobe(MPI_ANY_SOURCE, MWI_MPI_NOTHING, look->world->comm, &flag, MPI_STATUS_IGNORE),
        "MPI_Iprobe", look->why);
}

static mw_error look_for_new(struct look *look)
{
    bool found = true;
    mw_error error = MW_OK;

    while (error == MW_OK && look->budget-- > 0 && look->bytes < BYTES_PER_LOOK_MAX) {
        if (!prepare(look->receives))
            return mwi_mpi_fail(look->why, MW_ENOMEM, "out of memory");
        error = match(look, &found);
        if (error != MW_OK || !found)
            break;
        error = take(look);
    }
    return error == MW_OK && look->bytes >= BYTES_PER_LOOK_MAX ? let_others_in(look) : error;
}

mw_error mwi_mpi_receives_look(struct mwi_mpi_receives *receives, const struct mwi_mpi_world *world,
                               mwi_mpi_arrived *arrived, void *context, mw_reason *why)
{
    struct look look = {receives, world, arrived, context, why, MESSAGES_PER_LOOK_MAX, 0};
    mw_error error = look_at_waiting(&look);

    return error == MW_OK ? look_for_new(&look) : error;
}
