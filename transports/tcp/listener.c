/* SPDX-License-Identifier: Apache-2.0
 *
 * Accepts connections and hands them to conn_guest.c. tcp.c makes the listeners.
 *
 * Invariants: a connection that cannot be accepted never makes the event loop spin. If descriptors
 * or memory run out, the connection that waits keeps the listening socket readable. So all
 * listeners rest for a moment, while the peers that are there go on working. And the last
 * descriptors of the process are the farm's: a connection that gets one of them takes the place of
 * one that is not admitted, or is closed. A check of a peer before it becomes a connection, such as
 * a list of allowed addresses, goes here.
 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "address.h"
#include "base/fork_guard.h"
#include "conn_guest.h"
#include "porch.h"
#include "socket.h"

/* At most this many connections are accepted at once, so that those accepted before have their
 * turn. */
#define ACCEPT_MAX 16
/* The descriptors that are left to the farm; of few descriptors, each RESERVE_PARTth. */
#define RESERVE_MAX 32
#define RESERVE_PART 8
/* The guests of the porch; with few descriptors, each GUESTS_PARTth may be one of a guest. */
#define GUESTS_MAX 1024
#define GUESTS_PART 2
#define REST_MS 100

struct mwi_tcp_listener_entry {
    struct mwi_tcp_listeners *all;
    struct mwi_tcp_listener_entry *next;
    struct mwi_tcp_awaited awaited;
};

/* False if the kernel refuses for a listener. */
static bool wait_for_all(struct mwi_tcp_listeners *listeners, uint32_t events)
{
    bool are_set = true;
    for (struct mwi_tcp_listener_entry *one = listeners->first; one != NULL; one = one->next)
        are_set = mwi_tcp_set_change(&listeners->hub->porch->set, &one->awaited, events) && are_set;
    return are_set;
}

static void rest(struct mwi_tcp_listeners *listeners)
{
    const struct timeval pause = {.tv_usec = REST_MS * 1000};
    if (event_add(listeners->resume, &pause) == 0)
        (void)wait_for_all(listeners, 0);
}

/* If memory is still short, the kernel may refuse to wait. */
static void on_resume(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_listeners *listeners = context;
    (void)fd;
    (void)what;

    if (!wait_for_all(listeners, EPOLLIN))
        rest(listeners);
}

/* How many descriptors this process may have. */
static size_t descriptors_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
        return INT_MAX;
    return (size_t)limit.rlim_cur;
}

static size_t min_size(size_t size, size_t other)
{
    return size < other ? size : other;
}

static bool is_reserved(int fd, size_t descriptors)
{
    return (size_t)fd >= descriptors - min_size(RESERVE_MAX, descriptors / RESERVE_PART);
}

/* Moves a descriptor to the lowest number that is free; -1 if that fails. */
static int lower(int fd)
{
    mwi_fork_guard_begin();
    int lowest = mwi_fork_guard_opened(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    mwi_fork_guard_close(fd);
    return lowest;
}

/* Returns a descriptor of the accepted socket outside of the reserve; -1 if it was closed. */
static int keep_reserve(struct mwi_tcp_porch *porch, int fd, size_t descriptors, const char *name)
{
    if (!is_reserved(fd, descriptors))
        return fd;
    if (mwi_tcp_porch_evict(porch))
        return lower(fd);
    mwi_fork_guard_close(fd);
    mwi_tcp_porch_tell(porch, name, "the limit of descriptors is reached (ulimit -n)");
    return -1;
}

static void take_in(struct mwi_tcp_hub *hub, int fd, const struct sockaddr *address,
                    size_t descriptors)
{
    char name[128];
    mwi_tcp_address_format(address, name, sizeof name);
    fd = keep_reserve(hub->porch, fd, descriptors, name);
    if (fd < 0)
        return;
    if (hub->porch->count >= min_size(GUESTS_MAX, descriptors / GUESTS_PART))
        (void)mwi_tcp_porch_evict(hub->porch);
    mwi_tcp_socket_tune(fd);
    mwi_tcp_conn_guest_accept(hub, fd, name);
}

/* If the porch is full of promising guests, others wait until these are in or out. */
static bool has_room(struct mwi_tcp_listeners *listeners, size_t descriptors)
{
    if (listeners->hub->porch->promising_count < min_size(GUESTS_MAX, descriptors / GUESTS_PART))
        return true;
    rest(listeners);
    return false;
}

/* False if no other connection waits, or if none can be accepted for now. */
static bool accept_one(struct mwi_tcp_listener_entry *listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    size_t descriptors = descriptors_max();
    if (!has_room(listener->all, descriptors))
        return false;
    mwi_fork_guard_begin();
    int fd = mwi_fork_guard_opened(accept4(listener->awaited.fd, (struct sockaddr *)&address,
                                           &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            rest(listener->all);
        /* Any other error is that of a connection that died while it waited. */
        return errno != EAGAIN && errno != EMFILE && errno != ENFILE && errno != ENOBUFS &&
               errno != ENOMEM;
    }
    take_in(listener->all->hub, fd, (struct sockaddr *)&address, descriptors);
    return true;
}

static void on_acceptable(void *context, uint32_t events)
{
    (void)events;
    for (int i = 0; i < ACCEPT_MAX; i++)
        if (!accept_one(context))
            break;
}

mw_error mwi_tcp_listeners_add(struct mwi_tcp_listeners *listeners, int fd)
{
    struct mwi_tcp_listener_entry *one = calloc(1, sizeof *one);
    if (listeners->resume == NULL)
        listeners->resume = evtimer_new(listeners->hub->poller.base, on_resume, listeners);
    if (one == NULL || listeners->resume == NULL)
        goto failed;
    one->all = listeners;
    one->awaited = (struct mwi_tcp_awaited){.fd = fd, .ready = on_acceptable, .context = one};
    if (!mwi_tcp_set_change(&listeners->hub->porch->set, &one->awaited, EPOLLIN))
        goto failed;
    one->next = listeners->first;
    listeners->first = one;
    return MW_OK;

failed:
    free(one);
    mwi_fork_guard_close(fd);
    return MW_ENOMEM;
}

void mwi_tcp_listeners_clear(struct mwi_tcp_listeners *listeners)
{
    while (listeners->first != NULL) {
        struct mwi_tcp_listener_entry *one = listeners->first;
        listeners->first = one->next;
        (void)mwi_tcp_set_change(&listeners->hub->porch->set, &one->awaited, 0);
        mwi_fork_guard_close(one->awaited.fd);
        free(one);
    }
    if (listeners->resume != NULL)
        event_free(listeners->resume);
    listeners->resume = NULL;
}
