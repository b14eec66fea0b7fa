/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes the collective call that a communicator's other ranks wait in. The public functions that
 * open a master or a slave call this when they fail (master_open.c, slave_open.c, run.c). The call
 * is made by `open` of the mpi transport. A config whose `events` is NULL makes open stay out of
 * the farm: it returns no transport, so there is none to close here. MW_EUNAVAILABLE says that the
 * module cannot use the program's MPI. Any other result is taken to say that the call was made.
 */
#include "face/decline.h"

#include <stddef.h>

#include "options/options.h"
#include "transports/registry.h"

void mwi_decline(mw_options *options, bool has_joined)
{
    const mw_transport_api *api;
    void *transport = NULL;
    mw_reason why;
    mw_transport_config config = {.wake_fd = -1, .environment = mwi_options_communicator(options)};
    bool is_owed = config.environment != NULL && !has_joined;
    if (is_owed && mwi_registry_find("mpi", &api, &why) == MW_OK) {
        is_owed = api->open(&transport, &config, &why) == MW_EUNAVAILABLE;
    }
    mwi_options_set_must_decline(options, is_owed);
}
