/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of one stream that are left over from a call. They stay in the large buffer that all
 * streams of a hub share until another stream needs it, and only then get a block of their own. So
 * a stream that goes on where it stopped copies nothing, and an idle one holds no memory.
 */
#ifndef MWI_TCP_LEASE_H
#define MWI_TCP_LEASE_H

#include <stdbool.h>
#include <stddef.h>

/* The shared buffer. Its owner makes and frees `bytes`; when it does, there is no holder. */
struct mwi_tcp_lease_buffer {
    unsigned char *bytes;
    size_t size;
    struct mwi_tcp_lease *holder; /* whose bytes lie in it; NULL if it is free */
};

/* The bytes of one stream. All zero: there are no bytes. */
struct mwi_tcp_lease {
    struct mwi_tcp_lease_buffer *buffer; /* the one that it holds; NULL if none */
    unsigned char *block;                /* where the bytes lie: in the buffer, or malloc'd */
    size_t begin;
    size_t end;
    bool is_lost; /* memory ran out when the bytes had to make room, and they are gone */
};

/* Makes the lease the buffer's holder: its bytes now begin at the buffer's beginning. Another
 * holder's bytes are moved to a block. Allocates nothing if the buffer is free or the lease's. */
void mwi_tcp_lease_take(struct mwi_tcp_lease *lease, struct mwi_tcp_lease_buffer *buffer);

/* Takes `size` bytes off the front, and gives the memory back with the last. */
void mwi_tcp_lease_advance(struct mwi_tcp_lease *lease, size_t size);

/* How many bytes there are, and where they begin, which only counts if there are some. */
static inline size_t mwi_tcp_lease_left(const struct mwi_tcp_lease *lease)
{
    return lease->end - lease->begin;
}

static inline const unsigned char *mwi_tcp_lease_first(const struct mwi_tcp_lease *lease)
{
    return lease->block + lease->begin;
}

/* Throws the bytes away and gives the memory back. is_lost stays as it is. */
void mwi_tcp_lease_end(struct mwi_tcp_lease *lease);

#endif
