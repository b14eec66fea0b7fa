/* SPDX-License-Identifier: Apache-2.0
 *
 * The warden is forked off and runs no other program: it is there before the first slave, costs a
 * few pages, and needs no file. Shared memory tells it which slaves live, and a byte from a socket
 * that something has changed. The end of that socket means that the master has ended; then, and
 * when the master closes, the warden kills all that is left of the slaves, and ends. A child that
 * the master has forked off may keep the socket open, so the warden also looks whether the master
 * is still its parent.
 *
 * Rules for the functions that run in the warden's own process, down to be_warden:
 *
 * - They call only functions that are safe in a signal handler, since the program may have threads.
 * - The warden keeps no descriptor but the socket, no terminal and no folder, and no signal that
 *   can be blocked reaches it, so that it outlives the master and holds nothing of its.
 * - It kills only sessions of slaves, and processes with a mark of its own farm whose slave does
 *   not live.
 *
 * Why the master is not the reaper of orphans (PR_SET_CHILD_SUBREAPER) instead: every orphan of a
 * command of the master algorithm would stay a zombie, which nobody could tell from a child that
 * the program wants to wait for.
 */
#include "loop/warden.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fork_guard.h"
#include "loop/family.h"

/* How often the warden looks at the state of its master. */
#define LOOK_MS 250
/* Killed processes take a moment to end, and their children may be new: how long to wait before
 * looking again, and how often. */
#define AGAIN_MS 5
#define PASSES_MAX 400
/* The processes of a machine that the warden can take in at once. */
#define ROOM_COUNT ((size_t)32768)
/* How long the master waits for its warden to end. */
#define CLOSE_MS 3000

/* Headers older than Linux 5.9 lack the number, which is the same on all machines. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

struct roll_place {
    _Atomic pid_t pid; /* 0: nobody */
    _Atomic uint64_t serial;
};

/* Memory that master and warden share: the master writes, the warden reads. A slave whose serial is
 * over `newest` may have begun already and not be in its place yet. */
struct roll {
    _Atomic uint64_t newest;
    _Atomic bool is_over;
    struct roll_place places[];
};

/* A place as the warden has seen it last. */
struct guarded {
    pid_t pid; /* 0: nobody */
    uint64_t serial;
    pid_t gone; /* the last one that has ended and may have left something; 0: none */
};

struct mwi_warden {
    pid_t pid;
    int socket;
    struct roll *roll;
    size_t places_count;
    char name[MWI_FAMILY_NAME_BYTES];
    struct mwi_family_room room;
    uint64_t start; /* when the first warden began: what began before is not of this farm */
    pid_t master;   /* of the warden's own process, like all below */
    bool is_master_stopped;
    bool has_gone; /* a slave has ended since the last sweep */
    uint64_t newest;
    struct guarded places[];
};

static size_t roll_bytes(size_t places_count)
{
    return sizeof(struct roll) + places_count * sizeof(struct roll_place);
}

static void nap(int ms)
{
    int ignored = poll(NULL, 0, ms);
    (void)ignored;
}

/* Looks up who lives. */
static void read_roll(struct mwi_warden *warden)
{
    warden->newest = atomic_load(&warden->roll->newest);
    for (size_t i = 0; i < warden->places_count; i++) {
        struct guarded *place = &warden->places[i];
        pid_t pid = atomic_load(&warden->roll->places[i].pid);
        if (place->pid != 0 && place->pid != pid) {
            place->gone = place->pid;
            warden->has_gone = true;
        }
        place->pid = pid;
        place->serial = atomic_load(&warden->roll->places[i].serial);
    }
}

/* Whether the process is left of a slave that does not live any more. */
static bool is_left(void *context, const struct mwi_family_process *process)
{
    const struct mwi_warden *warden = context;
    uint64_t serial;
    if (process->start < warden->start)
        return false;
    for (size_t i = 0; i < warden->places_count; i++) {
        const struct guarded *place = &warden->places[i];
        if (place->pid != 0 && process->session == place->pid)
            return false;
        if (place->gone != 0 && process->session == place->gone)
            return true;
    }
    if (!mwi_family_is_marked(process->pid, warden->name, &serial) || serial > warden->newest)
        return false;
    for (size_t i = 0; i < warden->places_count; i++)
        if (warden->places[i].pid != 0 && warden->places[i].serial == serial)
            return false;
    return true;
}

