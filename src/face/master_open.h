/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening and closing a master.
 */
#ifndef MWI_MASTER_OPEN_H
#define MWI_MASTER_OPEN_H

#include "face/master.h"

/* mw_master_open for a process of which more is known. */
mw_error mwi_master_open(mw_master **master, const mw_program *program, mw_options *options,
                         struct mwi_launch *launch) MW_USE_RESULT;

/* Says how the farm ended, for the resource file: whether well. */
void mwi_master_close(mw_master *master, bool is_finished);

#endif
