/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport's table of functions, which the loop calls: reads addresses, looks up peers, and
 * polls. Events are called in poll_transport and nowhere else.
 *
 * A new function of mw_transport_api is a function here and a row of the table at the end; what it
 * does to one connection goes into conn.c.
 */
#include "tcp.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "address.h"
#include "base/clock.h"
#include "base/fork_guard.h"
#include "base/time.h"
#include "conn.h"
#include "ending.h"
#include "hub.h"
#include "listener.h"
#include "silence.h"
#include "socket.h"
#include "watch.h"

/* A poll returns early after this many turns without an event, such as turns that receive parts of
 * a large frame, or those of a poll that never sleeps. */
#define TURNS_MAX 64

/* Of turns that do not wait, or wait for ever, one in TURNS_PER_CLOCK reads the clock. */
#define TURNS_PER_CLOCK 64
/* A transport that spins looks at its only connection directly. One look in LOOKS_PER_TURN is at
 * the listeners and wake_fd too. */
#define LOOKS_PER_TURN 16
#define LOOK_NS (MWI_TCP_SILENCE_LOOK_MS * MWI_NS_PER_MS)

struct tcp {
    struct mwi_tcp_hub hub;
    struct mwi_tcp_listeners listeners;
    struct mwi_tcp_awaited wake;
    int64_t look_ns; /* when watch.c is to look at the hosts next */
    unsigned unclocked_count;
    unsigned looks_count;
    bool is_woken;
    bool is_quiet; /* the last turn slept, and nothing happened */
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

/* False if the descriptor cannot be waited for, as a regular file. */
static bool wait_for_wake(struct tcp *tcp, int fd)
{
    tcp->wake = (struct mwi_tcp_awaited){.fd = fd, .ready = on_wake, .context = tcp};
    return fd < 0 || mwi_tcp_poller_set(&tcp->hub.poller, &tcp->wake, EPOLLIN);
}

static void close_transport(void *transport)
{
    struct tcp *tcp = transport;
    if (tcp == NULL)
        return;
    mwi_tcp_listeners_clear(&tcp->listeners);
    if (tcp->wake.events != 0)
        (void)mwi_tcp_poller_set(&tcp->hub.poller, &tcp->wake, 0);
    mwi_tcp_ending_run(&tcp->hub);
    /* The turn that mwi_tcp_resolve_destroy asks for. */
    if (tcp->hub.poller.base != NULL)
        event_base_loop(tcp->hub.poller.base, EVLOOP_NONBLOCK);
    mwi_tcp_hub_close(&tcp->hub);
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
    tcp->look_ns = mwi_clock_monotonic_ns() + LOOK_NS;
    mw_error error = mwi_tcp_hub_open(&tcp->hub, config);
    if (error != MW_OK)
        error = fail(why, error, error == MW_ENOMEM ? "open" : "cannot make an event loop");
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

/* How much time is left until the deadline. Meanwhile it may be time to look at the hosts. */
static int64_t time_left(struct tcp *tcp, int64_t deadline)
{
    bool needs_clock = deadline != INT64_MIN && deadline != INT64_MAX;
    if (!needs_clock && !tcp->is_quiet && ++tcp->unclocked_count < TURNS_PER_CLOCK)
        return deadline == INT64_MIN ? 0 : deadline;
    tcp->unclocked_count = 0;
    int64_t now_ns = mwi_clock_monotonic_ns();
    if (now_ns >= tcp->look_ns) {
        mwi_tcp_watch_look(&tcp->hub);
        tcp->look_ns = now_ns + LOOK_NS;
    }
    return deadline > now_ns ? deadline - now_ns : 0;
}

static bool turn(struct tcp *tcp, int64_t left_ns)
{
    struct mwi_tcp_hub *hub = &tcp->hub;
    mw_wait wait = hub->config.wait;
    size_t events_before = hub->events_count;
    if (wait != MW_WAIT_SPIN && wait != MW_WAIT_YIELD) {
        bool has_turned = mwi_tcp_conn_turn(hub, left_ns < LOOK_NS ? left_ns : LOOK_NS);
        tcp->is_quiet = left_ns > 0 && hub->events_count == events_before;
        return has_turned;
    }
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
    mwi_tcp_conn_flush_dirty(hub);
    for (int i = 0; i < TURNS_MAX && must_wait; i++) {
        int64_t left_ns = time_left(tcp, deadline);
        if (!turn(tcp, left_ns))
            return fail(why, MW_ENETWORK, "the event loop failed");
        must_wait = left_ns > 0 && hub->events_count == events_before && !tcp->is_woken;
        if (must_wait && hub->config.wait == MW_WAIT_YIELD)
            sched_yield();
    }
    mwi_tcp_conn_flush_dirty(hub);
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
    return tcp->hub.poller.fd;
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
