/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting: deadlines, wake_fd, the descriptor of a transport, and the clock. A poll must neither
 * spin nor oversleep.
 */
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cases.h"

static void wait_exactly(struct mwt_near *near)
{
    static const int64_t waits[] = {100000, 300 * 1000, 5 * MWT_MS_NS, 30 * MWT_MS_NS, 1500000};

    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        int64_t deadline = mwt_end_now(&near->end) + waits[i];
        unsigned polls = mwt_case_poll_until(&near->end, deadline);
        CU_ASSERT_TRUE(polls < 1000);
        CU_ASSERT_TRUE(mwt_end_now(&near->end) < deadline + MWT_PATIENCE_NS);
    }
    CU_ASSERT_PTR_NULL(near->end.first);
    mwt_case_exchange(near, near->far);
}

/* A poll without events returns when its deadline has passed, and does not spin meanwhile. */
static void test_deadline(void)
{
    mwt_case_run(wait_exactly);
}

static void look_only(struct mwt_near *near)
{
    static const int64_t past[] = {INT64_MIN, -1, 0, 1};
    int64_t begin = mwt_end_now(&near->end);

    for (int i = 0; i < 1000; i++)
        mwt_end_poll(&near->end, past[i % 4]);
    mwt_end_poll(&near->end, begin);

    CU_ASSERT_TRUE(mwt_end_now(&near->end) < begin + MWT_PATIENCE_NS);
    CU_ASSERT_PTR_NULL(near->end.first);
    mwt_case_exchange(near, near->far);
}

/* With a deadline in the past a poll does not wait. */
static void test_past_deadline(void)
{
    mwt_case_run(look_only);
}

static void receive_by_looking(struct mwt_near *near)
{
    int64_t deadline = mwt_end_now(&near->end) + MWT_PATIENCE_NS;
    mwt_case_order(near, near->far, MWT_ORDER_ANSWER, 0, 0, 0);

    while (near->end.first == NULL && mwt_end_now(&near->end) < deadline)
        mwt_end_poll(&near->end, 0);

    mwt_case_expect_pattern(&near->end, near->far, 0, 0, 0);
}

/* Polls that never wait still do all work. */
static void test_looking_is_enough(void)
{
    mwt_case_run(receive_by_looking);
}

static void be_woken(struct mwt_near *near)
{
    int64_t begin = mwt_end_now(&near->end);

    mwt_end_poll(&near->end, begin + MWT_PATIENCE_NS);
    mwt_end_poll(&near->end, begin + MWT_PATIENCE_NS);

    CU_ASSERT_TRUE(mwt_end_now(&near->end) < begin + MWT_PATIENCE_NS / 2);
    mwt_case_exchange(near, near->far);
}

static void wake_with(int fd, mw_wait wait)
{
    const struct mwt_plan plan = {.body = be_woken,
                                  .near_bytes_max = MWT_CASE_LIMIT_BYTES,
                                  .far_bytes_max = MWT_CASE_LIMIT_BYTES,
                                  .wake_fd = fd,
                                  .wait = wait};
    mwt_rig.run(&plan);
}

static const mw_wait every_wait[] = {MW_WAIT_AUTO, MW_WAIT_SPIN, MW_WAIT_YIELD, MW_WAIT_NAP};

/* A readable wake_fd ends a wait at once, each time, and the transport does not read it. */
static void test_wake_now(void)
{
    int ends[2];
    char byte = 'x';
    if (!mwt_rig.has_wake_fd)
        return;
    CU_ASSERT_EQUAL(pipe(ends), 0);
    CU_ASSERT_EQUAL(write(ends[1], &byte, 1), 1);

    for (size_t i = 0; i < 4; i++)
        wake_with(ends[0], every_wait[i]);

    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    close(ends[1]);
}

