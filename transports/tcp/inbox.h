/* SPDX-License-Identifier: Apache-2.0
 *
 * What has come in from one connection: turns bytes into frames. Knows no sockets; the caller
 * receives into the room it shows and then asks for frames until there are no more.
 */
#ifndef MWI_TCP_INBOX_H
#define MWI_TCP_INBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <mw/transport.h>

#define MWI_TCP_HEADER_BYTES 4
/* The length of a frame of so many bytes and more is written in 8 bytes behind these 4. */
#define MWI_TCP_LONG_SIZE UINT32_MAX
#define MWI_TCP_LONG_HEADER_BYTES 12

/* All zero is an empty inbox. */
struct mwi_tcp_inbox {
    unsigned char *block; /* the frame that is on its way, NULL between frames */
    size_t size;          /* of that frame, as announced */
    size_t have;          /* bytes of it that came */
    size_t room;          /* of the block; less than `size` while the sender is not trusted */
    size_t largest;       /* the largest frame that came whole */
    unsigned header_have;
    unsigned char header[MWI_TCP_LONG_HEADER_BYTES];
};

/* The bytes in the shared buffer that no frame has taken yet. */
struct mwi_tcp_cursor {
    unsigned char *at;
    size_t left;
};

enum mwi_tcp_inbox_result {
    MWI_TCP_INBOX_FRAME,   /* *frame is set */
    MWI_TCP_INBOX_MORE,    /* nothing whole is left; receive again */
    MWI_TCP_INBOX_TOO_BIG, /* `size` of the inbox is what was announced; the stream is unusable */
    MWI_TCP_INBOX_NO_MEMORY
};

/* Where to receive: one or two pieces, of which the shared buffer, which all connections use in
 * turn, is the last unless much of the frame's block is still to fill. Returns the number of
 * pieces. */
int mwi_tcp_inbox_room(struct mwi_tcp_inbox *inbox, unsigned char *shared, size_t shared_size,
                       struct iovec pieces[2]);

/* Takes note that `size` bytes were received there and points *cursor to those in `shared`. */
void mwi_tcp_inbox_received(struct mwi_tcp_inbox *inbox, size_t size, unsigned char *shared,
                            struct mwi_tcp_cursor *cursor);

/* The next whole frame. With frame->block set the caller owns the block; otherwise the data lies in
 * the shared buffer. After MORE nothing is left at the cursor. */
enum mwi_tcp_inbox_result mwi_tcp_inbox_next(struct mwi_tcp_inbox *inbox,
                                             struct mwi_tcp_cursor *cursor, size_t frame_bytes_max,
                                             mw_frame *frame);

/* Whether a frame has begun and not ended. */
int mwi_tcp_inbox_is_inside_frame(const struct mwi_tcp_inbox *inbox);

void mwi_tcp_inbox_clear(struct mwi_tcp_inbox *inbox);

#endif
