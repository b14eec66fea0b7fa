/* SPDX-License-Identifier: Apache-2.0
 *
 * Appends messages to slaves and audit records to the effects of a master's engine, and makes the
 * texts that they contain. Nothing leaves at once: the loop sends and writes after the step, see
 * effects.h. "Leaves" below means that an effect is appended.
 */
#ifndef MWI_OUTGOING_H
#define MWI_OUTGOING_H

#include "engine/master_state.h"

/* Fills in role, time and sid of the record, and leaves it. `slave` may be NULL. Use the macro
 * below. */
void mwi_outgoing_audit_record(struct mwi_master_engine *engine,
                               const struct mwi_slave_entry *slave,
                               struct mwi_audit_record *record);

/* Leaves an audit record about `slave`, which may be NULL. The other arguments are the fields of
 * the record, its kind first: `.kind = MWI_AUDIT_..., ...`; its strings are borrowed until the
 * effects of the step are carried out. A macro, so that nothing is spent on a record that no trail
 * wants. */
#define MWI_OUTGOING_AUDIT(engine, slave, ...)                                                     \
    do {                                                                                           \
        if (mwi_effects_wants(&(engine)->effects, MWI_EFFECTS_KIND(__VA_ARGS__, 0)))               \
            mwi_outgoing_audit_record(engine, slave, &(struct mwi_audit_record){__VA_ARGS__});     \
    } while (0)

/* Makes a text, called a note, that lives until the effects of this step are carried out. Texts are
 * cut at 319 bytes. Never NULL: out of memory gives a text that says so. */
const char *mwi_outgoing_note(struct mwi_master_engine *engine, const char *format, ...)
    MW_PRINTF(2, 3);

/* The same from a text that a peer sent, which is made printable; for an empty one,
 * MWI_MESSAGE_NO_REASON. */
const char *mwi_outgoing_note_text(struct mwi_master_engine *engine, struct mwi_text text);

/* Sends the bytes of the buffer to the slave as one message, and counts it. The caller must not use
 * the buffer afterwards: its memory became the frame. Out of memory the engine fails. */
void mwi_outgoing_send(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                       struct mwi_buffer *buffer);

/* The same with a body behind those bytes: large arguments, which are sent from where they lie.
 * Takes the reference that the body holds, and copies *body. NULL: no body. */
void mwi_outgoing_send_body(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                            struct mwi_buffer *buffer, const mw_body *body);

/* Asks the isolated slaves that have the task to end it: its result is not wanted. */
void mwi_outgoing_end_task(struct mwi_master_engine *engine, const struct mwi_task_entry *task);

/* The name of the task's algorithm; constant. */
const char *mwi_outgoing_algorithm_name(const struct mwi_master_engine *engine,
                                        const struct mwi_task_entry *task);

/* How a task has ended, for mwi_outgoing_audit_end. */
struct mwi_outgoing_end {
    const char *outcome;
    const struct mwi_copy *copy;         /* the one that ended it; NULL: it was at no slave */
    const struct mwi_message_item *item; /* its result; NULL: there is none */
};

/* Leaves the record of a task that has ended, if it is wanted. */
void mwi_outgoing_audit_end(struct mwi_master_engine *engine, const struct mwi_task_entry *task,
                            const struct mwi_outgoing_end *end);

/* Leaves an audit record about a task and its attempts; `slave` may be NULL. */
void mwi_outgoing_audit_task(struct mwi_master_engine *engine, enum mwi_audit_kind kind,
                             const struct mwi_slave_entry *slave, const struct mwi_task_entry *task,
                             const char *reason);

#endif
