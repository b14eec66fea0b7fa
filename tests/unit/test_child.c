/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes that a local master starts: they get a channel and nothing else, how they end is told,
 * and none is left behind. The child is this program itself, with other arguments.
 */
#include "loop/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/family.h"
#include "loop/signals.h"
#include "mwt_run.h"

/* Writes the descriptors that are open, or would be after an exec: "0 1 2 5 ". */
static void list_descriptors(char *text, size_t size, bool is_after_exec, int besides)
{
    size_t length = 0;
    text[0] = '\0';
    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || fd == besides || (is_after_exec && (flags & FD_CLOEXEC) != 0))
            continue;
        length += (size_t)snprintf(text + length, size - length, "%d ", fd);
    }
}

/* This program; valgrind would be what /proc/self/exe runs. */
static const char *own_path(void)
{
    static char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    path[size < 0 ? 0 : size] = '\0';
    return path;
}

static void tell(int channel, const char *text)
{
    ssize_t written = write(channel, text, strlen(text));
    (void)written;
}

static void tell_descriptors(int channel)
{
    char text[256];
    list_descriptors(text, sizeof text, false, channel);
    tell(channel, text);
}

/* "null", if the standard input is /dev/null, and at its end. */
static void tell_input(int channel)
{
    struct stat input, null;
    char byte;
    bool is_null = fstat(STDIN_FILENO, &input) == 0 && stat("/dev/null", &null) == 0 &&
                   input.st_rdev == null.st_rdev && read(STDIN_FILENO, &byte, 1) == 0;
    tell(channel, is_null ? "null" : "something");
}

static void tell_signals(int channel)
{
    sigset_t blocked;
    struct sigaction pipe_action, file_size_action;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    sigaction(SIGPIPE, NULL, &pipe_action);
    sigaction(SIGXFSZ, NULL, &file_size_action);
    tell(channel, sigismember(&blocked, SIGTERM) ? "blocked " : "free ");
    tell(channel, pipe_action.sa_handler == SIG_DFL ? "default " : "ignored ");
    tell(channel, file_size_action.sa_handler == SIG_DFL ? "default" : "ignored");
}

/* Leaves a child in the group of this process, and says whether this process leads it. */
static void leave_child(int channel)
{
    bool is_leader = getpgrp() == getpid() && getsid(0) == getpid();
    if (fork() == 0)
        for (;;)
            pause();
    tell(channel, is_leader ? "leader" : "member");
}

/* The work of this program as a child: `what` says for which case it was started. */
static int be_child(const char *what, const char *channel_option)
{
    static const char option[] = "--mw-channel=";
    char byte;
    if (strncmp(channel_option, option, sizeof option - 1) != 0)
        return 99;
    int channel = atoi(channel_option + sizeof option - 1);
    if (strcmp(what, "hello") == 0)
        tell(channel, "hello");
    else if (strcmp(what, "descriptors") == 0)
        tell_descriptors(channel);
    else if (strcmp(what, "input") == 0)
        tell_input(channel);
    else if (strcmp(what, "signals") == 0)
        tell_signals(channel);
    else if (strcmp(what, "leave") == 0)
        leave_child(channel);
    else if (strcmp(what, "marks") == 0)
        tell(channel, getenv(MWI_FAMILY_VARIABLE));
    else if (strcmp(what, "started") == 0)
        tell(channel, mwi_child_is_one() ? "yes" : "no");
    else if (strcmp(what, "wait") == 0)
        while (read(channel, &byte, 1) > 0)
            ;
    else
        for (;;)
            pause();
    return 7;
}

/* Starts `path`; if `what` is "leave" with a session of its own. */
static mw_error start_path(struct mwi_child *child, const char *path, const char *what,
                           mw_reason *why)
{
    char name[] = "test_child", as_child[] = "as-child", channel[] = "channel", copy[32], mark[32];
    char *arguments[] = {name, as_child, copy, channel, NULL};
    const struct mwi_child_plan plan = {.path = path,
                                        .arguments = arguments,
                                        .channel_index = 3,
                                        .folder = -1,
                                        .mark = mark,
                                        .has_own_session = strcmp(what, "leave") == 0,
                                        .is_group_killed = strcmp(what, "leave") == 0};
    snprintf(copy, sizeof copy, "%s", what);
    snprintf(mark, sizeof mark, "%ld-farm:1", (long)getpid());
    mw_error error = mwi_child_start(child, &plan, why);
    CU_ASSERT_PTR_EQUAL(arguments[3], channel);
    CU_ASSERT_STRING_EQUAL(channel, "channel");
    return error;
}

static void start(struct mwi_child *child, const char *what)
{
    mw_reason why;
    CU_ASSERT_EQUAL_FATAL(start_path(child, own_path(), what, &why), MW_OK);
}

