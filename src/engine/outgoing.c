/* SPDX-License-Identifier: Apache-2.0
 *
 * Appends effects of a master's engine: messages to slaves, and audit records. The other files of
 * the master's engine call it, and none of them appends effects of these two kinds itself. It
 * counts the messages and bytes that are sent.
 *
 * Invariant: texts lie in the decoder's zone, which the next step clears, so an audit record must
 * not keep one for longer.
 *
 * To send another message, write its bytes with a function of wire/message.h and call
 * mwi_outgoing_send. To leave an audit record about a task and its attempts, call
 * mwi_outgoing_audit_task; about a task's end, mwi_outgoing_audit_end; any other, use
 * MWI_OUTGOING_AUDIT.
 */
#include "engine/outgoing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "base/utf8.h"
#include "engine/withheld.h"

#define TEXT_SIZE 320
#define NO_MEMORY "(out of memory)"

void mwi_outgoing_audit_record(struct mwi_master_engine *engine,
                               const struct mwi_slave_entry *slave, struct mwi_audit_record *record)
{
    record->role = MWI_ROLE_MASTER;
    record->time_ns = engine->now_ns;
    record->sid = slave == NULL ? MWI_NO_SID : slave->sid;
    mwi_effects_audit(&engine->effects, record);
}

/* Removes a character at the end of a text that was cut within it. */
static void cut_character(char *text)
{
    char *last = text + strlen(text);
    uint32_t code;
    while (last > text && (*--last & 0xc0) == 0x80)
        continue;
    if (mwi_utf8_decode(last, &code) == 0)
        *last = '\0';
}

const char *mwi_outgoing_note(struct mwi_master_engine *engine, const char *format, ...)
{
    va_list arguments;
    char *text = msgpack_zone_malloc(&engine->decoder.zone, TEXT_SIZE);
    if (text == NULL)
        return NO_MEMORY;
    va_start(arguments, format);
    int size = vsnprintf(text, TEXT_SIZE, format, arguments);
    va_end(arguments);
    if (size >= TEXT_SIZE)
        cut_character(text);
    return text;
}

const char *mwi_outgoing_note_text(struct mwi_master_engine *engine, struct mwi_text text)
{
    if (text.size == 0)
        return MWI_MESSAGE_NO_REASON;
    char *note = msgpack_zone_malloc(&engine->decoder.zone, TEXT_SIZE);
    if (note == NULL)
        return NO_MEMORY;
    mwi_printable_copy(note, TEXT_SIZE, text.data, text.size);
    return note;
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
    if (mwi_withheld_is_due(slave))
        mwi_withheld_add(engine, slave, frame, size, body);
    else
        mwi_effects_send_body(&engine->effects, slave->peer, frame, size, body);
}

void mwi_outgoing_end_task(struct mwi_master_engine *engine, const struct mwi_task_entry *task)
{
    for (struct mwi_copy *copy = task->copies; copy != NULL; copy = copy->next_of_task) {
        struct mwi_buffer buffer;
        if (!copy->slave->is_isolated)
            continue;
        mwi_buffer_init(&buffer);
        mwi_message_write_id(&buffer, MWI_MESSAGE_END_TASK, task->id);
        mwi_outgoing_send(engine, copy->slave, &buffer);
    }
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

static void copy_tag(struct mwi_audit_task *ended, const struct mwi_task_entry *task)
{
    ended->has_tag_bytes = task->has_tag_bytes;
    if (!task->has_tag_bytes) {
        ended->tag = task->tag;
        return;
    }
    size_t size = task->tag_bytes->size;
    ended->tag_size = size < MWI_AUDIT_TAG_BYTES ? size : MWI_AUDIT_TAG_BYTES;
    memcpy(ended->tag_bytes, task->tag_bytes->bytes, ended->tag_size);
}

/* Estimates when the task ended and began. Tasks whose results follow in the same message ran after
 * this one, so their time (later_ns) is taken off the time of arrival. No estimate lies before the
 * time at which the task was sent. */
static void set_times(const struct mwi_master_engine *engine, struct mwi_audit_task *ended,
                      const struct mwi_outgoing_end *end)
{
    ended->ended_ns = engine->now_ns;
    if (end->copy == NULL)
        return;
    int64_t sent_ns = end->copy->sent_ns;
    int64_t most_ns = engine->now_ns - sent_ns;
    ended->sent_ns = sent_ns;
    if (end->item == NULL)
        return;
    int64_t later_ns = engine->later_ns < most_ns ? engine->later_ns : most_ns;
    ended->ended_ns = engine->now_ns - later_ns;
    most_ns -= later_ns;
    bool is_credible = end->item->duration_ns <= (uint64_t)most_ns;
    ended->duration_ns = is_credible ? (int64_t)end->item->duration_ns : most_ns;
    ended->begun_ns = ended->ended_ns - ended->duration_ns;
}

void mwi_outgoing_audit_end(struct mwi_master_engine *engine, const struct mwi_task_entry *task,
                            const struct mwi_outgoing_end *end)
{
    if (!mwi_effects_wants(&engine->effects, MWI_AUDIT_TASK_ENDED))
        return;
    struct mwi_audit_task *ended = msgpack_zone_malloc(&engine->decoder.zone, sizeof *ended);
    if (ended == NULL)
        return;
    *ended = (struct mwi_audit_task){
        .id = task->id,
        .algorithm = mwi_outgoing_algorithm_name(engine, task),
        .has_slave = end->copy != NULL || (task->was_sent && task->sid != MWI_NO_SID),
        .sid = end->copy != NULL ? end->copy->slave->sid : task->sid,
        .submitted_ns = mwi_tasks_submitted_ns(&engine->tasks, task),
        .sent_ns = MWI_AUDIT_NEVER,
        .begun_ns = MWI_AUDIT_NEVER,
        .duration_ns = MWI_AUDIT_NEVER,
        .outcome = end->outcome,
        .bytes = task->size,
        .result_bytes = end->item == NULL ? 0 : end->item->size,
    };
    copy_tag(ended, task);
    set_times(engine, ended, end);
    MWI_OUTGOING_AUDIT(engine, NULL, .kind = MWI_AUDIT_TASK_ENDED, .ended = ended);
}
