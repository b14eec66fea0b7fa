/* SPDX-License-Identifier: Apache-2.0
 *
 * The slave's loop, as others prepare it.
 */
#ifndef MWI_SLAVE_LOOP_H
#define MWI_SLAVE_LOOP_H

#include "face/slave.h"

/* Lets the first signal tell the master at once that this slave is leaving, though a task runs. The
 * slave has been welcomed. MW_ENOMEM. */
mw_error mwi_slave_loop_prepare_farewell(mw_slave *slave) MW_USE_RESULT;

#endif
