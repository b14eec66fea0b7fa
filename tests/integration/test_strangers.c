/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to a master's port that are no slaves: they do no harm, and the audit trail names
 * their end. Each case has a farm that is encrypted, and one with --mw-insecure, whose master reads
 * more of what strangers say.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mwt_process.h"
#include "mwt_random.h"
#include "mwt_run.h"

/* A master of ten tasks that waits for slaves. */
struct farm {
    struct mwt_crew *crew;
    struct mwt_process *master;
    const char *port;
    bool is_insecure;
    int64_t opened_ns;
};

/* The master may have `descriptors_max` descriptors. */
static void open_small_farm(struct farm *farm, bool is_insecure, int descriptors_max,
                            const char *option, const char *value)
{
    static const char script[] = "ulimit -S -n $0 && exec \"$@\"";
    struct mwt_crew *crew = mwt_crew_create();
    *farm = (struct farm){.crew = crew, .is_insecure = is_insecure, .opened_ns = mwt_now_ns()};
    const char *protection = is_insecure ? "--mw-insecure" : "--mw-master";
    farm->master = mwt_run_program(
        crew, "sh", "-c", script, mwt_format(crew, "%d", descriptors_max), MWT_FARM, "--mw-master",
        protection, "--mw-master-host", "127.0.0.1", "echo", "10", option, value, NULL);
    const char *line = mwt_await_line(farm->master, MWT_ERR, "MASTER READY 127.0.0.1:");
    farm->port = mwt_format(crew, "%s", line == NULL ? "1" : strrchr(line, ':') + 1);
}

static void open_farm(struct farm *farm, bool is_insecure, const char *option, const char *value)
{
    open_small_farm(farm, is_insecure, 1024, option, value);
}

