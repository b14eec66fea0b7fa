/* SPDX-License-Identifier: Apache-2.0
 *
 * The connections of the transport inproc. A connection is two ends, each at a transport of one
 * side. An event for an end waits in the inbox of its transport. inproc.c makes a transport of it.
 */
#ifndef MWI_INPROC_ENDS_H
#define MWI_INPROC_ENDS_H

#include <mw/transport.h>

#include "base/turns.h"

/* The address at which a side listens, and the name of its peers. */
#define MWI_INPROC_ADDRESS "this process"

struct mwi_inproc_end;

struct mwi_inproc_transport {
    struct mwi_list link; /* in the side's transports */
    struct mwi_turns_side *side;
    mw_transport_config config;
    bool is_listening;
    struct mwi_inproc_end **peers; /* by number - 1; NULL: gone */
    size_t peers_count, peers_capacity;
    struct mwi_list inbox; /* events that have not been handed out, the oldest first */
    size_t inbox_count;
    int timer_fd; /* -1 until somebody asks for the descriptor */
    int64_t timer_ns;
};

/* The transport of the side that listens; NULL if none does. */
struct mwi_inproc_transport *mwi_inproc_ends_listener(const struct mwi_turns_side *side);

/* Connects to the listener of the other side, or arranges for a down if there is none. false: out
 * of memory. */
bool mwi_inproc_ends_connect(struct mwi_inproc_transport *inproc, mw_peer *peer);

/* The end of that number; NULL if there never was one, or it is gone. */
struct mwi_inproc_end *mwi_inproc_ends_find(const struct mwi_inproc_transport *inproc,
                                            mw_peer peer);

/* As mw_transport_api.send. */
mw_error mwi_inproc_ends_send(struct mwi_inproc_transport *inproc, mw_peer peer, void *frame,
                              size_t size, const mw_body *body);

/* Forgets the end. The other end goes down when it has everything that was sent before. */
void mwi_inproc_ends_leave(struct mwi_inproc_end *end);

/* Calls the events that have arrived until now. Returns whether there was one. */
bool mwi_inproc_ends_deliver(struct mwi_inproc_transport *inproc);

/* Forgets all ends and events, and frees the table of peers. */
void mwi_inproc_ends_leave_all(struct mwi_inproc_transport *inproc);

#endif
