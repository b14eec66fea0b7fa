/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases. Each takes a near end with one far end that is up, gives orders to it, and checks what
 * comes. Nothing waits for a fixed time: a case waits for an event, which is recorded in order, and
 * gives up only after a patience that no working transport exhausts. The fatal assertions of CUnit
 * are not used, since they would jump off the stack of a simulated host.
 *
 * Random cases print their seed; MW_TEST_SEED replays one.
 */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#define LIMIT_BYTES ((size_t)16 * 1024 * 1024)
#define MS_NS ((int64_t)1000 * 1000)
#define MADE_UP_PEER ((mw_peer)1 << 55)

/* The frame of the mark with which a case finds out that all before it has arrived. */
static const unsigned char mark[] = "mark";

void mwt_near_run(const struct mwt_plan *plan, const mw_transport_api *api, void *environment,
                  const char *listen_address, void (*begin_far)(void *context, const char *bound),
                  void *context)
{
    struct mwt_near near = {.plan = plan};
    char bound[256] = "";

    mw_error error = mwt_end_open(&near.end, api, environment, plan->near_bytes_max, plan->wake_fd);
    CU_ASSERT_EQUAL(error, MW_OK);
    if (error != MW_OK) {
        fprintf(stderr, "near end: %s\n", near.end.why.text);
        return;
    }
    error = api->listen(near.end.transport, listen_address, bound, sizeof bound, &near.end.why);
    CU_ASSERT_EQUAL(error, MW_OK);
    if (begin_far != NULL)
        begin_far(context, bound);
    struct mwt_event up = mwt_end_take(&near.end);
    CU_ASSERT_EQUAL(up.kind, MWT_UP);
    CU_ASSERT_NOT_EQUAL(up.peer, 0);
    CU_ASSERT_NOT_EQUAL(up.text[0], '\0');
    near.far = up.peer;
    mwt_event_clear(&up);
    if (near.far != 0)
        plan->body(&near);
    mwt_end_close(&near.end);
    CU_ASSERT_EQUAL(near.end.faults, 0);
    if (near.end.faults > 0)
        fprintf(stderr, "near end: %s\n", near.end.fault);
}

static void run(void (*body)(struct mwt_near *near))
{
    const struct mwt_plan plan = {
        .body = body, .near_bytes_max = LIMIT_BYTES, .far_bytes_max = LIMIT_BYTES, .wake_fd = -1};
    mwt_rig.run(&plan);
}

static uint64_t choose_seed(void)
{
    const char *given = getenv("MW_TEST_SEED");
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0)
                                  : (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec;
    printf("(MW_TEST_SEED=%llu) ", (unsigned long long)seed);
    return seed;
}

static void order(struct mwt_near *near, mw_peer peer, enum mwt_order_kind kind, uint32_t count,
                  size_t size, uint64_t seed)
{
    const struct mwt_order text = {kind, count, size, seed};
    CU_ASSERT_EQUAL(mwt_end_send(&near->end, peer, &text, sizeof text), MW_OK);
}

static void send_pattern(struct mwt_end *end, mw_peer peer, size_t size, uint64_t seed,
                         uint64_t index)
{
    unsigned char *frame = malloc(size + 1);

    if (frame != NULL)
        mwt_pattern_fill(frame, size, seed, index);
    mw_error error = end->api->send(end->transport, peer, frame, size);
    CU_ASSERT_EQUAL(error, MW_OK);
    if (error != MW_OK)
        free(frame);
}

/* Takes the next event and checks that it is this one. */
static struct mwt_event expect(struct mwt_end *end, enum mwt_event_kind kind, mw_peer peer)
{
    struct mwt_event event = mwt_end_take(end);

    CU_ASSERT_EQUAL(event.kind, kind);
    CU_ASSERT_EQUAL(event.peer, peer);
    return event;
}

static void expect_pattern(struct mwt_end *end, mw_peer peer, size_t size, uint64_t seed,
                           uint64_t index)
{
    struct mwt_event event = expect(end, MWT_MESSAGE, peer);

    CU_ASSERT_EQUAL(event.size, size);
    CU_ASSERT_TRUE(event.size == size && mwt_pattern_matches(event.data, size, seed, index));
    mwt_event_clear(&event);
}

