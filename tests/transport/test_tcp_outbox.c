/* SPDX-License-Identifier: Apache-2.0
 *
 * The outbox of the tcp transport, which makes bytes from frames: however little the network takes,
 * and without a copy of what is large.
 * Random cases print their seed; MW_TEST_SEED replays one.
 */
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "end.h"
#include "frame_stream.h"
#include "mwt_run.h"
#include "outbox.h"

static void push_pattern(struct mwi_tcp_outbox *outbox, size_t size, uint64_t seed, uint64_t index)
{
    unsigned char *frame = malloc(size + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
    mwt_pattern_fill(frame, size, seed, index);
    CU_ASSERT_TRUE(mwi_tcp_outbox_push(outbox, frame, size, NULL));
}

/* Pushes the same frame, with all but its first bytes as a body. */
static void push_cut_pattern(struct mwi_tcp_outbox *outbox, size_t size, uint64_t seed,
                             uint64_t index)
{
    size_t head_size = size < 20 ? size : 20;
    unsigned char *frame = malloc(head_size + 1);
    unsigned char *whole = malloc(size + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
    CU_ASSERT_PTR_NOT_NULL_FATAL(whole);
    mwt_pattern_fill(whole, size, seed, index);
    memcpy(frame, whole, head_size);
    const mw_body body = {whole + head_size, size - head_size, free, whole};
    CU_ASSERT_TRUE(mwi_tcp_outbox_push(outbox, frame, head_size, &body));
}

/* Whether the first `size` bytes of the batch are those of the stream. */
static bool batch_matches(const struct mwi_tcp_batch *batch, const unsigned char *stream,
                          size_t size)
{
    for (size_t i = 0; i < batch->count && size > 0; i++) {
        size_t part = batch->pieces[i].iov_len < size ? batch->pieces[i].iov_len : size;
        if (memcmp(batch->pieces[i].iov_base, stream, part) != 0)
            return false;
        stream += part;
        size -= part;
    }
    return size == 0;
}

/* However little the network takes at a time, the right bytes follow. */
static void test_any_cut(void)
{
    enum { FRAMES = 3000 };
    struct mwt_random random;
    mwt_random_start(&random);
    uint64_t seed = random.state;
    struct mwt_stream stream = {0};
    struct mwi_tcp_outbox outbox = {0};
    struct mwi_tcp_batch *batch = malloc(sizeof *batch);
    CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
    for (uint64_t i = 0; i < FRAMES; i++) {
        size_t size = mwt_stream_random_size(&random, i % 100 == 0 ? 100000 : 1500);
        mwt_stream_append(&stream, size, seed, i);
        if (i % 3 == 0)
            push_cut_pattern(&outbox, size, seed, i);
        else
            push_pattern(&outbox, size, seed, i);
    }

    for (size_t at = 0; at < stream.size;) {
        CU_ASSERT_EQUAL(outbox.bytes, stream.size - at);
        mwi_tcp_outbox_gather(&outbox, batch);
        CU_ASSERT_TRUE_FATAL(batch->bytes > 0);
        size_t gone = mwt_random_below(&random, 4) == 0
                          ? batch->bytes
                          : mwt_random_below(&random, batch->bytes + 1);
        CU_ASSERT_TRUE(batch_matches(batch, stream.bytes + at, gone));
        mwi_tcp_outbox_advance(&outbox, gone);
        at += gone;
    }

    CU_ASSERT_EQUAL(outbox.count, 0);
    CU_ASSERT_EQUAL(outbox.bytes, 0);
    mwi_tcp_outbox_clear(&outbox);
    free(batch);
    free(stream.bytes);
}

static void do_nothing(void *owner)
{
    (void)owner;
}

/* Tiny frames go side by side in one piece; a large one, or a body, goes from where it lies. */
static void test_pieces(void)
{
    struct mwi_tcp_outbox outbox = {0};
    struct mwi_tcp_batch *batch = malloc(sizeof *batch);
    CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
    for (uint64_t i = 0; i < 100; i++)
        push_pattern(&outbox, 64, 1, i);
    unsigned char *large = calloc(1, 100000);
    CU_ASSERT_TRUE(mwi_tcp_outbox_push(&outbox, large, 100000, NULL));

    mwi_tcp_outbox_gather(&outbox, batch);

    CU_ASSERT_EQUAL(batch->count, 2);
    CU_ASSERT_EQUAL(batch->bytes, 100 * 68 + 100004);
    CU_ASSERT_PTR_EQUAL(batch->pieces[1].iov_base, large);

    const mw_body body = {large, 100000, do_nothing, NULL};
    CU_ASSERT_TRUE(mwi_tcp_outbox_push(&outbox, calloc(1, 20), 20, &body));
    mwi_tcp_outbox_gather(&outbox, batch);
    CU_ASSERT_EQUAL(batch->count, 4);
    CU_ASSERT_EQUAL(batch->pieces[2].iov_len, 4 + 20);
    CU_ASSERT_PTR_EQUAL(batch->pieces[3].iov_base, large);
    mwi_tcp_outbox_clear(&outbox);
    CU_ASSERT_EQUAL(outbox.bytes, 0);
    free(batch);
}

/* A frame of 2^32 - 1 bytes has a long length, and goes out in batches of a bounded size. */
static void test_huge(void)
{
    static const unsigned char header[] = "\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff";
    const size_t size = MWI_TCP_LONG_SIZE;
    struct mwi_tcp_outbox outbox = {0};
    struct mwi_tcp_batch *batch = malloc(sizeof *batch);
    unsigned char *frame = malloc(size); /* never touched: it takes no memory */
    size_t gone = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
    CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
    CU_ASSERT_TRUE(mwi_tcp_outbox_push(&outbox, frame, size, NULL));
    push_pattern(&outbox, 5, 1, 1);

    mwi_tcp_outbox_gather(&outbox, batch);
    CU_ASSERT_TRUE(batch_matches(batch, header, MWI_TCP_LONG_HEADER_BYTES));
    CU_ASSERT_PTR_EQUAL(batch->pieces[1].iov_base, frame);
    while (outbox.count > 1) {
        mwi_tcp_outbox_gather(&outbox, batch);
        CU_ASSERT_TRUE(batch->bytes <= (size_t)4 * 1024 * 1024);
        size_t part = batch->bytes > 100 ? batch->bytes - 100 : 1;
        mwi_tcp_outbox_advance(&outbox, part);
        gone += part;
    }

    CU_ASSERT_TRUE(gone >= size + MWI_TCP_LONG_HEADER_BYTES);
    CU_ASSERT_EQUAL(outbox.bytes, size + MWI_TCP_LONG_HEADER_BYTES + 9 - gone);
    mwi_tcp_outbox_clear(&outbox);
    free(batch);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"any cut", test_any_cut},
        {"pieces", test_pieces},
        {"huge", test_huge},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("tcp outbox", tests);
}