/* A wake_fd that becomes readable during a wait ends it too. */
static void test_wake_later(void)
{
    const struct itimerspec soon = {.it_value = {.tv_nsec = 50 * MWT_MS_NS}};
    if (!mwt_rig.has_wake_fd)
        return;
    for (size_t i = 0; i < 4; i++) {
        int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        CU_ASSERT_EQUAL(timerfd_settime(timer, 0, &soon, NULL), 0);

        wake_with(timer, every_wait[i]);

        close(timer);
    }
}

static void wait_and_exchange(struct mwt_near *near)
{
    for (int i = 0; i < 3; i++) {
        int64_t deadline = mwt_end_now(&near->end) + 5 * MWT_MS_NS;
        mwt_case_poll_until(&near->end, deadline);
        CU_ASSERT_TRUE(mwt_end_now(&near->end) >= deadline);
        CU_ASSERT_PTR_NULL(near->end.first);
        mwt_case_exchange(near, near->far);
    }
}

/* With each way to wait, a poll waits until its deadline, and an event ends it. */
static void test_every_wait(void)
{
    for (size_t i = 0; i < 4; i++) {
        const struct mwt_plan plan = {.body = wait_and_exchange,
                                      .near_bytes_max = MWT_CASE_LIMIT_BYTES,
                                      .far_bytes_max = MWT_CASE_LIMIT_BYTES,
                                      .wake_fd = -1,
                                      .wait = every_wait[i]};
        mwt_rig.run(&plan);
    }
}

/* Polls as a caller does that waits for the descriptor, until there is an event. */
static void look_when_told(struct mwt_near *near, int fd)
{
    struct pollfd told = {.fd = fd, .events = POLLIN};
    mwt_end_poll(&near->end, INT64_MIN);
    while (near->end.first == NULL && poll(&told, 1, MWT_PATIENCE_NS / MWT_MS_NS) > 0)
        mwt_end_poll(&near->end, INT64_MIN);
    CU_ASSERT_PTR_NOT_NULL(near->end.first);
}

static void wait_for_descriptor(struct mwt_near *near)
{
    int fd = near->end.api->fd(near->end.transport);
    struct pollfd quiet = {.fd = fd, .events = POLLIN};
    CU_ASSERT_EQUAL(fd >= 0, mwt_rig.has_fd);
    CU_ASSERT_EQUAL(near->end.api->fd(near->end.transport), fd);
    mwt_case_exchange(near, near->far);
    if (fd < 0)
        return;

    mwt_case_order(near, near->far, MWT_ORDER_ANOTHER, 1, 0, 0);
    look_when_told(near, fd);
    mw_peer other = mwt_case_expect_up(&near->end);
    mwt_case_order(near, other, MWT_ORDER_ANSWER, 0, 0, 0);
    look_when_told(near, fd);
    mwt_case_expect_pattern(&near->end, other, 0, 0, 0);
    mwt_case_order(near, other, MWT_ORDER_LEAVE, 0, 0, 0);
    look_when_told(near, fd);
    mwt_case_expect_down(&near->end, other);

    mwt_end_poll(&near->end, INT64_MIN);
    CU_ASSERT_EQUAL(poll(&quiet, 1, 0), 0);
    CU_ASSERT_EQUAL(near->end.api->fd(near->end.transport), fd);
}

/* The descriptor of a transport that has one becomes readable for a new peer, a frame and an end,
 * and not otherwise. A transport without a descriptor always says so. */
static void test_descriptor(void)
{
    mwt_case_run(wait_for_descriptor);
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
    mwt_case_exchange(near, near->far);
    CU_ASSERT_TRUE(mwt_end_now(&near->end) >= last);
}

/* The clock never goes back. */
static void test_clock(void)
{
    mwt_case_run(read_clock);
}

void mwt_cases_waiting(CU_pSuite suite)
{
    static const CU_TestInfo tests[] = {
        {"deadline", test_deadline},
        {"past deadline", test_past_deadline},
        {"looking is enough", test_looking_is_enough},
        {"wake now", test_wake_now},
        {"wake later", test_wake_later},
        {"every wait", test_every_wait},
        {"descriptor", test_descriptor},
        {"clock", test_clock},
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        mwt_case_add(suite, &tests[i]);
}
