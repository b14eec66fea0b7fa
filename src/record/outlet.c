/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes lines without ever blocking for long. audit_file writes the trail through an outlet, and
 * the face its sentences.
 *
 * O_NONBLOCK belongs to the open description, which an inherited descriptor shares with a shell and
 * with other programs. So pipes and terminals are opened anew through /proc/self/fd, with a
 * description of our own. Sockets cannot be opened anew, but take a flag with each message. Where
 * /proc is missing, or the pipe belongs to another user, poll is asked before each piece: that can
 * block only if another process takes the room in between.
 *
 * Invariants: pipes get whole lines in pieces of PIPE_BUF, which the system never divides, so the
 * lines of several processes stay whole. A broken pipe is an error, and never a signal. A new type
 * of place is an enumerator in outlet.h, and a case in type_of and write_piece.
 */
#include "record/outlet.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fork_guard.h"

/* How long the writes of a turn may wait for a reader, all together. */
#define PATIENCE_MS 400
/* A terminal that poll calls writable takes that much without blocking. */
#define TERMINAL_PIECE_BYTES 256
#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static enum mwi_outlet_type type_of(const struct stat *status, int fd)
{
    if (S_ISFIFO(status->st_mode))
        return MWI_OUTLET_PIPE;
    if (S_ISSOCK(status->st_mode))
        return MWI_OUTLET_SOCKET;
    return S_ISCHR(status->st_mode) && isatty(fd) ? MWI_OUTLET_TERMINAL : MWI_OUTLET_FILE;
}

static void remember(struct mwi_outlet *outlet, const struct stat *status)
{
    outlet->type = type_of(status, outlet->fd);
    outlet->device = status->st_dev;
    outlet->inode = status->st_ino;
}

static bool is_same(const struct mwi_outlet *outlet, const struct stat *status)
{
    return status->st_dev == outlet->device && status->st_ino == outlet->inode;
}

/* A daemon that an algorithm forks off closes its standard streams, and so lets go of the pipe or
 * terminal; it must not keep it by ours. */
static void own(struct mwi_outlet *outlet, int fd)
{
    outlet->fd = fd;
    outlet->is_own = true;
    (void)mwi_fork_guard_note(fd);
}

/* Pipes and terminals get a description of their own, all others are written to as they are. */
static void take_standard_error(struct mwi_outlet *outlet)
{
    struct stat status = {0};
    outlet->fd = STDERR_FILENO;
    if (fstat(STDERR_FILENO, &status) != 0)
        return;
    remember(outlet, &status);
    if (outlet->type != MWI_OUTLET_PIPE && outlet->type != MWI_OUTLET_TERMINAL)
        return;
    int fd = open("/proc/self/fd/2", OPEN_FLAGS);
    outlet->can_block = fd < 0;
    if (fd >= 0)
        own(outlet, fd);
}

static bool is_fifo(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISFIFO(status.st_mode);
}

/* Opens the path. A FIFO that nobody reads cannot be opened yet, which is no error. */
static void open_path(struct mwi_outlet *outlet)
{
    struct stat status;
    outlet->error = 0;
    outlet->fd = open(outlet->path, OPEN_FLAGS | O_CREAT, 0644);
    if (outlet->fd < 0) {
        bool is_unread = errno == ENXIO && is_fifo(outlet->path);
        outlet->error = is_unread ? 0 : errno;
        return;
    }
    own(outlet, outlet->fd);
    if (fstat(outlet->fd, &status) == 0)
        remember(outlet, &status);
}

static struct mwi_outlet unopened(char *path)
{
    return (struct mwi_outlet){.path = path, .fd = -1, .patience_ms = PATIENCE_MS};
}

void mwi_outlet_open_error(struct mwi_outlet *outlet)
{
    *outlet = unopened(NULL);
    take_standard_error(outlet);
}

