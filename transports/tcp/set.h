/* SPDX-License-Identifier: Apache-2.0
 *
 * A set of descriptors that are waited for: an epoll set, which is a descriptor itself and may lie
 * in another set.
 */
#ifndef MWI_TCP_SET_H
#define MWI_TCP_SET_H

#include <stdbool.h>
#include <stdint.h>

/* A descriptor that is waited for; embedded in its owner, who keeps it where it is until the turn
 * in which it was taken out is over. */
struct mwi_tcp_awaited {
    int fd;
    uint32_t events; /* EPOLLIN, EPOLLOUT or both; 0: not in a set */
    /* `fd` has some of these events, or EPOLLERR or EPOLLHUP. Called in a turn, possibly after
     * another call of the same turn has taken it out. */
    void (*ready)(void *context, uint32_t events);
    void *context;
};

struct mwi_tcp_set {
    int fd; /* -1: not open */
    bool has_no_pwait2;
};

/* False with errno if the system refuses; the set may be closed all the same. */
bool mwi_tcp_set_open(struct mwi_tcp_set *set);
void mwi_tcp_set_close(struct mwi_tcp_set *set);

/* From now on the set waits for these events of the descriptor; 0 takes it out. Take it out before
 * it is closed: the set keeps it as long as a process that was forked off has a copy. False with
 * errno if the kernel refuses; the descriptor is then waited for as before. */
bool mwi_tcp_set_change(const struct mwi_tcp_set *set, struct mwi_tcp_awaited *awaited,
                        uint32_t events);

/* Waits until a descriptor is ready or wait_ns have passed, and calls what is ready. It may return
 * early. 0 does not wait, INT64_MAX waits for ever. False with errno if the system refuses. */
bool mwi_tcp_set_serve(struct mwi_tcp_set *set, int64_t wait_ns);

/* Calls the next descriptor that is ready, without waiting; false if there is none. The kernel
 * turns to each descriptor before it comes back to the first one. */
bool mwi_tcp_set_serve_one(const struct mwi_tcp_set *set);

#endif
