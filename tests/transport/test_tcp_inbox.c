/* SPDX-License-Identifier: Apache-2.0
 *
 * The inbox of the tcp transport, which makes frames from bytes: however a stream is cut, in memory
 * in proportion to what came, and within limits of size and time.
 * Random cases print their seed; MW_TEST_SEED replays one.
 */
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "end.h"
#include "frame_stream.h"
#include "inbox.h"
#include "mwt_run.h"

#define SHARED_BYTES 1000
#define LIMIT_BYTES ((size_t)64 * 1024 * 1024)

/* As readv does: fills the pieces in turn, up to `size` bytes. */
static void scatter(const struct iovec *pieces, int count, const unsigned char *from, size_t size)
{
    for (int i = 0; i < count && size > 0; i++) {
        size_t part = size < pieces[i].iov_len ? size : pieces[i].iov_len;
        memcpy(pieces[i].iov_base, from, part);
        from += part;
        size -= part;
    }
}

static size_t room_of(const struct iovec *pieces, int count)
{
    size_t room = 0;

    for (int i = 0; i < count; i++)
        room += pieces[i].iov_len;
    return room;
}

/* Receives up to `size` bytes. Returns how many the inbox took. */
static size_t receive(struct mwi_tcp_inbox *inbox, unsigned char *shared, const unsigned char *from,
                      size_t size, struct mwi_tcp_cursor *cursor)
{
    struct iovec pieces[2];
    int count = mwi_tcp_inbox_room(inbox, shared, SHARED_BYTES, pieces);
    size_t room = room_of(pieces, count);

    if (size > room)
        size = room;
    scatter(pieces, count, from, size);
    mwi_tcp_inbox_received(inbox, size, shared, cursor);
    return size;
}

/* However a stream is cut, its frames come out whole and in order. */
static void test_any_cut(void)
{
    enum { FRAMES = 2000 };
    struct mwt_random random;
    mwt_random_start(&random);
    uint64_t seed = random.state;
    struct mwt_stream stream = {0};
    struct mwi_tcp_inbox inbox = {0};
    unsigned char shared[SHARED_BYTES];
    size_t sizes[FRAMES];
    uint64_t next = 0;

    for (uint64_t i = 0; i < FRAMES; i++) {
        sizes[i] = mwt_stream_random_size(&random, i % 100 == 0 ? 300000 : 1500);
        mwt_stream_append(&stream, sizes[i], seed, i);
    }
    for (size_t at = 0; at < stream.size;) {
        struct mwi_tcp_cursor cursor;
        size_t most = 1 + mwt_stream_random_size(&random, 2000);
        if (most > stream.size - at)
            most = stream.size - at;
        at += receive(&inbox, shared, stream.bytes + at, most, &cursor);

        mw_frame frame;
        memset(&frame, 0x5a, sizeof frame);
        while (mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame) == MWI_TCP_INBOX_FRAME) {
            CU_ASSERT_TRUE(frame.release == NULL);
            CU_ASSERT_TRUE(next < FRAMES && frame.size == sizes[next] &&
                           mwt_pattern_matches(frame.data, frame.size, seed, next));
            next++;
            free(frame.block);
        }
        CU_ASSERT_EQUAL(cursor.left, 0);
    }

    CU_ASSERT_EQUAL(next, FRAMES);
    CU_ASSERT_FALSE(mwi_tcp_inbox_is_inside_frame(&inbox));
    mwi_tcp_inbox_clear(&inbox);
    free(stream.bytes);
}

/* Frames that have arrived whole are handed out in the shared memory, without a copy. */
static void test_borrows(void)
{
    struct mwt_stream stream = {0};
    struct mwi_tcp_inbox inbox = {0};
    unsigned char shared[SHARED_BYTES];
    struct mwi_tcp_cursor cursor;
    mw_frame frame;
    memset(&frame, 0x5a, sizeof frame);
    for (uint64_t i = 0; i < 10; i++)
        mwt_stream_append(&stream, 50, 1, i);

    receive(&inbox, shared, stream.bytes, stream.size, &cursor);

    for (uint64_t i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, 50, &frame), MWI_TCP_INBOX_FRAME);
        CU_ASSERT_PTR_NULL(frame.block);
        CU_ASSERT_TRUE(frame.release == NULL);
        CU_ASSERT_PTR_EQUAL(frame.data, shared + i * 54 + 4);
    }
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, 50, &frame), MWI_TCP_INBOX_MORE);
    free(stream.bytes);
}

/* A stranger that announces a large frame and sends little gets little memory. The memory grows
 * with the bytes that come. */