/* A slave does the work all the same, and the trail has few lines about the strangers. */
static void close_farm(struct farm *farm)
{
    const char *protection = farm->is_insecure ? "--mw-insecure" : "--mw-slave";
    struct mwt_process *slave =
        mwt_run_program(farm->crew, MWT_FARM, "--mw-slave", protection, "--mw-master-host",
                        "127.0.0.1", "--mw-master-port", farm->port, NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm->master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    const char *trail = mwt_output(farm->master, MWT_ERR);
    size_t seconds = (size_t)((mwt_now_ns() - farm->opened_ns) / 1000000000) + 1;
    size_t lines = mwt_count(trail, "NEW-CLIENT ") + mwt_count(trail, "EOF -> ") +
                   mwt_count(trail, "STRANGER ");
    CU_ASSERT(lines <= 13 * seconds + 2);
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
static void try_random_bytes(bool is_insecure)
{
    enum { BYTES_COUNT = 10240, TIMES = 20 };
    struct mwt_random random;
    mwt_random_start(&random);
    struct farm farm;
    open_farm(&farm, is_insecure, NULL, NULL);

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
static void try_chosen_bytes(bool is_insecure)
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
    open_farm(&farm, is_insecure, NULL, NULL);

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
static void try_connections_that_stay(bool is_insecure)
{
    enum { CONNECTIONS_COUNT = 50 };
    static const unsigned char half[] = {0, 1, 0};
    int fds[CONNECTIONS_COUNT];
    struct farm farm;
    open_farm(&farm, is_insecure, NULL, NULL);

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
static void try_reset(bool is_insecure)
{
    struct farm farm;
    open_farm(&farm, is_insecure, NULL, NULL);

    int fd = call_master(&farm);
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
    mwt_await_line(farm.master, MWT_ERR, " 127.0.0.1:");

    close_farm(&farm);
}

/* The largest memory that a process has had, in KiB. */
static long peak_memory_kib(pid_t pid)
{
    char path[64];
    char line[256];
    long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (kib < 0 && fgets(line, sizeof line, file) != NULL)
        (void)sscanf(line, "VmHWM: %ld", &kib);
    fclose(file);
    return kib;
}

/* Announces a message of `mib` MiB and sends it, as far as the master lets it. */
static void send_large(int fd, size_t mib)
{
    static const char bytes[1 << 20];
    const unsigned char header[4] = {(unsigned char)(mib >> 4), (unsigned char)(mib << 4), 0, 0};
    say(fd, header, sizeof header);
    for (size_t i = 0; i < mib; i++)
        if (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) < 0)
            break;
}

/* Strangers that send large messages cost the master no memory. */
static void try_large_messages(bool is_insecure)
{
    enum { STRANGERS = 20, SIZE_MIB = 63, COST_KIB = 16 * 1024 };
    struct farm farm;
    open_farm(&farm, is_insecure, NULL, NULL);
    long before_kib = peak_memory_kib(mwt_pid(farm.master));

    for (int i = 0; i < STRANGERS; i++) {
        int fd = call_master(&farm);
        send_large(fd, SIZE_MIB);
        await_close(fd);
    }

    CU_ASSERT(peak_memory_kib(mwt_pid(farm.master)) < before_kib + COST_KIB);
    close_farm(&farm);
}

/* Connections that say nothing use up all descriptors but those of the farm. A slave joins and does
 * the work, as its master opens files too. */
static void try_descriptors(bool is_insecure)
{
    enum { CONNECTIONS_COUNT = 300, DESCRIPTORS_MAX = 64 };
    int fds[CONNECTIONS_COUNT];
    struct farm farm;
    open_small_farm(&farm, is_insecure, DESCRIPTORS_MAX, NULL, NULL);
    for (size_t i = 0; i < CONNECTIONS_COUNT; i++)
        fds[i] = call_master(&farm);

    close_farm(&farm);

    for (size_t i = 0; i < CONNECTIONS_COUNT; i++)
        close(fds[i]);
}

/* A connection that says a byte a second is over after some 10 s. */
static void try_trickle(bool is_insecure)
{
    struct farm farm;
    open_farm(&farm, is_insecure, NULL, NULL);
    int fd = call_master(&farm);
    const struct timeval second = {.tv_sec = 1};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    say(fd, is_insecure ? "\0\0\x10\0" : "\x16\3\1\2", 4);
    char byte = 0;
    int64_t began_ns = mwt_now_ns();

    do
        say(fd, &byte, 1);
    while (recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN &&
           mwt_now_ns() < began_ns + MWT_WAIT_S * INT64_C(1000000000));

    int64_t took_ns = mwt_now_ns() - began_ns;
    CU_ASSERT(took_ns > 8 * INT64_C(1000000000) && took_ns < 25 * INT64_C(1000000000));
    close(fd);
    close_farm(&farm);
}

static void test_random_bytes(void)
{
    try_random_bytes(false);
    try_random_bytes(true);
}

static void test_chosen_bytes(void)
{
    try_chosen_bytes(false);
    try_chosen_bytes(true);
}

static void test_connections_that_stay(void)
{
    try_connections_that_stay(false);
    try_connections_that_stay(true);
}

static void test_reset(void)
{
    try_reset(false);
    try_reset(true);
}

static void test_large_messages(void)
{
    try_large_messages(false);
    try_large_messages(true);
}

static void test_descriptors(void)
{
    try_descriptors(false);
    try_descriptors(true);
}

static void test_trickle(void)
{
#ifndef MWT_WITHOUT_TLS
    try_trickle(false);
#endif
    try_trickle(true);
}

/* A client that does not greet in time is dropped. --mw-client-timeout may shorten the time. */
static void test_silent_client(void)
{
    static const unsigned char half[] = {0, 0, 1, 0};
    struct farm farm;
    open_farm(&farm, true, "--mw-client-timeout", "1");

    int64_t began_ns = mwt_now_ns();
    int slow = call_master(&farm);
    say(slow, half, sizeof half);
    mwt_await_line(farm.master, MWT_ERR, "refused: it did not greet within --mw-client-timeout");

    CU_ASSERT(mwt_now_ns() - began_ns > INT64_C(900000000));
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
        {"large messages", test_large_messages},
        {"descriptors", test_descriptors},
        {"trickle", test_trickle},
        {"silent client", test_silent_client},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("strangers", tests);
}
