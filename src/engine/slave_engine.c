/* SPDX-License-Identifier: Apache-2.0
 *
 * Steps the slave's phases. The loop steps it; face/slave begins and ends tasks, face/slave_search
 * says when it connects. Rules:
 *
 * - A task that saves bytes polls the network, so every message may come while a task runs. Its
 *   arguments and its result stay whole. A RECALL is answered when the task has ended.
 * - SHUTDOWN, REFUSED and GONE are final. They forget the tasks that wait, since no master would
 *   take the results.
 * - Before the welcome a failure leads back to APART, and the face may connect again. After it a
 *   lost connection does, if the slave may return. Then the tasks that wait are forgotten too,
 *   since the next master sends them anew. Results that the master did not confirm are kept.
 *
 * A new message of the master is a case in take_message, or, if it belongs to the greeting, in
 * engine/greeting.
 */
#include "engine/slave_engine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "base/time.h"
#include "wire/content.h"

static void audit_record(struct mwi_slave_engine *engine, int64_t now_ns,
                         struct mwi_audit_record *record)
{
    record->role = MWI_ROLE_SLAVE;
    record->time_ns = now_ns;
    record->sid = engine->sid;
    mwi_effects_audit(&engine->effects, record);
}

/* Leaves an audit record with these fields, its kind first. A macro, so that nothing is spent on a
 * record that no trail wants. */
#define AUDIT(engine, now_ns, ...)                                                                 \
    do {                                                                                           \
        if (mwi_effects_wants(&(engine)->effects, MWI_EFFECTS_KIND(__VA_ARGS__, 0)))               \
            audit_record(engine, now_ns, &(struct mwi_audit_record){__VA_ARGS__});                 \
    } while (0)

/* Sentences end with the reason, so it is never empty. It may be the master's, and is made
 * printable. */
static void set_reason(struct mwi_slave_engine *engine, const char *text, size_t size)
{
    if (size == 0) {
        text = MWI_MESSAGE_NO_REASON;
        size = strlen(text);
    }
    mwi_printable_copy(engine->reason, sizeof engine->reason, text, size);
}

/* Forgets the tasks that wait. */
static void forget_tasks(struct mwi_slave_engine *engine)
{
    mwi_task_queue_clear(&engine->queue, mwi_slave_engine_is_running(engine));
}

/* `eof` is the kind of record that tells of the end of the connection. */
static void end(struct mwi_slave_engine *engine, enum mwi_slave_phase phase,
                enum mwi_audit_kind eof, int64_t now_ns)
{
    assert(engine->phase < MWI_PHASE_SHUTDOWN && phase >= MWI_PHASE_SHUTDOWN);
    engine->phase = phase;
    engine->is_start_put_off = false;
    forget_tasks(engine);
    mwi_results_stop(&engine->results);
    AUDIT(engine, now_ns, .kind = MWI_AUDIT_CEOF);
    AUDIT(engine, now_ns, .kind = eof, .address = engine->address,
          .reason = phase == MWI_PHASE_SHUTDOWN ? NULL : engine->reason);
}

/* The connection is lost after the welcome, and the face may connect again. */
static void begin_return(struct mwi_slave_engine *engine, int64_t now_ns)
{
    engine->phase = MWI_PHASE_APART;
    engine->is_returning = true;
    engine->is_start_put_off = false;
    forget_tasks(engine);
    mwi_results_stop(&engine->results);
    AUDIT(engine, now_ns, .kind = MWI_AUDIT_CEOF);
    AUDIT(engine, now_ns, .kind = MWI_AUDIT_MASTER_LOST, .address = engine->address,
          .reason = engine->reason);
}

/* The connection ends before the welcome: the face may connect again. */
static void fall_apart(struct mwi_slave_engine *engine, const char *reason, int64_t now_ns)
{
    engine->phase = MWI_PHASE_APART;
    set_reason(engine, reason, strlen(reason));
    AUDIT(engine, now_ns, .kind = MWI_AUDIT_CONNECT_FAILED, .address = engine->address,
          .reason = engine->reason);
}

/* Drops a master that broke the protocol, or with which this slave cannot go on. */
static void give_up(struct mwi_slave_engine *engine, const char *reason, int64_t now_ns)
{
    mwi_effects_drop(&engine->effects, engine->peer);
    if (engine->phase != MWI_PHASE_READY) {
        fall_apart(engine, reason, now_ns);
        return;
    }
    set_reason(engine, reason, strlen(reason));
    end(engine, MWI_PHASE_GONE, MWI_AUDIT_MASTER_LOST, now_ns);
}

