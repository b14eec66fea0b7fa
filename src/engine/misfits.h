/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks that do not fit a slave: they are larger than the messages that it accepts. They are set
 * aside, so that they keep no other task waiting, and fail if no slave that they fit is expected.
 */
#ifndef MWI_MISFITS_H
#define MWI_MISFITS_H

#include "engine/master_state.h"

/* The most tasks that a step moves; dispatch sets moves_left to it when a step begins. */
#define MWI_MISFITS_MOVES_MAX 256

/* The task is the slave's next, but does not fit it. Afterwards another one is the next. False if
 * the step has moved enough tasks, or memory ran out. */
bool mwi_misfits_pass_over(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                           struct mwi_task_entry *task);

/* Looks at the first task of the pool for the idle slaves that nothing fitted: readies one that it
 * fits, or sets the task aside. Both must be there. False as above. */
bool mwi_misfits_sort_next(struct mwi_master_engine *engine);

/* Whether mwi_misfits_sort_next has something to do. */
static inline bool mwi_misfits_can_sort(const struct mwi_master_engine *engine)
{
    return engine->slaves.unfit.count > 0 && mwi_tasks_has_pool(&engine->tasks);
}

/* Fails tasks that were set aside and that no slave will take. Call it at the end of a step if
 * tasks were set aside. */
void mwi_misfits_end_step(struct mwi_master_engine *engine);

/* The timer of tasks that were set aside fired. */
void mwi_misfits_end_part(struct mwi_master_engine *engine);

#endif
