/* SPDX-License-Identifier: Apache-2.0
 *
 * Attacks of strangers on tcp, and the goodbyes of a transport: a drop or close must neither lose
 * frames nor wait for ever.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mwt_heap.h"
#include "raw.h"
#include "tcp_case.h"

/* Random bytes, and the bytes 00 01 00, do no harm to other peers. */
static void test_garbage(void)
{
    struct mwt_tcp_master master;
    unsigned char noise[10000];
    mw_peer good;
    mw_peer bad;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    int friend = mwt_tcp_connect_raw(&master, &good);
    mwt_pattern_fill(noise, sizeof noise, 1, 1);
    noise[0] = 0xff;

    int stranger = mwt_tcp_connect_raw(&master, &bad);
    CU_ASSERT_TRUE(mwt_raw_write(stranger, noise, sizeof noise));
    mwt_tcp_expect_down(&master.end, "is over the limit of 67108864");
    close(stranger);

    stranger = mwt_tcp_connect_raw(&master, &bad);
    CU_ASSERT_TRUE(mwt_raw_write(stranger, "\0\1\0", 3));
    mwt_end_poll(&master.end, 0);
    close(stranger);
    mwt_tcp_expect_down(&master.end, "closed by the peer in the middle of a frame");

    CU_ASSERT_TRUE(mwt_raw_write_frame(friend, "hello", 5));
    struct mwt_event message = mwt_tcp_expect(&master.end, MWT_MESSAGE);
    CU_ASSERT_EQUAL(message.peer, good);
    mwt_event_clear(&message);
    close(friend);
    mwt_tcp_close(&master.end);
}

/* Announcing a large frame costs the receiver little memory. */
static void test_announced_memory(void)
{
    enum { STRANGERS = 20 };
    struct mwt_tcp_master master;
    int raws[STRANGERS];
    mw_peer peer;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    size_t before = mwt_heap_bytes();

    for (int i = 0; i < STRANGERS; i++) {
        raws[i] = mwt_tcp_connect_raw(&master, &peer);
        CU_ASSERT_TRUE(mwt_raw_write_header(raws[i], MWT_TCP_LIMIT_BYTES));
        CU_ASSERT_TRUE(mwt_raw_write(raws[i], "begin", 5));
        mwt_end_poll(&master.end, 0);
        mwt_end_poll(&master.end, 0);
    }

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + STRANGERS * 100 * 1024);
    for (int i = 0; i < STRANGERS; i++)
        close(raws[i]);
    mwt_tcp_close(&master.end);
}

/* An idle connection costs a few hundred bytes, after it has been used too. */
static void test_idle_memory(void)
{
    enum { PEERS = 300 };
    struct mwt_tcp_master master;
    mw_peer peers[PEERS];
    int raws[PEERS];
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    size_t before = mwt_heap_bytes();

    for (int i = 0; i < PEERS; i++) {
        raws[i] = mwt_tcp_connect_raw(&master, &peers[i]);
        CU_ASSERT_TRUE(mwt_raw_write_frame(raws[i], "hello", 5));
        struct mwt_event message = mwt_tcp_expect(&master.end, MWT_MESSAGE);
        mwt_event_clear(&message);
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, peers[i], "hello", 5), MW_OK);
    }
    mwt_end_poll(&master.end, 0);

    size_t used = mwt_heap_bytes() - before;
    CU_ASSERT_TRUE(mwt_heap_bytes() < before + PEERS * 1000);
    printf("(%zu bytes a peer) ", used / PEERS);
    for (int i = 0; i < PEERS; i++)
        close(raws[i]);
    mwt_tcp_close(&master.end);
}

/* A reset is reported as a down, with the kernel's words. */
static void test_reset(void)
{
    struct mwt_tcp_master master;
    mw_peer peer;
    mwt_tcp_open_master(&master, "127.0.0.1:0");

    int raw = mwt_tcp_connect_raw(&master, &peer);
    mwt_raw_reset(raw);

    mwt_tcp_expect_down(&master.end, "Connection reset by peer");
    mwt_tcp_close(&master.end);
}

