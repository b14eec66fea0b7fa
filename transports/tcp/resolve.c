/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks up a host, for dial.c, which owns each resolve. Numeric addresses need no look-up. Names
 * are looked up with libevent's resolver, which reads /etc/hosts and /etc/resolv.conf and never
 * blocks. It does not know the other sources of names that a machine may have (nsswitch.conf). So a
 * name that it does not find is looked up once more with getaddrinfo, which blocks, but only if the
 * name servers have just answered: getaddrinfo would otherwise wait for them. Another source of
 * names goes between the two.
 */
#include "resolve.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>

#include "base/clock.h"
#include "base/time.h"

/* An answer within this time is from a name server: libevent waits longer before it gives one up.
 */
#define QUICK_NS (2 * MWI_NS_PER_S)

struct mwi_tcp_resolve {
    struct event *ready; /* calls `done` */
    struct evdns_base *dns;
    bool is_asking;    /* libevent has yet to answer */
    bool is_abandoned; /* freed when it does */
    int64_t begin_ns;
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

/* Whether the name servers have answered. libevent reports the same failure for a server that
 * refuses the name and for one that is silent; only the time tells them apart. */
static bool is_answered(const struct mwi_tcp_resolve *resolve)
{
    return resolve->failure == EVUTIL_EAI_NONAME || resolve->failure == EVUTIL_EAI_NODATA ||
           mwi_clock_monotonic_ns() - resolve->begin_ns < QUICK_NS;
}

static void on_ready(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_resolve *resolve = context;
    struct evutil_addrinfo *found = resolve->found;
    char problem[400];
    (void)fd;
    (void)what;

    if (resolve->failure != 0 && is_answered(resolve))
        resolve->failure = evutil_getaddrinfo(resolve->host, resolve->port, &hints, &found);
    resolve->found = NULL;
    snprintf(problem, sizeof problem, "host \"%s\": %s", resolve->host,
             evutil_gai_strerror(resolve->failure));
    resolve->done(resolve->context, resolve->failure == 0 ? found : NULL, problem);
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
        /* There are no name servers, so getaddrinfo will not wait for any. */
        resolve->failure = EVUTIL_EAI_NONAME;
        event_active(resolve->ready, EV_TIMEOUT, 0);
        return;
    }
    /* By default libevent writes to standard error when a name server fails. A process has one such
     * function, so a program that resolves names with libevent may set its own later. */
    evdns_set_log_fn(ignore_message);
    resolve->is_asking = true;
    evdns_getaddrinfo(resolve->dns, resolve->host, resolve->port, &hints, on_answer, resolve);
}

struct mwi_tcp_resolve *mwi_tcp_resolve_begin(struct event_base *base, const char *host,
                                              uint16_t port, mwi_tcp_resolve_fn *done,
                                              void *context)
{
    size_t size = strlen(host) + 1;
    struct mwi_tcp_resolve *resolve = calloc(1, sizeof *resolve + size);
    if (resolve == NULL)
        return NULL;
    resolve->begin_ns = mwi_clock_monotonic_ns();
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

void mwi_tcp_resolve_destroy(struct mwi_tcp_resolve *resolve)
{
    if (resolve == NULL)
        return;
    bool is_asking = resolve->is_asking;
    event_free(resolve->ready);
    resolve->is_abandoned = is_asking;
    /* If libevent is still asking, this makes it call on_answer with a failure later. */
    if (resolve->dns != NULL)
        evdns_base_free(resolve->dns, is_asking);
    if (!is_asking)
        free_resolve(resolve);
}
