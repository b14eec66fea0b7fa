/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages to slaves that wait until the journal is durable: those with tasks that may not run
 * twice, and whatever is sent to the slave behind them.
 */
#ifndef MWI_WITHHELD_H
#define MWI_WITHHELD_H

#include "engine/master_state.h"

/* Frees all. */
void mwi_withheld_fini(struct mwi_master_engine *engine);

/* The slave's messages wait from now on, until the journal is durable up to this mark. */
void mwi_withheld_begin(struct mwi_slave_entry *slave, uint64_t mark, int64_t now_ns);

/* Whether a message to the slave must wait. */
static inline bool mwi_withheld_is_due(const struct mwi_slave_entry *slave)
{
    return slave->withheld_mark > 0;
}

/* Keeps a message for the slave, whose messages wait. Takes the frame, and the body, which may be
 * NULL, as mwi_effects_send_body does. */
void mwi_withheld_add(struct mwi_master_engine *engine, struct mwi_slave_entry *slave, void *frame,
                      size_t size, const mw_body *body);

/* Sends the oldest message if it need not wait any more: if the journal is durable, or there is
 * none. Returns its slave; NULL: nothing was sent. */
struct mwi_slave_entry *mwi_withheld_release(struct mwi_master_engine *engine);

/* A slave that has messages here; NULL: none. */
struct mwi_slave_entry *mwi_withheld_first(const struct mwi_master_engine *engine);

/* Frees the messages of a slave that is lost. */
void mwi_withheld_forget(struct mwi_master_engine *engine, struct mwi_slave_entry *slave);

#endif
