/* SPDX-License-Identifier: Apache-2.0
 *
 * What is particular to tcp: its addresses, what strangers may do to it, what it does to
 * descriptors, memory and time, and how it says goodbye. One transport object and, at the other
 * end, plain sockets or a second object, all in one thread, so that each step is where it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "end.h"
#include "raw.h"
#include "tcp.h"

#define LIMIT_BYTES ((size_t)64 * 1024 * 1024)
#define MS_NS ((int64_t)1000 * 1000)

static const mw_transport_api *const api = &mwi_tcp_transport;

/* A transport that listens. */
struct master {
    struct mwt_end end;
    char address[256];
};

static void open_end(struct mwt_end *end)
{
    CU_ASSERT_EQUAL_FATAL(mwt_end_open(end, api, NULL, LIMIT_BYTES, -1), MW_OK);
}

static void open_master(struct master *master, const char *address)
{
    open_end(&master->end);
    CU_ASSERT_EQUAL_FATAL(api->listen(master->end.transport, address, master->address,
                                      sizeof master->address, &master->end.why),
                          MW_OK);
}

static void close_end(struct mwt_end *end)
{
    mwt_end_close(end);
    CU_ASSERT_EQUAL(end->faults, 0);
    if (end->faults > 0)
        fprintf(stderr, "%s\n", end->fault);
}

static struct mwt_event expect(struct mwt_end *end, enum mwt_event_kind kind)
{
    struct mwt_event event = mwt_end_take(end);
    CU_ASSERT_EQUAL(event.kind, kind);
    return event;
}

static void expect_down(struct mwt_end *end, const char *words)
{
    struct mwt_event down = expect(end, MWT_DOWN);
    CU_ASSERT_PTR_NOT_NULL(strstr(down.text, words));
    if (strstr(down.text, words) == NULL)
        fprintf(stderr, "down says \"%s\"\n", down.text);
    mwt_event_clear(&down);
}

static mw_peer expect_up(struct mwt_end *end)
{
    struct mwt_event up = expect(end, MWT_UP);
    return up.peer;
}

/* A plain socket that the master has accepted. */
static int connect_raw(struct master *master, mw_peer *peer)
{
    int fd = mwt_raw_connect(master->address);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    *peer = expect_up(&master->end);
    return fd;
}

/* Polls one end and then the other until the first has something. */
static struct mwt_event take_between(struct mwt_end *end, struct mwt_end *other)
{
    int64_t deadline = mwt_end_now(end) + MWT_PATIENCE_NS;

    while (end->first == NULL && mwt_end_now(end) < deadline) {
        mwt_end_poll(other, 0);
        mwt_end_poll(end, mwt_end_now(end) + MS_NS);
    }
    return mwt_end_take(end);
}

static void exchange(struct mwt_end *from, mw_peer peer, struct mwt_end *to)
{
    CU_ASSERT_EQUAL(mwt_end_send(from, peer, "hello", 5), MW_OK);
    struct mwt_event event = take_between(to, from);
    CU_ASSERT_EQUAL(event.kind, MWT_MESSAGE);
    CU_ASSERT_EQUAL(event.size, 5);
    mwt_event_clear(&event);
}

/* Connects a second transport to the address, and checks that frames pass both ways. */
static void check_reachable(struct master *master, const char *address)
{
    struct mwt_end slave;
    open_end(&slave);

    mw_peer peer = mwt_end_connect(&slave, address);
    struct mwt_event up = take_between(&slave, &master->end);
    CU_ASSERT_EQUAL(up.kind, MWT_UP);
    CU_ASSERT_EQUAL(up.peer, peer);
    mw_peer back = expect_up(&master->end);
    if (up.kind == MWT_UP) {
        exchange(&slave, peer, &master->end);
        exchange(&master->end, back, &slave);
    }

    close_end(&slave);
    expect_down(&master->end, "closed by the peer");
}

static bool has_ipv6(void)
{
    struct mwt_end end;
    char bound[256];

    open_end(&end);
    mw_error error = api->listen(end.transport, "[::1]:0", bound, sizeof bound, &end.why);
    close_end(&end);
    if (error != MW_OK)
        fprintf(stderr, "SKIPPED, no IPv6 on this machine: %s\n", end.why.text);
    return error == MW_OK;
}

