/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes and frees the shared parts of a transport object: the poller, the buffers and the lists.
 * Only tcp.c calls these two functions; connections, linger.c, listener.c, watch.c and ending.c use
 * the fields.
 *
 * Invariants: the hub calls no function of a connection, so that hub.c includes none of those
 * files. mwi_tcp_hub_close works after a failed mwi_tcp_hub_open, too. If all connections need
 * something, such as the choice of their streams, add it here. If only the poll needs it, such as
 * the timer of its looks at the hosts, add it to struct tcp in tcp.c.
 */
#include "hub.h"

#include <assert.h>
#include <stdlib.h>

#include "outbox.h"
#include "plain.h"
#ifdef MW_WITH_TLS
#include "tls.h"
#endif

/* Whether an environment asks for encryption. */
static bool has_key(const mw_tcp_environment *environment)
{
    return environment != NULL && (environment->find_key != NULL || environment->own_key != NULL);
}

#ifdef MW_WITH_TLS
static mw_error encrypt(struct mwi_tcp_hub *hub)
{
    hub->tls = mwi_tcp_tls_create(hub->config.environment);
    hub->open_stream = mwi_tcp_tls_open;
    hub->stream_context = hub->tls;
    return hub->tls != NULL ? MW_OK : MW_ENOMEM;
}

static void stop_encrypting(struct mwi_tcp_hub *hub)
{
    mwi_tcp_tls_destroy(hub->tls);
}
#else
static mw_error encrypt(struct mwi_tcp_hub *hub)
{
    (void)hub;
    return MW_EUNAVAILABLE;
}

static void stop_encrypting(struct mwi_tcp_hub *hub)
{
    (void)hub;
}
#endif

mw_error mwi_tcp_hub_open(struct mwi_tcp_hub *hub, const mw_transport_config *config)
{
    *hub = (struct mwi_tcp_hub){.config = *config, .open_stream = mwi_tcp_plain_open};
    mwi_map_init(&hub->peers);
    TAILQ_INIT(&hub->conns);
    TAILQ_INIT(&hub->dirty);
    TAILQ_INIT(&hub->again);
    TAILQ_INIT(&hub->dead);
    TAILQ_INIT(&hub->lingers);
    hub->shared = malloc(MWI_TCP_SHARED_BYTES);
    hub->batch = malloc(sizeof *hub->batch);
    if (hub->shared == NULL || hub->batch == NULL)
        return MW_ENOMEM;
    mw_error error = has_key(config->environment) ? encrypt(hub) : MW_OK;
    return error == MW_OK ? mwi_tcp_poller_open(&hub->poller) : error;
}

void mwi_tcp_hub_close(struct mwi_tcp_hub *hub)
{
    assert(TAILQ_EMPTY(&hub->conns) && TAILQ_EMPTY(&hub->dead) && TAILQ_EMPTY(&hub->lingers));
    mwi_map_fini(&hub->peers);
    mwi_tcp_poller_close(&hub->poller);
    stop_encrypting(hub);
    free(hub->shared);
    free(hub->batch);
}
