/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns frames into bytes, for conn_send.c. A large frame is sent from the memory in which it lies.
 * Headers and tiny frames are copied one behind the other into the batch's scratch, since copying
 * them costs less than giving the kernel one more piece.
 *
 * Invariants: `bytes` is the sum of all headers and frames in the ring, less `written`; a frame is
 * freed only when its last byte is out. The wire form is in README.md: a change of it goes into
 * add_frame here, and into inbox.c.
 */
#include "outbox.h"

#include <assert.h>
#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/body.h"
#include "inbox.h"

#define TINY_BYTES 1024
#define FIRST_CAPACITY 4
/* An idle connection keeps no ring larger than this. */
#define KEPT_CAPACITY 64
/* A batch has at most this much. Sockets seldom take more at once; if one does, others get their
 * turn. */
#define BATCH_BYTES ((size_t)4 * 1024 * 1024)

struct mwi_tcp_outgoing {
    void *data;
    size_t size; /* of data */
    mw_body body;
};

static struct mwi_tcp_outgoing *frame_at(const struct mwi_tcp_outbox *outbox, size_t index)
{
    return &outbox->ring[(outbox->first + index) & (outbox->capacity - 1)];
}

static size_t frame_bytes(const struct mwi_tcp_outgoing *frame)
{
    return frame->size + frame->body.size;
}

static size_t header_bytes(size_t size)
{
    return size < MWI_TCP_LONG_SIZE ? MWI_TCP_HEADER_BYTES : MWI_TCP_LONG_HEADER_BYTES;
}

static bool grow(struct mwi_tcp_outbox *outbox)
{
    size_t capacity = outbox->capacity > 0 ? 2 * outbox->capacity : FIRST_CAPACITY;
    assert((capacity & (capacity - 1)) == 0 && capacity > outbox->count);
    struct mwi_tcp_outgoing *ring = malloc(capacity * sizeof *ring);
    if (ring == NULL)
        return false;
    for (size_t i = 0; i < outbox->count; i++)
        ring[i] = *frame_at(outbox, i);
    free(outbox->ring);
    outbox->ring = ring;
    outbox->capacity = capacity;
    outbox->first = 0;
    return true;
}

bool mwi_tcp_outbox_push(struct mwi_tcp_outbox *outbox, void *data, size_t size,
                         const mw_body *body)
{
    if (outbox->count == outbox->capacity && !grow(outbox))
        return false;
    struct mwi_tcp_outgoing *frame = frame_at(outbox, outbox->count++);
    *frame = (struct mwi_tcp_outgoing){.data = data, .size = size};
    if (body != NULL)
        frame->body = *body;
    outbox->bytes += header_bytes(frame_bytes(frame)) + frame_bytes(frame);
    return true;
}

bool mwi_tcp_outbox_has_room(const struct mwi_tcp_outbox *outbox)
{
    return outbox->count < outbox->capacity;
}

static bool batch_is_full(const struct mwi_tcp_batch *batch)
{
    return batch->count + 3 > MWI_TCP_PIECES_MAX || batch->bytes >= BATCH_BYTES ||
           batch->scratch_used + MWI_TCP_LONG_HEADER_BYTES + 2 * TINY_BYTES > MWI_TCP_SCRATCH_BYTES;
}

static void add_piece(struct mwi_tcp_batch *batch, const void *data, size_t size)
{
    /* An iovec is not const, also where the kernel only reads. */
    union {
        const void *from;
        void *to;
    } base = {data};
    assert(batch->count < MWI_TCP_PIECES_MAX);
    batch->pieces[batch->count].iov_base = base.to;
    batch->pieces[batch->count++].iov_len = size;
    batch->bytes += size;
}

/* Copies into the scratch. If the last piece ends there, it is lengthened. */
static void add_copy(struct mwi_tcp_batch *batch, const unsigned char *data, size_t size)
{
    unsigned char *end = batch->scratch + batch->scratch_used;
    struct iovec *last = batch->count > 0 ? &batch->pieces[batch->count - 1] : NULL;
    assert(batch->scratch_used + size <= MWI_TCP_SCRATCH_BYTES);
    memcpy(end, data, size);
    batch->scratch_used += size;
    if (last != NULL && (unsigned char *)last->iov_base + last->iov_len == end) {
        last->iov_len += size;
        batch->bytes += size;
    } else {
        add_piece(batch, end, size);
    }
}

