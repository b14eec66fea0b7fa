/* SPDX-License-Identifier: Apache-2.0
 *
 * Appends the effects of a master's engine: messages to slaves, and audit records. All files of the
 * engine call it, and no other file of the master's engine appends effects of these kinds. It
 * counts messages and bytes.
 *
 * Invariant: texts lie in the decoder's zone, which the next step clears, so an audit record must
 * not keep one for longer.
 *
 * To send another message, write its bytes with a function of wire/message.h and call
 * mwi_outgoing_send. Each kind of audit record that has a task is left by mwi_outgoing_audit_task,
 * others by mwi_outgoing_audit.
 */
#include "engine/outgoing.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_SIZE 320

void mwi_outgoing_audit_record(struct mwi_master_engine *engine,
                               const struct mwi_slave_entry *slave, struct mwi_audit_record *record)
{
    record->role = MWI_ROLE_MASTER;
    record->time_ns = engine->now_ns;
    record->sid = slave == NULL ? MWI_NO_SID : slave->sid;
    mwi_effects_audit(&engine->effects, record);
}

const char *mwi_outgoing_note(struct mwi_master_engine *engine, const char *format, ...)
{
    va_list arguments;
    char *text = msgpack_zone_malloc(&engine->decoder.zone, TEXT_SIZE);
    if (text == NULL)
        return "(out of memory)";
    va_start(arguments, format);
    vsnprintf(text, TEXT_SIZE, format, arguments);
    va_end(arguments);
    return text;
}

const char *mwi_outgoing_note_text(struct mwi_master_engine *engine, struct mwi_text text)
{
    if (text.size == 0)
        return MWI_MESSAGE_NO_REASON;
    return mwi_outgoing_note(engine, "%.*s", (int)(text.size < TEXT_SIZE ? text.size : TEXT_SIZE),
                             text.data);
}

void mwi_outgoing_send(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                       struct mwi_buffer *buffer)
{
    mwi_outgoing_send_body(engine, slave, buffer, NULL);
}

void mwi_outgoing_send_body(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                            struct mwi_buffer *buffer, const mw_body *body)
{
    size_t size = 0;
    void *frame = mwi_buffer_take(buffer, &size);
    mwi_buffer_fini(buffer);
    size_t total = size + (body == NULL ? 0 : body->size);
    mwi_stats_sent(&slave->traffic, total);
    mwi_stats_sent(&engine->traffic, total);
    mwi_effects_send_body(&engine->effects, slave->peer, frame, size, body);
}

const char *mwi_outgoing_algorithm_name(const struct mwi_master_engine *engine,
                                        const struct mwi_task_entry *task)
{
    return engine->config.algorithms[task->algorithm].name;
}

void mwi_outgoing_audit_task(struct mwi_master_engine *engine, enum mwi_audit_kind kind,
                             const struct mwi_slave_entry *slave, const struct mwi_task_entry *task,
                             const char *reason)
{
    MWI_OUTGOING_AUDIT(engine, slave, .kind = kind, .task = task->id,
                       .algorithm = mwi_outgoing_algorithm_name(engine, task),
                       .attempts = task->attempts, .reason = reason);
}
