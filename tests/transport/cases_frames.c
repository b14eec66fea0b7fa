/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames arrive whole, once and in order, of every size up to the limit, and their memory is
 * handed over as promised.
 */
#include <stdlib.h>
#include <string.h>

#include "cases.h"

/* Sizes around likely thresholds of a transport. */

static const size_t sizes[] = {
    0,        1,       4095,          4096,    4097, 65535,         65536,   65537,
    65536,    1 << 20, (4 << 20) - 1, 4 << 20, 7,    (4 << 20) + 1, 8 << 20, (9 << 20) + 5,
    16 << 20, 0};
#define SIZES_COUNT (sizeof sizes / sizeof sizes[0])

static void echo_sizes(struct mwt_near *near)
{
    mwt_case_order(near, near->far, MWT_ORDER_ECHO, SIZES_COUNT, 0, 0);
    for (size_t i = 0; i < SIZES_COUNT; i++)
        mwt_case_send(&near->end, near->far, sizes[i], 1, i);

    for (size_t i = 0; i < SIZES_COUNT; i++)
        mwt_case_expect_pattern(&near->end, near->far, sizes[i], 1, i);
}

/* Frames of every size come back whole, once and in order. */
static void test_sizes(void)
{
    mwt_case_run(echo_sizes);
}

static void send_nothing(struct mwt_near *near)
{
    mwt_case_order(near, near->far, MWT_ORDER_ECHO, 1, 0, 0);

    CU_ASSERT_EQUAL(near->end.api->send(near->end.transport, near->far, NULL, 0, NULL), MW_OK);

    mwt_case_expect_pattern(&near->end, near->far, 0, 0, 0);
}

/* An empty frame needs no memory. */
static void test_null_frame(void)
{
    mwt_case_run(send_nothing);
}

static void echo_many(struct mwt_near *near)
{
    enum { COUNT = 20000 };
    mwt_case_order(near, near->far, MWT_ORDER_ECHO, COUNT, 0, 0);

    for (uint64_t i = 0; i < COUNT; i++) {
        mwt_case_send(&near->end, near->far, i % 100, 2, i);
        if (i % 128 == 127)
            mwt_end_poll(&near->end, 0);
    }

    for (uint64_t i = 0; i < COUNT; i++)
        mwt_case_expect_pattern(&near->end, near->far, i % 100, 2, i);
}

/* Thousands of small frames are on their way at once. None is lost or overtakes another. */
static void test_many_small(void)
{
    mwt_case_run(echo_many);
}

static size_t random_size(uint64_t *state)
{
    uint64_t chance = mwt_random(state);
    uint64_t bits = chance % 21;
    return (size_t)(mwt_random(state) & (((uint64_t)1 << bits) - 1));
}

static void echo_random(struct mwt_near *near)
{
    enum { COUNT = 1500 };
    uint64_t seed = mwt_case_seed();
    uint64_t state = seed;
    mwt_case_order(near, near->far, MWT_ORDER_ECHO, COUNT, 0, 0);

    for (uint64_t i = 0; i < COUNT; i++) {
        mwt_case_send(&near->end, near->far, random_size(&state), seed, i);
        if (mwt_random(&state) % 16 == 0)
            mwt_end_poll(&near->end, 0);
    }

    state = seed;
    for (uint64_t i = 0; i < COUNT; i++) {
        mwt_case_expect_pattern(&near->end, near->far, random_size(&state), seed, i);
        mwt_random(&state);
    }
}

/* Any mix of small and large frames comes back in order too. */
static void test_random_mix(void)
{
    mwt_case_run(echo_random);
}

static void cross(struct mwt_near *near)
{
    enum { COUNT = 300, SIZE = 50000 };
    mwt_case_order(near, near->far, MWT_ORDER_SEND, COUNT, SIZE, 3);
    mwt_case_order(near, near->far, MWT_ORDER_COUNT, COUNT, SIZE, 4);

    for (uint64_t i = 0; i < COUNT; i++)
        mwt_case_send(&near->end, near->far, SIZE, 4, i);

    for (uint64_t i = 0; i < COUNT; i++)
        mwt_case_expect_pattern(&near->end, near->far, SIZE, 3, i);
    mwt_case_expect_tally(near, COUNT, (uint64_t)COUNT * SIZE);
}

/* Both ends send more than a network holds before either end reads. */
static void test_both_directions(void)
{
    mwt_case_run(cross);
}

/* The limit. */

