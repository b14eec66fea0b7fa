/* SPDX-License-Identifier: Apache-2.0
 *
 * Where this process runs, as a slave tells its master.
 */
#ifndef MWI_MACHINE_H
#define MWI_MACHINE_H

#include "engine/greeting.h"

/* Reads the machine's name, the id of its present boot, and the number of this process. Anything
 * that cannot be read is left unknown. */
void mwi_machine_read(struct mwi_greeting_origin *origin);

#endif
