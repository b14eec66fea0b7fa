/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of one connection, its reading and its writing. tcp.c, listener.c, watch.c and ending.c
 * call it; conn.h draws the states.
 *
 * Every event of the transport may drop this connection or any other. So after an event nothing of
 * a connection is used but its state, and its memory stays until the poll is over. One turn reads
 * once, or a few large frames one by one, which bounds its work: the socket stays readable if there
 * is more. How bytes become frames is in inbox.c and outbox.c; how they pass the socket, in
 * stream.h; how a connection is made, in dial.c; the time after a drop, in linger.c.
 */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/body.h"
#include "base/fork_guard.h"
#include "dial.h"
#include "linger.h"
#include "socket.h"

/* A turn reads no more from a connection once it has read this much. */
#define TURN_BYTES_MAX ((ssize_t)1024 * 1024)
/* A turn writes at most this many batches to a connection. */
#define BATCHES_MAX 4

static struct mwi_tcp_conn *create(struct mwi_tcp_hub *hub)
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

/* False out of memory. */
static bool become_peer(struct mwi_tcp_conn *conn)
{
    assert(conn->peer == 0);
    struct mwi_tcp_hub *hub = conn->hub;
    if (!mwi_map_set(&hub->peers, hub->last_peer + 1, conn))
        return false;
    conn->peer = ++hub->last_peer;
    return true;
}

static void forget_dirty(struct mwi_tcp_conn *conn)
{
    if (conn->is_dirty)
        TAILQ_REMOVE(&conn->hub->dirty, conn, dirty_link);
    conn->is_dirty = false;
}

static void make_dirty(struct mwi_tcp_conn *conn)
{
    if (conn->is_dirty)
        return;
    conn->is_dirty = true;
    TAILQ_INSERT_TAIL(&conn->hub->dirty, conn, dirty_link);
}

static void forget_again(struct mwi_tcp_conn *conn)
{
    if (conn->is_again)
        TAILQ_REMOVE(&conn->hub->again, conn, again_link);
    conn->is_again = false;
}

/* Reads in the next turn, though the socket may not be readable; others get their turn before. */
static void read_again(struct mwi_tcp_conn *conn)
{
    if (conn->is_again)
        return;
    conn->is_again = true;
    TAILQ_INSERT_TAIL(&conn->hub->again, conn, again_link);
}

/* From now on no event is called for the peer. */
static void forget_peer(struct mwi_tcp_conn *conn)
{
    mwi_map_remove(&conn->hub->peers, conn->peer);
    mwi_tcp_inbox_clear(&conn->inbox);
}

/* The set in which the connection waits. */
static const struct mwi_tcp_set *set_of(const struct mwi_tcp_conn *conn)
{
    return conn->guest.porch != NULL ? &conn->guest.porch->set : &conn->hub->poller.set;
}

/* Takes the stream out of the poller and out of the connection; NULL if there is none. */
static struct mwi_tcp_stream *release_stream(struct mwi_tcp_conn *conn)
{
    struct mwi_tcp_stream *stream = conn->stream;
    forget_again(conn);
    conn->waits_to_write = false;
    if (stream != NULL)
        (void)mwi_tcp_set_change(set_of(conn), &conn->awaited, 0);
    conn->stream = NULL;
    return stream;
}

void mwi_tcp_conn_bury(struct mwi_tcp_conn *conn)
{
    struct mwi_tcp_hub *hub = conn->hub;
    if (conn->state == MWI_TCP_CONN_DEAD)
        return;
    forget_peer(conn);
    forget_dirty(conn);
    mwi_tcp_dial_destroy(conn->dial);
    conn->dial = NULL;
    struct mwi_tcp_stream *stream = release_stream(conn);
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

/* Ends the connection and calls the down event, or the stranger event for one whose number nobody
 * has been told. Only in a poll. */
static void go_down(struct mwi_tcp_conn *conn, const char *reason)
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

static void down_for_error(struct mwi_tcp_conn *conn, int error)
{
    assert(error != 0);
    char buffer[256];
    const char *problem = conn->stream == NULL ? NULL : conn->stream->problem;
    /* The stream's words end with it, before the event. */
    if (problem != NULL)
        snprintf(buffer, sizeof buffer, "%s", problem);
    if (problem != NULL)
        go_down(conn, buffer);
    else if (error == ETIME)
        go_down(conn, "a frame came too slowly");
    else if (error == EPIPE)
        go_down(conn, "closed by the peer");
    else
        go_down(conn, strerror_r(error, buffer, sizeof buffer));
}

/* Whether the size of a frame is the beginning of TLS, misread. */
static bool is_tls(size_t size)
{
    return size >> 16 == 0x1603;
}

static void down_too_big(struct mwi_tcp_conn *conn)
{
    char reason[128];
    if (conn->guest.porch != NULL && is_tls(conn->inbox.size)) {
        go_down(conn, "it encrypts, and this side runs with --mw-insecure");
        return;
    }
    snprintf(reason, sizeof reason, "a frame of %zu bytes is over the limit of %zu",
             conn->inbox.size, conn->frame_bytes_max);
    go_down(conn, reason);
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
            down_for_error(conn, ENOMEM);
    }
}

