/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends a connection because this side wants it, without an event. After a drop its socket may
 * linger (linger.c). When the transport closes, ending.c waits until the queue is written.
 */
#include "conn_drop.h"

#include "conn_send.h"
#include "linger.h"

/* Whether frames can still be written. */
static bool is_sound(const struct mwi_tcp_conn *conn)
{
    return conn->state == MWI_TCP_CONN_UP && conn->write_error == 0;
}

/* A guest's socket is closed at once: strangers must not cost more than the porch holds. */
static bool may_linger(const struct mwi_tcp_conn *conn)
{
    return conn->is_inet && conn->guest.porch == NULL;
}

void mwi_tcp_conn_drop(struct mwi_tcp_conn *conn)
{
    struct mwi_tcp_stream *stream = NULL;
    if (is_sound(conn) && mwi_tcp_conn_send_queued(conn) == 0 && may_linger(conn))
        stream = mwi_tcp_conn_release_stream(conn);
    mwi_tcp_conn_bury(conn);
    if (stream != NULL)
        mwi_tcp_linger_begin(conn->hub, stream);
}

void mwi_tcp_conn_drop_when_written(struct mwi_tcp_conn *conn)
{
    if (conn->guest.porch != NULL || !is_sound(conn) || mwi_tcp_conn_send_queued(conn) != 0) {
        mwi_tcp_conn_bury(conn);
        return;
    }
    mwi_tcp_conn_forget_peer(conn);
    conn->state = MWI_TCP_CONN_ENDING;
}
