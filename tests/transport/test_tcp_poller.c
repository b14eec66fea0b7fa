/* SPDX-License-Identifier: Apache-2.0
 *
 * The poller of the tcp transport: each of its ways to wait hears the same, and one that hears
 * nothing waits for as long as it was told.
 */
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "base/clock.h"
#include "mwt_run.h"
#include "poller.h"

#define MS INT64_C(1000000)

/* A pipe that a poller waits for, and how often its turns found it readable. */
struct ear {
    struct mwi_tcp_poller poller;
    struct mwi_tcp_awaited awaited;
    int fds[2];
    int heard_count;
};

static void hear(void *context, uint32_t events)
{
    struct ear *ear = context;
    char byte;
    CU_ASSERT((events & EPOLLIN) != 0);
    CU_ASSERT_EQUAL(read(ear->awaited.fd, &byte, 1), 1);
    ear->heard_count++;
}

static void open_ear(struct ear *ear)
{
    memset(ear, 0, sizeof *ear);
    CU_ASSERT_EQUAL_FATAL(pipe(ear->fds), 0);
    CU_ASSERT_EQUAL_FATAL(mwi_tcp_poller_open(&ear->poller), MW_OK);
    ear->awaited = (struct mwi_tcp_awaited){.fd = ear->fds[0], .ready = hear, .context = ear};
    CU_ASSERT_TRUE_FATAL(mwi_tcp_set_change(&ear->poller.set, &ear->awaited, EPOLLIN));
}

static void close_ear(struct ear *ear)
{
    mwi_tcp_poller_close(&ear->poller);
    close(ear->fds[0]);
    close(ear->fds[1]);
}

/* A turn hears what is there, and nothing that was taken out; one that hears nothing waits for as
 * long as it was told. */
static void check_turns(struct ear *ear)
{
    ear->heard_count = 0;
    CU_ASSERT_EQUAL(write(ear->fds[1], "xy", 2), 2);
    CU_ASSERT_TRUE(mwi_tcp_poller_turn(&ear->poller, INT64_MAX));
    CU_ASSERT_TRUE(mwi_tcp_poller_turn(&ear->poller, 0));
    CU_ASSERT_EQUAL(ear->heard_count, 2);

    int64_t began_ns = mwi_clock_monotonic_ns();
    CU_ASSERT_TRUE(mwi_tcp_poller_turn(&ear->poller, 2 * MS));
    CU_ASSERT(mwi_clock_monotonic_ns() - began_ns >= 2 * MS);
    CU_ASSERT_EQUAL(ear->heard_count, 2);

    CU_ASSERT_EQUAL(write(ear->fds[1], "z", 1), 1);
    CU_ASSERT_TRUE(mwi_tcp_set_change(&ear->poller.set, &ear->awaited, 0));
    CU_ASSERT_TRUE(mwi_tcp_poller_turn(&ear->poller, 0));
    CU_ASSERT_EQUAL(ear->heard_count, 2);
    CU_ASSERT_TRUE(mwi_tcp_set_change(&ear->poller.set, &ear->awaited, EPOLLIN));
    CU_ASSERT_TRUE(mwi_tcp_poller_turn(&ear->poller, 1000 * MS));
    CU_ASSERT_EQUAL(ear->heard_count, 3);
}

static void ignore_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

/* The three ways to wait hear the same: with the newest call of the kernel, with older ones, and in
 * libevent's loop while that waits for something else. */
static void test_poller_ways(void)
{
    struct ear ear;
    const struct timeval later = {.tv_sec = 1000};
    open_ear(&ear);
    check_turns(&ear);

    ear.poller.set.has_no_pwait2 = true;
    check_turns(&ear);

    struct event *event = evtimer_new(ear.poller.base, ignore_event, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL_FATAL(event_add(event, &later), 0);
    check_turns(&ear);
    event_free(event);

    close_ear(&ear);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"ways to wait", test_poller_ways},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("tcp poller", tests);
}
