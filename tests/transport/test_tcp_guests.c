/* SPDX-License-Identifier: Apache-2.0
 *
 * The account of the porch, who must leave it, and what the farm is told: these need to see the
 * fields of a hub. test_tcp_porch.c has the limits as a transport's user sees them.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conn.h"
#include "conn_guest.h"
#include "conn_send.h"
#include "conn_turn.h"
#include "ending.h"
#include "listener.h"
#include "mwt_run.h"
#include "porch.h"
#include "raw.h"
#include "share.h"
#include "socket.h"
#include "tcp_case.h"
#include "tcp_keys.h"
#include "watch.h"

#define S_NS (1000 * MWT_TCP_MS_NS)
#define HELLO "hello"

/* Strangers are served whenever they may be, each time for `cost_ns`; returns the time that they
 * got in `duration_ns`. */
static int64_t spend_all(int64_t cost_ns, int64_t duration_ns, bool is_farm_idle)
{
    struct mwi_tcp_share share = {0};
    int64_t spent_ns = 0;
    int64_t now_ns = 1000 * S_NS;
    int64_t end_ns = now_ns + duration_ns;
    while (now_ns < end_ns) {
        int64_t pause_ns = is_farm_idle ? 0 : mwi_tcp_share_pause_ns(&share, now_ns);
        now_ns += pause_ns;
        if (pause_ns > 0)
            continue;
        now_ns += cost_ns;
        spent_ns += cost_ns;
        mwi_tcp_share_spend(&share, now_ns, cost_ns, is_farm_idle);
    }
    return spent_ns;
}

/* Strangers have a twentieth of a busy farm's time, and a little at once; of an idle one's, all. */
static void test_share(void)
{
    static const int64_t costs_ns[] = {1000, 10 * 1000, 300 * 1000, 5 * 1000 * 1000};
    for (size_t i = 0; i < sizeof costs_ns / sizeof costs_ns[0]; i++) {
        int64_t most_ns = S_NS / 2 + MWI_TCP_SHARE_BURST_NS + costs_ns[i];
        int64_t spent_ns = spend_all(costs_ns[i], 10 * S_NS, false);
        CU_ASSERT_TRUE(spent_ns <= most_ns && spent_ns > most_ns * 9 / 10);
        CU_ASSERT_TRUE(spend_all(costs_ns[i], S_NS, true) >= S_NS);
    }
}

/* The time of an idle farm is not owed, and that of peers who were let in is given back. */
static void test_share_forgives(void)
{
    struct mwi_tcp_share share = {0};
    int64_t now_ns = 5 * S_NS;

    mwi_tcp_share_spend(&share, now_ns, 3 * S_NS, true);
    CU_ASSERT_EQUAL(mwi_tcp_share_pause_ns(&share, now_ns), 0);
    mwi_tcp_share_spend(&share, now_ns, MWT_TCP_MS_NS, false);
    CU_ASSERT_EQUAL(mwi_tcp_share_pause_ns(&share, now_ns), 30 * MWT_TCP_MS_NS);
    mwi_tcp_share_give_back(&share, MWT_TCP_MS_NS);
    CU_ASSERT_EQUAL(mwi_tcp_share_pause_ns(&share, now_ns), 0);
}

/* A hub with a listener, without the functions of a transport, so that its fields can be seen. */
struct open_hub {
    struct mwi_tcp_hub hub;
    struct mwi_tcp_porch porch;
    struct mwi_tcp_listeners listeners;
    char address[256];
    mw_tcp_environment plain;
    mw_peer friend; /* the peer that was admitted */
    int frames_count;
    char reason[256];
    size_t strangers_count;
    char stranger[64];
};

static void hub_up(void *context, mw_peer peer, const char *name)
{
    (void)context;
    (void)peer;
    (void)name;
}

static void hub_message(void *context, mw_peer peer, mw_frame *frame)
{
    struct open_hub *open = context;
    struct mwi_tcp_conn *conn = mwi_map_get(&open->hub.peers, peer);
    if (frame->size != 5)
        return;
    open->friend = peer;
    open->frames_count++;
    mwi_tcp_conn_guest_admit(conn);
    CU_ASSERT_EQUAL(mwi_tcp_conn_send(conn, calloc(1, 7), 7, NULL), MW_OK);
}

