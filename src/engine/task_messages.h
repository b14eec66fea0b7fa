/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages that bring tasks to a slave.
 */
#ifndef MWI_TASK_MESSAGES_H
#define MWI_TASK_MESSAGES_H

#include "engine/master_state.h"

/* Sends the tasks of the slave's copies from `link` on, which is in its list. Many are sent in few
 * messages; a large one goes alone. `is_timed`: the task has a time limit, and is the only one; its
 * slave is told to say when it begins. */
void mwi_task_messages_send(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                            struct mwi_list *link, bool is_timed);

#endif
