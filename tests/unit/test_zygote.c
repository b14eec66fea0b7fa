/* SPDX-License-Identifier: Apache-2.0
 *
 * The zygote of isolated slaves: its children are fresh, it says how they end, and nothing is left
 * of them. A child of these tests does what the bytes from its channel say.
 */
#include "loop/zygote.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mwt_run.h"

#define WAIT_MS 60000

struct page {
    _Atomic uint64_t count;
};

static void take_memory(size_t size)
{
    volatile char *memory = malloc(size);
    for (size_t i = 0; memory != NULL && i < size; i += 4096)
        memory[i] = 1;
}

/* The child: 3 ends it with this status, 'k' by a signal, 'f' forks a process that keeps the
 * channel open for ever, 'm' takes 200 MiB, 'c' counts, 'g' kills the process group,
 * 's' forks four processes that share 60 MiB with it, 'o' leaves an orphan in a session of its own
 * that takes 200 MiB. */
static _Noreturn void be_child(const struct mwi_zygote *zygote, int channel)
{
    struct page *page = zygote->page;
    char order;
    while (read(channel, &order, 1) == 1) {
        if (order == 'k') {
            signal(SIGSEGV, SIG_DFL); /* without it a sanitizer would exit */
            raise(SIGSEGV);
        }
        if (order == 'g')
            kill(0, SIGKILL);
        if (order == 'c')
            atomic_fetch_add(&page->count, 1);
        if (order == 'f' && fork() == 0)
            order = 'p';
        if (order == 's') {
            take_memory((size_t)60 << 20);
            for (int i = 0; i < 4 && order == 's'; i++)
                order = fork() == 0 ? 'p' : 's';
        }
        if (order == 'o' && fork() == 0) {
            (void)setsid();
            if (fork() != 0)
                _exit(0);
            order = 'm';
        }
        if (order == 'm') {
            take_memory((size_t)200 << 20);
            order = 'p';
        }
        while (order == 'p')
            pause();
        if (order == 3)
            _exit(3);
        ssize_t written = write(channel, &order, 1);
        (void)written;
    }
    _exit(0);
}

static void open_zygote(struct mwi_zygote *zygote, size_t memory_bytes_max)
{
    const struct mwi_zygote_plan plan = {
        .memory_bytes_max = memory_bytes_max, .closed_fd = -1, .page_bytes = sizeof(struct page)};
    enum mwi_zygote_side side;
    int channel;
    mw_reason why;
    CU_ASSERT_EQUAL_FATAL(mwi_zygote_open(zygote, &plan, &side, &channel, &why), MW_OK);
    if (side == MWI_ZYGOTE_OF_CHILD)
        be_child(zygote, channel);
}

/* Starts a child. Returns this end of its channel. */
static int start_child(struct mwi_zygote *zygote)
{
    int sockets[2];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    CU_ASSERT_TRUE(mwi_zygote_start(zygote, sockets[1]));
    close(sockets[1]);
    return sockets[0];
}

static void order(int channel, char what)
{
    CU_ASSERT_EQUAL(send(channel, &what, 1, MSG_NOSIGNAL), 1);
}

/* Waits until the child has answered an order. */
static void await_answer(int channel)
{
    char byte;
    struct pollfd answer = {.fd = channel, .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&answer, 1, WAIT_MS), 1);
    CU_ASSERT_EQUAL(read(channel, &byte, 1), 1);
}

/* Waits until all that holds the other end of the channel has ended. */
static void await_end(int channel)
{
    char bytes[16];
    struct pollfd end = {.fd = channel, .events = POLLIN};
    ssize_t size = 1;
    while (size > 0) {
        CU_ASSERT_EQUAL_FATAL(poll(&end, 1, WAIT_MS), 1);
        size = read(channel, bytes, sizeof bytes);
    }
    close(channel);
}

static enum mwi_zygote_news await_news(struct mwi_zygote *zygote, mw_reason *how, int *status)
{
    struct pollfd news = {.fd = zygote->socket, .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&news, 1, WAIT_MS), 1);
    return mwi_zygote_read(zygote, how, status);
}

/* The zygote says how each child has ended. */
static void test_ends(void)
{
    static const struct {
        char order;
        const char *how;
        int status;
    } ends[] = {{3, "exited with status 3", 3},
                {'k', "was killed by signal 11 (Segmentation fault)", -1},
                {'g', "was killed by signal 9 (Killed)", -1},
                {3, "exited with status 3", 3}};
    struct mwi_zygote zygote;
    mw_reason how;
    int status;
    open_zygote(&zygote, 0);

    CU_ASSERT_EQUAL(mwi_zygote_read(&zygote, &how, &status), MWI_ZYGOTE_NOTHING);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        int channel = start_child(&zygote);
        order(channel, ends[i].order);
        CU_ASSERT_EQUAL(await_news(&zygote, &how, &status), MWI_ZYGOTE_ENDED);
        CU_ASSERT_STRING_EQUAL(how.text, ends[i].how);
        CU_ASSERT_EQUAL(status, ends[i].status);
        await_end(channel);
    }
    mwi_zygote_close(&zygote);
}