static void meet_limit(struct mwt_near *near)
{
    const struct mwt_end *end = &near->end;
    size_t limit = near->plan->near_bytes_max;
    unsigned char *frame = calloc(1, limit + 1);
    mwt_case_order(near, near->far, MWT_ORDER_ECHO, 1, 0, 0);

    mwt_case_send(&near->end, near->far, limit, 5, 0);
    mw_error error = end->api->send(end->transport, near->far, frame, limit + 1, NULL);

    CU_ASSERT_EQUAL(error, MW_ETOOBIG);
    free(frame);
    mwt_case_expect_pattern(&near->end, near->far, limit, 5, 0);
    mwt_case_exchange(near, near->far);
}

/* A frame of exactly the limit passes; a byte more is refused, stays the caller's, and does no harm
 * to the peer. */
static void test_limit(void)
{
    const struct mwt_plan plan = {
        .body = meet_limit, .near_bytes_max = 100000, .far_bytes_max = 100000, .wake_fd = -1};
    mwt_rig.run(&plan);
}

static void exceed_limit(struct mwt_near *near)
{
    mwt_case_order(near, near->far, MWT_ORDER_SEND, 1, near->plan->near_bytes_max, 6);
    mwt_case_order(near, near->far, MWT_ORDER_RETURN, 0, 0, 0);
    mwt_case_order(near, near->far, MWT_ORDER_SEND, 1, near->plan->near_bytes_max + 1, 6);

    mwt_case_expect_pattern(&near->end, near->far, near->plan->near_bytes_max, 6, 0);
    struct mwt_event down = mwt_case_expect(&near->end, MWT_DOWN, near->far);
    CU_ASSERT_PTR_NOT_NULL(strstr(down.text, "100001"));
    CU_ASSERT_PTR_NOT_NULL(strstr(down.text, "100000"));
    mwt_event_clear(&down);
    mwt_case_exchange(near, mwt_case_expect_up(&near->end));
}

/* A sender with a larger limit than ours goes down, with both numbers in the reason. */
static void test_lax_sender(void)
{
    const struct mwt_plan plan = {
        .body = exceed_limit, .near_bytes_max = 100000, .far_bytes_max = 200000, .wake_fd = -1};
    mwt_rig.run(&plan);
}

static void keep_data(struct mwt_near *near)
{
    enum { COUNT = 40 };
    struct mwt_event kept[COUNT];

    mwt_case_order(near, near->far, MWT_ORDER_SEND, COUNT, 200000, 13);
    for (int i = 0; i < COUNT; i++)
        kept[i] = mwt_case_expect(&near->end, MWT_MESSAGE, near->far);
    mwt_case_exchange(near, near->far);

    for (int i = 0; i < COUNT; i++) {
        CU_ASSERT_TRUE(kept[i].size == 200000 &&
                       mwt_pattern_matches(kept[i].data, 200000, 13, (uint64_t)i));
        mwt_event_clear(&kept[i]);
    }
}

/* A block that the receiver keeps does not change, whatever arrives after it. */
static void test_kept_blocks(void)
{
    mwt_case_run(keep_data);
}

static void drop_in_the_middle(struct mwt_near *near)
{
    enum { SIZE = 12 << 20 };
    mw_peer sender = mwt_case_bring_another(near);
    mw_peer receiver = mwt_case_bring_another(near);
    mwt_case_order(near, sender, MWT_ORDER_SEND, 2, SIZE, 15);
    mwt_case_order(near, receiver, MWT_ORDER_COUNT, 2, SIZE, 16);
    mwt_end_poll(&near->end, 0);
    mwt_case_send(&near->end, receiver, SIZE, 16, 0);
    mwt_end_poll(&near->end, 0);

    mwt_end_drop(&near->end, receiver);
    mwt_end_drop(&near->end, sender);
    while (near->end.first != NULL) { /* a quick transport may have brought a frame already */
        struct mwt_event event = mwt_end_take(&near->end);
        mwt_event_clear(&event);
    }

    mwt_case_exchange(near, near->far);
    mwt_case_order(near, near->far, MWT_ORDER_ECHO, 1, 0, 0);
    mwt_case_send(&near->end, near->far, SIZE, 17, 0);
    mwt_case_expect_pattern(&near->end, near->far, SIZE, 17, 0);
}

/* A peer may be dropped while large frames are on their way from it or to it. Other peers are not
 * disturbed, and no more events of it follow. */
static void test_drop_in_the_middle(void)
{
    mwt_case_run(drop_in_the_middle);
}

void mwt_cases_frames(CU_pSuite suite)
{
    static const CU_TestInfo tests[] = {
        {"sizes", test_sizes},
        {"null frame", test_null_frame},
        {"many small", test_many_small},
        {"random mix", test_random_mix},
        {"both directions", test_both_directions},
        {"limit", test_limit},
        {"lax sender", test_lax_sender},
        {"kept blocks", test_kept_blocks},
        {"drop in the middle", test_drop_in_the_middle},
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        mwt_case_add(suite, &tests[i]);
}
