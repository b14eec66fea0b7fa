/* SPDX-License-Identifier: Apache-2.0
 *
 * Second copies of slow tasks. When nothing waits any more and a slave is idle, it gets a copy of a
 * task that another slave has had for much longer than such tasks take. The first result ends the
 * task, and the other one is dropped, see task_ends.h. Only tasks whose policy says so get one, and
 * only one.
 *
 * The method is that of backup tasks in MapReduce (Dean and Ghemawat, 2004, section 3.6), with the
 * median of the algorithm's tasks as the measure.
 */
#ifndef MWI_SPECULATION_H
#define MWI_SPECULATION_H

#include "engine/master_state.h"

/* Call it when the slaves have got what waits. Does nothing but two comparisons unless some task
 * may have a second copy. */
void mwi_speculation_consider(struct mwi_master_engine *engine);

/* The moment has come at which some task may be slow. */
void mwi_speculation_look(struct mwi_master_engine *engine);

#endif
