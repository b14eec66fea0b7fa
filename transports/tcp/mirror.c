/* SPDX-License-Identifier: Apache-2.0
 *
 * What cannot be entered is served late, in the poll that a caller makes once a second anyway.
 */
#include "mirror.h"

#include <errno.h>
#include <sys/epoll.h>

#include "conn.h"

int mwi_tcp_mirror_open(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *conn;

    hub->mirror_fd = epoll_create1(EPOLL_CLOEXEC);
    TAILQ_FOREACH(conn, &hub->conns, link)
    if (conn->fd >= 0)
        mwi_tcp_mirror_set(hub, conn->fd, EPOLLIN | (conn->is_blocked ? EPOLLOUT : 0u));
    return hub->mirror_fd;
}

void mwi_tcp_mirror_set(struct mwi_tcp_hub *hub, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events};

    if (hub->mirror_fd < 0)
        return;
    if (events == 0)
        (void)epoll_ctl(hub->mirror_fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(hub->mirror_fd, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT)
        (void)epoll_ctl(hub->mirror_fd, EPOLL_CTL_ADD, fd, &event);
}
