/* SPDX-License-Identifier: Apache-2.0
 *
 * Who says what when. A link begins with the connecting rank's hello, which is answered by a
 * welcome, or by a bye if nobody listens. It ends when each end has sent exactly one bye, so that
 * counting them tells whether anything can still be on its way; what comes between our bye and
 * theirs is received and thrown away. All of this is in the tags: only frames, and the notes of
 * their sizes, have a body.
 */
#include "protocol.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/body.h"
#include "tags.h"

static bool signal_link(struct mwi_mpi_transport *t, const struct mwi_mpi_link *link,
                        enum mwi_mpi_kind kind)
{
    return mwi_mpi_sends_signal(&t->sends, &t->world, link->rank,
                                mwi_mpi_tag(kind, link->number, link->ours));
}

/* The next number that names no link to this rank, from 1 up. */
static int next_number(struct mwi_mpi_transport *t, int rank)
{
    int number_max = t->world.tag_max >> MWI_MPI_NUMBER_SHIFT;

    do {
        t->last_number = t->last_number >= number_max ? 1 : t->last_number + 1;
    } while (mwi_mpi_links_of_wire(&t->links, rank, t->last_number, true) != NULL);
    return t->last_number;
}

mw_error mwi_mpi_protocol_connect(struct mwi_mpi_transport *t, int rank, mw_peer *peer,
                                  mw_reason *why)
{
    struct mwi_mpi_link *link = mwi_mpi_links_add(&t->links, rank, next_number(t, rank), true);

    if (link == NULL)
        return mwi_mpi_fail(why, MW_ENOMEM, "out of memory");
    if (!signal_link(t, link, MWI_MPI_HELLO)) {
        mwi_mpi_links_remove(&t->links, link);
        *why = t->sends.failure;
        return MW_ENETWORK;
    }
    mwi_backoff_active(&t->backoff);
    *peer = link->peer;
    return MW_OK;
}

/* Sends, in place of a frame that the other end would not take, how large it was. */
static mw_error post_oversize(struct mwi_mpi_transport *t, struct mwi_mpi_link *link, size_t size)
{
    unsigned char *note = malloc(MWI_MPI_NUMBER_BYTES);

    if (note == NULL)
        return MW_ENOMEM;
    mwi_mpi_put_number(note, size);
    if (mwi_mpi_sends_post(&t->sends, &t->world, link,
                           mwi_mpi_tag(MWI_MPI_OVERSIZE, link->number, link->ours), note,
                           MWI_MPI_NUMBER_BYTES, NULL) == MW_OK)
        return MW_OK;
    free(note);
    return MW_ENOMEM;
}

mw_error mwi_mpi_protocol_send(struct mwi_mpi_transport *t, mw_peer peer, void *frame, size_t size,
                               const mw_body *body)
{
    struct mwi_mpi_link *link = mwi_mpi_links_of_peer(&t->links, peer);

    if (link == NULL)
        return MW_EPEER;
    if (mwi_body_is_too_big(size, body, t->config.frame_bytes_max))
        return MW_ETOOBIG;
    mwi_backoff_active(&t->backoff);
    if (!mwi_body_is_too_big(size, body, (uint64_t)t->world.cards[link->rank].frame_bytes_max))
        return mwi_mpi_sends_post(&t->sends, &t->world, link,
                                  mwi_mpi_tag(MWI_MPI_FRAME, link->number, link->ours), frame, size,
                                  body);
    if (post_oversize(t, link, size + mwi_body_size(body)) != MW_OK)
        return MW_ENOMEM;
    free(frame);
    mwi_body_release(body);
    return MW_OK;
}

void mwi_mpi_protocol_leave(struct mwi_mpi_transport *t, struct mwi_mpi_link *link)
{
    if (signal_link(t, link, MWI_MPI_BYE))
        t->byes_due_count++;
    mwi_mpi_links_remove(&t->links, link);
}

void mwi_mpi_protocol_leave_all(struct mwi_mpi_transport *t)
{
    for (size_t i = 0; i < t->links.slots_count; i++) {
        if (t->links.slots[i].peer != 0)
            mwi_mpi_protocol_leave(t, &t->links.slots[i]);
    }
}

static void tell_up(struct mwi_mpi_transport *t, struct mwi_mpi_link *link)
{
    char name[32];

    link->up = true;
    t->events_count++;
    snprintf(name, sizeof name, "rank %d", (int)t->world.cards[link->rank].parent_rank);
    t->config.events->up(t->config.context, link->peer, name);
}

