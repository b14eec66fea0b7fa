/* SPDX-License-Identifier: Apache-2.0
 *
 * Keepalive sends no probes while there is something to be acknowledged, and then the kernel
 * itself gives up only after a quarter of an hour. Its remedy, TCP_USER_TIMEOUT, also counts the
 * time for which an other end that is alive has no room for more, and so would kill every slave
 * that computes for a minute with a full socket. Here only silence counts: something was sent
 * again, or the window was probed, and no acknowledgement whatever came since.
 */
#include "watch.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "conn.h"

/* So many looks, which makes 45 s. */
#define LOOKS_MAX 9

bool mwi_tcp_watch_is_lost(struct mwi_tcp_silence *silence, bool is_owed, uint32_t last_answer_ms)
{
    /* The last answer may be that of long ago, before a time without traffic; so the silence
     * begins with the first look that finds something owed, or with an answer after it. */
    uint32_t looks_since_answer = last_answer_ms / MWI_TCP_WATCH_LOOK_MS;

    if (!is_owed)
        silence->looks_count = 0;
    else if (looks_since_answer < silence->looks_count)
        silence->looks_count = looks_since_answer;
    if (silence->looks_count >= LOOKS_MAX)
        return true;
    silence->looks_count += is_owed ? 1 : 0;
    return false;
}

static void look(struct mwi_tcp_conn *conn)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    if (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return;
    bool is_owed = info.tcpi_retransmits > 0 || info.tcpi_probes > 0;
    if (mwi_tcp_watch_is_lost(&conn->silence, is_owed, info.tcpi_last_ack_recv))
        mwi_tcp_conn_fail(conn, ETIMEDOUT);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_hub *hub = context;
    struct mwi_tcp_conn *conn;
    (void)fd;
    (void)what;

    TAILQ_FOREACH(conn, &hub->conns, link)
    {
        if (conn->state == MWI_TCP_CONN_UP && conn->is_inet)
            look(conn);
    }
}

struct event *mwi_tcp_watch_begin(struct mwi_tcp_hub *hub)
{
    const struct timeval interval = {.tv_sec = MWI_TCP_WATCH_LOOK_MS / 1000};
    struct event *event = event_new(hub->base, -1, EV_PERSIST, on_look, hub);

    if (event != NULL && event_add(event, &interval) != 0) {
        event_free(event);
        event = NULL;
    }
    return event;
}
