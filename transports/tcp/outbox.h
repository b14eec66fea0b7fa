/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of frames for one peer, and the function that turns its front into the pieces of one
 * system call. It knows no sockets.
 */
#ifndef MWI_TCP_OUTBOX_H
#define MWI_TCP_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include <mw/transport.h>

#define MWI_TCP_PIECES_MAX 1024 /* IOV_MAX on Linux */
#define MWI_TCP_SCRATCH_BYTES ((size_t)64 * 1024)

struct mwi_tcp_outgoing;

/* All zero is an empty outbox. Readers may use `count` and `bytes`. */
struct mwi_tcp_outbox {
    struct mwi_tcp_outgoing *ring;
    size_t capacity; /* of the ring; 0 or a power of two */
    size_t first;
    size_t count;
    size_t written; /* bytes of the first frame, header included, that are out already */
    size_t bytes;   /* all that is queued, headers included, less `written` */
};

/* The pieces of one system call. The connections of a transport share one. */
struct mwi_tcp_batch {
    size_t count;
    size_t bytes;
    size_t scratch_used;
    struct iovec pieces[MWI_TCP_PIECES_MAX];
    unsigned char scratch[MWI_TCP_SCRATCH_BYTES];
};

/* Takes a frame and its body, as mw_transport_api.send does; `body` itself is only read, and may be
 * NULL. False out of memory; the frame and the body are then still the caller's. */
bool mwi_tcp_outbox_push(struct mwi_tcp_outbox *outbox, void *data, size_t size,
                         const mw_body *body);

/* Whether another push needs no memory. */
bool mwi_tcp_outbox_has_room(const struct mwi_tcp_outbox *outbox);

/* Fills the batch from the front of the queue, which stays as it is. The pieces borrow from the
 * frames until the next advance or clear. */
void mwi_tcp_outbox_gather(const struct mwi_tcp_outbox *outbox, struct mwi_tcp_batch *batch);

/* The first `size` bytes of the last batch are out: frees the frames that are wholly out, and
 * releases their bodies. */
void mwi_tcp_outbox_advance(struct mwi_tcp_outbox *outbox, size_t size);

/* Frees all frames and releases their bodies. */
void mwi_tcp_outbox_clear(struct mwi_tcp_outbox *outbox);

#endif
