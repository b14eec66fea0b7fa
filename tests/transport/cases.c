/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps that the cases of the conformance suite share: frames that can be checked, events that
 * must come next, and waits that end at an event.
 */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/CUnit.h>

static const unsigned char mark[] = "mark";

void mwt_case_add(CU_pSuite suite, const CU_TestInfo *test)
{
    if (CU_add_test(suite, test->pName, test->pTestFunc) == NULL)
        CU_set_error(CUE_NOMEMORY);
}

void mwt_case_run(void (*body)(struct mwt_near *near))
{
    const struct mwt_plan plan = {.body = body,
                                  .near_bytes_max = MWT_CASE_LIMIT_BYTES,
                                  .far_bytes_max = MWT_CASE_LIMIT_BYTES,
                                  .wake_fd = -1};
    mwt_rig.run(&plan);
}

uint64_t mwt_case_seed(void)
{
    const char *given = getenv("MW_TEST_SEED");
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0)
                                  : (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec;
    printf("(MW_TEST_SEED=%llu) ", (unsigned long long)seed);
    return seed;
}

void mwt_case_order(struct mwt_near *near, mw_peer peer, enum mwt_order_kind kind, uint32_t count,
                    size_t size, uint64_t seed)
{
    const struct mwt_order text = {kind, count, size, seed};
    CU_ASSERT_EQUAL(mwt_end_send_tracked(&near->end, peer, &text, sizeof text), MW_OK);
}

void mwt_case_send(struct mwt_end *end, mw_peer peer, size_t size, uint64_t seed, uint64_t index)
{
    unsigned char *frame = malloc(size + 1);

    if (frame != NULL)
        mwt_pattern_fill(frame, size, seed, index);
    mw_error error = end->api->send(end->transport, peer, frame, size, NULL);
    CU_ASSERT_EQUAL(error, MW_OK);
    if (error != MW_OK)
        free(frame);
}

struct mwt_event mwt_case_expect(struct mwt_end *end, enum mwt_event_kind kind, mw_peer peer)
{
    struct mwt_event event = mwt_end_take(end);

    CU_ASSERT_EQUAL(event.kind, kind);
    CU_ASSERT_EQUAL(event.peer, peer);
    return event;
}

void mwt_case_expect_pattern(struct mwt_end *end, mw_peer peer, size_t size, uint64_t seed,
                             uint64_t index)
{
    struct mwt_event event = mwt_case_expect(end, MWT_MESSAGE, peer);

    CU_ASSERT_EQUAL(event.size, size);
    CU_ASSERT_TRUE(event.size == size && mwt_pattern_matches(event.data, size, seed, index));
    mwt_event_clear(&event);
}

mw_peer mwt_case_expect_up(struct mwt_end *end)
{
    struct mwt_event event = mwt_end_take(end);
    mw_peer peer = event.peer;

    CU_ASSERT_EQUAL(event.kind, MWT_UP);
    CU_ASSERT_NOT_EQUAL(event.text[0], '\0');
    mwt_event_clear(&event);
    return peer;
}

void mwt_case_expect_down(struct mwt_end *end, mw_peer peer)
{
    struct mwt_event event = mwt_case_expect(end, MWT_DOWN, peer);
    mwt_event_clear(&event);
}

void mwt_case_exchange(struct mwt_near *near, mw_peer peer)
{
    mwt_case_order(near, peer, MWT_ORDER_ECHO, 1, 0, 0);
    CU_ASSERT_EQUAL(mwt_end_send(&near->end, peer, mark, sizeof mark), MW_OK);
    struct mwt_event event = mwt_case_expect(&near->end, MWT_MESSAGE, peer);
    CU_ASSERT_EQUAL(event.size, sizeof mark);
    mwt_event_clear(&event);
}

void mwt_case_expect_tally(struct mwt_near *near, uint64_t frames, uint64_t bytes)
{
    struct mwt_event event = mwt_case_expect(&near->end, MWT_MESSAGE, near->far);
    struct mwt_tally tally = {0};

    CU_ASSERT_EQUAL(event.size, sizeof tally);
    if (event.size == sizeof tally)
        memcpy(&tally, event.data, sizeof tally);
    CU_ASSERT_EQUAL(tally.frames, frames);
    CU_ASSERT_EQUAL(tally.bytes, bytes);
    CU_ASSERT_EQUAL(tally.wrong, 0);
    mwt_event_clear(&event);
}

mw_peer mwt_case_bring_another(struct mwt_near *near)
{
    mwt_case_order(near, near->far, MWT_ORDER_ANOTHER, 1, 0, 0);
    return mwt_case_expect_up(&near->end);
}

void mwt_case_check_stale(struct mwt_near *near, mw_peer peer)
{
    const struct mwt_end *end = &near->end;
    unsigned char *frame = malloc(10);

    CU_ASSERT_EQUAL(end->api->send(end->transport, peer, frame, 10, NULL), MW_EPEER);
    free(frame);
    end->api->drop(end->transport, peer);
}

unsigned mwt_case_poll_until(struct mwt_end *end, int64_t deadline)
{
    unsigned polls = 0;

    while (mwt_end_now(end) < deadline && polls < 100000) {
        mwt_end_poll(end, deadline);
        polls++;
    }
    return polls;
}
