/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the kernel about each TCP connection and fails those that silence.c gives up, all whose
 * frames inbox.c finds too slow, and those of this side whose proof takes too long. tcp.c calls it
 * every few seconds.
 *
 * Keepalive sends no probes while there is something to be acknowledged, and then the kernel itself
 * gives up only after a quarter of an hour. TCP_USER_TIMEOUT shortens that, but it also counts the
 * time for which a living host has no room for more, and so would end every slave that computes for
 * a minute with a full socket. Only silence counts here.
 */
#include "watch.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "conn.h"

/* A connection of this side whose proof outlasts these looks is given up at the next look, after 10
 * s at least: the other end may be no master, and the caller can try again. */
#define PROOF_LOOKS_MAX 2

static void look_at_host(struct mwi_tcp_conn *conn)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(conn->stream->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return;
    bool is_owed = info.tcpi_retransmits > 0 || info.tcpi_probes > 0;
    if (mwi_tcp_silence_is_lost(&conn->silence, is_owed, info.tcpi_last_ack_recv))
        mwi_tcp_conn_fail(conn, ETIMEDOUT);
}

/* The porch bounds the time of connections to a listening end. */
static void look_at_proof(struct mwi_tcp_conn *conn)
{
    if (!conn->is_server && ++conn->proof_looks_count > PROOF_LOOKS_MAX)
        mwi_tcp_conn_fail(conn, ETIME);
}

void mwi_tcp_watch_look(struct mwi_tcp_hub *hub, bool is_late)
{
    struct mwi_tcp_conn *conn;
    TAILQ_FOREACH(conn, &hub->conns, link)
    {
        if (conn->state == MWI_TCP_CONN_PROVING && !is_late)
            look_at_proof(conn);
        if (conn->state != MWI_TCP_CONN_UP)
            continue;
        if (!is_late && mwi_tcp_inbox_is_slow(&conn->inbox))
            mwi_tcp_conn_fail(conn, ETIME);
        else if (conn->is_inet)
            look_at_host(conn);
    }
}