/* Children write to the page, which the slave reads. */
static void test_page(void)
{
    struct mwi_zygote zygote;
    open_zygote(&zygote, 0);
    struct page *page = zygote.page;
    int channel = start_child(&zygote);

    order(channel, 'c');
    await_answer(channel);

    CU_ASSERT_EQUAL(atomic_load(&page->count), 1);
    close(channel);
    mwi_zygote_close(&zygote);
}

/* A child is killed with what it has forked off. */
static void test_kill(void)
{
    struct mwi_zygote zygote;
    mw_reason how;
    int status;
    open_zygote(&zygote, 0);
    int channel = start_child(&zygote);
    order(channel, 'f');
    await_answer(channel);

    mwi_zygote_kill(&zygote);

    CU_ASSERT_EQUAL(await_news(&zygote, &how, &status), MWI_ZYGOTE_ENDED);
    CU_ASSERT_STRING_EQUAL(how.text, "was killed by signal 9 (Killed)");
    await_end(channel);
    mwi_zygote_close(&zygote);
}

/* When the slave ends, nothing is left. */
static void test_close(void)
{
    struct mwi_zygote zygote;
    open_zygote(&zygote, 0);
    int channel = start_child(&zygote);
    order(channel, 'f');
    await_answer(channel);

    mwi_zygote_close(&zygote);

    await_end(channel);
}

/* A report that nobody has read does not stand in the way of closing. */
static void test_close_unread(void)
{
    struct mwi_zygote zygote;
    open_zygote(&zygote, 0);
    int channel = start_child(&zygote);
    struct pollfd news = {.fd = zygote.socket, .events = POLLIN};
    order(channel, 3);
    CU_ASSERT_EQUAL(poll(&news, 1, WAIT_MS), 1);

    mwi_zygote_close(&zygote);

    CU_ASSERT(kill(zygote.pid, 0) != 0 && errno == ESRCH);
    await_end(channel);
}

/* A zygote that does not end by itself is killed, and its child with it. */
static void test_close_stopped(void)
{
    struct mwi_zygote zygote;
    open_zygote(&zygote, 0);
    int channel = start_child(&zygote);
    order(channel, 'c');
    await_answer(channel);
    kill(zygote.pid, SIGSTOP);

    mwi_zygote_close(&zygote);

    CU_ASSERT(kill(zygote.pid, 0) != 0 && errno == ESRCH);
    await_end(channel);
}

/* A child that has more memory than it may is killed, also if an orphan of it has the memory. */
static void test_memory(void)
{
    static const char orders[] = {'m', 'o'};
    struct mwi_zygote zygote;
    mw_reason how;
    int status;
    open_zygote(&zygote, (size_t)150 << 20);
    for (size_t i = 0; i < sizeof orders; i++) {
        int channel = start_child(&zygote);

        order(channel, orders[i]);

        CU_ASSERT_EQUAL(await_news(&zygote, &how, &status), MWI_ZYGOTE_ENDED);
        CU_ASSERT_STRING_EQUAL(how.text, "was ended: it had more than the 157286400 bytes of "
                                         "--mw-slave-memory");
        await_end(channel);
    }
    mwi_zygote_close(&zygote);
}

/* Memory that a child shares with processes that it has forked counts once. The test waits for
 * several measurements. */
static void test_shared_memory(void)
{
    struct mwi_zygote zygote;
    mw_reason how;
    int status;
    open_zygote(&zygote, (size_t)150 << 20);
    int channel = start_child(&zygote);
    order(channel, 's');
    await_answer(channel);

    struct pollfd news = {.fd = zygote.socket, .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&news, 1, 500), 0);
    order(channel, 3);

    CU_ASSERT_EQUAL(await_news(&zygote, &how, &status), MWI_ZYGOTE_ENDED);
    CU_ASSERT_STRING_EQUAL(how.text, "exited with status 3");
    await_end(channel);
    mwi_zygote_close(&zygote);
}

/* A zygote that somebody has killed is gone, and its child with it. */
static void test_killed_zygote(void)
{
    struct mwi_zygote zygote;
    mw_reason how;
    int status;
    open_zygote(&zygote, 0);
    int channel = start_child(&zygote);
    order(channel, 'c');
    await_answer(channel);

    kill(zygote.pid, SIGKILL);

    CU_ASSERT_EQUAL(await_news(&zygote, &how, &status), MWI_ZYGOTE_GONE);
    await_end(channel);
    CU_ASSERT_FALSE(mwi_zygote_start(&zygote, STDIN_FILENO));
    mwi_zygote_close(&zygote);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"ends", test_ends},
        {"page", test_page},
        {"kill", test_kill},
        {"close", test_close},
        {"close unread", test_close_unread},
        {"close stopped", test_close_stopped},
        {"memory", test_memory},
        {"shared memory", test_shared_memory},
        {"killed zygote", test_killed_zygote},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("zygote", tests);
}
