/* SPDX-License-Identifier: Apache-2.0
 *
 * The master as a state machine: it greets slaves, sends them tasks, takes results, and returns the
 * tasks of lost slaves to the queue. It knows no network and no clock: events bring the time.
 * docs/architecture.md draws its states.
 */
#ifndef MWI_MASTER_ENGINE_H
#define MWI_MASTER_ENGINE_H

#include "engine/master_state.h"

/* Errors: MW_ENOMEM, MW_EINVAL: more than 65,535 algorithms. */
mw_error mwi_master_engine_init(struct mwi_master_engine *engine,
                                const struct mwi_master_engine_config *config);
void mwi_master_engine_fini(struct mwi_master_engine *engine);

/* Steps the engine; the effects are then to be carried out. Errors: MW_ENOMEM, the engine cannot go
 * on and each later step says so, too. */
mw_error mwi_master_engine_step(struct mwi_master_engine *engine, const struct mwi_event *event);

/* When the next tick is due at the latest: INT64_MIN, at once, if there is something to send. */
int64_t mwi_master_engine_deadline(const struct mwi_master_engine *engine);

#endif
