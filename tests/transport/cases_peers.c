/* SPDX-License-Identifier: Apache-2.0
 *
 * Peers: their numbers, their ups and downs, and the calls that are allowed in their events. After
 * a down or a drop no event of a peer may follow.
 */
#include <stdlib.h>
#include <string.h>

#include "cases.h"

#define MADE_UP_PEER ((mw_peer)1 << 55)

static const unsigned char mark[] = "mark";

static void use_stale(struct mwt_near *near)
{
    mw_peer gone = mwt_case_bring_another(near);
    mw_peer dropped = mwt_case_bring_another(near);

    mwt_case_order(near, gone, MWT_ORDER_LEAVE, 0, 0, 0);
    mwt_case_expect_down(&near->end, gone);
    mwt_end_drop(&near->end, dropped);

    mwt_case_check_stale(near, 0);
    mwt_case_check_stale(near, MADE_UP_PEER);
    mwt_case_check_stale(near, near->far + 1000);
    mwt_case_check_stale(near, gone);
    mwt_case_check_stale(near, dropped);
    mwt_case_exchange(near, near->far);
}

/* Calls for peers that are gone, dropped, or never were return an error and change nothing. */
static void test_stale_peers(void)
{
    mwt_case_run(use_stale);
}

static void talk_to_many(struct mwt_near *near)
{
    enum { COUNT = 30 };
    mw_peer peers[COUNT];

    mwt_case_order(near, near->far, MWT_ORDER_ANOTHER, COUNT, 0, 0);
    for (int i = 0; i < COUNT; i++)
        peers[i] = mwt_case_expect_up(&near->end);

    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < i; j++)
            CU_ASSERT_NOT_EQUAL(peers[i], peers[j]);
        mwt_case_exchange(near, peers[i]);
    }
    mwt_case_exchange(near, near->far);
}

/* Many peers of one transport have different numbers and do not get each other's frames. */
static void test_many_peers(void)
{
    mwt_case_run(talk_to_many);
}

static void see_down_once(struct mwt_near *near)
{
    mw_peer old = near->far;

    mwt_case_order(near, old, MWT_ORDER_RETURN, 0, 0, 0);
    mwt_case_order(near, old, MWT_ORDER_LEAVE, 0, 0, 0);
    /* The order of events of two peers is not defined. */
    struct mwt_event events[2] = {mwt_end_take(&near->end), mwt_end_take(&near->end)};
    int up = events[0].kind == MWT_UP ? 0 : 1;

    CU_ASSERT_EQUAL(events[1 - up].kind, MWT_DOWN);
    CU_ASSERT_EQUAL(events[1 - up].peer, old);
    CU_ASSERT_EQUAL(events[up].kind, MWT_UP);
    CU_ASSERT_NOT_EQUAL(events[up].peer, old);
    mwt_case_exchange(near, events[up].peer);
    mwt_event_clear(&events[0]);
    mwt_event_clear(&events[1]);
}

/* A peer that leaves goes down once, and no event of it follows. When it comes back it has another
 * number. */
static void test_down_once(void)
{
    mwt_case_run(see_down_once);
}

static void receive_last_words(struct mwt_near *near)
{
    enum { COUNT = 20, SIZE = 500 };

    mwt_case_order(near, near->far, MWT_ORDER_LAST_WORDS, COUNT, SIZE, 7);

    for (uint64_t i = 0; i < COUNT; i++)
        mwt_case_expect_pattern(&near->end, near->far, SIZE, 7, i);
    mwt_case_expect_down(&near->end, near->far);
}

/* Frames that a peer sent just before it dropped us arrive before its down. */
static void test_last_words(void)
{
    mwt_case_run(receive_last_words);
}

/* The same holds while frames of ours are on their way to it, which it will never read. */
static void receive_refusal(struct mwt_near *near)
{
    enum { COUNT = 200, SIZE = 500 };

    mwt_case_order(near, near->far, MWT_ORDER_LAST_WORDS, 1, SIZE, 8);
    for (uint64_t i = 0; i < COUNT; i++)
        mwt_case_send(&near->end, near->far, SIZE, 9, i);

    mwt_case_expect_pattern(&near->end, near->far, SIZE, 8, 0);
    mwt_case_expect_down(&near->end, near->far);
}

