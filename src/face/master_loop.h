/* SPDX-License-Identifier: Apache-2.0
 *
 * The exit status that the end of a master means.
 */
#ifndef MWI_MASTER_LOOP_H
#define MWI_MASTER_LOOP_H

#include "face/master.h"

/* The sentence of mw_master_status. */
const mw_reason *mwi_master_sentence(const mw_master *master);

/* The exit status that mw_main returns for the algorithm's return value. */
int mwi_master_status(const mw_master *master, int returned);

#endif
