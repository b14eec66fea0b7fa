/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps that every transport takes with a frame that has a body.
 */
#ifndef MWI_BODY_H
#define MWI_BODY_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <mw/transport.h>

/* A frame without a body has one of size 0, or NULL. */
static inline size_t mwi_body_size(const mw_body *body)
{
    return body == NULL ? 0 : body->size;
}

/* Whether a frame whose first part has `size` bytes is larger than `max` with its body, or whether
 * that part is larger than a first part may be. */
static inline bool mwi_body_is_too_big(size_t size, const mw_body *body, uint64_t max)
{
    return size > max || (body != NULL && size > MW_HEAD_BYTES_MAX) ||
           mwi_body_size(body) > max - size;
}

static inline void mwi_body_release(const mw_body *body)
{
    if (body != NULL && body->release != NULL)
        body->release(body->owner);
}

/* Joins a frame and its body in one block and lets go of both. Returns NULL out of memory, and
 * leaves them untouched. */
static inline void *mwi_body_join(void *frame, size_t size, const mw_body *body)
{
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

#endif