/* Addresses. */

/* What makes no sense is refused with MW_EINVAL and the address in the sentence. */
static void test_bad_addresses(void)
{
    static const char *const bad[] = {"nonsense", "127.0.0.1:x", "::1:80", "fd:x"};
    static const char *const bad_to_connect[] = {"nonsense", "*:7000", "127.0.0.1:0"};
    struct mwt_end end;
    char bound[64];
    mw_peer peer;
    open_end(&end);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mw_reason why = {""};
        CU_ASSERT_EQUAL(api->listen(end.transport, bad[i], bound, sizeof bound, &why), MW_EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, bad[i]));
    }
    for (size_t i = 0; i < sizeof bad_to_connect / sizeof bad_to_connect[0]; i++) {
        mw_reason why = {""};
        CU_ASSERT_EQUAL(api->connect(end.transport, bad_to_connect[i], &peer, &why), MW_EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, bad_to_connect[i]));
    }

    close_end(&end);
}

/* A port that is taken, a host that is not ours and a name that is none are MW_ENETWORK. */
static void test_addresses_not_to_be_had(void)
{
    struct master master;
    struct mwt_end end;
    char bound[64];
    open_master(&master, "127.0.0.1:0");
    open_end(&end);
    const char *const none[] = {master.address, "192.0.2.1:0", "no-such-host.invalid:0"};

    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        mw_reason why = {""};
        CU_ASSERT_EQUAL(api->listen(end.transport, none[i], bound, sizeof bound, &why),
                        MW_ENETWORK);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, none[i]));
    }

    close_end(&end);
    close_end(&master.end);
}

/* A fixed port can be listened on again right after a connection over it has ended. */
static void test_port_again(void)
{
    struct master master;
    char address[256];
    open_master(&master, "127.0.0.1:0");
    snprintf(address, sizeof address, "%s", master.address);
    mw_peer peer;
    int raw = connect_raw(&master, &peer);
    close_end(&master.end);

    open_master(&master, address);

    CU_ASSERT_STRING_EQUAL(master.address, address);
    close(raw);
    close_end(&master.end);
}

/* One transport may listen on several addresses. */
static void test_several_addresses(void)
{
    struct master master;
    char second[256];
    open_master(&master, "127.0.0.1:0");

    CU_ASSERT_EQUAL(
        api->listen(master.end.transport, "127.0.0.1:0", second, sizeof second, &master.end.why),
        MW_OK);

    CU_ASSERT_STRING_NOT_EQUAL(second, master.address);
    check_reachable(&master, master.address);
    check_reachable(&master, second);
    close_end(&master.end);
}

/* Port 0 becomes a port, and the peer's name is its address. */
static void test_ipv4(void)
{
    struct master master;
    open_master(&master, "127.0.0.1:0");

    CU_ASSERT_EQUAL(strncmp(master.address, "127.0.0.1:", 10), 0);
    CU_ASSERT_NOT_EQUAL(atoi(master.address + 10), 0);
    int raw = mwt_raw_connect(master.address);
    struct mwt_event up = expect(&master.end, MWT_UP);

    CU_ASSERT_EQUAL(strncmp(up.text, "127.0.0.1:", 10), 0);
    close(raw);
    close_end(&master.end);
}

static void test_ipv6(void)
{
    struct master master;
    if (!has_ipv6())
        return;

    open_master(&master, "[::1]:0");

    CU_ASSERT_EQUAL(strncmp(master.address, "[::1]:", 6), 0);
    check_reachable(&master, master.address);
    close_end(&master.end);
}

/* A host name works for both ends; a name's addresses are tried until one answers. */
static void test_host_name(void)
{
    struct master master;
    char address[300];

    open_master(&master, "localhost:0");
    check_reachable(&master, master.address);
    close_end(&master.end);

    open_master(&master, "127.0.0.1:0");
    snprintf(address, sizeof address, "localhost%s", strrchr(master.address, ':'));
    check_reachable(&master, address);
    close_end(&master.end);
}