static void test_memory_in_proportion(void)
{
    const size_t announced = (size_t)60 * 1024 * 1024;
    struct mwi_tcp_inbox inbox = {0};
    unsigned char shared[SHARED_BYTES];
    unsigned char bytes[SHARED_BYTES] = {0};
    struct mwi_tcp_cursor cursor;
    size_t came = 0;
    mw_frame frame;
    mwt_stream_put_header(bytes, announced);

    receive(&inbox, shared, bytes, 10, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame), MWI_TCP_INBOX_MORE);
    CU_ASSERT_EQUAL(inbox.room, 64 * 1024);

    for (came = 6; came < 4 * 1024 * 1024;) {
        came += receive(&inbox, shared, bytes, sizeof bytes, &cursor);
        CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame),
                        MWI_TCP_INBOX_MORE);
        CU_ASSERT_TRUE(inbox.room <= 2 * came + 64 * 1024);
    }
    CU_ASSERT_EQUAL(inbox.have, came);
    mwi_tcp_inbox_clear(&inbox);
}

/* A peer that has sent a large frame before gets room for the next of that size at once. */
static void test_trusts_what_came(void)
{
    const size_t size = 1024 * 1024;
    struct mwt_stream stream = {0};
    struct mwi_tcp_inbox inbox = {0};
    unsigned char shared[SHARED_BYTES];
    struct mwi_tcp_cursor cursor;
    enum mwi_tcp_inbox_result result = MWI_TCP_INBOX_MORE;
    mw_frame frame;
    mwt_stream_append(&stream, size, 1, 1);

    for (size_t at = 0; at < stream.size;) {
        at += receive(&inbox, shared, stream.bytes + at, stream.size - at, &cursor);
        result = mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame);
    }
    CU_ASSERT_EQUAL(result, MWI_TCP_INBOX_FRAME);
    CU_ASSERT_PTR_NOT_NULL(frame.block);
    CU_ASSERT_TRUE(frame.size == size && mwt_pattern_matches(frame.data, size, 1, 1));
    free(frame.block);
    receive(&inbox, shared, stream.bytes, 10, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame), MWI_TCP_INBOX_MORE);

    CU_ASSERT_EQUAL(inbox.room, size);
    CU_ASSERT_TRUE(mwi_tcp_inbox_is_inside_frame(&inbox));
    mwi_tcp_inbox_clear(&inbox);
    free(stream.bytes);
}

/* A frame as large as the limit is accepted. One byte more is refused before memory is spent. */
static void test_limit(void)
{
    struct mwi_tcp_inbox inbox = {0};
    unsigned char shared[SHARED_BYTES];
    unsigned char header[4];
    struct mwi_tcp_cursor cursor;
    mw_frame frame;

    mwt_stream_put_header(header, 5000);
    receive(&inbox, shared, header, sizeof header, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, 5000, &frame), MWI_TCP_INBOX_MORE);
    mwi_tcp_inbox_clear(&inbox);

    mwt_stream_put_header(header, 5001);
    receive(&inbox, shared, header, sizeof header, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, 5000, &frame), MWI_TCP_INBOX_TOO_BIG);
    CU_ASSERT_EQUAL(inbox.size, 5001);
    CU_ASSERT_PTR_NULL(inbox.block);
}

static void put_long_header(unsigned char *at, uint64_t size)
{
    memset(at, 0xff, MWI_TCP_HEADER_BYTES);
    for (int i = MWI_TCP_LONG_HEADER_BYTES; i-- > MWI_TCP_HEADER_BYTES; size >>= 8)
        at[i] = (unsigned char)size;
}

/* A length of 8 bytes is read however it is cut, and what follows it is found. */
static void test_long_header(void)
{
    enum { SIZE = 20 };
    unsigned char stream[MWI_TCP_LONG_HEADER_BYTES + SIZE + 1] = {0};
    const size_t limit = (size_t)1 << 40;
    put_long_header(stream, SIZE);
    mwt_pattern_fill(stream + MWI_TCP_LONG_HEADER_BYTES, SIZE, 1, 1);

    for (size_t cut = 1; cut < sizeof stream; cut++) {
        struct mwi_tcp_inbox inbox = {0};
        unsigned char shared[SHARED_BYTES];
        struct mwi_tcp_cursor cursor;
        mw_frame frame;
        size_t frames_count = 0;
        for (size_t at = 0; at < sizeof stream;) {
            size_t size = at + cut <= sizeof stream ? cut : sizeof stream - at;
            at += receive(&inbox, shared, stream + at, size, &cursor);
            while (mwi_tcp_inbox_next(&inbox, &cursor, limit, &frame) == MWI_TCP_INBOX_FRAME) {
                CU_ASSERT_TRUE(frame.size == SIZE && mwt_pattern_matches(frame.data, SIZE, 1, 1));
                frames_count++;
                free(frame.block);
            }
        }
        CU_ASSERT_EQUAL(frames_count, 1);
        CU_ASSERT_TRUE(mwi_tcp_inbox_is_inside_frame(&inbox));
        mwi_tcp_inbox_clear(&inbox);
    }
}

/* A limit over 4 GiB holds to the byte too, and memory grows with the bytes that come. If the limit
 * allows no long length, a frame with one is refused before the 8 bytes of its length have come. */
