/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of messages between two ranks. The functions of mpi.c call it. A link begins with the
 * connecting rank's hello. The answer is a welcome, or a bye if the rank does not listen. A link
 * ends when each end has sent exactly one bye, so that counting them tells whether a message can
 * still be on its way. Messages that arrive after we sent our bye and before theirs are thrown
 * away. All of this is in the tags: only frames, and the notes of their sizes, have a body. A new
 * kind of message is a kind in tags.h and a case of the switch here.
 */
#include "protocol.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/body.h"
#include "tags.h"

static bool signal_link(struct mwi_mpi_transport *mpi, const struct mwi_mpi_link_entry *link,
                        enum mwi_mpi_kind kind)
{
    return mwi_mpi_sends_signal(&mpi->sends, &mpi->ranks, link->rank,
                                mwi_mpi_tag(kind, link->number, link->is_ours));
}

/* The next number, from 1 up, that names no link to this rank. */
static int next_number(struct mwi_mpi_transport *mpi, int rank)
{
    int number_max = mpi->ranks.tag_max >> MWI_MPI_NUMBER_SHIFT;
    do {
        mpi->last_number = mpi->last_number >= number_max ? 1 : mpi->last_number + 1;
    } while (mwi_mpi_links_of_wire(&mpi->links, rank, mpi->last_number, true) != NULL);
    return mpi->last_number;
}

mw_error mwi_mpi_protocol_connect(struct mwi_mpi_transport *mpi, int rank, mw_peer *peer,
                                  mw_reason *why)
{
    struct mwi_mpi_link_entry *link =
        mwi_mpi_links_add(&mpi->links, rank, next_number(mpi, rank), true);
    if (link == NULL)
        return mwi_mpi_why_fail(why, MW_ENOMEM, "out of memory");
    if (!signal_link(mpi, link, MWI_MPI_HELLO)) {
        mwi_mpi_links_remove(&mpi->links, link);
        *why = mpi->sends.failure;
        return MW_ENETWORK;
    }
    mwi_backoff_active(&mpi->backoff);
    *peer = link->peer;
    return MW_OK;
}

/* Sends the size of a frame that the other end would not take, in place of the frame. */
static mw_error post_oversize(struct mwi_mpi_transport *mpi, struct mwi_mpi_link_entry *link,
                              size_t size)
{
    unsigned char *note = malloc(MWI_MPI_NUMBER_BYTES);
    if (note == NULL)
        return MW_ENOMEM;
    mwi_mpi_put_number(note, size);
    if (mwi_mpi_sends_post(&mpi->sends, &mpi->ranks, link,
                           mwi_mpi_tag(MWI_MPI_OVERSIZE, link->number, link->is_ours), note,
                           MWI_MPI_NUMBER_BYTES, NULL) == MW_OK)
        return MW_OK;
    free(note);
    return MW_ENOMEM;
}

mw_error mwi_mpi_protocol_send(struct mwi_mpi_transport *mpi, mw_peer peer, void *frame,
                               size_t size, const mw_body *body)
{
    struct mwi_mpi_link_entry *link = mwi_mpi_links_of_peer(&mpi->links, peer);
    if (link == NULL)
        return MW_EPEER;
    if (mwi_body_is_too_big(size, body, mpi->config.frame_bytes_max))
        return MW_ETOOBIG;
    mwi_backoff_active(&mpi->backoff);
    if (!mwi_body_is_too_big(size, body, (uint64_t)mpi->ranks.cards[link->rank].frame_bytes_max))
        return mwi_mpi_sends_post(&mpi->sends, &mpi->ranks, link,
                                  mwi_mpi_tag(MWI_MPI_FRAME, link->number, link->is_ours), frame,
                                  size, body);
    if (post_oversize(mpi, link, size + mwi_body_size(body)) != MW_OK)
        return MW_ENOMEM;
    free(frame);
    mwi_body_release(body);
    return MW_OK;
}

void mwi_mpi_protocol_leave(struct mwi_mpi_transport *mpi, struct mwi_mpi_link_entry *link)
{
    if (signal_link(mpi, link, MWI_MPI_BYE) && !mwi_mpi_near_is_broken(&mpi->near, link->rank))
        mpi->byes_due_count++;
    mwi_mpi_links_remove(&mpi->links, link);
}

void mwi_mpi_protocol_leave_all(struct mwi_mpi_transport *mpi)
{
    for (size_t i = 0; i < mpi->links.slots_count; i++) {
        if (mpi->links.slots[i].peer != 0)
            mwi_mpi_protocol_leave(mpi, &mpi->links.slots[i]);
    }
}

static void tell_up(struct mwi_mpi_transport *mpi, struct mwi_mpi_link_entry *link)
{
    char name[32];
    link->is_up = true;
    mpi->events_count++;
    snprintf(name, sizeof name, "rank %d", (int)mpi->ranks.cards[link->rank].parent_rank);
    mpi->config.events->up(mpi->config.context, link->peer, name);
}

static void tell_down(struct mwi_mpi_transport *mpi, mw_peer peer, const char *reason)
{
    mpi->events_count++;
    mpi->config.events->down(mpi->config.context, peer, reason);
}

