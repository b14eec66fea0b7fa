/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated network: connections between the transports of hosts, and what is under way on
 * them. What sim.c needs of it to be a transport, and world.c to end hosts and worlds.
 */
#ifndef MWI_SIM_NET_H
#define MWI_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/sim.h>
#include <mw/transport.h>

#include "agenda.h"
#include "node.h"
#include "way.h"

/* One end of a connection, and the way to it. */
struct mwi_sim_end {
    struct mwi_sim_way way; /* first, so that the event of an arrival is the end */
    struct mwi_sim_connection *connection;
    struct mwi_sim_node *node;
    struct mwi_sim_transport *transport; /* NULL: not accepted yet, or left */
    struct mwi_sim_end *previous, *next; /* of the same transport */
    mw_peer number;
    struct mwi_sim_item up, down;
    bool down_used;
    const char *down_reason; /* NULL: a frame of oversize_bytes came */
    size_t oversize_bytes;
};

/* Lives as long as a transport holds one of its ends or an item of it is somewhere. */
struct mwi_sim_connection {
    struct mwi_sim_event notice; /* of a cut; first, so that the event is the connection */
    mw_sim *sim;
    struct mwi_sim_connection *previous, *next; /* in the world */
    size_t uses_count;
    struct mwi_sim_item connect;
    struct mwi_sim_end ends[2]; /* 0: the side that connected */
};

struct mwi_sim_transport {
    mw_sim_host *host;
    struct mwi_sim_transport *next; /* of the same host */
    mw_transport_config config;
    struct mwi_sim_end **peers; /* by number - 1; NULL: gone */
    size_t peers_count, peers_capacity;
    struct mwi_sim_end *ends;
    struct mwi_sim_queue inbox;
    size_t inbox_count;
};

/* The other end of the same connection. */
struct mwi_sim_end *mwi_sim_net_other(const struct mwi_sim_end *end);

/* Starts to connect to the place of that name. The outcome is an item in the inbox. */
mw_error mwi_sim_net_connect(struct mwi_sim_transport *transport, const char *name,
                             struct mwi_sim_end **end);

/* The end of that number, NULL if there is none (any more). */
struct mwi_sim_end *mwi_sim_net_find(const struct mwi_sim_transport *transport, mw_peer peer);

/* Sends a frame away from the end. Takes `data` and the body, which may be NULL, if it returns
 * true; false: out of memory. */
bool mwi_sim_net_send(struct mwi_sim_end *end, void *data, size_t size, const mw_body *body);

/* Bytes that were sent from the end and that the network has not taken. */
size_t mwi_sim_net_backlog(const struct mwi_sim_end *end);

/* Takes the end away from its transport; `reason` is what the other side gets to hear after all
 * that was sent. */
void mwi_sim_net_leave(struct mwi_sim_end *end, const char *reason);

/* Takes the end away from its transport, which has been told that it is down. */
void mwi_sim_net_detach(struct mwi_sim_end *end);

/* Takes the first item out of the inbox, which must not be empty; and throws it away. */
struct mwi_sim_item *mwi_sim_net_take(struct mwi_sim_transport *transport);
void mwi_sim_net_discard(struct mwi_sim_item *item);

/* Holds back what is on the connection, and has both ends go down after notice_ns. */
void mwi_sim_net_cut(struct mwi_sim_connection *connection, int64_t notice_ns);

/* Delivers what was held back. Nothing happens if nothing is. */
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
