/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport's table of functions, which the loop calls: reads addresses, looks up peers, and
 * polls. Events are called in poll_transport and nowhere else.
 *
 * A new function of mw_transport_api is a function here and a row of the table at the end; what it
 * does to one connection goes into a file conn_NAME.c.
 *
 * A wait of the kernel with an end costs it more than one without. So a deadline that is far away
 * is left out: the timer of the looks ends the wait, and the deadline is looked at again.
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
#include "conn_dial.h"
#include "conn_drop.h"
#include "conn_guest.h"
#include "conn_read.h"
#include "conn_send.h"
#include "conn_turn.h"
#include "ending.h"
#include "hub.h"
#include "listener.h"
#include "porch.h"
#include "silence.h"
#include "socket.h"
#include "watch.h"

/* A poll returns early after this many turns without an event, such as turns that receive parts of
 * a large frame, or those of a poll that never sleeps. */
#define TURNS_MAX 64

/* A transport that spins looks at its only connection directly. One look in LOOKS_PER_TURN is at
 * the listeners and wake_fd too. */
#define LOOKS_PER_TURN 16
#define LOOK_NS (MWI_TCP_SILENCE_LOOK_MS * MWI_NS_PER_MS)

struct tcp {
    struct mwi_tcp_hub hub;
    struct mwi_tcp_listeners listeners;
    struct mwi_tcp_porch porch; /* if hub.porch points to it */
    struct mwi_tcp_awaited wake;
    struct mwi_tcp_awaited timer; /* of the looks at the hosts */
    unsigned looks_count;
    bool is_woken;
};

static mw_error fail(mw_reason *why, mw_error error, const char *what)
{
    snprintf(why->text, sizeof why->text, "tcp: %s: %s", what,
             error == MW_ENOMEM ? mw_error_text(error) : strerror(errno));
    return error;
}

static void on_wake(void *context, uint32_t events)
{
    struct tcp *tcp = context;
    (void)events;
    tcp->is_woken = true;
}

/* How long ago the first of these expirations of the timer was: nobody has read what came since. */
static int64_t time_away(const struct tcp *tcp, uint64_t expirations)
{
    struct itimerspec times;
    if (timerfd_gettime(tcp->timer.fd, &times) != 0)
        return 0;
    int64_t next_ns = times.it_value.tv_sec * MWI_NS_PER_S + times.it_value.tv_nsec;
    return (int64_t)expirations * LOOK_NS - next_ns;
}

static void on_timer(void *context, uint32_t events)
{
    struct tcp *tcp = context;
    uint64_t expirations;
    (void)events;
    if (read(tcp->timer.fd, &expirations, sizeof expirations) < 0)
        return;
    int64_t away_ns = time_away(tcp, expirations);
    bool is_late = away_ns > MWI_NS_PER_S;
    if (is_late && tcp->hub.porch != NULL)
        mwi_tcp_porch_catch_up(tcp->hub.porch, away_ns);
    mwi_tcp_watch_look(&tcp->hub, is_late);
}

/* Sets the timer that looks at the hosts again and again; false with errno. */
static bool start_timer(struct tcp *tcp)
{
    const struct timespec interval = {.tv_sec = MWI_TCP_SILENCE_LOOK_MS / 1000};
    const struct itimerspec times = {.it_value = interval, .it_interval = interval};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    tcp->timer = (struct mwi_tcp_awaited){.fd = fd, .ready = on_timer, .context = tcp};
    return fd >= 0 && timerfd_settime(fd, 0, &times, NULL) == 0 &&
           mwi_tcp_set_change(&tcp->hub.poller.set, &tcp->timer, EPOLLIN);
}

/* False if the descriptor cannot be waited for, as a regular file. */
static bool wait_for_wake(struct tcp *tcp, int fd)
{
    tcp->wake = (struct mwi_tcp_awaited){.fd = fd, .ready = on_wake, .context = tcp};
    return fd < 0 || mwi_tcp_set_change(&tcp->hub.poller.set, &tcp->wake, EPOLLIN);
}

