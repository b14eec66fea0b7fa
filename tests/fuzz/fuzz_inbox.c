/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a peer of the tcp transport, in pieces of any size. The first byte of the input
 * limits the size of frames, and the second chooses the sizes of the pieces.
 *
 * The frames that come out are those of the whole input, one after the other, however it is cut
 * into pieces. No frame is over the limit, and the inbox holds no more than what has come.
 */
#include <stdlib.h>
#include <string.h>

#include "../../transports/tcp/inbox.h"
#include "fuzz.h"

#define SHARED_BYTES 64

/* Reads the input as a whole: where the next frame ought to be. */
struct expected {
    const uint8_t *at;
    size_t left;
};

static bool expect_frame(struct expected *expected, const mw_frame *frame)
{
    if (expected->left < MWI_TCP_HEADER_BYTES)
        return false;
    const uint8_t *at = expected->at;
    uint64_t size = (uint64_t)at[0] << 24 | (uint64_t)at[1] << 16 | (uint64_t)at[2] << 8 | at[3];
    size_t header = MWI_TCP_HEADER_BYTES;
    if (size == MWI_TCP_LONG_SIZE) {
        header = MWI_TCP_LONG_HEADER_BYTES;
        size = 0;
        for (size_t i = MWI_TCP_HEADER_BYTES; i < header && expected->left >= header; i++)
            size = size << 8 | at[i];
    }
    if (expected->left < header || size > expected->left - header || size != frame->size)
        return false;
    bool is_same = size == 0 || memcmp(frame->data, at + header, frame->size) == 0;
    expected->at += header + frame->size;
    expected->left -= header + frame->size;
    return is_same;
}

/* Hands out the frames that are whole; false if the peer must be dropped. */
static bool take_frames(struct mwi_tcp_inbox *inbox, struct mwi_tcp_cursor *cursor, size_t max,
                        struct expected *expected)
{
    mw_frame frame = {0};
    enum mwi_tcp_inbox_result result;
    while ((result = mwi_tcp_inbox_next(inbox, cursor, max, &frame)) == MWI_TCP_INBOX_FRAME) {
        MWT_FUZZ_PROMISE(frame.size <= max);
        MWT_FUZZ_PROMISE(expect_frame(expected, &frame));
        free(frame.block);
        frame = (mw_frame){0};
    }
    MWT_FUZZ_PROMISE(result != MWI_TCP_INBOX_TOO_BIG || inbox->size > max);
    return result == MWI_TCP_INBOX_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mwi_tcp_inbox inbox = {0};
    unsigned char shared[SHARED_BYTES];
    bool is_good = size > 2;
    if (!is_good)
        return 0;
    size_t max = (size_t)data[0] * 16, step = (size_t)data[1] + 1, used = 2;
    struct expected expected = {data + used, size - used};
    while (is_good && used < size) {
        struct iovec pieces[2];
        struct mwi_tcp_cursor cursor;
        int count = mwi_tcp_inbox_room(&inbox, shared, sizeof shared, pieces);
        size_t got = 0;
        for (int i = 0; i < count; i++) {
            size_t part = size - used < step - got ? size - used : step - got;
            part = part < pieces[i].iov_len ? part : pieces[i].iov_len;
            memcpy(pieces[i].iov_base, data + used, part);
            used += part;
            got += part;
        }
        mwi_tcp_inbox_received(&inbox, got, shared, &cursor);
        is_good = take_frames(&inbox, &cursor, max, &expected);
        MWT_FUZZ_PROMISE(!is_good || inbox.have <= used);
        step = (step * 7 + data[1]) % 97 + 1;
    }
    mwi_tcp_inbox_clear(&inbox);
    return 0;
}
