/* SPDX-License-Identifier: Apache-2.0
 *
 * Forks children. face/main and face/run open a zygote, and face/isolation asks it for children
 * over a socket: a message with a descriptor means "start a child", one without "kill it". The
 * zygote answers when the child has ended. The end of the socket is the end of the slave.
 *
 * Invariants: the zygote has one child at most; it blocks all signals but while it waits, and then
 * lets in SIGCHLD alone, so that only its slave, or SIGKILL, ends it; a child gets back the mask
 * and the action of SIGCHLD that the program had. When a child has ended, all that it has started
 * is killed before the slave hears of it. Slave, zygote and child have a session each: what a task
 * sends to its process group reaches neither of the others, and a zygote outlives the group of its
 * slave, so that it can end the child. The zygote stops and continues the child with the slave.
 */
#include "loop/zygote.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fork_guard.h"
#include "loop/child.h"
#include "loop/commands.h"

/* How often the memory of a child is measured. */
#define MEASURE_MS 50
/* A measurement that may take long is repeated after this many times the time that it took. */
#define MEASURE_REST 20
/* How often the zygote looks whether the slave was stopped. */
#define LOOK_MS 250
/* How long the slave waits for its zygote to end: it may have to kill for a second. */
#define CLOSE_MS 3000

/* The zygote tells the slave about a child. */
struct report {
    int error;  /* errno of a fork that failed; 0: it was started */
    int status; /* as waitpid has it */
    bool is_over_memory;
};

/* The zygote's own process. */
struct nursery {
    struct mwi_zygote zygote;
    struct mwi_commands commands;
    sigset_t mask; /* that the program had */
    struct sigaction action;
    pid_t slave;
    pid_t child; /* 0: none */
    bool is_child_stopped;
    bool is_over_memory;
    int64_t exact_ns; /* no exact measurement before then */
};

/* A handler, since SIGCHLD by default would not end ppoll. */
static void note_nothing(int number)
{
    (void)number;
}

static void say(const struct nursery *nursery, const struct report *report)
{
    ssize_t sent = send(nursery->zygote.socket, report, sizeof *report, MSG_NOSIGNAL);
    (void)sent;
}

/* In the child: it becomes what the program was. False: the zygote has died meanwhile. */
static bool leave_nursery(const struct nursery *nursery, pid_t parent)
{
    close(nursery->zygote.socket);
    free(nursery->commands.marks); /* the mark in the environment stays */
    (void)setsid();
    sigaction(SIGCHLD, &nursery->action, NULL);
    bool has_parent = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
    sigprocmask(SIG_SETMASK, &nursery->mask, NULL);
    return has_parent;
}

/* Forks a child. Returns true in it. */
static bool fork_child(struct nursery *nursery, int channel)
{
    pid_t parent = getpid();
    assert(nursery->child == 0);
    nursery->is_over_memory = nursery->is_child_stopped = false;
    nursery->exact_ns = 0;
    pid_t pid = mwi_fork_guard_fork();
    if (pid == 0) {
        if (!leave_nursery(nursery, parent))
            _exit(127);
        return true;
    }
    int number = errno;
    close(channel);
    if (pid > 0)
        nursery->child = pid;
    else
        say(nursery, &(struct report){.error = number});
    return false;
}

/* Kills the child alone. `reap` ends what it has started. */
static void kill_child(const struct nursery *nursery)
{
    if (nursery->child != 0)
        kill(nursery->child, SIGKILL);
}

/* Waits for processes that have ended: the child, and orphans that it has left. */
static void reap(struct nursery *nursery)
{
    int status, child_status = 0;
    bool has_ended = false;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid != nursery->child)
            continue;
        has_ended = true;
        child_status = status;
    }
    if (!has_ended)
        return;
    nursery->child = 0;
    mwi_commands_end(&nursery->commands);
    while (waitpid(-1, &status, WNOHANG) > 0)
        ;
    say(nursery,
        &(struct report){.status = child_status, .is_over_memory = nursery->is_over_memory});
}

/* The zygote's descendants are the child, what it has started, and the orphans of that. */
static void measure(struct nursery *nursery)
{
    size_t most = nursery->zygote.plan.memory_bytes_max;
    if (nursery->child == 0 || most == 0 || nursery->is_over_memory ||
        mwi_family_resident_bytes(getpid()) <= most)
        return;
    int64_t began_ns = mwi_clock_monotonic_ns();
    if (began_ns < nursery->exact_ns)
        return;
    bool is_within = mwi_family_memory_bytes(getpid()) <= most;
    int64_t ended_ns = mwi_clock_monotonic_ns();
    nursery->exact_ns = ended_ns + MEASURE_REST * (ended_ns - began_ns);
    if (is_within)
        return;
    nursery->is_over_memory = true;
    kill_child(nursery);
}

/* Stops the child and its group, or lets them go on, as somebody has done with the slave. */
static void follow_slave(struct nursery *nursery)
{
    struct mwi_family_process slave;
    if (nursery->child == 0 || !mwi_family_read(nursery->slave, &slave))
        return;
    bool is_stopped = slave.state == 'T';
    if (is_stopped != nursery->is_child_stopped &&
        kill(-nursery->child, is_stopped ? SIGSTOP : SIGCONT) == 0)
        nursery->is_child_stopped = is_stopped;
}

/* How long the zygote may sleep; NULL: until something happens. */
static const struct timespec *pause_of(const struct nursery *nursery)
{
    static const struct timespec measure_pause = {.tv_nsec = MEASURE_MS * 1000000L};
    static const struct timespec look_pause = {.tv_nsec = LOOK_MS * 1000000L};
    if (nursery->child == 0)
        return NULL;
    return nursery->zygote.plan.memory_bytes_max > 0 ? &measure_pause : &look_pause;
}

