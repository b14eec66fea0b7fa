/* SPDX-License-Identifier: Apache-2.0
 *
 * Two leases with one buffer point at each other, so that each can leave: the buffer knows its
 * holder, and the holder its buffer. Only this file changes either.
 */
#include "lease.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void mwi_tcp_lease_end(struct mwi_tcp_lease *lease)
{
    if (lease->buffer != NULL) {
        assert(lease->buffer->holder == lease);
        lease->buffer->holder = NULL;
    } else if (lease->block != NULL) {
        free(lease->block);
    }
    *lease = (struct mwi_tcp_lease){.is_lost = lease->is_lost};
}

/* Moves the bytes of a holder to a block. */
static void move_out(struct mwi_tcp_lease *holder)
{
    size_t size = holder->end - holder->begin;
    unsigned char *block = size > 0 ? malloc(size) : NULL;
    if (block != NULL)
        memcpy(block, holder->block + holder->begin, size);
    bool is_lost = holder->is_lost || (size > 0 && block == NULL);
    mwi_tcp_lease_end(holder);
    *holder =
        (struct mwi_tcp_lease){.block = block, .end = block != NULL ? size : 0, .is_lost = is_lost};
}

void mwi_tcp_lease_take(struct mwi_tcp_lease *lease, struct mwi_tcp_lease_buffer *buffer)
{
    size_t size = lease->end - lease->begin;
    assert(size <= buffer->size && (lease->buffer == NULL || lease->buffer == buffer));
    if (buffer->holder != NULL && buffer->holder != lease)
        move_out(buffer->holder);
    if (size > 0)
        memmove(buffer->bytes, lease->block + lease->begin, size);
    mwi_tcp_lease_end(lease);
    buffer->holder = lease;
    lease->buffer = buffer;
    lease->block = buffer->bytes;
    lease->end = size;
}

void mwi_tcp_lease_advance(struct mwi_tcp_lease *lease, size_t size)
{
    assert(size <= lease->end - lease->begin);
    lease->begin += size;
    if (lease->begin == lease->end)
        mwi_tcp_lease_end(lease);
}
