/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream of frames in memory, as the tcp transport sends them: what an inbox receives in pieces,
 * and what the batches of an outbox must be. All zero: an empty stream.
 */
#ifndef MWT_FRAME_STREAM_H
#define MWT_FRAME_STREAM_H

#include <stdlib.h>

#include <CUnit/Basic.h>

#include "end.h"
#include "inbox.h"
#include "mwt_random.h"

struct mwt_stream {
    unsigned char *bytes; /* malloc'd */
    size_t size;
    size_t room;
};

/* Writes the header of a frame of `size` bytes, which are less than 4 GiB. */
static inline void mwt_stream_put_header(unsigned char *at, size_t size)
{
    at[0] = (unsigned char)(size >> 24);
    at[1] = (unsigned char)(size >> 16);
    at[2] = (unsigned char)(size >> 8);
    at[3] = (unsigned char)size;
}

/* Appends a frame with its header, see mwt_pattern_fill. */
static inline void mwt_stream_append(struct mwt_stream *stream, size_t size, uint64_t seed,
                                     uint64_t index)
{
    if (stream->size + size + MWI_TCP_HEADER_BYTES > stream->room) {
        stream->room = 2 * (stream->size + size + MWI_TCP_HEADER_BYTES);
        stream->bytes = realloc(stream->bytes, stream->room);
        CU_ASSERT_PTR_NOT_NULL_FATAL(stream->bytes);
    }
    mwt_stream_put_header(stream->bytes + stream->size, size);
    mwt_pattern_fill(stream->bytes + stream->size + MWI_TCP_HEADER_BYTES, size, seed, index);
    stream->size += size + MWI_TCP_HEADER_BYTES;
}

/* A size of at most `most` bytes; each fourth is less than 8. */
static inline size_t mwt_stream_random_size(struct mwt_random *random, size_t most)
{
    uint64_t chance = mwt_random_next(random);

    if (chance % 4 == 0)
        return chance / 4 % 8;
    return (size_t)(chance / 4 % (most + 1));
}

#endif
