/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing run of bytes whose memory can be given away: messages are built in one and then become
 * the transport's frame without a copy. Running out of memory is remembered, not reported at each
 * write: ask `has_failed` once at the end.
 */
#ifndef MWI_BUFFER_H
#define MWI_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct mwi_buffer {
    unsigned char *data;
    size_t size;
    size_t capacity;
    bool has_failed;
};

void mwi_buffer_init(struct mwi_buffer *buffer);
void mwi_buffer_fini(struct mwi_buffer *buffer);

/* Forgets the bytes and the failure, keeps the memory. */
void mwi_buffer_clear(struct mwi_buffer *buffer);

/* Makes room for `size` more bytes; false out of memory. */
bool mwi_buffer_reserve(struct mwi_buffer *buffer, size_t size);

/* Appends; after a failure nothing is appended any more. `data` may be NULL if size is 0. */
void mwi_buffer_append(struct mwi_buffer *buffer, const void *data, size_t size);

/* The same as msgpack-c wants it of a packer: `buffer` is a struct mwi_buffer *; 0 or -1. */
int mwi_buffer_write(void *buffer, const char *data, size_t size);

/* Gives the memory to the caller, who must free() it, and empties the buffer. NULL if it failed or
 * is empty. */
unsigned char *mwi_buffer_take(struct mwi_buffer *buffer, size_t *size);

#endif