/* Takes the up of a new peer. */
static mw_peer expect_up(struct mwt_end *end)
{
    struct mwt_event event = mwt_end_take(end);
    mw_peer peer = event.peer;

    CU_ASSERT_EQUAL(event.kind, MWT_UP);
    CU_ASSERT_NOT_EQUAL(event.text[0], '\0');
    mwt_event_clear(&event);
    return peer;
}

static void expect_down(struct mwt_end *end, mw_peer peer)
{
    struct mwt_event event = expect(end, MWT_DOWN, peer);
    mwt_event_clear(&event);
}

/* A frame goes there and back: the peer works, and all events before it have been taken. */
static void exchange_mark(struct mwt_near *near, mw_peer peer)
{
    order(near, peer, MWT_ORDER_ECHO, 1, 0, 0);
    CU_ASSERT_EQUAL(mwt_end_send(&near->end, peer, mark, sizeof mark), MW_OK);
    struct mwt_event event = expect(&near->end, MWT_MESSAGE, peer);
    CU_ASSERT_EQUAL(event.size, sizeof mark);
    mwt_event_clear(&event);
}

static void expect_tally(struct mwt_near *near, uint64_t frames, uint64_t bytes)
{
    struct mwt_event event = expect(&near->end, MWT_MESSAGE, near->far);
    struct mwt_tally tally = {0};

    CU_ASSERT_EQUAL(event.size, sizeof tally);
    if (event.size == sizeof tally)
        memcpy(&tally, event.data, sizeof tally);
    CU_ASSERT_EQUAL(tally.frames, frames);
    CU_ASSERT_EQUAL(tally.bytes, bytes);
    CU_ASSERT_EQUAL(tally.wrong, 0);
    mwt_event_clear(&event);
}

/* Another connection of the far end. */
static mw_peer bring_another(struct mwt_near *near)
{
    order(near, near->far, MWT_ORDER_ANOTHER, 1, 0, 0);
    return expect_up(&near->end);
}

/* Sizes around what a transport may have thresholds at. */

static const size_t sizes[] = {0,     1,     4095,  4096,    4097,     65535,
                               65536, 65537, 65536, 1 << 20, 16 << 20, 0};
#define SIZES_COUNT (sizeof sizes / sizeof sizes[0])

static void echo_sizes(struct mwt_near *near)
{
    order(near, near->far, MWT_ORDER_ECHO, SIZES_COUNT, 0, 0);
    for (size_t i = 0; i < SIZES_COUNT; i++)
        send_pattern(&near->end, near->far, sizes[i], 1, i);

    for (size_t i = 0; i < SIZES_COUNT; i++)
        expect_pattern(&near->end, near->far, sizes[i], 1, i);
}

/* Frames of every size come back whole, once and in order. */
static void test_sizes(void)
{
    run(echo_sizes);
}

static void send_nothing(struct mwt_near *near)
{
    order(near, near->far, MWT_ORDER_ECHO, 1, 0, 0);

    CU_ASSERT_EQUAL(near->end.api->send(near->end.transport, near->far, NULL, 0), MW_OK);

    expect_pattern(&near->end, near->far, 0, 0, 0);
}

/* An empty frame needs no memory. */
static void test_null_frame(void)
{
    run(send_nothing);
}

static void echo_many(struct mwt_near *near)
{
    enum { COUNT = 20000 };
    order(near, near->far, MWT_ORDER_ECHO, COUNT, 0, 0);

    for (uint64_t i = 0; i < COUNT; i++) {
        send_pattern(&near->end, near->far, i % 100, 2, i);
        if (i % 128 == 127)
            mwt_end_poll(&near->end, 0);
    }

    for (uint64_t i = 0; i < COUNT; i++)
        expect_pattern(&near->end, near->far, i % 100, 2, i);
}

