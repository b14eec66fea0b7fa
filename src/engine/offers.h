/* SPDX-License-Identifier: Apache-2.0
 *
 * Results that slaves have kept when they lost their master, and offer to the next one, at the
 * master. An offered result ends a task of the same content that waits or runs. If the task was one
 * of this very run, it ends that task. A result that no task needs is forgotten, unless there is a
 * journal: then it is recorded, and waits in farm/spares.
 */
#ifndef MWI_OFFERS_H
#define MWI_OFFERS_H

#include "engine/master_state.h"

void mwi_offers_fini(struct mwi_offers *offers);

/* The slave offers results. They are looked at a little later, those of all slaves together. A
 * slave that may not offer them, or whose offer is malformed, is dropped. */
void mwi_offers_take(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                     struct mwi_message *message, const struct mwi_event *event);

/* The slave still runs a task, and offers its result when it has ended. Others are sent this task
 * last. It is dropped as above. */
void mwi_offers_take_running(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                             const struct mwi_message_running *running);

/* The slave offers no more results, and gets tasks when those were looked at. It is dropped if it
 * was not to offer any. */
void mwi_offers_end(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

/* The timer fired: looks for the tasks of all results that were offered. */
void mwi_offers_match(struct mwi_master_engine *engine);

#endif