static void end_of_stream(struct mwi_tcp_conn *conn)
{
    if (mwi_tcp_inbox_is_inside_frame(&conn->inbox))
        go_down(conn, "closed by the peer in the middle of a frame");
    else
        down_for_error(conn, conn->write_error != 0 ? conn->write_error : EPIPE);
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
        go_down(conn, "it sent too many bytes before it was admitted");
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
            read_again(conn);
    } else if (size == 0) {
        end_of_stream(conn);
    } else if (errno == EAGAIN) {
        if (conn->write_error != 0)
            down_for_error(conn, conn->write_error);
    } else {
        down_for_error(conn, errno);
    }
}

static void stop_waiting_to_write(struct mwi_tcp_conn *conn)
{
    if (!conn->waits_to_write)
        return;
    (void)mwi_tcp_set_change(set_of(conn), &conn->awaited, EPOLLIN);
    conn->waits_to_write = false;
}

void mwi_tcp_conn_fail(struct mwi_tcp_conn *conn, int error)
{
    assert(conn->stream != NULL && error != 0);
    conn->write_error = error;
    mwi_tcp_outbox_clear(&conn->outbox);
    stop_waiting_to_write(conn);
    forget_dirty(conn);
    read_again(conn);
}

static bool wait_to_write(struct mwi_tcp_conn *conn)
{
    if (conn->waits_to_write)
        return true;
    if (!mwi_tcp_set_change(set_of(conn), &conn->awaited, EPOLLIN | EPOLLOUT))
        return false;
    conn->waits_to_write = true;
    return true;
}

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

static unsigned wants_of(const struct mwi_tcp_conn *conn)
{
    return conn->stream->api->wants(conn->stream);
}

/* Takes off the queue what a signal handler has written. */
static void catch_up(struct mwi_tcp_conn *conn)
{
    if (conn->ahead_bytes == 0)
        return;
    mwi_tcp_outbox_advance(&conn->outbox, conn->ahead_bytes);
    conn->ahead_bytes = 0;
}

/* Hands over as much of the queue as the stream takes, and waits for the rest if there is one.
 * Returns 0, or an errno if writing has ended for good. */
static int write_queue(struct mwi_tcp_conn *conn)
{
    assert(conn->write_error == 0);
    int error = 0;
    bool takes_more = true;
    catch_up(conn);
    unsigned wants = wants_of(conn);
    for (int i = 0; i < BATCHES_MAX && takes_more; i++) {
        if (conn->outbox.count == 0 && (wants & MWI_TCP_STREAM_WANTS_WRITE) == 0)
            break;
        takes_more = write_batch(conn, &error);
        wants = wants_of(conn);
    }
    if (error != 0)
        return error;
    if ((wants & MWI_TCP_STREAM_WANTS_READ) != 0)
        read_again(conn);
    /* A stream that takes no more, and does not want to write, waits for input first. */
    bool has_rest = takes_more && conn->outbox.count > 0;
    if (has_rest || (wants & MWI_TCP_STREAM_WANTS_WRITE) != 0)
        return wait_to_write(conn) ? 0 : ENOMEM;
    stop_waiting_to_write(conn);
    return 0;
}

static void write_or_fail(struct mwi_tcp_conn *conn)
{
    int error = write_queue(conn);
    if (error != 0)
        mwi_tcp_conn_fail(conn, error);
}

/* After a read: the stream may have to answer, may take frames now that it did not take before, or
 * may hold more input. */
static void follow_stream(struct mwi_tcp_conn *conn)
{
    unsigned wants = wants_of(conn);
    if ((wants & MWI_TCP_STREAM_WANTS_READ) != 0)
        read_again(conn);
    if (conn->waits_to_write || conn->is_dirty || conn->write_error != 0)
        return;
    if (conn->outbox.count > 0 || (wants & MWI_TCP_STREAM_WANTS_WRITE) != 0)
        write_or_fail(conn);
}