/* Thousands of small frames are on their way at once, and none is lost or overtakes another. */
static void test_many_small(void)
{
    run(echo_many);
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
    uint64_t seed = choose_seed();
    uint64_t state = seed;
    order(near, near->far, MWT_ORDER_ECHO, COUNT, 0, 0);

    for (uint64_t i = 0; i < COUNT; i++) {
        send_pattern(&near->end, near->far, random_size(&state), seed, i);
        if (mwt_random(&state) % 16 == 0)
            mwt_end_poll(&near->end, 0);
    }

    state = seed;
    for (uint64_t i = 0; i < COUNT; i++) {
        expect_pattern(&near->end, near->far, random_size(&state), seed, i);
        mwt_random(&state);
    }
}

/* So does any mix of small and large ones. */
static void test_random_mix(void)
{
    run(echo_random);
}

static void cross(struct mwt_near *near)
{
    enum { COUNT = 300, SIZE = 50000 };
    order(near, near->far, MWT_ORDER_SEND, COUNT, SIZE, 3);
    order(near, near->far, MWT_ORDER_COUNT, COUNT, SIZE, 4);

    for (uint64_t i = 0; i < COUNT; i++)
        send_pattern(&near->end, near->far, SIZE, 4, i);

    for (uint64_t i = 0; i < COUNT; i++)
        expect_pattern(&near->end, near->far, SIZE, 3, i);
    expect_tally(near, COUNT, (uint64_t)COUNT * SIZE);
}

/* Both ends send more than a network holds before either reads. */
static void test_both_directions(void)
{
    run(cross);
}

/* The limit. */

static void meet_limit(struct mwt_near *near)
{
    const struct mwt_end *end = &near->end;
    size_t limit = near->plan->near_bytes_max;
    unsigned char *frame = calloc(1, limit + 1);
    order(near, near->far, MWT_ORDER_ECHO, 1, 0, 0);

    send_pattern(&near->end, near->far, limit, 5, 0);
    mw_error error = end->api->send(end->transport, near->far, frame, limit + 1);

    CU_ASSERT_EQUAL(error, MW_ETOOBIG);
    free(frame);
    expect_pattern(&near->end, near->far, limit, 5, 0);
    exchange_mark(near, near->far);
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
    order(near, near->far, MWT_ORDER_SEND, 1, near->plan->near_bytes_max, 6);
    order(near, near->far, MWT_ORDER_RETURN, 0, 0, 0);
    order(near, near->far, MWT_ORDER_SEND, 1, near->plan->near_bytes_max + 1, 6);

    expect_pattern(&near->end, near->far, near->plan->near_bytes_max, 6, 0);
    struct mwt_event down = expect(&near->end, MWT_DOWN, near->far);
    CU_ASSERT_PTR_NOT_NULL(strstr(down.text, "100001"));
    CU_ASSERT_PTR_NOT_NULL(strstr(down.text, "100000"));
    mwt_event_clear(&down);
    exchange_mark(near, expect_up(&near->end));
}

/* A sender that goes by a larger limit than ours goes down, with both numbers in the reason. */
static void test_lax_sender(void)
{
    const struct mwt_plan plan = {
        .body = exceed_limit, .near_bytes_max = 100000, .far_bytes_max = 200000, .wake_fd = -1};
    mwt_rig.run(&plan);
}

/* Peers. */

static void check_stale(struct mwt_near *near, mw_peer peer)
{
    const struct mwt_end *end = &near->end;
    unsigned char *frame = malloc(10);

    CU_ASSERT_EQUAL(end->api->send(end->transport, peer, frame, 10), MW_EPEER);
    free(frame);
    CU_ASSERT_EQUAL(end->api->backlog(end->transport, peer), 0);
    end->api->drop(end->transport, peer);
}

static void use_stale(struct mwt_near *near)
{
    mw_peer gone = bring_another(near);
    mw_peer dropped = bring_another(near);

    order(near, gone, MWT_ORDER_LEAVE, 0, 0, 0);
    expect_down(&near->end, gone);
    mwt_end_drop(&near->end, dropped);

    check_stale(near, 0);
    check_stale(near, MADE_UP_PEER);
    check_stale(near, near->far + 1000);
    check_stale(near, gone);
    check_stale(near, dropped);
    exchange_mark(near, near->far);
}

