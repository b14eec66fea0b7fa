/* SPDX-License-Identifier: Apache-2.0
 *
 * A communicator's other ranks wait in a collective call until this one has made it too; see
 * decline.h.
 */
#include "face/decline.h"

#include "transports/registry.h"

void mwi_decline(mw_options *options, const struct mwi_launch *launch)
{
    const mw_transport_api *api;
    void *transport = NULL;
    mw_reason why;
    mw_transport_config config = {.wake_fd = -1, .environment = mwi_options_communicator(options)};
    bool is_owed = config.environment != NULL && !launch->has_joined;
    if (is_owed && mwi_registry_find("mpi", &api, &why) == MW_OK) {
        (void)api->open(&transport, &config, &why);
        is_owed = false;
    }
    mwi_options_set_must_decline(options, is_owed);
}