/* Reads what comes to an end that is closing, through the stream, which may need it to write. */
static void throw_input_away(struct mwi_tcp_conn *conn)
{
    struct iovec piece = {.iov_base = conn->hub->shared, .iov_len = MWI_TCP_SHARED_BYTES};
    ssize_t size = conn->stream->api->read(conn->stream, &piece, 1);
    if (size == 0 || (size < 0 && errno != EAGAIN))
        mwi_tcp_conn_bury(conn);
}

/* PROVING to UP: calls the up event. */
static void come_up(struct mwi_tcp_conn *conn)
{
    struct mwi_tcp_hub *hub = conn->hub;
    if (conn->peer == 0 && !become_peer(conn)) {
        down_for_error(conn, ENOMEM);
        return;
    }
    conn->state = MWI_TCP_CONN_UP;
    stop_waiting_to_write(conn);
    if (!mwi_tcp_conn_has_written(conn))
        make_dirty(conn);
    if ((wants_of(conn) & MWI_TCP_STREAM_WANTS_READ) != 0)
        read_again(conn);
    hub->events_count++;
    hub->config.events->up(hub->config.context, conn->peer, conn->name);
    free(conn->name);
    conn->name = NULL;
}

/* Waits for what moves the proof on; false out of memory. */
static bool wait_to_prove(struct mwi_tcp_conn *conn)
{
    unsigned wants = wants_of(conn);
    if ((wants & MWI_TCP_STREAM_WANTS_READ) != 0)
        read_again(conn);
    if ((wants & MWI_TCP_STREAM_WANTS_WRITE) != 0)
        return wait_to_write(conn);
    stop_waiting_to_write(conn);
    return true;
}

static void prove(struct mwi_tcp_conn *conn)
{
    assert(conn->state == MWI_TCP_CONN_PROVING);
    if (conn->write_error != 0) {
        go_down(conn, "the other end did not prove the key in time");
        return;
    }
    struct mwi_tcp_stream *stream = conn->stream;
    int error = stream->api->prove != NULL ? stream->api->prove(stream) : 0;
    if (error == EAGAIN)
        error = wait_to_prove(conn) ? EAGAIN : ENOMEM;
    if (error == 0)
        come_up(conn);
    else if (error != EAGAIN)
        down_for_error(conn, error);
}

static void read_stream(struct mwi_tcp_conn *conn)
{
    if (conn->state == MWI_TCP_CONN_PROVING) {
        prove(conn);
        return;
    }
    if (conn->state == MWI_TCP_CONN_ENDING)
        throw_input_away(conn);
    else
        read_frames(conn);
    if (conn->state != MWI_TCP_CONN_DEAD)
        follow_stream(conn);
}

static void write_stream(struct mwi_tcp_conn *conn)
{
    if (conn->state == MWI_TCP_CONN_PROVING)
        prove(conn);
    else
        write_or_fail(conn);
}

/* A connection that another one's event has ended in this turn is dead here. */
static void on_ready(void *context, uint32_t events)
{
    struct mwi_tcp_conn *conn = context;
    if ((events & ~(uint32_t)EPOLLOUT) != 0 && conn->state != MWI_TCP_CONN_DEAD)
        read_stream(conn);
    if ((events & ~(uint32_t)EPOLLIN) != 0 && conn->state != MWI_TCP_CONN_DEAD &&
        conn->waits_to_write)
        write_stream(conn);
}