/* "*" is every interface of both families, and slaves are told this machine's name. */
static void test_all_interfaces(void)
{
    struct master master;
    char name[200] = "";
    char address[300];
    open_master(&master, "*:0");
    const char *port = strrchr(master.address, ':');
    gethostname(name, sizeof name - 1);

    CU_ASSERT_EQUAL(strncmp(master.address, name, strlen(name)), 0);
    CU_ASSERT_PTR_EQUAL(port, master.address + strlen(name));
    snprintf(address, sizeof address, "127.0.0.1%s", port);
    check_reachable(&master, address);
    if (has_ipv6()) {
        snprintf(address, sizeof address, "[::1]%s", port);
        check_reachable(&master, address);
    }
    int raw = mwt_raw_connect(address);
    struct mwt_event up = expect(&master.end, MWT_UP);
    CU_ASSERT_EQUAL(strncmp(up.text, "127.0.0.1:", 10), 0);

    close(raw);
    close_end(&master.end);
}

/* A name that does not exist is the outcome of a connect, not an error of it. */
static void test_no_such_host(void)
{
    struct mwt_end end;
    open_end(&end);

    CU_ASSERT_NOT_EQUAL(mwt_end_connect(&end, "no-such-host.invalid:7000"), 0);

    expect_down(&end, "no-such-host.invalid");
    close_end(&end);
}

/* A look-up may be given up at any point, without a leak. */
static void test_drop_while_looking_up(void)
{
    for (int polls = 0; polls < 3; polls++) {
        struct mwt_end end;
        open_end(&end);
        mw_peer dropped = mwt_end_connect(&end, "no-such-host.invalid:7000");
        CU_ASSERT_NOT_EQUAL(mwt_end_connect(&end, "no-such-host.example:7000"), 0);
        for (int i = 0; i < polls; i++)
            mwt_end_poll(&end, 0);

        mwt_end_drop(&end, dropped);

        mwt_end_poll(&end, 0);
        close_end(&end);
    }
}

/* Nobody listens: the kernel's words. */
static void test_refused(void)
{
    struct mwt_end end;
    open_end(&end);

    CU_ASSERT_NOT_EQUAL(mwt_end_connect(&end, "127.0.0.1:1"), 0);

    expect_down(&end, "Connection refused");
    close_end(&end);
}

/* Descriptors. */

static void check_pair(int ends[2], const char *name)
{
    struct mwt_end master;
    struct mwt_end slave;
    char first[32];
    char second[32];
    char bound[32];
    open_end(&master);
    open_end(&slave);
    snprintf(first, sizeof first, "fd:%d", ends[0]);
    snprintf(second, sizeof second, "fd:%d", ends[1]);

    CU_ASSERT_EQUAL(api->listen(master.transport, first, bound, sizeof bound, &master.why), MW_OK);
    CU_ASSERT_STRING_EQUAL(bound, first);
    mw_peer peer = mwt_end_connect(&slave, second);
    CU_ASSERT_NOT_EQUAL(peer, 0);
    CU_ASSERT_TRUE((fcntl(ends[0], F_GETFD) & FD_CLOEXEC) != 0);
    CU_ASSERT_TRUE((fcntl(ends[1], F_GETFL) & O_NONBLOCK) != 0);

    struct mwt_event up = expect(&master, MWT_UP);
    CU_ASSERT_EQUAL(strncmp(up.text, name != NULL ? name : first, strlen(name ? name : first)), 0);
    CU_ASSERT_EQUAL(expect_up(&slave), peer);
    exchange(&slave, peer, &master);
    exchange(&master, up.peer, &slave);
    close_end(&slave);
    expect_down(&master, "closed by the peer");
    close_end(&master);
    CU_ASSERT_EQUAL(fcntl(ends[0], F_GETFD), -1);
    CU_ASSERT_EQUAL(fcntl(ends[1], F_GETFD), -1);
}

/* Both ends may take over a connected socket, of a pair or of TCP. */
static void test_adopt(void)
{
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    check_pair(ends, NULL);

    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(listen(listening, 1), 0);
    CU_ASSERT_EQUAL(getsockname(listening, (struct sockaddr *)&own, &size), 0);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(connect(ends[1], (struct sockaddr *)&own, size), 0);
    ends[0] = accept(listening, NULL, NULL);
    check_pair(ends, "127.0.0.1:");
    close(listening);
}

