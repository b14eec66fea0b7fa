/* SPDX-License-Identifier: Apache-2.0
 *
 * The search of a slave for its master: when it is opened, and again when the master is gone and
 * the slave may return (slave_return).
 */
#ifndef MWI_SLAVE_SEARCH_H
#define MWI_SLAVE_SEARCH_H

#include "face/slave.h"

/* Prepares the slave's searches: copies what it needs of the settings. Transport `index` of the
 * loop leads to the master. MW_ENOMEM, with a sentence in slave->error. */
mw_error mwi_slave_search_open(mw_slave *slave, const struct mwi_slave_settings *settings,
                               size_t index) MW_USE_RESULT;
void mwi_slave_search_close(struct mwi_slave_search *search);

/* Waits until a master has accepted the slave, which may have lost it since. Errors, with a
 * sentence in slave->error:
 *   MW_EGONE         the computation is finished, or the only master there is has gone
 *   MW_EREFUSED      a master has refused the slave
 *   MW_ETIMEOUT      no master has accepted it within the time-out of the settings
 *   MW_EINTERRUPTED  a signal asked the program to end
 * and those of the transport, of the loop, and of what the resource file says. */
mw_error mwi_slave_search_master(mw_slave *slave) MW_USE_RESULT;

/* The same in steps, for a slave that has lost its master: the search begins, and ends
 * --mw-reconnect later. */
void mwi_slave_search_begin_return(mw_slave *slave);

/* Does what is due of the search, and sets *until_ns: turn the loop until then, and call this again
 * unless the engine has been welcomed. After an error, as above, the search is over. */
mw_error mwi_slave_search_advance(mw_slave *slave, int64_t *until_ns) MW_USE_RESULT;

#endif
