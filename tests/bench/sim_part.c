/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport between the farm and its simulated world: each of its functions stops the count,
 * and the events that the world calls go on with it. Other hosts run only inside of poll, so a part
 * that one host has begun is never counted in another.
 */
#include "sim_part.h"

#include <stdlib.h>

#if defined(__has_include)
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif
#endif
#ifndef CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_TOGGLE_COLLECT (void)0
#define CALLGRIND_START_INSTRUMENTATION (void)0
#define CALLGRIND_STOP_INSTRUMENTATION (void)0
#endif

#define API mw_sim_transport

struct transport {
    struct mwt_sim_part *part;
    void *inner;
    const mw_transport_events *events;
    void *context;
    bool is_paused; /* poll has stopped the count, and its events go on with it */
};

void mwt_sim_part_count(struct mwt_sim_part *part, bool is_counting)
{
    if (part->is_counting != is_counting)
        CALLGRIND_TOGGLE_COLLECT;
    part->is_counting = is_counting;
}

void mwt_sim_part_watch(void)
{
    CALLGRIND_START_INSTRUMENTATION;
}

void mwt_sim_part_ignore(void)
{
    CALLGRIND_STOP_INSTRUMENTATION;
}

/* The events. */

static void up(void *context, mw_peer peer, const char *name)
{
    struct transport *transport = context;
    mwt_sim_part_count(transport->part, transport->is_paused);
    transport->events->up(transport->context, peer, name);
    mwt_sim_part_count(transport->part, false);
}

static void message(void *context, mw_peer peer, mw_frame *frame)
{
    struct transport *transport = context;
    mwt_sim_part_count(transport->part, transport->is_paused);
    transport->events->message(transport->context, peer, frame);
    mwt_sim_part_count(transport->part, false);
}

static void down(void *context, mw_peer peer, const char *reason)
{
    struct transport *transport = context;
    mwt_sim_part_count(transport->part, transport->is_paused);
    transport->events->down(transport->context, peer, reason);
    mwt_sim_part_count(transport->part, false);
}

/* The functions. */

static mw_error open_transport(void **transport, const mw_transport_config *config, mw_reason *why)
{
    static const mw_transport_events events = {.up = up, .message = message, .down = down};
    const struct mwt_sim_part_place *place = config->environment;
    struct transport *made = malloc(sizeof *made);
    if (made == NULL)
        return MW_ENOMEM;
    *made = (struct transport){
        .part = place->part, .events = config->events, .context = config->context};
    mw_transport_config inner = *config;
    inner.events = &events;
    inner.context = made;
    inner.environment = place->host;
    mw_error error = API.open(&made->inner, &inner, why);
    if (error == MW_OK)
        *transport = made;
    else
        free(made);
    return error;
}

static mw_error listen_at(void *transport, const char *address, char *bound, size_t size,
                          mw_reason *why)
{
    return API.listen(((struct transport *)transport)->inner, address, bound, size, why);
}

static mw_error connect_to(void *transport, const char *address, mw_peer *peer, mw_reason *why)
{
    return API.connect(((struct transport *)transport)->inner, address, peer, why);
}

static mw_error send_frame(void *transport, mw_peer peer, void *frame, size_t size,
                           const mw_body *body)
{
    struct transport *outer = transport;
    bool was_counting = outer->part->is_counting;
    mwt_sim_part_count(outer->part, false);
    mw_error error = API.send(outer->inner, peer, frame, size, body);
    mwt_sim_part_count(outer->part, was_counting);
    return error;
}

static void drop(void *transport, mw_peer peer)
{
    API.drop(((struct transport *)transport)->inner, peer);
}

static mw_error poll_events(void *transport, int64_t deadline, mw_reason *why)
{
    struct transport *outer = transport;
    outer->is_paused = outer->part->is_counting;
    mwt_sim_part_count(outer->part, false);
    mw_error error = API.poll(outer->inner, deadline, why);
    mwt_sim_part_count(outer->part, outer->is_paused);
    outer->is_paused = false;
    return error;
}

static size_t peers_max(void *transport)
{
    return API.peers_max(((struct transport *)transport)->inner);
}

static int descriptor(void *transport)
{
    return API.fd(((struct transport *)transport)->inner);
}

static int64_t now(void *transport)
{
    return API.now(((struct transport *)transport)->inner);
}

static void close_transport(void *transport)
{
    struct transport *outer = transport;
    if (outer == NULL)
        return;
    API.close(outer->inner);
    free(outer);
}

const mw_transport_api mwt_sim_part_transport = {.version = MW_TRANSPORT_VERSION,
                                                 .scheme = "sim",
                                                 .sleeps = true,
                                                 .open = open_transport,
                                                 .listen = listen_at,
                                                 .connect = connect_to,
                                                 .send = send_frame,
                                                 .drop = drop,
                                                 .poll = poll_events,
                                                 .peers_max = peers_max,
                                                 .fd = descriptor,
                                                 .now = now,
                                                 .close = close_transport};