/* Sends the buffer's bytes and empties it. */
static void send_buffer(struct mwi_slave_engine *engine, struct mwi_buffer *buffer)
{
    size_t size = 0;
    void *frame = mwi_buffer_take(buffer, &size);
    mwi_buffer_fini(buffer);
    mwi_effects_send(&engine->effects, engine->peer, frame, size);
}

static void send_bare(struct mwi_slave_engine *engine, enum mwi_message_kind kind)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, kind);
    send_buffer(engine, &buffer);
}

/* Divides the name of the master's connection, "ADDRESS from OWN-ADDRESS", and returns the second
 * part; NULL if there is none. */
static const char *split_name(struct mwi_slave_engine *engine, const char *name)
{
    static const char word[] = " from ";
    const char *own = strstr(name, word);
    size_t size = own == NULL ? strlen(name) : (size_t)(own - name);
    snprintf(engine->address, sizeof engine->address, "%.*s", (int)size, name);
    return own == NULL ? NULL : own + strlen(word);
}

static void begin_greeting(struct mwi_slave_engine *engine, const struct mwi_event *event)
{
    const struct mwi_slave_engine_config *config = &engine->config;
    struct mwi_buffer hello;
    mwi_buffer_init(&hello);
    if (engine->is_returning) {
        if (mwi_slave_engine_is_running(engine))
            mwi_results_flush_ended(&engine->results, event->now_ns);
        else
            mwi_results_flush(&engine->results, event->now_ns);
        mwi_kept_lose_master(&engine->kept);
    }
    mwi_greeting_begin(&engine->greeting_stage,
                       &(struct mwi_greeting_self){.member_id = config->member_id,
                                                   .frame_bytes_max = config->frame_read_bytes_max,
                                                   .traits = config->traits,
                                                   .origin = config->origin,
                                                   .offers_count = engine->kept.count},
                       &hello);
    send_buffer(engine, &hello);
    engine->phase = MWI_PHASE_GREETING;
    const char *from = split_name(engine, event->name);
    engine->greeting_deadline_ns =
        mwi_time_after(event->now_ns - engine->away_ns, config->client_timeout_ns);
    AUDIT(engine, event->now_ns, .kind = MWI_AUDIT_CONNECTED, .address = engine->address,
          .from = from);
}

/* Offers the new master the results that it was not sent. */
static void offer_kept(struct mwi_slave_engine *engine, int64_t now_ns)
{
    size_t own_max = engine->config.frame_write_bytes_max;
    size_t their_max = engine->next.message_bytes_max;
    const struct mwi_kept_master master = {.peer = engine->peer,
                                           .names = engine->repertoire.numbers,
                                           .names_count = engine->repertoire.count,
                                           .message_bytes_max =
                                               their_max < own_max ? their_max : own_max};
    size_t offered_count = mwi_kept_offer(&engine->kept, &engine->effects, &master);
    AUDIT(engine, now_ns, .kind = MWI_AUDIT_RESULTS_OFFERED, .count = offered_count);
}

/* The task of the master that was lost has ended: all that remains is offered to the next one. */
static void end_putting_off(struct mwi_slave_engine *engine, int64_t now_ns)
{
    engine->is_start_put_off = false;
    if (!mwi_results_start(&engine->results, &engine->next)) {
        give_up(engine, mw_error_text(MW_ENOMEM), now_ns);
        return;
    }
    offer_kept(engine, now_ns);
}

static void join(struct mwi_slave_engine *engine, const struct mwi_message *message, int64_t now_ns)
{
    const struct mwi_results_master master = {
        .peer = engine->peer,
        .sid = message->welcome.sid,
        .group = message->welcome.result_group,
        .message_bytes_max = mwi_message_size(message->welcome.frame_bytes_max),
        .algorithms_count = message->welcome.algorithms_count,
    };
    engine->is_start_put_off = mwi_slave_engine_is_running(engine);
    engine->next = master;
    if (!mwi_repertoire_learn(&engine->repertoire, engine->config.algorithms, message) ||
        (!engine->is_start_put_off && !mwi_results_start(&engine->results, &master))) {
        give_up(engine, mw_error_text(MW_ENOMEM), now_ns);
        return;
    }
    engine->sid = message->welcome.sid;
    engine->run = message->welcome.run;
    engine->scope = MWI_CONTENT_SCOPE;
    engine->phase = MWI_PHASE_READY;
    engine->is_returning = false;
    engine->has_begun = false;
    AUDIT(engine, now_ns, .kind = MWI_AUDIT_SLAVE_ID);
    if (engine->kept.count > 0)
        offer_kept(engine, now_ns);
    if (engine->is_attentive)
        send_bare(engine, MWI_MESSAGE_ATTENTIVE);
}

