/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs `getent ahosts HOST` and reads the addresses that it prints, a line for each kind of socket:
 *
 *     192.0.2.1       STREAM node1
 *
 * resolve.c calls it. getaddrinfo itself may wait for a name server as long as the machine's
 * settings say, and a thread for it would be seen by programs that have none. Invariant: when
 * mwi_tcp_getent_destroy returns the process is gone and reaped.
 */
#include "getent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct mwi_tcp_getent {
    const char *port;
    mwi_tcp_getent_fn *done;
    void *context;
    struct event *event;
    pid_t pid; /* 0: reaped */
    int fd;    /* what it prints */
    size_t length;
    char text[4096]; /* more addresses than fit are not needed */
};

static const struct evutil_addrinfo hints = {
    .ai_socktype = SOCK_STREAM, .ai_flags = EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV};

static void reap(struct mwi_tcp_getent *getent)
{
    while (getent->pid > 0 && waitpid(getent->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    getent->pid = 0;
}

void mwi_tcp_getent_destroy(struct mwi_tcp_getent *getent)
{
    if (getent == NULL)
        return;
    if (getent->pid > 0)
        kill(getent->pid, SIGKILL);
    reap(getent);
    if (getent->event != NULL)
        event_free(getent->event);
    if (getent->fd >= 0)
        close(getent->fd);
    free(getent);
}

/* The address of a line, if it is one for streams. */
static struct evutil_addrinfo *read_line(const struct mwi_tcp_getent *getent, const char *line)
{
    char address[100], kind[16];
    struct evutil_addrinfo *one = NULL;
    if (sscanf(line, "%99s %15s", address, kind) != 2 || strcmp(kind, "STREAM") != 0 ||
        evutil_getaddrinfo(address, getent->port, &hints, &one) != 0)
        return NULL;
    return one;
}

static struct evutil_addrinfo *read_addresses(struct mwi_tcp_getent *getent)
{
    struct evutil_addrinfo *first = NULL, **end = &first;
    char *rest = getent->text, *line;
    getent->text[getent->length] = '\0';
    while ((line = strsep(&rest, "\n")) != NULL) {
        *end = read_line(getent, line);
        while (*end != NULL)
            end = &(*end)->ai_next;
    }
    return first;
}

static void on_output(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_getent *getent = context;
    (void)what;
    size_t room = sizeof getent->text - 1 - getent->length;
    ssize_t size = read(fd, getent->text + getent->length, room);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size > 0)
        getent->length += (size_t)size;
    if (size > 0 && (size_t)size < room)
        return;
    event_del(getent->event);
    if (size <= 0)
        reap(getent);
    getent->done(getent->context, read_addresses(getent));
}

/* The program gets no signal blocked, and nothing of this process but `output`. */
static bool spawn(pid_t *pid, const char *host, int output)
{
    char name[] = "getent", database[] = "ahosts", key[300];
    char *arguments[] = {name, database, key, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    snprintf(key, sizeof key, "%s", host);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return false;
    }
    bool is_begun =
        posix_spawnattr_setsigmask(&attributes, &none) == 0 &&
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK) == 0 &&
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0) == 0 &&
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) == 0 &&
        posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO) == 0 &&
        posix_spawnp(pid, name, &actions, &attributes, arguments, environ) == 0;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return is_begun;
}

static bool start(struct mwi_tcp_getent *getent, struct event_base *base, const char *host)
{
    int ends[2];
    if (host[0] == '-' || pipe2(ends, O_CLOEXEC) != 0)
        return false;
    getent->fd = ends[0];
    if (!spawn(&getent->pid, host, ends[1]))
        getent->pid = 0;
    close(ends[1]);
    (void)fcntl(getent->fd, F_SETFL, O_NONBLOCK);
    getent->event = event_new(base, getent->fd, EV_READ | EV_PERSIST, on_output, getent);
    return getent->pid > 0 && getent->event != NULL && event_add(getent->event, NULL) == 0;
}

struct mwi_tcp_getent *mwi_tcp_getent_begin(struct event_base *base, const char *host,
                                            const char *port, mwi_tcp_getent_fn *done,
                                            void *context)
{
    struct mwi_tcp_getent *getent = calloc(1, sizeof *getent);
    if (getent == NULL)
        return NULL;
    getent->port = port;
    getent->done = done;
    getent->context = context;
    getent->fd = -1;
    if (start(getent, base, host))
        return getent;
    mwi_tcp_getent_destroy(getent);
    return NULL;
}
