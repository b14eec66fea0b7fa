/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells slaves that may return which of their results they need not keep any more, in a message
 * KEPT. Without a journal this is as soon as the master has taken a result; with one it is when the
 * journal has made it durable.
 */
#ifndef MWI_RECEIPTS_H
#define MWI_RECEIPTS_H

#include "engine/master_state.h"

/* The master has taken `count` more results of the slave, which were returned or offered. */
void mwi_receipts_note(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                       size_t count);

/* Tells slaves of the results that have become durable. Call it in each tick. */
void mwi_receipts_tell_durable(struct mwi_master_engine *engine);

#endif