/* The queue could not take a message. */
static void give_up_queue(struct mwi_slave_engine *engine, mw_error error, int64_t now_ns)
{
    give_up(engine,
            error == MW_EPROTOCOL ? "the master sent saved bytes without their task"
                                  : mw_error_text(error),
            now_ns);
}

static void take_saved(struct mwi_slave_engine *engine, const struct mwi_message *message,
                       const struct mwi_event *event)
{
    mw_error error = mwi_task_queue_announce(&engine->queue, message, event->frame);
    if (error != MW_OK)
        give_up_queue(engine, error, event->now_ns);
}

static void take_tasks(struct mwi_slave_engine *engine, struct mwi_message *message,
                       const struct mwi_event *event)
{
    if (engine->is_start_put_off) {
        give_up(engine, "the master sent tasks while it still had offers to hear", event->now_ns);
        return;
    }
    mw_error error = mwi_task_queue_append(&engine->queue, message, event->frame, engine->scope);
    if (error != MW_OK) {
        give_up_queue(engine, error, event->now_ns);
        return;
    }
    mwi_results_expect(&engine->results, engine->queue.tasks_count);
    AUDIT(engine, event->now_ns, .kind = MWI_AUDIT_TASKS_RECEIVED, .count = message->group.count,
          .group_size = engine->results.master.group);
}

/* The master takes back the tasks that were not begun. It takes none for lost: so all results are
 * sent before. */
static void answer_recall(struct mwi_slave_engine *engine, int64_t now_ns)
{
    mwi_results_flush(&engine->results, now_ns);
    send_bare(engine, MWI_MESSAGE_RETURNED);
}

void mwi_slave_engine_give_back(struct mwi_slave_engine *engine, int64_t now_ns)
{
    forget_tasks(engine);
    if (engine->is_start_put_off)
        send_bare(engine, MWI_MESSAGE_RETURNED);
    else if (mwi_slave_engine_is_running(engine))
        engine->was_recalled = true;
    else
        answer_recall(engine, now_ns);
}

static void take_kept(struct mwi_slave_engine *engine, uint64_t count, int64_t now_ns)
{
    if (!mwi_kept_forget(&engine->kept, count))
        give_up(engine, "the master confirmed more results than it was sent", now_ns);
}

static void take_shutdown(struct mwi_slave_engine *engine, int64_t now_ns)
{
    AUDIT(engine, now_ns, .kind = MWI_AUDIT_SHUTDOWN);
    mwi_effects_drop(&engine->effects, engine->peer);
    end(engine, MWI_PHASE_SHUTDOWN, MWI_AUDIT_EOF, now_ns);
}

static void take_refusal(struct mwi_slave_engine *engine, struct mwi_text why, int64_t now_ns)
{
    set_reason(engine, why.data, why.size);
    AUDIT(engine, now_ns, .kind = MWI_AUDIT_REFUSED, .reason = engine->reason);
    mwi_effects_drop(&engine->effects, engine->peer);
    end(engine, MWI_PHASE_REFUSED, MWI_AUDIT_EOF, now_ns);
}

static void greet(struct mwi_slave_engine *engine, const struct mwi_message *message,
                  int64_t now_ns)
{
    struct mwi_buffer answer;
    mw_reason why;
    mwi_buffer_init(&answer);
    switch (mwi_greeting_take_answer(&engine->greeting_stage, message, &answer, &why)) {
    case MWI_GREETING_MORE:
        send_buffer(engine, &answer);
        break;
    case MWI_GREETING_DONE:
        join(engine, message, now_ns);
        break;
    case MWI_GREETING_REFUSED:
        take_refusal(engine, mwi_message_text(why.text), now_ns);
        break;
    case MWI_GREETING_BROKEN:
        give_up(engine, why.text, now_ns);
        break;
    }
    mwi_buffer_fini(&answer);
}

