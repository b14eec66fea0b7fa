/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport of simulated hosts: mw_sim_transport on top of net.c. Its poll is where a host
 * waits and the world goes on. What has arrived lies in the transport's inbox; a poll hands out
 * what was there when it began, so that a callback that computes does not keep it busy for ever.
 */
#include <mw/sim.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/body.h"
#include "net.h"
#include "world.h"

/* What looking costs a host that looks again and again without waiting: nothing the first time,
 * then this. Without it the world of a host that spins would stand still. */
#define LOOK_NS 1000

static mw_error fail(mw_reason *why, mw_error error, const char *format, ...) MW_PRINTF(3, 4);

static mw_error fail(mw_reason *why, mw_error error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    return error;
}

static mw_error fail_killed(mw_reason *why)
{
    return fail(why, MW_ENETWORK, "killed: the simulated host is no more");
}

static mw_error sim_open(void **transport, const mw_transport_config *config, mw_reason *why)
{
    mw_sim_host *host = config->environment;
    struct mwi_sim_transport *t;

    if (host == NULL || host != host->sim->current)
        return fail(why, MW_EINVAL, "the environment is not the simulated host that runs");
    if (host->killed)
        return fail_killed(why);
    t = malloc(sizeof *t);
    if (t == NULL)
        return fail(why, MW_ENOMEM, "out of memory");
    *t = (struct mwi_sim_transport){.host = host, .next = host->transports, .config = *config};
    host->transports = t;
    *transport = t;
    return MW_OK;
}

static mw_error sim_listen(void *transport, const char *address, char *bound, size_t size,
                           mw_reason *why)
{
    struct mwi_sim_transport *t = transport;
    struct mwi_sim_node *node = t->host->node;

    if (t->host->killed)
        return fail_killed(why);
    if (address[0] != '\0' && strcmp(address, node->name) != 0)
        return fail(why, MW_ENETWORK, "host %s cannot listen as %s", node->name, address);
    if (node->listener != NULL && node->listener != t)
        return fail(why, MW_ENETWORK, "host %s listens already", node->name);
    if (strlen(node->name) >= size)
        return fail(why, MW_EINVAL, "no room for the address %s", node->name);
    memcpy(bound, node->name, strlen(node->name) + 1);
    node->listener = t;
    return MW_OK;
}

static mw_error sim_connect(void *transport, const char *address, mw_peer *peer, mw_reason *why)
{
    struct mwi_sim_transport *t = transport;
    struct mwi_sim_end *end;

    if (t->host->killed)
        return fail_killed(why);
    if (address[0] == '\0')
        return fail(why, MW_EINVAL, "the address is empty; a host's name is wanted");
    if (mwi_sim_net_connect(t, address, &end) != MW_OK)
        return fail(why, MW_ENOMEM, "out of memory");
    *peer = end->number;
    return MW_OK;
}

static mw_error sim_send(void *transport, mw_peer peer, void *frame, size_t size,
                         const mw_body *body)
{
    struct mwi_sim_transport *t = transport;
    struct mwi_sim_end *end = mwi_sim_net_find(t, peer);

    if (t->host->killed && peer >= 1 && peer <= t->peers_count) {
        free(frame);
        mwi_body_release(body);
        return MW_OK;
    }
    if (end == NULL)
        return MW_EPEER;
    if (mwi_body_is_too_big(size, body, t->config.frame_bytes_max))
        return MW_ETOOBIG;
    return mwi_sim_net_send(end, frame, size, body) ? MW_OK : MW_ENOMEM;
}

static size_t sim_backlog(void *transport, mw_peer peer)
{
    const struct mwi_sim_end *end = mwi_sim_net_find(transport, peer);

    return end != NULL ? mwi_sim_net_backlog(end) : 0;
}

static void sim_drop(void *transport, mw_peer peer)
{
    struct mwi_sim_end *end = mwi_sim_net_find(transport, peer);

    if (end != NULL)
        mwi_sim_net_leave(end, "closed by the peer");
}

