/* SPDX-License-Identifier: Apache-2.0
 *
 * What all files of a connection need: its fields, the lists and the set in which it waits, and its
 * end. conn.h draws the states. The files above this one move a connection on: conn_dial.c and
 * conn_guest.c begin one, conn_start.c brings it up, conn_turn.c serves it, conn_read.c and
 * conn_send.c pass its frames, conn_drop.c ends it for this side.
 *
 * Every event of the transport may drop this connection or any other. So after an event nothing of
 * a connection is used but its state, and its memory stays until the poll is over.
 */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "dial.h"

struct mwi_tcp_conn *mwi_tcp_conn_create(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return NULL;
    conn->hub = hub;
    conn->state = MWI_TCP_CONN_STARTING;
    conn->frame_bytes_max = hub->config.frame_bytes_max;
    TAILQ_INSERT_TAIL(&hub->conns, conn, link);
    return conn;
}

bool mwi_tcp_conn_become_peer(struct mwi_tcp_conn *conn)
{
    assert(conn->peer == 0);
    struct mwi_tcp_hub *hub = conn->hub;
    if (!mwi_map_set(&hub->peers, hub->last_peer + 1, conn))
        return false;
    conn->peer = ++hub->last_peer;
    return true;
}

void mwi_tcp_conn_take_again(struct mwi_tcp_conn *conn)
{
    if (conn->is_again)
        TAILQ_REMOVE(&conn->hub->again, conn, again_link);
    conn->is_again = false;
}

void mwi_tcp_conn_put_again(struct mwi_tcp_conn *conn)
{
    if (conn->is_again)
        return;
    conn->is_again = true;
    TAILQ_INSERT_TAIL(&conn->hub->again, conn, again_link);
}

void mwi_tcp_conn_forget_peer(struct mwi_tcp_conn *conn)
{
    mwi_map_remove(&conn->hub->peers, conn->peer);
    mwi_tcp_inbox_clear(&conn->inbox);
}

const struct mwi_tcp_set *mwi_tcp_conn_set(const struct mwi_tcp_conn *conn)
{
    return conn->guest.porch != NULL ? &conn->guest.porch->set : &conn->hub->poller.set;
}

struct mwi_tcp_stream *mwi_tcp_conn_release_stream(struct mwi_tcp_conn *conn)
{
    struct mwi_tcp_stream *stream = conn->stream;
    mwi_tcp_conn_take_again(conn);
    conn->waits_to_write = false;
    if (stream != NULL)
        (void)mwi_tcp_set_change(mwi_tcp_conn_set(conn), &conn->awaited, 0);
    conn->stream = NULL;
    return stream;
}

void mwi_tcp_conn_bury(struct mwi_tcp_conn *conn)
{
    struct mwi_tcp_hub *hub = conn->hub;
    if (conn->state == MWI_TCP_CONN_DEAD)
        return;
    mwi_tcp_conn_forget_peer(conn);
    mwi_tcp_conn_take_dirty(conn);
    mwi_tcp_dial_destroy(conn->dial);
    conn->dial = NULL;
    struct mwi_tcp_stream *stream = mwi_tcp_conn_release_stream(conn);
    mwi_tcp_porch_leave(&conn->guest);
    if (stream != NULL)
        stream->api->close(stream);
    mwi_tcp_outbox_clear(&conn->outbox);
    conn->state = MWI_TCP_CONN_DEAD;
    TAILQ_REMOVE(&hub->conns, conn, link);
    TAILQ_INSERT_TAIL(&hub->dead, conn, link);
}

void mwi_tcp_conn_free_dead(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *conn;
    while ((conn = TAILQ_FIRST(&hub->dead)) != NULL) {
        assert(conn->state == MWI_TCP_CONN_DEAD);
        TAILQ_REMOVE(&hub->dead, conn, link);
        free(conn->name);
        free(conn);
    }
}

void mwi_tcp_conn_go_down(struct mwi_tcp_conn *conn, const char *reason)
{
    assert(conn->state < MWI_TCP_CONN_ENDING);
    struct mwi_tcp_hub *hub = conn->hub;
    bool is_stranger = conn->state == MWI_TCP_CONN_PROVING && conn->is_server;
    mwi_tcp_conn_bury(conn);
    if (is_stranger) {
        mwi_tcp_porch_tell(hub->porch, conn->name, reason);
        return;
    }
    hub->events_count++;
    hub->config.events->down(hub->config.context, conn->peer, reason);
}

void mwi_tcp_conn_go_down_for(struct mwi_tcp_conn *conn, int error)
{
    assert(error != 0);
    char buffer[256];
    const char *problem = conn->stream == NULL ? NULL : conn->stream->problem;
    /* The stream's words end with it, before the event. */
    if (problem != NULL)
        snprintf(buffer, sizeof buffer, "%s", problem);
    if (problem != NULL)
        mwi_tcp_conn_go_down(conn, buffer);
    else if (error == ETIME)
        mwi_tcp_conn_go_down(conn, "a frame came too slowly");
    else if (error == EPIPE)
        mwi_tcp_conn_go_down(conn, "closed by the peer");
    else
        mwi_tcp_conn_go_down(conn, strerror_r(error, buffer, sizeof buffer));
}

void mwi_tcp_conn_stop_waiting(struct mwi_tcp_conn *conn)
{
    if (!conn->waits_to_write)
        return;
    (void)mwi_tcp_set_change(mwi_tcp_conn_set(conn), &conn->awaited, EPOLLIN);
    conn->waits_to_write = false;
}

bool mwi_tcp_conn_wait_to_write(struct mwi_tcp_conn *conn)
{
    if (conn->waits_to_write)
        return true;
    if (!mwi_tcp_set_change(mwi_tcp_conn_set(conn), &conn->awaited, EPOLLIN | EPOLLOUT))
        return false;
    conn->waits_to_write = true;
    return true;
}

void mwi_tcp_conn_fail(struct mwi_tcp_conn *conn, int error)
{
    assert(conn->stream != NULL && error != 0);
    conn->write_error = error;
    mwi_tcp_outbox_clear(&conn->outbox);
    mwi_tcp_conn_stop_waiting(conn);
    mwi_tcp_conn_take_dirty(conn);
    mwi_tcp_conn_put_again(conn);
}

bool mwi_tcp_conn_has_written(const struct mwi_tcp_conn *conn)
{
    return conn->outbox.count == 0 && (mwi_tcp_conn_wants(conn) & MWI_TCP_STREAM_WANTS_WRITE) == 0;
}
