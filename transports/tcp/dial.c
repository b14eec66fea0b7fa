/* SPDX-License-Identifier: Apache-2.0
 *
 * The way to a connected socket, in steps that an event drives, the first of them in the poll after
 * the dial began:
 *
 *     begin --> look up --> try an address --> start
 *                                |    ^
 *                                +----+ failed, or took too long, and there is another
 */
#include "dial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "resolve.h"
#include "socket.h"

/* An address that does not answer delays the others by so much; the last one may take longer. */
#define TRY_S 5
#define LAST_TRY_S 60

struct mwi_tcp_dial {
    struct mwi_tcp_conn *conn;
    struct mwi_tcp_address address;
    struct event *event; /* first the call to begin, then the outcome of the present attempt */
    struct mwi_tcp_resolve *resolve;
    struct evutil_addrinfo *found;
    struct evutil_addrinfo *next;
    int fd;    /* of the present attempt, or the one to take over; -1 if none */
    int error; /* why the last attempt failed */
};

void mwi_tcp_dial_destroy(struct mwi_tcp_dial *dial)
{
    if (dial == NULL)
        return;
    if (dial->event != NULL)
        event_free(dial->event);
    if (dial->fd >= 0)
        close(dial->fd);
    mwi_tcp_resolve_destroy(dial->resolve);
    if (dial->found != NULL)
        evutil_freeaddrinfo(dial->found);
    free(dial);
}

/* Ends the dial with a socket. */
static void succeed(struct mwi_tcp_dial *dial)
{
    char name[128];
    int fd = dial->fd;

    dial->fd = -1;
    mwi_tcp_address_peer_name(fd, name, sizeof name);
    mwi_tcp_conn_start(dial->conn, fd, name);
}

static void fail(struct mwi_tcp_dial *dial)
{
    char words[128];
    mwi_tcp_conn_down(dial->conn, strerror_r(dial->error, words, sizeof words));
}

static void try_next(struct mwi_tcp_dial *dial);

static void give_up_attempt(struct mwi_tcp_dial *dial, int error)
{
    dial->error = error;
    event_free(dial->event);
    dial->event = NULL;
    close(dial->fd);
    dial->fd = -1;
}

static void on_outcome(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_dial *dial = context;
    int error = 0;
    socklen_t size = sizeof error;

    if (what & EV_TIMEOUT)
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

static bool wait_outcome(struct mwi_tcp_dial *dial)
{
    const struct timeval timeout = {.tv_sec = dial->next != NULL ? TRY_S : LAST_TRY_S};

    if (dial->event != NULL)
        event_free(dial->event);
    dial->event = event_new(dial->conn->hub->base, dial->fd, EV_WRITE, on_outcome, dial);
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
        if (wait_outcome(dial))
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
        mwi_tcp_conn_down(dial->conn, problem);
}

static void look_up(struct mwi_tcp_dial *dial)
{
    dial->resolve = mwi_tcp_resolve_begin(dial->conn->hub->base, dial->address.host,
                                          dial->address.port, on_resolved, dial);
    if (dial->resolve == NULL) {
        dial->error = ENOMEM;
        fail(dial);
    }
}

static void on_begin(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_dial *dial = context;
    (void)fd;
    (void)what;

    if (dial->address.kind == MWI_TCP_ADDRESS_FD)
        succeed(dial);
    else
        look_up(dial);
}

mw_error mwi_tcp_dial_begin(struct mwi_tcp_conn *conn, const struct mwi_tcp_address *address)
{
    struct mwi_tcp_dial *dial = calloc(1, sizeof *dial);

    if (dial == NULL)
        return MW_ENOMEM;
    dial->conn = conn;
    dial->address = *address;
    dial->fd = -1;
    dial->event = event_new(conn->hub->base, -1, 0, on_begin, dial);
    if (dial->event == NULL) {
        free(dial);
        return MW_ENOMEM;
    }
    if (address->kind == MWI_TCP_ADDRESS_FD)
        dial->fd = address->fd;
    event_active(dial->event, EV_TIMEOUT, 0);
    conn->dial = dial;
    return MW_OK;
}