/* Peers that are gone, dropped, or never were get an error and change nothing. */
static void test_stale_peers(void)
{
    run(use_stale);
}

static void talk_to_many(struct mwt_near *near)
{
    enum { COUNT = 30 };
    mw_peer peers[COUNT];

    order(near, near->far, MWT_ORDER_ANOTHER, COUNT, 0, 0);
    for (int i = 0; i < COUNT; i++)
        peers[i] = expect_up(&near->end);

    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < i; j++)
            CU_ASSERT_NOT_EQUAL(peers[i], peers[j]);
        exchange_mark(near, peers[i]);
    }
    exchange_mark(near, near->far);
}

/* Many peers of one transport have numbers of their own and do not get each other's frames. */
static void test_many_peers(void)
{
    run(talk_to_many);
}

static void see_down_once(struct mwt_near *near)
{
    mw_peer old = near->far;

    order(near, old, MWT_ORDER_RETURN, 0, 0, 0);
    order(near, old, MWT_ORDER_LEAVE, 0, 0, 0);
    /* Events of two peers have no order among them. */
    struct mwt_event events[2] = {mwt_end_take(&near->end), mwt_end_take(&near->end)};
    int up = events[0].kind == MWT_UP ? 0 : 1;

    CU_ASSERT_EQUAL(events[1 - up].kind, MWT_DOWN);
    CU_ASSERT_EQUAL(events[1 - up].peer, old);
    CU_ASSERT_EQUAL(events[up].kind, MWT_UP);
    CU_ASSERT_NOT_EQUAL(events[up].peer, old);
    exchange_mark(near, events[up].peer);
    mwt_event_clear(&events[0]);
    mwt_event_clear(&events[1]);
}

/* A peer that leaves goes down once and is never heard of again; when it comes back it has another
 * number. */
static void test_down_once(void)
{
    run(see_down_once);
}

static void receive_last_words(struct mwt_near *near)
{
    enum { COUNT = 20, SIZE = 500 };

    order(near, near->far, MWT_ORDER_LAST_WORDS, COUNT, SIZE, 7);

    for (uint64_t i = 0; i < COUNT; i++)
        expect_pattern(&near->end, near->far, SIZE, 7, i);
    expect_down(&near->end, near->far);
}

/* What a peer sent just before it dropped us arrives before its down. */
static void test_last_words(void)
{
    run(receive_last_words);
}

/* The same while frames of ours, which it will never read, are on their way to it. */
static void receive_refusal(struct mwt_near *near)
{
    enum { COUNT = 200, SIZE = 500 };

    order(near, near->far, MWT_ORDER_LAST_WORDS, 1, SIZE, 8);
    for (uint64_t i = 0; i < COUNT; i++)
        send_pattern(&near->end, near->far, SIZE, 9, i);

    expect_pattern(&near->end, near->far, SIZE, 8, 0);
    expect_down(&near->end, near->far);
}

static void test_refusal(void)
{
    run(receive_refusal);
}

static void drop_busy(struct mwt_near *near)
{
    mw_peer old = near->far;

    order(near, old, MWT_ORDER_RETURN, 0, 0, 0);
    order(near, old, MWT_ORDER_SEND, 2000, 1000, 10);
    expect_pattern(&near->end, old, 1000, 10, 0);
    mwt_end_drop(&near->end, old);

    struct mwt_event event = mwt_end_take(&near->end);
    while (event.kind == MWT_MESSAGE) { /* recorded before the drop */
        mwt_event_clear(&event);
        event = mwt_end_take(&near->end);
    }
    CU_ASSERT_EQUAL(event.kind, MWT_UP);
    CU_ASSERT_NOT_EQUAL(event.peer, old);
    exchange_mark(near, event.peer);
    mwt_event_clear(&event);
}

/* No event follows for a peer that was dropped in the middle of its frames; it is told, though. */
static void test_drop_forgets(void)
{
    run(drop_busy);
}

static void drop_after_send(struct mwt_near *near)
{
    mw_peer other = bring_another(near);

    /* The far end takes this as an order to connect once more. */
    order(near, other, MWT_ORDER_ANOTHER, 1, 0, 0);
    mwt_end_drop(&near->end, other);

    exchange_mark(near, expect_up(&near->end));
}

