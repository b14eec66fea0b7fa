/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames with bodies: the other end gets head and body joined, the body is sent from its own
 * memory, and is let go exactly once.
 */
#include <stdlib.h>
#include <string.h>

#include "cases.h"

/* A frame whose bytes follow a pattern, cut into a head and a body. */
struct cut_frame {
    size_t head_size, body_size;
    uint64_t seed, index;
    unsigned char *bytes; /* of head and body together; the body is sent from here */
    int released_count;
};

static void count_release(void *owner)
{
    struct cut_frame *frame = owner;
    frame->released_count++;
}

static bool make(struct cut_frame *frame)
{
    size_t size = frame->head_size + frame->body_size;

    frame->bytes = malloc(size + 1);
    if (frame->bytes == NULL)
        return false;
    mwt_pattern_fill(frame->bytes, size, frame->seed, frame->index);
    return true;
}

static mw_error send_cut(struct mwt_end *end, mw_peer peer, struct cut_frame *frame)
{
    const mw_body body = {frame->bytes + frame->head_size, frame->body_size, count_release, frame};
    unsigned char *head = malloc(frame->head_size + 1);

    if (head == NULL)
        return MW_ENOMEM;
    memcpy(head, frame->bytes, frame->head_size);
    mw_error error = end->api->send(end->transport, peer, head, frame->head_size, &body);
    if (error != MW_OK)
        free(head);
    return error;
}

/* Polls until all bodies are let go, at most for the patience, and frees them. */
static void let_go(struct mwt_end *end, struct cut_frame *frames, size_t count)
{
    int64_t patience = end->api->now(end->transport) + 20000 * MWT_MS_NS;
    bool are_released = true;

    for (size_t i = 0; i < count; i++) {
        while (frames[i].released_count == 0 && end->api->now(end->transport) < patience)
            mwt_end_poll(end, end->api->now(end->transport) + MWT_MS_NS);
        CU_ASSERT_EQUAL(frames[i].released_count, 1);
        are_released = are_released && frames[i].released_count > 0;
    }
    for (size_t i = 0; i < count && are_released; i++)
        free(frames[i].bytes);
}

static const size_t head_sizes[] = {0, 1, 20, MW_HEAD_BYTES_MAX};
static const size_t body_sizes[] = {0,     1,       3000,          4000,    4096,
                                    65536, 1 << 20, (4 << 20) - 1, 4 << 20, (9 << 20) + 5};
#define HEADS_COUNT (sizeof head_sizes / sizeof head_sizes[0])
#define BODIES_COUNT (sizeof body_sizes / sizeof body_sizes[0])

static void echo_bodies(struct mwt_near *near)
{
    enum { COUNT = HEADS_COUNT * BODIES_COUNT };
    struct cut_frame frames[COUNT];
    mwt_case_order(near, near->far, MWT_ORDER_ECHO, 2 * COUNT, 0, 0);

    for (size_t i = 0; i < COUNT; i++) {
        frames[i] = (struct cut_frame){
            head_sizes[i % HEADS_COUNT], body_sizes[i / HEADS_COUNT], 21, i, NULL, 0};
        CU_ASSERT_TRUE(make(&frames[i]));
        CU_ASSERT_EQUAL(send_cut(&near->end, near->far, &frames[i]), MW_OK);
        mwt_case_send(&near->end, near->far, i, 22, i);
    }

    for (size_t i = 0; i < COUNT; i++) {
        mwt_case_expect_pattern(&near->end, near->far, frames[i].head_size + frames[i].body_size,
                                21, i);
        mwt_case_expect_pattern(&near->end, near->far, i, 22, i);
    }
    let_go(&near->end, frames, COUNT);
}

/* A body arrives behind its head, among frames without a body, and is let go once. */
static void test_sizes(void)
{
    mwt_case_run(echo_bodies);
}

