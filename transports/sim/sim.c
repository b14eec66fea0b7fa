/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport of simulated hosts: the table mw_sim_transport on top of net.c. The loop calls it
 * as it calls any other transport. Its poll is where a host waits and the world goes on. Items that
 * have arrived lie in the transport's inbox. A poll hands out only those that were there when it
 * began, so that a callback that computes meanwhile does not keep the poll busy for ever.
 *
 * Once its host is killed, every function fails or does nothing to others, but frees as usual.
 */
#include <mw/sim.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/body.h"
#include "base/time.h"
#include "net.h"
#include "sim_host.h"

/* The price of a poll in the past: nothing the first time, then this, until the host waits. Without
 * it virtual time would stand still for a host that spins. */
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
    if (host == NULL || host != host->sim->current)
        return fail(why, MW_EINVAL, "the environment is not the simulated host that runs");
    if (host->is_killed)
        return fail_killed(why);
    struct mwi_sim_transport *self = malloc(sizeof *self);
    if (self == NULL)
        return fail(why, MW_ENOMEM, "out of memory");
    *self = (struct mwi_sim_transport){.host = host, .next = host->transports, .config = *config};
    host->transports = self;
    *transport = self;
    return MW_OK;
}

static mw_error sim_listen(void *transport, const char *address, char *bound, size_t size,
                           mw_reason *why)
{
    struct mwi_sim_transport *self = transport;
    struct mwi_sim_node *node = self->host->node;
    if (self->host->is_killed)
        return fail_killed(why);
    if (address[0] != '\0' && strcmp(address, node->name) != 0)
        return fail(why, MW_ENETWORK, "host %s cannot listen as %s", node->name, address);
    if (node->listener != NULL && node->listener != self)
        return fail(why, MW_ENETWORK, "host %s listens already", node->name);
    if (strlen(node->name) >= size)
        return fail(why, MW_EINVAL, "no room for the address %s", node->name);
    memcpy(bound, node->name, strlen(node->name) + 1);
    node->listener = self;
    return MW_OK;
}

static mw_error sim_connect(void *transport, const char *address, mw_peer *peer, mw_reason *why)
{
    struct mwi_sim_transport *self = transport;
    if (self->host->is_killed)
        return fail_killed(why);
    if (address[0] == '\0')
        return fail(why, MW_EINVAL, "the address is empty; a host's name is wanted");
    struct mwi_sim_end *end;
    if (mwi_sim_net_connect(self, address, &end) != MW_OK)
        return fail(why, MW_ENOMEM, "out of memory");
    *peer = end->number;
    return MW_OK;
}

static mw_error sim_send(void *transport, mw_peer peer, void *frame, size_t size,
                         const mw_body *body)
{
    struct mwi_sim_transport *self = transport;
    struct mwi_sim_end *end = mwi_sim_net_find(self, peer);
    if (self->host->is_killed && peer >= 1 && peer <= self->peers_count) {
        free(frame);
        mwi_body_release(body);
        return MW_OK;
    }
    if (end == NULL)
        return MW_EPEER;
    if (mwi_body_is_too_big(size, body, self->config.frame_bytes_max))
        return MW_ETOOBIG;
    return mwi_sim_net_send(end, frame, size, body) ? MW_OK : MW_ENOMEM;
}

static void sim_drop(void *transport, mw_peer peer)
{
    struct mwi_sim_end *end = mwi_sim_net_find(transport, peer);
    if (end != NULL)
        mwi_sim_net_leave(end, "closed by the peer");
}

static void deliver_frame(struct mwi_sim_transport *transport, struct mwi_sim_item *item)
{
    void *block = item->data;
    item->data = NULL;
    mwi_body_hand_out(&transport->config, item->end->number, block, item->size);
}

static void deliver_down(struct mwi_sim_transport *transport, struct mwi_sim_end *end)
{
    char text[96];
    const char *reason = end->down_reason;
    if (reason == NULL) {
        snprintf(text, sizeof text, "a frame of %zu bytes is over the limit of %zu",
                 end->oversize_bytes, transport->config.frame_bytes_max);
        reason = text;
    }
    mwi_sim_net_detach(end);
    transport->config.events->down(transport->config.context, end->number, reason);
}

/* Calls the event of the item, unless the peer was dropped after it had arrived. */
static bool deliver_item(struct mwi_sim_transport *transport, struct mwi_sim_item *item)
{
    struct mwi_sim_end *end = item->end;
    if (end->transport != transport)
        return false;
    if (item->kind == MWI_SIM_FRAME)
        deliver_frame(transport, item);
    else if (item->kind == MWI_SIM_DOWN)
        deliver_down(transport, end);
    else
        transport->config.events->up(transport->config.context, end->number,
                                     mwi_sim_net_other(end)->node->name);
    return true;
}

/* Returns whether an event was called. A callback may have its own host killed. */
static bool deliver(struct mwi_sim_transport *transport)
{
    bool has_delivered = false;
    for (size_t left = transport->inbox_count; left > 0 && transport->inbox_count > 0; left--) {
        struct mwi_sim_item *item = mwi_sim_net_take(transport);
        if (deliver_item(transport, item))
            has_delivered = true;
        mwi_sim_net_discard(item);
    }
    return has_delivered;
}

/* Waits for something to deliver. */
static void wait_for_arrival(mw_sim_host *host, int64_t deadline)
{
    int64_t now_ns = mwi_sim_host_now(host);
    if (deadline > now_ns)
        mwi_sim_host_wait(host, deadline);
    else if (host->has_looked)
        mwi_sim_host_wait(host, mwi_time_after(now_ns, LOOK_NS));
    else
        host->has_looked = true;
}

/* A killed host has no part in the world's time. Its own clock jumps to the deadline, so that a
 * host that polls until a deadline, whatever its polls return, comes to its end. */
static mw_error poll_killed(mw_sim_host *host, int64_t deadline, mw_reason *why)
{
    if (deadline > host->ghost_now_ns && deadline < INT64_MAX)
        host->ghost_now_ns = deadline;
    return fail_killed(why);
}

static mw_error sim_poll(void *transport, int64_t deadline, mw_reason *why)
{
    struct mwi_sim_transport *self = transport;
    mw_sim_host *host = self->host;
    if (host != host->sim->current)
        return fail(why, MW_ENETWORK, "polled while the simulated host does not run");
    if (!host->is_killed && !deliver(self)) {
        wait_for_arrival(host, deadline);
        deliver(self);
    }
    return host->is_killed ? poll_killed(host, deadline, why) : MW_OK;
}

static int64_t sim_now(void *transport)
{
    const struct mwi_sim_transport *self = transport;
    return mwi_sim_host_now(self->host);
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
    struct mwi_sim_transport *self = transport;
    if (self == NULL)
        return;
    mwi_sim_net_leave_all(self, "closed by the peer");
    struct mwi_sim_transport **link = &self->host->transports;
    while (*link != self) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = self->next;
    free(self->peers);
    free(self);
}

const mw_transport_api mw_sim_transport = {
    .version = MW_TRANSPORT_VERSION,
    .scheme = "sim",
    .sleeps = true,
    .open = sim_open,
    .listen = sim_listen,
    .connect = sim_connect,
    .send = sim_send,
    .drop = sim_drop,
    .poll = sim_poll,
    .peers_max = sim_peers_max,
    .fd = sim_fd,
    .now = sim_now,
    .close = sim_close,
};
