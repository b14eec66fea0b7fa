/* SPDX-License-Identifier: Apache-2.0
 *
 * What the connections and listeners of one transport object share.
 */
#ifndef MWI_TCP_HUB_H
#define MWI_TCP_HUB_H

#include <stddef.h>
#include <sys/queue.h>

#include <event2/event.h>

#include <mw/transport.h>

#include "base/map.h"
#include "outbox.h"

/* One recv() takes at most this much; it bounds the work for one connection in one turn. */
#define MWI_TCP_SHARED_BYTES ((size_t)256 * 1024)

TAILQ_HEAD(mwi_tcp_conns, mwi_tcp_conn);

struct mwi_tcp_hub {
    mw_transport_config config;
    struct event_base *base;
    struct mwi_map peers; /* from a peer's number to its connection, until it is down or dropped */
    mw_peer last_peer;    /* numbers count up from 1 and are never given twice */
    struct mwi_tcp_conns conns; /* all that are alive, those that linger after a drop too */
    struct mwi_tcp_conns dirty; /* those with something queued since the last turn */
    struct mwi_tcp_conns dead;  /* closed; their memory is freed when nobody can be using it */
    int mirror_fd;              /* of mirror.h; -1 until it is asked for */
    size_t events_count;        /* calls of config.events so far */
    struct mwi_tcp_batch *batch;
    unsigned char *shared; /* what was received last, from whichever connection */
};

#endif
