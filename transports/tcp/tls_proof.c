/* SPDX-License-Identifier: Apache-2.0
 *
 * The proof of an encrypted stream: passes the bytes of the handshake, which proof.c makes, and
 * tells an end that fails no more than a fixed answer. tls.c calls it.
 *
 * Invariants: until the proof is over, no byte of the other end goes anywhere else, and at most
 * PROOF_BYTES_MAX of them are taken. For an end that connected to this one, nothing is made before
 * its first record is whole.
 */
#include "tls_proof.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls_stream.h"

#define PROOF_BYTES_MAX ((size_t)16 * 1024)

/* Starts OpenSSL's part with the first connection, so that a hub without one does not pay for it.
 * At exit OpenSSL would free what other threads may still use, so it is told not to. */
static bool set_up_openssl(struct mwi_tcp_tls *tls)
{
    if (tls->proofs.context != NULL)
        return true;
    (void)OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
    bool is_set_up = mwi_tcp_record_kit_init(&tls->kit) &&
                     mwi_tcp_proof_kit_init(&tls->proofs, tls->environment, &tls->kit);
    if (!is_set_up) {
        mwi_tcp_proof_kit_fini(&tls->proofs);
        mwi_tcp_record_kit_fini(&tls->kit);
    }
    ERR_clear_error();
    return is_set_up;
}

static const char *closed_problem(const struct mwi_tcp_tls_stream *one)
{
    return one->is_server ? "it closed the connection before it had proved a key"
                          : "the other end closed the connection during the proof of the key: "
                            "perhaps it runs with --mw-insecure, or is no master of mw";
}

/* Tells the other end these words and no more, whatever went wrong. Reads its input first, since a
 * close with unread input would overtake the words. */