static void test_refusal(void)
{
    mwt_case_run(receive_refusal);
}

static void drop_busy(struct mwt_near *near)
{
    mw_peer old = near->far;

    mwt_case_order(near, old, MWT_ORDER_RETURN, 0, 0, 0);
    mwt_case_order(near, old, MWT_ORDER_SEND, 2000, 1000, 10);
    mwt_case_expect_pattern(&near->end, old, 1000, 10, 0);
    mwt_end_drop(&near->end, old);

    struct mwt_event event = mwt_end_take(&near->end);
    while (event.kind == MWT_MESSAGE) { /* recorded before the drop */
        mwt_event_clear(&event);
        event = mwt_end_take(&near->end);
    }
    CU_ASSERT_EQUAL(event.kind, MWT_UP);
    CU_ASSERT_NOT_EQUAL(event.peer, old);
    mwt_case_exchange(near, event.peer);
    mwt_event_clear(&event);
}

/* After a drop in the middle of a peer's frames no event of it follows. The peer itself goes
 * down. */
static void test_drop_forgets(void)
{
    mwt_case_run(drop_busy);
}

static void drop_after_send(struct mwt_near *near)
{
    mw_peer other = mwt_case_bring_another(near);

    /* The far end takes this frame as an order to connect once more. */
    mwt_case_order(near, other, MWT_ORDER_ANOTHER, 1, 0, 0);
    mwt_end_drop(&near->end, other);

    mwt_case_exchange(near, mwt_case_expect_up(&near->end));
}

/* A small frame that was queued right before a drop still arrives. */
static void test_drop_after_send(void)
{
    mwt_case_run(drop_after_send);
}

struct hooked {
    mw_peer target; /* results of the hook's calls */
    unsigned calls;
};

static void answer_hook(struct mwt_end *end, const struct mwt_event *event)
{
    const struct mwt_order echo = {MWT_ORDER_ECHO, 3, 0, 0};
    struct hooked *hooked = end->hook_context;

    if (event->kind == MWT_UP) {
        CU_ASSERT_EQUAL(mwt_end_send(end, event->peer, &echo, sizeof echo), MW_OK);
        CU_ASSERT_EQUAL(mwt_end_send(end, event->peer, mark, sizeof mark), MW_OK);
    } else if (event->kind == MWT_MESSAGE && ++hooked->calls < 3) {
        CU_ASSERT_EQUAL(mwt_end_send(end, event->peer, mark, sizeof mark), MW_OK);
        CU_ASSERT_TRUE(mwt_end_now(end) > 0);
    }
}

static void send_within(struct mwt_near *near)
{
    struct hooked hooked = {0};
    near->end.hook = answer_hook;
    near->end.hook_context = &hooked;

    mw_peer other = mwt_case_bring_another(near);

    for (int i = 0; i < 3; i++) {
        struct mwt_event event = mwt_case_expect(&near->end, MWT_MESSAGE, other);
        mwt_event_clear(&event);
    }
    CU_ASSERT_EQUAL(hooked.calls, 3);
}

/* In up and message, the callback may send to the event's peer. */
static void test_send_within(void)
{
    mwt_case_run(send_within);
}

static void drop_hook(struct mwt_end *end, const struct mwt_event *event)
{
    struct hooked *hooked = end->hook_context;

    if (event->kind != MWT_MESSAGE)
        return;
    hooked->calls++;
    mwt_end_drop(end, hooked->target != 0 ? hooked->target : event->peer);
}

static void drop_self_within(struct mwt_near *near)
{
    struct hooked hooked = {0};
    mw_peer old = near->far;
    mwt_case_order(near, old, MWT_ORDER_RETURN, 0, 0, 0);
    near->end.hook = drop_hook;
    near->end.hook_context = &hooked;

    mwt_case_order(near, old, MWT_ORDER_SEND, 100, 100, 11);
    mwt_case_expect_pattern(&near->end, old, 100, 11, 0);

    CU_ASSERT_EQUAL(hooked.calls, 1);
    near->end.hook = NULL;
    mwt_case_exchange(near, mwt_case_expect_up(&near->end));
}