/* Takes a message of a master that has welcomed this slave. */
static void take_message(struct mwi_slave_engine *engine, struct mwi_message *message,
                         const struct mwi_event *event)
{
    switch (message->kind) {
    case MWI_MESSAGE_TASKS:
        take_tasks(engine, message, event);
        break;
    case MWI_MESSAGE_SAVE:
        take_saved(engine, message, event);
        break;
    case MWI_MESSAGE_PING:
        send_bare(engine, MWI_MESSAGE_PONG);
        break;
    case MWI_MESSAGE_RECALL:
        mwi_slave_engine_give_back(engine, event->now_ns);
        break;
    case MWI_MESSAGE_KEPT:
        take_kept(engine, message->kept_count, event->now_ns);
        break;
    case MWI_MESSAGE_SCOPE:
        engine->scope = message->scope;
        break;
    case MWI_MESSAGE_REFUSE:
        take_refusal(engine, message->reason, event->now_ns);
        break;
    case MWI_MESSAGE_WELCOME:
        give_up(engine, "the master sent a second welcome", event->now_ns);
        break;
    default:
        give_up(engine, "the master sent a message that only a slave sends", event->now_ns);
        break;
    }
}

/* The processes that run the tasks of an isolated slave get the welcome as it came. */
static bool keep_welcome(struct mwi_slave_engine *engine, const struct mwi_message *message,
                         const mw_frame *frame)
{
    if ((engine->config.traits & MWI_TRAIT_ISOLATED) == 0 || message->kind != MWI_MESSAGE_WELCOME)
        return true;
    mwi_buffer_clear(&engine->welcome);
    mwi_buffer_append(&engine->welcome, frame->data, frame->size);
    return !engine->welcome.has_failed;
}

static void take_frame(struct mwi_slave_engine *engine, const struct mwi_event *event)
{
    static const char not_a_master[] = "the answer is not from a master";
    struct mwi_message message;
    mw_reason why;
    const mw_frame *frame = event->frame;
    if (mwi_message_fields_count(frame->data, frame->size) > MWI_MESSAGE_FIELDS_MAX) {
        give_up(engine, not_a_master, event->now_ns);
        return;
    }
    mw_error error = mwi_message_decode(&engine->decoder, frame->data, frame->size, &message, &why);
    if (error != MW_OK)
        give_up(engine, error == MW_EPROTOCOL ? not_a_master : mw_error_text(error), event->now_ns);
    else if (message.kind == MWI_MESSAGE_SHUTDOWN)
        take_shutdown(engine, event->now_ns);
    else if (engine->phase == MWI_PHASE_READY)
        take_message(engine, &message, event);
    else if (keep_welcome(engine, &message, frame))
        greet(engine, &message, event->now_ns);
    else
        give_up(engine, mw_error_text(MW_ENOMEM), event->now_ns);
}

static bool has_peer(const struct mwi_slave_engine *engine)
{
    return engine->phase == MWI_PHASE_CONNECTING || engine->phase == MWI_PHASE_GREETING ||
           engine->phase == MWI_PHASE_READY;
}

static void peer_down(struct mwi_slave_engine *engine, const struct mwi_event *event)
{
    if (engine->phase != MWI_PHASE_READY) {
        fall_apart(engine, event->reason, event->now_ns);
        return;
    }
    set_reason(engine, event->reason, strlen(event->reason));
    if (engine->results.kept != NULL)
        begin_return(engine, event->now_ns);
    else
        end(engine, MWI_PHASE_GONE, MWI_AUDIT_MASTER_LOST, event->now_ns);
}

/* An answer that has arrived is heard first. */
static void tick(struct mwi_slave_engine *engine, const struct mwi_event *event)
{
    engine->away_ns += event->away_ns;
    if (event->is_caught_up && engine->phase == MWI_PHASE_GREETING &&
        event->now_ns - engine->away_ns >= engine->greeting_deadline_ns)
        give_up(engine, "the master did not answer the greeting within --mw-client-timeout",
                event->now_ns);
}

mw_error mwi_slave_engine_step(struct mwi_slave_engine *engine, const struct mwi_event *event)
{
    if (event->kind != MWI_EVENT_TICK && (!has_peer(engine) || event->peer != engine->peer))
        return engine->effects.error;
    switch (event->kind) {
    case MWI_EVENT_PEER_UP:
        begin_greeting(engine, event);
        break;
    case MWI_EVENT_PEER_DOWN:
        peer_down(engine, event);
        break;
    case MWI_EVENT_FRAME:
        take_frame(engine, event);
        break;
    case MWI_EVENT_TICK:
        tick(engine, event);
        break;
    case MWI_EVENT_STRANGER:
        break;
    }
    return engine->effects.error;
}

