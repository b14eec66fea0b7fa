/* SPDX-License-Identifier: Apache-2.0
 *
 * Closing a TCP socket in which something unread lies makes the kernel send a reset, and a reset
 * can overtake what was written last: a refusal would not reach whom it is for. So the socket is
 * shut down for writing only, and what still comes is read and thrown away until the other end
 * closes too, has sent more than it is worth, or the time is up.
 *
 * At the end of the transport nobody can wait for the other ends to close: there it is enough
 * that their kernels have acknowledged all bytes, since those are then read before a reset.
 */
#include "linger.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/time.h"
#include "socket.h"

#define LINGER_S 2
#define LINGER_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define END_S 1
#define END_TURN_US 5000

/* Reads and throws away. False at the end of the stream. */
static bool discard(struct mwi_tcp_conn *conn)
{
    ssize_t size = recv(conn->fd, conn->hub->shared, MWI_TCP_SHARED_BYTES, 0);

    if (size < 0)
        return errno == EAGAIN || errno == EINTR;
    conn->lingered_bytes += (size_t)size;
    return size > 0;
}

/* The event's time-out starts anew with each byte, hence the look at the clock. */
static void on_lingering(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_conn *conn = context;
    (void)fd;

    if ((what & EV_TIMEOUT) || !discard(conn) || conn->lingered_bytes > LINGER_BYTES_MAX ||
        mwi_clock_monotonic_ns() > conn->linger_until_ns)
        mwi_tcp_conn_bury(conn);
}

static void on_ending(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_conn *conn = context;
    (void)fd;
    (void)what;

    if (!discard(conn))
        mwi_tcp_conn_bury(conn);
}

/* Puts `callback` in the place of the connection's reader. */
static bool watch(struct mwi_tcp_conn *conn, event_callback_fn callback, unsigned timeout_s)
{
    const struct timeval timeout = {.tv_sec = timeout_s};

    event_free(conn->read_event);
    conn->read_event = event_new(conn->hub->base, conn->fd, EV_READ | EV_PERSIST, callback, conn);
    return conn->read_event != NULL && event_add(conn->read_event, &timeout) == 0;
}

static void forget_peer(struct mwi_tcp_conn *conn)
{
    mwi_map_remove(&conn->hub->peers, conn->peer);
    mwi_tcp_inbox_clear(&conn->inbox);
    conn->state = MWI_TCP_CONN_LINGERING;
}

void mwi_tcp_linger_begin(struct mwi_tcp_conn *conn)
{
    forget_peer(conn);
    mwi_tcp_conn_forget_queued(conn);
    conn->linger_until_ns = mwi_time_after(mwi_clock_monotonic_ns(), LINGER_S * MWI_NS_PER_S);
    if (!conn->is_inet || shutdown(conn->fd, SHUT_WR) != 0 || !watch(conn, on_lingering, LINGER_S))
        mwi_tcp_conn_bury(conn);
}

/* Makes ready for the end; false if there is nothing to wait for. */
static bool begin_ending(struct mwi_tcp_conn *conn)
{
    bool is_sound = conn->state == MWI_TCP_CONN_UP && conn->write_error == 0;

    if (conn->state == MWI_TCP_CONN_LINGERING)
        return watch(conn, on_ending, END_S);
    if (!is_sound || mwi_tcp_conn_write(conn) != 0)
        return false;
    forget_peer(conn);
    return watch(conn, on_ending, END_S);
}

/* Whether the other end has, or will read from its kernel, all there was for it. */
static bool has_ended(struct mwi_tcp_conn *conn)
{
    if (conn->outbox.count > 0)
        return false;
    return !conn->is_inet || shutdown(conn->fd, SHUT_WR) != 0 ||
           mwi_tcp_socket_all_arrived(conn->fd);
}

static void bury_unless(struct mwi_tcp_hub *hub, bool (*keep)(struct mwi_tcp_conn *conn))
{
    struct mwi_tcp_conn *next;

    for (struct mwi_tcp_conn *conn = TAILQ_FIRST(&hub->conns); conn != NULL; conn = next) {
        next = TAILQ_NEXT(conn, link);
        if (keep == NULL || !keep(conn))
            mwi_tcp_conn_bury(conn);
    }
}

static bool has_not_ended(struct mwi_tcp_conn *conn)
{
    return !has_ended(conn);
}

void mwi_tcp_linger_end_all(struct mwi_tcp_hub *hub)
{
    const struct timeval turn = {.tv_usec = END_TURN_US};
    int64_t until_ns = mwi_time_after(mwi_clock_monotonic_ns(), END_S * MWI_NS_PER_S);

    bury_unless(hub, begin_ending);
    bury_unless(hub, has_not_ended);
    while (!TAILQ_EMPTY(&hub->conns) && mwi_clock_monotonic_ns() < until_ns) {
        if (event_base_loopexit(hub->base, &turn) != 0 || event_base_loop(hub->base, EVLOOP_ONCE))
            break;
        bury_unless(hub, has_not_ended);
    }
    bury_unless(hub, NULL);
}