/* A small frame that was queued right before a drop is handed over all the same. */
static void test_drop_after_send(void)
{
    run(drop_after_send);
}

/* Within events. */

struct hooked {
    mw_peer target; /* of what the hook does */
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
        CU_ASSERT_TRUE(end->api->backlog(end->transport, event->peer) < 1000);
        CU_ASSERT_TRUE(mwt_end_now(end) > 0);
    }
}

static void send_within(struct mwt_near *near)
{
    struct hooked hooked = {0};
    near->end.hook = answer_hook;
    near->end.hook_context = &hooked;

    mw_peer other = bring_another(near);

    for (int i = 0; i < 3; i++) {
        struct mwt_event event = expect(&near->end, MWT_MESSAGE, other);
        mwt_event_clear(&event);
    }
    CU_ASSERT_EQUAL(hooked.calls, 3);
}

/* Up and message may send to the peer that they are about. */
static void test_send_within(void)
{
    run(send_within);
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
    order(near, old, MWT_ORDER_RETURN, 0, 0, 0);
    near->end.hook = drop_hook;
    near->end.hook_context = &hooked;

    order(near, old, MWT_ORDER_SEND, 100, 100, 11);
    expect_pattern(&near->end, old, 100, 11, 0);

    CU_ASSERT_EQUAL(hooked.calls, 1);
    near->end.hook = NULL;
    exchange_mark(near, expect_up(&near->end));
}

/* A message may drop its own peer, and no other frame comes though many were there. */
static void test_drop_self_within(void)
{
    run(drop_self_within);
}

static void drop_other_within(struct mwt_near *near)
{
    mw_peer other = bring_another(near);
    struct hooked hooked = {.target = other};
    near->end.hook = drop_hook;
    near->end.hook_context = &hooked;

    order(near, near->far, MWT_ORDER_SEND, 2, 100, 12);
    expect_pattern(&near->end, near->far, 100, 12, 0);
    expect_pattern(&near->end, near->far, 100, 12, 1);

    near->end.hook = NULL;
    check_stale(near, other);
    exchange_mark(near, near->far);
}

/* A message may drop another peer. */
static void test_drop_other_within(void)
{
    run(drop_other_within);
}

static void drop_up_hook(struct mwt_end *end, const struct mwt_event *event)
{
    if (event->kind == MWT_UP)
        mwt_end_drop(end, event->peer);
}

static void drop_in_up(struct mwt_near *near)
{
    near->end.hook = drop_up_hook;

    mw_peer other = bring_another(near);

    near->end.hook = NULL;
    check_stale(near, other);
    exchange_mark(near, near->far);
}

/* An up may drop its peer: a master that wants no more slaves. */
static void test_drop_in_up(void)
{
    run(drop_in_up);
}

static void drop_down_hook(struct mwt_end *end, const struct mwt_event *event)
{
    struct hooked *hooked = end->hook_context;

    if (event->kind != MWT_DOWN)
        return;
    hooked->calls++;
    check_stale(&(struct mwt_near){.end = *end}, event->peer);
    end->api->drop(end->transport, event->peer);
}

static void use_in_down(struct mwt_near *near)
{
    struct hooked hooked = {0};
    mw_peer other = bring_another(near);
    near->end.hook = drop_down_hook;
    near->end.hook_context = &hooked;

    order(near, other, MWT_ORDER_LEAVE, 0, 0, 0);
    expect_down(&near->end, other);

    CU_ASSERT_EQUAL(hooked.calls, 1);
    exchange_mark(near, near->far);
}

/* In a down the peer is a stale one already. */
static void test_stale_in_down(void)
{
    run(use_in_down);
}

/* Memory. */

static void keep_data(struct mwt_near *near)
{
    enum { COUNT = 40 };
    struct mwt_event kept[COUNT];

    order(near, near->far, MWT_ORDER_SEND, COUNT, 200000, 13);
    for (int i = 0; i < COUNT; i++)
        kept[i] = expect(&near->end, MWT_MESSAGE, near->far);
    exchange_mark(near, near->far);

    for (int i = 0; i < COUNT; i++) {
        CU_ASSERT_TRUE(kept[i].size == 200000 &&
                       mwt_pattern_matches(kept[i].data, 200000, 13, (uint64_t)i));
        mwt_event_clear(&kept[i]);
    }
}

