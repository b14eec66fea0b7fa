/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam between a connection and its socket: how bytes pass. Connections know this header only,
 * so that a stream which encrypts needs a file of its own beside plain.c, a choice in hub.c, and no
 * change in conn.c, the files conn_NAME.c, inbox.c or outbox.c.
 *
 * Before the first byte of a frame passes, both ends may have to prove who they are: `prove` does
 * that. After it, a stream may still have to do something of its own in the calls of read and
 * write: they then say EAGAIN, and `wants` says what the stream waits for. The connection always
 * waits for the socket to become readable, and so calls read whenever something comes.
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
    /* When the socket is writable, call write; with no pieces, if there are none. During the proof,
     * call prove instead. */
    MWI_TCP_STREAM_WANTS_WRITE = 1,
    /* Input lies inside the stream: call read (during the proof, prove) soon, also if the socket is
     * not readable. */
    MWI_TCP_STREAM_WANTS_READ = 2
};

struct mwi_tcp_stream_api {
    /* Moves the proof of both ends on. A connecting end calls it at once, a listening one when the
     * socket is readable; after that, each calls it when the socket is readable, or when `wants`
     * says so. Returns 0 when both ends are proved, and is then called no more; EAGAIN while the
     * proof goes on; another errno if it has failed, EPIPE if the other end closed. NULL: there is
     * nothing to prove. Read and write are called only after the proof. */
    int (*prove)(struct mwi_tcp_stream *stream);

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

    /* Whether a signal handler may call write now, if it has interrupted no call of a stream of
     * this hub: write then calls only functions that are safe there. NULL: never; a slave then
     * says only after its task that it is leaving. */
    bool (*can_write_in_handler)(const struct mwi_tcp_stream *stream);

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
    /* During the proof, of a listening end: the other end has named a key that is known here. */
    bool is_promising;
};

/* Makes a stream of a connected socket, and takes the socket. `is_server` says that the other end
 * connected to this one, `is_given` that the socket came connected from this process's caller, who
 * vouches for the other end. NULL out of memory; the socket is then still the caller's. */
typedef struct mwi_tcp_stream *mwi_tcp_stream_open_fn(void *context, int fd, bool is_server,
                                                      bool is_given);

#endif