static void deliver_frame(struct mwi_sim_transport *t, struct mwi_sim_item *item)
{
    unsigned char nothing = 0;
    mw_frame frame = {.data = item->data, .size = item->size, .block = item->data};

    if (frame.data == NULL)
        frame.data = &nothing;
    item->data = NULL;
    t->config.events->message(t->config.context, item->end->number, &frame);
    free(frame.block);
}

static void deliver_down(struct mwi_sim_transport *t, struct mwi_sim_end *end)
{
    char text[96];
    const char *reason = end->down_reason;

    if (reason == NULL) {
        snprintf(text, sizeof text, "a frame of %zu bytes is over the limit of %zu",
                 end->oversize_bytes, t->config.frame_bytes_max);
        reason = text;
    }
    mwi_sim_net_detach(end);
    t->config.events->down(t->config.context, end->number, reason);
}

/* Calls the event of the item, unless the peer was dropped after it had arrived. */
static bool deliver_item(struct mwi_sim_transport *t, struct mwi_sim_item *item)
{
    struct mwi_sim_end *end = item->end;

    if (end->transport != t)
        return false;
    if (item->kind == MWI_SIM_FRAME)
        deliver_frame(t, item);
    else if (item->kind == MWI_SIM_DOWN)
        deliver_down(t, end);
    else
        t->config.events->up(t->config.context, end->number, mwi_sim_net_other(end)->node->name);
    return true;
}

/* Returns whether an event was called. A callback may have its own host killed. */
static bool deliver(struct mwi_sim_transport *t)
{
    bool delivered = false;

    for (size_t left = t->inbox_count; left > 0 && t->inbox_count > 0; left--) {
        struct mwi_sim_item *item = mwi_sim_net_take(t);

        if (deliver_item(t, item))
            delivered = true;
        mwi_sim_net_discard(item);
    }
    return delivered;
}

/* Waits for something to deliver. */
static void wait_for_arrival(mw_sim_host *host, int64_t deadline)
{
    int64_t now_ns = mwi_sim_host_now(host);

    if (deadline > now_ns)
        mwi_sim_host_wait(host, deadline);
    else if (host->looked)
        mwi_sim_host_wait(host, mwi_sim_agenda_later(now_ns, LOOK_NS));
    else
        host->looked = true;
}

/* Time has no hold on a killed host; if it only polls on until a deadline, let it have that. */
static mw_error poll_killed(mw_sim_host *host, int64_t deadline, mw_reason *why)
{
    if (deadline > host->ghost_now_ns && deadline < INT64_MAX)
        host->ghost_now_ns = deadline;
    return fail_killed(why);
}

static mw_error sim_poll(void *transport, int64_t deadline, mw_reason *why)
{
    struct mwi_sim_transport *t = transport;
    mw_sim_host *host = t->host;

    if (host != host->sim->current)
        return fail(why, MW_ENETWORK, "polled while the simulated host does not run");
    if (!host->killed && !deliver(t)) {
        wait_for_arrival(host, deadline);
        deliver(t);
    }
    return host->killed ? poll_killed(host, deadline, why) : MW_OK;
}

static int64_t sim_now(void *transport)
{
    const struct mwi_sim_transport *t = transport;

    return mwi_sim_host_now(t->host);
}

static size_t sim_peers_max(void *transport)
{
    (void)transport;
    return SIZE_MAX;
}

static int sim_fd(void *transport)
{
    (void)transport;
    return -1;
}

static void sim_close(void *transport)
{
    struct mwi_sim_transport *t = transport;
    struct mwi_sim_transport **link;

    if (t == NULL)
        return;
    mwi_sim_net_leave_all(t, "closed by the peer");
    for (link = &t->host->transports; *link != t;)
        link = &(*link)->next;
    *link = t->next;
    free(t->peers);
    free(t);
}

const mw_transport_api mw_sim_transport = {
    .version = MW_TRANSPORT_VERSION,
    .scheme = "sim",
    .sleeps = true,
    .open = sim_open,
    .listen = sim_listen,
    .connect = sim_connect,
    .send = sim_send,
    .backlog = sim_backlog,
    .drop = sim_drop,
    .poll = sim_poll,
    .peers_max = sim_peers_max,
    .fd = sim_fd,
    .now = sim_now,
    .close = sim_close,
};