void mwi_outlet_pin(struct mwi_outlet *outlet)
{
    int fd = outlet->is_own ? outlet->fd : fcntl(outlet->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    assert(outlet->path == NULL);
    outlet->is_pinned = true;
    if (fd >= 0)
        own(outlet, fd);
}

bool mwi_outlet_open(struct mwi_outlet *outlet, char *path)
{
    *outlet = unopened(path);
    open_path(outlet);
    return outlet->error == 0;
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Waits for a reader; false if there was none for too long. */
static bool wait_for_room(struct mwi_outlet *outlet)
{
    struct pollfd poll_fd = {.fd = outlet->fd, .events = POLLOUT};
    if (outlet->patience_ms <= 0) {
        outlet->is_stalled = !outlet->has_moved;
        return false;
    }
    double began_ms = now_ms();
    (void)poll(&poll_fd, 1, (int)outlet->patience_ms + 1);
    outlet->patience_ms -= now_ms() - began_ms;
    return true;
}

static bool has_room_now(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, 0) > 0;
}

/* The lines that fit into `most` bytes; a part of the first if that does not. */
static size_t cut_lines(const char *lines, size_t size, size_t most)
{
    if (size <= most)
        return size;
    const char *newline = memrchr(lines, '\n', most);
    return newline == NULL ? most : (size_t)(newline - lines) + 1;
}

/* write() without SIGPIPE: the signal is held back in this thread, and taken if it was raised. */
static ssize_t write_pipe(int fd, const char *bytes, size_t size)
{
    sigset_t broken, before, pending;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    sigpending(&pending);
    sigprocmask(SIG_BLOCK, &broken, &before);
    ssize_t written = write(fd, bytes, size);
    int error = errno;
    if (written < 0 && error == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        (void)sigtimedwait(&broken, NULL, &(struct timespec){0});
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return written;
}

/* Writes some of the lines. -1, with errno set, if nothing can be written now. */
static ssize_t write_piece(const struct mwi_outlet *outlet, const char *lines, size_t size)
{
    if (outlet->can_block && !has_room_now(outlet->fd)) {
        errno = EAGAIN;
        return -1;
    }
    switch (outlet->type) {
    case MWI_OUTLET_PIPE:
        return write_pipe(outlet->fd, lines, cut_lines(lines, size, PIPE_BUF));
    case MWI_OUTLET_SOCKET:
        return send(outlet->fd, lines, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    case MWI_OUTLET_TERMINAL:
        if (outlet->can_block && size > TERMINAL_PIECE_BYTES)
            size = TERMINAL_PIECE_BYTES;
        break;
    case MWI_OUTLET_FILE:
        break;
    }
    return write(outlet->fd, lines, size);
}

/* Whether to try again after a write that has failed. The reader of a FIFO may come back. */
static bool can_retry(struct mwi_outlet *outlet, int error)
{
    if (error == EINTR)
        return true;
    if (error == EAGAIN)
        return wait_for_room(outlet);
    outlet->error = error;
    if (error == EPIPE && outlet->path != NULL) {
        outlet->error = 0;
        (void)mwi_outlet_shut(outlet);
    }
    return false;
}

size_t mwi_outlet_write(struct mwi_outlet *outlet, const char *lines, size_t size)
{
    size_t done = 0;
    outlet->error = 0;
    while (done < size && outlet->fd >= 0) {
        ssize_t written = write_piece(outlet, lines + done, size - done);
        if (written > 0) {
            done += (size_t)written;
            outlet->has_moved = true;
            outlet->is_stalled = false;
        } else if (!can_retry(outlet, written == 0 ? EIO : errno)) {
            break;
        }
    }
    assert(done <= size);
    return done;
}

void mwi_outlet_renew(struct mwi_outlet *outlet)
{
    outlet->patience_ms = outlet->is_stalled ? 0 : PATIENCE_MS;
    outlet->has_moved = false;
}

/* If another file cannot be opened, the old one stays: what is written there is not lost. */
bool mwi_outlet_look(struct mwi_outlet *outlet)
{
    struct stat status;
    if (outlet->is_pinned)
        return false;
    bool is_there = outlet->path == NULL ? fstat(STDERR_FILENO, &status) == 0
                                         : stat(outlet->path, &status) == 0;
    if (outlet->fd >= 0 && is_there && is_same(outlet, &status))
        return false;
    struct mwi_outlet opened = unopened(outlet->path);
    if (opened.path == NULL && is_there)
        take_standard_error(&opened);
    else if (opened.path != NULL)
        open_path(&opened);
    if (opened.fd < 0) {
        outlet->error = outlet->fd < 0 ? opened.error : 0;
        return false;
    }
    bool is_other = opened.device != outlet->device || opened.inode != outlet->inode;
    (void)mwi_outlet_shut(outlet);
    *outlet = opened;
    return is_other;
}

bool mwi_outlet_shut(struct mwi_outlet *outlet)
{
    int error = outlet->is_own ? mwi_fork_guard_close(outlet->fd) : 0;
    outlet->fd = -1;
    outlet->is_own = false;
    errno = error;
    return error == 0 || error == EINTR;
}

void mwi_outlet_close(struct mwi_outlet *outlet)
{
    (void)mwi_outlet_shut(outlet);
    free(outlet->path);
    outlet->path = NULL;
}

void mwi_outlet_say(const char *line)
{
    struct mwi_outlet outlet;
    char text[1024];
    int length = snprintf(text, sizeof text - 1, "%s", line);
    size_t size = length < 0 ? 0 : strlen(text);
    text[size++] = '\n';
    mwi_outlet_open_error(&outlet);
    (void)mwi_outlet_write(&outlet, text, size);
    mwi_outlet_close(&outlet);
}