/* Most significant byte first. */
static void put_number(unsigned char *to, size_t bytes, uint64_t number)
{
    for (size_t i = bytes; i-- > 0; number >>= 8)
        to[i] = (unsigned char)number;
}

/* Whether the only frame is small and whole, so that it is copied as it is. */
static bool is_simple(const struct mwi_tcp_outbox *outbox)
{
    const struct mwi_tcp_outgoing *frame = frame_at(outbox, 0);
    return outbox->written == 0 && frame->size <= TINY_BYTES && frame->body.size == 0;
}

static void gather_simple(const struct mwi_tcp_outgoing *frame, struct mwi_tcp_batch *batch)
{
    uint32_t header = htobe32((uint32_t)frame->size);
    memcpy(batch->scratch, &header, sizeof header);
    if (frame->size > 0)
        memcpy(batch->scratch + sizeof header, frame->data, frame->size);
    batch->count = 1;
    batch->bytes = batch->scratch_used = sizeof header + frame->size;
    batch->pieces[0] = (struct iovec){batch->scratch, batch->bytes};
}

/* Adds the bytes at `data` without the first *gone ones, and takes those off *gone. */
static void add_rest(struct mwi_tcp_batch *batch, const void *data, size_t size, size_t *gone)
{
    size_t skipped = *gone < size ? *gone : size;
    size_t room = batch->bytes < BATCH_BYTES ? BATCH_BYTES - batch->bytes : 0;
    size_t left = size - skipped < room ? size - skipped : room;
    *gone -= skipped;
    if (left == 0)
        return;
    if (left <= TINY_BYTES)
        add_copy(batch, (const unsigned char *)data + skipped, left);
    else
        add_piece(batch, (const unsigned char *)data + skipped, left);
}

static void add_frame(struct mwi_tcp_batch *batch, const struct mwi_tcp_outgoing *frame,
                      size_t gone)
{
    unsigned char header[MWI_TCP_LONG_HEADER_BYTES];
    size_t size = frame_bytes(frame);
    put_number(header, MWI_TCP_HEADER_BYTES, size < MWI_TCP_LONG_SIZE ? size : MWI_TCP_LONG_SIZE);
    if (size >= MWI_TCP_LONG_SIZE)
        put_number(header + MWI_TCP_HEADER_BYTES, sizeof header - MWI_TCP_HEADER_BYTES, size);
    add_rest(batch, header, header_bytes(size), &gone);
    add_rest(batch, frame->data, frame->size, &gone);
    add_rest(batch, frame->body.data, frame->body.size, &gone);
}

void mwi_tcp_outbox_gather(const struct mwi_tcp_outbox *outbox, struct mwi_tcp_batch *batch)
{
    if (outbox->count == 1 && is_simple(outbox)) {
        gather_simple(frame_at(outbox, 0), batch);
        return;
    }
    batch->count = 0;
    batch->bytes = 0;
    batch->scratch_used = 0;
    for (size_t i = 0; i < outbox->count && !batch_is_full(batch); i++)
        add_frame(batch, frame_at(outbox, i), i == 0 ? outbox->written : 0);
}

static void pop(struct mwi_tcp_outbox *outbox)
{
    assert(outbox->count > 0);
    struct mwi_tcp_outgoing *frame = frame_at(outbox, 0);
    free(frame->data);
    mwi_body_release(&frame->body);
    outbox->first = (outbox->first + 1) & (outbox->capacity - 1);
    outbox->count--;
    outbox->written = 0;
}

/* All is out. */
static void pop_all(struct mwi_tcp_outbox *outbox)
{
    while (outbox->count > 0)
        pop(outbox);
    outbox->bytes = 0;
    if (outbox->capacity > KEPT_CAPACITY)
        mwi_tcp_outbox_clear(outbox);
}

void mwi_tcp_outbox_advance(struct mwi_tcp_outbox *outbox, size_t size)
{
    assert(size <= outbox->bytes);
    if (size == outbox->bytes) {
        pop_all(outbox);
        return;
    }
    outbox->bytes -= size;
    while (outbox->count > 0) {
        size_t size_of_first = frame_bytes(frame_at(outbox, 0));
        size_t left = header_bytes(size_of_first) + size_of_first - outbox->written;
        if (size < left)
            break;
        size -= left;
        pop(outbox);
    }
    outbox->written += size;
}

void mwi_tcp_outbox_clear(struct mwi_tcp_outbox *outbox)
{
    while (outbox->count > 0)
        pop(outbox);
    free(outbox->ring);
    memset(outbox, 0, sizeof *outbox);
}
