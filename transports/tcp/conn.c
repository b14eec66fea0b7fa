/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection's reading and writing.
 *
 * Every event may drop this connection or any other, so nothing of a connection is used after an
 * event but its state, and the memory of dead ones stays until the turn is over. One turn reads
 * once, or a few large frames one by one, which bounds its work: the socket stays readable if there
 * is more.
 */
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/body.h"
#include "dial.h"
#include "linger.h"
#include "mirror.h"
#include "socket.h"

/* One turn reads no more from one connection once it has read so much. */
#define TURN_BYTES_MAX ((ssize_t)1024 * 1024)
/* One turn writes at most so many batches to one connection. */
#define BATCHES_MAX 4

struct mwi_tcp_conn *mwi_tcp_conn_create(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *conn = calloc(1, sizeof *conn);

    if (conn == NULL)
        return NULL;
    conn->hub = hub;
    conn->fd = -1;
    conn->state = MWI_TCP_CONN_STARTING;
    conn->peer = hub->last_peer + 1;
    if (!mwi_map_set(&hub->peers, conn->peer, conn)) {
        free(conn);
        return NULL;
    }
    hub->last_peer = conn->peer;
    TAILQ_INSERT_TAIL(&hub->conns, conn, link);
    return conn;
}

static void free_event(struct event **event)
{
    if (*event != NULL)
        event_free(*event);
    *event = NULL;
}

static void forget_dirty(struct mwi_tcp_conn *conn)
{
    if (conn->is_dirty)
        TAILQ_REMOVE(&conn->hub->dirty, conn, dirty_link);
    conn->is_dirty = false;
}

void mwi_tcp_conn_bury(struct mwi_tcp_conn *conn)
{
    struct mwi_tcp_hub *hub = conn->hub;

    if (conn->state == MWI_TCP_CONN_DEAD)
        return;
    mwi_map_remove(&hub->peers, conn->peer);
    forget_dirty(conn);
    mwi_tcp_dial_destroy(conn->dial);
    conn->dial = NULL;
    free_event(&conn->read_event);
    free_event(&conn->write_event);
    if (conn->fd >= 0) {
        mwi_tcp_mirror_set(hub, conn->fd, 0);
        close(conn->fd);
    }
    conn->fd = -1;
    mwi_tcp_inbox_clear(&conn->inbox);
    mwi_tcp_outbox_clear(&conn->outbox);
    conn->state = MWI_TCP_CONN_DEAD;
    TAILQ_REMOVE(&hub->conns, conn, link);
    TAILQ_INSERT_TAIL(&hub->dead, conn, link);
}

void mwi_tcp_conn_free_dead(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *conn;

    while ((conn = TAILQ_FIRST(&hub->dead)) != NULL) {
        TAILQ_REMOVE(&hub->dead, conn, link);
        free(conn);
    }
}

void mwi_tcp_conn_down(struct mwi_tcp_conn *conn, const char *reason)
{
    struct mwi_tcp_hub *hub = conn->hub;

    mwi_tcp_conn_bury(conn);
    hub->events_count++;
    hub->config.events->down(hub->config.context, conn->peer, reason);
}

static void down_for_error(struct mwi_tcp_conn *conn, int error)
{
    char words[128];

    if (error == EPIPE)
        mwi_tcp_conn_down(conn, "closed by the peer");
    else
        mwi_tcp_conn_down(conn, strerror_r(error, words, sizeof words));
}

static void down_too_big(struct mwi_tcp_conn *conn)
{
    char reason[128];

    snprintf(reason, sizeof reason, "a frame of %zu bytes is over the limit of %zu",
             conn->inbox.size, conn->hub->config.frame_bytes_max);
    mwi_tcp_conn_down(conn, reason);
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
    size_t limit = conn->hub->config.frame_bytes_max;
    enum mwi_tcp_inbox_result result = MWI_TCP_INBOX_FRAME;
    mw_frame frame;

    while (conn->state == MWI_TCP_CONN_UP && result == MWI_TCP_INBOX_FRAME) {
        result = mwi_tcp_inbox_next(&conn->inbox, cursor, limit, &frame);
        if (result == MWI_TCP_INBOX_FRAME)
            deliver(conn, &frame);
        else if (result == MWI_TCP_INBOX_TOO_BIG)
            down_too_big(conn);
        else if (result == MWI_TCP_INBOX_NO_MEMORY)
            down_for_error(conn, ENOMEM);
    }
}

static void end_of_stream(struct mwi_tcp_conn *conn)
{
    if (mwi_tcp_inbox_is_inside_frame(&conn->inbox))
        mwi_tcp_conn_down(conn, "closed by the peer in the middle of a frame");
    else if (conn->write_error != 0)
        down_for_error(conn, conn->write_error);
    else
        mwi_tcp_conn_down(conn, "closed by the peer");
}

/* Reads once and delivers what is whole; returns what readv did. *is_full says whether there may be
 * more. */
static ssize_t read_once(struct mwi_tcp_conn *conn, bool *is_full)
{
    struct mwi_tcp_hub *hub = conn->hub;
    struct mwi_tcp_cursor cursor;
    struct iovec pieces[2];

    int count = mwi_tcp_inbox_room(&conn->inbox, hub->shared, MWI_TCP_SHARED_BYTES, pieces);
    ssize_t size = readv(conn->fd, pieces, count);
    if (size <= 0)
        return size;
    *is_full = (size_t)size == pieces[0].iov_len + (count > 1 ? pieces[1].iov_len : 0);
    mwi_tcp_inbox_received(&conn->inbox, (size_t)size, hub->shared, &cursor);
    deliver_all(conn, &cursor);
    return size;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_conn *conn = context;
    ssize_t size, total = 0;
    bool is_full = false;
    (void)fd;
    (void)what;

    do {
        size = read_once(conn, &is_full);
        total += size;
    } while (size > 0 && is_full && total < TURN_BYTES_MAX && conn->state == MWI_TCP_CONN_UP);
    if (size > 0) {
        if (conn->state == MWI_TCP_CONN_UP && conn->write_error != 0)
            event_active(conn->read_event, EV_READ, 0);
    } else if (size == 0) {
        end_of_stream(conn);
    } else if (errno == EAGAIN || errno == EINTR) {
        if (conn->write_error != 0)
            down_for_error(conn, conn->write_error);
    } else {
        down_for_error(conn, errno);
    }
}

