/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream that encrypts, for connections. tls_proof.c proves both ends first; then record.c
 * encrypts and decrypts. The bytes of a call of write go into records of full size, one behind the
 * other, and out with few calls of send. One recv brings up to 64 KiB, or as much as the pieces
 * hold, and records are decrypted straight into the pieces.
 *
 * Three rests may stay between two calls, as leases of buffers that the hub's streams share: input
 * that is not yet a whole record or found no room in the pieces, content of the last record that
 * found no room, and records that the socket did not take.
 *
 * Invariants: an idle stream holds no rest. A write in a signal handler allocates nothing: the
 * buffer is free, or the stream's. After a fork only one of the processes encrypts (owner.h). There
 * is no goodbye on this level: an end of the stream is what the socket says. Frames have their
 * lengths, and the engines say goodbye.
 */
#include "tls.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/fork_guard.h"
#include "plain.h"
#include "tls_proof.h"
#include "tls_stream.h"

/* Room for the records that one recv brings to one call of read: pieces hold at most 1 MiB + 4 KiB,
 * but the socket seldom so much. */
#define IN_BYTES ((size_t)320 * 1024)
#define OUT_RECORDS 8
#define OUT_BYTES (OUT_RECORDS * (MWI_TCP_RECORD_CONTENT_BYTES + MWI_TCP_RECORD_EXTRA_BYTES))
#define UPDATE_BYTES 5
/* The other end may change its key this often, and once more for each UPDATE_RECORDS records. */
#define UPDATES_FREE 16
#define UPDATE_RECORDS 65536

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

