/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGINT and SIGTERM while a farm runs: the first is a request that wakes the loop, the second ends
 * the program, and all is put back at the end.
 */
#include "loop/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mwt_loop.h"
#include "mwt_run.h"

static bool is_readable(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    return poll(&look, 1, 0) == 1;
}

/* A signal wakes a poll until it was asked for; it is known from then on. */
static void check_signal(int number)
{
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(false), MW_OK);
    CU_ASSERT_EQUAL(mwi_signals_caught(), 0);
    CU_ASSERT_FALSE(is_readable(mwi_signals_fd()));

    raise(number);

    CU_ASSERT_TRUE(is_readable(mwi_signals_fd()));
    CU_ASSERT_EQUAL(mwi_signals_caught(), number);
    CU_ASSERT_FALSE(is_readable(mwi_signals_fd()));
    CU_ASSERT_EQUAL(mwi_signals_caught(), number);
    mwi_signals_restore();
}

/* Both signals ask a program to end; one that is installed anew begins anew. */
static void test_signals(void)
{
    check_signal(SIGINT);
    check_signal(SIGTERM);
}

/* While the handlers are installed, a broken pipe does not end the process. */
static void test_broken_pipe(void)
{
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(false), MW_OK);
    close(ends[0]);

    CU_ASSERT_EQUAL(write(ends[1], "x", 1), -1);

    mwi_signals_restore();
    close(ends[1]);
}

static int hits;

static void count_hit(int number)
{
    (void)number;
    hits++;
}

/* The program's own handlers are restored. */
static void test_restore(void)
{
    struct sigaction ours = {.sa_handler = count_hit}, found;
    CU_ASSERT_EQUAL(sigaction(SIGTERM, &ours, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(false), MW_OK);
    raise(SIGTERM);
    CU_ASSERT_EQUAL(hits, 0);

    mwi_signals_restore();

    raise(SIGTERM);
    CU_ASSERT_EQUAL(hits, 1);
    CU_ASSERT_EQUAL(sigaction(SIGINT, NULL, &found), 0);
    CU_ASSERT_TRUE(found.sa_handler == SIG_DFL);
    CU_ASSERT_EQUAL(sigaction(SIGPIPE, NULL, &found), 0);
    CU_ASSERT_TRUE(found.sa_handler == SIG_DFL);
    CU_ASSERT_EQUAL(sigaction(SIGXFSZ, NULL, &found), 0);
    CU_ASSERT_TRUE(found.sa_handler == SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

/* A local slave leaves SIGINT to its master, and heeds SIGTERM. */
static void test_local_slave(void)
{
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(true), MW_OK);

    raise(SIGINT);
    CU_ASSERT_EQUAL(mwi_signals_caught(), 0);
    CU_ASSERT_FALSE(is_readable(mwi_signals_fd()));
    raise(SIGTERM);

    CU_ASSERT_EQUAL(mwi_signals_caught(), SIGTERM);
    mwi_signals_restore();
}

/* Runs in a process of its own, which two signals shall end. */
static void be_impatient(int first, int second)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (mwi_signals_install(false) != MW_OK)
        _exit(1);
    raise(first);
    if (mwi_signals_caught() != first)
        _exit(2);
    raise(second);
    _exit(3);
}

/* The signal that ends a process after it was sent another before. */
static int fatal_signal(int first, int second)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        be_impatient(first, second);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* A user that asks twice does not want to wait. */
static void test_second_signal(void)
{
    CU_ASSERT_EQUAL(fatal_signal(SIGINT, SIGINT), SIGINT);
    CU_ASSERT_EQUAL(fatal_signal(SIGINT, SIGTERM), SIGTERM);
    CU_ASSERT_EQUAL(fatal_signal(SIGTERM, SIGINT), SIGINT);
}

/* A signal ends the wait of a loop, once: the loop itself empties the pipe. */
static void test_watch(void)
{
    static struct mwt_loop loop;
    mw_reason why;
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(false), MW_OK);
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(&loop, NULL));
    CU_ASSERT_EQUAL_FATAL(mwi_signals_watch(loop.loop, &why), MW_OK);
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(&loop, 0, &mwt_fake_sleeping));
    CU_ASSERT_FALSE(is_readable(loop.fakes[0].config.wake_fd));

    raise(SIGINT);
    CU_ASSERT_TRUE(is_readable(loop.fakes[0].config.wake_fd));
    loop.fakes[0].is_woken = true;
    CU_ASSERT_EQUAL(mwi_loop_turn(loop.loop, INT64_MAX, NULL, &why), MW_OK);

    CU_ASSERT_FALSE(is_readable(loop.fakes[0].config.wake_fd));
    CU_ASSERT_EQUAL(mwi_signals_caught(), SIGINT);
    mwt_loop_close(&loop);
    mwi_signals_restore();
}

/* The pipe of the handlers is nothing for the programs that are started. */
static void test_descriptors_are_not_inherited(void)
{
    char command[64];
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(false), MW_OK);

    snprintf(command, sizeof command, "test ! -e /proc/self/fd/%d", mwi_signals_fd());
    CU_ASSERT_EQUAL(system(command), 0);

    mwi_signals_restore();
    CU_ASSERT_EQUAL(mwi_signals_fd(), -1);
}

/* Without descriptors there are no handlers, and nothing has changed. */
static void test_no_descriptors(void)
{
    struct rlimit before, none;
    struct sigaction found;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};

    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    mw_error error = mwi_signals_install(false);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);

    CU_ASSERT_EQUAL(error, MW_EIO);
    CU_ASSERT_EQUAL(sigaction(SIGTERM, NULL, &found), 0);
    CU_ASSERT_TRUE(found.sa_handler == SIG_DFL);
}

/* Signals are told by their names. */
static void test_names(void)
{
    CU_ASSERT_STRING_EQUAL(mwi_signals_name(SIGINT), "SIGINT");
    CU_ASSERT_STRING_EQUAL(mwi_signals_name(SIGTERM), "SIGTERM");
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"signals", test_signals},
        {"broken pipe", test_broken_pipe},
        {"restore", test_restore},
        {"local slave", test_local_slave},
        {"second signal", test_second_signal},
        {"watch", test_watch},
        {"descriptors are not inherited", test_descriptors_are_not_inherited},
        {"no descriptors", test_no_descriptors},
        {"names", test_names},
        CU_TEST_INFO_NULL,
    };
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    return mwt_run("signals", tests);
}