/* A pair's frames are not lost when their sender drops or closes at once. */
static void test_pair_last_words(void)
{
    for (int drops = 0; drops < 2; drops++) {
        struct mwt_end sender;
        struct mwt_end receiver;
        char address[32];
        int ends[2];
        CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        open_end(&sender);
        open_end(&receiver);
        snprintf(address, sizeof address, "fd:%d", ends[0]);
        mw_peer peer = mwt_end_connect(&sender, address);
        snprintf(address, sizeof address, "fd:%d", ends[1]);
        mw_peer back = mwt_end_connect(&receiver, address);
        CU_ASSERT_EQUAL(expect_up(&sender), peer);
        CU_ASSERT_EQUAL(expect_up(&receiver), back);
        CU_ASSERT_EQUAL(mwt_end_send(&receiver, back, "unread", 6), MW_OK);
        mwt_end_poll(&receiver, 0);

        CU_ASSERT_EQUAL(mwt_end_send(&sender, peer, "last words", 10), MW_OK);
        if (drops)
            mwt_end_drop(&sender, peer);
        close_end(&sender);

        struct mwt_event event = expect(&receiver, MWT_MESSAGE);
        CU_ASSERT_EQUAL(event.size, 10);
        mwt_event_clear(&event);
        struct mwt_event down = expect(&receiver, MWT_DOWN);
        mwt_event_clear(&down);
        close_end(&receiver);
    }
}

/* What is no connected stream socket is refused, and closed all the same. */
static void test_adopt_nonsense(void)
{
    struct mwt_end end;
    char address[32];
    mw_peer peer;
    open_end(&end);
    const int nonsense[] = {open("/dev/null", O_RDONLY), socket(AF_INET, SOCK_STREAM, 0),
                            socket(AF_INET, SOCK_DGRAM, 0)};

    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        snprintf(address, sizeof address, "fd:%d", nonsense[i]);
        CU_ASSERT_EQUAL(api->connect(end.transport, address, &peer, &end.why), MW_EINVAL);
        CU_ASSERT_EQUAL(fcntl(nonsense[i], F_GETFD), -1);
        CU_ASSERT_EQUAL(errno, EBADF);
    }
    CU_ASSERT_EQUAL(api->connect(end.transport, "fd:1000000", &peer, &end.why), MW_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(end.why.text, "is not open"));

    close_end(&end);
}

/* A child that is started while connections are open inherits none of them. */
static void test_close_on_exec(void)
{
    mwt_raw_inherit_nothing();
    struct master master;
    open_master(&master, "*:0");
    struct mwt_end slave;
    open_end(&slave);
    char address[64];
    snprintf(address, sizeof address, "localhost%s", strrchr(master.address, ':'));
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    CU_ASSERT_EQUAL(fcntl(ends[1], F_SETFD, FD_CLOEXEC), 0);

    mwt_end_connect(&slave, address);
    struct mwt_event up = take_between(&slave, &master.end);
    CU_ASSERT_EQUAL(up.kind, MWT_UP);
    CU_ASSERT_NOT_EQUAL(expect_up(&master.end), 0);
    snprintf(address, sizeof address, "fd:%d", ends[0]);
    mwt_end_connect(&slave, address);
    CU_ASSERT_NOT_EQUAL(expect_up(&slave), 0);
    mwt_end_connect(&slave, "no-such-host.invalid:7000");
    mwt_end_poll(&slave, 0);

    CU_ASSERT_EQUAL(mwt_raw_first_inherited(), -1);
    close_end(&slave);
    close_end(&master.end);
    close(ends[1]);
}

/* Nothing is left open after close, nor after a drop once the peer has gone. */
static void test_no_descriptor_leak(void)
{
    unsigned before = mwt_raw_open_count();
    struct master master;
    mw_peer peer;
    open_master(&master, "127.0.0.1:0");
    unsigned opened = mwt_raw_open_count();

    int raw = connect_raw(&master, &peer);
    mwt_end_drop(&master.end, peer);
    close(raw);
    int64_t deadline = mwt_end_now(&master.end) + MWT_PATIENCE_NS;
    while (mwt_raw_open_count() > opened && mwt_end_now(&master.end) < deadline)
        mwt_end_poll(&master.end, mwt_end_now(&master.end) + MS_NS);
    CU_ASSERT_EQUAL(mwt_raw_open_count(), opened);

    raw = connect_raw(&master, &peer);
    close_end(&master.end);
    close(raw);
    CU_ASSERT_EQUAL(mwt_raw_open_count(), before);
}

