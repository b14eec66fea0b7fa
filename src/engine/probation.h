/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts that lose tasks: a slave that comes from a host whose slaves were lost with tasks, and had
 * returned none, gets tasks later and one at a time, until one of the host returns a result.
 */
#ifndef MWI_PROBATION_H
#define MWI_PROBATION_H

#include "engine/master_state.h"

/* The slave could be sent tasks, and its host has barren slaves. If it must wait, puts it out of
 * reach until it may have a task, and returns true. */
bool mwi_probation_holds(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* A slave that has returned no result yet would be sent `task` of the pool next. Returns the task
 * that it is to be sent: another one if this must not be risked with it; NULL if it must wait, and
 * then it is held. */
struct mwi_task_entry *mwi_probation_choose(struct mwi_master_engine *engine,
                                            struct mwi_slave_entry *slave,
                                            struct mwi_task_entry *task);

/* The slave has returned its first result. */
void mwi_probation_pass(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* The slave goes for the reason `loss`; it still has its tasks and its host. */
void mwi_probation_part(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                        mw_loss loss);

/* Whether the loss of this slave, which is going, was to be expected, and is no attempt of its
 * task: it was on trial, and slaves that are not are there. */
static inline bool mwi_probation_excuses(const struct mwi_master_engine *engine,
                                         const struct mwi_slave_entry *slave)
{
    return slave->is_on_trial && engine->slaves.proven_count > 0;
}

/* The host's timer fired: the next of its slaves may have a task. */
void mwi_probation_try_next(struct mwi_master_engine *engine, struct mwi_host_entry *host);

#endif
