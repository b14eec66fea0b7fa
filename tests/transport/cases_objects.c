/* SPDX-License-Identifier: Apache-2.0
 *
 * Connecting, closing, and several transport objects in one process, which must not know of each
 * other.
 */
#include <stdlib.h>
#include <string.h>

#include "cases.h"

static void connect_nobody(struct mwt_near *near)
{
    if (mwt_rig.nobody == NULL)
        return;

    mw_peer peer = mwt_end_connect(&near->end, mwt_rig.nobody);

    CU_ASSERT_NOT_EQUAL(peer, 0);
    CU_ASSERT_NOT_EQUAL(peer, near->far);
    mwt_case_expect_down(&near->end, peer);
    mwt_case_check_stale(near, peer);
    mwt_case_exchange(near, near->far);
}

/* A connect to an address where nobody listens goes down, without an up. */
static void test_connect_nobody(void)
{
    mwt_case_run(connect_nobody);
}

static void forget_nobody(struct mwt_near *near)
{
    if (mwt_rig.nobody == NULL)
        return;

    mw_peer peer = mwt_end_connect(&near->end, mwt_rig.nobody);
    mwt_end_drop(&near->end, peer);

    mwt_case_check_stale(near, peer);
    mwt_case_exchange(near, near->far);
    mwt_case_poll_until(&near->end, mwt_end_now(&near->end) + 5 * MWT_MS_NS);
    CU_ASSERT_PTR_NULL(near->end.first);
}

/* A connect may be dropped before its outcome. Then no event of it follows. */
static void test_drop_connecting(void)
{
    mwt_case_run(forget_nobody);
}

/* Opens a second transport at both ends; the near one connects. Returns 0 on failure. */
static mw_peer open_second(struct mwt_near *near, struct mwt_end *second)
{
    mwt_case_order(near, near->far, MWT_ORDER_SECOND, 0, 0, 0);
    CU_ASSERT_TRUE(mwt_end_flush(&near->end));
    mw_error error = mwt_end_open(second, near->end.api, near->end.environment,
                                  near->plan->near_bytes_max, -1, MW_WAIT_AUTO);
    CU_ASSERT_EQUAL(error, MW_OK);
    struct mwt_event answer = mwt_case_expect(&near->end, MWT_MESSAGE, near->far);
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
    CU_ASSERT_EQUAL(mwt_case_expect_up(second), peer);
}

static void close_second(struct mwt_near *near, struct mwt_end *second)
{
    mwt_case_order(near, near->far, MWT_ORDER_SECOND_CLOSE, 0, 0, 0);
    CU_ASSERT_TRUE(mwt_end_flush(&near->end));
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
    mwt_case_order(near, near->far, MWT_ORDER_ECHO, 50, 0, 0);
    for (uint64_t i = 0; i < 50; i++) {
        mwt_case_send(&second, peer, 3000, 15, i);
        mwt_case_send(&near->end, near->far, 2000, 16, i);
    }
    for (uint64_t i = 0; i < 50; i++) {
        mwt_case_expect_pattern(&second, peer, 3000, 15, i);
        mwt_case_expect_pattern(&near->end, near->far, 2000, 16, i);
    }

    close_second(near, &second);
    mwt_case_exchange(near, near->far);
}

/* Two transport objects in one process know nothing of each other; closing one leaves the other. */
static void test_two_transports(void)
{
    mwt_case_run(use_two);
}

static void close_connecting(struct mwt_near *near)
{
    struct mwt_end second;

    if (open_second(near, &second) != 0)
        close_second(near, &second);

    mwt_case_exchange(near, near->far);
}

/* A transport may be closed while a connect is under way. */
static void test_close_half_open(void)
{
    mwt_case_run(close_connecting);
}

static void close_with_queue(struct mwt_near *near)
{
    enum { COUNT = 100, SIZE = 5000 };
    struct mwt_end second;
    mw_peer peer = open_second(near, &second);
    if (peer == 0)
        return;
    await_second(&second, peer);

    mwt_case_order(near, near->far, MWT_ORDER_SECOND_SEND, COUNT, SIZE, 17);
    CU_ASSERT_TRUE(mwt_end_flush(&near->end));
    for (uint64_t i = 0; i < COUNT; i++)
        mwt_case_expect_pattern(&second, peer, SIZE, 17, i);

    mwt_end_close(&second);
    CU_ASSERT_EQUAL(second.faults, 0);
    mwt_case_exchange(near, near->far);
}

/* Close hands over what is queued. */
static void test_close_flushes(void)
{
    mwt_case_run(close_with_queue);
}

static void close_null(struct mwt_near *near)
{
    near->end.api->close(NULL);
    CU_ASSERT_EQUAL(near->end.api->version, MW_TRANSPORT_VERSION);
    CU_ASSERT_STRING_EQUAL(near->end.api->scheme, mwt_rig.name);
    mwt_case_exchange(near, near->far);
}

/* Closing NULL is legal. The table names its scheme and version. */
static void test_close_null(void)
{
    mwt_case_run(close_null);
}

void mwt_cases_objects(CU_pSuite suite)
{
    static const CU_TestInfo tests[] = {
        {"connect nobody", test_connect_nobody}, {"drop connecting", test_drop_connecting},
        {"two transports", test_two_transports}, {"close half open", test_close_half_open},
        {"close flushes", test_close_flushes},   {"close null", test_close_null},
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        mwt_case_add(suite, &tests[i]);
}
