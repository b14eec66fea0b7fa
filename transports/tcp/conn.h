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

/* Fields are written by conn.c and the files conn_NAME.c only, but `silence` and
 * `proof_looks_count` by watch.c, and `guest` by porch.c. Other files read some. */
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

/* The other end is gone or out of reach: ends the writing. Frames that it sent before may still lie
 * in the socket, so reading goes on, beginning in this turn, and ends with the down event. */
void mwi_tcp_conn_fail(struct mwi_tcp_conn *conn, int error);

/* Whether nothing is queued, neither here nor in the stream. */
bool mwi_tcp_conn_has_written(const struct mwi_tcp_conn *conn);

/* Makes the connection DEAD: closes its stream and throws away its queue, without an event. Its
 * memory stays until mwi_tcp_conn_free_dead. A dead one stays as it is. */
void mwi_tcp_conn_bury(struct mwi_tcp_conn *conn);

/* Frees the dead connections. No callback of any connection may be running. */
void mwi_tcp_conn_free_dead(struct mwi_tcp_hub *hub);

/* The rest is for the files conn_NAME.c. */

/* A connection that is STARTING and no peer yet, in hub->conns; NULL out of memory. */
struct mwi_tcp_conn *mwi_tcp_conn_create(struct mwi_tcp_hub *hub);

/* Gives it a peer number, once. False out of memory. */
bool mwi_tcp_conn_become_peer(struct mwi_tcp_conn *conn);

/* From now on no event is called for the peer. */
void mwi_tcp_conn_forget_peer(struct mwi_tcp_conn *conn);

/* Puts it into hub->dirty, or takes it out; no matter whether it is there. */
static inline void mwi_tcp_conn_put_dirty(struct mwi_tcp_conn *conn)
{
    if (conn->is_dirty)
        return;
    conn->is_dirty = true;
    TAILQ_INSERT_TAIL(&conn->hub->dirty, conn, dirty_link);
}

static inline void mwi_tcp_conn_take_dirty(struct mwi_tcp_conn *conn)
{
    if (conn->is_dirty)
        TAILQ_REMOVE(&conn->hub->dirty, conn, dirty_link);
    conn->is_dirty = false;
}

/* The same for hub->again: it is read in the next turn, though its socket may not be readable.
 * Others get their turn before. */
void mwi_tcp_conn_put_again(struct mwi_tcp_conn *conn);
void mwi_tcp_conn_take_again(struct mwi_tcp_conn *conn);

/* The set in which it waits. */
const struct mwi_tcp_set *mwi_tcp_conn_set(const struct mwi_tcp_conn *conn);

/* Waits from now on until the socket takes more, or no longer. False if the system refuses; it then
 * waits as before. */
bool mwi_tcp_conn_wait_to_write(struct mwi_tcp_conn *conn);
void mwi_tcp_conn_stop_waiting(struct mwi_tcp_conn *conn);

/* Takes the stream out of its set and out of the connection, for the caller to close; NULL without
 * one. */
struct mwi_tcp_stream *mwi_tcp_conn_release_stream(struct mwi_tcp_conn *conn);

/* Ends the connection and calls the down event, or the stranger event for one whose number nobody
 * has been told. Only in a poll, before it is ENDING. */
void mwi_tcp_conn_go_down(struct mwi_tcp_conn *conn, const char *reason);

/* The same, with the words of the stream, or else of an errno. */
void mwi_tcp_conn_go_down_for(struct mwi_tcp_conn *conn, int error);

/* Returns bits of mwi_tcp_stream_wants. */
static inline unsigned mwi_tcp_conn_wants(const struct mwi_tcp_conn *conn)
{
    return conn->stream->api->wants(conn->stream);
}

#endif
