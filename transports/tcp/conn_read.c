/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a connection and delivers its frames. How bytes become frames is in inbox.c, and how bytes
 * pass the socket in stream.h.
 *
 * Invariant: one call reads once, or a few large frames one by one, which bounds its work. The
 * socket stays readable if there is more, and a stream says so if it holds more. A guest of the
 * porch is read from only as long as it has sent little.
 */
#include "conn_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "conn_send.h"

/* A turn reads no more from a connection once it has read this much. */
#define TURN_BYTES_MAX ((ssize_t)1024 * 1024)

/* Whether the size of a frame is the beginning of TLS, misread. */
static bool is_tls(size_t size)
{
    return size >> 16 == 0x1603;
}

static void down_too_big(struct mwi_tcp_conn *conn)
{
    char reason[128];
    if (conn->guest.porch != NULL && is_tls(conn->inbox.size)) {
        mwi_tcp_conn_go_down(conn, "it encrypts, and this side runs with --mw-insecure");
        return;
    }
    snprintf(reason, sizeof reason, "a frame of %zu bytes is over the limit of %zu",
             conn->inbox.size, conn->frame_bytes_max);
    mwi_tcp_conn_go_down(conn, reason);
}

/* Hands the frame to the receiver, who may keep its block. */
static void deliver(struct mwi_tcp_conn *conn, mw_frame *frame)
{
    struct mwi_tcp_hub *hub = conn->hub;
    hub->events_count++;
    hub->config.events->message(hub->config.context, conn->peer, frame);
    free(frame->block);
}

static void deliver_all(struct mwi_tcp_conn *conn, struct mwi_tcp_cursor *cursor)
{
    enum mwi_tcp_inbox_result result = MWI_TCP_INBOX_FRAME;
    mw_frame frame;
    while (conn->state == MWI_TCP_CONN_UP && result == MWI_TCP_INBOX_FRAME) {
        result = mwi_tcp_inbox_next(&conn->inbox, cursor, conn->frame_bytes_max, &frame);
        if (result == MWI_TCP_INBOX_FRAME)
            deliver(conn, &frame);
        else if (result == MWI_TCP_INBOX_TOO_BIG)
            down_too_big(conn);
        else if (result == MWI_TCP_INBOX_NO_MEMORY)
            mwi_tcp_conn_go_down_for(conn, ENOMEM);
    }
}

static void end_of_stream(struct mwi_tcp_conn *conn)
{
    if (mwi_tcp_inbox_is_inside_frame(&conn->inbox))
        mwi_tcp_conn_go_down(conn, "closed by the peer in the middle of a frame");
    else
        mwi_tcp_conn_go_down_for(conn, conn->write_error != 0 ? conn->write_error : EPIPE);
}

/* How many bytes may be received beyond a frame that has begun. */
static size_t shared_bytes(const struct mwi_tcp_conn *conn)
{
    if (conn->guest.porch == NULL)
        return MWI_TCP_SHARED_BYTES;
    return MWI_TCP_HEADER_BYTES + MWI_TCP_GUEST_BYTES_MAX;
}

/* Whether a guest has sent more than it may before it is admitted. */
static bool has_sent_too_much(struct mwi_tcp_conn *conn, size_t size)
{
    if (conn->guest.porch == NULL)
        return false;
    conn->guest_bytes += size;
    return conn->guest_bytes > MWI_TCP_HEADER_BYTES + MWI_TCP_GUEST_BYTES_MAX;
}

/* Reads once and delivers the frames that are whole; returns what the stream returned. *is_full
 * says whether there may be more to read. */
static ssize_t read_once(struct mwi_tcp_conn *conn, bool *is_full)
{
    struct mwi_tcp_hub *hub = conn->hub;
    struct iovec pieces[2];
    int count = mwi_tcp_inbox_room(&conn->inbox, hub->shared, shared_bytes(conn), pieces);
    ssize_t size = conn->stream->api->read(conn->stream, pieces, count);
    if (size <= 0)
        return size;
    if (has_sent_too_much(conn, (size_t)size)) {
        mwi_tcp_conn_go_down(conn, "it sent too many bytes before it was admitted");
        return size;
    }
    *is_full = (size_t)size == pieces[0].iov_len + (count > 1 ? pieces[1].iov_len : 0);
    struct mwi_tcp_cursor cursor;
    mwi_tcp_inbox_received(&conn->inbox, (size_t)size, hub->shared, &cursor);
    deliver_all(conn, &cursor);
    return size;
}

static void read_frames(struct mwi_tcp_conn *conn)
{
    ssize_t size;
    ssize_t total = 0;
    bool is_full = false;
    do {
        size = read_once(conn, &is_full);
        total += size;
    } while (size > 0 && is_full && total < TURN_BYTES_MAX && conn->state == MWI_TCP_CONN_UP);
    if (size > 0) {
        if (conn->state == MWI_TCP_CONN_UP && conn->write_error != 0)
            mwi_tcp_conn_put_again(conn);
    } else if (size == 0) {
        end_of_stream(conn);
    } else if (errno == EAGAIN) {
        if (conn->write_error != 0)
            mwi_tcp_conn_go_down_for(conn, conn->write_error);
    } else {
        mwi_tcp_conn_go_down_for(conn, errno);
    }
}

/* Reads what comes to an end that is closing, through the stream, which may need it to write. */
static void throw_input_away(struct mwi_tcp_conn *conn)
{
    struct iovec piece = {.iov_base = conn->hub->shared, .iov_len = MWI_TCP_SHARED_BYTES};
    ssize_t size = conn->stream->api->read(conn->stream, &piece, 1);
    if (size == 0 || (size < 0 && errno != EAGAIN))
        mwi_tcp_conn_bury(conn);
}

/* After a read: the stream may have to answer, may take frames now that it did not take before, or
 * may hold more input. */
static void follow_stream(struct mwi_tcp_conn *conn)
{
    unsigned wants = mwi_tcp_conn_wants(conn);
    if ((wants & MWI_TCP_STREAM_WANTS_READ) != 0)
        mwi_tcp_conn_put_again(conn);
    if (conn->waits_to_write || conn->is_dirty || conn->write_error != 0)
        return;
    if (conn->outbox.count > 0 || (wants & MWI_TCP_STREAM_WANTS_WRITE) != 0)
        mwi_tcp_conn_send_or_fail(conn);
}

void mwi_tcp_conn_read(struct mwi_tcp_conn *conn)
{
    if (conn->state == MWI_TCP_CONN_ENDING)
        throw_input_away(conn);
    else
        read_frames(conn);
    if (conn->state != MWI_TCP_CONN_DEAD)
        follow_stream(conn);
}

bool mwi_tcp_conn_read_only(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *only = TAILQ_FIRST(&hub->conns);
    if (only == NULL || TAILQ_NEXT(only, link) != NULL || only->state != MWI_TCP_CONN_UP ||
        only->guest.porch != NULL)
        return false;
    mwi_tcp_conn_read(only);
    return true;
}
