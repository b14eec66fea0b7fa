/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts a process for local.c, and finds out how it ended. A pipe that closes on exec says whether
 * exec succeeded. A pidfd becomes readable when the process ends; Linux has it since 5.3, and it
 * may be forbidden, so local.c works without end_fd too.
 *
 * Invariants: between fork and exec only functions are called that are safe in a signal handler,
 * since the program may have threads. A child that was started is reaped exactly once, by
 * mwi_child_has_ended or mwi_child_kill. A new setting of the process goes between fork and exec.
 */
#include "loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fork_guard.h"
#include "loop/family.h"
#include "loop/signals.h"

/* The longest wait for a process without end_fd: the wait cannot notice its end. */
#define LOOK_MS 2
/* How often mwi_child_kill checks for the end of a killed process before it gives up. */
#define KILLED_LOOKS 500
#define VARIABLE MWI_FAMILY_VARIABLE "="

/* Headers older than Linux 5.3 lack the number, which is the same on all machines but alpha. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static mw_error fail(mw_reason *why, const char *path, int number)
{
    snprintf(why->text, sizeof why->text, "cannot start the slave %.150s: %s", path,
             strerror(number));
    return MW_EIO;
}

/* Changes to the folder. EACCES is no error: a process that has given up privileges may not be
 * allowed to enter the folder, and mostly it is there already. */
static bool enter(int folder)
{
    return folder < 0 || fchdir(folder) == 0 || errno == EACCES;
}

/* Runs in the child between fork and exec. Writes errno to `report` on failure. Never returns. */
static void become_slave(const struct mwi_child_plan *plan, char **environment, pid_t parent,
                         int channel, int report)
{
    int null = open("/dev/null", O_RDONLY);
    if (null > STDIN_FILENO) {
        dup2(null, STDIN_FILENO);
        close(null);
    }
    mwi_signals_hand_on();
    if (plan->has_own_session)
        (void)setsid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
        fcntl(channel, F_SETFD, 0) == 0 && enter(plan->folder))
        execve(plan->path, plan->arguments, environment);
    int number = errno;
    ssize_t written = write(report, &number, sizeof number);
    (void)written;
    _exit(127);
}

/* 0 if the child has begun to run the program, else the errno of its failure. */
static int exec_error(int report)
{
    int number = 0;
    ssize_t size;
    do
        size = read(report, &number, sizeof number);
    while (size < 0 && errno == EINTR);
    return size == (ssize_t)sizeof number ? number : 0;
}

/* Copies the environment with this variable in place of its VARIABLE. One malloc'd block, whose
 * strings are borrowed. NULL out of memory. */
static char **make_environment(char *variable)
{
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL)
        count++;
    char **environment = calloc(count + 2, sizeof *environment);
    if (environment == NULL)
        return NULL;
    environment[0] = variable;
    for (size_t i = 0, kept = 1; i < count; i++)
        if (strncmp(environ[i], VARIABLE, strlen(VARIABLE)) != 0)
            environment[kept++] = environ[i];
    return environment;
}

static mw_error fork_slave(struct mwi_child *child, const struct mwi_child_plan *plan,
                           const int sockets[2], const int report[2], mw_reason *why)
{
    char variable[sizeof VARIABLE + MWI_FAMILY_MARKS_BYTES] = VARIABLE;
    pid_t parent = getpid();
    mwi_family_write_marks(variable + strlen(VARIABLE), plan->mark);
    char **environment = make_environment(variable);
    child->is_group_killed = plan->is_group_killed;
    child->pid = environment == NULL ? -1 : mwi_fork_guard_fork();
    if (child->pid == 0)
        become_slave(plan, environment, parent, sockets[1], report[1]);
    int number = child->pid < 0 ? errno : 0;
    free(environment);
    mwi_fork_guard_close(report[1]);
    if (number == 0)
        number = exec_error(report[0]);
    if (number == 0)
        return MW_OK;
    if (child->pid > 0)
        waitpid(child->pid, NULL, 0);
    return fail(why, plan->path, number);
}