int64_t mwi_slave_engine_deadline(const struct mwi_slave_engine *engine)
{
    return engine->phase == MWI_PHASE_GREETING
               ? mwi_time_after(engine->greeting_deadline_ns, engine->away_ns)
               : INT64_MAX;
}

mw_error mwi_slave_engine_init(struct mwi_slave_engine *engine,
                               const struct mwi_slave_engine_config *config)
{
    *engine = (struct mwi_slave_engine){.config = *config, .sid = UINT32_MAX};
    if (!mwi_message_decoder_init(&engine->decoder))
        return MW_ENOMEM;
    mwi_effects_init(&engine->effects);
    mwi_results_init(&engine->results, &engine->effects,
                     (config->traits & MWI_TRAIT_RETURNS) != 0 ? &engine->kept : NULL,
                     config->frame_write_bytes_max);
    mwi_buffer_init(&engine->welcome);
    engine->results.is_prompt = config->is_prompt;
    return MW_OK;
}

void mwi_slave_engine_fini(struct mwi_slave_engine *engine)
{
    mwi_task_queue_fini(&engine->queue);
    mwi_saved_outbox_fini(&engine->saving);
    mwi_repertoire_fini(&engine->repertoire);
    mwi_buffer_fini(&engine->welcome);
    mwi_results_fini(&engine->results);
    mwi_kept_fini(&engine->kept);
    mwi_effects_fini(&engine->effects);
    mwi_message_decoder_fini(&engine->decoder);
}

void mwi_slave_engine_connecting(struct mwi_slave_engine *engine, mw_peer peer, const char *address)
{
    assert(engine->phase == MWI_PHASE_APART);
    engine->phase = MWI_PHASE_CONNECTING;
    engine->greeting_stage = MWI_GREETING_SILENT;
    engine->peer = peer;
    snprintf(engine->address, sizeof engine->address, "%s", address);
}

void mwi_slave_engine_cannot_connect(struct mwi_slave_engine *engine, const char *reason)
{
    set_reason(engine, reason, strlen(reason));
}

void mwi_slave_engine_end_search(struct mwi_slave_engine *engine, bool has_farm_ended,
                                 const char *reason, int64_t now_ns)
{
    assert(engine->is_returning);
    if (engine->phase >= MWI_PHASE_SHUTDOWN)
        return;
    if (has_peer(engine))
        mwi_effects_drop(&engine->effects, engine->peer);
    set_reason(engine, reason, strlen(reason));
    end(engine, has_farm_ended ? MWI_PHASE_SHUTDOWN : MWI_PHASE_GONE, MWI_AUDIT_EOF, now_ns);
}