static void unblock(struct mwi_tcp_conn *conn)
{
    if (!conn->is_blocked)
        return;
    event_del(conn->write_event);
    conn->is_blocked = false;
    mwi_tcp_mirror_set(conn->hub, conn->fd, EPOLLIN);
}

void mwi_tcp_conn_forget_queued(struct mwi_tcp_conn *conn)
{
    mwi_tcp_outbox_clear(&conn->outbox);
    unblock(conn);
    forget_dirty(conn);
}

void mwi_tcp_conn_fail(struct mwi_tcp_conn *conn, int error)
{
    conn->write_error = error;
    mwi_tcp_conn_forget_queued(conn);
    event_active(conn->read_event, EV_READ, 0);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_conn *conn = context;
    (void)fd;
    (void)what;

    int error = mwi_tcp_conn_write(conn);
    if (error != 0)
        mwi_tcp_conn_fail(conn, error);
}

static bool wait_writable(struct mwi_tcp_conn *conn)
{
    if (conn->is_blocked)
        return true;
    if (conn->write_event == NULL)
        conn->write_event =
            event_new(conn->hub->base, conn->fd, EV_WRITE | EV_PERSIST, on_writable, conn);
    if (conn->write_event == NULL || event_add(conn->write_event, NULL) != 0)
        return false;
    conn->is_blocked = true;
    mwi_tcp_mirror_set(conn->hub, conn->fd, EPOLLIN | EPOLLOUT);
    return true;
}

/* Writes one batch. False when the network takes no more for now, or, with *error set, at all. */
static bool write_batch(struct mwi_tcp_conn *conn, int *error)
{
    struct mwi_tcp_batch *batch = conn->hub->batch;

    mwi_tcp_outbox_gather(&conn->outbox, batch);
    struct msghdr message = {.msg_iov = batch->pieces, .msg_iovlen = batch->count};
    ssize_t size = sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0) {
        if (errno != EAGAIN && errno != EINTR)
            *error = errno;
        return false;
    }
    mwi_tcp_outbox_advance(&conn->outbox, (size_t)size);
    return (size_t)size == batch->bytes;
}

int mwi_tcp_conn_write(struct mwi_tcp_conn *conn)
{
    int error = 0;

    for (int i = 0; i < BATCHES_MAX && conn->outbox.count > 0; i++)
        if (!write_batch(conn, &error))
            break;
    if (error != 0)
        return error;
    if (conn->outbox.count > 0)
        return wait_writable(conn) ? 0 : ENOMEM;
    unblock(conn);
    return 0;
}

static void make_dirty(struct mwi_tcp_conn *conn)
{
    if (conn->is_dirty)
        return;
    conn->is_dirty = true;
    TAILQ_INSERT_TAIL(&conn->hub->dirty, conn, dirty_link);
}

void mwi_tcp_conn_flush_dirty(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *conn;

    while ((conn = TAILQ_FIRST(&hub->dirty)) != NULL) {
        forget_dirty(conn);
        int error = mwi_tcp_conn_write(conn);
        if (error != 0)
            mwi_tcp_conn_fail(conn, error);
    }
}

mw_error mwi_tcp_conn_send(struct mwi_tcp_conn *conn, void *frame, size_t size, const mw_body *body)
{
    if (mwi_body_is_too_big(size, body, conn->hub->config.frame_bytes_max))
        return MW_ETOOBIG;
    if (conn->write_error != 0) {
        free(frame);
        mwi_body_release(body);
        return MW_OK;
    }
    if (!mwi_tcp_outbox_push(&conn->outbox, frame, size, body))
        return MW_ENOMEM;
    if (conn->state == MWI_TCP_CONN_UP && !conn->is_blocked)
        make_dirty(conn);
    return MW_OK;
}

void mwi_tcp_conn_start(struct mwi_tcp_conn *conn, int fd, const char *name)
{
    struct mwi_tcp_hub *hub = conn->hub;

    mwi_tcp_dial_destroy(conn->dial);
    conn->dial = NULL;
    conn->fd = fd;
    conn->is_inet = mwi_tcp_socket_is_inet(fd);
    conn->read_event = event_new(hub->base, fd, EV_READ | EV_PERSIST, on_readable, conn);
    if (conn->read_event == NULL || event_add(conn->read_event, NULL) != 0) {
        down_for_error(conn, ENOMEM);
        return;
    }
    conn->state = MWI_TCP_CONN_UP;
    mwi_tcp_mirror_set(hub, fd, EPOLLIN);
    if (conn->outbox.count > 0)
        make_dirty(conn);
    hub->events_count++;
    hub->config.events->up(hub->config.context, conn->peer, name);
}

void mwi_tcp_conn_drop(struct mwi_tcp_conn *conn)
{
    bool is_sound = conn->state == MWI_TCP_CONN_UP && conn->write_error == 0;

    if (is_sound && mwi_tcp_conn_write(conn) == 0)
        mwi_tcp_linger_begin(conn);
    else
        mwi_tcp_conn_bury(conn);
}
