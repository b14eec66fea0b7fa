/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns the bytes that come from one peer into frames. It knows no sockets: the caller receives
 * into the room that it shows, and then asks for frames until there are no more.
 */
#ifndef MWI_TCP_INBOX_H
#define MWI_TCP_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <mw/transport.h>

#define MWI_TCP_HEADER_BYTES 4
/* Of a frame of this many bytes or more the 4 bytes are all ones, and 8 bytes of length follow. */
#define MWI_TCP_LONG_SIZE UINT32_MAX
#define MWI_TCP_LONG_HEADER_BYTES 12

/* All zero is an empty inbox. */
struct mwi_tcp_inbox {
    unsigned char *block; /* the frame that is on its way; NULL between frames */
    size_t size;          /* of that frame, as announced */
    size_t have;          /* bytes of it that came */
    size_t room;          /* of the block; less than `size` while the sender is not trusted */
    size_t largest;       /* the largest frame that came whole */
    unsigned header_have;
    size_t looked_bytes;  /* of the frame that is on its way, header included, at the last look */
    unsigned looks_count; /* looks between which bytes of that frame came */
    unsigned char header[MWI_TCP_LONG_HEADER_BYTES];
};

/* The received bytes in the shared buffer that belong to no frame yet. */
struct mwi_tcp_cursor {
    unsigned char *at;
    size_t left;
};

enum mwi_tcp_inbox_result {
    MWI_TCP_INBOX_FRAME,    /* *frame is set */
    MWI_TCP_INBOX_MORE,     /* no whole frame is left; receive again */
    MWI_TCP_INBOX_TOO_BIG,  /* the inbox's `size` was announced; the inbox cannot be used on */
    MWI_TCP_INBOX_NO_MEMORY /* the same, out of memory */
};

/* Sets the pieces to where to receive next, and returns their number, 1 or 2: the rest of the
 * frame's block, if there is one, and the buffer `shared`, unless that rest is large. All
 * connections use one shared buffer in turn. */
int mwi_tcp_inbox_room(struct mwi_tcp_inbox *inbox, unsigned char *shared, size_t shared_size,
                       struct iovec pieces[2]);

/* `size` bytes, at most the sum of the pieces, were received there: points *cursor to those of them
 * that lie in `shared`. */
void mwi_tcp_inbox_received(struct mwi_tcp_inbox *inbox, size_t size, unsigned char *shared,
                            struct mwi_tcp_cursor *cursor);

/* The next whole frame. If frame->block is set, the caller takes the block; otherwise the caller
 * borrows the data, which lies in the shared buffer. After MORE nothing is left at the cursor. */
enum mwi_tcp_inbox_result mwi_tcp_inbox_next(struct mwi_tcp_inbox *inbox,
                                             struct mwi_tcp_cursor *cursor, size_t frame_bytes_max,
                                             mw_frame *frame);

/* Whether a frame has begun and not ended. */
bool mwi_tcp_inbox_is_inside_frame(const struct mwi_tcp_inbox *inbox);

/* Takes note of a look, one each MWI_TCP_SILENCE_LOOK_MS, and returns whether the frame that is
 * on its way takes too long: 30 s and a second for each 16 KiB. Only looks count between which
 * bytes of it came: a peer that computes, or is stopped, may leave half a frame for as long as it
 * likes. */
bool mwi_tcp_inbox_is_slow(struct mwi_tcp_inbox *inbox);

/* Frees the block. The inbox is then empty. */
void mwi_tcp_inbox_clear(struct mwi_tcp_inbox *inbox);

#endif
