/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks up a host, for dial.c, which owns each resolve, and for socket.c, which waits for the
 * outcome. Numeric addresses need no look-up. Names are looked up with libevent's resolver, which
 * reads /etc/hosts and /etc/resolv.conf and never blocks. It does not know the other sources of
 * names that a machine may have (nsswitch.conf). So a name that it does not find is looked up once
 * more by getent.c. Another source of names goes between the two.
 */
#include "resolve.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>

#include "getent.h"
#include "poller.h"

/* A look-up that is waited for takes no longer. A name server that is silent is given up so early
 * that two others can be asked, or that one which answers half of a question has no say. */
#define NOW_MS 1000
#define NOW_TRY_S "0.3"

struct mwi_tcp_resolve {
    struct event *ready; /* calls `done` */
    struct evdns_base *dns;
    struct mwi_tcp_getent *getent; /* is asked after libevent; NULL: not yet */
    bool is_asking;                /* libevent has yet to answer */
    bool is_abandoned;             /* freed when it does */
    bool is_hasty;                 /* somebody waits for the outcome */
    int failure;
    struct evutil_addrinfo *found;
    mwi_tcp_resolve_fn *done;
    void *context;
    char port[8];
    char host[];
};

static const struct evutil_addrinfo numeric_hints = {
    .ai_socktype = SOCK_STREAM, .ai_flags = EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV};
static const struct evutil_addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                             .ai_flags = EVUTIL_AI_NUMERICSERV};

static void free_resolve(struct mwi_tcp_resolve *resolve)
{
    if (resolve->found != NULL)
        evutil_freeaddrinfo(resolve->found);
    free(resolve);
}

static void on_answer(int failure, struct evutil_addrinfo *found, void *context)
{
    struct mwi_tcp_resolve *resolve = context;
    resolve->is_asking = false;
    resolve->failure = failure;
    resolve->found = found;
    if (resolve->is_abandoned)
        free_resolve(resolve);
    else
        event_active(resolve->ready, EV_TIMEOUT, 0);
}

static void finish(struct mwi_tcp_resolve *resolve)
{
    struct evutil_addrinfo *found = resolve->found;
    char problem[400];
    resolve->found = NULL;
    snprintf(problem, sizeof problem, "host \"%s\": %s", resolve->host,
             evutil_gai_strerror(resolve->failure));
    resolve->done(resolve->context, resolve->failure == 0 ? found : NULL, problem);
}

static void on_getent(void *context, struct evutil_addrinfo *found)
{
    struct mwi_tcp_resolve *resolve = context;
    resolve->found = found;
    if (found != NULL)
        resolve->failure = 0;
    finish(resolve);
}

static void on_ready(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_resolve *resolve = context;
    (void)fd;
    (void)what;
    if (resolve->failure != 0)
        resolve->getent = mwi_tcp_getent_begin(event_get_base(resolve->ready), resolve->host,
                                               resolve->port, on_getent, resolve);
    if (resolve->getent == NULL)
        finish(resolve);
}

static void ignore_message(int is_warning, const char *message)
{
    (void)is_warning;
    (void)message;
}

static void ask(struct mwi_tcp_resolve *resolve, struct event_base *base)
{
    resolve->failure =
        evutil_getaddrinfo(resolve->host, resolve->port, &numeric_hints, &resolve->found);
    if (resolve->failure == 0) {
        event_active(resolve->ready, EV_TIMEOUT, 0);
        return;
    }
    resolve->found = NULL;
    resolve->dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS);
    if (resolve->dns == NULL) {
        resolve->failure = EVUTIL_EAI_NONAME;
        event_active(resolve->ready, EV_TIMEOUT, 0);
        return;
    }
    /* By default libevent writes to standard error when a name server fails. A process has one such
     * function, so a program that resolves names with libevent may set its own later. */
    evdns_set_log_fn(ignore_message);
    if (resolve->is_hasty) {
        evdns_base_set_option(resolve->dns, "timeout:", NOW_TRY_S);
        evdns_base_set_option(resolve->dns, "getaddrinfo-allow-skew:", NOW_TRY_S);
    }
    resolve->is_asking = true;
    evdns_getaddrinfo(resolve->dns, resolve->host, resolve->port, &hints, on_answer, resolve);
}

static struct mwi_tcp_resolve *begin(struct event_base *base, const char *host, uint16_t port,
                                     bool is_hasty, mwi_tcp_resolve_fn *done, void *context)
{
    size_t size = strlen(host) + 1;
    struct mwi_tcp_resolve *resolve = calloc(1, sizeof *resolve + size);
    if (resolve == NULL)
        return NULL;
    resolve->is_hasty = is_hasty;
    resolve->done = done;
    resolve->context = context;
    memcpy(resolve->host, host, size);
    snprintf(resolve->port, sizeof resolve->port, "%u", port);
    resolve->ready = event_new(base, -1, 0, on_ready, resolve);
    if (resolve->ready == NULL) {
        free(resolve);
        return NULL;
    }
    ask(resolve, base);
    return resolve;
}

struct mwi_tcp_resolve *mwi_tcp_resolve_begin(struct event_base *base, const char *host,
                                              uint16_t port, mwi_tcp_resolve_fn *done,
                                              void *context)
{
    return begin(base, host, port, false, done, context);
}

void mwi_tcp_resolve_destroy(struct mwi_tcp_resolve *resolve)
{
    if (resolve == NULL)
        return;
    bool is_asking = resolve->is_asking;
    mwi_tcp_getent_destroy(resolve->getent);
    event_free(resolve->ready);
    resolve->is_abandoned = is_asking;
    /* If libevent is still asking, this makes it call on_answer with a failure later. */
    if (resolve->dns != NULL)
        evdns_base_free(resolve->dns, is_asking);
    if (!is_asking)
        free_resolve(resolve);
}

/* The outcome of a look-up that is waited for. */
struct outcome {
    struct event_base *base;
    struct evutil_addrinfo *found;
    char *problem;
    size_t size;
};

static void take_outcome(void *context, struct evutil_addrinfo *found, const char *problem)
{
    struct outcome *outcome = context;
    outcome->found = found;
    snprintf(outcome->problem, outcome->size, "%s", problem);
    event_base_loopbreak(outcome->base);
}

struct evutil_addrinfo *mwi_tcp_resolve_now(const char *host, uint16_t port, char *problem,
                                            size_t size)
{
    const struct timeval limit = {.tv_sec = NOW_MS / 1000};
    struct outcome outcome = {mwi_tcp_poller_create_base(), NULL, problem, size};
    snprintf(problem, size, "no descriptors or no memory are left to look up a name");
    if (outcome.base == NULL)
        return NULL;
    struct mwi_tcp_resolve *resolve = begin(outcome.base, host, port, true, take_outcome, &outcome);
    if (resolve != NULL && event_base_loopexit(outcome.base, &limit) == 0) {
        snprintf(problem, size, "host \"%s\": no name server has answered within a second", host);
        event_base_dispatch(outcome.base);
    }
    mwi_tcp_resolve_destroy(resolve);
    /* The turn that mwi_tcp_resolve_destroy asks for. */
    event_base_loop(outcome.base, EVLOOP_NONBLOCK);
    event_base_free(outcome.base);
    return outcome.found;
}
