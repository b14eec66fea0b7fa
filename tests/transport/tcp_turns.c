/* SPDX-License-Identifier: Apache-2.0
 *
 * The turns of tcp: fairness between peers, the number of system calls, memory and time. Counts of
 * the kernel stand in for measured times.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "raw.h"
#include "tcp_case.h"

/* A peer that does not read does not block others, and gets everything in the
 * end. */
static void test_slow_reader(void)
{
    enum { FRAMES = 16, SIZE = 1 << 20 };
    static unsigned char data[SIZE];
    struct mwt_tcp_master master;
    mw_peer slow;
    mw_peer quick;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    int slow_raw = mwt_tcp_connect_raw(&master, &slow);
    int quick_raw = mwt_tcp_connect_raw(&master, &quick);
    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, slow, data, SIZE), MW_OK);

    for (int i = 0; i < 100; i++)
        mwt_end_poll(&master.end, 0);
    CU_ASSERT_TRUE(mwt_raw_write_frame(quick_raw, "hello", 5));
    struct mwt_event message = mwt_tcp_expect(&master.end, MWT_MESSAGE);
    CU_ASSERT_EQUAL(message.peer, quick);
    mwt_event_clear(&message);
    CU_ASSERT_TRUE(mwt_tcp_wait_idly(&master.end, 100 * MWT_TCP_MS_NS) < 80 * MWT_TCP_MS_NS);

    size_t all = (size_t)FRAMES * (SIZE + 4);
    for (size_t got = 0; got < all;) {
        long size = mwt_raw_read_now(slow_raw, data, sizeof data);
        CU_ASSERT_TRUE_FATAL(size > 0 || errno == EAGAIN);
        got += size > 0 ? (size_t)size : 0;
        mwt_end_poll(&master.end, 0);
    }
    close(slow_raw);
    close(quick_raw);
    mwt_tcp_close(&master.end);
}

/* Two peers that send as much as they can are both heard in one poll, which ends. */
static void test_busy_peers(void)
{
    enum { FRAMES = 1000, SIZE = 1000 };
    unsigned char data[SIZE] = {0};
    struct mwt_tcp_master master;
    mw_peer peers[2];
    int raws[2];
    size_t heard[2] = {0, 0};
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    for (int i = 0; i < 2; i++)
        raws[i] = mwt_tcp_connect_raw(&master, &peers[i]);
    for (int i = 0; i < 2 * FRAMES; i++)
        CU_ASSERT_TRUE(mwt_raw_write_frame(raws[i % 2], data, SIZE));

    mwt_end_poll(&master.end, mwt_end_now(&master.end) + MWT_PATIENCE_NS);
    size_t first_turn = 0;
    for (struct mwt_event *one = master.end.first; one != NULL; one = one->next) {
        heard[one->peer == peers[0] ? 0 : 1]++;
        first_turn++;
    }

    CU_ASSERT_TRUE(heard[0] > 0);
    CU_ASSERT_TRUE(heard[1] > 0);
    CU_ASSERT_TRUE(first_turn < 2 * FRAMES);
    for (int i = 0; i < 2 * FRAMES; i++) {
        struct mwt_event message = mwt_tcp_expect(&master.end, MWT_MESSAGE);
        mwt_event_clear(&message);
    }
    close(raws[0]);
    close(raws[1]);
    mwt_tcp_close(&master.end);
}

/* All frames that are queued for a peer between two polls go out in one call, that is in one
 * segment. */
static void test_one_segment(void)
{
    enum { FRAMES = 100, SIZE = 60 };
    unsigned char data[FRAMES * (SIZE + 4) + 1] = {0};
    struct mwt_tcp_master master;
    mw_peer peer;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    int raw = mwt_tcp_connect_raw(&master, &peer);

    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, data, SIZE), MW_OK);
    CU_ASSERT_EQUAL(mwt_raw_segments(raw), 0);
    mwt_end_poll(&master.end, 0);

    CU_ASSERT_EQUAL(mwt_raw_read(raw, data, sizeof data), FRAMES * (SIZE + 4));
    CU_ASSERT_EQUAL(mwt_raw_segments(raw), 1);
    close(raw);
    mwt_tcp_close(&master.end);
}