static void tell_down(struct mwi_mpi_transport *t, mw_peer peer, const char *reason)
{
    t->events_count++;
    t->config.events->down(t->config.context, peer, reason);
}

static void got_hello(struct mwi_mpi_transport *t, int rank, int number)
{
    struct mwi_mpi_link *link = NULL;

    if (t->listening)
        link = mwi_mpi_links_add(&t->links, rank, number, false);
    if (link == NULL) {
        if (mwi_mpi_sends_signal(&t->sends, &t->world, rank,
                                 mwi_mpi_tag(MWI_MPI_BYE, number, false)))
            t->byes_due_count++;
        return;
    }
    link->failed = !signal_link(t, link, MWI_MPI_WELCOME);
    tell_up(t, link);
}

static void got_bye(struct mwi_mpi_transport *t, struct mwi_mpi_link *link)
{
    mw_peer peer = link->peer;
    bool was_up = link->up;

    signal_link(t, link, MWI_MPI_BYE);
    mwi_mpi_links_remove(&t->links, link);
    tell_down(t, peer, was_up ? "closed by the peer" : "connection refused");
}

static void got_frame(struct mwi_mpi_transport *t, const struct mwi_mpi_link *link, mw_frame *frame)
{
    t->events_count++;
    t->config.events->message(t->config.context, link->peer, frame);
}

static void got_oversize(struct mwi_mpi_transport *t, struct mwi_mpi_link *link,
                         const mw_frame *frame)
{
    mw_peer peer = link->peer;
    uint64_t size = frame->size < MWI_MPI_NUMBER_BYTES ? 0 : mwi_mpi_get_number(frame->data);
    char reason[96];

    snprintf(reason, sizeof reason, "a frame of %" PRIu64 " bytes is over the limit of %zu", size,
             t->config.frame_bytes_max);
    mwi_mpi_protocol_leave(t, link);
    tell_down(t, peer, reason);
}

static void got_for_link(struct mwi_mpi_transport *t, struct mwi_mpi_link *link,
                         enum mwi_mpi_kind kind, mw_frame *frame)
{
    if (kind == MWI_MPI_FRAME)
        got_frame(t, link, frame);
    else if (kind == MWI_MPI_WELCOME)
        tell_up(t, link);
    else if (kind == MWI_MPI_BYE)
        got_bye(t, link);
    else if (kind == MWI_MPI_OVERSIZE)
        got_oversize(t, link, frame);
}

static void arrived(void *context, int rank, int tag, mw_frame *frame)
{
    struct mwi_mpi_transport *t = context;
    int number = tag >> MWI_MPI_NUMBER_SHIFT;
    bool by_connector = (tag & MWI_MPI_BY_CONNECTOR) != 0;
    enum mwi_mpi_kind kind = mwi_mpi_tag_kind(tag);
    struct mwi_mpi_link *link = mwi_mpi_links_of_wire(&t->links, rank, number, !by_connector);

    if (link != NULL)
        got_for_link(t, link, kind, frame);
    else if (kind == MWI_MPI_HELLO)
        got_hello(t, rank, number);
    else if (kind == MWI_MPI_BYE)
        t->byes_due_count--;
}

/* Takes the links down that MPI refused to send to. */
static void report_failures(struct mwi_mpi_transport *t)
{
    mw_reason failure = t->sends.failure;

    t->sends.failure.text[0] = 0;
    for (size_t i = 0; i < t->links.slots_count; i++) {
        struct mwi_mpi_link *link = &t->links.slots[i];
        mw_peer peer = link->peer;

        if (peer == 0 || !link->failed)
            continue;
        mwi_mpi_protocol_leave(t, link);
        tell_down(t, peer, failure.text);
    }
}

mw_error mwi_mpi_protocol_look(struct mwi_mpi_transport *t, size_t *done_count, mw_reason *why)
{
    size_t done = mwi_mpi_sends_test(&t->sends, &t->links);
    uint64_t parts_count = t->receives.parts_count;
    mw_error error;

    if (t->sends.failure.text[0] != 0)
        report_failures(t);
    error = mwi_mpi_receives_look(&t->receives, &t->world, arrived, t, why);
    *done_count += done;
    if (t->receives.parts_count != parts_count)
        mwi_backoff_active(&t->backoff);
    return error;
}

bool mwi_mpi_protocol_quiet(const struct mwi_mpi_transport *t)
{
    return t->byes_due_count == 0 && t->sends.count == 0 && t->receives.waiting_count == 0;
}