static void signal_gone(const struct mwi_warden *warden, int number)
{
    for (size_t i = 0; i < warden->places_count; i++)
        if (warden->places[i].gone != 0)
            kill(-warden->places[i].gone, number);
}

/* Children are known by their parents only as long as those live, so trees are killed as a whole
 * first, and then the groups. The groups are stopped before: a child that is forked between the
 * look and the kill, and leaves group and environment at once, would have no parent to be known
 * by. */
static void sweep(struct mwi_warden *warden)
{
    signal_gone(warden, SIGSTOP);
    size_t killed_count = mwi_family_kill_trees(&warden->room, is_left, warden);
    signal_gone(warden, SIGKILL);
    for (int i = 0; i < PASSES_MAX && killed_count > 0; i++) {
        nap(AGAIN_MS);
        killed_count = mwi_family_kill_trees(&warden->room, is_left, warden);
    }
    for (size_t i = 0; i < warden->places_count; i++)
        warden->places[i].gone = 0;
    warden->has_gone = false;
}

/* Kills all that is left, of whatever slave. */
static void sweep_all(struct mwi_warden *warden)
{
    read_roll(warden);
    for (size_t i = 0; i < warden->places_count; i++) {
        if (warden->places[i].pid != 0)
            warden->places[i].gone = warden->places[i].pid;
        warden->places[i].pid = 0;
    }
    warden->newest = UINT64_MAX;
    sweep(warden);
}

static void signal_slaves(const struct mwi_warden *warden, int number)
{
    for (size_t i = 0; i < warden->places_count; i++)
        if (warden->places[i].pid != 0)
            kill(-warden->places[i].pid, number);
}

/* Slaves in sessions of their own are not stopped with their master by the terminal. */
static void look_at_master(struct mwi_warden *warden)
{
    struct mwi_family_process master;
    if (!mwi_family_read(warden->master, &master))
        return;
    bool is_stopped = master.state == 'T';
    if (is_stopped != warden->is_master_stopped)
        signal_slaves(warden, is_stopped ? SIGSTOP : SIGCONT);
    warden->is_master_stopped = is_stopped;
}