static void hub_down(void *context, mw_peer peer, const char *reason)
{
    struct open_hub *open = context;
    if (peer == open->friend)
        snprintf(open->reason, sizeof open->reason, "%s", reason);
}

static void hub_stranger(void *context, const char *name, const char *reason)
{
    struct open_hub *open = context;
    open->strangers_count++;
    snprintf(open->stranger, sizeof open->stranger, "%s: %s", name, reason);
}

static const mw_transport_events hub_events = {hub_up, hub_message, hub_down, hub_stranger};

static void open_hub_with(struct open_hub *open, mw_tcp_environment *environment)
{
    struct mwi_tcp_address address;
    mw_reason why;
    int fd;
    memset(open, 0, sizeof *open);
    const mw_transport_config config = {.events = &hub_events,
                                        .context = open,
                                        .frame_bytes_max = MWT_TCP_LIMIT_BYTES,
                                        .wake_fd = -1,
                                        .environment = environment};
    CU_ASSERT_EQUAL_FATAL(mwi_tcp_hub_open(&open->hub, &config), MW_OK);
    CU_ASSERT_TRUE_FATAL(mwi_tcp_porch_open(&open->porch, &open->hub));
    open->hub.porch = &open->porch;
    open->listeners.hub = &open->hub;
    CU_ASSERT_EQUAL(mwi_tcp_address_parse("127.0.0.1:0", &address, &why), MW_OK);
    CU_ASSERT_EQUAL_FATAL(
        mwi_tcp_socket_listen(&address, &fd, open->address, sizeof open->address, &why), MW_OK);
    CU_ASSERT_EQUAL_FATAL(mwi_tcp_listeners_add(&open->listeners, fd), MW_OK);
}

static void open_hub(struct open_hub *open)
{
    open_hub_with(open, &open->plain);
}

static void turn_hub(struct open_hub *open)
{
    CU_ASSERT_TRUE(mwi_tcp_conn_turn(&open->hub, MWT_TCP_MS_NS));
    mwi_tcp_conn_send_dirty(&open->hub);
    mwi_tcp_conn_free_dead(&open->hub);
}

static void close_hub(struct open_hub *open)
{
    mwi_tcp_listeners_clear(&open->listeners);
    mwi_tcp_ending_run(&open->hub);
    mwi_tcp_porch_close(&open->porch);
    mwi_tcp_hub_close(&open->hub);
}

/* Sends a hello, and waits until the hub has it. */
static void say_hello(struct open_hub *open, int fd)
{
    int before = open->frames_count;
    CU_ASSERT_TRUE(mwt_raw_write_frame(fd, HELLO, 5));
    while (open->frames_count == before)
        turn_hub(open);
}

/* An admitted peer whose frame trickles in goes down with a reason; one that leaves half a frame
 * does not, nor one whose master was away. */
static void test_trickle(void)
{
    enum { LOOKS = 7 + 4096 / 5 };
    struct open_hub open;
    open_hub(&open);
    int fd = mwt_raw_connect(open.address);
    say_hello(&open, fd);
    CU_ASSERT_TRUE(mwt_raw_write_header(fd, MWT_TCP_LIMIT_BYTES));

    int looks_count = 0;
    for (; open.reason[0] == '\0' && looks_count < 2 * LOOKS; looks_count++) {
        CU_ASSERT_TRUE(mwt_raw_write(fd, "x", 1));
        turn_hub(&open);
        for (int i = 0; i < 10; i++)
            mwi_tcp_watch_look(&open.hub, i < 9);
        for (int i = 0; i < 10; i++)
            mwi_tcp_watch_look(&open.hub, false);
        turn_hub(&open);
    }

    /* On a busy machine a byte may miss its turn. */
    CU_ASSERT_TRUE(looks_count >= LOOKS && looks_count < 2 * LOOKS);
    CU_ASSERT_STRING_EQUAL(open.reason, "a frame came too slowly");
    close(fd);
    close_hub(&open);
}

/* A thread that connects again and again, and says something wrong. */
struct flood {
    const char *address;
    pthread_t thread;
    atomic_bool is_over;
    size_t count;
};

