/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends waiting tasks to the slaves that can be sent some.
 */
#ifndef MWI_DISPATCH_H
#define MWI_DISPATCH_H

#include "engine/master_state.h"

/* The slave that is sent tasks next; NULL if nothing waits, or no slave can be sent a task. */
struct mwi_slave_entry *mwi_dispatch_next_ready(const struct mwi_master_engine *engine);

/* Works out whether the slave can be sent more while it has tasks. Call it when it has returned
 * some.
 */
void mwi_dispatch_note_room(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* Sends tasks until nothing waits or no slave can be sent a task. */
void mwi_dispatch_all(struct mwi_master_engine *engine);

#endif