static void test_long_limit(void)
{
    const uint64_t limit = UINT64_C(5) << 30;
    unsigned char shared[SHARED_BYTES];
    unsigned char header[MWI_TCP_LONG_HEADER_BYTES];
    struct mwi_tcp_inbox inbox = {0};
    struct mwi_tcp_cursor cursor;
    mw_frame frame;

    put_long_header(header, limit);
    receive(&inbox, shared, header, sizeof header, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, limit, &frame), MWI_TCP_INBOX_MORE);
    CU_ASSERT_EQUAL(inbox.size, limit);
    CU_ASSERT_EQUAL(inbox.room, 64 * 1024);
    mwi_tcp_inbox_clear(&inbox);

    put_long_header(header, limit + 1);
    receive(&inbox, shared, header, sizeof header, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, limit, &frame), MWI_TCP_INBOX_TOO_BIG);
    CU_ASSERT_EQUAL(inbox.size, limit + 1);

    receive(&inbox, shared, header, MWI_TCP_HEADER_BYTES, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame),
                    MWI_TCP_INBOX_TOO_BIG);
    mwi_tcp_inbox_clear(&inbox);
}

/* However large a frame is, a bounded part of it is received at once. */
static void test_bounded_turn(void)
{
    const size_t size = (size_t)16 * 1024 * 1024;
    struct mwi_tcp_inbox inbox = {.block = malloc(size), .size = size, .room = size};
    unsigned char shared[SHARED_BYTES];
    struct iovec pieces[2];

    CU_ASSERT_EQUAL(mwi_tcp_inbox_room(&inbox, shared, SHARED_BYTES, pieces), 1);
    CU_ASSERT_EQUAL(pieces[0].iov_len, 1024 * 1024);
    inbox.have = size - 10;
    CU_ASSERT_EQUAL(mwi_tcp_inbox_room(&inbox, shared, SHARED_BYTES, pieces), 2);
    CU_ASSERT_EQUAL(pieces[0].iov_len, 10);

    mwi_tcp_inbox_clear(&inbox);
}

/* Puts bytes into the inbox as if they had been received. */
static void put_bytes(struct mwi_tcp_inbox *inbox, const void *bytes, size_t size)
{
    unsigned char shared[SHARED_BYTES];
    struct iovec pieces[2];
    struct mwi_tcp_cursor cursor;
    mw_frame frame;
    (void)mwi_tcp_inbox_room(inbox, shared, sizeof shared, pieces);
    memcpy(pieces[0].iov_base, bytes, size);
    mwi_tcp_inbox_received(inbox, size, shared, &cursor);
    while (mwi_tcp_inbox_next(inbox, &cursor, LIMIT_BYTES, &frame) == MWI_TCP_INBOX_FRAME)
        free(frame.block);
}

/* Returns the number of the look at which a frame whose beginning is `first` is too slow, if a byte
 * of it comes before each look. */
static unsigned count_trickle(const char first[4])
{
    struct mwi_tcp_inbox inbox = {0};
    put_bytes(&inbox, first, 4);
    unsigned look = 1;
    for (; look < 1000 && !mwi_tcp_inbox_is_slow(&inbox); look++)
        put_bytes(&inbox, "", 1);
    mwi_tcp_inbox_clear(&inbox);
    return look;
}

/* A frame that trickles in has 30 s, and a second for each 16 KiB. */
static void test_slow_frame(void)
{
    CU_ASSERT_EQUAL(count_trickle("\0\0\x7\xd0"), 7);
    CU_ASSERT_EQUAL(count_trickle("\1\0\0\0"), 7 + 1024 / 5);
    CU_ASSERT_EQUAL(count_trickle("\4\0\0\0"), 7 + 4096 / 5);
}

/* Half a frame may stay while nothing more of it comes, and each frame has its time anew. */
static void test_patient_frame(void)
{
    struct mwi_tcp_inbox inbox = {0};
    for (int look = 0; look < 1000; look++)
        CU_ASSERT_FALSE(mwi_tcp_inbox_is_slow(&inbox));

    put_bytes(&inbox, "\0\0\0\7a", 5);
    for (int look = 0; look < 1000; look++)
        CU_ASSERT_FALSE(mwi_tcp_inbox_is_slow(&inbox));
    for (int frame = 0; frame < 1000; frame++) {
        put_bytes(&inbox, "bcdefg", 6);
        put_bytes(&inbox, "\0\0", 2);
        CU_ASSERT_FALSE(mwi_tcp_inbox_is_slow(&inbox));
        put_bytes(&inbox, "\0\7a", 3);
        CU_ASSERT_FALSE(mwi_tcp_inbox_is_slow(&inbox));
    }

    mwi_tcp_inbox_clear(&inbox);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"any cut", test_any_cut},
        {"borrows", test_borrows},
        {"memory in proportion", test_memory_in_proportion},
        {"trusts what came", test_trusts_what_came},
        {"limit", test_limit},
        {"long header", test_long_header},
        {"long limit", test_long_limit},
        {"bounded turn", test_bounded_turn},
        {"slow frame", test_slow_frame},
        {"patient frame", test_patient_frame},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("tcp inbox", tests);
}
