/* SPDX-License-Identifier: Apache-2.0
 *
 * The descriptors of tcp: those that it takes over, those that it opens, and the errors when there
 * are no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "raw.h"
#include "tcp_case.h"

static void check_pair(int ends[2], const char *name)
{
    struct mwt_end master;
    struct mwt_end slave;
    char first[32];
    char second[32];
    char bound[32];
    mwt_tcp_open(&master);
    mwt_tcp_open(&slave);
    snprintf(first, sizeof first, "fd:%d", ends[0]);
    snprintf(second, sizeof second, "fd:%d", ends[1]);

    CU_ASSERT_EQUAL(
        mwi_tcp_transport.listen(master.transport, first, bound, sizeof bound, &master.why), MW_OK);
    CU_ASSERT_STRING_EQUAL(bound, first);
    mw_peer peer = mwt_end_connect(&slave, second);
    CU_ASSERT_NOT_EQUAL(peer, 0);
    CU_ASSERT_TRUE((fcntl(ends[0], F_GETFD) & FD_CLOEXEC) != 0);
    CU_ASSERT_TRUE((fcntl(ends[1], F_GETFL) & O_NONBLOCK) != 0);

    struct mwt_event up = mwt_tcp_expect(&master, MWT_UP);
    CU_ASSERT_EQUAL(
        strncmp(up.text, name != NULL ? name : first, strlen(name != NULL ? name : first)), 0);
    CU_ASSERT_EQUAL(mwt_tcp_expect_up(&slave), peer);
    mwt_tcp_exchange(&slave, peer, &master);
    mwt_tcp_exchange(&master, up.peer, &slave);
    mwt_tcp_close(&slave);
    mwt_tcp_expect_down(&master, "closed by the peer");
    mwt_tcp_close(&master);
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

/* Frames of a pair arrive even if their sender drops or closes at once. */
static void test_pair_last_words(void)
{
    for (int drops = 0; drops < 2; drops++) {
        struct mwt_end sender;
        struct mwt_end receiver;
        char address[32];
        int ends[2];
        CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        mwt_tcp_open(&sender);
        mwt_tcp_open(&receiver);
        snprintf(address, sizeof address, "fd:%d", ends[0]);
        mw_peer peer = mwt_end_connect(&sender, address);
        snprintf(address, sizeof address, "fd:%d", ends[1]);
        mw_peer back = mwt_end_connect(&receiver, address);
        CU_ASSERT_EQUAL(mwt_tcp_expect_up(&sender), peer);
        CU_ASSERT_EQUAL(mwt_tcp_expect_up(&receiver), back);
        CU_ASSERT_EQUAL(mwt_end_send(&receiver, back, "unread", 6), MW_OK);
        mwt_end_poll(&receiver, 0);

        CU_ASSERT_EQUAL(mwt_end_send(&sender, peer, "last words", 10), MW_OK);
        if (drops != 0)
            mwt_end_drop(&sender, peer);
        mwt_tcp_close(&sender);

        struct mwt_event event = mwt_tcp_expect(&receiver, MWT_MESSAGE);
        CU_ASSERT_EQUAL(event.size, 10);
        mwt_event_clear(&event);
        struct mwt_event down = mwt_tcp_expect(&receiver, MWT_DOWN);
        mwt_event_clear(&down);
        mwt_tcp_close(&receiver);
    }
}

/* A descriptor that is no connected stream socket is refused, and closed all the same. */
static void test_adopt_nonsense(void)
{
    struct mwt_end end;
    char address[32];
    mw_peer peer;
    mwt_tcp_open(&end);
    const int nonsense[] = {open("/dev/null", O_RDONLY), socket(AF_INET, SOCK_STREAM, 0),
                            socket(AF_INET, SOCK_DGRAM, 0)};

    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        snprintf(address, sizeof address, "fd:%d", nonsense[i]);
        CU_ASSERT_EQUAL(mwi_tcp_transport.connect(end.transport, address, &peer, &end.why),
                        MW_EINVAL);
        CU_ASSERT_EQUAL(fcntl(nonsense[i], F_GETFD), -1);
        CU_ASSERT_EQUAL(errno, EBADF);
    }
    CU_ASSERT_EQUAL(mwi_tcp_transport.connect(end.transport, "fd:1000000", &peer, &end.why),
                    MW_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(end.why.text, "is not open"));

    mwt_tcp_close(&end);
}

