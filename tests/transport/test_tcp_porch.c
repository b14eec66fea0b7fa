/* SPDX-License-Identifier: Apache-2.0
 *
 * The limits on connections that are not admitted. Strangers are plain sockets that do what no
 * transport would do. All runs in one thread. test_tcp_guests.c has what only a hub's fields show.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mwt_heap.h"
#include "mwt_run.h"
#include "porch.h"
#include "raw.h"
#include "tcp_case.h"

#define S_NS (1000 * MWT_TCP_MS_NS)
#define HELLO "hello"

/* A listening end that admits peers when they say hello, and answers them. */
struct house {
    struct mwt_tcp_master master;
    size_t ups_count;
    size_t downs_count;
    size_t late_count; /* of peers that went down because of the time */
    char reason[256];  /* of the last down or stranger event */
};

static void on_event(struct mwt_end *end, const struct mwt_event *event)
{
    struct house *house = end->hook_context;
    house->ups_count += event->kind == MWT_UP;
    house->downs_count += event->kind == MWT_DOWN;
    house->late_count += strcmp(event->text, "it was not admitted within 10 s") == 0;
    if (event->kind == MWT_DOWN || event->kind == MWT_STRANGER)
        snprintf(house->reason, sizeof house->reason, "%s", event->text);
    if (event->kind != MWT_MESSAGE || event->size != 5 || memcmp(event->data, HELLO, 5) != 0)
        return;
    mwi_tcp_transport.admit(end->transport, event->peer);
    CU_ASSERT_EQUAL(mwt_end_send(end, event->peer, "welcome", 7), MW_OK);
}

static void open_house(struct house *house)
{
    *house = (struct house){.ups_count = 0};
    mwt_tcp_open_master(&house->master, "127.0.0.1:0");
    house->master.end.keeps_strangers = true;
    house->master.end.hook = on_event;
    house->master.end.hook_context = house;
}

static void forget_events(struct house *house)
{
    while (house->master.end.first != NULL) {
        struct mwt_event event = mwt_end_take(&house->master.end);
        mwt_event_clear(&event);
    }
}

static void turn_house(struct house *house)
{
    mwt_end_poll(&house->master.end, mwt_end_now(&house->master.end) + MWT_TCP_MS_NS);
    forget_events(house);
}

static void close_house(struct house *house)
{
    mwt_tcp_close(&house->master.end);
}

/* Whether this text comes to the socket, as a frame of less than 256 bytes. */
static bool hears(struct house *house, int fd, const char *text)
{
    char expected[64] = {0};
    char got[64] = {0};
    size_t size = strlen(text) + 4;
    size_t have = 0;
    int64_t deadline = mwt_end_now(&house->master.end) + MWT_PATIENCE_NS;
    expected[3] = (char)strlen(text);
    memcpy(expected + 4, text, strlen(text));
    while (have < size && mwt_end_now(&house->master.end) < deadline) {
        turn_house(house);
        long more = mwt_raw_read_now(fd, got + have, size - have);
        if (more == 0)
            return false;
        have += more > 0 ? (size_t)more : 0;
    }
    return memcmp(expected, got, size) == 0;
}

/* A peer that is in, or comes in, speaks and is answered. */
static void check_in(struct house *house, int fd)
{
    CU_ASSERT_TRUE(mwt_raw_write_frame(fd, HELLO, 5));
    CU_ASSERT_TRUE(hears(house, fd, "welcome"));
}

/* An honest peer comes in; returns its socket. */
static int come_in(struct house *house)
{
    int fd = mwt_raw_connect(house->master.address);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    check_in(house, fd);
    return fd;
}

/* A connection that is closed with something unread is reset. */
static bool has_ended(int fd)
{
    char byte;
    ssize_t size = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return size == 0 || (size < 0 && errno == ECONNRESET);
}

/* Whether the other end closes within the patience. */
static bool gets_closed(struct house *house, int fd)
{
    int64_t deadline = mwt_end_now(&house->master.end) + MWT_PATIENCE_NS;
    while (!has_ended(fd) && mwt_end_now(&house->master.end) < deadline)
        turn_house(house);
    return has_ended(fd);
}

/* Serves a friend until `ups_count` connections have been accepted. */
static void await_all(struct house *house, int friend, size_t ups_count)
{
    while (house->ups_count < ups_count)
        check_in(house, friend);
}

static struct rlimit raise_limit(void)
{
    struct rlimit before;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit raised = {before.rlim_max, before.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &raised);
    return before;
}