static ssize_t say(int error)
{
    errno = error;
    return -1;
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
static int take_update(struct mwi_tcp_tls_stream *one, const unsigned char *content, size_t size)
{
    static const unsigned char update[] = {24, 0, 0, 1};
    if (size != UPDATE_BYTES || memcmp(content, update, sizeof update) != 0 || content[4] > 1 ||
        ++one->updates_count > UPDATES_FREE + one->received_count / UPDATE_RECORDS)
        return mwi_tcp_tls_stream_break(one, "the other end broke the rules of TLS", EPROTO);
    one->must_answer_update = one->must_answer_update || content[4] == 1;
    return mwi_tcp_record_key_update(&one->receives) ? 0
                                                     : mwi_tcp_tls_stream_break(one, NULL, ENOMEM);
}

/* Takes a record that carries no data. */
static int take_control(struct mwi_tcp_tls_stream *one, unsigned kind, const unsigned char *content,
                        size_t size)
{
    if (kind == MWI_TCP_RECORD_HANDSHAKE)
        return take_update(one, content, size);
    if (kind != MWI_TCP_RECORD_ALERT || size != 2 || content[1] != 0)
        return mwi_tcp_tls_stream_break(one, "the other end broke off the encrypted stream",
                                        EPROTO);
    /* close_notify */
    one->is_at_end = true;
    return 0;
}

/* Keeps content for which there is no room. */
static void keep(struct mwi_tcp_tls_stream *one, const unsigned char *content, size_t size)
{
    mwi_tcp_lease_take(&one->content, &one->tls->content);
    memcpy(one->content.block, content, size);
    one->content.end = size;
}

/* Decrypts a record: straight into the pieces if all of it fits there, else where it lies. */
static int open_record(struct mwi_tcp_tls_stream *one, unsigned char *record, size_t size,
                       struct target *to)
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
        return mwi_tcp_tls_stream_break(one, "a byte of the encrypted stream is wrong", EPROTO);
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
static int open_records(struct mwi_tcp_tls_stream *one, struct target *to)
{
    int error = 0;
    while (error == 0 && !one->is_at_end && has_room(to)) {
        size_t size =
            mwi_tcp_record_size(mwi_tcp_lease_first(&one->input), mwi_tcp_lease_left(&one->input));
        if (size == 0)
            break;
        if (size == SIZE_MAX)
            return mwi_tcp_tls_stream_break(one, "the other end sent what is not encrypted",
                                            EPROTO);
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
    return size > MWI_TCP_TLS_RECV_BYTES_MIN ? size : MWI_TCP_TLS_RECV_BYTES_MIN;
}

static bool has_record(const struct mwi_tcp_tls_stream *one)
{
    return mwi_tcp_lease_left(&one->input) > 0 &&
           mwi_tcp_record_size(mwi_tcp_lease_first(&one->input), mwi_tcp_lease_left(&one->input)) !=
               0;
}

static ssize_t read_encrypted(struct mwi_tcp_stream *stream, const struct iovec *pieces, int count)
{
    struct mwi_tcp_tls_stream *one = (struct mwi_tcp_tls_stream *)stream;
    struct target to = {.pieces = pieces, .count = count};
    if (mwi_tcp_lease_left(&one->content) > 0)
        mwi_tcp_lease_advance(&one->content, put(&to, mwi_tcp_lease_first(&one->content),
                                                 mwi_tcp_lease_left(&one->content)));
    if (mwi_tcp_tls_stream_error(one) == 0 && has_room(&to) && !has_record(one) && !one->is_at_end)
        (void)mwi_tcp_tls_stream_receive(one, wanted_bytes(room_of(&to)));
    ERR_set_mark();
    if (mwi_tcp_lease_left(&one->input) > 0 && mwi_tcp_tls_stream_error(one) == 0)
        (void)open_records(one, &to);
    ERR_pop_to_mark();
    if (to.bytes > 0)
        return (ssize_t)to.bytes;
    if (mwi_tcp_tls_stream_error(one) != 0)
        return say(mwi_tcp_tls_stream_error(one));
    return one->is_at_end ? 0 : say(EAGAIN);
}

/* ---- writing ---- */

/* Puts a record behind the output. False if OpenSSL fails, or another process encrypts. */
static bool add_record(struct mwi_tcp_tls_stream *one, enum mwi_tcp_record_kind kind,
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

static bool must_update(const struct mwi_tcp_tls_stream *one)
{
    return one->must_answer_update || one->sends.records_count >= MWI_TCP_RECORDS_PER_KEY;
}

/* Says that this end changes its key, and does. */
static bool add_update(struct mwi_tcp_tls_stream *one)
{
    static unsigned char update[UPDATE_BYTES] = {24, 0, 0, 1, 0};
    const struct iovec piece = {.iov_base = update, .iov_len = sizeof update};
    struct mwi_tcp_record_place from = {.piece = &piece};
    one->must_answer_update = false;
    return add_record(one, MWI_TCP_RECORD_HANDSHAKE, &from, sizeof update) &&
           mwi_tcp_record_key_update(&one->sends);
}

/* Encrypts as much as the buffer holds; returns how much that is, or 0 if it cannot. */
static size_t encrypt_some(struct mwi_tcp_tls_stream *one, struct mwi_tcp_record_place *from,
                           size_t bytes)
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

static int fail_write(struct mwi_tcp_tls_stream *one)
{
    int error = mwi_tcp_tls_stream_error(one);
    return error != 0 ? error : mwi_tcp_tls_stream_break(one, "OpenSSL cannot encrypt", EPROTO);
}

static ssize_t write_encrypted(struct mwi_tcp_stream *stream, const struct iovec *pieces,
                               size_t count, size_t bytes)
{
    struct mwi_tcp_tls_stream *one = (struct mwi_tcp_tls_stream *)stream;
    struct mwi_tcp_record_place from = {.piece = pieces};
    size_t taken = 0;
    (void)count;
    int error = mwi_tcp_tls_stream_error(one);
    if (error == 0)
        error = mwi_tcp_tls_stream_flush(one);
    while (error == 0 && taken < bytes) {
        size_t size = encrypt_some(one, &from, bytes - taken);
        taken += size;
        error = size > 0 ? mwi_tcp_tls_stream_flush(one) : fail_write(one);
    }
    if (error == 0 || (error == EAGAIN && taken > 0))
        return (ssize_t)taken;
    return say(error);
}

static unsigned wants(const struct mwi_tcp_stream *stream)
{
    const struct mwi_tcp_tls_stream *one = (const struct mwi_tcp_tls_stream *)stream;
    unsigned wants = 0;
    if (mwi_tcp_lease_left(&one->output) > 0)
        wants |= MWI_TCP_STREAM_WANTS_WRITE;
    if (one->is_proved && (mwi_tcp_lease_left(&one->content) > 0 || has_record(one)))
        wants |= MWI_TCP_STREAM_WANTS_READ;
    return wants;
}

/* The records of a write go to the hub's buffer, which must be free or this stream's: the bytes of
 * another stream would need memory to make room. A new key needs memory, too. */
static bool can_write_in_handler(const struct mwi_tcp_stream *stream)
{
    const struct mwi_tcp_tls_stream *one = (const struct mwi_tcp_tls_stream *)stream;
    const struct mwi_tcp_lease *holder = one->tls->out.holder;
    bool is_free = holder == NULL ? mwi_tcp_lease_left(&one->output) == 0 : holder == &one->output;
    return is_free && mwi_tcp_tls_stream_is_sound(one) && !must_update(one);
}

static void close_encrypted(struct mwi_tcp_stream *stream)
{
    struct mwi_tcp_tls_stream *one = (struct mwi_tcp_tls_stream *)stream;
    mwi_fork_guard_close(stream->fd);
    mwi_tcp_proof_destroy(one->proof);
    mwi_tcp_record_key_fini(&one->sends);
    mwi_tcp_record_key_fini(&one->receives);
    mwi_tcp_lease_end(&one->input);
    mwi_tcp_lease_end(&one->content);
    mwi_tcp_lease_end(&one->output);
    free(one);
}

static const struct mwi_tcp_stream_api encrypted_api = {.prove = mwi_tcp_tls_proof_step,
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
    struct mwi_tcp_tls_stream *one = calloc(1, sizeof *one);
    if (one == NULL)
        return NULL;
    one->stream = (struct mwi_tcp_stream){.api = &encrypted_api, .fd = fd};
    one->tls = context;
    one->is_server = is_server;
    return &one->stream;
}
