/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the queue of a connection. Frames that are sent in a poll leave at its end, all at once.
 * How frames become bytes is in outbox.c, and how bytes pass the socket in stream.h.
 *
 * Invariant: one call writes at most BATCHES_MAX batches, which bounds its work. If frames are
 * left, or the stream holds bytes, the connection waits until the socket takes more.
 */
#include "conn_send.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/body.h"

/* A turn writes at most this many batches to a connection. */
#define BATCHES_MAX 4

/* Writes one batch, which is empty if nothing is queued and the stream wants to write for itself.
 * False if the stream takes no more for now, or, with *error set, never again. */
static bool write_batch(struct mwi_tcp_conn *conn, int *error)
{
    struct mwi_tcp_batch *batch = conn->hub->batch;
    struct mwi_tcp_stream *stream = conn->stream;
    mwi_tcp_outbox_gather(&conn->outbox, batch);
    ssize_t size = stream->api->write(stream, batch->pieces, batch->count, batch->bytes);
    if (size < 0) {
        if (errno != EAGAIN)
            *error = errno;
        return false;
    }
    mwi_tcp_outbox_advance(&conn->outbox, (size_t)size);
    return (size_t)size == batch->bytes;
}

/* Takes off the queue what a signal handler has written. */
static void catch_up(struct mwi_tcp_conn *conn)
{
    if (conn->ahead_bytes == 0)
        return;
    mwi_tcp_outbox_advance(&conn->outbox, conn->ahead_bytes);
    conn->ahead_bytes = 0;
}

int mwi_tcp_conn_send_queued(struct mwi_tcp_conn *conn)
{
    assert(conn->write_error == 0);
    int error = 0;
    bool takes_more = true;
    catch_up(conn);
    unsigned wants = mwi_tcp_conn_wants(conn);
    for (int i = 0; i < BATCHES_MAX && takes_more; i++) {
        if (conn->outbox.count == 0 && (wants & MWI_TCP_STREAM_WANTS_WRITE) == 0)
            break;
        takes_more = write_batch(conn, &error);
        wants = mwi_tcp_conn_wants(conn);
    }
    if (error != 0)
        return error;
    if ((wants & MWI_TCP_STREAM_WANTS_READ) != 0)
        mwi_tcp_conn_put_again(conn);
    /* A stream that takes no more, and does not want to write, waits for input first. */
    bool has_rest = takes_more && conn->outbox.count > 0;
    if (has_rest || (wants & MWI_TCP_STREAM_WANTS_WRITE) != 0)
        return mwi_tcp_conn_wait_to_write(conn) ? 0 : ENOMEM;
    if (conn->waits_to_write)
        mwi_tcp_conn_stop_waiting(conn);
    return 0;
}

void mwi_tcp_conn_send_or_fail(struct mwi_tcp_conn *conn)
{
    int error = mwi_tcp_conn_send_queued(conn);
    if (error != 0)
        mwi_tcp_conn_fail(conn, error);
}

void mwi_tcp_conn_send_dirty(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *conn;
    while ((conn = TAILQ_FIRST(&hub->dirty)) != NULL) {
        mwi_tcp_conn_take_dirty(conn);
        mwi_tcp_conn_send_or_fail(conn);
    }
}

mw_error mwi_tcp_conn_send(struct mwi_tcp_conn *conn, void *frame, size_t size, const mw_body *body)
{
    assert(conn->state < MWI_TCP_CONN_ENDING);
    if (mwi_body_is_too_big(size, body, conn->hub->config.frame_bytes_max))
        return MW_ETOOBIG;
    if (conn->write_error != 0) {
        free(frame);
        mwi_body_release(body);
        return MW_OK;
    }
    if (!mwi_tcp_outbox_push(&conn->outbox, frame, size, body))
        return MW_ENOMEM;
    if (conn->state == MWI_TCP_CONN_UP && !conn->waits_to_write)
        mwi_tcp_conn_put_dirty(conn);
    return MW_OK;
}

static bool can_write_in_handler(const struct mwi_tcp_stream *stream)
{
    return stream->api->can_write_in_handler != NULL && stream->api->can_write_in_handler(stream);
}

bool mwi_tcp_conn_send_now(struct mwi_tcp_conn *conn, void *frame, size_t size)
{
    struct mwi_tcp_batch *batch = conn->hub->batch;
    if (conn->state != MWI_TCP_CONN_UP || conn->write_error != 0 || conn->ahead_bytes > 0 ||
        !can_write_in_handler(conn->stream) || !mwi_tcp_outbox_has_room(&conn->outbox))
        return false;
    (void)mwi_tcp_outbox_push(&conn->outbox, frame, size, NULL);
    if (!conn->waits_to_write)
        mwi_tcp_conn_put_dirty(conn);
    mwi_tcp_outbox_gather(&conn->outbox, batch);
    ssize_t written =
        conn->stream->api->write(conn->stream, batch->pieces, batch->count, batch->bytes);
    if (written > 0)
        conn->ahead_bytes = (size_t)written;
    return true;
}
