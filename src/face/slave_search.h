/* SPDX-License-Identifier: Apache-2.0
 *
 * The search of a slave for its master.
 */
#ifndef MWI_SLAVE_SEARCH_H
#define MWI_SLAVE_SEARCH_H

#include "face/slave.h"

/* Waits until a master has accepted the slave, which may have lost it since. The settings are
 * borrowed for the call; transport `index` of the loop leads to the master. Errors, with a sentence
 * in slave->error:
 *   MW_EGONE         the computation is finished, or the only master there is has gone
 *   MW_EREFUSED      a master has refused the slave
 *   MW_ETIMEOUT      no master has accepted it within the time-out of the settings
 *   MW_EINTERRUPTED  a signal asked the program to end
 * and those of the transport, of the loop, and of what the resource file says. */
mw_error mwi_slave_search_master(mw_slave *slave, const struct mwi_slave_settings *settings,
                                 size_t index) MW_USE_RESULT;

#endif
