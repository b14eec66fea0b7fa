/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGINT and SIGTERM while a farm runs: the first is a request that wakes the loop, the second ends
 * the program, and all is put back at the end. Processes that are started meanwhile get the signals
 * as they were found.
 */
#include "loop/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);
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
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);
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
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);
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

static void block(int number, int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(how, &set, NULL);
}

static bool is_blocked(int number)
{
    sigset_t set;
    sigprocmask(SIG_SETMASK, NULL, &set);
    return sigismember(&set, number) == 1;
}

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* SIGTERM is heeded although it was ignored and blocked, and is both again afterwards. */
static void test_stubborn_start(void)
{
    signal(SIGTERM, SIG_IGN);
    block(SIGTERM, SIG_BLOCK);

    check_signal(SIGTERM);

    CU_ASSERT_TRUE(is_ignored(SIGTERM));
    CU_ASSERT_TRUE(is_blocked(SIGTERM));
    CU_ASSERT_FALSE(is_blocked(SIGINT));
    block(SIGTERM, SIG_UNBLOCK);
    signal(SIGTERM, SIG_DFL);
}

/* SIGINT is heeded although it was blocked, but stays ignored in a program that a shell has started
 * in the background. */
static void test_background(void)
{
    block(SIGINT, SIG_BLOCK);
    check_signal(SIGINT);
    CU_ASSERT_TRUE(is_blocked(SIGINT));
    signal(SIGINT, SIG_IGN);

    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);
    CU_ASSERT_TRUE(is_ignored(SIGINT));
    CU_ASSERT_TRUE(is_blocked(SIGINT));
    mwi_signals_restore();

    block(SIGINT, SIG_UNBLOCK);
    signal(SIGINT, SIG_DFL);
}

/* The lines of a command's /proc/self/status that say which signals it ignores and blocks. */
static void read_command(char *lines, size_t size)
{
    FILE *command = popen("grep -E '^Sig(Ign|Blk)' /proc/self/status", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(command);
    size_t length = fread(lines, 1, size - 1, command);
    lines[length] = '\0';
    CU_ASSERT_EQUAL(pclose(command), 0);
}

/* A program that is started finds the signals as they were before. */
static void check_command(void)
{
    char before[128], during[128];
    read_command(before, sizeof before);
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);

    read_command(during, sizeof during);

    mwi_signals_restore();
    CU_ASSERT_STRING_EQUAL(during, before);
}

/* Programs that are started find those signals ignored that were so before, and no others. */
static void test_commands(void)
{
    check_command();
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    block(SIGUSR1, SIG_BLOCK);

    check_command();

    block(SIGUSR1, SIG_UNBLOCK);
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

/* Returns 0 if a forked process finds all as it was before. */
static int look_in_child(void)
{
    static const int numbers[] = {SIGINT, SIGPIPE, SIGXFSZ};
    struct sigaction action;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], NULL, &action) != 0 || action.sa_handler != SIG_DFL)
            return 1;
    if (mwi_signals_fd() != -1)
        return 2;
    return is_ignored(SIGTERM) && is_blocked(SIGTERM) ? 0 : 3;
}

/* A process that only forks finds the signals as they were before, and its end changes nothing. */
static void test_fork(void)
{
    int status = -1;
    signal(SIGTERM, SIG_IGN);
    block(SIGTERM, SIG_BLOCK);
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);

    pid_t pid = fork();
    if (pid == 0)
        _exit(look_in_child());
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);

    block(SIGTERM, SIG_UNBLOCK);
    raise(SIGTERM);
    CU_ASSERT_EQUAL(mwi_signals_caught(), SIGTERM);
    mwi_signals_restore();
    block(SIGTERM, SIG_UNBLOCK);
    signal(SIGTERM, SIG_DFL);
}

/* A forked process keeps the handlers that the task algorithm has set itself. */
static void test_fork_keeps_own_handlers(void)
{
    int status = -1;
    struct sigaction action;
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);
    signal(SIGPIPE, count_hit);

    pid_t pid = fork();
    if (pid == 0)
        _exit(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == count_hit ? 0 : 1);

    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    mwi_signals_restore();
}

/* A process that is made past fork() dies of a signal, and does not wake its parent's loop. */
static void test_bare_process(void)
{
    int status = 0;
    struct rlimit no_core = {0, 0};
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);

    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        kill((pid_t)syscall(SYS_getpid), SIGTERM);
        _exit(1);
    }

    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    CU_ASSERT_FALSE(is_readable(mwi_signals_fd()));
    mwi_signals_restore();
}

/* A local slave leaves SIGINT to its master, and heeds SIGTERM. */
static void test_local_slave(void)
{
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_LOCAL_SLAVE), MW_OK);

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
    if (mwi_signals_install(MWI_SIGNALS_OF_FARM) != MW_OK)
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

/* Runs in a process of its own: a second SIGTERM is heard, and a third signal ends it. */
static void be_patient_once(int third)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (mwi_signals_install(MWI_SIGNALS_OF_FARM) != MW_OK)
        _exit(1);
    mwi_signals_set_repeatable(true);
    raise(SIGTERM);
    if (mwi_signals_caught() != SIGTERM || mwi_signals_are_repeated())
        _exit(2);
    raise(SIGTERM);
    if (!is_readable(mwi_signals_fd()) || !mwi_signals_are_repeated())
        _exit(3);
    raise(third);
    _exit(4);
}

/* Where a second SIGTERM has a meaning, the third signal is the one that ends the process at once.
 * ^C still does so the second time. */
static void test_repeatable(void)
{
    static const int thirds[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            be_patient_once(thirds[i]);
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == thirds[i]);
    }
}

