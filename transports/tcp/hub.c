/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes and frees the shared parts of a transport object: the poller, the buffers and the lists.
 * It knows no connection: conn.c, linger.c and listener.c know the hub. A thing that all
 * connections share goes here, such as the choice of their streams; a thing that only the poll
 * needs, such as the time of its next look, goes into tcp.c.
 */
#include "hub.h"

#include <assert.h>
#include <stdlib.h>

#include "outbox.h"
#include "plain.h"

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
    return mwi_tcp_poller_open(&hub->poller);
}

void mwi_tcp_hub_close(struct mwi_tcp_hub *hub)
{
    assert(TAILQ_EMPTY(&hub->conns) && TAILQ_EMPTY(&hub->dead) && TAILQ_EMPTY(&hub->lingers));
    mwi_map_fini(&hub->peers);
    mwi_tcp_poller_close(&hub->poller);
    free(hub->shared);
    free(hub->batch);
}