static void *run_flood(void *context)
{
    struct flood *flood = context;
    while (!atomic_load(&flood->is_over)) {
        int fd = mwt_raw_connect(flood->address);
        if (fd < 0)
            continue;
        flood->count++;
        (void)mwt_raw_write(fd, "\0\0\0\1?", 5);
        mwt_raw_reset(fd);
    }
    return NULL;
}

/* While a peer is at work, a flood has a twentieth of the time. While nobody is, it is not kept
 * waiting. */
static void test_flood(void)
{
    struct open_hub open;
    open_hub(&open);
    struct flood flood = {.address = open.address};
    int fd = mwt_raw_connect(open.address);
    say_hello(&open, fd);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&flood.thread, NULL, run_flood, &flood), 0);

    int64_t began = mwi_clock_monotonic_ns();
    int64_t before_ns = open.porch.spent_ns;
    size_t pauses_count = 0;
    while (mwi_clock_monotonic_ns() < began + 3 * S_NS) {
        say_hello(&open, fd);
        pauses_count += open.porch.resume_ns != INT64_MAX;
    }
    int64_t took_ns = mwi_clock_monotonic_ns() - began;
    int64_t spent_ns = open.porch.spent_ns - before_ns;
    /* The system may take the processor away in the last slice, whose pause is still to come. */
    int64_t most_ns = took_ns / MWI_TCP_SHARE_PARTS + 10 * MWI_TCP_SHARE_BURST_NS;
    printf("(%.1f %% of %.1f s, %zu connections) ", 100.0 * (double)spent_ns / (double)took_ns,
           (double)took_ns / 1e9, flood.count);
    CU_ASSERT_TRUE(spent_ns <= most_ns);
    CU_ASSERT_TRUE(pauses_count > 0);

    while (mwi_clock_monotonic_ns() < began + took_ns + 2 * S_NS)
        turn_hub(&open);
    for (int i = 0; i < 1000; i++) {
        turn_hub(&open);
        CU_ASSERT_EQUAL_FATAL(open.porch.resume_ns, INT64_MAX);
    }

    atomic_store(&flood.is_over, true);
    pthread_join(flood.thread, NULL);
    close(fd);
    close_hub(&open);
}

/* Guests that have named a key stay when others must make room. */
static void test_promising_guests(void)
{
    enum { GUESTS = 60, PROMISING = 20 };
    struct open_hub open;
    int fds[GUESTS];
    open_hub(&open);
    for (int i = 0; i < GUESTS; i++)
        fds[i] = mwt_raw_connect(open.address);
    while (open.porch.count < GUESTS)
        turn_hub(&open);
    struct mwi_tcp_guest *chosen[PROMISING];
    for (size_t i = 0; i < PROMISING; i++)
        chosen[i] = open.porch.guests[3 * i];
    for (size_t i = 0; i < PROMISING; i++) {
        mwi_tcp_porch_promise(chosen[i]);
        mwi_tcp_porch_promise(chosen[i]);
    }

    for (int i = 0; i < GUESTS - PROMISING; i++)
        CU_ASSERT_TRUE(mwi_tcp_porch_evict(&open.porch));

    CU_ASSERT_FALSE(mwi_tcp_porch_evict(&open.porch));
    CU_ASSERT_EQUAL(open.porch.count, PROMISING);
    for (size_t i = 0; i < PROMISING; i++)
        CU_ASSERT_PTR_EQUAL(open.porch.guests[chosen[i]->index], chosen[i]);
    for (int i = 0; i < GUESTS; i++)
        close(fds[i]);
    close_hub(&open);
}

#ifdef MWT_WITH_TLS
/* A guest that names a known key makes room for nobody, though its key is not proved yet. One that
 * names another key is turned away. */