/* Ten thousand connections that say nothing keep nobody out, and never are more than a thousand at
 * once. A peer that is in is served meanwhile. */
static void test_silent_crowd(void)
{
    enum { CROWD = 10000, GUESTS_MAX = 1024, BATCH = 200 };
    struct rlimit before = raise_limit();
    struct rlimit limit;
    struct house house;
    int *fds = calloc(CROWD, sizeof *fds);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    size_t count = limit.rlim_cur > CROWD + 2000 ? CROWD : (size_t)limit.rlim_cur / 2;
    open_house(&house);
    int friend = come_in(&house);

    for (size_t i = 0; i < count; i++) {
        fds[i] = mwt_raw_connect(house.master.address);
        CU_ASSERT_TRUE_FATAL(fds[i] >= 0);
        if (i % BATCH == BATCH - 1)
            await_all(&house, friend, i + 2);
        CU_ASSERT_TRUE_FATAL(house.ups_count - house.downs_count <= GUESTS_MAX + 1);
    }
    int late = come_in(&house);
    check_in(&house, late);
    check_in(&house, friend);

    /* On a slow machine it takes longer until the porch is full than a guest may stay. */
    if (count > 4 * GUESTS_MAX)
        CU_ASSERT_TRUE(strstr(house.reason, "it had to make room") != NULL ||
                       strstr(house.reason, "it was not admitted within 10 s") != NULL);
    for (size_t i = 0; i < count; i++)
        mwt_raw_reset(fds[i]);
    close(late);
    close(friend);
    close_house(&house);
    free(fds);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* A connection that is not admitted within some 10 s ends, however it spends the time: silent, with
 * half a header, with a byte a second, with half a frame, with empty frames. Honest peers come in
 * meanwhile, and one that came before is served. */
static void test_time(void)
{
    enum { KINDS = 5 };
    static const unsigned char half[1000];
    struct house house;
    int fds[KINDS];
    open_house(&house);
    int friend = come_in(&house);
    for (int i = 0; i < KINDS; i++)
        fds[i] = mwt_raw_connect(house.master.address);
    CU_ASSERT_TRUE(mwt_raw_write(fds[1], "\0\0", 2));
    CU_ASSERT_TRUE(mwt_raw_write_header(fds[2], 1000));
    CU_ASSERT_TRUE(mwt_raw_write_header(fds[3], sizeof half + 1));
    CU_ASSERT_TRUE(mwt_raw_write(fds[3], half, sizeof half));
    int64_t began = mwt_end_now(&house.master.end);

    for (int second = 1; house.late_count < KINDS && second < 60; second++) {
        (void)send(fds[2], "x", 1, MSG_NOSIGNAL);
        (void)send(fds[4], "\0\0\0\0", 4, MSG_NOSIGNAL);
        check_in(&house, friend);
        close(come_in(&house));
        while (mwt_end_now(&house.master.end) < began + second * S_NS)
            turn_house(&house);
    }

    int64_t took = mwt_end_now(&house.master.end) - began;
    CU_ASSERT_EQUAL(house.late_count, KINDS);
    CU_ASSERT_TRUE(took > 8 * S_NS && took < 20 * S_NS);
    for (int i = 0; i < KINDS; i++) {
        CU_ASSERT_TRUE(gets_closed(&house, fds[i]));
        close(fds[i]);
    }
    check_in(&house, friend);
    close(friend);
    close_house(&house);
}

/* A master that does not poll for longer than the limit turns away nobody who has spoken. */
static void test_absent_master(void)
{
    enum { AWAY_MS = 12000 };
    struct house house;
    open_house(&house);
    int early = mwt_raw_connect(house.master.address);
    while (house.ups_count == 0)
        turn_house(&house);

    int late = mwt_raw_connect(house.master.address);
    CU_ASSERT_TRUE(mwt_raw_write_frame(early, HELLO, 5));
    CU_ASSERT_TRUE(mwt_raw_write_frame(late, HELLO, 5));
    (void)poll(NULL, 0, AWAY_MS);

    CU_ASSERT_TRUE(hears(&house, early, "welcome"));
    CU_ASSERT_TRUE(hears(&house, late, "welcome"));
    CU_ASSERT_EQUAL(house.downs_count, 0);
    close(early);
    close(late);
    close_house(&house);
}

/* A master that comes back from a long absence serves all who have come in its first poll, and not
 * only as many as in other polls: they may give up before its next one. */
static void test_seldom_master(void)
{
    enum { AWAY_MS = 8000, CROWD = 200 };
    struct house house;
    int fds[CROWD];
    open_house(&house);
    for (int i = 0; i < CROWD; i++) {
        fds[i] = mwt_raw_connect(house.master.address);
        CU_ASSERT_TRUE(mwt_raw_write_frame(fds[i], HELLO, 5));
    }
    (void)poll(NULL, 0, AWAY_MS);

    mwt_end_poll(&house.master.end, INT64_MIN);

    CU_ASSERT_EQUAL(house.ups_count, CROWD);
    for (int i = 0; i < CROWD; i++) {
        CU_ASSERT_TRUE(hears(&house, fds[i], "welcome"));
        close(fds[i]);
    }
    close_house(&house);
}

/* Before it is admitted a peer can send no large frame, and little in all; afterwards it can. */
static void test_size(void)
{
    enum { EMPTY = 20000 };
    static const unsigned char frames[EMPTY * 4];
    unsigned char *large = calloc(1, MWT_TCP_LIMIT_BYTES);
    struct house house;
    open_house(&house);

    int fd = mwt_raw_connect(house.master.address);
    CU_ASSERT_TRUE(mwt_raw_write_header(fd, MWT_TCP_LIMIT_BYTES));
    CU_ASSERT_TRUE(mwt_raw_write(fd, "x", 1));
    CU_ASSERT_TRUE(gets_closed(&house, fd));
    CU_ASSERT_STRING_EQUAL(house.reason, "a frame of 67108864 bytes is over the limit of 65536");
    close(fd);

    fd = mwt_raw_connect(house.master.address);
    CU_ASSERT_TRUE(mwt_raw_write(fd, "\x16\3\1\2\0\1\0", 7));
    CU_ASSERT_TRUE(gets_closed(&house, fd));
    CU_ASSERT_STRING_EQUAL(house.reason, "it encrypts, and this side runs with --mw-insecure");
    close(fd);

    fd = mwt_raw_connect(house.master.address);
    CU_ASSERT_TRUE(mwt_raw_write(fd, frames, sizeof frames));
    for (int64_t end = mwt_end_now(&house.master.end) + MWT_PATIENCE_NS;
         house.downs_count < 3 && mwt_end_now(&house.master.end) < end;)
        turn_house(&house);
    CU_ASSERT_STRING_EQUAL(house.reason, "it sent too many bytes before it was admitted");
    close(fd);

    fd = come_in(&house);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    CU_ASSERT_TRUE(mwt_raw_write_header(fd, MWT_TCP_LIMIT_BYTES));
    for (size_t sent = 0; sent < MWT_TCP_LIMIT_BYTES; turn_house(&house)) {
        ssize_t size = send(fd, large + sent, MWT_TCP_LIMIT_BYTES - sent, MSG_NOSIGNAL);
        sent += size > 0 ? (size_t)size : 0;
    }
    check_in(&house, fd);
    CU_ASSERT_EQUAL(house.downs_count, 3);
    close(fd);
    close_house(&house);
    free(large);
}

/* A guest costs about what it has sent, and a silent one next to nothing. */
static void test_memory(void)
{
    enum { GUESTS = 200, SIZE = 50000 };
    static const unsigned char bytes[SIZE];
    struct house house;
    int fds[GUESTS];
    open_house(&house);
    close(come_in(&house));
    size_t before = mwt_heap_bytes();

    for (size_t i = 0; i < GUESTS; i++)
        fds[i] = mwt_raw_connect(house.master.address);
    while (house.ups_count <= GUESTS)
        turn_house(&house);
    size_t silent = mwt_heap_bytes() - before;
    for (size_t i = 0; i < GUESTS; i++) {
        CU_ASSERT_TRUE(mwt_raw_write_header(fds[i], MWI_TCP_GUEST_BYTES_MAX));
        CU_ASSERT_TRUE(mwt_raw_write(fds[i], bytes, SIZE));
        turn_house(&house);
    }
    for (int i = 0; i < GUESTS; i++)
        turn_house(&house);
    size_t used = mwt_heap_bytes() - before;

    printf("(%zu bytes a silent guest, %zu one with %d) ", silent / GUESTS, used / GUESTS, SIZE);
    CU_ASSERT_TRUE(silent / GUESTS < 1500);
    CU_ASSERT_TRUE(used / GUESTS < 2 * MWI_TCP_GUEST_BYTES_MAX);
    for (size_t i = 0; i < GUESTS; i++)
        close(fds[i]);
    close_house(&house);
}

/* Valgrind has its own limit of descriptors. */
static bool runs_under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

/* The lowest descriptor that is free. */
static int lowest_free(void)
{
    int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
}

enum { FRIENDS_MAX = 200, CROWD_COUNT = 150 };

/* Connections of this process when it may have few descriptors. Their sockets lie above the limit,
 * so that those of the other end have all numbers below it. */
struct tight {
    struct rlimit before;
    int limit;
    int reserve;
    int friends[FRIENDS_MAX]; /* they are admitted */
    int friends_count;
    int crowd[CROWD_COUNT]; /* they wait to be accepted */
};

static int raise_number(int fd)
{
    enum { HIGH = 500 };
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, HIGH);
    close(fd);
    CU_ASSERT_TRUE_FATAL(raised >= HIGH);
    return raised;
}

