/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport's table of functions, which the loop calls: reads addresses, looks up peers, and
 * polls. Events are called
 * inside event_base_loop or the flush before it, both in poll_transport, and nowhere else.
 *
 * A new function of mw_transport_api is a function here and a row of the table at the end; what it
 * does to one connection goes into conn.c.
 *
 * Waiting is exact: libevent rounds time-outs to milliseconds, so the deadline is a timerfd. The
 * timer is set only if a poll's deadline comes before the time that it is set to. The deadlines of
 * a busy loop move away, so a usual turn makes no system call for time.
 */
#include "tcp.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "address.h"
#include "base/clock.h"
#include "base/fork_guard.h"
#include "base/time.h"
#include "conn.h"
#include "ending.h"
#include "hub.h"
#include "listener.h"
#include "socket.h"
#include "watch.h"

/* A poll returns early after this many turns without an event, such as turns that receive parts of
 * a large frame, or those of a poll that never sleeps. */
#define TURNS_MAX 64

struct tcp {
    struct mwi_tcp_hub hub;
    struct mwi_tcp_listeners listeners;
    struct event *wake_event;
    struct event *timer_event;
    struct event *watch_event;
    int timer_fd;
    int64_t timer_ns; /* the time that the timer is set to; 0 if it is not set */
    bool is_woken;
    bool is_fd_asked;
};

static mw_error fail(mw_reason *why, mw_error error, const char *what)
{
    snprintf(why->text, sizeof why->text, "tcp: %s: %s", what,
             error == MW_ENOMEM ? mw_error_text(error) : strerror(errno));
    return error;
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    struct tcp *tcp = context;
    (void)fd;
    (void)what;
    tcp->is_woken = true;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct tcp *tcp = context;
    uint64_t expirations;
    (void)what;

    if (read(fd, &expirations, sizeof expirations) > 0)
        tcp->timer_ns = 0;
}

/* A regular file cannot be waited for, which libevent would write to standard error. */
static bool can_wait_for(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    bool can = epoll_fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
    int error = errno;
    if (epoll_fd >= 0)
        close(epoll_fd);
    errno = error;
    return can;
}

