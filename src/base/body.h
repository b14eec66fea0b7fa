/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of a frame, as mw/transport.h defines it: its size and limits, its release, a copy of
 * both parts in one block, and the event of a frame that is one block. All transports use it, so
 * that they treat bodies alike.
 */
#ifndef MWI_BODY_H
#define MWI_BODY_H

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <mw/transport.h>

/* The number of bytes in a body; 0 if `body` is NULL. */
static inline size_t mwi_body_size(const mw_body *body)
{
    return body == NULL ? 0 : body->size;
}

/* Whether a frame of `size` bytes and its body together are larger than `max`, or whether the frame
 * has a body and is itself larger than MW_HEAD_BYTES_MAX. `body` may be NULL. */
static inline bool mwi_body_is_too_big(size_t size, const mw_body *body, uint64_t max)
{
    return size > max || (body != NULL && size > MW_HEAD_BYTES_MAX) ||
           mwi_body_size(body) > max - size;
}

/* Releases a body. NULL, and a body without a release function, are legal. */
static inline void mwi_body_release(const mw_body *body)
{
    if (body != NULL && body->release != NULL)
        body->release(body->owner);
}

/* Copies a frame and its body into one malloc'd block, which the caller must free, then frees the
 * frame and releases the body. NULL out of memory; both are then unchanged. */
static inline void *mwi_body_join(void *frame, size_t size, const mw_body *body)
{
    assert(body != NULL && size <= MW_HEAD_BYTES_MAX);
    unsigned char *joined = malloc(size + body->size + 1);
    if (joined == NULL)
        return NULL;
    if (size > 0)
        memcpy(joined, frame, size);
    if (body->size > 0)
        memcpy(joined + size, body->data, body->size);
    free(frame);
    mwi_body_release(body);
    return joined;
}

/* Calls the message event with a frame that is one malloc'd block, or NULL if it is empty. Takes
 * the block. */
static inline void mwi_body_hand_out(const mw_transport_config *config, mw_peer peer, void *block,
                                     size_t size)
{
    unsigned char nothing = 0; /* data must not be NULL, even if the frame is empty */
    mw_frame frame = {.data = block, .size = size, .block = block};
    if (block == NULL)
        frame.data = &nothing;
    config->events->message(config->context, peer, &frame);
    free(frame.block);
}

#endif
