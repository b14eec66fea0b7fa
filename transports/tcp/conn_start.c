/* SPDX-License-Identifier: Apache-2.0
 *
 * Brings a connection up: gives it a socket, then lets its stream prove both ends. conn_dial.c and
 * conn_guest.c find the sockets; how a stream proves is in stream.h.
 */
#include "conn_start.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fork_guard.h"
#include "socket.h"

/* PROVING to UP: calls the up event. */
static void come_up(struct mwi_tcp_conn *conn)
{
    struct mwi_tcp_hub *hub = conn->hub;
    if (conn->peer == 0 && !mwi_tcp_conn_become_peer(conn)) {
        mwi_tcp_conn_go_down_for(conn, ENOMEM);
        return;
    }
    conn->state = MWI_TCP_CONN_UP;
    mwi_tcp_conn_stop_waiting(conn);
    if (!mwi_tcp_conn_has_written(conn))
        mwi_tcp_conn_put_dirty(conn);
    if ((mwi_tcp_conn_wants(conn) & MWI_TCP_STREAM_WANTS_READ) != 0)
        mwi_tcp_conn_put_again(conn);
    hub->events_count++;
    hub->config.events->up(hub->config.context, conn->peer, conn->name);
    free(conn->name);
    conn->name = NULL;
}

/* Waits for what moves the proof on; false out of memory. */
static bool wait_to_prove(struct mwi_tcp_conn *conn)
{
    unsigned wants = mwi_tcp_conn_wants(conn);
    if ((wants & MWI_TCP_STREAM_WANTS_READ) != 0)
        mwi_tcp_conn_put_again(conn);
    if ((wants & MWI_TCP_STREAM_WANTS_WRITE) != 0)
        return mwi_tcp_conn_wait_to_write(conn);
    mwi_tcp_conn_stop_waiting(conn);
    return true;
}

void mwi_tcp_conn_start_prove(struct mwi_tcp_conn *conn)
{
    assert(conn->state == MWI_TCP_CONN_PROVING);
    if (conn->write_error != 0) {
        mwi_tcp_conn_go_down(conn, "the other end did not prove the key in time");
        return;
    }
    struct mwi_tcp_stream *stream = conn->stream;
    int error = stream->api->prove != NULL ? stream->api->prove(stream) : 0;
    if (error == EAGAIN)
        error = wait_to_prove(conn) ? EAGAIN : ENOMEM;
    if (error == 0)
        come_up(conn);
    else if (error != EAGAIN)
        mwi_tcp_conn_go_down_for(conn, error);
}

bool mwi_tcp_conn_start(struct mwi_tcp_conn *conn, int fd, const char *name,
                        void (*ready)(void *context, uint32_t events))
{
    assert(conn->state == MWI_TCP_CONN_STARTING && fd >= 0);
    struct mwi_tcp_hub *hub = conn->hub;
    conn->stream = hub->open_stream(hub->stream_context, fd, conn->is_server, conn->is_given);
    if (conn->stream == NULL) {
        mwi_fork_guard_close(fd);
        return false;
    }
    conn->is_inet = mwi_tcp_socket_is_inet(fd);
    conn->awaited = (struct mwi_tcp_awaited){.fd = fd, .ready = ready, .context = conn};
    conn->name = strdup(name);
    if (conn->name == NULL || !mwi_tcp_set_change(mwi_tcp_conn_set(conn), &conn->awaited, EPOLLIN))
        return false;
    conn->state = MWI_TCP_CONN_PROVING;
    if (!conn->is_server || conn->stream->api->prove == NULL)
        mwi_tcp_conn_start_prove(conn);
    return true;
}