/* A child that starts while connections are open inherits none of them. */
static void test_close_on_exec(void)
{
    mwt_raw_inherit_nothing();
    struct mwt_tcp_master master;
    mwt_tcp_open_master(&master, "*:0");
    struct mwt_end slave;
    mwt_tcp_open(&slave);
    char address[64];
    snprintf(address, sizeof address, "localhost%s", strrchr(master.address, ':'));
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    CU_ASSERT_EQUAL(fcntl(ends[1], F_SETFD, FD_CLOEXEC), 0);

    mwt_end_connect(&slave, address);
    struct mwt_event up = mwt_tcp_take_between(&slave, &master.end);
    CU_ASSERT_EQUAL(up.kind, MWT_UP);
    CU_ASSERT_NOT_EQUAL(mwt_tcp_expect_up(&master.end), 0);
    snprintf(address, sizeof address, "fd:%d", ends[0]);
    mwt_end_connect(&slave, address);
    CU_ASSERT_NOT_EQUAL(mwt_tcp_expect_up(&slave), 0);
    mwt_end_connect(&slave, "no-such-host.invalid:7000");
    mwt_end_poll(&slave, 0);

    CU_ASSERT_EQUAL(mwt_raw_first_inherited(), -1);
    mwt_tcp_close(&slave);
    mwt_tcp_close(&master.end);
    close(ends[1]);
}

static bool is_readable(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, 0) > 0;
}

/* A connection that is over is reported once, even if a process that the program has forked holds a
 * copy of its socket. */
static void test_copied_descriptor(void)
{
    struct mwt_end master;
    char address[32];
    char bound[32];
    int ends[2];
    mwt_tcp_open(&master);
    int fd = mwi_tcp_transport.fd(master.transport);
    CU_ASSERT_TRUE(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    int copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
    snprintf(address, sizeof address, "fd:%d", ends[0]);
    CU_ASSERT_EQUAL(
        mwi_tcp_transport.listen(master.transport, address, bound, sizeof bound, &master.why),
        MW_OK);
    CU_ASSERT_NOT_EQUAL(mwt_tcp_expect_up(&master), 0);

    close(ends[1]);
    mwt_tcp_expect_down(&master, "closed by the peer");
    mwt_end_poll(&master, INT64_MIN);

    CU_ASSERT_FALSE(is_readable(fd));
    mwt_tcp_close(&master);
    close(copy);
}

/* No descriptor is left open after close, nor after a drop once the peer has gone. */
static void test_no_descriptor_leak(void)
{
    unsigned before = mwt_raw_open_count();
    struct mwt_tcp_master master;
    mw_peer peer;
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    unsigned opened = mwt_raw_open_count();

    int raw = mwt_tcp_connect_raw(&master, &peer);
    mwt_end_drop(&master.end, peer);
    close(raw);
    int64_t deadline = mwt_end_now(&master.end) + MWT_PATIENCE_NS;
    while (mwt_raw_open_count() > opened && mwt_end_now(&master.end) < deadline)
        mwt_end_poll(&master.end, mwt_end_now(&master.end) + MWT_TCP_MS_NS);
    CU_ASSERT_EQUAL(mwt_raw_open_count(), opened);

    raw = mwt_tcp_connect_raw(&master, &peer);
    mwt_tcp_close(&master.end);
    close(raw);
    CU_ASSERT_EQUAL(mwt_raw_open_count(), before);
}

/* Valgrind puts a limit on descriptors into effect after the call: it accepts a connection that is
 * beyond the limit and closes it. */
static bool runs_under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

/* How many more descriptors an epoll set refuses. The transport calls this function in place of the
 * system's, which hands no context to it. */
static int refusals_count;

int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && refusals_count > 0) {
        refusals_count--;
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, set, operation, fd, event);
}

