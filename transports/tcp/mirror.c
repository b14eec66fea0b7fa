/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps an epoll set in step with the sockets of a transport. conn.c and listener.c call it
 * whenever they begin to wait for other events of a socket, tcp.c when the set is made.
 *
 * Invariant: once the set is made, it holds the sockets of the listeners and of the connections
 * that are up. Other sockets, and one that the kernel refuses to enter, are served late: in the
 * poll that the caller makes once a second anyway.
 */
#include "mirror.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

void mwi_tcp_mirror_init(struct mwi_tcp_mirror *mirror)
{
    mirror->fd = -1;
}

void mwi_tcp_mirror_open(struct mwi_tcp_mirror *mirror)
{
    assert(mirror->fd < 0);
    mirror->fd = epoll_create1(EPOLL_CLOEXEC);
}

void mwi_tcp_mirror_close(struct mwi_tcp_mirror *mirror)
{
    if (mirror->fd >= 0)
        close(mirror->fd);
    mirror->fd = -1;
}

void mwi_tcp_mirror_set(struct mwi_tcp_mirror *mirror, int fd, uint32_t events)
{
    assert(fd >= 0);
    if (mirror->fd < 0)
        return;
    struct epoll_event event = {.events = events};
    if (events == 0)
        (void)epoll_ctl(mirror->fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(mirror->fd, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT)
        (void)epoll_ctl(mirror->fd, EPOLL_CTL_ADD, fd, &event);
}
