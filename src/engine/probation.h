/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits the tasks that a host can lose. A slave is barren if it was lost with tasks and had never
 * returned a result. After that, other slaves of its host that have returned no result yet get
 * tasks later and one at a time, until one of them returns a result.
 */
#ifndef MWI_PROBATION_H
#define MWI_PROBATION_H

#include "engine/master_state.h"

/* Whether the slave must wait before it is sent tasks of the pool. Only for a slave that has room
 * for tasks, and whose host has had barren slaves. If it must wait, dispatch does not find it again
 * until it may have a task. */
bool mwi_probation_holds(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* Chooses a task for a slave that has returned no result yet. `task` is the one that it would be
 * sent next from the pool. Returns that task, or another one if `task` must not be risked with this
 * slave; NULL if there is no other one, and then the slave is held. */
struct mwi_task_entry *mwi_probation_choose(struct mwi_master_engine *engine,
                                            struct mwi_slave_entry *slave,
                                            struct mwi_task_entry *task);

/* The slave has returned its first result. */
void mwi_probation_pass(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* The slave takes no more tasks. If it has none, its host's trial goes on with another one. */
void mwi_probation_leave(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* An attempt at the oldest task of an isolated slave has failed, and the task is still in its list.
 * If the slave never returned a result, its host is judged as if the slave had been lost. */
void mwi_probation_crash(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* The slave is lost for the reason `loss`. To be called while it still has its tasks and its
 * host. */
void mwi_probation_part(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                        mw_loss loss);

/* Whether the loss of this slave counts as no attempt of its task: the slave was on trial, so its
 * loss was to be expected, and a slave that has returned results is connected and can have the
 * task. */
static inline bool mwi_probation_excuses(const struct mwi_master_engine *engine,
                                         const struct mwi_slave_entry *slave)
{
    return slave->is_on_trial && engine->slaves.proven_count > 0;
}

/* The host's timer fired: the next of its slaves may have a task. */
void mwi_probation_try_next(struct mwi_master_engine *engine, struct mwi_host_entry *host);

#endif