static void got_hello(struct mwi_mpi_transport *mpi, int rank, int number)
{
    struct mwi_mpi_link_entry *link = NULL;
    if (mpi->is_listening)
        link = mwi_mpi_links_add(&mpi->links, rank, number, false);
    if (link == NULL) {
        if (mwi_mpi_sends_signal(&mpi->sends, &mpi->ranks, rank,
                                 mwi_mpi_tag(MWI_MPI_BYE, number, false)))
            mpi->byes_due_count++;
        return;
    }
    link->has_failed = !signal_link(mpi, link, MWI_MPI_WELCOME);
    tell_up(mpi, link);
}

static void got_bye(struct mwi_mpi_transport *mpi, struct mwi_mpi_link_entry *link)
{
    mw_peer peer = link->peer;
    bool was_up = link->is_up;
    signal_link(mpi, link, MWI_MPI_BYE);
    mwi_mpi_links_remove(&mpi->links, link);
    tell_down(mpi, peer, was_up ? "closed by the peer" : "connection refused");
}

static void got_frame(struct mwi_mpi_transport *mpi, const struct mwi_mpi_link_entry *link,
                      mw_frame *frame)
{
    mpi->events_count++;
    mpi->config.events->message(mpi->config.context, link->peer, frame);
}

static void got_oversize(struct mwi_mpi_transport *mpi, struct mwi_mpi_link_entry *link,
                         const mw_frame *frame)
{
    mw_peer peer = link->peer;
    uint64_t size = frame->size < MWI_MPI_NUMBER_BYTES ? 0 : mwi_mpi_get_number(frame->data);
    char reason[96];
    snprintf(reason, sizeof reason, "a frame of %" PRIu64 " bytes is over the limit of %zu", size,
             mpi->config.frame_bytes_max);
    mwi_mpi_protocol_leave(mpi, link);
    tell_down(mpi, peer, reason);
}

static void got_for_link(struct mwi_mpi_transport *mpi, struct mwi_mpi_link_entry *link,
                         enum mwi_mpi_kind kind, mw_frame *frame)
{
    if (kind == MWI_MPI_FRAME)
        got_frame(mpi, link, frame);
    else if (kind == MWI_MPI_WELCOME)
        tell_up(mpi, link);
    else if (kind == MWI_MPI_BYE)
        got_bye(mpi, link);
    else if (kind == MWI_MPI_OVERSIZE)
        got_oversize(mpi, link, frame);
}

static void arrived(void *context, int rank, int tag, mw_frame *frame)
{
    struct mwi_mpi_transport *mpi = context;
    int number = tag >> MWI_MPI_NUMBER_SHIFT;
    bool is_by_connector = (tag & MWI_MPI_BY_CONNECTOR) != 0;
    enum mwi_mpi_kind kind = mwi_mpi_tag_kind(tag);
    struct mwi_mpi_link_entry *link =
        mwi_mpi_links_of_wire(&mpi->links, rank, number, !is_by_connector);
    if (link != NULL)
        got_for_link(mpi, link, kind, frame);
    else if (kind == MWI_MPI_HELLO)
        got_hello(mpi, rank, number);
    else if (kind == MWI_MPI_BYE)
        mpi->byes_due_count--;
}

/* Takes down the links to which MPI refused to send. */
static void report_failures(struct mwi_mpi_transport *mpi)
{
    mw_reason failure = mpi->sends.failure;
    mpi->sends.failure.text[0] = 0;
    for (size_t i = 0; i < mpi->links.slots_count; i++) {
        struct mwi_mpi_link_entry *link = &mpi->links.slots[i];
        mw_peer peer = link->peer;
        if (peer == 0 || !link->has_failed)
            continue;
        mwi_mpi_protocol_leave(mpi, link);
        tell_down(mpi, peer, failure.text);
    }
}

/* Lets the links to a rank go down whose shared memory makes no sense. */
static void fail_links(struct mwi_mpi_transport *mpi, int rank)
{
    for (size_t i = 0; i < mpi->links.slots_count; i++)
        if (mpi->links.slots[i].peer != 0 && mpi->links.slots[i].rank == rank)
            mpi->links.slots[i].has_failed = true;
    (void)mwi_mpi_why_fail(&mpi->sends.failure, MW_ENETWORK,
                           "a malformed message in shared memory");
}

mw_error mwi_mpi_protocol_look(struct mwi_mpi_transport *mpi, size_t *done_count, mw_reason *why)
{
    size_t done = mwi_mpi_sends_test(&mpi->sends, &mpi->links) + mwi_mpi_near_flush(&mpi->near);
    uint64_t parts_count = mpi->receives.parts_count;
    mw_error error;
    if (mpi->sends.failure.text[0] != 0)
        report_failures(mpi);
    error = mwi_mpi_receives_look(&mpi->receives, &mpi->ranks, arrived, mpi, why);
    for (int rank; (rank = mwi_mpi_near_find_broken(&mpi->near)) >= 0;)
        fail_links(mpi, rank);
    *done_count += done;
    if (mpi->receives.parts_count != parts_count)
        mwi_backoff_active(&mpi->backoff);
    return error;
}

bool mwi_mpi_protocol_quiet(const struct mwi_mpi_transport *mpi)
{
    return mpi->byes_due_count == 0 && mpi->sends.count == 0 && mpi->near.waiting_count == 0 &&
           mpi->receives.waiting_count == 0;
}
