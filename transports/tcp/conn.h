/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection, from the first attempt to its end.
 *
 *     STARTING --connected--> PROVING --proved--> UP --the transport closes--> ENDING
 *         |                      |                |                              |
 *         +------ failed, -------+----------------+----- down, dropped ----------+----> DEAD
 *                 dropped
 *
 * STARTING: a dial looks for a socket. PROVING: the stream proves both ends; a plain stream has
 * nothing to prove and leaves the state at once. UP: the up event was called, and frames pass both
 * ways. A connection that fails while PROVING calls the stranger event if the other end connected
 * to this one, and the down event if not.
 * A peer of a listening end is a guest of the porch (porch.h) until it is admitted.
 * ENDING: the queue is still written, input is thrown away, no event is called. DEAD: closed, and
 * waiting to be freed. If a peer is dropped, its stream may live on as a linger.
 */
#ifndef MWI_TCP_CONN_H
#define MWI_TCP_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "hub.h"
#include "inbox.h"
#include "outbox.h"
#include "porch.h"
#include "silence.h"

struct mwi_tcp_dial;

enum mwi_tcp_conn_state {
    MWI_TCP_CONN_STARTING,
    MWI_TCP_CONN_PROVING,
    MWI_TCP_CONN_UP,
    MWI_TCP_CONN_ENDING,
    MWI_TCP_CONN_DEAD
};

/* Fields are written by conn.c only, but `silence` and `proof_looks_count` by watch.c. ending.c and
 * tcp.c read some. */
struct mwi_tcp_conn {
    struct mwi_tcp_hub *hub;
    TAILQ_ENTRY(mwi_tcp_conn) link;       /* in hub->conns or hub->dead */
    TAILQ_ENTRY(mwi_tcp_conn) dirty_link; /* in hub->dirty if is_dirty */
    TAILQ_ENTRY(mwi_tcp_conn) again_link; /* in hub->again if is_again */
    mw_peer peer; /* 0 while the other end, which connected to this one, is not proved */
    char *name;   /* for the up event; NULL unless PROVING */
    struct mwi_tcp_dial *dial;      /* while STARTING by a dial */
    struct mwi_tcp_awaited awaited; /* while there is a stream */
    struct mwi_tcp_stream *stream;  /* NULL while STARTING and when DEAD */
    size_t ahead_bytes; /* of the queue: written by a signal handler, which could not free them */
    int write_error;    /* why writing ended; reading goes on to the end of what has come */
    uint8_t state;
    uint8_t proof_looks_count; /* at which a connection of this side was still PROVING; watch.c's */
    bool is_dirty;
    bool is_again;
    bool waits_to_write; /* until the socket takes more */
    bool is_inet;
    bool is_server;         /* the other end connected to this one */
    bool is_given;          /* the socket came from the caller, connected */
    size_t frame_bytes_max; /* of frames that come */
    size_t guest_bytes;     /* that were read from a guest */
    struct mwi_tcp_guest guest;
    struct mwi_tcp_silence silence;
    struct mwi_tcp_inbox inbox;
    struct mwi_tcp_outbox outbox;
};

/* Begins a connection to `address` and gives it a peer number, which `peer` receives. The outcome
 * is an up or a down event in a later poll. `is_server` says that this end listens, which an
 * address that is a descriptor leaves open. MW_ENOMEM; the descriptor of an address that has one is
 * then still the caller's. */
mw_error mwi_tcp_conn_dial(struct mwi_tcp_hub *hub, const struct mwi_tcp_address *address,
                           bool is_server, mw_peer *peer);

/* Takes a socket that connected to us. When the other end is proved, it gets a peer number, and the
 * up event is called with `name`; if the proof fails, the stranger event. Only in a poll. Out of
 * memory, the socket is closed without an event. */
void mwi_tcp_conn_accept(struct mwi_tcp_hub *hub, int fd, const char *name);

/* As mw_transport_api.send, send_now and drop; the caller has looked up the peer. */
mw_error mwi_tcp_conn_send(struct mwi_tcp_conn *conn, void *frame, size_t size,
                           const mw_body *body);
bool mwi_tcp_conn_send_now(struct mwi_tcp_conn *conn, void *frame, size_t size);
void mwi_tcp_conn_drop(struct mwi_tcp_conn *conn);

/* As mw_transport_api.admit. */
void mwi_tcp_conn_admit(struct mwi_tcp_conn *conn);

/* Writes the queued frames of the connections in hub->dirty. */
void mwi_tcp_conn_flush_dirty(struct mwi_tcp_hub *hub);

/* Reads the hub's only connection without asking whether it is readable; false if there are others,
 * or none is up. */
bool mwi_tcp_conn_read_only(struct mwi_tcp_hub *hub);

/* A turn of the hub's poller, as mwi_tcp_poller_turn, and of the connections in hub->again. */
bool mwi_tcp_conn_turn(struct mwi_tcp_hub *hub, int64_t wait_ns);

/* The other end is gone or out of reach: ends the writing. Frames that it sent before may still lie
 * in the socket, so reading goes on, beginning in this turn, and ends with the down event. */
void mwi_tcp_conn_fail(struct mwi_tcp_conn *conn, int error);

/* For the close of the transport: UP becomes ENDING; a connection that cannot write is buried. */
void mwi_tcp_conn_end(struct mwi_tcp_conn *conn);

/* Whether nothing is queued, neither here nor in the stream. */
bool mwi_tcp_conn_has_written(const struct mwi_tcp_conn *conn);

/* Makes the connection DEAD: closes its stream and throws away its queue, without an event. Its
 * memory stays until mwi_tcp_conn_free_dead. A dead one stays as it is. */
void mwi_tcp_conn_bury(struct mwi_tcp_conn *conn);

/* Frees the dead connections. No callback of any connection may be running. */
void mwi_tcp_conn_free_dead(struct mwi_tcp_hub *hub);

#endif
