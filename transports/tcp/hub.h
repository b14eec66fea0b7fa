/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that the connections and listeners of one transport object share.
 */
#ifndef MWI_TCP_HUB_H
#define MWI_TCP_HUB_H

#include <stddef.h>
#include <sys/queue.h>

#include <mw/transport.h>

#include "base/map.h"
#include "poller.h"
#include "stream.h"

/* The size of `shared`: one call reads at most this many bytes, which bounds the work for one
 * connection. */
#define MWI_TCP_SHARED_BYTES ((size_t)256 * 1024)

TAILQ_HEAD(mwi_tcp_conns, mwi_tcp_conn);
TAILQ_HEAD(mwi_tcp_lingers, mwi_tcp_linger);

struct mwi_tcp_batch;
struct mwi_tcp_porch;
struct mwi_tcp_tls;

struct mwi_tcp_hub {
    mw_transport_config config;
    struct mwi_tcp_poller poller;
    mwi_tcp_stream_open_fn *open_stream; /* makes the stream of each connection */
    void *stream_context;                /* its first argument; borrowed */
    struct mwi_tcp_tls *tls;             /* what encrypted streams share; NULL: there are none */
    struct mwi_map peers; /* from a peer's number to its connection, until it is down or dropped */
    mw_peer last_peer;    /* numbers count up from 1 and are never given twice */
    struct mwi_tcp_conns conns; /* all that are not dead */
    struct mwi_tcp_conns dirty; /* those with frames that were queued since the last turn */
    struct mwi_tcp_conns again; /* those to be read in the next turn, readable or not */
    struct mwi_tcp_conns dead;  /* closed; freed at the end of a poll, when no callback uses them */
    struct mwi_tcp_lingers lingers;
    struct mwi_tcp_porch *porch; /* NULL unless this end listens on a network */
    size_t events_count;         /* calls of config.events so far */
    struct mwi_tcp_batch *batch; /* pieces of one write (outbox.h), of the connection that writes */
    unsigned char *shared;       /* input, of the connection or the linger that reads */
};

/* Copies the config. Streams are encrypted if its environment has a key for one side, else plain.
 * Errors: MW_EUNAVAILABLE if this build cannot encrypt; MW_ENETWORK with errno if the system
 * refuses an event loop; MW_ENOMEM. The caller must close the hub after an error, too. */
mw_error mwi_tcp_hub_open(struct mwi_tcp_hub *hub, const mw_transport_config *config);

/* Frees the shared parts. Before this call tcp.c must have ended all connections and lingers, and
 * have taken all descriptors out of the poller. */
void mwi_tcp_hub_close(struct mwi_tcp_hub *hub);

#endif