/* All that the child says until it closes its end. */
static const char *listen_to(const struct mwi_child *child, char *text, size_t size)
{
    size_t length = 0;
    ssize_t got;
    while ((got = read(child->channel, text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    return text;
}

/* Waits for the end, which is then told and reaped. */
static void check_end(const struct mwi_child *child, const char *how)
{
    siginfo_t info;
    struct mwi_child_end end = {{""}, -1};
    CU_ASSERT_EQUAL(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), 0);
    CU_ASSERT_TRUE(mwi_child_has_ended(child, &end));
    CU_ASSERT_STRING_EQUAL(end.how.text, how);
    CU_ASSERT_EQUAL(end.signal, info.si_code == CLD_EXITED ? 0 : info.si_status);
    CU_ASSERT_EQUAL(kill(child->pid, 0), -1);
    close(child->channel);
    close(child->end_fd);
}

static bool is_readable(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    return poll(&look, 1, 0) == 1;
}

/* A child talks over its channel and ends with a status. */
static void test_channel(void)
{
    struct mwi_child child;
    char text[64];

    start(&child, "hello");

    CU_ASSERT_TRUE(child.pid > 0);
    CU_ASSERT_TRUE((fcntl(child.channel, F_GETFD) & FD_CLOEXEC) != 0);
    CU_ASSERT_STRING_EQUAL(listen_to(&child, text, sizeof text), "hello");
    check_end(&child, "exited with status 7");
}

/* While a child runs, it has not ended; nobody waits for that. A child sees when its master closes
 * the channel. */
static void test_running(void)
{
    struct mwi_child child;
    struct mwi_child_end end = {{"untouched"}, -1};
    start(&child, "wait");

    CU_ASSERT_FALSE(mwi_child_has_ended(&child, &end));
    CU_ASSERT_STRING_EQUAL(end.how.text, "untouched");
    CU_ASSERT_EQUAL(close(child.channel), 0);
    child.channel = -1;

    check_end(&child, "exited with status 7");
}

/* The descriptor of its end is readable once a child has ended, and closes on exec; where the
 * kernel has none, waiting for the end still ends. */
static void test_end_descriptor(void)
{
    struct mwi_child child;
    struct mwi_child_end end;
    start(&child, "pause");
    if (child.end_fd >= 0) {
        CU_ASSERT_TRUE((fcntl(child.end_fd, F_GETFD) & FD_CLOEXEC) != 0);
        CU_ASSERT_FALSE(is_readable(child.end_fd));
    }

    kill(child.pid, SIGKILL);
    while (child.end_fd >= 0 && !is_readable(child.end_fd))
        mwi_child_wait(&child, 1000);
    close(child.end_fd);
    child.end_fd = -1;
    while (!mwi_child_has_ended(&child, &end))
        mwi_child_wait(&child, 1000);

    CU_ASSERT_STRING_EQUAL(end.how.text, "was killed by signal 9 (Killed)");
    close(child.channel);
}

/* That a child was killed is told, and by which signal. */
static void test_killed(void)
{
    struct mwi_child child;
    start(&child, "pause");

    kill(child.pid, SIGKILL);
    check_end(&child, "was killed by signal 9 (Killed)");
}

/* That somebody else has reaped the child is an end like others. */
static void test_reaped_by_another(void)
{
    struct mwi_child child;
    struct mwi_child_end end = {{""}, -1};
    start(&child, "hello");
    CU_ASSERT_EQUAL(waitpid(child.pid, NULL, 0), child.pid);

    CU_ASSERT_TRUE(mwi_child_has_ended(&child, &end));

    CU_ASSERT_EQUAL(end.signal, 0);
    CU_ASSERT_STRING_EQUAL(end.how.text, "ended, and somebody else has waited for it");
    close(child.channel);
}

/* A program that cannot be run is told at once; no process and no descriptor is left. */
static void test_no_program(void)
{
    static const struct {
        const char *path, *why;
    } cases[] = {
        {"/nonexistent/program",
         "cannot start the slave /nonexistent/program: No such file or directory"},
        {"/dev", "cannot start the slave /dev: Permission denied"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mwi_child child;
        mw_reason why = {""};
        char before[256], after[256];
        list_descriptors(before, sizeof before, false, -1);

        CU_ASSERT_EQUAL(start_path(&child, cases[i].path, "hello", &why), MW_EIO);

        list_descriptors(after, sizeof after, false, -1);
        CU_ASSERT_STRING_EQUAL(why.text, cases[i].why);
        CU_ASSERT_STRING_EQUAL(after, before);
        CU_ASSERT_EQUAL(child.channel, -1);
        CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
    }
}

/* Without descriptors for a channel there is no child. */
static void test_no_descriptors(void)
{
    struct mwi_child child;
    mw_reason why = {""};
    struct rlimit before, few;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);

    for (rlim_t limit = 0; limit < 3; limit++) {
        int next = dup(STDIN_FILENO);
        close(next);
        few = (struct rlimit){(rlim_t)next + limit, before.rlim_max};
        CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
        mw_error error = start_path(&child, own_path(), "hello", &why);
        CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);

        CU_ASSERT_EQUAL(error, MW_EIO);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, ": Too many open files"));
        CU_ASSERT_EQUAL(dup(STDIN_FILENO), next);
        close(next);
    }
}

