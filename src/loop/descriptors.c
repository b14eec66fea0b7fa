/* SPDX-License-Identifier: Apache-2.0
 *
 * The set is an epoll instance, which is itself a descriptor that can be waited for. It reports a
 * watch as long as its descriptor is readable (level-triggered). So nothing is lost if a dispatch
 * comes late, or if more watches are ready than one dispatch calls.
 *
 * Invariant: `ready` holds the watches that a running dispatch has still to call. A watch that is
 * removed meanwhile is taken out of `ready`. The loop dispatches after its poll; see loop.c for
 * when. To wait until a descriptor can be written too, add the wanted events to mwi_watch.
 */
#include "loop/descriptors.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READY_MAX 16

struct mwi_descriptors {
    int epoll_fd;
    struct epoll_event ready[READY_MAX]; /* data.ptr: the watch; NULL: removed */
    int ready_count;                     /* 0 outside of a dispatch */
};

static mw_error error_of(int number)
{
    return number == ENOMEM ? MW_ENOMEM : MW_EIO;
}

mw_error mwi_descriptors_open(struct mwi_descriptors **descriptors, mw_reason *why)
{
    struct mwi_descriptors *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        snprintf(why->text, sizeof why->text, "out of memory");
        return MW_ENOMEM;
    }
    opened->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (opened->epoll_fd < 0) {
        int number = errno;
        free(opened);
        snprintf(why->text, sizeof why->text, "cannot wait for descriptors: %s", strerror(number));
        return error_of(number);
    }
    *descriptors = opened;
    return MW_OK;
}

void mwi_descriptors_close(struct mwi_descriptors *descriptors)
{
    if (descriptors == NULL)
        return;
    assert(descriptors->ready_count == 0);
    close(descriptors->epoll_fd);
    free(descriptors);
}

int mwi_descriptors_fd(const struct mwi_descriptors *descriptors)
{
    return descriptors == NULL ? -1 : descriptors->epoll_fd;
}

mw_error mwi_descriptors_add(struct mwi_descriptors *descriptors, struct mwi_watch *watch)
{
    assert(watch->fd >= 0 && watch->ready != NULL);
    if (descriptors == NULL)
        return MW_EUNAVAILABLE;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
    if (epoll_ctl(descriptors->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0)
        return MW_OK;
    return error_of(errno);
}

void mwi_descriptors_remove(struct mwi_descriptors *descriptors, struct mwi_watch *watch)
{
    struct epoll_event ignored = {0};
    int removed = epoll_ctl(descriptors->epoll_fd, EPOLL_CTL_DEL, watch->fd, &ignored);
    assert(removed == 0);
    (void)removed;
    for (int i = 0; i < descriptors->ready_count; i++)
        if (descriptors->ready[i].data.ptr == watch)
            descriptors->ready[i].data.ptr = NULL;
}

void mwi_descriptors_dispatch(struct mwi_descriptors *descriptors)
{
    assert(descriptors->ready_count == 0);
    int count = epoll_wait(descriptors->epoll_fd, descriptors->ready, READY_MAX, 0);
    descriptors->ready_count = count < 0 ? 0 : count;
    for (int i = 0; i < descriptors->ready_count; i++) {
        const struct mwi_watch *watch = descriptors->ready[i].data.ptr;
        if (watch != NULL)
            watch->ready(watch->context);
    }
    descriptors->ready_count = 0;
}
