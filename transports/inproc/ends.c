/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections, and the events that wait for their ends. inproc.c calls all of this. Rules:
 *
 * - An end is forgotten when it is dropped or its down is handed out. Events that wait for a
 *   forgotten end are thrown away when their turn comes.
 * - The up and the down of an end are part of it, so that leaving needs no memory. So they are
 *   taken out of the inbox before the end is freed.
 * - side->arrived_count is the sum of the inboxes of the side's transports.
 */
#include "ends.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/body.h"

enum event_kind { EVENT_UP, EVENT_FRAME, EVENT_DOWN };

struct waiting_event {
    struct mwi_list link; /* in an inbox, or in none */
    enum event_kind kind;
    mw_peer peer;
    void *frame; /* malloc'd; may be NULL if it is empty */
    size_t size; /* in a down: of the frame that was too large, or 0 */
};

struct mwi_inproc_end {
    struct mwi_inproc_transport *inproc;
    struct mwi_inproc_end *other; /* NULL: forgotten, or never there */
    mw_peer number;
    bool was_up;    /* its up was handed out */
    bool is_broken; /* its down waits: nothing else may arrive */
    struct waiting_event up, down;
};

struct mwi_inproc_transport *mwi_inproc_ends_listener(const struct mwi_turns_side *side)
{
    for (const struct mwi_list *link = side->transports.next; link != &side->transports;
         link = link->next) {
        struct mwi_inproc_transport *inproc =
            MWI_LIST_ENTRY(link, struct mwi_inproc_transport, link);
        if (inproc->is_listening)
            return inproc;
    }
    return NULL;
}

static void put_event(struct mwi_inproc_transport *inproc, struct waiting_event *event)
{
    mwi_list_append(&inproc->inbox, &event->link);
    inproc->inbox_count++;
    inproc->side->arrived_count++;
}

static void take_event(struct mwi_inproc_transport *inproc, struct waiting_event *event)
{
    if (mwi_list_is_empty(&event->link))
        return;
    assert(inproc->inbox_count > 0 && inproc->side->arrived_count > 0);
    mwi_list_remove(&event->link);
    inproc->inbox_count--;
    inproc->side->arrived_count--;
}

static bool reserve_peer(struct mwi_inproc_transport *inproc)
{
    if (inproc->peers_count < inproc->peers_capacity)
        return true;
    size_t capacity = inproc->peers_capacity == 0 ? 4 : inproc->peers_capacity * 2;
    struct mwi_inproc_end **peers = realloc(inproc->peers, capacity * sizeof *peers);
    if (peers == NULL)
        return false;
    inproc->peers = peers;
    inproc->peers_capacity = capacity;
    return true;
}

static struct mwi_inproc_end *create_end(struct mwi_inproc_transport *inproc)
{
    struct mwi_inproc_end *end = reserve_peer(inproc) ? calloc(1, sizeof *end) : NULL;
    if (end == NULL)
        return NULL;
    inproc->peers[inproc->peers_count++] = end;
    end->inproc = inproc;
    end->number = inproc->peers_count;
    end->up.kind = EVENT_UP;
    end->down.kind = EVENT_DOWN;
    end->up.peer = end->down.peer = end->number;
    mwi_list_init(&end->up.link);
    mwi_list_init(&end->down.link);
    return end;
}

static void forget(struct mwi_inproc_end *end)
{
    take_event(end->inproc, &end->up);
    take_event(end->inproc, &end->down);
    end->inproc->peers[end->number - 1] = NULL;
    if (end->other != NULL)
        end->other->other = NULL;
    free(end);
}

/* The end goes down when it has handed out everything that waits for it. */
static void break_end(struct mwi_inproc_end *end, size_t oversize_bytes)
{
    if (end->is_broken)
        return;
    end->is_broken = true;
    end->down.size = oversize_bytes;
    put_event(end->inproc, &end->down);
}

bool mwi_inproc_ends_connect(struct mwi_inproc_transport *inproc, mw_peer *peer)
{
    struct mwi_inproc_transport *listener = mwi_inproc_ends_listener(inproc->side->other);
    struct mwi_inproc_end *end = create_end(inproc);
    if (end == NULL)
        return false;
    if (listener == NULL) {
        break_end(end, 0);
    } else {
        end->other = create_end(listener);
        if (end->other == NULL) {
            forget(end);
            return false;
        }
        end->other->other = end;
        put_event(inproc, &end->up);
        put_event(listener, &end->other->up);
    }
    *peer = end->number;
    return true;
}

