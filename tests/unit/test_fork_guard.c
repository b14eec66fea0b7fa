/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors in processes that are made by fork(): one that an algorithm makes loses those that
 * are noted, another one keeps them.
 */
#include "base/fork_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mwt_run.h"

/* A connection, whose near end is noted. */
struct line {
    int near, far;
};

static void open_line(struct line *line)
{
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    CU_ASSERT_TRUE(mwi_fork_guard_note(ends[0]));
    *line = (struct line){ends[0], ends[1]};
}

/* Whether the far end sees that all near ends are closed. */
static bool has_ended(const struct line *line)
{
    struct pollfd look = {.fd = line->far, .events = POLLIN};
    char byte;
    return poll(&look, 1, 0) == 1 && read(line->far, &byte, 1) == 0;
}

/* A forked process that lives until its `hold` is closed, or until this one ends. */
struct forked {
    pid_t pid;
    int hold, ready;
};

static void stay(int hold, int ready)
{
    char byte;
    if (write(ready, "r", 1) != 1 || read(hold, &byte, 1) != 0)
        _exit(1);
    _exit(0);
}

static struct forked fork_off(pid_t (*fork_by)(void))
{
    int hold[2], ready[2];
    char byte;
    CU_ASSERT_EQUAL_FATAL(pipe2(hold, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL_FATAL(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork_by();
    if (pid == 0) {
        close(hold[1]);
        stay(hold[0], ready[1]);
    }
    close(hold[0]);
    close(ready[1]);
    CU_ASSERT_EQUAL(read(ready[0], &byte, 1), 1);
    return (struct forked){pid, hold[1], ready[0]};
}

static void end_forked(const struct forked *forked)
{
    int status = -1;
    close(forked->hold);
    close(forked->ready);
    CU_ASSERT_EQUAL(waitpid(forked->pid, &status, 0), forked->pid);
    CU_ASSERT_EQUAL(status, 0);
}

/* Whether the far end learns of the end of this process's own near end while a forked process
 * lives. */
static bool is_end_seen(const bool *is_closed, pid_t (*fork_by)(void))
{
    struct mwi_fork_guard guard;
    struct line line;
    mwi_fork_guard_init(&guard, is_closed, NULL, NULL);
    open_line(&line);

    struct forked forked = fork_off(fork_by);
    CU_ASSERT_FALSE(has_ended(&line));
    mwi_fork_guard_close(line.near);
    bool is_seen = has_ended(&line);

    end_forked(&forked);
    CU_ASSERT_TRUE(has_ended(&line));
    close(line.far);
    mwi_fork_guard_fini(&guard);
    return is_seen;
}

/* A child of an algorithm keeps no noted descriptor. Other children do, also those of mw. */
static void test_who_keeps(void)
{
    static const bool is_closed = true, is_open = false;

    CU_ASSERT_TRUE(is_end_seen(&is_closed, fork));
    CU_ASSERT_FALSE(is_end_seen(&is_open, fork));
    CU_ASSERT_FALSE(is_end_seen(NULL, fork));
    CU_ASSERT_FALSE(is_end_seen(&is_closed, mwi_fork_guard_fork));
}

static bool is_yes = true;

/* Any number of descriptors can be noted, and in the child their numbers stay taken. */
static void test_numbers(void)
{
    enum { LINES_COUNT = 100 };
    struct line lines[LINES_COUNT];
    struct mwi_fork_guard guard;
    int status = -1;
    mwi_fork_guard_init(&guard, &is_yes, NULL, NULL);
    for (size_t i = 0; i < LINES_COUNT; i++)
        open_line(&lines[i]);

    pid_t pid = fork();
    if (pid == 0) {
        for (size_t i = 0; i < LINES_COUNT; i++)
            if (write(lines[i].near, "x", 1) != 1 || fcntl(lines[i].near, F_GETFD) != FD_CLOEXEC)
                _exit(1);
        _exit(0);
    }

    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    for (size_t i = 0; i < LINES_COUNT; i++) {
        char byte;
        CU_ASSERT_EQUAL(recv(lines[i].far, &byte, 1, MSG_DONTWAIT), -1);
        CU_ASSERT_EQUAL(errno, EAGAIN);
        mwi_fork_guard_close(lines[i].near);
        close(lines[i].far);
    }
    mwi_fork_guard_fini(&guard);
}

/* A number that was closed is another file's the next time, and is left alone. */
static void test_closed_numbers(void)
{
    struct line line, kept;
    struct mwi_fork_guard guard;
    int status = -1;
    mwi_fork_guard_init(&guard, &is_yes, NULL, NULL);
    open_line(&kept);
    open_line(&line);
    mwi_fork_guard_close(line.near);
    CU_ASSERT_EQUAL(fcntl(line.far, F_DUPFD, line.near), line.near);

    pid_t pid = fork();
    if (pid == 0)
        _exit(write(line.near, "x", 1) == -1 && errno == EPIPE ? 0 : 1);

    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    close(line.near);
    close(line.far);
    mwi_fork_guard_close(kept.near);
    close(kept.far);
    mwi_fork_guard_fini(&guard);
}

static void count_loss(void *context)
{
    ++*(int *)context;
}

/* All owners are told in the child and none in the parent, but not those that have gone. The child
 * is then like any other process: it can have a farm of its own, and become a daemon with it. */
static void test_owners(void)
{
    int losses[3] = {0}, status = -1;
    struct mwi_fork_guard guards[3];
    mwi_fork_guard_init(&guards[0], NULL, count_loss, &losses[0]);
    mwi_fork_guard_init(&guards[1], &is_yes, count_loss, &losses[1]);
    mwi_fork_guard_init(&guards[2], NULL, count_loss, &losses[2]);
    mwi_fork_guard_fini(&guards[2]);

    pid_t pid = fork();
    if (pid == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(losses[0] == 1 && losses[1] == 1 && losses[2] == 0 ? 0 : 1);
        _exit(waitpid(grandchild, &status, 0) == grandchild && status == 0 ? 0 : 1);
    }

    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(losses[0] + losses[1] + losses[2], 0);
    mwi_fork_guard_fini(&guards[0]);
    mwi_fork_guard_fini(&guards[1]);
}

/* Without a descriptor nothing is noted, and errno says why there is none. */
static void test_opened(void)
{
    mwi_fork_guard_begin();
    errno = EMFILE;
    CU_ASSERT_EQUAL(mwi_fork_guard_opened(-1), -1);
    CU_ASSERT_EQUAL(errno, EMFILE);

    mwi_fork_guard_begin();
    int fd = mwi_fork_guard_opened(dup(STDIN_FILENO));
    CU_ASSERT_TRUE(fd > STDIN_FILENO);
    CU_ASSERT_TRUE(mwi_fork_guard_note(fd));
    mwi_fork_guard_close(fd);
    CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), -1);
}

static atomic_bool must_end;

/* Opens and closes connections, as a farm does whose slaves come and go. */
static void *open_and_close(void *context)
{
    (void)context;
    while (!must_end) {
        int ends[2];
        mwi_fork_guard_begin();
        int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
        ends[0] = mwi_fork_guard_opened(made == 0 ? ends[0] : -1);
        if (ends[0] < 0)
            continue;
        mwi_fork_guard_close(ends[0]);
        close(ends[1]);
    }
    return NULL;
}

/* Another thread of the program may fork at any time: no child keeps a descriptor, and none hangs.
 */
static void test_threads(void)
{
    enum { FORKS_COUNT = 300 };
    struct mwi_fork_guard guard;
    struct line line;
    pthread_t thread;
    mwi_fork_guard_init(&guard, &is_yes, NULL, NULL);
    open_line(&line);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, open_and_close, NULL), 0);

    for (int i = 0; i < FORKS_COUNT; i++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(send(line.near, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == -1 && errno == ENOTSOCK
                      ? 0
                      : 1);
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        CU_ASSERT_EQUAL(status, 0);
    }

    must_end = true;
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    mwi_fork_guard_close(line.near);
    close(line.far);
    mwi_fork_guard_fini(&guard);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"who keeps", test_who_keeps},
        {"numbers", test_numbers},
        {"closed numbers", test_closed_numbers},
        {"owners", test_owners},
        {"opened", test_opened},
        {"threads", test_threads},
        CU_TEST_INFO_NULL,
    };
    signal(SIGPIPE, SIG_IGN);
    return mwt_run("fork_guard", tests);
}
