/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream that encrypts, for connections. First proof.c makes the handshake of TLS; until it is
 * over, no byte of the other end goes anywhere else, and at most PROOF_BYTES_MAX of them are taken.
 * Then record.c encrypts and decrypts. The bytes of a call of write go into records of full size,
 * one behind the other, and out with few calls of send. One recv brings up to 64 KiB, or as much as
 * the pieces hold, and records are decrypted straight into the pieces.
 *
 * Three rests may stay between two calls, as leases of buffers that the hub's streams share: input
 * that is not yet a whole record or found no room in the pieces, content of the last record that
 * found no room, and records that the socket did not take.
 *
 * Invariants: a broken stream, for which `problem` or `error` is set, stays broken. An idle one
 * holds no rest. A write in a signal handler allocates nothing: the buffer is free, or the
 * stream's. After a fork only one of the processes encrypts (owner.h). There is no goodbye on this
 * level: an end of the stream is what the socket says. Frames have their lengths, and the engines
 * say goodbye.
 */
#include "tls.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/fork_guard.h"
#include "lease.h"
#include "owner.h"
#include "plain.h"
#include "proof.h"
#include "record.h"

#define PROOF_BYTES_MAX ((size_t)16 * 1024)
/* Room for the records that one recv brings to one call of read: pieces hold at most 1 MiB + 4 KiB,
 * but the socket seldom so much. */
#define IN_BYTES ((size_t)320 * 1024)
#define RECV_BYTES_MIN ((size_t)64 * 1024)
#define OUT_RECORDS 8
#define OUT_BYTES (OUT_RECORDS * (MWI_TCP_RECORD_CONTENT_BYTES + MWI_TCP_RECORD_EXTRA_BYTES))
#define UPDATE_BYTES 5
/* The other end may change its key this often, and once more for each UPDATE_RECORDS records. */
#define UPDATES_FREE 16
#define UPDATE_RECORDS 65536

struct mwi_tcp_tls {
    const mw_tcp_environment *environment;
    struct mwi_tcp_record_kit kit;
    struct mwi_tcp_proof_kit proofs;
    struct mwi_tcp_lease_buffer in;
    struct mwi_tcp_lease_buffer out;
    struct mwi_tcp_lease_buffer content; /* of one record */
    struct mwi_tcp_owner owner;
};

struct encrypted {
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

static bool set_up_buffer(struct mwi_tcp_lease_buffer *buffer, size_t size)
{
    *buffer = (struct mwi_tcp_lease_buffer){.bytes = malloc(size), .size = size};
    return buffer->bytes != NULL;
}

struct mwi_tcp_tls *mwi_tcp_tls_create(const mw_tcp_environment *environment)
{
    struct mwi_tcp_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return NULL;
    tls->environment = environment;
    if (mwi_tcp_owner_init(&tls->owner) && set_up_buffer(&tls->in, IN_BYTES) &&
        set_up_buffer(&tls->out, OUT_BYTES) &&
        set_up_buffer(&tls->content, MWI_TCP_RECORD_BYTES_MAX))
        return tls;
    mwi_tcp_tls_destroy(tls);
    return NULL;
}

void mwi_tcp_tls_destroy(struct mwi_tcp_tls *tls)
{
    if (tls == NULL)
        return;
    assert(tls->in.holder == NULL && tls->out.holder == NULL && tls->content.holder == NULL);
    mwi_tcp_proof_kit_fini(&tls->proofs);
    mwi_tcp_record_kit_fini(&tls->kit);
    free(tls->in.bytes);
    free(tls->out.bytes);
    free(tls->content.bytes);
    mwi_tcp_owner_fini(&tls->owner);
    free(tls);
}

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

static ssize_t say(int error)
{
    errno = error;
    return -1;
}

/* Breaks the stream: for the other end's fault, with a sentence, or for an error of the socket or
 * of memory, without one. Returns the errno. */
static int give_up(struct encrypted *one, const char *problem, int error)
{
    one->stream.problem = problem;
    one->error = error;
    return error;
}

static bool is_sound(const struct encrypted *one)
{
    return one->error == 0 && !one->input.is_lost && !one->content.is_lost &&
           !one->output.is_lost && !mwi_tcp_owner_is_lost(&one->tls->owner);
}

/* Returns 0, or the errno of a broken stream. */
static int broken(struct encrypted *one)
{
    if (one->error != 0 || is_sound(one))
        return one->error;
    if (mwi_tcp_owner_is_lost(&one->tls->owner))
        return give_up(one, "another process, made by fork, has taken the connection", EPROTO);
    return give_up(one, NULL, ENOMEM);
}

static size_t left_in(const struct mwi_tcp_lease *lease)
{
    return lease->end - lease->begin;
}

static const unsigned char *first_of(const struct mwi_tcp_lease *lease)
{
    return lease->block + lease->begin;
}

/* Sends the records that are left. Returns 0, or an errno: EAGAIN if the socket takes no more. */
static int flush(struct encrypted *one)
{
    while (left_in(&one->output) > 0) {
        ssize_t size = send(one->stream.fd, first_of(&one->output), left_in(&one->output),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size < 0)
            return errno == EINTR ? EAGAIN : errno;
        mwi_tcp_lease_advance(&one->output, (size_t)size);
    }
    return 0;
}

/* Receives up to `size` bytes behind the input that is there. Returns how many; 0 if none is there
 * for now, or ever, which is_at_end and `error` tell apart. */
static size_t receive(struct encrypted *one, size_t size)
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
    if (left_in(input) == 0)
        mwi_tcp_lease_end(input);
    return got > 0 ? (size_t)got : 0;
}