static void test_named_key(void)
{
    struct open_hub open;
    struct mwt_tcp_keys keys;
    struct mwt_end client;
    mwt_tcp_keys_init(&keys, 1);
    open_hub_with(&open, &keys.environment);
    CU_ASSERT_EQUAL_FATAL(mwt_end_open(&client, &mwi_tcp_transport, &keys.environment,
                                       MWT_TCP_LIMIT_BYTES, -1, MW_WAIT_AUTO),
                          MW_OK);
    mw_peer peer = mwt_end_connect(&client, open.address);
    while (open.porch.promising_count == 0) {
        CU_ASSERT_PTR_NULL_FATAL(client.first);
        mwt_end_poll(&client, mwt_end_now(&client) + MWT_TCP_MS_NS);
        turn_hub(&open);
    }
    CU_ASSERT_FALSE(mwi_tcp_porch_evict(&open.porch));

    /* The end of the proof and the hello come together. */
    while (client.first == NULL)
        mwt_end_poll(&client, mwt_end_now(&client) + MWT_TCP_MS_NS);
    CU_ASSERT_EQUAL(mwt_tcp_expect_up(&client), peer);
    CU_ASSERT_EQUAL(mwt_end_send(&client, peer, HELLO, 5), MW_OK);
    while (open.frames_count == 0) {
        mwt_end_poll(&client, mwt_end_now(&client));
        turn_hub(&open);
    }
    CU_ASSERT_EQUAL(open.porch.work_ns, INT64_MIN);
    snprintf(keys.key.name, sizeof keys.key.name, "key:other");
    mwt_end_connect(&client, open.address);
    while (open.strangers_count == 0) {
        CU_ASSERT_TRUE(open.porch.promising_count <= 1);
        mwt_end_poll(&client, mwt_end_now(&client) + MWT_TCP_MS_NS);
        snprintf(keys.key.name, sizeof keys.key.name, "key:test");
        turn_hub(&open);
        snprintf(keys.key.name, sizeof keys.key.name, "key:other");
    }

    mwt_tcp_close(&client);
    close_hub(&open);
}
#endif

#ifdef MWT_WITH_TLS
/* The beginning of a handshake keeps nobody busy until more of it comes. */
static void test_half_hello(void)
{
    struct open_hub open;
    struct mwt_tcp_keys keys;
    mwt_tcp_keys_init(&keys, 1);
    open_hub_with(&open, &keys.environment);
    int fd = mwt_raw_connect(open.address);
    CU_ASSERT_TRUE(mwt_raw_write(fd, "\x16\3\1\2\0\1\0\1\xfc", 9));

    for (int i = 0; i < 20; i++) {
        turn_hub(&open);
        CU_ASSERT_TRUE(TAILQ_EMPTY(&open.hub.again));
    }

    CU_ASSERT_EQUAL(open.porch.count, 1);
    close(fd);
    close_hub(&open);
}
#endif

/* Peers that come in, one after the other, are no farm at work, however they come. */
static void test_coming_in_is_no_work(void)
{
    enum { PEERS = 50 };
    struct open_hub open;
    int fds[PEERS];
    open_hub(&open);

    for (int i = 0; i < PEERS; i++) {
        fds[i] = mwt_raw_connect(open.address);
        say_hello(&open, fds[i]);
        CU_ASSERT_EQUAL(open.porch.work_ns, INT64_MIN);
    }
    say_hello(&open, fds[0]);
    close(mwt_raw_connect(open.address));
    while (open.porch.work_ns == INT64_MIN)
        turn_hub(&open);

    for (int i = 0; i < PEERS; i++)
        close(fds[i]);
    close_hub(&open);
}

/* Many strangers in a second are told of in one event, when the second is over. */
static void test_told(void)
{
    enum { STRANGERS = 100, TOLD = 10 };
    struct open_hub open;
    open_hub(&open);

    for (int i = 0; i < STRANGERS; i++)
        mwi_tcp_porch_tell(&open.porch, "somebody", "nobody knows him");
    CU_ASSERT_EQUAL(open.strangers_count, TOLD);
    while (open.strangers_count == TOLD)
        turn_hub(&open);

    CU_ASSERT_EQUAL(open.strangers_count, TOLD + 1);
    CU_ASSERT_STRING_EQUAL(open.stranger, ": 90 others, too many in a second to name them");
    close_hub(&open);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"share", test_share},
        {"share forgives", test_share_forgives},
        {"promising guests", test_promising_guests},
#ifdef MWT_WITH_TLS
        {"named key", test_named_key},
        {"half a hello", test_half_hello},
#endif
        {"coming in is no work", test_coming_in_is_no_work},
        {"told", test_told},
        {"trickle", test_trickle},
        {"flood", test_flood},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("tcp: guests", tests);
}