static bool add_reader(struct tcp *tcp, int fd, event_callback_fn callback, struct event **event)
{
    *event = event_new(tcp->hub.base, fd, EV_READ | EV_PERSIST, callback, tcp);
    return *event != NULL && event_add(*event, NULL) == 0;
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

static void close_transport(void *transport)
{
    struct tcp *tcp = transport;
    if (tcp == NULL)
        return;
    mwi_tcp_listeners_clear(&tcp->listeners);
    free_event(tcp->wake_event);
    free_event(tcp->timer_event);
    free_event(tcp->watch_event);
    if (tcp->hub.base != NULL) {
        mwi_tcp_ending_run(&tcp->hub);
        /* The turn that mwi_tcp_resolve_destroy asks for. */
        event_base_loop(tcp->hub.base, EVLOOP_NONBLOCK);
    }
    mwi_tcp_hub_close(&tcp->hub);
    if (tcp->timer_fd >= 0)
        close(tcp->timer_fd);
    free(tcp);
}

static mw_error open_transport(void **transport, const mw_transport_config *config, mw_reason *why)
{
    if (config->frame_bytes_max > MW_FRAME_BYTES_MAX) {
        snprintf(why->text, sizeof why->text, "tcp: a frame limit of %zu is over %llu",
                 config->frame_bytes_max, (unsigned long long)MW_FRAME_BYTES_MAX);
        return MW_EINVAL;
    }
    struct tcp *tcp = calloc(1, sizeof *tcp);
    if (tcp == NULL)
        return fail(why, MW_ENOMEM, "open");
    tcp->listeners.hub = &tcp->hub;
    tcp->timer_fd = -1;
    mw_error error = mwi_tcp_hub_open(&tcp->hub, config);
    if (error != MW_OK)
        error = fail(why, error, error == MW_ENOMEM ? "open" : "cannot make an event loop");
    else if ((tcp->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) < 0)
        error = fail(why, MW_ENETWORK, "cannot make a timer");
    else if (!add_reader(tcp, tcp->timer_fd, on_timer, &tcp->timer_event) ||
             (tcp->watch_event = mwi_tcp_watch_begin(&tcp->hub)) == NULL)
        error = fail(why, MW_ENOMEM, "open");
    else if (config->wake_fd >= 0 && !can_wait_for(config->wake_fd))
        error = fail(why, MW_EINVAL, "cannot wait for wake_fd");
    else if (config->wake_fd >= 0 && !add_reader(tcp, config->wake_fd, on_wake, &tcp->wake_event))
        error = fail(why, MW_ENOMEM, "open");
    if (error != MW_OK) {
        close_transport(tcp);
        return error;
    }
    *transport = tcp;
    return MW_OK;
}

/* Begins a connection, which the next poll moves on. */
static mw_error dial(struct tcp *tcp, const struct mwi_tcp_address *address, bool is_server,
                     mw_peer *peer, mw_reason *why)
{
    mw_error error = mwi_tcp_conn_dial(&tcp->hub, address, is_server, peer);
    return error == MW_OK ? MW_OK : fail(why, error, "connect");
}

/* Takes the address's descriptor, also on failure. */
static mw_error adopt(struct tcp *tcp, const struct mwi_tcp_address *address, bool is_server,
                      mw_peer *peer, mw_reason *why)
{
    mw_error error = mwi_tcp_socket_adopt(address->fd, why);
    if (error == MW_OK)
        error = dial(tcp, address, is_server, peer, why);
    if (error != MW_OK)
        mwi_fork_guard_close(address->fd);
    return error;
}

static mw_error listen_transport(void *transport, const char *text, char *bound, size_t size,
                                 mw_reason *why)
{
    struct tcp *tcp = transport;
    struct mwi_tcp_address address;
    mw_error error = mwi_tcp_address_parse(text, &address, why);
    if (error != MW_OK)
        return error;
    if (address.kind == MWI_TCP_ADDRESS_FD) {
        mw_peer peer;
        error = adopt(tcp, &address, true, &peer, why);
        if (error == MW_OK)
            snprintf(bound, size, "%s", text);
        return error;
    }
    int fd;
    char reached[300];
    error = mwi_tcp_socket_listen(&address, &fd, reached, sizeof reached, why);
    if (error != MW_OK)
        return error;
    if (mwi_tcp_listeners_add(&tcp->listeners, fd) != MW_OK)
        return fail(why, MW_ENOMEM, "listen");
    snprintf(bound, size, "%s", reached);
    return MW_OK;
}

static mw_error connect_transport(void *transport, const char *text, mw_peer *peer, mw_reason *why)
{
    struct mwi_tcp_address address;

    mw_error error = mwi_tcp_address_parse(text, &address, why);
    if (error != MW_OK)
        return error;
    if (address.kind == MWI_TCP_ADDRESS_FD)
        return adopt(transport, &address, false, peer, why);
    if (address.kind == MWI_TCP_ADDRESS_ANY || address.port == 0 ||
        address.port != address.port_last) {
        snprintf(why->text, sizeof why->text,
                 "the address \"%.80s\" is one to listen on, not to connect to", text);
        return MW_EINVAL;
    }
    return dial(transport, &address, false, peer, why);
}

static mw_error send_frame(void *transport, mw_peer peer, void *frame, size_t size,
                           const mw_body *body)
{
    struct tcp *tcp = transport;
    struct mwi_tcp_conn *conn = mwi_map_get(&tcp->hub.peers, peer);
    return conn != NULL ? mwi_tcp_conn_send(conn, frame, size, body) : MW_EPEER;
}

static bool send_now(void *transport, mw_peer peer, void *frame, size_t size)
{
    struct tcp *tcp = transport;
    struct mwi_tcp_conn *conn = mwi_map_get(&tcp->hub.peers, peer);
    return conn != NULL && mwi_tcp_conn_send_now(conn, frame, size);
}

static void drop(void *transport, mw_peer peer)
{
    struct tcp *tcp = transport;
    struct mwi_tcp_conn *conn = mwi_map_get(&tcp->hub.peers, peer);
    if (conn != NULL)
        mwi_tcp_conn_drop(conn);
}

/* A timer that is set to an earlier time is left to expire; the poll then goes on waiting. */
static bool set_timer(struct tcp *tcp, int64_t deadline)
{
    const struct itimerspec at = {.it_value = {.tv_sec = (time_t)(deadline / MWI_NS_PER_S),
                                               .tv_nsec = (long)(deadline % MWI_NS_PER_S)}};
    if (deadline == INT64_MAX || (tcp->timer_ns != 0 && tcp->timer_ns <= deadline))
        return true;
    if (timerfd_settime(tcp->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
        return false;
    tcp->timer_ns = deadline;
    return true;
}

/* One turn of the event loop, which sleeps until something happens if `sleeps`. */
static bool turn(struct tcp *tcp, bool sleeps, int64_t deadline)
{
    if (sleeps && !set_timer(tcp, deadline))
        return false;
    int flags = sleeps ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK;
    return event_base_loop(tcp->hub.base, flags) >= 0;
}

static mw_error poll_transport(void *transport, int64_t deadline, mw_reason *why)
{
    struct tcp *tcp = transport;
    struct mwi_tcp_hub *hub = &tcp->hub;
    size_t events_before = hub->events_count;
    bool can_sleep = hub->config.wait != MW_WAIT_SPIN && hub->config.wait != MW_WAIT_YIELD;
    bool must_wait = true;
    tcp->is_woken = false;
    mwi_tcp_conn_flush_dirty(hub);
    for (int i = 0; i < TURNS_MAX && must_wait; i++) {
        must_wait = hub->events_count == events_before && deadline > mwi_clock_monotonic_ns();
        if (!turn(tcp, must_wait && can_sleep, deadline))
            return fail(why, MW_ENETWORK, "the event loop failed");
        must_wait = must_wait && hub->events_count == events_before && !tcp->is_woken;
        if (must_wait && hub->config.wait == MW_WAIT_YIELD)
            sched_yield();
    }
    mwi_tcp_conn_free_dead(hub);
    return MW_OK;
}

static size_t peers_max(void *transport)
{
    (void)transport;
    return SIZE_MAX;
}

static void open_mirror(struct tcp *tcp)
{
    struct mwi_tcp_conn *conn;
    tcp->is_fd_asked = true;
    mwi_tcp_mirror_open(&tcp->hub.mirror);
    mwi_tcp_listeners_mirror(&tcp->listeners);
    TAILQ_FOREACH(conn, &tcp->hub.conns, link)
    {
        mwi_tcp_conn_mirror(conn);
    }
}

static int pollable_fd(void *transport)
{
    struct tcp *tcp = transport;
    if (!tcp->is_fd_asked)
        open_mirror(tcp);
    return tcp->hub.mirror.fd;
}

static int64_t now(void *transport)
{
    (void)transport;
    return mwi_clock_monotonic_ns();
}

const mw_transport_api mwi_tcp_transport = {
    .version = MW_TRANSPORT_VERSION,
    .scheme = "tcp",
    .sleeps = true,
    .open = open_transport,
    .listen = listen_transport,
    .connect = connect_transport,
    .send = send_frame,
    .send_now = send_now,
    .drop = drop,
    .poll = poll_transport,
    .peers_max = peers_max,
    .fd = pollable_fd,
    .now = now,
    .close = close_transport,
};