/* ---- the proof ---- */

static const char *closed_problem(const struct encrypted *one)
{
    return one->is_server ? "it closed the connection before it had proved a key"
                          : "the other end closed the connection during the proof of the key: "
                            "perhaps it runs with --mw-insecure, or is no master of mw";
}

/* Tells the other end these words and no more, whatever went wrong. Reads its input first, since a
 * close with unread input would overtake the words. */
static int turn_away(struct encrypted *one, const char *problem, const void *words, size_t size)
{
    mwi_tcp_lease_end(&one->input);
    (void)receive(one, RECV_BYTES_MIN);
    mwi_tcp_lease_end(&one->input);
    (void)send(one->stream.fd, words, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return give_up(one, problem, EPROTO);
}

static int fail_proof(struct encrypted *one, const char *problem)
{
    static const unsigned char alert[] = {MWI_TCP_RECORD_ALERT, 3, 3, 0, 2, 2, 40};
    return turn_away(one, problem, alert, sizeof alert);
}

/* The other end speaks mw's frames without encryption: it gets one, which says that it is
 * refused. */
static int refuse_plain(struct encrypted *one)
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
static int check_first(struct encrypted *one)
{
    unsigned char first = *first_of(&one->input);
    if (first == MWI_TCP_RECORD_HANDSHAKE || (!one->is_server && first == MWI_TCP_RECORD_ALERT))
        return 0;
    if (first == MWI_TCP_RECORD_ALERT)
        return fail_proof(one, "it gave up before it offered a key: perhaps it has none");
    if (one->is_server)
        return first == 0 ? refuse_plain(one) : fail_proof(one, "it does not speak TLS");
    return give_up(one,
                   first == 0 ? "the other end does not encrypt: it runs with --mw-insecure"
                              : "the other end does not speak TLS",
                   EPROTO);
}

/* Whether the first record of a server's other end is whole: nothing is made for one that does not
 * send that much. */
static bool has_hello(const struct encrypted *one)
{
    const unsigned char *bytes = first_of(&one->input);
    size_t count = left_in(&one->input);
    return count >= MWI_TCP_RECORD_HEADER_BYTES &&
           count - MWI_TCP_RECORD_HEADER_BYTES >= ((size_t)bytes[3] << 8 | bytes[4]);
}

/* Puts what the handshake has to say behind the records that are left, and sends. */
static int send_proof(struct encrypted *one)
{
    mwi_tcp_lease_take(&one->output, &one->tls->out);
    size_t size;
    do {
        size = mwi_tcp_proof_output(one->proof, one->output.block + one->output.end,
                                    one->tls->out.size - one->output.end);
        one->output.end += size;
    } while (size > 0);
    if (left_in(&one->output) == 0)
        mwi_tcp_lease_end(&one->output);
    return flush(one);
}

/* The proof is done: makes the keys, and takes back what came behind it. */
static int finish_proof(struct encrypted *one)
{
    bool has_keys = mwi_tcp_proof_make_keys(one->proof, &one->sends, &one->receives);
    mwi_tcp_lease_take(&one->input, &one->tls->in);
    one->input.end = mwi_tcp_proof_rest(one->proof, one->input.block, one->tls->in.size);
    if (left_in(&one->input) == 0)
        mwi_tcp_lease_end(&one->input);
    mwi_tcp_proof_destroy(one->proof);
    one->proof = NULL;
    one->is_proved = true;
    return has_keys ? 0 : give_up(one, NULL, ENOMEM);
}

/* Hands the handshake what has come. */
static int move_proof(struct encrypted *one)
{
    size_t size = left_in(&one->input);
    enum mwi_tcp_proof_state state =
        mwi_tcp_proof_take(one->proof, size > 0 ? first_of(&one->input) : NULL, size);
    mwi_tcp_lease_end(&one->input);
    one->stream.is_promising = mwi_tcp_proof_has_known_key(one->proof);
    if (state == MWI_TCP_PROOF_FAILED)
        return fail_proof(one, mwi_tcp_proof_problem(one->proof));
    int error = send_proof(one);
    if (error != 0 && error != EAGAIN)
        return give_up(one, NULL, error);
    return state == MWI_TCP_PROOF_DONE ? finish_proof(one) : EAGAIN;
}

static int begin_proof(struct encrypted *one)
{
    if (set_up_openssl(one->tls))
        one->proof = mwi_tcp_proof_begin(&one->tls->proofs, one->is_server);
    return one->proof != NULL ? 0 : give_up(one, NULL, ENOMEM);
}

/* Receives more of the proof. Returns 0, or an errno if there is nothing to look at. */
static int receive_proof(struct encrypted *one)
{
    bool is_first = one->proof_bytes == 0;
    if (one->proof_bytes == PROOF_BYTES_MAX)
        return fail_proof(one, one->is_server ? "it sends much, and proves no key"
                                              : "the other end sends much, and proves no key");
    size_t size = receive(one, PROOF_BYTES_MAX - one->proof_bytes);
    one->proof_bytes += size;
    if (size > 0)
        return is_first ? check_first(one) : 0;
    if (one->is_at_end)
        return give_up(one, closed_problem(one), EPROTO);
    return one->error != 0 ? one->error : EAGAIN;
}

static int prove(struct mwi_tcp_stream *stream)
{
    struct encrypted *one = (struct encrypted *)stream;
    int error = broken(one);
    if (error == 0)
        error = flush(one);
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

/* ---- reading ---- */

/* Where content goes: the pieces of the caller. */
struct target {
    const struct iovec *pieces;
    int count;
    size_t used;  /* of the first of them */
    size_t bytes; /* that have come */
};

static unsigned char *next_room(struct target *to, size_t *room)
{
    while (to->count > 0 && to->used == to->pieces->iov_len) {
        to->pieces++;
        to->count--;
        to->used = 0;
    }
    *room = to->count > 0 ? to->pieces->iov_len - to->used : 0;
    return to->count > 0 ? (unsigned char *)to->pieces->iov_base + to->used : NULL;
}

static void fill(struct target *to, size_t size)
{
    to->used += size;
    to->bytes += size;
}

/* Copies as much as there is room for; returns how much. */
static size_t put(struct target *to, const unsigned char *from, size_t size)
{
    size_t done = 0;
    while (done < size) {
        size_t room;
        unsigned char *at = next_room(to, &room);
        size_t part = size - done < room ? size - done : room;
        if (part == 0)
            break;
        memcpy(at, from + done, part);
        fill(to, part);
        done += part;
    }
    return done;
}

static size_t room_of(const struct target *to)
{
    size_t room = 0;
    for (int i = 0; i < to->count; i++)
        room += to->pieces[i].iov_len;
    return room - to->used;
}

/* The other end has changed its key, and perhaps asks this one to do so, too. */
static int take_update(struct encrypted *one, const unsigned char *content, size_t size)
{
    static const unsigned char update[] = {24, 0, 0, 1};
    if (size != UPDATE_BYTES || memcmp(content, update, sizeof update) != 0 || content[4] > 1 ||
        ++one->updates_count > UPDATES_FREE + one->received_count / UPDATE_RECORDS)
        return give_up(one, "the other end broke the rules of TLS", EPROTO);
    one->must_answer_update = one->must_answer_update || content[4] == 1;
    return mwi_tcp_record_key_update(&one->receives) ? 0 : give_up(one, NULL, ENOMEM);
}

/* Takes a record that carries no data. */
static int take_control(struct encrypted *one, unsigned kind, const unsigned char *content,
                        size_t size)
{
    if (kind == MWI_TCP_RECORD_HANDSHAKE)
        return take_update(one, content, size);
    if (kind != MWI_TCP_RECORD_ALERT || size != 2 || content[1] != 0)
        return give_up(one, "the other end broke off the encrypted stream", EPROTO);
    /* close_notify */
    one->is_at_end = true;
    return 0;
}

/* Keeps content for which there is no room. */
static void keep(struct encrypted *one, const unsigned char *content, size_t size)
{
    mwi_tcp_lease_take(&one->content, &one->tls->content);
    memcpy(one->content.block, content, size);
    one->content.end = size;
}

/* Decrypts a record: straight into the pieces if all of it fits there, else where it lies. */
static int open_record(struct encrypted *one, unsigned char *record, size_t size, struct target *to)
{
    unsigned kind;
    size_t room;
    unsigned char *inside = record + MWI_TCP_RECORD_HEADER_BYTES;
    unsigned char *content = next_room(to, &room);
    if (room < size)
        content = inside;
    ssize_t got = mwi_tcp_record_open(&one->receives, record, size, content, &kind);
    one->received_count++;
    if (got < 0)
        return give_up(one, "a byte of the encrypted stream is wrong", EPROTO);
    if (kind != MWI_TCP_RECORD_DATA)
        return take_control(one, kind, content, (size_t)got);
    if (content != inside) {
        fill(to, (size_t)got);
        return 0;
    }
    size_t done = put(to, content, (size_t)got);
    if (done < (size_t)got)
        keep(one, content + done, (size_t)got - done);
    return 0;
}

static bool has_room(struct target *to)
{
    size_t room;
    return next_room(to, &room) != NULL;
}

/* Decrypts the records that are whole, while there is room. */
static int open_records(struct encrypted *one, struct target *to)
{
    int error = 0;
    while (error == 0 && !one->is_at_end && has_room(to)) {
        size_t size = mwi_tcp_record_size(first_of(&one->input), left_in(&one->input));
        if (size == 0)
            break;
        if (size == SIZE_MAX)
            return give_up(one, "the other end sent what is not encrypted", EPROTO);
        error = open_record(one, one->input.block + one->input.begin, size, to);
        mwi_tcp_lease_advance(&one->input, size);
    }
    return error;
}

/* How much to receive for so much room. */
static size_t wanted_bytes(size_t room)
{
    size_t records = room / MWI_TCP_RECORD_CONTENT_BYTES + 1;
    size_t size = room + records * MWI_TCP_RECORD_EXTRA_BYTES;
    return size > RECV_BYTES_MIN ? size : RECV_BYTES_MIN;
}

static bool has_record(const struct encrypted *one)
{
    return left_in(&one->input) > 0 &&
           mwi_tcp_record_size(first_of(&one->input), left_in(&one->input)) != 0;
}

static ssize_t read_encrypted(struct mwi_tcp_stream *stream, const struct iovec *pieces, int count)
{
    struct encrypted *one = (struct encrypted *)stream;
    struct target to = {.pieces = pieces, .count = count};
    if (left_in(&one->content) > 0)
        mwi_tcp_lease_advance(&one->content,
                              put(&to, first_of(&one->content), left_in(&one->content)));
    if (broken(one) == 0 && has_room(&to) && !has_record(one) && !one->is_at_end)
        (void)receive(one, wanted_bytes(room_of(&to)));
    ERR_set_mark();
    if (left_in(&one->input) > 0 && broken(one) == 0)
        (void)open_records(one, &to);
    ERR_pop_to_mark();
    if (to.bytes > 0)
        return (ssize_t)to.bytes;
    if (broken(one) != 0)
        return say(broken(one));
    return one->is_at_end ? 0 : say(EAGAIN);
}

/* ---- writing ---- */

/* Puts a record behind the output. False if OpenSSL fails, or another process encrypts. */
static bool add_record(struct encrypted *one, enum mwi_tcp_record_kind kind,
                       struct mwi_tcp_record_place *from, size_t size)
{
    struct mwi_tcp_lease *output = &one->output;
    if (!mwi_tcp_owner_begin(&one->tls->owner))
        return false;
    bool is_sealed =
        mwi_tcp_record_seal(&one->sends, kind, from, size, output->block + output->end);
    mwi_tcp_owner_end(&one->tls->owner);
    output->end += is_sealed ? size + MWI_TCP_RECORD_EXTRA_BYTES : 0;
    return is_sealed;
}

static bool must_update(const struct encrypted *one)
{
    return one->must_answer_update || one->sends.records_count >= MWI_TCP_RECORDS_PER_KEY;
}

/* Says that this end changes its key, and does. */
static bool add_update(struct encrypted *one)
{
    static unsigned char update[UPDATE_BYTES] = {24, 0, 0, 1, 0};
    const struct iovec piece = {.iov_base = update, .iov_len = sizeof update};
    struct mwi_tcp_record_place from = {.piece = &piece};
    one->must_answer_update = false;
    return add_record(one, MWI_TCP_RECORD_HANDSHAKE, &from, sizeof update) &&
           mwi_tcp_record_key_update(&one->sends);
}

/* Encrypts as much as the buffer holds; returns how much that is, or 0 if it cannot. */
static size_t encrypt_some(struct encrypted *one, struct mwi_tcp_record_place *from, size_t bytes)
{
    size_t done = 0;
    mwi_tcp_lease_take(&one->output, &one->tls->out);
    if (must_update(one) && !add_update(one))
        return 0;
    for (int i = 0; i < OUT_RECORDS - 1 && done < bytes; i++) {
        size_t size = bytes - done < MWI_TCP_RECORD_CONTENT_BYTES ? bytes - done
                                                                  : MWI_TCP_RECORD_CONTENT_BYTES;
        if (!add_record(one, MWI_TCP_RECORD_DATA, from, size))
            return 0;
        done += size;
    }
    return done;
}

static int fail_write(struct encrypted *one)
{
    int error = broken(one);
    return error != 0 ? error : give_up(one, "OpenSSL cannot encrypt", EPROTO);
}

static ssize_t write_encrypted(struct mwi_tcp_stream *stream, const struct iovec *pieces,
                               size_t count, size_t bytes)
{
    struct encrypted *one = (struct encrypted *)stream;
    struct mwi_tcp_record_place from = {.piece = pieces};
    size_t taken = 0;
    (void)count;
    int error = broken(one);
    if (error == 0)
        error = flush(one);
    while (error == 0 && taken < bytes) {
        size_t size = encrypt_some(one, &from, bytes - taken);
        taken += size;
        error = size > 0 ? flush(one) : fail_write(one);
    }
    if (error == 0 || (error == EAGAIN && taken > 0))
        return (ssize_t)taken;
    return say(error);
}

static unsigned wants(const struct mwi_tcp_stream *stream)
{
    const struct encrypted *one = (const struct encrypted *)stream;
    unsigned wants = 0;
    if (left_in(&one->output) > 0)
        wants |= MWI_TCP_STREAM_WANTS_WRITE;
    if (one->is_proved && (left_in(&one->content) > 0 || has_record(one)))
        wants |= MWI_TCP_STREAM_WANTS_READ;
    return wants;
}

/* The records of a write go to the hub's buffer, which must be free or this stream's: the bytes of
 * another stream would need memory to make room. A new key needs memory, too. */
static bool can_write_in_handler(const struct mwi_tcp_stream *stream)
{
    const struct encrypted *one = (const struct encrypted *)stream;
    const struct mwi_tcp_lease *holder = one->tls->out.holder;
    bool is_free = holder == NULL ? left_in(&one->output) == 0 : holder == &one->output;
    return is_free && is_sound(one) && !must_update(one);
}

static void close_encrypted(struct mwi_tcp_stream *stream)
{
    struct encrypted *one = (struct encrypted *)stream;
    mwi_fork_guard_close(stream->fd);
    mwi_tcp_proof_destroy(one->proof);
    mwi_tcp_record_key_fini(&one->sends);
    mwi_tcp_record_key_fini(&one->receives);
    mwi_tcp_lease_end(&one->input);
    mwi_tcp_lease_end(&one->content);
    mwi_tcp_lease_end(&one->output);
    free(one);
}

static const struct mwi_tcp_stream_api encrypted_api = {.prove = prove,
                                                        .read = read_encrypted,
                                                        .write = write_encrypted,
                                                        .wants = wants,
                                                        .can_write_in_handler =
                                                            can_write_in_handler,
                                                        .close = close_encrypted};

struct mwi_tcp_stream *mwi_tcp_tls_open(void *context, int fd, bool is_server, bool is_given)
{
    if (is_given)
        return mwi_tcp_plain_open(NULL, fd, is_server, is_given);
    struct encrypted *one = calloc(1, sizeof *one);
    if (one == NULL)
        return NULL;
    one->stream = (struct mwi_tcp_stream){.api = &encrypted_api, .fd = fd};
    one->tls = context;
    one->is_server = is_server;
    return &one->stream;
}