static int64_t processor_time_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 * MS_NS + used.tv_nsec;
}

/* Waits until the deadline; the processor time it took. */
static int64_t wait_idly(struct mwt_end *end, int64_t duration_ns)
{
    int64_t before = processor_time_ns();
    int64_t deadline = mwt_end_now(end) + duration_ns;

    while (mwt_end_now(end) < deadline)
        mwt_end_poll(end, deadline);
    return processor_time_ns() - before;
}

/* Valgrind puts a limit on descriptors into effect after the call: it accepts a connection that is
 * beyond the limit and closes it. */
static bool runs_under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

/* Out of descriptors, a listener does not spin, the peers that are there work on, and those that
 * wait come up when there are descriptors again. */
static void test_out_of_descriptors(void)
{
    enum { WAITING = 5 };
    struct master master;
    struct rlimit limit;
    struct rlimit tight;
    mw_peer peer;
    int raws[WAITING];
    if (runs_under_valgrind()) {
        fprintf(stderr, "SKIPPED, valgrind has its own limit of descriptors\n");
        return;
    }
    open_master(&master, "127.0.0.1:0");
    int raw = connect_raw(&master, &peer);
    for (int i = 0; i < WAITING; i++)
        raws[i] = mwt_raw_connect(master.address);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = limit;
    tight.rlim_cur = (rlim_t)raws[WAITING - 1] + 1;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &tight), 0);

    CU_ASSERT_TRUE(wait_idly(&master.end, 250 * MS_NS) < 150 * MS_NS);
    CU_ASSERT_PTR_NULL(master.end.first);
    CU_ASSERT_TRUE(mwt_raw_write_frame(raw, "hello", 5));
    struct mwt_event message = expect(&master.end, MWT_MESSAGE);
    mwt_event_clear(&message);

    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < WAITING; i++)
        CU_ASSERT_NOT_EQUAL(expect_up(&master.end), 0);
    for (int i = 0; i < WAITING; i++)
        close(raws[i]);
    close(raw);
    close_end(&master.end);
}

/* Strangers. */

/* Random bytes, and the bytes 00 01 00, do no harm to others. */
static void test_garbage(void)
{
    struct master master;
    unsigned char noise[10000];
    mw_peer good;
    mw_peer bad;
    open_master(&master, "127.0.0.1:0");
    int friend = connect_raw(&master, &good);
    mwt_pattern_fill(noise, sizeof noise, 1, 1);
    noise[0] = 0xff;

    int stranger = connect_raw(&master, &bad);
    CU_ASSERT_TRUE(mwt_raw_write(stranger, noise, sizeof noise));
    expect_down(&master.end, "is over the limit of 67108864");
    close(stranger);

    stranger = connect_raw(&master, &bad);
    CU_ASSERT_TRUE(mwt_raw_write(stranger, "\0\1\0", 3));
    mwt_end_poll(&master.end, 0);
    close(stranger);
    expect_down(&master.end, "closed by the peer in the middle of a frame");

    CU_ASSERT_TRUE(mwt_raw_write_frame(friend, "hello", 5));
    struct mwt_event message = expect(&master.end, MWT_MESSAGE);
    CU_ASSERT_EQUAL(message.peer, good);
    mwt_event_clear(&message);
    close(friend);
    close_end(&master.end);
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* To announce a large frame costs the receiver little. */
static void test_announced_memory(void)
{
    enum { STRANGERS = 20 };
    struct master master;
    int raws[STRANGERS];
    mw_peer peer;
    open_master(&master, "127.0.0.1:0");
    size_t before = heap_bytes();

    for (int i = 0; i < STRANGERS; i++) {
        raws[i] = connect_raw(&master, &peer);
        CU_ASSERT_TRUE(mwt_raw_write_header(raws[i], LIMIT_BYTES));
        CU_ASSERT_TRUE(mwt_raw_write(raws[i], "begin", 5));
        mwt_end_poll(&master.end, 0);
        mwt_end_poll(&master.end, 0);
    }

    CU_ASSERT_TRUE(heap_bytes() < before + STRANGERS * 100 * 1024);
    for (int i = 0; i < STRANGERS; i++)
        close(raws[i]);
    close_end(&master.end);
}

/* An idle connection costs a few hundred bytes, after it has been used too. */
static void test_idle_memory(void)
{
    enum { PEERS = 300 };
    struct master master;
    mw_peer peers[PEERS];
    int raws[PEERS];
    open_master(&master, "127.0.0.1:0");
    size_t before = heap_bytes();

    for (int i = 0; i < PEERS; i++) {
        raws[i] = connect_raw(&master, &peers[i]);
        CU_ASSERT_TRUE(mwt_raw_write_frame(raws[i], "hello", 5));
        struct mwt_event message = expect(&master.end, MWT_MESSAGE);
        mwt_event_clear(&message);
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, peers[i], "hello", 5), MW_OK);
    }
    mwt_end_poll(&master.end, 0);

    size_t used = heap_bytes() - before;
    CU_ASSERT_TRUE(heap_bytes() < before + PEERS * 1000);
    printf("(%zu bytes a peer) ", used / PEERS);
    for (int i = 0; i < PEERS; i++)
        close(raws[i]);
    close_end(&master.end);
}

