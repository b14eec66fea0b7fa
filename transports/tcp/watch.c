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
#include <stdint.h>
#include <sys/socket.h>

#include "conn.h"

#define LOOK_S 5
/* So many looks in a row, which makes 45 s. */
#define LOOKS_MAX 9

/* Whether something was sent again and has not been answered since. */
static bool is_unanswered(const struct tcp_info *info)
{
    return info->tcpi_retransmits > 0 || info->tcpi_probes > 0;
}

static void look(struct mwi_tcp_conn *conn)
{
    struct tcp_info info;
    socklen_t size = sizeof info;

    if (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || !is_unanswered(&info)) {
        conn->looks_count = 0;
        return;
    }
    /* The last answer may be that of long ago, before a time without traffic; so the silence
     * begins with the first look that finds something unanswered, or with an answer after it. */
    uint32_t looks_since_answer = info.tcpi_last_ack_recv / (LOOK_S * 1000);
    if (looks_since_answer < conn->looks_count)
        conn->looks_count = looks_since_answer;
    if (conn->looks_count >= LOOKS_MAX)
        mwi_tcp_conn_fail(conn, ETIMEDOUT);
    else
        conn->looks_count++;
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
    const struct timeval interval = {.tv_sec = LOOK_S};
    struct event *event = event_new(hub->base, -1, EV_PERSIST, on_look, hub);

    if (event != NULL && event_add(event, &interval) != 0) {
        event_free(event);
        event = NULL;
    }
    return event;
}