/* Friends come in until only the reserve is left, if `has_friends`; then a crowd comes. */
static void begin_tight(struct tight *tight, struct house *house, bool has_friends)
{
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &tight->before), 0);
    tight->limit = lowest_free() + 60;
    tight->reserve = tight->limit < 256 ? tight->limit / 8 : 32;
    tight->friends_count = 0;
    while (has_friends && lowest_free() < tight->limit - tight->reserve) {
        tight->friends[tight->friends_count] = raise_number(mwt_raw_connect(house->master.address));
        check_in(house, tight->friends[tight->friends_count++]);
    }
    for (int i = 0; i < CROWD_COUNT; i++)
        tight->crowd[i] = raise_number(mwt_raw_connect(house->master.address));
    const struct rlimit limit = {(rlim_t)tight->limit, tight->before.rlim_max};
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void end_tight(struct tight *tight)
{
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &tight->before), 0);
    for (int i = 0; i < tight->friends_count; i++)
        close(tight->friends[i]);
    for (int i = 0; i < CROWD_COUNT; i++)
        close(tight->crowd[i]);
}

static int count_ended(const struct tight *tight)
{
    int count = 0;
    for (int i = 0; i < CROWD_COUNT; i++)
        count += has_ended(tight->crowd[i]);
    return count;
}

