/* SPDX-License-Identifier: Apache-2.0
 *
 * What a master engine leaves behind: messages, audit records, and the texts in them.
 * A part of master_engine.
 */
#ifndef MWI_OUTGOING_H
#define MWI_OUTGOING_H

#include "engine/master_state.h"

void mwi_outgoing_audit_record(struct mwi_master_engine *engine,
                               const struct mwi_slave_entry *slave,
                               struct mwi_audit_record *record);

/* Leaves an audit record; `slave` may be NULL. Inline so that the record is not even made if nobody
 * wants it. */
static inline void mwi_outgoing_audit(struct mwi_master_engine *engine,
                                      const struct mwi_slave_entry *slave,
                                      struct mwi_audit_record record)
{
    if (engine->effects.is_audited)
        mwi_outgoing_audit_record(engine, slave, &record);
}

/* A text that lives until the effects of this step are carried out. */
const char *mwi_outgoing_note(struct mwi_master_engine *engine, const char *format, ...)
    MW_PRINTF(2, 3);

/* The same of text from a peer; printf's precision cuts it. */
const char *mwi_outgoing_note_text(struct mwi_master_engine *engine, struct mwi_text text);

/* Sends the buffer's bytes and empties it. */
void mwi_outgoing_send(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                       struct mwi_buffer *buffer);

/* The same with a body behind them, which is taken. */
void mwi_outgoing_send_body(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                            struct mwi_buffer *buffer, const mw_body *body);

const char *mwi_outgoing_algorithm_name(const struct mwi_master_engine *engine,
                                        const struct mwi_task_entry *task);

void mwi_outgoing_audit_task(struct mwi_master_engine *engine, enum mwi_audit_kind kind,
                             const struct mwi_slave_entry *slave, const struct mwi_task_entry *task,
                             const char *reason);

#endif
