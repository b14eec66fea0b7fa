/* SPDX-License-Identifier: Apache-2.0
 *
 * Serves the connections whose sockets are ready, and those that ask for it in hub->again: their
 * streams hold input, or their writing has failed.
 */
#include "conn_turn.h"

#include <sys/epoll.h>

#include "conn_read.h"
#include "conn_send.h"
#include "conn_start.h"

static void read_stream(struct mwi_tcp_conn *conn)
{
    if (conn->state == MWI_TCP_CONN_PROVING)
        mwi_tcp_conn_start_prove(conn);
    else
        mwi_tcp_conn_read(conn);
}

static void write_stream(struct mwi_tcp_conn *conn)
{
    if (conn->state == MWI_TCP_CONN_PROVING)
        mwi_tcp_conn_start_prove(conn);
    else
        mwi_tcp_conn_send_or_fail(conn);
}

void mwi_tcp_conn_turn_ready(void *context, uint32_t events)
{
    struct mwi_tcp_conn *conn = context;
    if ((events & ~(uint32_t)EPOLLOUT) != 0 && conn->state != MWI_TCP_CONN_DEAD)
        read_stream(conn);
    if ((events & ~(uint32_t)EPOLLIN) != 0 && conn->state != MWI_TCP_CONN_DEAD &&
        conn->waits_to_write)
        write_stream(conn);
}

/* A connection that asks to be read once more while it is read has its turn in the next turn. */
static void read_all_again(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *conn;
    size_t count = 0;
    TAILQ_FOREACH(conn, &hub->again, again_link)
    {
        count++;
    }
    for (; count > 0 && (conn = TAILQ_FIRST(&hub->again)) != NULL; count--) {
        mwi_tcp_conn_take_again(conn);
        struct mwi_tcp_porch *porch = conn->guest.porch;
        size_t events_before = hub->events_count;
        read_stream(conn);
        if (porch != NULL)
            mwi_tcp_porch_own(porch, hub->events_count - events_before);
    }
}

bool mwi_tcp_conn_turn(struct mwi_tcp_hub *hub, int64_t wait_ns)
{
    bool has_turned = mwi_tcp_poller_turn(&hub->poller, TAILQ_EMPTY(&hub->again) ? wait_ns : 0);
    read_all_again(hub);
    return has_turned;
}
