/* SPDX-License-Identifier: Apache-2.0
 *
 * The epoll set of a transport's sockets, and libevent's loop beside it. conn.c and listener.c put
 * sockets into the set, and tcp.c its wake_fd and its timer; tcp.c and ending.c make the turns.
 *
 * A turn is one system call: epoll_wait, or, for a wait with an end, epoll_pwait2, which waits to
 * the nanosecond. Only while libevent has something to wait for, its loop waits for both: the set
 * is a descriptor of it. libevent's own loop is not used for the sockets, as it reads the clock,
 * keeps lists and rounds to milliseconds in each turn, and does not hand out its set to callers
 * with a loop of their own.
 *
 * Invariant: the set is level-triggered, so nothing is lost if a turn serves only EVENTS_MAX
 * sockets. The kernel turns to the others next.
 */
#include "poller.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"

/* A turn serves at most this many sockets. */
#define EVENTS_MAX 256
/* libevent 2.1 opens this many for an event loop, and some more in case another version does. */
#define DESCRIPTORS_NEEDED 6

/* Whether the process may open enough descriptors. If libevent gets none for its signals, it ends
 * the process instead of failing. */
static bool has_descriptors(void)
{
    int fds[DESCRIPTORS_NEEDED];
    int count = 0;
    while (count < DESCRIPTORS_NEEDED && (fds[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
        count++;
    int error = errno;
    bool has_all = count == DESCRIPTORS_NEEDED;
    while (count > 0)
        close(fds[--count]);
    errno = error;
    return has_all;
}

struct event_base *mwi_tcp_poller_create_base(void)
{
    if (!has_descriptors())
        return NULL;
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    /* There is one thread, and the environment must not change how the loop waits. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
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
static int wait_exactly(struct mwi_tcp_poller *poller, struct epoll_event *events, int64_t wait_ns)
{
    const struct timespec wait = {.tv_sec = (time_t)(wait_ns / MWI_NS_PER_S),
                                  .tv_nsec = (long)(wait_ns % MWI_NS_PER_S)};
    if (!poller->has_no_pwait2) {
        int count = pwait2(poller->fd, events, &wait);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        poller->has_no_pwait2 = true;
    }
    struct pollfd set = {.fd = poller->fd, .events = POLLIN};
    if (ppoll(&set, 1, &wait, NULL) < 0)
        return -1;
    return epoll_wait(poller->fd, events, EVENTS_MAX, 0);
}

static int wait_for_set(struct mwi_tcp_poller *poller, struct epoll_event *events, int64_t wait_ns)
{
    if (wait_ns <= 0 || wait_ns == INT64_MAX)
        return epoll_wait(poller->fd, events, EVENTS_MAX, wait_ns <= 0 ? 0 : -1);
    return wait_exactly(poller, events, wait_ns);
}

/* Waits for the set and calls what is ready; false if the system refuses. */
static bool serve_set(struct mwi_tcp_poller *poller, int64_t wait_ns)
{
    struct epoll_event events[EVENTS_MAX];
    int count = wait_for_set(poller, events, wait_ns);
    for (int i = 0; i < count; i++) {
        const struct mwi_tcp_awaited *awaited = events[i].data.ptr;
        awaited->ready(awaited->context, events[i].events);
    }
    return count >= 0 || errno == EINTR;
}

static void on_set(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct mwi_tcp_poller *poller = context;
    poller->has_failed = !serve_set(poller, 0);
}

static void on_time(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

/* A turn of libevent's loop, which waits for the set too. */
static bool turn_of_libevent(struct mwi_tcp_poller *poller, int64_t wait_ns)
{
    const struct timeval wait = {
        .tv_sec = (time_t)(wait_ns / MWI_NS_PER_S),
        .tv_usec = (suseconds_t)((wait_ns % MWI_NS_PER_S + MWI_NS_PER_US - 1) / MWI_NS_PER_US)};
    bool has_end = wait_ns > 0 && wait_ns != INT64_MAX;
    if (has_end && event_add(poller->time_event, &wait) != 0)
        return false;
    int flags = wait_ns > 0 ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK;
    bool has_turned = event_base_loop(poller->base, flags) >= 0;
    if (has_end)
        event_del(poller->time_event);
    return has_turned && !poller->has_failed;
}

/* Whether libevent waits for anything but the set. */
static bool is_libevent_busy(struct mwi_tcp_poller *poller)
{
    return event_base_get_num_events(poller->base,
                                     EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE) > 1;
}

bool mwi_tcp_poller_turn(struct mwi_tcp_poller *poller, int64_t wait_ns)
{
    return is_libevent_busy(poller) ? turn_of_libevent(poller, wait_ns)
                                    : serve_set(poller, wait_ns);
}

bool mwi_tcp_poller_set(struct mwi_tcp_poller *poller, struct mwi_tcp_awaited *awaited,
                        uint32_t events)
{
    assert(awaited->fd >= 0 && awaited->ready != NULL);
    if (events == awaited->events)
        return true;
    struct epoll_event event = {.events = events, .data.ptr = awaited};
    int operation = awaited->events == 0 ? EPOLL_CTL_ADD
                    : events == 0        ? EPOLL_CTL_DEL
                                         : EPOLL_CTL_MOD;
    if (epoll_ctl(poller->fd, operation, awaited->fd, &event) != 0)
        return false;
    awaited->events = events;
    return true;
}

mw_error mwi_tcp_poller_open(struct mwi_tcp_poller *poller)
{
    *poller = (struct mwi_tcp_poller){.is_open = true};
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    if (poller->fd < 0 || (poller->base = mwi_tcp_poller_create_base()) == NULL)
        return MW_ENETWORK;
    poller->set_event = event_new(poller->base, poller->fd, EV_READ | EV_PERSIST, on_set, poller);
    poller->time_event = evtimer_new(poller->base, on_time, poller);
    if (poller->set_event == NULL || poller->time_event == NULL ||
        event_add(poller->set_event, NULL) != 0)
        return MW_ENOMEM;
    return MW_OK;
}

void mwi_tcp_poller_close(struct mwi_tcp_poller *poller)
{
    if (!poller->is_open)
        return;
    if (poller->set_event != NULL)
        event_free(poller->set_event);
    if (poller->time_event != NULL)
        event_free(poller->time_event);
    if (poller->base != NULL)
        event_base_free(poller->base);
    if (poller->fd >= 0)
        close(poller->fd);
    *poller = (struct mwi_tcp_poller){0};
}
