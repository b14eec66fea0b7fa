/* SPDX-License-Identifier: Apache-2.0
 *
 * Accepts connections and hands them to conn.c. tcp.c makes the listeners.
 *
 * Invariant: a connection that cannot be accepted never makes the event loop spin. If descriptors
 * or memory run out, the connection that waits keeps the listening socket readable. So all
 * listeners rest for a moment, while the peers that are there go on working. A check of a peer
 * before it becomes a connection, such as a list of allowed addresses, goes here.
 */
#include "listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "address.h"
#include "base/fork_guard.h"
#include "conn.h"
#include "socket.h"

/* At most this many connections are accepted in one turn. */
#define ACCEPT_MAX 64
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
        are_set = mwi_tcp_set_change(&listeners->hub->poller.set, &one->awaited, events) && are_set;
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

/* False if no other connection waits, or if none can be accepted for now. */
static bool accept_one(struct mwi_tcp_listener_entry *listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char name[128];
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
    mwi_tcp_socket_tune(fd);
    mwi_tcp_address_format((struct sockaddr *)&address, name, sizeof name);
    mwi_tcp_conn_accept(listener->all->hub, fd, name);
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
    if (!mwi_tcp_set_change(&listeners->hub->poller.set, &one->awaited, EPOLLIN))
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
        (void)mwi_tcp_set_change(&listeners->hub->poller.set, &one->awaited, 0);
        mwi_fork_guard_close(one->awaited.fd);
        free(one);
    }
    if (listeners->resume != NULL)
        event_free(listeners->resume);
    listeners->resume = NULL;
}
