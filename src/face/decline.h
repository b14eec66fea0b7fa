/* SPDX-License-Identifier: Apache-2.0
 *
 * What a rank owes to its communicator when it cannot open a master or a slave there.
 */
#ifndef MWI_DECLINE_H
#define MWI_DECLINE_H

#include "options/role.h"

/* For a rank that cannot open a master or slave on the options' communicator, if there is one:
 * takes part in the collective call, so that the others are not left waiting; if there is no module
 * to do that, mw_options_must_decline says so. */
void mwi_decline(mw_options *options, const struct mwi_launch *launch);

#endif