/* The last descriptors are not for newcomers: they are closed and told of, and the peers that are
 * in go on. When some leave, others come in. */
static void test_reserve(void)
{
    struct house house;
    struct tight tight;
    if (runs_under_valgrind())
        return;
    open_house(&house);
    begin_tight(&tight, &house, true);

    while (count_ended(&tight) < CROWD_COUNT)
        turn_house(&house);

    CU_ASSERT_EQUAL(house.ups_count, (size_t)tight.friends_count);
    CU_ASSERT_EQUAL(house.downs_count, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(house.reason, "the limit of descriptors is reached (ulimit -n)"));
    for (int i = 0; i < tight.friends_count; i++)
        check_in(&house, tight.friends[i]);
    CU_ASSERT_EQUAL(lowest_free(), tight.limit - tight.reserve);
    for (int i = 0; i < 3; i++)
        (void)shutdown(tight.friends[i], SHUT_RDWR);
    while (house.downs_count < 3)
        turn_house(&house);
    close(come_in(&house));
    end_tight(&tight);
    close_house(&house);
}

/* Guests make room when descriptors get short, and an honest peer comes in all the same. */
static void test_reserve_of_guests(void)
{
    struct house house;
    struct tight tight;
    if (runs_under_valgrind())
        return;
    open_house(&house);
    begin_tight(&tight, &house, false);

    while (house.ups_count < CROWD_COUNT)
        turn_house(&house);

    CU_ASSERT_TRUE(lowest_free() <= tight.limit - tight.reserve);
    CU_ASSERT_TRUE(house.downs_count > 0);
    CU_ASSERT_EQUAL(count_ended(&tight), (int)house.downs_count);
    int late = come_in(&house);
    check_in(&house, late);
    close(late);
    end_tight(&tight);
    close_house(&house);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"size", test_size},
        {"memory", test_memory},
        {"reserve", test_reserve},
        {"reserve of guests", test_reserve_of_guests},
        {"silent crowd", test_silent_crowd},
        {"time", test_time},
        {"absent master", test_absent_master},
        {"seldom master", test_seldom_master},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("tcp: porch", tests);
}
