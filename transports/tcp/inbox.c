/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns bytes into frames, for conn_read.c. A whole frame is handed out where it lies in the shared
 * buffer, without a copy or an allocation. Only a frame that is cut off at the buffer's end gets a
 * block of its own, and the rest is received directly into it.
 *
 * Invariant: memory follows the bytes that have come, not the size that was announced. A block
 * begins with 64 KiB or twice the largest frame that this sender has completed, and doubles as it
 * fills. The wire form is in README.md: a change of it goes into mwi_tcp_inbox_next here, and into
 * outbox.c.
 */
#include "inbox.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "silence.h"

#define FIRST_ROOM_BYTES ((size_t)64 * 1024)
#define LARGE_BYTES ((size_t)64 * 1024)
#define AFTER_LARGE_BYTES ((size_t)4 * 1024)
/* The looks that every frame has, and the bytes that give it one more. */
#define SLOW_LOOKS (30 / LOOK_S)
#define BYTES_PER_LOOK ((size_t)LOOK_S * 16 * 1024)
#define LOOK_S (MWI_TCP_SILENCE_LOOK_MS / 1000)
/* At most this much of a block is received at once, so that others get their turn. */
#define AT_ONCE_BYTES ((size_t)1024 * 1024)

static size_t max_size(size_t size, size_t other)
{
    return size > other ? size : other;
}

static size_t min_size(size_t size, size_t other)
{
    return size < other ? size : other;
}

int mwi_tcp_inbox_room(struct mwi_tcp_inbox *inbox, unsigned char *shared, size_t shared_size,
                       struct iovec pieces[2])
{
    int count = 0;
    if (inbox->block != NULL) {
        assert(inbox->have <= inbox->room && inbox->room <= inbox->size);
        size_t left = inbox->room - inbox->have;
        pieces[count].iov_base = inbox->block + inbox->have;
        pieces[count++].iov_len = min_size(left, AT_ONCE_BYTES);
        /* Bytes in the shared buffer would have to be copied behind the block's present end. */
        if (inbox->room < inbox->size || left > AT_ONCE_BYTES)
            return count;
    }
    /* After a large frame another one is likely. It should be received into a block of its own,
     * since a receiver that keeps a frame has to copy it out of the shared buffer. */
    if (inbox->size >= LARGE_BYTES)
        shared_size = min_size(shared_size, AFTER_LARGE_BYTES);
    pieces[count].iov_base = shared;
    pieces[count++].iov_len = shared_size;
    return count;
}

void mwi_tcp_inbox_received(struct mwi_tcp_inbox *inbox, size_t size, unsigned char *shared,
                            struct mwi_tcp_cursor *cursor)
{
    size_t taken = 0;
    if (inbox->block != NULL) {
        taken = min_size(size, inbox->room - inbox->have);
        inbox->have += taken;
    }
    assert(taken <= size);
    cursor->at = shared;
    cursor->left = size - taken;
}

static void skip(struct mwi_tcp_cursor *cursor, size_t size)
{
    assert(size <= cursor->left);
    cursor->at += size;
    cursor->left -= size;
}

/* A frame begins that has not come whole. */
static void begin_looks(struct mwi_tcp_inbox *inbox)
{
    inbox->looked_bytes = 0;
    inbox->looks_count = 0;
}

static size_t read_size(const unsigned char *bytes, size_t count)
{
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++)
        size = size << 8 | bytes[i];
    return size < SIZE_MAX ? (size_t)size : SIZE_MAX;
}

/* Copies from the cursor until `bytes` bytes of the header are there; returns whether they are. */
static bool collect(struct mwi_tcp_inbox *inbox, struct mwi_tcp_cursor *cursor, size_t bytes)
{
    size_t missing = bytes > inbox->header_have ? bytes - inbox->header_have : 0;
    size_t taken = min_size(cursor->left, missing);
    if (inbox->header_have == 0)
        begin_looks(inbox);
    if (taken > 0)
        memcpy(inbox->header + inbox->header_have, cursor->at, taken);
    inbox->header_have += (unsigned)taken;
    skip(cursor, taken);
    return inbox->header_have >= bytes;
}

/* Sets inbox->size; false if the header is not complete yet. It does not wait for a long length
 * that would be over the limit in any case. */