/* Frames that came before the other end went away are reported, even if writing to it fails. */
static void test_frames_before_a_reset(void)
{
    enum { FRAMES = 3 };
    struct mwt_tcp_master master;
    mw_peer peer;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    int raw = mwt_tcp_connect_raw(&master, &peer);
    CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, "unread", 6), MW_OK);
    mwt_end_poll(&master.end, 0);
    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_TRUE(mwt_raw_write_frame(raw, "hello", 5));
    close(raw); /* with something unread: a reset */

    CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, "in vain", 7), MW_OK);

    for (int i = 0; i < FRAMES; i++) {
        struct mwt_event message = mwt_tcp_expect(&master.end, MWT_MESSAGE);
        mwt_event_clear(&message);
    }
    mwt_tcp_expect_down(&master.end, "");
    mwt_tcp_close(&master.end);
}

/* A frame that was sent right before a drop arrives at a peer that is still sending itself. The
 * peer sees an end, not a reset. */
static void test_refusal_arrives(void)
{
    enum { JUNK = 200000 };
    static unsigned char junk[JUNK];
    unsigned char got[64];
    struct mwt_tcp_master master;
    mw_peer peer;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    int raw = mwt_tcp_connect_raw(&master, &peer);
    CU_ASSERT_TRUE(mwt_raw_write_frame(raw, junk, sizeof junk));

    CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, "refused", 7), MW_OK);
    mwt_end_drop(&master.end, peer);
    CU_ASSERT_TRUE(mwt_raw_write_frame(raw, junk, sizeof junk));
    for (int i = 0; i < 10; i++)
        mwt_end_poll(&master.end, 0);

    CU_ASSERT_EQUAL(mwt_raw_read(raw, got, sizeof got), 11);
    CU_ASSERT_EQUAL(memcmp(got, "\0\0\0\7refused", 11), 0);
    CU_ASSERT_EQUAL(mwt_raw_read(raw, got, sizeof got), 0);
    close(raw);
    CU_ASSERT_PTR_NULL(master.end.first);
    mwt_tcp_close(&master.end);
}

struct reader {
    int fd;
    size_t got;
};

static void *read_all(void *context)
{
    static unsigned char data[1 << 16];
    struct reader *reader = context;

    for (ssize_t size = 1; size > 0; reader->got += size > 0 ? (size_t)size : 0)
        size = recv(reader->fd, data, sizeof data, 0);
    return NULL;
}

/* Close still hands over the bytes that a reading peer has not read yet. */
static void test_close_hands_over(void)
{
    enum { FRAMES = 32, SIZE = 1 << 20 };
    static unsigned char data[SIZE];
    struct mwt_tcp_master master;
    struct reader reader = {0};
    pthread_t thread;
    mw_peer peer;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    reader.fd = mwt_tcp_connect_raw(&master, &peer);
    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, data, SIZE), MW_OK);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, read_all, &reader), 0);

    mwt_tcp_close(&master.end);

    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(reader.got, (size_t)FRAMES * (SIZE + 4));
    close(reader.fd);
}

/* Close waits a second and no longer for a peer that does not read. */
static void test_close_gives_up(void)
{
    enum { FRAMES = 32, SIZE = 1 << 20 };
    static unsigned char data[SIZE];
    struct mwt_tcp_master master;
    struct mwt_end clock;
    mw_peer peer;
    mwt_tcp_open(&clock);
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    int raw = mwt_tcp_connect_raw(&master, &peer);
    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, data, SIZE), MW_OK);
    int64_t begin = mwt_end_now(&clock);

    mwt_tcp_close(&master.end);

    CU_ASSERT_TRUE(mwt_end_now(&clock) - begin < 10000 * MWT_TCP_MS_NS);
    close(raw);
    mwt_tcp_close(&clock);
}

void mwt_tcp_strangers(CU_pSuite suite)
{
    static const CU_TestInfo tests[] = {
        {"garbage", test_garbage},
        {"announced memory", test_announced_memory},
        {"idle memory", test_idle_memory},
        {"reset", test_reset},
        {"frames before a reset", test_frames_before_a_reset},
        {"refusal arrives", test_refusal_arrives},
        {"close hands over", test_close_hands_over},
        {"close gives up", test_close_gives_up},
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        mwt_tcp_add(suite, &tests[i]);
}