/* A reset is a down with the kernel's words. */
static void test_reset(void)
{
    struct master master;
    mw_peer peer;
    open_master(&master, "127.0.0.1:0");

    int raw = connect_raw(&master, &peer);
    mwt_raw_reset(raw);

    expect_down(&master.end, "Connection reset by peer");
    close_end(&master.end);
}

/* Frames that came before the other end went away are delivered, though writing to it fails. */
static void test_frames_before_a_reset(void)
{
    enum { FRAMES = 3 };
    struct master master;
    mw_peer peer;
    open_master(&master, "127.0.0.1:0");
    int raw = connect_raw(&master, &peer);
    CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, "unread", 6), MW_OK);
    mwt_end_poll(&master.end, 0);
    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_TRUE(mwt_raw_write_frame(raw, "hello", 5));
    close(raw); /* with something unread: a reset */

    CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, "in vain", 7), MW_OK);

    for (int i = 0; i < FRAMES; i++) {
        struct mwt_event message = expect(&master.end, MWT_MESSAGE);
        mwt_event_clear(&message);
    }
    expect_down(&master.end, "");
    close_end(&master.end);
}

/* Fairness and system calls. */

/* A peer that does not read blocks nobody, keeps its backlog, and gets everything in the end. */
static void test_slow_reader(void)
{
    enum { FRAMES = 16, SIZE = 1 << 20 };
    static unsigned char data[SIZE];
    struct master master;
    mw_peer slow;
    mw_peer quick;
    open_master(&master, "127.0.0.1:0");
    int slow_raw = connect_raw(&master, &slow);
    int quick_raw = connect_raw(&master, &quick);
    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, slow, data, SIZE), MW_OK);

    for (int i = 0; i < 100; i++)
        mwt_end_poll(&master.end, 0);
    CU_ASSERT_TRUE(api->backlog(master.end.transport, slow) > SIZE);
    CU_ASSERT_TRUE(mwt_raw_write_frame(quick_raw, "hello", 5));
    struct mwt_event message = expect(&master.end, MWT_MESSAGE);
    CU_ASSERT_EQUAL(message.peer, quick);
    mwt_event_clear(&message);
    CU_ASSERT_TRUE(wait_idly(&master.end, 100 * MS_NS) < 80 * MS_NS);

    size_t all = (size_t)FRAMES * (SIZE + 4);
    for (size_t got = 0; got < all;) {
        long size = mwt_raw_read_now(slow_raw, data, sizeof data);
        CU_ASSERT_TRUE_FATAL(size > 0 || errno == EAGAIN);
        got += size > 0 ? (size_t)size : 0;
        mwt_end_poll(&master.end, 0);
    }
    CU_ASSERT_EQUAL(api->backlog(master.end.transport, slow), 0);
    close(slow_raw);
    close(quick_raw);
    close_end(&master.end);
}

