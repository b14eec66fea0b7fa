/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends waiting tasks to the slaves that are ready for them.
 * A part of master_engine.
 */
#ifndef MWI_DISPATCH_H
#define MWI_DISPATCH_H

#include "engine/master_state.h"

/* The next slave that can be sent something, NULL if there is none. */
struct mwi_slave_entry *mwi_dispatch_next_ready(const struct mwi_master_engine *engine);

/* Enters or leaves the slave among those that are sent more while they have tasks; to be called
 * when it has returned some. */
void mwi_dispatch_note_room(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

void mwi_dispatch_all(struct mwi_master_engine *engine);

#endif