static int turn_away(struct mwi_tcp_tls_stream *one, const char *problem, const void *words,
                     size_t size)
{
    mwi_tcp_lease_end(&one->input);
    (void)mwi_tcp_tls_stream_receive(one, MWI_TCP_TLS_RECV_BYTES_MIN);
    mwi_tcp_lease_end(&one->input);
    (void)send(one->stream.fd, words, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return mwi_tcp_tls_stream_break(one, problem, EPROTO);
}

static int fail_proof(struct mwi_tcp_tls_stream *one, const char *problem)
{
    static const unsigned char alert[] = {MWI_TCP_RECORD_ALERT, 3, 3, 0, 2, 2, 40};
    return turn_away(one, problem, alert, sizeof alert);
}

/* The other end speaks mw's frames without encryption: it gets one, which says that it is
 * refused. */
static int refuse_plain(struct mwi_tcp_tls_stream *one)
{
    static const char problem[] =
        "it does not encrypt: it runs with --mw-insecure, or is of an older version";
    const mw_tcp_environment *environment = one->tls->environment;
    unsigned char frame[4 + 1024];
    size_t size = environment->refusal_size;
    if (environment->refusal == NULL || size > sizeof frame - 4)
        return turn_away(one, problem, NULL, 0);
    frame[0] = frame[1] = 0;
    frame[2] = (unsigned char)(size >> 8);
    frame[3] = (unsigned char)size;
    memcpy(frame + 4, environment->refusal, size);
    return turn_away(one, problem, frame, 4 + size);
}

/* Looks at the first byte, before OpenSSL does. Returns 0, or an errno if it is no TLS. */
static int check_first(struct mwi_tcp_tls_stream *one)
{
    unsigned char first = *mwi_tcp_lease_first(&one->input);
    if (first == MWI_TCP_RECORD_HANDSHAKE || (!one->is_server && first == MWI_TCP_RECORD_ALERT))
        return 0;
    if (first == MWI_TCP_RECORD_ALERT)
        return fail_proof(one, "it gave up before it offered a key: perhaps it has none");
    if (one->is_server)
        return first == 0 ? refuse_plain(one) : fail_proof(one, "it does not speak TLS");
    return mwi_tcp_tls_stream_break(
        one,
        first == 0 ? "the other end does not encrypt: it runs with --mw-insecure"
                   : "the other end does not speak TLS",
        EPROTO);
}

/* Whether the first record of a server's other end is whole: nothing is made for one that does not
 * send that much. */
static bool has_hello(const struct mwi_tcp_tls_stream *one)
{
    const unsigned char *bytes = mwi_tcp_lease_first(&one->input);
    size_t count = mwi_tcp_lease_left(&one->input);
    return count >= MWI_TCP_RECORD_HEADER_BYTES &&
           count - MWI_TCP_RECORD_HEADER_BYTES >= ((size_t)bytes[3] << 8 | bytes[4]);
}

/* Puts what the handshake has to say behind the records that are left, and sends. */
static int send_proof(struct mwi_tcp_tls_stream *one)
{
    mwi_tcp_lease_take(&one->output, &one->tls->out);
    size_t size;
    do {
        size = mwi_tcp_proof_output(one->proof, one->output.block + one->output.end,
                                    one->tls->out.size - one->output.end);
        one->output.end += size;
    } while (size > 0);
    if (mwi_tcp_lease_left(&one->output) == 0)
        mwi_tcp_lease_end(&one->output);
    return mwi_tcp_tls_stream_flush(one);
}

/* The proof is done: makes the keys, and takes back what came behind it. */
static int finish_proof(struct mwi_tcp_tls_stream *one)
{
    bool has_keys = mwi_tcp_proof_make_keys(one->proof, &one->sends, &one->receives);
    mwi_tcp_lease_take(&one->input, &one->tls->in);
    one->input.end = mwi_tcp_proof_rest(one->proof, one->input.block, one->tls->in.size);
    if (mwi_tcp_lease_left(&one->input) == 0)
        mwi_tcp_lease_end(&one->input);
    mwi_tcp_proof_destroy(one->proof);
    one->proof = NULL;
    one->is_proved = true;
    return has_keys ? 0 : mwi_tcp_tls_stream_break(one, NULL, ENOMEM);
}

/* Hands the handshake what has come. */
static int move_proof(struct mwi_tcp_tls_stream *one)
{
    size_t size = mwi_tcp_lease_left(&one->input);
    enum mwi_tcp_proof_state state =
        mwi_tcp_proof_take(one->proof, size > 0 ? mwi_tcp_lease_first(&one->input) : NULL, size);
    mwi_tcp_lease_end(&one->input);
    one->stream.is_promising = mwi_tcp_proof_has_known_key(one->proof);
    if (state == MWI_TCP_PROOF_FAILED)
        return fail_proof(one, mwi_tcp_proof_problem(one->proof));
    int error = send_proof(one);
    if (error != 0 && error != EAGAIN)
        return mwi_tcp_tls_stream_break(one, NULL, error);
    return state == MWI_TCP_PROOF_DONE ? finish_proof(one) : EAGAIN;
}

static int begin_proof(struct mwi_tcp_tls_stream *one)
{
    if (set_up_openssl(one->tls))
        one->proof = mwi_tcp_proof_begin(&one->tls->proofs, one->is_server);
    return one->proof != NULL ? 0 : mwi_tcp_tls_stream_break(one, NULL, ENOMEM);
}

/* Receives more of the proof. Returns 0, or an errno if there is nothing to look at. */
static int receive_proof(struct mwi_tcp_tls_stream *one)
{
    bool is_first = one->proof_bytes == 0;
    if (one->proof_bytes == PROOF_BYTES_MAX)
        return fail_proof(one, one->is_server ? "it sends much, and proves no key"
                                              : "the other end sends much, and proves no key");
    size_t size = mwi_tcp_tls_stream_receive(one, PROOF_BYTES_MAX - one->proof_bytes);
    one->proof_bytes += size;
    if (size > 0)
        return is_first ? check_first(one) : 0;
    if (one->is_at_end)
        return mwi_tcp_tls_stream_break(one, closed_problem(one), EPROTO);
    return one->error != 0 ? one->error : EAGAIN;
}

int mwi_tcp_tls_proof_step(struct mwi_tcp_stream *stream)
{
    struct mwi_tcp_tls_stream *one = (struct mwi_tcp_tls_stream *)stream;
    int error = mwi_tcp_tls_stream_error(one);
    if (error == 0)
        error = mwi_tcp_tls_stream_flush(one);
    if (error != 0)
        return error;
    bool is_beginning = !one->is_server && one->proof == NULL;
    if (!is_beginning)
        error = receive_proof(one);
    if (error == 0 && one->proof == NULL && (is_beginning || has_hello(one)))
        error = begin_proof(one);
    if (error != 0)
        return error;
    return one->proof != NULL ? move_proof(one) : EAGAIN;
}
