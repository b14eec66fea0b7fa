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

/* A descriptor that is waited for; embedded in its owner, who keeps it where it is until the turn
 * in which it was taken out is over. */
struct mwi_tcp_awaited {
    int fd;
    uint32_t events; /* EPOLLIN, EPOLLOUT or both; 0: not in the set */
    /* `fd` has some of these events, or EPOLLERR or EPOLLHUP. Called in a turn, possibly after
     * another call of the same turn has taken it out. */
    void (*ready)(void *context, uint32_t events);
    void *context;
};

/* All zero before mwi_tcp_poller_open; then it may be closed also after an error. */
struct mwi_tcp_poller {
    struct event_base *base; /* for other files of this folder */
    struct event *set_event; /* the set, as libevent's loop waits for it */
    struct event *time_event;
    int fd; /* of the set */
    bool is_open;
    bool has_failed;
    bool has_no_pwait2;
};

/* MW_ENETWORK with errno if the system refuses an event loop; MW_ENOMEM. */
mw_error mwi_tcp_poller_open(struct mwi_tcp_poller *poller);
void mwi_tcp_poller_close(struct mwi_tcp_poller *poller);

/* From now on turns wait for these events of the descriptor; 0 takes it out. Take it out before it
 * is closed: the set keeps it as long as a process that was forked off has a copy. False with errno
 * if the kernel refuses; the descriptor is then waited for as before. */
bool mwi_tcp_poller_set(struct mwi_tcp_poller *poller, struct mwi_tcp_awaited *awaited,
                        uint32_t events);

/* Waits until a descriptor is ready or wait_ns have passed, and calls what is ready. It may return
 * early. 0 does not wait, INT64_MAX waits for ever. False with errno if the system refuses. */
bool mwi_tcp_poller_turn(struct mwi_tcp_poller *poller, int64_t wait_ns);

/* A libevent loop for one thread; NULL, with errno, without descriptors or memory. */
struct event_base *mwi_tcp_poller_create_base(void);

#endif