static bool take_header(struct mwi_tcp_inbox *inbox, struct mwi_tcp_cursor *cursor,
                        size_t frame_bytes_max)
{
    if (inbox->header_have == 0 && cursor->left >= MWI_TCP_HEADER_BYTES) {
        uint32_t size;
        memcpy(&size, cursor->at, sizeof size);
        inbox->size = be32toh(size);
        if (inbox->size < MWI_TCP_LONG_SIZE) {
            skip(cursor, MWI_TCP_HEADER_BYTES);
            return true;
        }
    }
    if (!collect(inbox, cursor, MWI_TCP_HEADER_BYTES))
        return false;
    inbox->size = read_size(inbox->header, MWI_TCP_HEADER_BYTES);
    if (inbox->size == MWI_TCP_LONG_SIZE && frame_bytes_max >= MWI_TCP_LONG_SIZE) {
        if (!collect(inbox, cursor, MWI_TCP_LONG_HEADER_BYTES))
            return false;
        inbox->size = read_size(inbox->header + MWI_TCP_HEADER_BYTES,
                                MWI_TCP_LONG_HEADER_BYTES - MWI_TCP_HEADER_BYTES);
    }
    inbox->header_have = 0;
    return true;
}

/* Moves the beginning of a frame out of the shared buffer into a block. */
static enum mwi_tcp_inbox_result begin_block(struct mwi_tcp_inbox *inbox,
                                             struct mwi_tcp_cursor *cursor)
{
    size_t earned = 2 * max_size(cursor->left, inbox->largest);
    size_t room = min_size(inbox->size, max_size(FIRST_ROOM_BYTES, earned));
    inbox->block = malloc(room);
    if (inbox->block == NULL)
        return MWI_TCP_INBOX_NO_MEMORY;
    inbox->room = room;
    inbox->have = cursor->left;
    begin_looks(inbox);
    if (cursor->left > 0)
        memcpy(inbox->block, cursor->at, cursor->left);
    skip(cursor, cursor->left);
    return MWI_TCP_INBOX_MORE;
}

static enum mwi_tcp_inbox_result grow_block(struct mwi_tcp_inbox *inbox)
{
    size_t room = min_size(inbox->size, 2 * inbox->room);
    unsigned char *block = realloc(inbox->block, room);
    if (block == NULL)
        return MWI_TCP_INBOX_NO_MEMORY;
    inbox->block = block;
    inbox->room = room;
    return MWI_TCP_INBOX_MORE;
}

static enum mwi_tcp_inbox_result take_block(struct mwi_tcp_inbox *inbox, mw_frame *frame)
{
    if (inbox->have < inbox->room)
        return MWI_TCP_INBOX_MORE;
    if (inbox->room < inbox->size)
        return grow_block(inbox);
    *frame = (mw_frame){.data = inbox->block, .size = inbox->size, .block = inbox->block};
    inbox->block = NULL;
    inbox->largest = max_size(inbox->largest, inbox->size);
    return MWI_TCP_INBOX_FRAME;
}

enum mwi_tcp_inbox_result mwi_tcp_inbox_next(struct mwi_tcp_inbox *inbox,
                                             struct mwi_tcp_cursor *cursor, size_t frame_bytes_max,
                                             mw_frame *frame)
{
    if (inbox->block != NULL)
        return take_block(inbox, frame);
    if (cursor->left == 0)
        return MWI_TCP_INBOX_MORE;
    if (!take_header(inbox, cursor, frame_bytes_max))
        return MWI_TCP_INBOX_MORE;
    if (inbox->size > frame_bytes_max)
        return MWI_TCP_INBOX_TOO_BIG;
    if (inbox->size > cursor->left)
        return begin_block(inbox, cursor);
    *frame = (mw_frame){.data = cursor->at, .size = inbox->size};
    skip(cursor, inbox->size);
    return MWI_TCP_INBOX_FRAME;
}

bool mwi_tcp_inbox_is_inside_frame(const struct mwi_tcp_inbox *inbox)
{
    return inbox->block != NULL || inbox->header_have > 0;
}

bool mwi_tcp_inbox_is_slow(struct mwi_tcp_inbox *inbox)
{
    bool is_in_block = inbox->block != NULL;
    size_t bytes = is_in_block ? MWI_TCP_HEADER_BYTES + inbox->have : inbox->header_have;
    if (bytes == inbox->looked_bytes || !mwi_tcp_inbox_is_inside_frame(inbox))
        return false;
    inbox->looked_bytes = bytes;
    size_t extra = is_in_block ? inbox->size / BYTES_PER_LOOK : 0;
    return ++inbox->looks_count > SLOW_LOOKS + extra;
}

void mwi_tcp_inbox_clear(struct mwi_tcp_inbox *inbox)
{
    free(inbox->block);
    inbox->block = NULL;
    inbox->header_have = 0;
}