/* A block that the receiver keeps stays as it was, whatever comes after it. */
static void test_kept_blocks(void)
{
    run(keep_data);
}

static void watch_backlog(struct mwt_near *near)
{
    enum { COUNT = 10, SIZE = 20000 };
    const struct mwt_end *end = &near->end;
    CU_ASSERT_TRUE(mwt_end_flush(&near->end, near->far));
    order(near, near->far, MWT_ORDER_COUNT, COUNT, SIZE, 14);

    size_t before = end->api->backlog(end->transport, near->far);
    for (uint64_t i = 0; i < COUNT; i++)
        send_pattern(&near->end, near->far, SIZE, 14, i);
    size_t after = end->api->backlog(end->transport, near->far);

    if (mwt_rig.has_queue)
        CU_ASSERT_TRUE(after >= before + (size_t)COUNT * SIZE);
    CU_ASSERT_TRUE(after <= before + (size_t)COUNT * (SIZE + 64));
    CU_ASSERT_TRUE(mwt_end_flush(&near->end, near->far));
    expect_tally(near, COUNT, (uint64_t)COUNT * SIZE);
}

/* The backlog rises with what is queued and returns to 0 as it goes out. */
static void test_backlog(void)
{
    run(watch_backlog);
}

/* Waiting. */

/* Polls until the deadline; how often. A poll may return early, but not all the time. */
static unsigned poll_until(struct mwt_end *end, int64_t deadline)
{
    unsigned polls = 0;

    while (mwt_end_now(end) < deadline && polls < 100000) {
        mwt_end_poll(end, deadline);
        polls++;
    }
    return polls;
}

static void wait_exactly(struct mwt_near *near)
{
    static const int64_t waits[] = {100000, 300 * 1000, 5 * MS_NS, 30 * MS_NS, 1500000};

    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        int64_t deadline = mwt_end_now(&near->end) + waits[i];
        unsigned polls = poll_until(&near->end, deadline);
        CU_ASSERT_TRUE(polls < 1000);
        CU_ASSERT_TRUE(mwt_end_now(&near->end) < deadline + 1000 * MS_NS);
    }
    CU_ASSERT_PTR_NULL(near->end.first);
    exchange_mark(near, near->far);
}

/* With nothing going on a poll returns when its deadline has passed, and not in one long spin. */
static void test_deadline(void)
{
    run(wait_exactly);
}

static void look_only(struct mwt_near *near)
{
    static const int64_t past[] = {INT64_MIN, -1, 0, 1};
    int64_t begin = mwt_end_now(&near->end);

    for (int i = 0; i < 1000; i++)
        mwt_end_poll(&near->end, past[i % 4]);
    mwt_end_poll(&near->end, begin);

    CU_ASSERT_TRUE(mwt_end_now(&near->end) < begin + 10000 * MS_NS);
    CU_ASSERT_PTR_NULL(near->end.first);
    exchange_mark(near, near->far);
}

/* With a deadline in the past a poll does not wait. */
static void test_past_deadline(void)
{
    run(look_only);
}

static void receive_by_looking(struct mwt_near *near)
{
    int64_t deadline = mwt_end_now(&near->end) + MWT_PATIENCE_NS;
    order(near, near->far, MWT_ORDER_ANSWER, 0, 0, 0);

    while (near->end.first == NULL && mwt_end_now(&near->end) < deadline)
        mwt_end_poll(&near->end, 0);

    expect_pattern(&near->end, near->far, 0, 0, 0);
}

/* Polls that never wait see to everything too. */
static void test_looking_is_enough(void)
{
    run(receive_by_looking);
}

static void be_woken(struct mwt_near *near)
{
    int64_t begin = mwt_end_now(&near->end);

    mwt_end_poll(&near->end, begin + MWT_PATIENCE_NS);
    mwt_end_poll(&near->end, begin + MWT_PATIENCE_NS);

    CU_ASSERT_TRUE(mwt_end_now(&near->end) < begin + MWT_PATIENCE_NS / 2);
    exchange_mark(near, near->far);
}