struct mwi_inproc_end *mwi_inproc_ends_find(const struct mwi_inproc_transport *inproc, mw_peer peer)
{
    return peer >= 1 && peer <= inproc->peers_count ? inproc->peers[peer - 1] : NULL;
}

/* Takes the frame, which goes nowhere. */
static mw_error throw_away(void *frame, const mw_body *body)
{
    free(frame);
    mwi_body_release(body);
    return MW_OK;
}

/* Takes frame and body as one block. false: out of memory; both are then unchanged. */
static bool put_frame(struct mwi_inproc_end *end, void *frame, size_t size, const mw_body *body)
{
    struct waiting_event *event = malloc(sizeof *event);
    if (event == NULL)
        return false;
    *event = (struct waiting_event){.kind = EVENT_FRAME,
                                    .peer = end->number,
                                    .frame = frame,
                                    .size = size + mwi_body_size(body)};
    if (body != NULL)
        event->frame = mwi_body_join(frame, size, body);
    if (body != NULL && event->frame == NULL) {
        free(event);
        return false;
    }
    put_event(end->inproc, event);
    return true;
}

mw_error mwi_inproc_ends_send(struct mwi_inproc_transport *inproc, mw_peer peer, void *frame,
                              size_t size, const mw_body *body)
{
    struct mwi_inproc_end *end = mwi_inproc_ends_find(inproc, peer);
    if (end == NULL)
        return MW_EPEER;
    if (mwi_body_is_too_big(size, body, inproc->config.frame_bytes_max))
        return MW_ETOOBIG;
    if (end->other == NULL || end->other->is_broken)
        return throw_away(frame, body);
    size_t whole = size + mwi_body_size(body);
    if (whole <= end->other->inproc->config.frame_bytes_max)
        return put_frame(end->other, frame, size, body) ? MW_OK : MW_ENOMEM;
    break_end(end->other, whole);
    break_end(end, 0);
    return throw_away(frame, body);
}

void mwi_inproc_ends_leave(struct mwi_inproc_end *end)
{
    if (end->other != NULL)
        break_end(end->other, 0);
    forget(end);
}

static void deliver_down(struct mwi_inproc_transport *inproc, struct mwi_inproc_end *end)
{
    mw_peer number = end->number;
    char reason[96];
    if (end->down.size > 0)
        snprintf(reason, sizeof reason, "a frame of %zu bytes is over the limit of %zu",
                 end->down.size, inproc->config.frame_bytes_max);
    else
        snprintf(reason, sizeof reason, "%s",
                 end->was_up ? "closed by the peer" : "nobody listens in this process");
    forget(end);
    inproc->config.events->down(inproc->config.context, number, reason);
}

/* Takes the oldest event out of the inbox and calls it. Returns whether it was for an end that is
 * still there. */
static bool deliver_first(struct mwi_inproc_transport *inproc)
{
    struct waiting_event *event = MWI_LIST_ENTRY(inproc->inbox.next, struct waiting_event, link);
    struct mwi_inproc_end *end = mwi_inproc_ends_find(inproc, event->peer);
    enum event_kind kind = event->kind;
    take_event(inproc, event);
    if (kind == EVENT_UP) {
        end->was_up = true;
        inproc->config.events->up(inproc->config.context, end->number, MWI_INPROC_ADDRESS);
    } else if (kind == EVENT_DOWN) {
        deliver_down(inproc, end);
    } else {
        if (end != NULL)
            mwi_body_hand_out(&inproc->config, event->peer, event->frame, event->size);
        else
            free(event->frame);
        free(event);
    }
    return end != NULL;
}

bool mwi_inproc_ends_deliver(struct mwi_inproc_transport *inproc)
{
    bool has_delivered = false;
    for (size_t left = inproc->inbox_count; left > 0 && inproc->inbox_count > 0; left--)
        if (deliver_first(inproc))
            has_delivered = true;
    return has_delivered;
}

void mwi_inproc_ends_leave_all(struct mwi_inproc_transport *inproc)
{
    for (size_t i = 0; i < inproc->peers_count; i++)
        if (inproc->peers[i] != NULL)
            mwi_inproc_ends_leave(inproc->peers[i]);
    while (inproc->inbox_count > 0)
        (void)deliver_first(inproc);
    free(inproc->peers);
}
