/* SPDX-License-Identifier: Apache-2.0
 *
 * What the proof and the records of an encrypted stream share: how bytes pass its socket, and what
 * breaks it. tls_proof.c and tls.c call it.
 *
 * Invariant: a broken stream, for which `problem` or `error` is set, stays broken.
 */
#include "tls_stream.h"

#include <errno.h>
#include <sys/socket.h>

int mwi_tcp_tls_stream_break(struct mwi_tcp_tls_stream *one, const char *problem, int error)
{
    one->stream.problem = problem;
    one->error = error;
    return error;
}

int mwi_tcp_tls_stream_error(struct mwi_tcp_tls_stream *one)
{
    if (one->error != 0 || mwi_tcp_tls_stream_is_sound(one))
        return one->error;
    if (mwi_tcp_owner_is_lost(&one->tls->owner))
        return mwi_tcp_tls_stream_break(
            one, "another process, made by fork, has taken the connection", EPROTO);
    return mwi_tcp_tls_stream_break(one, NULL, ENOMEM);
}

int mwi_tcp_tls_stream_flush(struct mwi_tcp_tls_stream *one)
{
    while (mwi_tcp_lease_left(&one->output) > 0) {
        ssize_t size = send(one->stream.fd, mwi_tcp_lease_first(&one->output),
                            mwi_tcp_lease_left(&one->output), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size < 0)
            return errno == EINTR ? EAGAIN : errno;
        mwi_tcp_lease_advance(&one->output, (size_t)size);
    }
    return 0;
}

size_t mwi_tcp_tls_stream_receive(struct mwi_tcp_tls_stream *one, size_t size)
{
    mwi_tcp_lease_take(&one->input, &one->tls->in);
    struct mwi_tcp_lease *input = &one->input;
    size_t room = one->tls->in.size - input->end;
    ssize_t got =
        recv(one->stream.fd, input->block + input->end, size < room ? size : room, MSG_DONTWAIT);
    if (got == 0)
        one->is_at_end = true;
    else if (got < 0 && errno != EAGAIN && errno != EINTR)
        one->error = errno;
    input->end += got > 0 ? (size_t)got : 0;
    if (mwi_tcp_lease_left(input) == 0)
        mwi_tcp_lease_end(input);
    return got > 0 ? (size_t)got : 0;
}
