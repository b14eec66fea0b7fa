/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam between a connection and its socket: how bytes pass. conn.c knows this header only, so
 * that a stream which encrypts needs a file of its own beside plain.c, a choice in hub.c, and no
 * change in conn.c, inbox.c or outbox.c.
 *
 * A stream may have to do something before the first byte passes, such as a handshake. It does its
 * part in the calls of read and write: they say EAGAIN until it is over, and `wants` says what the
 * stream waits for. The connection always waits for the socket to become readable, and so calls
 * read whenever something comes.
 */
#ifndef MWI_TCP_STREAM_H
#define MWI_TCP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct mwi_tcp_stream;

/* Bits of what a stream wants. */
enum mwi_tcp_stream_wants {
    /* When the socket is writable, call write; with no pieces, if there are none. */
    MWI_TCP_STREAM_WANTS_WRITE = 1,
    /* Input lies inside the stream: call read soon, also if the socket is not readable. */
    MWI_TCP_STREAM_WANTS_READ = 2
};

struct mwi_tcp_stream_api {
    /* Fills the pieces in turn. Returns the number of bytes; 0 at the end of the stream; -1 with
     * errno: EAGAIN if there is nothing for now, any other if the stream is broken. */
    ssize_t (*read)(struct mwi_tcp_stream *stream, const struct iovec *pieces, int count);

    /* Takes as many of the pieces' bytes, from their beginning, as can go out now; `bytes` is the
     * sum of their lengths. Returns the number of bytes taken; -1 with errno: EAGAIN if that is 0
     * for now, any other if nothing can ever be written again. If it takes less than all, `wants`
     * says whether to call it again when the socket is writable, or only after a read. The next
     * call begins with the bytes that were not taken. */
    ssize_t (*write)(struct mwi_tcp_stream *stream, const struct iovec *pieces, size_t count,
                     size_t bytes);

    /* Returns what the stream wants now, as bits of mwi_tcp_stream_wants. */
    unsigned (*wants)(const struct mwi_tcp_stream *stream);

    /* Whether a signal handler may call write, if it has interrupted no call of this stream: write
     * then calls only functions that are safe there. A stream that encrypts can seldom promise
     * that; a slave then says only after its task that it is leaving. */
    bool can_write_in_handler;

    /* Closes the socket without writing, by mwi_fork_guard_close, and frees the stream. */
    void (*close)(struct mwi_tcp_stream *stream);
};

/* Embedded at the beginning of each kind of stream, whose open function sets it. */
struct mwi_tcp_stream {
    const struct mwi_tcp_stream_api *api;
    int fd; /* a connected, non-blocking stream socket, to wait for */
    /* A sentence that says why the stream is broken, valid until it is closed; NULL: errno says
     * it. */
    const char *problem;
};

/* Makes a stream of a connected socket, and takes the socket. `is_server` says that the other end
 * connected to this one. NULL out of memory; the socket is then still the caller's. */
typedef struct mwi_tcp_stream *mwi_tcp_stream_open_fn(void *context, int fd, bool is_server);

#endif
