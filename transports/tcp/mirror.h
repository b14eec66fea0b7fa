/* SPDX-License-Identifier: Apache-2.0
 *
 * The descriptor of mw_transport_api.fd: an epoll set of the sockets that the event loop waits for,
 * since libevent does not hand out its own set. It is made when somebody asks for it, and costs
 * nothing until then.
 */
#ifndef MWI_TCP_MIRROR_H
#define MWI_TCP_MIRROR_H

#include <stdint.h>

struct mwi_tcp_mirror {
    int fd; /* -1 until it is open */
};

void mwi_tcp_mirror_init(struct mwi_tcp_mirror *mirror);

/* Makes the set. The caller enters the sockets that there are already. If the system refuses, the
 * mirror stays as it is. */
void mwi_tcp_mirror_open(struct mwi_tcp_mirror *mirror);

/* Legal also if it is not open. */
void mwi_tcp_mirror_close(struct mwi_tcp_mirror *mirror);

/* From now on the set is readable while `fd` has one of `events`: EPOLLIN, EPOLLOUT or both. 0
 * takes `fd` out. Do that before `fd` is closed: the set keeps it as long as a process that was
 * forked off has a copy. Does nothing unless the mirror is open. */
void mwi_tcp_mirror_set(struct mwi_tcp_mirror *mirror, int fd, uint32_t events);

#endif
