/* SPDX-License-Identifier: Apache-2.0
 *
 * The set of a transport's sockets, and libevent's loop beside it. Connections put sockets into the
 * set, tcp.c its wake_fd and its timer; tcp.c and ending.c make the turns.
 *
 * A turn serves the set. Only while libevent has something to wait for, its loop waits for both:
 * the set is a descriptor of it. libevent's own loop is not used for the sockets, as it reads the
 * clock, keeps lists and rounds to milliseconds in each turn, and does not hand out its set to
 * callers with a loop of their own.
 */
#include "poller.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/time.h"

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

static void on_set(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct mwi_tcp_poller *poller = context;
    poller->has_failed = !mwi_tcp_set_serve(&poller->set, 0);
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
                                    : mwi_tcp_set_serve(&poller->set, wait_ns);
}

mw_error mwi_tcp_poller_open(struct mwi_tcp_poller *poller)
{
    *poller = (struct mwi_tcp_poller){.is_open = true};
    if (!mwi_tcp_set_open(&poller->set) || (poller->base = mwi_tcp_poller_create_base()) == NULL)
        return MW_ENETWORK;
    poller->set_event =
        event_new(poller->base, poller->set.fd, EV_READ | EV_PERSIST, on_set, poller);
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
    mwi_tcp_set_close(&poller->set);
    *poller = (struct mwi_tcp_poller){0};
}