static void check_out_of_descriptors(int refusals)
{
    enum { WAITING = 5 };
    struct mwt_tcp_master master;
    struct rlimit limit;
    struct rlimit tight;
    mw_peer peer;
    int raws[WAITING];
    if (runs_under_valgrind()) {
        fprintf(stderr, "SKIPPED, valgrind has its own limit of descriptors\n");
        return;
    }
    mwt_tcp_open_master(&master, "127.0.0.1:0");
    int raw = mwt_tcp_connect_raw(&master, &peer);
    for (int i = 0; i < WAITING; i++)
        raws[i] = mwt_raw_connect(master.address);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = limit;
    tight.rlim_cur = (rlim_t)raws[WAITING - 1] + 1;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &tight), 0);

    CU_ASSERT_TRUE(mwt_tcp_wait_idly(&master.end, 250 * MWT_TCP_MS_NS) < 150 * MWT_TCP_MS_NS);
    CU_ASSERT_PTR_NULL(master.end.first);
    CU_ASSERT_TRUE(mwt_raw_write_frame(raw, "hello", 5));
    struct mwt_event message = mwt_tcp_expect(&master.end, MWT_MESSAGE);
    mwt_event_clear(&message);

    refusals_count = refusals;
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < WAITING; i++)
        CU_ASSERT_NOT_EQUAL(mwt_tcp_expect_up(&master.end), 0);
    for (int i = 0; i < WAITING; i++)
        close(raws[i]);
    close(raw);
    mwt_tcp_close(&master.end);
}

/* Out of descriptors, a listener does not spin, the present peers work on, and waiting ones come up
 * when there are descriptors again. */
static void test_out_of_descriptors(void)
{
    check_out_of_descriptors(0);
}

/* The same if the kernel has no memory yet when the listener wants to go on. */
static void test_out_of_memory_too(void)
{
    check_out_of_descriptors(2);
    CU_ASSERT_EQUAL(refusals_count, 0);
}

/* With any small number of descriptors, opening fails with a sentence or works. It never ends the
 * process. */
static void test_open_with_few_descriptors(void)
{
    enum { FEW = 12 };
    const mw_transport_config config = {.frame_bytes_max = MWT_TCP_LIMIT_BYTES, .wake_fd = -1};
    struct rlimit limit;
    unsigned before = mwt_raw_open_count();
    int next = dup(STDERR_FILENO);
    close(next);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);

    for (int left = 0; left <= FEW; left++) {
        void *transport = NULL;
        mw_reason why = {""};
        struct rlimit tight = {(rlim_t)(next + left), limit.rlim_max};
        CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &tight), 0);
        mw_error error = mwi_tcp_transport.open(&transport, &config, &why);
        CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (error == MW_OK) {
            mwi_tcp_transport.close(transport);
        } else {
            CU_ASSERT_TRUE(left < FEW);
            CU_ASSERT_EQUAL(error, MW_ENETWORK);
            CU_ASSERT_PTR_NOT_NULL(strstr(why.text, strerror(EMFILE)));
        }
    }
    CU_ASSERT_EQUAL(mwt_raw_open_count(), before);
}

void mwt_tcp_descriptors(CU_pSuite suite)
{
    static const CU_TestInfo tests[] = {
        {"adopt", test_adopt},
        {"pair last words", test_pair_last_words},
        {"adopt nonsense", test_adopt_nonsense},
        {"close on exec", test_close_on_exec},
        {"copied descriptor", test_copied_descriptor},
        {"no descriptor leak", test_no_descriptor_leak},
        {"out of descriptors", test_out_of_descriptors},
        {"out of memory too", test_out_of_memory_too},
        {"open with few descriptors", test_open_with_few_descriptors},
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        mwt_tcp_add(suite, &tests[i]);
}
