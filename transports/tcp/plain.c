/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads and writes the socket directly: one system call for each call, no copy and no proof.
 * For a single piece there are calls that take the kernel less time.
 * hub.c chooses the streams of a hub; tls.c has the other kind.
 */
#include "plain.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fork_guard.h"

struct plain {
    struct mwi_tcp_stream stream;
    bool is_full; /* the socket did not take all of the last write */
};

static ssize_t read_plain(struct mwi_tcp_stream *stream, const struct iovec *pieces, int count)
{
    ssize_t size = count == 1 ? recv(stream->fd, pieces->iov_base, pieces->iov_len, 0)
                              : readv(stream->fd, pieces, count);
    if (size < 0 && errno == EINTR)
        errno = EAGAIN;
    return size;
}

static ssize_t write_plain(struct mwi_tcp_stream *stream, const struct iovec *pieces, size_t count,
                           size_t bytes)
{
    /* A msghdr is not const where sendmsg only reads it. */
    union {
        const struct iovec *from;
        struct iovec *to;
    } base = {pieces};
    struct msghdr message = {.msg_iov = base.to, .msg_iovlen = count};
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    ssize_t size = count == 1 ? send(stream->fd, pieces->iov_base, pieces->iov_len, flags)
                              : sendmsg(stream->fd, &message, flags);
    ((struct plain *)stream)->is_full = size < (ssize_t)bytes;
    if (size < 0 && errno == EINTR)
        errno = EAGAIN;
    return size;
}

static unsigned wants_plain(const struct mwi_tcp_stream *stream)
{
    return ((const struct plain *)stream)->is_full ? MWI_TCP_STREAM_WANTS_WRITE : 0;
}

static bool can_write_in_handler(const struct mwi_tcp_stream *stream)
{
    (void)stream;
    return true;
}

static void close_plain(struct mwi_tcp_stream *stream)
{
    mwi_fork_guard_close(stream->fd);
    free(stream);
}

static const struct mwi_tcp_stream_api plain_api = {.read = read_plain,
                                                    .write = write_plain,
                                                    .wants = wants_plain,
                                                    .can_write_in_handler = can_write_in_handler,
                                                    .close = close_plain};

struct mwi_tcp_stream *mwi_tcp_plain_open(void *context, int fd, bool is_server, bool is_given)
{
    (void)context;
    (void)is_server;
    (void)is_given;
    assert(fd >= 0);
    struct plain *plain = calloc(1, sizeof *plain);
    if (plain == NULL)
        return NULL;
    plain->stream = (struct mwi_tcp_stream){.api = &plain_api, .fd = fd};
    return &plain->stream;
}
