/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes and frees the shared parts of a transport object: the event loop of libevent, the buffers
 * and the lists. It knows no connection: conn.c, linger.c and listener.c know the hub. A thing that
 * all connections share goes here, such as the choice of their streams; a thing that only the poll
 * needs, such as its timer, goes into tcp.c.
 */
#include "hub.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "outbox.h"
#include "plain.h"

/* libevent 2.1 opens this many for an event loop, and some more in case another version does. */
#define DESCRIPTORS_NEEDED 6

/* Whether the process may open enough descriptors. If libevent gets none for its signals, it ends
 * the process instead of failing. */
static bool has_descriptors(void)
{
    int fds[DESCRIPTORS_NEEDED];
    int count = 0;
    while (count < DESCRIPTORS_NEEDED && (fds[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
        count++;
    int error = errno;
    bool has_all = count == DESCRIPTORS_NEEDED;
    while (count > 0)
        close(fds[--count]);
    errno = error;
    return has_all;
}

struct event_base *mwi_tcp_hub_create_base(void)
{
    if (!has_descriptors())
        return NULL;
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    /* There is one thread, and the environment must not change how the loop waits. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

mw_error mwi_tcp_hub_open(struct mwi_tcp_hub *hub, const mw_transport_config *config)
{
    *hub = (struct mwi_tcp_hub){.config = *config, .open_stream = mwi_tcp_plain_open};
    mwi_tcp_mirror_init(&hub->mirror);
    mwi_map_init(&hub->peers);
    TAILQ_INIT(&hub->conns);
    TAILQ_INIT(&hub->dirty);
    TAILQ_INIT(&hub->dead);
    TAILQ_INIT(&hub->lingers);
    hub->shared = malloc(MWI_TCP_SHARED_BYTES);
    hub->batch = malloc(sizeof *hub->batch);
    hub->base = mwi_tcp_hub_create_base();
    if (hub->base == NULL)
        return MW_ENETWORK;
    return hub->shared != NULL && hub->batch != NULL ? MW_OK : MW_ENOMEM;
}

void mwi_tcp_hub_close(struct mwi_tcp_hub *hub)
{
    assert(TAILQ_EMPTY(&hub->conns) && TAILQ_EMPTY(&hub->dead) && TAILQ_EMPTY(&hub->lingers));
    mwi_map_fini(&hub->peers);
    if (hub->base != NULL)
        event_base_free(hub->base);
    mwi_tcp_mirror_close(&hub->mirror);
    free(hub->shared);
    free(hub->batch);
}