static bool send_now(struct mwt_tcp_master *master, mw_peer peer, const char *text)
{
    char *frame = strdup(text);
    bool is_sent = master->end.api->send_now(master->end.transport, peer, frame, strlen(text));
    if (!is_sent)
        free(frame);
    return is_sent;
}

/* A frame that a signal handler sends arrives before the next poll, behind the frames that were
 * queued. Nothing is sent twice, and an unknown peer gets nothing. */
static void test_send_now(void)
{
    static const char expected[] = "\0\0\0\1a\0\0\0\3now";
    char data[64];
    struct mwt_tcp_master master;
    mw_peer peer;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    int raw = mwt_tcp_connect_raw(&master, &peer);
    CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, "a", 1), MW_OK);

    CU_ASSERT_FALSE(send_now(&master, peer + 1, "now"));
    CU_ASSERT_TRUE(send_now(&master, peer, "now"));

    CU_ASSERT_EQUAL(mwt_raw_read(raw, data, sizeof expected - 1), (long)sizeof expected - 1);
    CU_ASSERT_EQUAL(memcmp(data, expected, sizeof expected - 1), 0);
    CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, "b", 1), MW_OK);
    mwt_end_poll(&master.end, 0);
    CU_ASSERT_EQUAL(mwt_raw_read(raw, data, 5), 5);
    CU_ASSERT_EQUAL(memcmp(data, "\0\0\0\1b", 5), 0);
    close(raw);
    mwt_tcp_close(&master.end);
}

/* If the network takes only a part of the queue, the rest follows in order. */
static void test_send_now_to_a_slow_reader(void)
{
    enum { FRAMES = 16, SIZE = 1 << 20 };
    static unsigned char data[SIZE];
    struct mwt_tcp_master master;
    mw_peer peer;
    size_t all = (size_t)FRAMES * (SIZE + 4) + 7, got = 0;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    int raw = mwt_tcp_connect_raw(&master, &peer);
    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, data, SIZE), MW_OK);

    CU_ASSERT_FALSE(send_now(&master, peer, "now"));
    CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, data, SIZE), MW_OK);
    CU_ASSERT_TRUE(send_now(&master, peer, "now"));

    for (all += SIZE + 4; got < all;) {
        long size = mwt_raw_read_now(raw, data, sizeof data);
        CU_ASSERT_TRUE_FATAL(size > 0 || errno == EAGAIN);
        got += size > 0 ? (size_t)size : 0;
        if (got == all)
            CU_ASSERT_TRUE(size >= 3 && memcmp(data + size - 3, "now", 3) == 0);
        mwt_end_poll(&master.end, 0);
    }
    close(raw);
    mwt_tcp_close(&master.end);
}

/* All frames that have come from a peer are reported in one turn, from one call. */
static void test_one_turn(void)
{
    enum { FRAMES = 500 };
    unsigned char data[FRAMES * 9] = {0};
    struct mwt_tcp_master master;
    mw_peer peer;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    int raw = mwt_tcp_connect_raw(&master, &peer);
    size_t before = master.end.events_count;
    for (int i = 0; i < FRAMES; i++)
        memcpy(data + 9 * i, "\0\0\0\5hello", 9);
    CU_ASSERT_TRUE(mwt_raw_write(raw, data, sizeof data));

    mwt_end_poll(&master.end, mwt_end_now(&master.end) + MWT_PATIENCE_NS);

    CU_ASSERT_EQUAL(master.end.events_count, before + FRAMES);
    close(raw);
    mwt_tcp_close(&master.end);
}