static void on_guest_ready(void *context, uint32_t events)
{
    struct mwi_tcp_conn *conn = context;
    mwi_tcp_porch_serve(&conn->guest);
    on_ready(conn, events);
    if (conn->stream != NULL && conn->stream->is_promising)
        mwi_tcp_porch_promise(&conn->guest);
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
        forget_again(conn);
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

bool mwi_tcp_conn_read_only(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *only = TAILQ_FIRST(&hub->conns);
    if (only == NULL || TAILQ_NEXT(only, link) != NULL || only->state != MWI_TCP_CONN_UP ||
        only->guest.porch != NULL)
        return false;
    read_stream(only);
    return true;
}

void mwi_tcp_conn_flush_dirty(struct mwi_tcp_hub *hub)
{
    struct mwi_tcp_conn *conn;
    while ((conn = TAILQ_FIRST(&hub->dirty)) != NULL) {
        forget_dirty(conn);
        write_or_fail(conn);
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
        make_dirty(conn);
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
        make_dirty(conn);
    mwi_tcp_outbox_gather(&conn->outbox, batch);
    ssize_t written =
        conn->stream->api->write(conn->stream, batch->pieces, batch->count, batch->bytes);
    if (written > 0)
        conn->ahead_bytes = (size_t)written;
    return true;
}

/* STARTING to PROVING: takes the socket. False out of memory. */
static bool start(struct mwi_tcp_conn *conn, int fd, const char *name)
{
    assert(conn->state == MWI_TCP_CONN_STARTING && fd >= 0);
    struct mwi_tcp_hub *hub = conn->hub;
    conn->stream = hub->open_stream(hub->stream_context, fd, conn->is_server, conn->is_given);
    if (conn->stream == NULL) {
        mwi_fork_guard_close(fd);
        return false;
    }
    conn->is_inet = mwi_tcp_socket_is_inet(fd);
    conn->awaited = (struct mwi_tcp_awaited){.fd = fd, .context = conn};
    conn->awaited.ready = conn->guest.porch != NULL ? on_guest_ready : on_ready;
    conn->name = strdup(name);
    if (conn->name == NULL || !mwi_tcp_set_change(set_of(conn), &conn->awaited, EPOLLIN))
        return false;
    conn->state = MWI_TCP_CONN_PROVING;
    if (!conn->is_server || conn->stream->api->prove == NULL)
        prove(conn);
    return true;
}

static void on_dialled(void *context, int fd, const char *text)
{
    struct mwi_tcp_conn *conn = context;
    mwi_tcp_dial_destroy(conn->dial);
    conn->dial = NULL;
    if (fd < 0)
        go_down(conn, text);
    else if (!start(conn, fd, text))
        down_for_error(conn, ENOMEM);
}

mw_error mwi_tcp_conn_dial(struct mwi_tcp_hub *hub, const struct mwi_tcp_address *address,
                           bool is_server, mw_peer *peer)
{
    struct mwi_tcp_conn *conn = create(hub);
    if (conn == NULL)
        return MW_ENOMEM;
    conn->is_server = is_server;
    conn->is_given = address->kind == MWI_TCP_ADDRESS_FD;
    if (become_peer(conn))
        conn->dial = mwi_tcp_dial_begin(hub->poller.base, address, on_dialled, conn);
    if (conn->dial == NULL) {
        mwi_tcp_conn_bury(conn);
        return MW_ENOMEM;
    }
    *peer = conn->peer;
    return MW_OK;
}

static void turn_away(struct mwi_tcp_guest *guest, const char *reason)
{
    go_down((void *)((char *)guest - offsetof(struct mwi_tcp_conn, guest)), reason);
}

/* False out of memory. */
static bool enter_porch(struct mwi_tcp_conn *conn)
{
    conn->guest.turn_away = turn_away;
    if (conn->frame_bytes_max > MWI_TCP_GUEST_BYTES_MAX)
        conn->frame_bytes_max = MWI_TCP_GUEST_BYTES_MAX;
    return mwi_tcp_porch_enter(conn->hub->porch, &conn->guest);
}

void mwi_tcp_conn_admit(struct mwi_tcp_conn *conn)
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
    conn->awaited.ready = on_ready;
    conn->frame_bytes_max = conn->hub->config.frame_bytes_max;
    if (!mwi_tcp_set_change(&conn->hub->poller.set, &conn->awaited, events))
        mwi_tcp_conn_fail(conn, ENOMEM);
}

void mwi_tcp_conn_accept(struct mwi_tcp_hub *hub, int fd, const char *name)
{
    struct mwi_tcp_conn *conn = create(hub);
    if (conn == NULL || !enter_porch(conn)) {
        mwi_fork_guard_close(fd);
    } else {
        conn->is_server = true;
        if (start(conn, fd, name))
            return;
    }
    if (conn != NULL)
        mwi_tcp_conn_bury(conn);
}

bool mwi_tcp_conn_has_written(const struct mwi_tcp_conn *conn)
{
    return conn->outbox.count == 0 && (wants_of(conn) & MWI_TCP_STREAM_WANTS_WRITE) == 0;
}

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
    if (is_sound(conn) && write_queue(conn) == 0 && may_linger(conn))
        stream = release_stream(conn);
    mwi_tcp_conn_bury(conn);
    if (stream != NULL)
        mwi_tcp_linger_begin(conn->hub, stream);
}

void mwi_tcp_conn_end(struct mwi_tcp_conn *conn)
{
    if (conn->guest.porch != NULL || !is_sound(conn) || write_queue(conn) != 0) {
        mwi_tcp_conn_bury(conn);
        return;
    }
    forget_peer(conn);
    conn->state = MWI_TCP_CONN_ENDING;
}