static void close_transport(void *transport)
{
    struct tcp *tcp = transport;
    if (tcp == NULL)
        return;
    mwi_tcp_listeners_clear(&tcp->listeners);
    if (tcp->wake.events != 0)
        (void)mwi_tcp_set_change(&tcp->hub.poller.set, &tcp->wake, 0);
    if (tcp->timer.events != 0)
        (void)mwi_tcp_set_change(&tcp->hub.poller.set, &tcp->timer, 0);
    mwi_tcp_ending_run(&tcp->hub);
    /* The turn that mwi_tcp_resolve_destroy asks for. */
    if (tcp->hub.poller.base != NULL)
        event_base_loop(tcp->hub.poller.base, EVLOOP_NONBLOCK);
    if (tcp->hub.porch != NULL)
        mwi_tcp_porch_close(tcp->hub.porch);
    mwi_tcp_hub_close(&tcp->hub);
    if (tcp->timer.fd >= 0)
        close(tcp->timer.fd);
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
    tcp->timer.fd = -1;
    mw_error error = mwi_tcp_hub_open(&tcp->hub, config);
    if (error == MW_EUNAVAILABLE)
        snprintf(
            why->text, sizeof why->text,
            "tcp: this build of mw cannot encrypt: build it with OpenSSL, or give --mw-insecure");
    else if (error != MW_OK)
        error = fail(why, error, error == MW_ENOMEM ? "open" : "cannot make an event loop");
    else if (!start_timer(tcp))
        error = fail(why, MW_ENETWORK, "cannot make a timer");
    else if (!wait_for_wake(tcp, config->wake_fd))
        error = fail(why, MW_EINVAL, "cannot wait for wake_fd");
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

/* Makes the porch before the first listener. False with errno. */
static bool has_porch(struct tcp *tcp)
{
    if (tcp->hub.porch == NULL && mwi_tcp_porch_open(&tcp->porch, &tcp->hub))
        tcp->hub.porch = &tcp->porch;
    return tcp->hub.porch != NULL;
}

/* By mistake, nobody opens a port to everybody, nor sends unencrypted what should be encrypted. */
static mw_error check_environment(const struct tcp *tcp, mw_reason *why)
{
    if (tcp->hub.config.environment != NULL)
        return MW_OK;
    snprintf(why->text, sizeof why->text, "tcp: without an environment only \"fd:N\" is allowed");
    return MW_EINVAL;
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
    error = check_environment(tcp, why);
    if (error != MW_OK)
        return error;
    if (!has_porch(tcp))
        return fail(why, MW_ENETWORK, "listen");
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
    error = check_environment(transport, why);
    return error == MW_OK ? dial(transport, &address, false, peer, why) : error;
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

static void admit(void *transport, mw_peer peer)
{
    struct tcp *tcp = transport;
    struct mwi_tcp_conn *conn = mwi_map_get(&tcp->hub.peers, peer);
    if (conn != NULL)
        mwi_tcp_conn_guest_admit(conn);
}

static void drop(void *transport, mw_peer peer)
{
    struct tcp *tcp = transport;
    struct mwi_tcp_conn *conn = mwi_map_get(&tcp->hub.peers, peer);
    if (conn != NULL)
        mwi_tcp_conn_drop(conn);
}

/* How much time is left until the deadline. */
static int64_t time_left(int64_t deadline)
{
    if (deadline == INT64_MIN || deadline == INT64_MAX)
        return deadline == INT64_MIN ? 0 : deadline;
    int64_t now_ns = mwi_clock_monotonic_ns();
    return deadline > now_ns ? deadline - now_ns : 0;
}

static bool turn(struct tcp *tcp, int64_t left_ns)
{
    struct mwi_tcp_hub *hub = &tcp->hub;
    mw_wait wait = hub->config.wait;
    if (wait != MW_WAIT_SPIN && wait != MW_WAIT_YIELD)
        return mwi_tcp_conn_turn(hub, left_ns < LOOK_NS ? left_ns : INT64_MAX);
    if (++tcp->looks_count % LOOKS_PER_TURN != 0 && mwi_tcp_conn_read_only(hub))
        return true;
    return mwi_tcp_conn_turn(hub, 0);
}

/* Frames that events have queued leave before the caller sees to what has come. */
static mw_error poll_transport(void *transport, int64_t deadline, mw_reason *why)
{
    struct tcp *tcp = transport;
    struct mwi_tcp_hub *hub = &tcp->hub;
    size_t events_before = hub->events_count;
    bool must_wait = true;
    tcp->is_woken = false;
    mwi_tcp_conn_send_dirty(hub);
    for (int i = 0; i < TURNS_MAX && must_wait; i++) {
        int64_t left_ns = time_left(deadline);
        if (!turn(tcp, left_ns))
            return fail(why, MW_ENETWORK, "the event loop failed");
        must_wait = left_ns > 0 && hub->events_count == events_before && !tcp->is_woken;
        if (must_wait && hub->config.wait == MW_WAIT_YIELD)
            sched_yield();
    }
    mwi_tcp_conn_send_dirty(hub);
    mwi_tcp_conn_free_dead(hub);
    return MW_OK;
}

static size_t peers_max(void *transport)
{
    (void)transport;
    return SIZE_MAX;
}

static int pollable_fd(void *transport)
{
    struct tcp *tcp = transport;
    return tcp->hub.poller.set.fd;
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
    .admit = admit,
    .drop = drop,
    .poll = poll_transport,
    .peers_max = peers_max,
    .fd = pollable_fd,
    .now = now,
    .close = close_transport,
};
