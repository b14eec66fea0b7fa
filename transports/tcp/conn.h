/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection, from the first attempt to its end.
 *
 *     STARTING --start--> UP --drop--> LINGERING --bury--> DEAD
 *         |                |                                ^
 *         +----------------+---------- down, drop ----------+
 *
 * In STARTING there is no socket yet: dial.c makes one. LINGERING ones have no peer number any
 * more: linger.c sees to it that what was written last is not lost. DEAD ones wait to be freed.
 */
#ifndef MWI_TCP_CONN_H
#define MWI_TCP_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "hub.h"
#include "inbox.h"
#include "watch.h"

struct mwi_tcp_dial;

enum mwi_tcp_conn_state {
    MWI_TCP_CONN_STARTING,
    MWI_TCP_CONN_UP,
    MWI_TCP_CONN_LINGERING,
    MWI_TCP_CONN_DEAD
};

/* The fields are for conn.c, linger.c and watch.c. */
struct mwi_tcp_conn {
    struct mwi_tcp_hub *hub;
    TAILQ_ENTRY(mwi_tcp_conn) link;       /* in hub->conns or hub->dead */
    TAILQ_ENTRY(mwi_tcp_conn) dirty_link; /* in hub->dirty if is_dirty */
    mw_peer peer;
    struct mwi_tcp_dial *dial; /* only while STARTING */
    struct event *read_event;
    struct event *write_event; /* made when the network first does not take all */
    int fd;
    int write_error; /* why writing ended; reading goes on to the end of what has come */
    uint8_t state;
    bool is_dirty;
    bool is_blocked; /* write_event is waiting */
    bool is_inet;
    struct mwi_tcp_silence silence;
    int64_t linger_until_ns;
    size_t lingered_bytes;
    struct mwi_tcp_inbox inbox;
    struct mwi_tcp_outbox outbox;
};

/* A new connection in STARTING, with a peer number; NULL if memory is out. */
struct mwi_tcp_conn *mwi_tcp_conn_create(struct mwi_tcp_hub *hub);

/* STARTING to UP: takes the connected socket, and calls the up event with `name`. Only in a poll.
 * If memory is out, calls the down event instead. */
void mwi_tcp_conn_start(struct mwi_tcp_conn *conn, int fd, const char *name);

/* Ends a connection and calls the down event. Only in a poll. */
void mwi_tcp_conn_down(struct mwi_tcp_conn *conn, const char *reason);

/* As mw_transport_api says; the peer has been looked up. */
mw_error mwi_tcp_conn_send(struct mwi_tcp_conn *conn, void *frame, size_t size,
                           const mw_body *body);
void mwi_tcp_conn_drop(struct mwi_tcp_conn *conn);

/* Hands over what is queued for the connections of hub->dirty. */
void mwi_tcp_conn_flush_dirty(struct mwi_tcp_hub *hub);

/* Hands over what the network takes of the outbox and waits for the rest if there is one. 0, or an
 * errno if writing has ended for good. */
int mwi_tcp_conn_write(struct mwi_tcp_conn *conn);

/* The other end is gone or out of reach: nothing more is written. Frames that it sent before may
 * still lie in the socket, so reading goes on, beginning in this turn, and ends with the down. */
void mwi_tcp_conn_fail(struct mwi_tcp_conn *conn, int error);

/* Throws away what is queued. */
void mwi_tcp_conn_forget_queued(struct mwi_tcp_conn *conn);

/* Closes without an event. Its memory stays until mwi_tcp_conn_free_dead. */
void mwi_tcp_conn_bury(struct mwi_tcp_conn *conn);
void mwi_tcp_conn_free_dead(struct mwi_tcp_hub *hub);

#endif
