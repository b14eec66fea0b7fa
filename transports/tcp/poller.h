/* SPDX-License-Identifier: Apache-2.0
 *
 * Waits for the sockets of a transport. They are one epoll set, whose descriptor is also the one of
 * mw_transport_api.fd. Beside it runs libevent's loop, for what is seldom and has a time of its
 * own: look-ups of names, dials, lingers, pauses of listeners.
 */
#ifndef MWI_TCP_POLLER_H
#define MWI_TCP_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

#include <mw/error.h>

#include "set.h"

/* All zero before mwi_tcp_poller_open; then it may be closed also after an error. */
struct mwi_tcp_poller {
    struct mwi_tcp_set set;
    struct event_base *base; /* for other files of this folder */
    struct event *set_event; /* the set, as libevent's loop waits for it */
    struct event *time_event;
    bool is_open;
    bool has_failed;
};

/* MW_ENETWORK with errno if the system refuses an event loop; MW_ENOMEM. */
mw_error mwi_tcp_poller_open(struct mwi_tcp_poller *poller);
void mwi_tcp_poller_close(struct mwi_tcp_poller *poller);

/* As mwi_tcp_set_serve, for the set and for libevent's loop. */
bool mwi_tcp_poller_turn(struct mwi_tcp_poller *poller, int64_t wait_ns);

/* A libevent loop for one thread; NULL, with errno, without descriptors or memory. */
struct event_base *mwi_tcp_poller_create_base(void);

#endif