static void wake_with(int fd)
{
    const struct mwt_plan plan = {.body = be_woken,
                                  .near_bytes_max = LIMIT_BYTES,
                                  .far_bytes_max = LIMIT_BYTES,
                                  .wake_fd = fd};
    mwt_rig.run(&plan);
}

/* A wake_fd that is readable ends a wait at once, as often as there is one, and is not read. */
static void test_wake_now(void)
{
    int ends[2];
    char byte = 'x';
    if (!mwt_rig.has_wake_fd)
        return;
    CU_ASSERT_EQUAL(pipe(ends), 0);
    CU_ASSERT_EQUAL(write(ends[1], &byte, 1), 1);

    wake_with(ends[0]);

    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    close(ends[1]);
}

/* So does one that becomes readable during the wait. */
static void test_wake_later(void)
{
    const struct itimerspec soon = {.it_value = {.tv_nsec = 50 * MS_NS}};
    if (!mwt_rig.has_wake_fd)
        return;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    CU_ASSERT_EQUAL(timerfd_settime(timer, 0, &soon, NULL), 0);

    wake_with(timer);

    close(timer);
}

static void read_clock(struct mwt_near *near)
{
    int64_t last = mwt_end_now(&near->end);

    for (int i = 0; i < 2000; i++) {
        int64_t now = mwt_end_now(&near->end);
        CU_ASSERT_TRUE(now >= last);
        last = now;
        if (i % 20 == 0)
            mwt_end_poll(&near->end, now + 1000);
    }
    exchange_mark(near, near->far);
    CU_ASSERT_TRUE(mwt_end_now(&near->end) >= last);
}

/* The clock never goes back. */
static void test_clock(void)
{
    run(read_clock);
}

/* Connecting, closing, and several transports. */

static void connect_nobody(struct mwt_near *near)
{
    if (mwt_rig.nobody == NULL)
        return;

    mw_peer peer = mwt_end_connect(&near->end, mwt_rig.nobody);

    CU_ASSERT_NOT_EQUAL(peer, 0);
    CU_ASSERT_NOT_EQUAL(peer, near->far);
    expect_down(&near->end, peer);
    check_stale(near, peer);
    exchange_mark(near, near->far);
}

/* A connect that finds nobody goes down, without an up. */
static void test_connect_nobody(void)
{
    run(connect_nobody);
}

static void forget_nobody(struct mwt_near *near)
{
    if (mwt_rig.nobody == NULL)
        return;

    mw_peer peer = mwt_end_connect(&near->end, mwt_rig.nobody);
    mwt_end_drop(&near->end, peer);

    check_stale(near, peer);
    exchange_mark(near, near->far);
    poll_until(&near->end, mwt_end_now(&near->end) + 5 * MS_NS);
    CU_ASSERT_PTR_NULL(near->end.first);
}

/* A connect may be given up before its outcome, of which nothing is heard then. */
static void test_drop_connecting(void)
{
    run(forget_nobody);
}

/* Opens a second transport at both ends, the near one of which connects. 0 on failure. */
static mw_peer open_second(struct mwt_near *near, struct mwt_end *second)
{
    order(near, near->far, MWT_ORDER_SECOND, 0, 0, 0);
    CU_ASSERT_TRUE(mwt_end_flush(&near->end, near->far));
    mw_error error =
        mwt_end_open(second, near->end.api, near->end.environment, near->plan->near_bytes_max, -1);
    CU_ASSERT_EQUAL(error, MW_OK);
    struct mwt_event answer = expect(&near->end, MWT_MESSAGE, near->far);
    bool is_told = answer.data != NULL && answer.size > 1;
    mw_peer peer = 0;
    if (error == MW_OK)
        peer = mwt_end_connect(second, is_told ? (char *)answer.data : mwt_rig.far_address);
    mwt_event_clear(&answer);
    CU_ASSERT_NOT_EQUAL(peer, 0);
    return peer;
}