void mwi_slave_engine_note_task(struct mwi_slave_engine *engine, const struct mwi_slave_task *task,
                                uint64_t scope)
{
    bool has_key = scope != MWI_CONTENT_NO_SCOPE && task->algorithm < engine->repertoire.count;
    uint64_t name = has_key ? engine->repertoire.numbers[task->algorithm] : 0;
    struct mwi_digest key = {0};
    if (has_key)
        key = mwi_content_key(mwi_content_seed(scope, name, task->payload.is_bytes),
                              task->payload.data, task->payload.size);
    if (mwi_kept_begin(&engine->kept, has_key ? &key : NULL, engine->run, task->id, name))
        return;
    engine->results.kept = NULL;
    mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

void mwi_slave_engine_attend(struct mwi_slave_engine *engine)
{
    if (engine->is_attentive)
        return;
    engine->is_attentive = true;
    if (engine->phase == MWI_PHASE_READY)
        send_bare(engine, MWI_MESSAGE_ATTENTIVE);
}

bool mwi_slave_engine_tell_of_task(struct mwi_slave_engine *engine)
{
    struct mwi_buffer buffer;
    if (!mwi_slave_engine_must_tell(engine))
        return false;
    engine->has_begun = true;
    mwi_task_queue_first(&engine->queue)->is_timed = false;
    mwi_buffer_init(&buffer);
    mwi_message_write_id(&buffer, MWI_MESSAGE_BEGUN, mwi_task_queue_next_id(&engine->queue));
    send_buffer(engine, &buffer);
    return true;
}

static struct mwi_results_ahead tasks_ahead(const struct mwi_slave_engine *engine)
{
    if (engine->queue.tasks_count == 0)
        return (struct mwi_results_ahead){0};
    const struct mwi_task_queue_message *message = mwi_task_queue_first(&engine->queue);
    return (struct mwi_results_ahead){engine->queue.tasks_count,
                                      mwi_column_at(&message->group.algorithms, message->index)};
}

size_t mwi_slave_engine_together(const struct mwi_slave_engine *engine, size_t max)
{
    if (engine->queue.tasks_count == 0)
        return 0;
    const struct mwi_task_queue_message *message = mwi_task_queue_first(&engine->queue);
    const struct mwi_column *algorithms = &message->group.algorithms;
    if (algorithms->width > 0)
        return 1;
    size_t left = message->group.count - message->index;
    size_t count = mwi_results_together(&engine->results, mwi_column_at(algorithms, 0));
    count = count < left ? count : left;
    return count < max ? count : max;
}

mw_error mwi_slave_engine_save(struct mwi_slave_engine *engine, const void *data, size_t size,
                               int64_t now_ns)
{
    struct mwi_saved saved = {.size = size};
    size_t bytes_max = engine->results.message_bytes_max;
    assert(mwi_slave_engine_is_running(engine));
    if (engine->phase != MWI_PHASE_READY || engine->is_start_put_off)
        return MW_EGONE;
    if (bytes_max < MWI_MESSAGE_OVERHEAD_BYTES || size > bytes_max - MWI_MESSAGE_OVERHEAD_BYTES)
        return MW_ETOOBIG;
    saved.block = mwi_block_copy(data, size, &saved.data);
    if (saved.block == NULL)
        return MW_ENOMEM;
    mwi_saved_outbox_put(&engine->saving, &saved);
    engine->was_polled = true;
    /* The master takes a save only of the first task whose result it lacks. */
    mwi_results_flush_ended(&engine->results, now_ns);
    return MW_OK;
}

bool mwi_slave_engine_send_save(struct mwi_slave_engine *engine)
{
    struct mwi_saved_outbox *saving = &engine->saving;
    if (mwi_saved_outbox_is_sending(saving))
        return true;
    if (!mwi_saved_outbox_has_unsent(saving))
        return false;
    if (engine->phase == MWI_PHASE_READY)
        mwi_saved_outbox_send(saving, &engine->effects, engine->peer, engine->results.task_id);
    return true;
}

/* After a task during which the network was polled: what it has saved is of no use any more. */
static void clean_up(struct mwi_slave_engine *engine, int64_t now_ns)
{
    engine->was_polled = false;
    mwi_saved_outbox_clear(&engine->saving);
    if (engine->was_recalled && engine->phase == MWI_PHASE_READY)
        answer_recall(engine, now_ns);
    engine->was_recalled = false;
}

void mwi_slave_engine_settle(struct mwi_slave_engine *engine, size_t count, uint64_t duration_ns,
                             int64_t now_ns)
{
    mwi_results_settle(&engine->results, count, duration_ns, tasks_ahead(engine), now_ns);
    if (engine->was_polled)
        clean_up(engine, now_ns);
}

void mwi_slave_engine_end_task(struct mwi_slave_engine *engine, uint64_t duration_ns,
                               int64_t now_ns)
{
    mwi_results_end(&engine->results, duration_ns, tasks_ahead(engine), now_ns);
    mwi_task_queue_release(&engine->queue);
    if (engine->is_start_put_off)
        end_putting_off(engine, now_ns);
    if (engine->was_polled)
        clean_up(engine, now_ns);
}

bool mwi_slave_engine_is_pressing(const struct mwi_slave_engine *engine, int64_t now_ns)
{
    return mwi_results_are_unsent(&engine->results) &&
           mwi_results_are_pressing(&engine->results, tasks_ahead(engine), now_ns);
}

void mwi_slave_engine_leave(struct mwi_slave_engine *engine, const char *reason, int64_t now_ns)
{
    struct mwi_buffer buffer;
    bool is_ready = engine->phase == MWI_PHASE_READY;
    if (!is_ready && engine->phase != MWI_PHASE_GREETING)
        return;
    if (is_ready && !mwi_slave_engine_is_running(engine))
        mwi_results_flush(&engine->results, now_ns);
    /* A goodbye promises that the results of all tasks that were begun have been sent. */
    if (engine->effects.error == MW_OK) {
        mwi_buffer_init(&buffer);
        mwi_message_write_reason(&buffer, MWI_MESSAGE_GOODBYE, reason);
        send_buffer(engine, &buffer);
    }
    set_reason(engine, reason, strlen(reason));
    if (is_ready)
        end(engine, MWI_PHASE_GONE, MWI_AUDIT_EOF, now_ns);
    else
        engine->phase = MWI_PHASE_APART;
}