/* Opens the pipe that says whether exec succeeded. The master reads until the pipe is closed, so a
 * process that another thread forks off must not keep the writing end. False with errno. */
static bool open_report(int report[2])
{
    mwi_fork_guard_begin();
    int made = pipe2(report, O_CLOEXEC);
    report[1] = mwi_fork_guard_opened(made == 0 ? report[1] : -1);
    if (made == 0 && report[1] < 0)
        close(report[0]);
    return report[1] >= 0;
}

mw_error mwi_child_start(struct mwi_child *child, const struct mwi_child_plan *plan, mw_reason *why)
{
    int sockets[2], report[2];
    char channel[40];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return fail(why, plan->path, errno);
    if (!open_report(report)) {
        int number = errno;
        close(sockets[0]);
        close(sockets[1]);
        return fail(why, plan->path, number);
    }
    snprintf(channel, sizeof channel, "--mw-channel=%d", sockets[1]);
    char *before = plan->arguments[plan->channel_index];
    plan->arguments[plan->channel_index] = channel;
    mw_error error = fork_slave(child, plan, sockets, report, why);
    plan->arguments[plan->channel_index] = before;
    close(report[0]);
    close(sockets[1]);
    if (error != MW_OK)
        close(sockets[0]);
    child->channel = error == MW_OK ? sockets[0] : -1;
    child->end_fd = error == MW_OK ? (int)syscall(SYS_pidfd_open, child->pid, 0) : -1;
    return error;
}

bool mwi_child_is_one(void)
{
    const char *starter = getenv(MWI_FAMILY_VARIABLE);
    return starter != NULL && strtol(starter, NULL, 10) == (long)getppid();
}

void mwi_child_wait(const struct mwi_child *child, int timeout_ms)
{
    struct pollfd end = {.fd = child->end_fd, .events = POLLIN};
    if (child->end_fd < 0 && timeout_ms > LOOK_MS)
        timeout_ms = LOOK_MS;
    int ignored = poll(&end, 1, timeout_ms);
    (void)ignored;
}

void mwi_child_send_kill(const struct mwi_child *child)
{
    kill(child->is_group_killed ? -child->pid : child->pid, SIGKILL);
}

void mwi_child_kill(const struct mwi_child *child)
{
    mwi_child_send_kill(child);
    for (int i = 0; i < KILLED_LOOKS && waitpid(child->pid, NULL, WNOHANG) == 0; i++)
        mwi_child_wait(child, LOOK_MS);
}

bool mwi_child_has_halted(const struct mwi_child *child, bool *is_stopped)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)child->pid, &info, WSTOPPED | WCONTINUED | WNOHANG) != 0 ||
        info.si_pid != child->pid)
        return false;
    *is_stopped = info.si_code == CLD_STOPPED;
    return true;
}

/* Kills the processes that are left in the group of a child that has ended. Until the child is
 * reaped, no other group can have its number. */
static void kill_remains(const struct mwi_child *child)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == child->pid)
        kill(-child->pid, SIGKILL);
}

void mwi_child_describe_end(int status, struct mwi_child_end *end)
{
    mw_reason *how = &end->how;
    end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (end->signal != 0)
        snprintf(how->text, sizeof how->text, "was killed by signal %d (%s)", end->signal,
                 strsignal(end->signal));
    else
        snprintf(how->text, sizeof how->text, "exited with status %d", WEXITSTATUS(status));
}

bool mwi_child_has_ended(const struct mwi_child *child, struct mwi_child_end *end)
{
    int status;
    if (child->is_group_killed)
        kill_remains(child);
    pid_t got = waitpid(child->pid, &status, WNOHANG);
    if (got == 0)
        return false;
    if (got > 0) {
        mwi_child_describe_end(status, end);
        return true;
    }
    end->signal = 0;
    snprintf(end->how.text, sizeof end->how.text, "ended, and somebody else has waited for it");
    return true;
}