/* Empties the socket; false at its end. */
static bool hear_master(struct mwi_warden *warden)
{
    char bytes[64];
    ssize_t size;
    while ((size = recv(warden->socket, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        ;
    return size < 0 && (errno == EAGAIN || errno == EINTR);
}

static void live(struct mwi_warden *warden)
{
    struct pollfd socket = {.fd = warden->socket, .events = POLLIN};
    for (;;) {
        int ready = poll(&socket, 1, LOOK_MS);
        if ((ready > 0 && !hear_master(warden)) || getppid() != warden->master ||
            atomic_load(&warden->roll->is_over))
            break;
        read_roll(warden);
        if (warden->has_gone)
            sweep(warden);
        look_at_master(warden);
    }
    sweep_all(warden);
}

static void close_but(int kept)
{
    struct rlimit limit = {.rlim_cur = 1024};
    if ((kept == 0 || syscall(SYS_close_range, 0, kept - 1, 0) == 0) &&
        syscall(SYS_close_range, kept + 1, ~0U, 0) == 0)
        return;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = 0; fd < (int)(limit.rlim_cur < 65536 ? limit.rlim_cur : 65536); fd++)
        if (fd != kept)
            close(fd);
}

static void be_warden(struct mwi_warden *warden)
{
    sigset_t all;
    struct mwi_family_process self;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    close_but(warden->socket);
    (void)setsid();
    if (chdir("/") == 0)
        prctl(PR_SET_NAME, "mw-warden");
    warden->has_gone = warden->start != 0;
    if (warden->start == 0 && mwi_family_read(getpid(), &self))
        warden->start = self.start;
    live(warden);
    _exit(0);
}

static size_t warden_bytes(size_t places_count)
{
    return sizeof(struct mwi_warden) + places_count * sizeof(struct guarded);
}

static void free_warden(struct mwi_warden *warden)
{
    if (warden->roll != NULL)
        munmap(warden->roll, roll_bytes(warden->places_count));
    if (warden->room.items != NULL)
        munmap(warden->room.items, ROOM_COUNT * sizeof *warden->room.items);
    munmap(warden, warden_bytes(warden->places_count));
}

static mw_error fail(struct mwi_warden *warden, const char *what, mw_reason *why)
{
    snprintf(why->text, sizeof why->text, "%s: %s", what, strerror(errno));
    free_warden(warden);
    return MW_EIO;
}

/* `sharing`: MAP_SHARED or MAP_PRIVATE. Pages that nobody uses cost nothing. The warden's process
 * ends without freeing anything, which a tool that looks for leaks would report of malloc. */
static void *map_memory(size_t size, int sharing)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Forks a warden off; the socket is then the master's end. NULL, or the name of the call that has
 * failed, with errno: nothing changed. */
static const char *start_warden(struct mwi_warden *warden)
{
    int sockets[2], before = warden->socket;
    struct mwi_family_process process;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return "socketpair";
    warden->master = getpid();
    warden->socket = sockets[1];
    pid_t pid = mwi_fork_guard_fork();
    if (pid == 0)
        be_warden(warden);
    int number = errno;
    close(sockets[1]);
    if (pid < 0) {
        close(sockets[0]);
        warden->socket = before;
        errno = number;
        return "fork";
    }
    warden->pid = pid;
    warden->socket = sockets[0];
    (void)mwi_fork_guard_note(warden->socket);
    if (warden->start == 0 && mwi_family_read(pid, &process))
        warden->start = process.start;
    return NULL;
}

mw_error mwi_warden_open(struct mwi_warden **warden, const char *name, size_t places_count,
                         mw_reason *why)
{
    struct mwi_warden *opened = map_memory(warden_bytes(places_count), MAP_PRIVATE);
    if (opened == NULL) {
        snprintf(why->text, sizeof why->text, "%s", mw_error_text(MW_ENOMEM));
        return MW_ENOMEM;
    }
    snprintf(opened->name, sizeof opened->name, "%s", name);
    opened->places_count = places_count;
    opened->roll = map_memory(roll_bytes(places_count), MAP_SHARED);
    opened->room.items = map_memory(ROOM_COUNT * sizeof *opened->room.items, MAP_PRIVATE);
    opened->room.capacity = ROOM_COUNT;
    if (opened->roll == NULL || opened->room.items == NULL)
        return fail(opened, "mmap", why);
    const char *failed = start_warden(opened);
    if (failed != NULL)
        return fail(opened, failed, why);
    *warden = opened;
    return MW_OK;
}

/* Somebody has killed the warden: another one takes its place, and looks at once for what is left.
 * If none can be started, the next call tries again. */
static void replace_warden(struct mwi_warden *warden)
{
    int lost = warden->socket;
    pid_t pid = warden->pid;
    if (start_warden(warden) != NULL)
        return;
    (void)mwi_fork_guard_close(lost);
    (void)waitpid(pid, NULL, 0);
}

static void wake(struct mwi_warden *warden)
{
    if (send(warden->socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE)
        replace_warden(warden);
}

void mwi_warden_guard(struct mwi_warden *warden, size_t place, pid_t pid, uint64_t serial)
{
    if (warden == NULL)
        return;
    assert(place < warden->places_count && serial > atomic_load(&warden->roll->newest));
    atomic_store(&warden->roll->places[place].serial, serial);
    atomic_store(&warden->roll->places[place].pid, pid);
    atomic_store(&warden->roll->newest, serial);
    wake(warden);
}

void mwi_warden_release(struct mwi_warden *warden, size_t place)
{
    if (warden == NULL)
        return;
    assert(place < warden->places_count);
    atomic_store(&warden->roll->places[place].pid, 0);
    wake(warden);
}

/* The program may have waited for all its children, and so have reaped the warden. */
void mwi_warden_close(struct mwi_warden *warden)
{
    if (warden == NULL)
        return;
    wake(warden);
    atomic_store(&warden->roll->is_over, true);
    (void)shutdown(warden->socket, SHUT_WR);
    /* Somebody may have stopped it. */
    if (waitpid(warden->pid, NULL, WNOHANG) == 0)
        kill(warden->pid, SIGCONT);
    /* The warden's end of the socket closes when it ends. */
    struct pollfd end = {.fd = warden->socket, .events = POLLIN};
    int ignored = poll(&end, 1, CLOSE_MS);
    (void)ignored;
    if (waitpid(warden->pid, NULL, WNOHANG) == 0) {
        kill(warden->pid, SIGKILL);
        waitpid(warden->pid, NULL, 0);
    }
    (void)mwi_fork_guard_close(warden->socket);
    free_warden(warden);
}
