/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated network: connections between the transports of hosts, and the items that are under
 * way on them. sim.c makes a transport of it, fault.c kills hosts and cuts places off, world.c
 * ends hosts and worlds. Reasons are constant strings, which are borrowed for ever.
 */
#ifndef MWI_SIM_NET_H
#define MWI_SIM_NET_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/sim.h>
#include <mw/transport.h>

#include "agenda.h"
#include "base/list.h"
#include "node.h"
#include "way.h"

/* One end of a connection, and the way to it. The fields that each frame needs come first, in one
 * line of the cache. */
struct mwi_sim_end {
    alignas(64) struct mwi_sim_way way; /* first, so that the event of an arrival is the end */
    struct mwi_sim_connection *connection;
    struct mwi_sim_transport *transport; /* NULL: not accepted yet, or left */
    mw_peer number;                      /* at the transport */
    struct mwi_sim_node *node;
    struct mwi_list node_link;           /* in node->ends */
    struct mwi_sim_end *previous, *next; /* of the same transport */
    struct mwi_sim_item up, down;
    bool is_down_used;       /* `down` is or was under way */
    const char *down_reason; /* NULL: a frame of oversize_bytes arrived, which was too large */
    size_t oversize_bytes;
};

/* Lives as long as a transport holds one of its ends or one of its items is under way or in an
 * inbox. */
struct mwi_sim_connection {
    struct mwi_sim_event notice; /* of a cut; first, so that the event is the connection */
    mw_sim *sim;
    size_t uses_count;
    struct mwi_sim_item connect;
    struct mwi_sim_end ends[2]; /* 0: the side that connected */
};

/* Made and freed by sim.c; one that its host left open is freed by mwi_sim_net_free_host. */
struct mwi_sim_transport {
    mw_sim_host *host;
    struct mwi_sim_item_queue inbox;
    size_t inbox_count;
    struct mwi_sim_end **peers; /* by number - 1; NULL: gone */
    size_t peers_count, peers_capacity;
    mw_transport_config config;
    struct mwi_sim_end *ends;       /* those that are not gone */
    struct mwi_sim_transport *next; /* of the same host */
};

/* The other end of the same connection. */
struct mwi_sim_end *mwi_sim_net_other(const struct mwi_sim_end *end);

/* Starts to connect to the place of that name, which is copied. *end is valid until it is taken
 * away from its transport. The outcome is an item in the inbox. MW_ENOMEM. */
mw_error mwi_sim_net_connect(struct mwi_sim_transport *transport, const char *name,
                             struct mwi_sim_end **end);

/* The transport's end of that number; NULL if there never was one, or it is gone. */
struct mwi_sim_end *mwi_sim_net_find(const struct mwi_sim_transport *transport, mw_peer peer);

/* Sends a frame away from the end. Takes `data` and the body, which may be NULL, if it returns
 * true; false: out of memory. */
bool mwi_sim_net_send(struct mwi_sim_end *end, void *data, size_t size, const mw_body *body);

/* Takes the end away from its transport. The other side goes down for `reason` after everything
 * that was sent before has arrived. */
void mwi_sim_net_leave(struct mwi_sim_end *end, const char *reason);

/* Takes the end away from its transport without telling the other side. For an end whose down item
 * is being handed out. */
void mwi_sim_net_detach(struct mwi_sim_end *end);

/* The first item of the inbox, taken out; the inbox must not be empty. The caller must discard the
 * item. */
struct mwi_sim_item *mwi_sim_net_take(struct mwi_sim_transport *transport);

/* Frees the item with the data that it still has, and gives up its use of the connection. */
void mwi_sim_net_discard(struct mwi_sim_item *item);

/* Holds back all items of the connection, and lets both ends go down after notice_ns. */
void mwi_sim_net_cut(struct mwi_sim_connection *connection, int64_t notice_ns);

/* Lets the items that were held back set out again. A connection that is not cut stays as it is. */
void mwi_sim_net_heal(struct mwi_sim_connection *connection);

/* Leaves all connections, empties the inbox and listens no more. */
void mwi_sim_net_leave_all(struct mwi_sim_transport *transport, const char *reason);

/* The host is gone from the network: its transports leave all connections, its place is free. */
void mwi_sim_net_leave_host(mw_sim_host *host, const char *reason);

/* Frees the transports that a host which has ended left open. */
void mwi_sim_net_free_host(mw_sim_host *host);

/* Frees all connections of a world whose hosts are all gone. */
void mwi_sim_net_fini(mw_sim *sim);

#endif
