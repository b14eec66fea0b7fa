/* SPDX-License-Identifier: Apache-2.0
 *
 * The way to a connected socket, in steps that events drive. The first step is taken in the turn
 * after the dial began, since a connect must not call an event itself. conn_dial.c owns each dial.
 * A new way to a socket is a kind of address that on_begin handles.
 *
 *     begin --> look up --> try an address --> done
 *                                |    ^
 *                                +----+ it failed or took too long, and there is another one
 */
#include "dial.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fork_guard.h"
#include "resolve.h"
#include "socket.h"

/* An address that does not answer delays the next one by this much; the last may take longer. */
#define TRY_S 5
#define LAST_TRY_S 60

struct mwi_tcp_dial {
    struct event_base *base;
    mwi_tcp_dial_fn *done;
    void *context;
    struct mwi_tcp_address address;
    struct event *event; /* first the call to begin, then the outcome of the present attempt */
    struct mwi_tcp_resolve *resolve;
    struct evutil_addrinfo *found;
    struct evutil_addrinfo *next; /* the address to try next, in `found` */
    int fd;    /* of the present attempt, or the one to hand over; -1 if there is neither */
    int error; /* why the last attempt failed */
};

void mwi_tcp_dial_destroy(struct mwi_tcp_dial *dial)
{
    if (dial == NULL)
        return;
    if (dial->event != NULL)
        event_free(dial->event);
    if (dial->fd >= 0)
        mwi_fork_guard_close(dial->fd);
    mwi_tcp_resolve_destroy(dial->resolve);
    if (dial->found != NULL)
        evutil_freeaddrinfo(dial->found);
    free(dial);
}

static void succeed(struct mwi_tcp_dial *dial)
{
    assert(dial->fd >= 0);
    char name[256];
    int fd = dial->fd;
    dial->fd = -1;
    mwi_tcp_address_dialled_name(fd, name, sizeof name);
    dial->done(dial->context, fd, name);
}

static void fail(struct mwi_tcp_dial *dial)
{
    assert(dial->error != 0);
    char words[128];
    dial->done(dial->context, -1, strerror_r(dial->error, words, sizeof words));
}

static void try_next(struct mwi_tcp_dial *dial);

static void give_up_attempt(struct mwi_tcp_dial *dial, int error)
{
    dial->error = error;
    event_free(dial->event);
    dial->event = NULL;
    mwi_fork_guard_close(dial->fd);
    dial->fd = -1;
}

static void on_outcome(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_dial *dial = context;
    int error = 0;
    socklen_t size = sizeof error;
    if ((what & EV_TIMEOUT) != 0)
        error = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0) {
        mwi_tcp_socket_tune(fd);
        succeed(dial);
    } else {
        give_up_attempt(dial, error);
        try_next(dial);
    }
}

static bool wait_for_outcome(struct mwi_tcp_dial *dial)
{
    const struct timeval timeout = {.tv_sec = dial->next != NULL ? TRY_S : LAST_TRY_S};
    if (dial->event != NULL)
        event_free(dial->event);
    dial->event = event_new(dial->base, dial->fd, EV_WRITE, on_outcome, dial);
    return dial->event != NULL && event_add(dial->event, &timeout) == 0;
}

static void try_next(struct mwi_tcp_dial *dial)
{
    while (dial->next != NULL) {
        struct evutil_addrinfo *one = dial->next;
        dial->next = one->ai_next;
        dial->fd = mwi_tcp_socket_connect(one->ai_addr, one->ai_addrlen);
        if (dial->fd < 0) {
            dial->error = errno;
            continue;
        }
        if (wait_for_outcome(dial))
            return;
        dial->error = ENOMEM;
        break;
    }
    fail(dial);
}

static void on_resolved(void *context, struct evutil_addrinfo *found, const char *problem)
{
    struct mwi_tcp_dial *dial = context;
    mwi_tcp_resolve_destroy(dial->resolve);
    dial->resolve = NULL;
    dial->found = found;
    dial->next = found;
    if (found != NULL)
        try_next(dial);
    else
        dial->done(dial->context, -1, problem);
}

static void look_up(struct mwi_tcp_dial *dial)
{
    dial->resolve = mwi_tcp_resolve_begin(dial->base, dial->address.host, dial->address.port,
                                          on_resolved, dial);
    if (dial->resolve == NULL) {
        dial->error = ENOMEM;
        fail(dial);
    }
}

static void on_begin(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct mwi_tcp_dial *dial = context;
    if (dial->address.kind == MWI_TCP_ADDRESS_FD)
        succeed(dial);
    else
        look_up(dial);
}

struct mwi_tcp_dial *mwi_tcp_dial_begin(struct event_base *base,
                                        const struct mwi_tcp_address *address,
                                        mwi_tcp_dial_fn *done, void *context)
{
    assert(address->kind != MWI_TCP_ADDRESS_ANY);
    struct mwi_tcp_dial *dial = calloc(1, sizeof *dial);
    if (dial == NULL)
        return NULL;
    dial->base = base;
    dial->done = done;
    dial->context = context;
    dial->address = *address;
    dial->event = event_new(base, -1, 0, on_begin, dial);
    if (dial->event == NULL) {
        free(dial);
        return NULL;
    }
    dial->fd = address->kind == MWI_TCP_ADDRESS_FD ? address->fd : -1;
    event_active(dial->event, EV_TIMEOUT, 0);
    return dial;
}
