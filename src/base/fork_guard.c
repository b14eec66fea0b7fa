/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of descriptors is a set of bits, since a descriptor is a small number: noting one costs
 * a lock and no memory of its own, and needs no place in the structs of its owner. transports/tcp
 * notes its sockets, record/outlet its pipe, loop/warden its socket, loop/redirect the old streams,
 * and loop/child a pipe while a slave starts; face says when an algorithm runs, and is told.
 *
 * Invariants: the lock is held while a fork is under way, so the child finds the set whole. The
 * child calls only functions that are safe in a signal handler: the parent may have threads. There
 * is one set for the process: a child that keeps the sockets of another farm of the process does
 * the same harm. In the child all numbers stay taken, so that a later mistake with one hits no
 * other file.
 */
#include "base/fork_guard.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORD_BITS ((int)(sizeof(unsigned) * CHAR_BIT))

static pthread_once_t is_registered = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct mwi_list guards = {&guards, &guards};
static unsigned *noted; /* one bit for each descriptor; NULL if there are none */
static int words_count; /* of `noted` */
static int noted_count; /* bits that are set */
static _Thread_local bool is_own_fork;

static unsigned bit_of(int fd)
{
    return 1u << (fd % WORD_BITS);
}

static bool is_noted(int fd)
{
    return fd / WORD_BITS < words_count && (noted[fd / WORD_BITS] & bit_of(fd)) != 0;
}

static bool make_room(int fd)
{
    int count = words_count == 0 ? 1 : words_count;
    while (count <= fd / WORD_BITS)
        count *= 2;
    if (count == words_count)
        return true;
    unsigned *grown = realloc(noted, (size_t)count * sizeof *grown);
    if (grown == NULL)
        return false;
    memset(grown + words_count, 0, (size_t)(count - words_count) * sizeof *grown);
    noted = grown;
    words_count = count;
    return true;
}

static bool note(int fd)
{
    assert(fd >= 0);
    if (is_noted(fd))
        return true;
    if (!make_room(fd))
        return false;
    noted[fd / WORD_BITS] |= bit_of(fd);
    noted_count++;
    return true;
}

static void forget(int fd)
{
    if (!is_noted(fd))
        return;
    noted[fd / WORD_BITS] &= ~bit_of(fd);
    noted_count--;
    assert(noted_count >= 0);
    if (noted_count > 0)
        return;
    free(noted);
    noted = NULL;
    words_count = 0;
}

static bool is_any_closed(void)
{
    for (const struct mwi_list *link = guards.next; link != &guards; link = link->next) {
        const struct mwi_fork_guard *guard = MWI_LIST_ENTRY(link, struct mwi_fork_guard, link);
        if (guard->is_closed != NULL && *guard->is_closed)
            return true;
    }
    return false;
}

/* Memory stays allocated in the child: free is not safe in a signal handler. */
static void lose_descriptors(void)
{
    int null = noted_count == 0 ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < words_count * WORD_BITS; fd++) {
        if (!is_noted(fd))
            continue;
        if (null < 0 || dup3(null, fd, O_CLOEXEC) < 0)
            close(fd);
        noted[fd / WORD_BITS] &= ~bit_of(fd);
    }
    noted_count = 0;
    if (null >= 0)
        close(null);
}

/* In the child no algorithm of the parent closes anything any more: it may open a farm of its own,
 * and become a daemon with it. */
static void tell_owners(void)
{
    for (struct mwi_list *link = guards.next; link != &guards; link = link->next) {
        struct mwi_fork_guard *guard = MWI_LIST_ENTRY(link, struct mwi_fork_guard, link);
        guard->is_closed = NULL;
        if (guard->lose != NULL)
            guard->lose(guard->context);
    }
}

static void before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}

static void in_child(void)
{
    int error = errno;
    if (!is_own_fork && is_any_closed()) {
        lose_descriptors();
        tell_owners();
    }
    pthread_mutex_unlock(&mutex);
    errno = error;
}

static void register_handlers(void)
{
    (void)pthread_atfork(before_fork, after_fork, in_child);
}

static void lock(void)
{
    (void)pthread_once(&is_registered, register_handlers);
    pthread_mutex_lock(&mutex);
}

void mwi_fork_guard_init(struct mwi_fork_guard *guard, const bool *is_closed,
                         void (*lose)(void *context), void *context)
{
    *guard = (struct mwi_fork_guard){.is_closed = is_closed, .lose = lose, .context = context};
    lock();
    mwi_list_append(&guards, &guard->link);
    pthread_mutex_unlock(&mutex);
}

void mwi_fork_guard_fini(struct mwi_fork_guard *guard)
{
    lock();
    mwi_list_remove(&guard->link);
    pthread_mutex_unlock(&mutex);
}

void mwi_fork_guard_begin(void)
{
    lock();
}

int mwi_fork_guard_opened(int fd)
{
    int error = errno;
    if (fd >= 0 && !note(fd)) {
        close(fd);
        fd = -1;
        error = ENOMEM;
    }
    pthread_mutex_unlock(&mutex);
    errno = error;
    return fd;
}

bool mwi_fork_guard_note(int fd)
{
    lock();
    bool has_noted = note(fd);
    pthread_mutex_unlock(&mutex);
    return has_noted;
}

int mwi_fork_guard_close(int fd)
{
    int before = errno;
    lock();
    forget(fd);
    int error = close(fd) == 0 ? 0 : errno;
    pthread_mutex_unlock(&mutex);
    errno = before;
    return error;
}

pid_t mwi_fork_guard_fork(void)
{
    is_own_fork = true;
    pid_t pid = fork();
    is_own_fork = false;
    return pid;
}