/* A child gets what the program itself hands on, its channel, and no descriptor of the library. */
static void test_descriptors(void)
{
    struct mwi_child first, second;
    char expected[256], text[256];
    list_descriptors(expected, sizeof expected, true, -1);

    start(&first, "wait");
    start(&second, "descriptors");

    CU_ASSERT_STRING_EQUAL(listen_to(&second, text, sizeof text), expected);
    check_end(&second, "exited with status 7");
    close(first.channel);
    first.channel = -1;
    check_end(&first, "exited with status 7");
}

/* A child does not take what is typed for its master. */
static void test_input(void)
{
    struct mwi_child child;
    char text[64];

    start(&child, "input");

    CU_ASSERT_STRING_EQUAL(listen_to(&child, text, sizeof text), "null");
    check_end(&child, "exited with status 7");
}

/* Blocks SIGTERM, and ignores SIGPIPE. */
static void spoil_signals(sigset_t *before)
{
    sigset_t some;
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigprocmask(SIG_BLOCK, &some, before);
    signal(SIGPIPE, SIG_IGN);
}

/* Signals that the master blocks or ignores are the child's as usual. */
static void test_signals(void)
{
    struct mwi_child child;
    char text[64];
    sigset_t before;
    spoil_signals(&before);
    signal(SIGXFSZ, SIG_IGN);

    start(&child, "signals");

    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    CU_ASSERT_STRING_EQUAL(listen_to(&child, text, sizeof text), "free default default");
    check_end(&child, "exited with status 7");
}

/* Under mw_main a child gets the signals as mw_main has found them. */
static void test_found_signals(void)
{
    struct mwi_child child;
    char text[64];
    sigset_t before;
    spoil_signals(&before);
    CU_ASSERT_EQUAL_FATAL(mwi_signals_install(MWI_SIGNALS_OF_FARM), MW_OK);

    start(&child, "signals");

    mwi_signals_restore();
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    CU_ASSERT_STRING_EQUAL(listen_to(&child, text, sizeof text), "blocked ignored default");
    check_end(&child, "exited with status 7");
}

/* A child knows that it is one; others that have the variable of theirs do not believe it. */
static void test_is_one(void)
{
    struct mwi_child child;
    char text[64];
    CU_ASSERT_FALSE(mwi_child_is_one());
    setenv(MWI_FAMILY_VARIABLE, "1", 1);

    start(&child, "started");

    CU_ASSERT_FALSE(mwi_child_is_one());
    unsetenv(MWI_FAMILY_VARIABLE);
    CU_ASSERT_STRING_EQUAL(listen_to(&child, text, sizeof text), "yes");
    check_end(&child, "exited with status 7");
}

/* A child that leads a session takes its group with it. The group holds the channel open until it
 * has ended. */
static void test_session(void)
{
    struct mwi_child child;
    struct mwi_child_end how;
    char text[64];
    start(&child, "leave");
    while (!mwi_child_has_ended(&child, &how))
        mwi_child_wait(&child, 1000);

    CU_ASSERT_STRING_EQUAL(listen_to(&child, text, sizeof text), "leader");

    CU_ASSERT_STRING_EQUAL(how.how.text, "exited with status 7");
    close(child.channel);
    close(child.end_fd);
}

/* The marks of the farms whose task this process is are handed on behind its own. */
static void test_marks(void)
{
    struct mwi_child child;
    char text[128], expected[128];
    setenv(MWI_FAMILY_VARIABLE, "77-outer:5", 1);
    snprintf(expected, sizeof expected, "%ld-farm:1 77-outer:5", (long)getpid());

    start(&child, "marks");

    unsetenv(MWI_FAMILY_VARIABLE);
    CU_ASSERT_STRING_EQUAL(listen_to(&child, text, sizeof text), expected);
    check_end(&child, "exited with status 7");
}

/* A master that starts a child and is then killed. */
static void be_doomed_master(void)
{
    struct mwi_child child;
    mw_reason why;
    if (start_path(&child, own_path(), "pause", &why) != MW_OK)
        _exit(1);
    kill(getpid(), SIGKILL);
}

/* A child does not outlive its master, however that ends. The pipe's other end is open as long as
 * one of the two lives. */
static void test_dies_with_its_master(void)
{
    int ends[2], status;
    char byte;
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    pid_t master = fork();
    if (master == 0) {
        close(ends[0]);
        be_doomed_master();
    }

    close(ends[1]);
    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 0);

    CU_ASSERT_EQUAL(waitpid(master, &status, 0), master);
    CU_ASSERT_TRUE(WIFSIGNALED(status));
    close(ends[0]);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"channel", test_channel},
        {"running", test_running},
        {"end descriptor", test_end_descriptor},
        {"killed", test_killed},
        {"reaped by another", test_reaped_by_another},
        {"no program", test_no_program},
        {"no descriptors", test_no_descriptors},
        {"descriptors", test_descriptors},
        {"input", test_input},
        {"signals", test_signals},
        {"found signals", test_found_signals},
        {"is one", test_is_one},
        {"session", test_session},
        {"marks", test_marks},
        {"dies with its master", test_dies_with_its_master},
        CU_TEST_INFO_NULL,
    };
    if (argc == 4 && strcmp(argv[1], "as-child") == 0)
        return be_child(argv[2], argv[3]);
    return mwt_run("child", tests);
}
