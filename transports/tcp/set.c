/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of descriptors, by epoll. poller.c has the set of a transport's sockets, and porch.c that of
 * its guests. Connections, listener.c, porch.c and tcp.c put descriptors into them.
 *
 * To serve a set is one system call: epoll_wait, or, for a wait with an end, epoll_pwait2, which
 * waits to the nanosecond.
 *
 * Invariant: a set is level-triggered, so nothing is lost if a call serves only EVENTS_MAX
 * descriptors. The kernel turns to the others next.
 */
#include "set.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"

/* A call serves at most this many descriptors. */
#define EVENTS_MAX 256

bool mwi_tcp_set_open(struct mwi_tcp_set *set)
{
    *set = (struct mwi_tcp_set){.fd = epoll_create1(EPOLL_CLOEXEC)};
    return set->fd >= 0;
}

void mwi_tcp_set_close(struct mwi_tcp_set *set)
{
    if (set->fd >= 0)
        close(set->fd);
    set->fd = -1;
}

bool mwi_tcp_set_change(const struct mwi_tcp_set *set, struct mwi_tcp_awaited *awaited,
                        uint32_t events)
{
    assert(awaited->fd >= 0 && awaited->ready != NULL);
    if (events == awaited->events)
        return true;
    struct epoll_event event = {.events = events, .data.ptr = awaited};
    int operation = awaited->events == 0 ? EPOLL_CTL_ADD
                    : events == 0        ? EPOLL_CTL_DEL
                                         : EPOLL_CTL_MOD;
    if (epoll_ctl(set->fd, operation, awaited->fd, &event) != 0)
        return false;
    awaited->events = events;
    return true;
}

/* glibc has had the function since 2.35 only, Linux the call since 5.11. */
static int pwait2(int fd, struct epoll_event *events, const struct timespec *wait)
{
#ifdef SYS_epoll_pwait2
    return (int)syscall(SYS_epoll_pwait2, fd, events, EVENTS_MAX, wait, NULL, 0);
#else
    (void)fd;
    (void)events;
    (void)wait;
    errno = ENOSYS;
    return -1;
#endif
}

/* Waits for some nanoseconds; returns as epoll_wait does. */
static int wait_exactly(struct mwi_tcp_set *set, struct epoll_event *events, int64_t wait_ns)
{
    const struct timespec wait = {.tv_sec = (time_t)(wait_ns / MWI_NS_PER_S),
                                  .tv_nsec = (long)(wait_ns % MWI_NS_PER_S)};
    if (!set->has_no_pwait2) {
        int count = pwait2(set->fd, events, &wait);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        set->has_no_pwait2 = true;
    }
    struct pollfd one = {.fd = set->fd, .events = POLLIN};
    if (ppoll(&one, 1, &wait, NULL) < 0)
        return -1;
    return epoll_wait(set->fd, events, EVENTS_MAX, 0);
}

static int wait_for_set(struct mwi_tcp_set *set, struct epoll_event *events, int64_t wait_ns)
{
    if (wait_ns <= 0 || wait_ns == INT64_MAX)
        return epoll_wait(set->fd, events, EVENTS_MAX, wait_ns <= 0 ? 0 : -1);
    return wait_exactly(set, events, wait_ns);
}

static void call(const struct epoll_event *event)
{
    const struct mwi_tcp_awaited *awaited = event->data.ptr;
    awaited->ready(awaited->context, event->events);
}

bool mwi_tcp_set_serve(struct mwi_tcp_set *set, int64_t wait_ns)
{
    struct epoll_event events[EVENTS_MAX];
    int count = wait_for_set(set, events, wait_ns);
    for (int i = 0; i < count; i++)
        call(&events[i]);
    return count >= 0 || errno == EINTR;
}

bool mwi_tcp_set_serve_one(const struct mwi_tcp_set *set)
{
    struct epoll_event event;
    if (epoll_wait(set->fd, &event, 1, 0) <= 0)
        return false;
    call(&event);
    return true;
}
