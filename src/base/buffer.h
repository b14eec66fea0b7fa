/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing sequence of bytes. A message is built in a buffer, whose memory then becomes the frame
 * that a transport takes, without a copy. A write that runs out of memory sets `has_failed` and
 * returns nothing, so the caller asks `has_failed` once, at the end.
 */
#ifndef MWI_BUFFER_H
#define MWI_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct mwi_buffer {
    unsigned char *data; /* NULL while capacity is 0 */
    size_t size;         /* <= capacity */
    size_t capacity;
    bool has_failed; /* memory ran out since init or clear */
};

/* An empty buffer without memory. fini frees the memory; the buffer is then empty again. */
void mwi_buffer_init(struct mwi_buffer *buffer);
void mwi_buffer_fini(struct mwi_buffer *buffer);

/* Forgets the bytes and the failure, but keeps the memory. */
void mwi_buffer_clear(struct mwi_buffer *buffer);

/* Makes room for `size` more bytes. False, and has_failed, out of memory. */
bool mwi_buffer_reserve(struct mwi_buffer *buffer, size_t size);

/* mwi_buffer_append, if there is no room yet. */
void mwi_buffer_append_growing(struct mwi_buffer *buffer, const void *data, size_t size);

/* Appends a copy of the bytes, or nothing if has_failed is set. `data` may be NULL for a `size` of
 * 0. Inline, since messages are written a few bytes at a time and there is room for most of them.
 */
static inline void mwi_buffer_append(struct mwi_buffer *buffer, const void *data, size_t size)
{
    if (buffer->has_failed || size == 0 || size > buffer->capacity - buffer->size) {
        mwi_buffer_append_growing(buffer, data, size);
        return;
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

/* The same in the form that a packer of msgpack-c calls: `buffer` is a struct mwi_buffer *. Returns
 * 0, or -1 if has_failed is set. */
int mwi_buffer_write(void *buffer, const char *data, size_t size);

/* Gives the memory to the caller, who must free() it, sets *size, and empties the buffer. NULL, and
 * *size unchanged, if has_failed is set or the buffer is empty. */
unsigned char *mwi_buffer_take(struct mwi_buffer *buffer, size_t *size);

#endif