/* A large frame is reported in a block of its own. */
static void test_large_frame_is_a_block(void)
{
    static unsigned char data[1 << 20];
    struct mwt_tcp_master master;
    mw_peer peer;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    int raw = mwt_tcp_connect_raw(&master, &peer);
    CU_ASSERT_TRUE(mwt_raw_write_header(raw, sizeof data));

    for (size_t at = 0; at < sizeof data; at += sizeof data / 16) {
        CU_ASSERT_TRUE(mwt_raw_write(raw, data + at, sizeof data / 16));
        mwt_end_poll(&master.end, 0);
    }

    struct mwt_event message = mwt_tcp_expect(&master.end, MWT_MESSAGE);
    CU_ASSERT_EQUAL(message.size, sizeof data);
    CU_ASSERT_TRUE(message.was_block);
    mwt_event_clear(&message);
    close(raw);
    mwt_tcp_close(&master.end);
}

/* While a large frame arrives from one peer, all frames of another peer come before it. */
static void test_large_frame_leaves_others_their_turn(void)
{
    enum { FRAMES = 5 };
    const size_t size = MWT_TCP_LIMIT_BYTES;
    struct mwt_tcp_master master;
    struct mwt_end large, small;
    struct mwt_event event;
    unsigned char *frame = calloc(1, size);
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    mwt_tcp_open(&large);
    mwt_tcp_open(&small);
    mw_peer from_large = mwt_end_connect(&large, master.address);
    event = mwt_tcp_take_between(&large, &master.end);
    mwt_event_clear(&event);
    mw_peer at_large = mwt_tcp_expect_up(&master.end);
    mw_peer from_small = mwt_end_connect(&small, master.address);
    event = mwt_tcp_take_between(&small, &master.end);
    mwt_event_clear(&event);
    mw_peer at_small = mwt_tcp_expect_up(&master.end);

    CU_ASSERT_EQUAL(mwi_tcp_transport.send(large.transport, from_large, frame, size, NULL), MW_OK);
    mwt_end_poll(&large, 0);
    mwt_end_poll(&master.end, 0);
    for (int i = 0; i < FRAMES; i++) {
        mwt_tcp_exchange(&small, from_small, &master.end);
        mwt_end_poll(&large, 0);
    }

    event = mwt_tcp_take_between(&master.end, &large);
    CU_ASSERT_TRUE(event.kind == MWT_MESSAGE && event.peer == at_large && event.size == size);
    mwt_event_clear(&event);
    CU_ASSERT_NOT_EQUAL(at_small, at_large);
    mwt_tcp_close(&large);
    mwt_tcp_close(&small);
    mwt_tcp_close(&master.end);
}

/* Waits below a millisecond neither spin nor take a whole millisecond. */
static void test_exact_deadline(void)
{
    enum { WAIT_NS = 300 * 1000 };
    struct mwt_tcp_master master;
    int64_t least_late = INT64_MAX;
    mwt_tcp_open_master(&master, "127.0.0.1:0");

    for (int i = 0; i < 50; i++) {
        int64_t deadline = mwt_end_now(&master.end) + WAIT_NS;
        mwt_end_poll(&master.end, deadline);
        int64_t late = mwt_end_now(&master.end) - deadline;
        CU_ASSERT_TRUE(late >= 0);
        least_late = late < least_late ? late : least_late;
    }

    CU_ASSERT_TRUE(least_late < WAIT_NS);
    CU_ASSERT_TRUE(mwt_tcp_wait_idly(&master.end, 100 * MWT_TCP_MS_NS) < 80 * MWT_TCP_MS_NS);
    mwt_tcp_close(&master.end);
}

/* Whether a caller that waits for the transport's descriptor is woken, at once or within a
 * moment. */
static bool is_readable(struct mwt_tcp_master *master, int timeout_ms)
{
    struct pollfd fd = {.fd = mwi_tcp_transport.fd(master->end.transport), .events = POLLIN};
    CU_ASSERT_TRUE(fd.fd >= 0);
    return poll(&fd, 1, timeout_ms) == 1;
}