/* Waits until the connect of open_second has an outcome, while both transports are polled. */
static void await_second(struct mwt_end *second, mw_peer peer)
{
    CU_ASSERT_EQUAL(expect_up(second), peer);
}

static void close_second(struct mwt_near *near, struct mwt_end *second)
{
    order(near, near->far, MWT_ORDER_SECOND_CLOSE, 0, 0, 0);
    CU_ASSERT_TRUE(mwt_end_flush(&near->end, near->far));
    mwt_end_close(second);
    CU_ASSERT_EQUAL(second->faults, 0);
}

static void use_two(struct mwt_near *near)
{
    struct mwt_end second;
    mw_peer peer = open_second(near, &second);
    if (peer == 0)
        return;
    await_second(&second, peer);

    const struct mwt_order echo = {MWT_ORDER_ECHO, 50, 0, 0};
    CU_ASSERT_EQUAL(mwt_end_send(&second, peer, &echo, sizeof echo), MW_OK);
    order(near, near->far, MWT_ORDER_ECHO, 50, 0, 0);
    for (uint64_t i = 0; i < 50; i++) {
        send_pattern(&second, peer, 3000, 15, i);
        send_pattern(&near->end, near->far, 2000, 16, i);
    }
    for (uint64_t i = 0; i < 50; i++) {
        expect_pattern(&second, peer, 3000, 15, i);
        expect_pattern(&near->end, near->far, 2000, 16, i);
    }

    close_second(near, &second);
    exchange_mark(near, near->far);
}

/* Two transport objects in one process know nothing of each other; closing one leaves the other. */
static void test_two_transports(void)
{
    run(use_two);
}

static void close_connecting(struct mwt_near *near)
{
    struct mwt_end second;

    if (open_second(near, &second) != 0)
        close_second(near, &second);

    exchange_mark(near, near->far);
}

/* A transport may be closed while a connect is under way. */
static void test_close_half_open(void)
{
    run(close_connecting);
}

static void close_with_queue(struct mwt_near *near)
{
    enum { COUNT = 100, SIZE = 5000 };
    struct mwt_end second;
    mw_peer peer = open_second(near, &second);
    if (peer == 0)
        return;
    await_second(&second, peer);

    order(near, near->far, MWT_ORDER_SECOND_SEND, COUNT, SIZE, 17);
    CU_ASSERT_TRUE(mwt_end_flush(&near->end, near->far));
    for (uint64_t i = 0; i < COUNT; i++)
        expect_pattern(&second, peer, SIZE, 17, i);

    mwt_end_close(&second);
    CU_ASSERT_EQUAL(second.faults, 0);
    exchange_mark(near, near->far);
}

/* Close hands over what is queued. */
static void test_close_flushes(void)
{
    run(close_with_queue);
}

static void close_null(struct mwt_near *near)
{
    near->end.api->close(NULL);
    CU_ASSERT_EQUAL(near->end.api->version, MW_TRANSPORT_VERSION);
    CU_ASSERT_STRING_EQUAL(near->end.api->scheme, mwt_rig.name);
    exchange_mark(near, near->far);
}

/* Closing nothing is legal; the table says what it is. */
static void test_close_null(void)
{
    run(close_null);
}

int mwt_conformance_run(void)
{
    CU_TestInfo tests[] = {
        {"sizes", test_sizes},
        {"null frame", test_null_frame},
        {"many small", test_many_small},
        {"random mix", test_random_mix},
        {"both directions", test_both_directions},
        {"limit", test_limit},
        {"lax sender", test_lax_sender},
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
        {"kept blocks", test_kept_blocks},
        {"backlog", test_backlog},
        {"deadline", test_deadline},
        {"past deadline", test_past_deadline},
        {"looking is enough", test_looking_is_enough},
        {"wake now", test_wake_now},
        {"wake later", test_wake_later},
        {"clock", test_clock},
        {"connect nobody", test_connect_nobody},
        {"drop connecting", test_drop_connecting},
        {"two transports", test_two_transports},
        {"close half open", test_close_half_open},
        {"close flushes", test_close_flushes},
        {"close null", test_close_null},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{mwt_rig.name, NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    if (CU_register_suites(suites) != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