/* In message, the callback may drop the event's own peer. None of its other frames is reported. */
static void test_drop_self_within(void)
{
    mwt_case_run(drop_self_within);
}

static void drop_other_within(struct mwt_near *near)
{
    mw_peer other = mwt_case_bring_another(near);
    struct hooked hooked = {.target = other};
    near->end.hook = drop_hook;
    near->end.hook_context = &hooked;

    mwt_case_order(near, near->far, MWT_ORDER_SEND, 2, 100, 12);
    mwt_case_expect_pattern(&near->end, near->far, 100, 12, 0);
    mwt_case_expect_pattern(&near->end, near->far, 100, 12, 1);

    near->end.hook = NULL;
    mwt_case_check_stale(near, other);
    mwt_case_exchange(near, near->far);
}

/* In message, the callback may drop another peer. */
static void test_drop_other_within(void)
{
    mwt_case_run(drop_other_within);
}

static void drop_up_hook(struct mwt_end *end, const struct mwt_event *event)
{
    if (event->kind == MWT_UP)
        mwt_end_drop(end, event->peer);
}

static void drop_in_up(struct mwt_near *near)
{
    near->end.hook = drop_up_hook;

    mw_peer other = mwt_case_bring_another(near);

    near->end.hook = NULL;
    mwt_case_check_stale(near, other);
    mwt_case_exchange(near, near->far);
}

/* In up, the callback may drop the peer, as a master does that wants no more slaves. */
static void test_drop_in_up(void)
{
    mwt_case_run(drop_in_up);
}

static void drop_down_hook(struct mwt_end *end, const struct mwt_event *event)
{
    struct hooked *hooked = end->hook_context;

    if (event->kind != MWT_DOWN)
        return;
    hooked->calls++;
    mwt_case_check_stale(&(struct mwt_near){.end = *end}, event->peer);
    end->api->drop(end->transport, event->peer);
}

static void use_in_down(struct mwt_near *near)
{
    struct hooked hooked = {0};
    mw_peer other = mwt_case_bring_another(near);
    near->end.hook = drop_down_hook;
    near->end.hook_context = &hooked;

    mwt_case_order(near, other, MWT_ORDER_LEAVE, 0, 0, 0);
    mwt_case_expect_down(&near->end, other);

    CU_ASSERT_EQUAL(hooked.calls, 1);
    mwt_case_exchange(near, near->far);
}

/* In down, the peer's number is stale already. */
static void test_stale_in_down(void)
{
    mwt_case_run(use_in_down);
}

static size_t ask_peers_max(struct mwt_near *near)
{
    return near->end.api->peers_max(near->end.transport);
}

static void ask_as_they_come_and_go(struct mwt_near *near)
{
    CU_ASSERT_EQUAL(ask_peers_max(near), mwt_rig.peers_max);
    mw_peer other = mwt_case_bring_another(near);
    CU_ASSERT_EQUAL(ask_peers_max(near), mwt_rig.peers_max);
    mwt_case_order(near, other, MWT_ORDER_LEAVE, 0, 0, 0);
    mwt_case_expect_down(&near->end, other);

    CU_ASSERT_EQUAL(ask_peers_max(near), mwt_rig.peers_max);
    mwt_case_exchange(near, near->far);
}

/* The largest number of peers does not depend on the present number. */
static void test_peers_max(void)
{
    mwt_case_run(ask_as_they_come_and_go);
}

void mwt_cases_peers(CU_pSuite suite)
{
    static const CU_TestInfo tests[] = {
        {"stale peers", test_stale_peers},
        {"many peers", test_many_peers},
        {"down once", test_down_once},
        {"last words", test_last_words},
        {"refusal", test_refusal},
        {"drop forgets", test_drop_forgets},
        {"drop after send", test_drop_after_send},
        {"send within", test_send_within},
        {"drop self within", test_drop_self_within},
        {"drop other within", test_drop_other_within},
        {"drop in up", test_drop_in_up},
        {"stale in down", test_stale_in_down},
        {"peers max", test_peers_max},
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        mwt_case_add(suite, &tests[i]);
}
