/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps that the tests of tcp share: transports and plain sockets in one thread, which poll in
 * turn until an event comes.
 */
#include "tcp_case.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "raw.h"

void mwt_tcp_add(CU_pSuite suite, const CU_TestInfo *test)
{
    if (CU_add_test(suite, test->pName, test->pTestFunc) == NULL)
        CU_set_error(CUE_NOMEMORY);
}

void mwt_tcp_open(struct mwt_end *end)
{
    static mw_tcp_environment plain;
    CU_ASSERT_EQUAL_FATAL(
        mwt_end_open(end, &mwi_tcp_transport, &plain, MWT_TCP_LIMIT_BYTES, -1, MW_WAIT_AUTO),
        MW_OK);
}

void mwt_tcp_open_master(struct mwt_tcp_master *master, const char *address)
{
    mwt_tcp_open(&master->end);
    CU_ASSERT_EQUAL_FATAL(mwi_tcp_transport.listen(master->end.transport, address, master->address,
                                                   sizeof master->address, &master->end.why),
                          MW_OK);
}

void mwt_tcp_close(struct mwt_end *end)
{
    mwt_end_close(end);
    CU_ASSERT_EQUAL(end->faults, 0);
    if (end->faults > 0)
        fprintf(stderr, "%s\n", end->fault);
}

struct mwt_event mwt_tcp_expect(struct mwt_end *end, enum mwt_event_kind kind)
{
    struct mwt_event event = mwt_end_take(end);
    CU_ASSERT_EQUAL(event.kind, kind);
    return event;
}

void mwt_tcp_expect_down(struct mwt_end *end, const char *words)
{
    struct mwt_event down = mwt_tcp_expect(end, MWT_DOWN);
    CU_ASSERT_PTR_NOT_NULL(strstr(down.text, words));
    if (strstr(down.text, words) == NULL)
        fprintf(stderr, "down says \"%s\"\n", down.text);
    mwt_event_clear(&down);
}

mw_peer mwt_tcp_expect_up(struct mwt_end *end)
{
    struct mwt_event up = mwt_tcp_expect(end, MWT_UP);
    return up.peer;
}

int mwt_tcp_connect_raw(struct mwt_tcp_master *master, mw_peer *peer)
{
    int fd = mwt_raw_connect(master->address);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    *peer = mwt_tcp_expect_up(&master->end);
    return fd;
}

struct mwt_event mwt_tcp_take_between(struct mwt_end *end, struct mwt_end *other)
{
    int64_t deadline = mwt_end_now(end) + MWT_PATIENCE_NS;

    while (end->first == NULL && mwt_end_now(end) < deadline) {
        mwt_end_poll(other, 0);
        mwt_end_poll(end, mwt_end_now(end) + MWT_TCP_MS_NS);
    }
    return mwt_end_take(end);
}

void mwt_tcp_exchange(struct mwt_end *from, mw_peer peer, struct mwt_end *to)
{
    CU_ASSERT_EQUAL(mwt_end_send(from, peer, "hello", 5), MW_OK);
    struct mwt_event event = mwt_tcp_take_between(to, from);
    CU_ASSERT_EQUAL(event.kind, MWT_MESSAGE);
    CU_ASSERT_EQUAL(event.size, 5);
    mwt_event_clear(&event);
}

void mwt_tcp_check_reachable(struct mwt_tcp_master *master, const char *address)
{
    struct mwt_end slave;
    mwt_tcp_open(&slave);

    mw_peer peer = mwt_end_connect(&slave, address);
    struct mwt_event up = mwt_tcp_take_between(&slave, &master->end);
    CU_ASSERT_EQUAL(up.kind, MWT_UP);
    CU_ASSERT_EQUAL(up.peer, peer);
    mw_peer back = mwt_tcp_expect_up(&master->end);
    if (up.kind == MWT_UP) {
        mwt_tcp_exchange(&slave, peer, &master->end);
        mwt_tcp_exchange(&master->end, back, &slave);
    }

    mwt_tcp_close(&slave);
    mwt_tcp_expect_down(&master->end, "closed by the peer");
}

bool mwt_tcp_has_ipv6(void)
{
    struct mwt_end end;
    char bound[256];

    mwt_tcp_open(&end);
    mw_error error =
        mwi_tcp_transport.listen(end.transport, "[::1]:0", bound, sizeof bound, &end.why);
    mwt_tcp_close(&end);
    if (error != MW_OK)
        fprintf(stderr, "SKIPPED, no IPv6 on this machine: %s\n", end.why.text);
    return error == MW_OK;
}

static int64_t processor_time_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 * MWT_TCP_MS_NS + used.tv_nsec;
}

int64_t mwt_tcp_wait_idly(struct mwt_end *end, int64_t duration_ns)
{
    int64_t before = processor_time_ns();
    int64_t deadline = mwt_end_now(end) + duration_ns;

    while (mwt_end_now(end) < deadline)
        mwt_end_poll(end, deadline);
    return processor_time_ns() - before;
}