/* Runs in a process of its own, that of a task: tells by a byte that it is ready, and ends when it
 * can read one. */
static void be_task(int socket, int raised)
{
    struct rlimit no_core = {0, 0};
    char byte = 0;
    setrlimit(RLIMIT_CORE, &no_core);
    (void)setsid();
    if (mwi_signals_install(MWI_SIGNALS_OF_TASKS) != MW_OK)
        _exit(1);
    if (raised != 0)
        raise(raised);
    _exit(write(socket, &byte, 1) == 1 && read(socket, &byte, 1) == 1 ? 0 : 2);
}

/* In a process for tasks SIGTERM and SIGINT end the process if the task sends them, and have no
 * effect if others do: those are for its slave. */
static void test_tasks(void)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 4; i++) {
        int sockets[2], status = 0, number = numbers[i % 2];
        bool is_own = i < 2;
        char byte = 0;
        CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        pid_t pid = fork();
        if (pid == 0)
            be_task(sockets[1], is_own ? number : 0);
        if (!is_own) {
            CU_ASSERT_EQUAL(read(sockets[0], &byte, 1), 1);
            kill(pid, number);
            CU_ASSERT_EQUAL(write(sockets[0], &byte, 1), 1);
        }
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        CU_ASSERT_EQUAL(status, is_own ? number : 0);
        close(sockets[0]);
        close(sockets[1]);
    }
}

/* While a farm is being opened, the first signal ends the process. */
static void test_opening(void)
{
    struct rlimit no_core = {0, 0};
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        if (mwi_signals_install(MWI_SIGNALS_OF_FARM) != MW_OK)
            _exit(1);
        mwi_signals_set_opening(true);
        raise(SIGTERM);
        _exit(2);
    }

    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);

    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);
    mwi_signals_set_opening(true);
    mwi_signals_set_opening(false);
    raise(SIGTERM);
    CU_ASSERT_EQUAL(mwi_signals_caught(), SIGTERM);
    mwi_signals_restore();
}

/* A signal ends the wait of a loop, once: the loop itself empties the pipe. */
static void test_watch(void)
{
    static struct mwt_loop loop;
    mw_reason why;
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);
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
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);

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
    mw_error error = mwi_signals_install(MWI_SIGNALS_OF_FARM);
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

/* Runs `act` in a process of its own that handles signals. Returns how it ended, as waitpid says.
 */
static int status_of(void (*act)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGHUP, SIG_DFL);
        if (mwi_signals_install(MWI_SIGNALS_OF_FARM) == MW_OK)
            act();
        _exit(7);
    }
    CU_ASSERT_TRUE_FATAL(child > 0);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return status;
}

static void hang_up(void)
{
    raise(SIGHUP);
}

static void keep_and_hang_up(void)
{
    mwi_signals_keep_hangup();
    raise(SIGHUP);
}

static void keep_restore_and_hang_up(void)
{
    mwi_signals_keep_hangup();
    mwi_signals_restore();
    raise(SIGHUP);
}

/* Loses the terminal that it is in control of. */
static void keep_and_lose_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    mwi_signals_keep_hangup();
    if (setsid() < 0 || master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
        open(ptsname(master), O_RDWR) < 0)
        _exit(8);
    close(master);
    pause();
}

/* A process with a file that may be rotated survives a SIGHUP that a process sends, but not one of
 * its terminal. Others end as before. */
static void test_hangup(void)
{
    CU_ASSERT_EQUAL(status_of(hang_up), SIGHUP);
    CU_ASSERT_EQUAL(status_of(keep_and_hang_up), 7 << 8);
    CU_ASSERT_EQUAL(status_of(keep_restore_and_hang_up), SIGHUP);
    CU_ASSERT_EQUAL(status_of(keep_and_lose_terminal), SIGHUP);
}

/* A SIGHUP that is ignored, as nohup does it, stays ignored. */
static void test_ignored_hangup(void)
{
    struct sigaction now;
    signal(SIGHUP, SIG_IGN);
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);

    mwi_signals_keep_hangup();
    sigaction(SIGHUP, NULL, &now);

    CU_ASSERT_TRUE(now.sa_handler == SIG_IGN);
    mwi_signals_restore();
    signal(SIGHUP, SIG_DFL);
}

static void count_act(void *context)
{
    ++*(int *)context;
}

/* The first signal calls its act in the handler, until the act is taken away. */
static void test_first_act(void)
{
    int acts = 0;
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);
    mwi_signals_set_first_act(count_act, &acts);

    raise(SIGTERM);

    CU_ASSERT_EQUAL(acts, 1);
    mwi_signals_set_first_act(NULL, NULL);
    mwi_signals_restore();
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);
    raise(SIGTERM);
    CU_ASSERT_EQUAL(acts, 1);
    mwi_signals_restore();
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"signals", test_signals},
        {"broken pipe", test_broken_pipe},
        {"restore", test_restore},
        {"stubborn start", test_stubborn_start},
        {"background", test_background},
        {"commands", test_commands},
        {"fork", test_fork},
        {"fork keeps own handlers", test_fork_keeps_own_handlers},
        {"bare process", test_bare_process},
        {"local slave", test_local_slave},
        {"second signal", test_second_signal},
        {"tasks", test_tasks},
        {"opening", test_opening},
        {"repeatable", test_repeatable},
        {"watch", test_watch},
        {"descriptors are not inherited", test_descriptors_are_not_inherited},
        {"no descriptors", test_no_descriptors},
        {"names", test_names},
        {"hangup", test_hangup},
        {"ignored hangup", test_ignored_hangup},
        {"first act", test_first_act},
        CU_TEST_INFO_NULL,
    };
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    return mwt_run("signals", tests);
}
