/* SPDX-License-Identifier: Apache-2.0
 *
 * The proof has three phases. A client writes first and then awaits the server's byte; a server
 * does it the other way round. Bytes are taken from the socket up to 64 at a time, but handed out
 * one by one, so that the socket is not readable while there is input.
 */
#include "odd_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <CUnit/CUnit.h>

#include "base/fork_guard.h"

enum phase { PHASE_WRITES, PHASE_AWAITS, PHASE_OPEN };

struct odd_stream {
    struct mwi_tcp_stream stream;
    struct mwt_odd_plan *plan;
    enum phase phase;
    bool is_server;
    bool has_rest; /* the last write did not take all that it was given */
    size_t read_bytes;
    size_t written_bytes;
    size_t held_begin;
    size_t held_end;
    unsigned char held[64];
};

static ssize_t say(int error)
{
    errno = error;
    return -1;
}

static ssize_t give_up(struct odd_stream *odd)
{
    odd->stream.problem = MWT_ODD_STREAM_PROBLEM;
    return say(EPROTO);
}

static bool is_empty(const struct odd_stream *odd)
{
    return odd->held_begin == odd->held_end;
}

/* Receives unless there is input inside. Returns as recv does. */
static ssize_t fill(struct odd_stream *odd)
{
    if (!is_empty(odd))
        return 1;
    ssize_t size = recv(odd->stream.fd, odd->held, sizeof odd->held, MSG_DONTWAIT);
    odd->held_begin = 0;
    odd->held_end = size > 0 ? (size_t)size : 0;
    return size;
}

static ssize_t write_byte(struct odd_stream *odd, const void *byte)
{
    return send(odd->stream.fd, byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int prove_write(struct odd_stream *odd)
{
    if (write_byte(odd, "!") < 0)
        return errno;
    odd->phase = odd->is_server ? PHASE_OPEN : PHASE_AWAITS;
    return 0;
}

static int prove_read(struct odd_stream *odd)
{
    ssize_t size = fill(odd);
    if (size <= 0)
        return size < 0 ? errno : EPIPE;
    odd->held_begin++;
    odd->phase = odd->is_server ? PHASE_WRITES : PHASE_OPEN;
    return 0;
}

/* One phase a call, so that input stays inside. */
static int prove_odd(struct mwi_tcp_stream *stream)
{
    struct odd_stream *odd = (struct odd_stream *)stream;
    int error = 0;
    odd->plan->proofs_count++;
    CU_ASSERT_NOT_EQUAL(odd->phase, PHASE_OPEN);
    if (odd->plan->fails_proof) {
        (void)give_up(odd);
        return EPROTO;
    }
    if (odd->phase == PHASE_WRITES)
        error = prove_write(odd);
    else
        error = prove_read(odd);
    return error == 0 && odd->phase != PHASE_OPEN ? EAGAIN : error;
}

static ssize_t read_odd(struct mwi_tcp_stream *stream, const struct iovec *pieces, int count)
{
    struct odd_stream *odd = (struct odd_stream *)stream;
    (void)count;
    CU_ASSERT_EQUAL(odd->phase, PHASE_OPEN);
    if (stream->problem != NULL)
        return say(EPROTO);
    ssize_t size = fill(odd);
    if (size <= 0)
        return size;
    if (odd->read_bytes == odd->plan->read_bytes_max)
        return give_up(odd);
    odd->read_bytes++;
    *(unsigned char *)pieces[0].iov_base = odd->held[odd->held_begin++];
    return 1;
}

static ssize_t write_odd(struct mwi_tcp_stream *stream, const struct iovec *pieces, size_t count,
                         size_t bytes)
{
    struct odd_stream *odd = (struct odd_stream *)stream;
    (void)count;
    odd->plan->writes_count++;
    CU_ASSERT_EQUAL(odd->phase, PHASE_OPEN);
    if (stream->problem != NULL)
        return say(EPROTO);
    if (bytes == 0)
        return 0;
    if (odd->written_bytes == odd->plan->write_bytes_max)
        return give_up(odd);
    ssize_t size = write_byte(odd, pieces[0].iov_base);
    odd->written_bytes += size > 0;
    odd->has_rest = size < (ssize_t)bytes;
    return size;
}

static unsigned wants_odd(const struct mwi_tcp_stream *stream)
{
    const struct odd_stream *odd = (const struct odd_stream *)stream;
    unsigned wants = 0;
    if (odd->phase == PHASE_WRITES || odd->has_rest)
        wants |= MWI_TCP_STREAM_WANTS_WRITE;
    if (odd->phase != PHASE_WRITES && !is_empty(odd))
        wants |= MWI_TCP_STREAM_WANTS_READ;
    return wants;
}

static void close_odd(struct mwi_tcp_stream *stream)
{
    struct odd_stream *odd = (struct odd_stream *)stream;
    odd->plan->open_count--;
    mwi_fork_guard_close(stream->fd);
    free(odd);
}

static const struct mwi_tcp_stream_api odd_api = {
    .read = read_odd, .write = write_odd, .wants = wants_odd, .close = close_odd};

static const struct mwi_tcp_stream_api proving_api = {.prove = prove_odd,
                                                      .read = read_odd,
                                                      .write = write_odd,
                                                      .wants = wants_odd,
                                                      .close = close_odd};

struct mwi_tcp_stream *mwt_odd_stream_open(void *context, int fd, bool is_server, bool is_given)
{
    (void)is_given;
    struct mwt_odd_plan *plan = context;
    struct odd_stream *odd = plan->is_refused ? NULL : calloc(1, sizeof *odd);
    if (odd == NULL)
        return NULL;
    odd->stream = (struct mwi_tcp_stream){.fd = fd};
    odd->stream.api = plan->has_proof ? &proving_api : &odd_api;
    odd->plan = plan;
    odd->is_server = is_server;
    odd->phase = is_server ? PHASE_AWAITS : PHASE_WRITES;
    if (!plan->has_proof)
        odd->phase = PHASE_OPEN;
    plan->open_count++;
    return &odd->stream;
}
