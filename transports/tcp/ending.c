/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes turns for up to a second so that a closing transport loses no queued frame. It does
 * not wait until the other ends close, as a linger does: it is enough that their kernels have
 * acknowledged all bytes, since a kernel hands those out before it reports a reset. Only the
 * close function of tcp.c calls it.
 */
#include "ending.h"

#include <stdbool.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/time.h"
#include "conn.h"
#include "conn_drop.h"
#include "conn_turn.h"
#include "linger.h"
#include "socket.h"

#define END_S 1
#define TURN_NS (5 * MWI_NS_PER_MS)

/* Whether the other end has all that was queued for it, or will read it from its kernel. */
static bool has_all(const struct mwi_tcp_conn *conn)
{
    if (!mwi_tcp_conn_has_written(conn))
        return false;
    return !conn->is_inet || shutdown(conn->stream->fd, SHUT_WR) != 0 ||
           mwi_tcp_socket_all_arrived(conn->stream->fd);
}

static void begin_all(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *next;
    for (struct mwi_tcp_conn *conn = TAILQ_FIRST(&hub->conns); conn != NULL; conn = next) {
        next = TAILQ_NEXT(conn, link);
        mwi_tcp_conn_drop_when_written(conn);
    }
}

/* Buries the connections that are done; all of them if `is_last`. */
static void bury_done(struct mwi_tcp_hub *hub, bool is_last)
{
    struct mwi_tcp_conn *next;
    for (struct mwi_tcp_conn *conn = TAILQ_FIRST(&hub->conns); conn != NULL; conn = next) {
        next = TAILQ_NEXT(conn, link);
        if (is_last || has_all(conn))
            mwi_tcp_conn_bury(conn);
    }
    mwi_tcp_linger_end(hub, is_last);
}

static bool is_done(const struct mwi_tcp_hub *hub)
{
    return TAILQ_EMPTY(&hub->conns) && TAILQ_EMPTY(&hub->lingers);
}

void mwi_tcp_ending_run(struct mwi_tcp_hub *hub)
{
    int64_t until_ns = mwi_time_after(mwi_clock_monotonic_ns(), END_S * MWI_NS_PER_S);
    begin_all(hub);
    bury_done(hub, false);
    while (!is_done(hub) && mwi_clock_monotonic_ns() < until_ns && mwi_tcp_conn_turn(hub, TURN_NS))
        bury_done(hub, false);
    bury_done(hub, true);
    mwi_tcp_conn_free_dead(hub);
}
