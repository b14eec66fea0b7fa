/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes the collective call that a communicator's other ranks wait in. The public functions that
 * open a master or a slave call this when they fail. Opening the mpi transport is the collective
 * call; whether it succeeds does not matter here.
 */
#include "face/decline.h"

#include <stddef.h>

#include "transports/registry.h"

bool mwi_decline(void *communicator, bool has_joined)
{
    const mw_transport_api *api;
    void *transport = NULL;
    mw_reason why;
    mw_transport_config config = {.wake_fd = -1, .environment = communicator};
    if (communicator == NULL || has_joined)
        return false;
    if (mwi_registry_find("mpi", &api, &why) != MW_OK)
        return true;
    (void)api->open(&transport, &config, &why);
    return false;
}