/* The descriptor becomes readable for a new peer, a frame, room for more, and an end, also for
 * peers that came before it was asked for; and not otherwise. */
static void test_descriptor(void)
{
    enum { FOREVER_MS = 60000, SIZE = 1 << 20, FRAMES = 16 };
    static unsigned char data[SIZE];
    struct mwt_tcp_master master;
    mw_peer peers[2];
    int raws[2];
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    raws[0] = mwt_tcp_connect_raw(&master, &peers[0]);
    CU_ASSERT_FALSE(is_readable(&master, 0));

    raws[1] = mwt_raw_connect(master.address);
    CU_ASSERT_TRUE(is_readable(&master, FOREVER_MS));
    peers[1] = mwt_tcp_expect_up(&master.end);
    CU_ASSERT_FALSE(is_readable(&master, 0));
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_TRUE(mwt_raw_write_frame(raws[i], "hello", 5));
        CU_ASSERT_TRUE(is_readable(&master, FOREVER_MS));
        struct mwt_event message = mwt_tcp_expect(&master.end, MWT_MESSAGE);
        mwt_event_clear(&message);
        CU_ASSERT_FALSE(is_readable(&master, 0));
    }

    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, peers[0], data, SIZE), MW_OK);
    mwt_end_poll(&master.end, 0);
    for (size_t got = 0; got < (size_t)FRAMES * (SIZE + 4);) {
        /* The peer reads all that has come; then only the descriptor can bring more. */
        struct pollfd fds[2] = {
            {.fd = raws[0], .events = POLLIN},
            {.fd = mwi_tcp_transport.fd(master.end.transport), .events = POLLIN}};
        CU_ASSERT_TRUE_FATAL(poll(fds, 2, FOREVER_MS) > 0);
        if (fds[0].revents == 0) {
            mwt_end_poll(&master.end, 0);
            continue;
        }
        long size = mwt_raw_read_now(raws[0], data, sizeof data);
        CU_ASSERT_TRUE_FATAL(size > 0);
        got += (size_t)size;
    }
    mwt_end_poll(&master.end, 0);
    CU_ASSERT_FALSE(is_readable(&master, 0));

    close(raws[0]);
    CU_ASSERT_TRUE(is_readable(&master, FOREVER_MS));
    mwt_tcp_expect_down(&master.end, "");
    CU_ASSERT_FALSE(is_readable(&master, 0));
    close(raws[1]);
    mwt_tcp_close(&master.end);
}

/* Nonsense in the configuration is refused at open. */
static void test_bad_config(void)
{
    struct mwt_end end;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    CU_ASSERT_EQUAL(mwt_end_open(&end, &mwi_tcp_transport, NULL, (size_t)MW_FRAME_BYTES_MAX + 1, -1,
                                 MW_WAIT_AUTO),
                    MW_EINVAL);
    CU_ASSERT_NOT_EQUAL(end.why.text[0], '\0');
    CU_ASSERT_EQUAL(
        mwt_end_open(&end, &mwi_tcp_transport, NULL, MWT_TCP_LIMIT_BYTES, file, MW_WAIT_AUTO),
        MW_EINVAL);
    CU_ASSERT_NOT_EQUAL(end.why.text[0], '\0');

    close(file);
}

void mwt_tcp_turns(CU_pSuite suite)
{
    static const CU_TestInfo tests[] = {
        {"slow reader", test_slow_reader},
        {"busy peers", test_busy_peers},
        {"one segment", test_one_segment},
        {"send now", test_send_now},
        {"send now to a slow reader", test_send_now_to_a_slow_reader},
        {"one turn", test_one_turn},
        {"large frame is a block", test_large_frame_is_a_block},
        {"large frame leaves others their turn", test_large_frame_leaves_others_their_turn},
        {"exact deadline", test_exact_deadline},
        {"descriptor", test_descriptor},
        {"bad config", test_bad_config},
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        mwt_tcp_add(suite, &tests[i]);
}
