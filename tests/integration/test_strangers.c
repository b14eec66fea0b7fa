/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to a master's port that are no slaves: they do no harm, and the audit trail names
 * their end.
 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mwt_process.h"
#include "mwt_random.h"
#include "mwt_run.h"

/* Starts a master of ten tasks that waits for slaves. */
struct farm {
    struct mwt_crew *crew;
    struct mwt_process *master;
    const char *port;
    int64_t opened_ns;
};

static void open_farm(struct farm *farm, const char *option, const char *value)
{
    farm->crew = mwt_crew_create();
    farm->opened_ns = mwt_now_ns();
    farm->master = mwt_run_program(farm->crew, MWT_FARM, "--mw-master", "--mw-master-host",
                                   "127.0.0.1", "echo", "10", option, value, NULL);
    const char *line = mwt_await_line(farm->master, MWT_ERR, "MASTER READY 127.0.0.1:");
    farm->port = mwt_format(farm->crew, "%s", line == NULL ? "1" : strrchr(line, ':') + 1);
}

/* A slave does the work all the same, and the trail has few lines about the strangers. */
static void close_farm(struct farm *farm)
{
    struct mwt_process *slave =
        mwt_run_program(farm->crew, MWT_FARM, "--mw-slave", "--mw-master-host", "127.0.0.1",
                        "--mw-master-port", farm->port, NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm->master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    const char *trail = mwt_output(farm->master, MWT_ERR);
    size_t seconds = (size_t)((mwt_now_ns() - farm->opened_ns) / 1000000000) + 1;
    CU_ASSERT(mwt_count(trail, "NEW-CLIENT ") + mwt_count(trail, "EOF -> ") <= 12 * seconds + 2);
    mwt_await_line(farm->master, MWT_OUT, "farm: 10 done, 0 failed, 0 unrunnable, 0 lost or wrong");
    mwt_crew_destroy(farm->crew);
}

/* Connects to the master. Returns -1, and fails the check, if it cannot. */
static int call_master(const struct farm *farm)
{
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = MWT_WAIT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (getaddrinfo("127.0.0.1", farm->port, &hints, &found) != 0 ||
        connect(fd, found->ai_addr, found->ai_addrlen) != 0)
        CU_FAIL("no connection to the master");
    freeaddrinfo(found);
    return fd;
}

/* The master may close the connection while we still send. */
static void say(int fd, const void *bytes, size_t size)
{
    send(fd, bytes, size, MSG_NOSIGNAL);
}

/* Waits until the master has closed the connection, and ignores the bytes before that. */
static void await_close(int fd)
{
    char bytes[256];
    ssize_t got;
    do
        got = recv(fd, bytes, sizeof bytes, 0);
    while (got > 0);
    /* A reset is a close too: the master closed with our bytes unread. */
    CU_ASSERT(got == 0 || errno == ECONNRESET);
    close(fd);
}

/* Sends ten thousand random bytes, over one connection after the other. */
static void test_random_bytes(void)
{
    enum { BYTES_COUNT = 10240, TIMES = 20 };
    struct mwt_random random;
    mwt_random_start(&random);
    struct farm farm;
    open_farm(&farm, NULL, NULL);

    for (int i = 0; i < TIMES; i++) {
        unsigned char bytes[BYTES_COUNT];
        for (size_t j = 0; j < sizeof bytes; j++)
            bytes[j] = (unsigned char)mwt_random_next(&random);
        int fd = call_master(&farm);
        say(fd, bytes, sizeof bytes);
        shutdown(fd, SHUT_WR);
        await_close(fd);
    }

    close_farm(&farm);
}

/* Sends the bytes that made CL-MW's master crash, and beginnings of messages. */
static void test_chosen_bytes(void)
{
    static const struct {
        unsigned char bytes[16];
        size_t size;
    } cases[] = {
        {{0, 1, 0}, 3},
        {{0}, 1},
        {{0, 0, 0, 0}, 4},
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 16},
        {{0, 0, 0, 1, 0xc1}, 5},
        {{1, 0, 0, 0, 0xc1}, 5},
        {{0xff, 0xff, 0xff, 0xff}, 4},
        {{0x7f, 0xff, 0xff, 0xff, 0x93, 1, 2, 3}, 8},
        {"GET / HTTP/1.1\r\n", 16},
    };
    struct farm farm;
    open_farm(&farm, NULL, NULL);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = call_master(&farm);
        say(fd, cases[i].bytes, cases[i].size);
        shutdown(fd, SHUT_WR);
        await_close(fd);
    }

    close_farm(&farm);
}

/* Connections stay open and send nothing, or half a message, while the farm does its work and
 * ends. */
static void test_connections_that_stay(void)
{
    enum { CONNECTIONS_COUNT = 50 };
    static const unsigned char half[] = {0, 1, 0};
    int fds[CONNECTIONS_COUNT];
    struct farm farm;
    open_farm(&farm, NULL, NULL);

    for (size_t i = 0; i < CONNECTIONS_COUNT; i++) {
        fds[i] = call_master(&farm);
        if (i % 2 == 0)
            say(fds[i], half, sizeof half);
    }

    close_farm(&farm);
    for (size_t i = 0; i < CONNECTIONS_COUNT; i++)
        close(fds[i]);
}

/* A connection is reset at once. */
static void test_reset(void)
{
    struct farm farm;
    open_farm(&farm, NULL, NULL);

    int fd = call_master(&farm);
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
    mwt_await_line(farm.master, MWT_ERR, "EOF -> 127.0.0.1:");

    close_farm(&farm);
}

/* A client that does not greet in time is dropped, and so is a client that sends half a
 * greeting. */
static void test_silent_client(void)
{
    static const unsigned char half[] = {0, 1, 0};
    struct farm farm;
    open_farm(&farm, "--mw-client-timeout", "1");

    int64_t began_ns = mwt_now_ns();
    int silent = call_master(&farm), slow = call_master(&farm);
    say(slow, half, sizeof half);
    for (int i = 0; i < 2; i++)
        mwt_await_line(farm.master, MWT_ERR,
                       "refused: it did not greet within --mw-client-timeout");

    CU_ASSERT(mwt_now_ns() - began_ns > INT64_C(900000000));
    await_close(silent);
    await_close(slow);
    close_farm(&farm);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"random bytes", test_random_bytes},
        {"chosen bytes", test_chosen_bytes},
        {"connections that stay", test_connections_that_stay},
        {"reset", test_reset},
        {"silent client", test_silent_client},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("strangers", tests);
}
