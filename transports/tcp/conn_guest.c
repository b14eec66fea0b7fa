/* SPDX-License-Identifier: Apache-2.0
 *
 * The connections that others have made to this end: guests of the porch until they are admitted.
 * porch.c bounds what they cost. listener.c calls it for each socket, tcp.c when a peer is let in.
 */
#include "conn_guest.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "base/fork_guard.h"
#include "conn_start.h"
#include "conn_turn.h"

static void on_guest_ready(void *context, uint32_t events)
{
    struct mwi_tcp_conn *conn = context;
    mwi_tcp_porch_serve(&conn->guest);
    mwi_tcp_conn_turn_ready(conn, events);
    if (conn->stream != NULL && conn->stream->is_promising)
        mwi_tcp_porch_promise(&conn->guest);
}

static void turn_away(struct mwi_tcp_guest *guest, const char *reason)
{
    mwi_tcp_conn_go_down((void *)((char *)guest - offsetof(struct mwi_tcp_conn, guest)), reason);
}

/* False out of memory. */
static bool enter_porch(struct mwi_tcp_conn *conn)
{
    conn->guest.turn_away = turn_away;
    if (conn->frame_bytes_max > MWI_TCP_GUEST_BYTES_MAX)
        conn->frame_bytes_max = MWI_TCP_GUEST_BYTES_MAX;
    return mwi_tcp_porch_enter(conn->hub->porch, &conn->guest);
}

void mwi_tcp_conn_guest_accept(struct mwi_tcp_hub *hub, int fd, const char *name)
{
    struct mwi_tcp_conn *conn = mwi_tcp_conn_create(hub);
    if (conn == NULL || !enter_porch(conn)) {
        mwi_fork_guard_close(fd);
    } else {
        conn->is_server = true;
        if (mwi_tcp_conn_start(conn, fd, name, on_guest_ready))
            return;
    }
    if (conn != NULL)
        mwi_tcp_conn_bury(conn);
}

void mwi_tcp_conn_guest_admit(struct mwi_tcp_conn *conn)
{
    struct mwi_tcp_porch *porch = conn->guest.porch;
    uint32_t events = conn->awaited.events;
    if (porch == NULL || conn->state != MWI_TCP_CONN_UP)
        return;
    bool is_out = mwi_tcp_set_change(&porch->set, &conn->awaited, 0);
    /* Else the other set would take the socket for one that it has. */
    assert(is_out);
    (void)is_out;
    mwi_tcp_porch_admit(&conn->guest);
    conn->awaited.ready = mwi_tcp_conn_turn_ready;
    conn->frame_bytes_max = conn->hub->config.frame_bytes_max;
    if (!mwi_tcp_set_change(&conn->hub->poller.set, &conn->awaited, events))
        mwi_tcp_conn_fail(conn, ENOMEM);
}