/* Two peers that send as much as they can are both heard in one poll, which ends. */
static void test_busy_peers(void)
{
    enum { FRAMES = 1000, SIZE = 1000 };
    unsigned char data[SIZE] = {0};
    struct master master;
    mw_peer peers[2];
    int raws[2];
    size_t heard[2] = {0, 0};
    open_master(&master, "127.0.0.1:0");
    for (int i = 0; i < 2; i++)
        raws[i] = connect_raw(&master, &peers[i]);
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
        struct mwt_event message = expect(&master.end, MWT_MESSAGE);
        mwt_event_clear(&message);
    }
    close(raws[0]);
    close(raws[1]);
    close_end(&master.end);
}

/* All that is queued for a peer between two polls goes out in one call, that is one segment. */
static void test_one_segment(void)
{
    enum { FRAMES = 100, SIZE = 60 };
    unsigned char data[FRAMES * (SIZE + 4) + 1] = {0};
    struct master master;
    mw_peer peer;
    open_master(&master, "127.0.0.1:0");
    int raw = connect_raw(&master, &peer);

    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, data, SIZE), MW_OK);
    CU_ASSERT_EQUAL(mwt_raw_segments(raw), 0);
    mwt_end_poll(&master.end, 0);

    CU_ASSERT_EQUAL(mwt_raw_read(raw, data, sizeof data), FRAMES * (SIZE + 4));
    CU_ASSERT_EQUAL(mwt_raw_segments(raw), 1);
    close(raw);
    close_end(&master.end);
}

/* All that has come from a peer is delivered in one turn, from one call. */
static void test_one_turn(void)
{
    enum { FRAMES = 500 };
    unsigned char data[FRAMES * 9] = {0};
    struct master master;
    mw_peer peer;
    open_master(&master, "127.0.0.1:0");
    int raw = connect_raw(&master, &peer);
    size_t before = master.end.events_count;
    for (int i = 0; i < FRAMES; i++)
        memcpy(data + 9 * i, "\0\0\0\5hello", 9);
    CU_ASSERT_TRUE(mwt_raw_write(raw, data, sizeof data));

    mwt_end_poll(&master.end, mwt_end_now(&master.end) + MWT_PATIENCE_NS);

    CU_ASSERT_EQUAL(master.end.events_count, before + FRAMES);
    close(raw);
    close_end(&master.end);
}

/* A large frame is given away in a block of its own. */
static void test_large_frame_is_a_block(void)
{
    static unsigned char data[1 << 20];
    struct master master;
    mw_peer peer;
    open_master(&master, "127.0.0.1:0");
    int raw = connect_raw(&master, &peer);
    CU_ASSERT_TRUE(mwt_raw_write_header(raw, sizeof data));

    for (size_t at = 0; at < sizeof data; at += sizeof data / 16) {
        CU_ASSERT_TRUE(mwt_raw_write(raw, data + at, sizeof data / 16));
        mwt_end_poll(&master.end, 0);
    }

    struct mwt_event message = expect(&master.end, MWT_MESSAGE);
    CU_ASSERT_EQUAL(message.size, sizeof data);
    CU_ASSERT_TRUE(message.was_block);
    mwt_event_clear(&message);
    close(raw);
    close_end(&master.end);
}

/* Waits below a millisecond are neither spun through nor rounded up. */
static void test_exact_deadline(void)
{
    enum { WAIT_NS = 300 * 1000 };
    struct master master;
    int64_t least_late = INT64_MAX;
    open_master(&master, "127.0.0.1:0");

    for (int i = 0; i < 50; i++) {
        int64_t deadline = mwt_end_now(&master.end) + WAIT_NS;
        mwt_end_poll(&master.end, deadline);
        int64_t late = mwt_end_now(&master.end) - deadline;
        CU_ASSERT_TRUE(late >= 0);
        least_late = late < least_late ? late : least_late;
    }

    CU_ASSERT_TRUE(least_late < WAIT_NS);
    CU_ASSERT_TRUE(wait_idly(&master.end, 100 * MS_NS) < 80 * MS_NS);
    close_end(&master.end);
}

