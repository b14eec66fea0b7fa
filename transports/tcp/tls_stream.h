/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of an encrypted stream, for tls_proof.c and tls.c. Nobody else includes it.
 */
#ifndef MWI_TCP_TLS_STREAM_H
#define MWI_TCP_TLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/transport.h>

#include "lease.h"
#include "owner.h"
#include "proof.h"
#include "record.h"
#include "stream.h"

/* The least that is received at once. */
#define MWI_TCP_TLS_RECV_BYTES_MIN ((size_t)64 * 1024)

/* Made and ended by tls.c; tls_proof.c makes the kits. */
struct mwi_tcp_tls {
    const mw_tcp_environment *environment;
    struct mwi_tcp_record_kit kit;
    struct mwi_tcp_proof_kit proofs;
    struct mwi_tcp_lease_buffer in;
    struct mwi_tcp_lease_buffer out;
    struct mwi_tcp_lease_buffer content; /* of one record */
    struct mwi_tcp_owner owner;
};

struct mwi_tcp_tls_stream {
    struct mwi_tcp_stream stream;
    struct mwi_tcp_tls *tls;
    struct mwi_tcp_proof *proof; /* from the first byte until it is over */
    size_t proof_bytes;
    struct mwi_tcp_lease input;
    struct mwi_tcp_lease content;
    struct mwi_tcp_lease output;
    struct mwi_tcp_record_key sends;
    struct mwi_tcp_record_key receives;
    uint64_t received_count; /* records */
    uint64_t updates_count;  /* of the other end's key */
    int error;               /* of the socket, or ENOMEM */
    bool is_server;
    bool is_proved;          /* what comes are records of frames */
    bool is_at_end;          /* the other end sends no more */
    bool must_answer_update; /* the other end has asked this one to change its key */
};

/* Breaks the stream: for the other end's fault, with a sentence, or for an error of the socket or
 * of memory, without one. Returns the errno. */
int mwi_tcp_tls_stream_break(struct mwi_tcp_tls_stream *one, const char *problem, int error);

static inline bool mwi_tcp_tls_stream_is_sound(const struct mwi_tcp_tls_stream *one)
{
    return one->error == 0 && !one->input.is_lost && !one->content.is_lost &&
           !one->output.is_lost && !mwi_tcp_owner_is_lost(&one->tls->owner);
}

/* Returns 0, or the errno of a broken stream. */
int mwi_tcp_tls_stream_error(struct mwi_tcp_tls_stream *one);

/* Sends the records that are left. Returns 0, or an errno: EAGAIN if the socket takes no more. */
int mwi_tcp_tls_stream_flush(struct mwi_tcp_tls_stream *one);

/* Receives up to `size` bytes behind the input that is there. Returns how many; 0 if none is there
 * for now, or ever, which is_at_end and `error` tell apart. */
size_t mwi_tcp_tls_stream_receive(struct mwi_tcp_tls_stream *one, size_t size);

#endif