static void share_body(struct mwt_near *near)
{
    enum { PEERS = 3, SIZE = 5 << 20 };
    struct cut_frame frames[PEERS];
    mw_peer peers[PEERS] = {near->far, mwt_case_bring_another(near), mwt_case_bring_another(near)};
    frames[0] = (struct cut_frame){20, SIZE, 23, 0, NULL, 0};
    CU_ASSERT_TRUE(make(&frames[0]));
    for (size_t i = 0; i < PEERS; i++) {
        mwt_case_order(near, peers[i], MWT_ORDER_COUNT, 1, 20 + SIZE, 23);
        frames[i] = frames[0];
        frames[i].released_count = 0;
        CU_ASSERT_EQUAL(send_cut(&near->end, peers[i], &frames[i]), MW_OK);
    }

    for (size_t i = 0; i < PEERS; i++) {
        struct mwt_event event = mwt_end_take(&near->end);
        CU_ASSERT_EQUAL(event.kind, MWT_MESSAGE);
        mwt_event_clear(&event);
    }

    for (size_t i = 1; i < PEERS; i++)
        frames[i].bytes = NULL;
    let_go(&near->end, frames, PEERS);
}

/* Several frames at a time may have the same bytes as their body. */
static void test_shared(void)
{
    mwt_case_run(share_body);
}

static void drop_with_bodies(struct mwt_near *near)
{
    enum { COUNT = 3 };
    struct cut_frame frames[COUNT];
    mw_peer peer = mwt_case_bring_another(near);
    mwt_case_order(near, peer, MWT_ORDER_COUNT, COUNT, 12 << 20, 24);
    for (size_t i = 0; i < COUNT; i++) {
        frames[i] = (struct cut_frame){20, 12 << 20, 24, i, NULL, 0};
        CU_ASSERT_TRUE(make(&frames[i]));
        CU_ASSERT_EQUAL(send_cut(&near->end, peer, &frames[i]), MW_OK);
    }

    mwt_end_drop(&near->end, peer);

    let_go(&near->end, frames, COUNT);
    mwt_case_exchange(near, near->far);
}

/* Bodies that are queued for a peer are let go when the peer is dropped. */
static void test_drop(void)
{
    mwt_case_run(drop_with_bodies);
}

static void meet_limit(struct mwt_near *near)
{
    size_t limit = near->plan->near_bytes_max;
    struct cut_frame fits = {20, limit - 20, 25, 0, NULL, 0};
    struct cut_frame exceeds = {20, limit - 19, 25, 1, NULL, 0};
    struct cut_frame overflows = {20, SIZE_MAX - 5, 25, 1, NULL, 0};
    struct cut_frame long_head = {MW_HEAD_BYTES_MAX + 1, 5, 25, 1, NULL, 0};
    CU_ASSERT_TRUE(make(&fits));
    CU_ASSERT_TRUE(make(&exceeds));
    overflows.bytes = long_head.bytes = exceeds.bytes;
    mwt_case_order(near, near->far, MWT_ORDER_ECHO, 1, 0, 0);

    CU_ASSERT_EQUAL(send_cut(&near->end, near->far, &fits), MW_OK);
    CU_ASSERT_EQUAL(send_cut(&near->end, near->far, &exceeds), MW_ETOOBIG);
    CU_ASSERT_EQUAL(send_cut(&near->end, near->far, &overflows), MW_ETOOBIG);
    CU_ASSERT_EQUAL(send_cut(&near->end, near->far, &long_head), MW_ETOOBIG);
    CU_ASSERT_EQUAL(send_cut(&near->end, UINT64_C(1) << 40, &exceeds), MW_EPEER);

    CU_ASSERT_EQUAL(exceeds.released_count, 0);
    CU_ASSERT_EQUAL(overflows.released_count, 0);
    CU_ASSERT_EQUAL(long_head.released_count, 0);
    free(exceeds.bytes);
    mwt_case_expect_pattern(&near->end, near->far, limit, 25, 0);
    let_go(&near->end, &fits, 1);
    mwt_case_exchange(near, near->far);
}

/* The limit holds for head and body together. A refused frame stays the caller's. */
static void test_limit(void)
{
    const struct mwt_plan plan = {
        .body = meet_limit, .near_bytes_max = 100000, .far_bytes_max = 100000, .wake_fd = -1};
    mwt_rig.run(&plan);
}

void mwt_cases_bodies(CU_pSuite suite)
{
    static const CU_TestInfo tests[] = {
        {"bodies of all sizes", test_sizes},
        {"shared body", test_shared},
        {"bodies of a dropped peer", test_drop},
        {"limit with a body", test_limit},
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        mwt_case_add(suite, &tests[i]);
}
