/* SPDX-License-Identifier: Apache-2.0
 *
 * Turning the loop of a master, and the exit status that its end means.
 */
#ifndef MWI_MASTER_LOOP_H
#define MWI_MASTER_LOOP_H

#include "face/master.h"

/* Tells the resource file how many slaves are needed, and makes one turn of the loop. An error is
 * kept in master->broken. Errors: those of mwi_loop_turn. */
mw_error mwi_master_turn(mw_master *master, int64_t deadline_ns, bool *is_eventful);

/* The exit status that mw_main returns for the algorithm's return value. */
int mwi_master_status(const mw_master *master, int returned);

#endif
