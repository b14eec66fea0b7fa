/* SPDX-License-Identifier: Apache-2.0
 *
 * Hands everything on to mw_sim_transport, and adds to its clock. A poll that waits while the clock
 * jumps returns at the time that it would have without the jump.
 */
#include "fault_clock.h"

#include <stdio.h>
#include <stdlib.h>

struct transport {
    void *inner;
    const struct mwt_fault_clock *clock;
};

static mw_error clock_open(void **transport, const mw_transport_config *config, mw_reason *why)
{
    struct transport *self = malloc(sizeof *self);
    mw_transport_config inner = *config;
    if (self == NULL) {
        snprintf(why->text, sizeof why->text, "out of memory");
        return MW_ENOMEM;
    }
    self->clock = config->environment;
    inner.environment = self->clock->host;
    mw_error error = mw_sim_transport.open(&self->inner, &inner, why);
    if (error != MW_OK)
        free(self);
    else
        *transport = self;
    return error;
}

static mw_error clock_listen(void *transport, const char *address, char *bound, size_t size,
                             mw_reason *why)
{
    const struct transport *self = transport;
    return mw_sim_transport.listen(self->inner, address, bound, size, why);
}

static mw_error clock_connect(void *transport, const char *address, mw_peer *peer, mw_reason *why)
{
    const struct transport *self = transport;
    return mw_sim_transport.connect(self->inner, address, peer, why);
}

static mw_error clock_send(void *transport, mw_peer peer, void *frame, size_t size,
                           const mw_body *body)
{
    const struct transport *self = transport;
    return mw_sim_transport.send(self->inner, peer, frame, size, body);
}

static void clock_drop(void *transport, mw_peer peer)
{
    const struct transport *self = transport;
    mw_sim_transport.drop(self->inner, peer);
}

static mw_error clock_poll(void *transport, int64_t deadline, mw_reason *why)
{
    const struct transport *self = transport;
    bool is_finite = deadline != INT64_MAX && deadline > INT64_MIN + self->clock->ahead_ns;
    return mw_sim_transport.poll(self->inner,
                                 is_finite ? deadline - self->clock->ahead_ns : deadline, why);
}

static size_t clock_peers_max(void *transport)
{
    const struct transport *self = transport;
    return mw_sim_transport.peers_max(self->inner);
}

static int clock_fd(void *transport)
{
    const struct transport *self = transport;
    return mw_sim_transport.fd(self->inner);
}

static int64_t clock_now(void *transport)
{
    const struct transport *self = transport;
    return mw_sim_transport.now(self->inner) + self->clock->ahead_ns;
}

static void clock_close(void *transport)
{
    struct transport *self = transport;
    if (self != NULL)
        mw_sim_transport.close(self->inner);
    free(self);
}

const mw_transport_api mwt_fault_clock_transport = {
    .version = MW_TRANSPORT_VERSION,
    .scheme = "sim",
    .sleeps = true,
    .open = clock_open,
    .listen = clock_listen,
    .connect = clock_connect,
    .send = clock_send,
    .drop = clock_drop,
    .poll = clock_poll,
    .peers_max = clock_peers_max,
    .fd = clock_fd,
    .now = clock_now,
    .close = clock_close,
};
