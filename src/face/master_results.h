/* SPDX-License-Identifier: Apache-2.0
 *
 * Handing out results and unrunnable tasks, one at a time.
 */
#ifndef MWI_MASTER_RESULTS_H
#define MWI_MASTER_RESULTS_H

#include "face/master.h"

/* Frees the memory of the result that was handed out last; does nothing if no result is out. */
void mwi_master_results_let_go(mw_master *master);

#endif
