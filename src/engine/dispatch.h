/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends waiting tasks to the slaves that can be sent some.
 */
#ifndef MWI_DISPATCH_H
#define MWI_DISPATCH_H

#include "engine/master_state.h"

/* Whether mwi_dispatch_all has something to do. */
bool mwi_dispatch_has_work(const struct mwi_master_engine *engine);

/* Works out whether the slave can be sent more while it has tasks. Call it when it has returned
 * some. */
void mwi_dispatch_note_room(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* Sends tasks until nothing waits or no slave can be sent a task. If many tasks do not fit, it does
 * a part of the work, and engine->is_behind says so. */
void mwi_dispatch_all(struct mwi_master_engine *engine);

/* Sends a RUNNING task, which another slave has, to an idle slave, too. */
void mwi_dispatch_copy(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                       struct mwi_task_entry *task);

#endif