/* Nonsense in the configuration is refused at open. */
static void test_bad_config(void)
{
    struct mwt_end end;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    CU_ASSERT_EQUAL(mwt_end_open(&end, api, NULL, (size_t)INT32_MAX + 1, -1), MW_EINVAL);
    CU_ASSERT_NOT_EQUAL(end.why.text[0], '\0');
    CU_ASSERT_EQUAL(mwt_end_open(&end, api, NULL, LIMIT_BYTES, file), MW_EINVAL);
    CU_ASSERT_NOT_EQUAL(end.why.text[0], '\0');

    close(file);
}

/* Goodbyes. */

/* A frame that was sent right before a drop arrives at a peer that itself is still sending, and
 * that sees an end, not a reset. */
static void test_refusal_arrives(void)
{
    enum { JUNK = 200000 };
    static unsigned char junk[JUNK];
    unsigned char got[64];
    struct master master;
    mw_peer peer;
    open_master(&master, "127.0.0.1:0");
    int raw = connect_raw(&master, &peer);
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
    close_end(&master.end);
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

/* Close hands over what a peer that reads has not read yet. */
static void test_close_hands_over(void)
{
    enum { FRAMES = 32, SIZE = 1 << 20 };
    static unsigned char data[SIZE];
    struct master master;
    struct reader reader = {0};
    pthread_t thread;
    mw_peer peer;
    open_master(&master, "127.0.0.1:0");
    reader.fd = connect_raw(&master, &peer);
    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, data, SIZE), MW_OK);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, read_all, &reader), 0);

    close_end(&master.end);

    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(reader.got, (size_t)FRAMES * (SIZE + 4));
    close(reader.fd);
}

/* Close waits a second and no longer for a peer that does not read. */
static void test_close_gives_up(void)
{
    enum { FRAMES = 32, SIZE = 1 << 20 };
    static unsigned char data[SIZE];
    struct master master;
    struct mwt_end clock;
    mw_peer peer;
    open_end(&clock);
    open_master(&master, "127.0.0.1:0");
    int raw = connect_raw(&master, &peer);
    for (int i = 0; i < FRAMES; i++)
        CU_ASSERT_EQUAL(mwt_end_send(&master.end, peer, data, SIZE), MW_OK);
    int64_t begin = mwt_end_now(&clock);

    close_end(&master.end);

    CU_ASSERT_TRUE(mwt_end_now(&clock) - begin < 10000 * MS_NS);
    close(raw);
    close_end(&clock);
}

int main(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;

    CU_TestInfo tests[] = {
        {"bad addresses", test_bad_addresses},
        {"addresses not to be had", test_addresses_not_to_be_had},
        {"port again", test_port_again},
        {"several addresses", test_several_addresses},
        {"ipv4", test_ipv4},
        {"ipv6", test_ipv6},
        {"host name", test_host_name},
        {"all interfaces", test_all_interfaces},
        {"no such host", test_no_such_host},
        {"drop while looking up", test_drop_while_looking_up},
        {"refused", test_refused},
        {"adopt", test_adopt},
        {"pair last words", test_pair_last_words},
        {"adopt nonsense", test_adopt_nonsense},
        {"close on exec", test_close_on_exec},
        {"no descriptor leak", test_no_descriptor_leak},
        {"out of descriptors", test_out_of_descriptors},
        {"garbage", test_garbage},
        {"announced memory", test_announced_memory},
        {"idle memory", test_idle_memory},
        {"reset", test_reset},
        {"frames before a reset", test_frames_before_a_reset},
        {"slow reader", test_slow_reader},
        {"busy peers", test_busy_peers},
        {"one segment", test_one_segment},
        {"one turn", test_one_turn},
        {"large frame is a block", test_large_frame_is_a_block},
        {"exact deadline", test_exact_deadline},
        {"bad config", test_bad_config},
        {"refusal arrives", test_refusal_arrives},
        {"close hands over", test_close_hands_over},
        {"close gives up", test_close_gives_up},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"tcp", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    if (CU_register_suites(suites) != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