/* Hears the slave. *channel is set to the descriptor of a message that asks for a child, else -1.
 * False: the slave has ended. */
static bool hear(const struct nursery *nursery, int *channel)
{
    char byte;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t size = recvmsg(nursery->zygote.socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    *channel = -1;
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (size <= 0)
        return false;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(channel, CMSG_DATA(header), sizeof *channel);
    else
        kill_child(nursery);
    return true;
}

/* Serves the slave until it has ended. Returns in each child, with its channel. */
static int serve(struct nursery *nursery)
{
    sigset_t waiting;
    struct pollfd slave = {.fd = nursery->zygote.socket, .events = POLLIN};
    int channel = -1;
    sigfillset(&waiting);
    sigdelset(&waiting, SIGCHLD);
    bool is_slave_there = true;
    while (is_slave_there) {
        int ready = ppoll(&slave, 1, pause_of(nursery), &waiting);
        reap(nursery);
        measure(nursery);
        follow_slave(nursery);
        if (ready <= 0)
            continue;
        is_slave_there = hear(nursery, &channel);
        if (channel >= 0 && fork_child(nursery, channel))
            return channel;
    }
    kill_child(nursery);
    mwi_commands_end(&nursery->commands);
    _exit(0);
}

/* Runs in the zygote's process, and returns in each child. */
static int be_zygote(struct mwi_zygote *zygote, pid_t slave)
{
    struct nursery nursery = {.zygote = *zygote, .slave = slave};
    struct sigaction action = {.sa_handler = note_nothing};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &nursery.mask);
    sigaction(SIGCHLD, &action, &nursery.action);
    (void)setsid();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (zygote->plan.closed_fd >= 0)
        close(zygote->plan.closed_fd);
    mwi_commands_begin(&nursery.commands);
    return serve(&nursery);
}

static mw_error fail(struct mwi_zygote *zygote, int number, mw_reason *why)
{
    snprintf(why->text, sizeof why->text, "cannot isolate the slave: %s", strerror(number));
    if (zygote->page != NULL)
        munmap(zygote->page, zygote->plan.page_bytes);
    return MW_EIO;
}

mw_error mwi_zygote_open(struct mwi_zygote *zygote, const struct mwi_zygote_plan *plan,
                         enum mwi_zygote_side *side, int *channel, mw_reason *why)
{
    int sockets[2];
    *zygote = (struct mwi_zygote){.plan = *plan, .socket = -1};
    void *page =
        mmap(NULL, plan->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    zygote->page = page == MAP_FAILED ? NULL : page;
    if (zygote->page == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
        return fail(zygote, errno, why);
    pid_t slave = getpid();
    zygote->pid = mwi_fork_guard_fork();
    int number = errno;
    zygote->socket = sockets[zygote->pid == 0 ? 1 : 0];
    close(sockets[zygote->pid == 0 ? 0 : 1]);
    if (zygote->pid < 0) {
        close(zygote->socket);
        return fail(zygote, number, why);
    }
    *side = zygote->pid == 0 ? MWI_ZYGOTE_OF_CHILD : MWI_ZYGOTE_OF_SLAVE;
    *channel = zygote->pid == 0 ? be_zygote(zygote, slave) : -1;
    return MW_OK;
}

/* Waits until the zygote has closed its end of the socket, which no child has: the zygote has ended
 * then. False: it has done nothing for CLOSE_MS. */
static bool await_end(const struct mwi_zygote *zygote)
{
    struct pollfd end = {.fd = zygote->socket, .events = POLLIN};
    struct report report;
    ssize_t size = 1;
    while (size > 0 || (size < 0 && errno == EINTR)) {
        int ready = poll(&end, 1, CLOSE_MS);
        if (ready == 0)
            return false;
        size = ready < 0 ? -1 : recv(zygote->socket, &report, sizeof report, MSG_DONTWAIT);
    }
    return true;
}

void mwi_zygote_close(struct mwi_zygote *zygote)
{
    (void)shutdown(zygote->socket, SHUT_WR);
    if (!await_end(zygote))
        kill(zygote->pid, SIGKILL);
    while (waitpid(zygote->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(zygote->socket);
    munmap(zygote->page, zygote->plan.page_bytes);
}

bool mwi_zygote_start(struct mwi_zygote *zygote, int channel)
{
    char byte = 's';
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof channel);
    memcpy(CMSG_DATA(header), &channel, sizeof channel);
    return sendmsg(zygote->socket, &message, MSG_NOSIGNAL) == 1;
}

void mwi_zygote_kill(struct mwi_zygote *zygote)
{
    ssize_t sent = send(zygote->socket, "k", 1, MSG_NOSIGNAL);
    (void)sent;
}

enum mwi_zygote_news mwi_zygote_read(struct mwi_zygote *zygote, mw_reason *how, int *status)
{
    struct report report;
    struct mwi_child_end end;
    ssize_t size = recv(zygote->socket, &report, sizeof report, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return MWI_ZYGOTE_NOTHING;
    if (size != (ssize_t)sizeof report)
        return MWI_ZYGOTE_GONE;
    *status = -1;
    if (report.error != 0) {
        snprintf(how->text, sizeof how->text, "could not be forked: %s", strerror(report.error));
        return MWI_ZYGOTE_ENDED;
    }
    mwi_child_describe_end(report.status, &end);
    *how = end.how;
    if (report.is_over_memory)
        snprintf(how->text, sizeof how->text,
                 "was ended: it had more than the %zu bytes of --mw-slave-memory",
                 zygote->plan.memory_bytes_max);
    if (WIFEXITED(report.status))
        *status = WEXITSTATUS(report.status);
    return MWI_ZYGOTE_ENDED;
}
