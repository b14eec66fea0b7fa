/* SPDX-License-Identifier: Apache-2.0
 *
 * Each event has one function below; what they share is at the top: audit, moves, parting with a
 * peer. Every step ends with dispatch, which gives waiting tasks to idle slaves. A peer that breaks
 * the protocol is dropped and its tasks are treated as those of any lost slave.
 */
#include "master_engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A group stops growing at this payload, so that one message does not keep a slave waiting. */
#define GROUP_BYTES_MAX ((size_t)1 << 20)

#define REASON_SIZE 200

static const char *algorithm_name(const struct mwi_master_engine *engine,
                                  const struct mwi_task *task)
{
    return engine->config.algorithms[task->algorithm].name;
}

static void audit(struct mwi_master_engine *engine, const struct mwi_slave *slave, int64_t now_ns,
                  struct mwi_audit_record record)
{
    record.role = MWI_ROLE_MASTER;
    record.time_ns = now_ns;
    record.sid = slave == NULL ? MWI_NO_SID : slave->sid;
    mwi_effects_audit(&engine->effects, &record);
}

/* A text that lives until the effects of this step are carried out. */
MW_PRINTF(2, 3)
static const char *note(struct mwi_master_engine *engine, const char *format, ...)
{
    va_list arguments;
    char *text = msgpack_zone_malloc(&engine->decoder.zone, REASON_SIZE);
    if (text == NULL)
        return "(out of memory)";
    va_start(arguments, format);
    vsnprintf(text, REASON_SIZE, format, arguments);
    va_end(arguments);
    return text;
}

/* The same of text from a peer; printf's precision cuts it. */
static const char *note_text(struct mwi_master_engine *engine, struct mwi_text text)
{
    return note(engine, "%.*s", (int)(text.size < REASON_SIZE ? text.size : REASON_SIZE),
                text.data);
}

static void send_buffer(struct mwi_master_engine *engine, const struct mwi_slave *slave,
                        struct mwi_buffer *buffer)
{
    size_t size = 0;
    void *frame = mwi_buffer_take(buffer, &size);
    mwi_buffer_fini(buffer);
    mwi_effects_send(&engine->effects, slave->peer, frame, size);
}

static void move_slave(struct mwi_master_engine *engine, struct mwi_slave *slave,
                       enum mwi_slave_state state, int64_t now_ns)
{
    bool is_named = slave->sid != MWI_NO_SID;
    mwi_slaves_move(&engine->slaves, slave, state);
    if (is_named)
        audit(engine, slave, now_ns,
              (struct mwi_audit_record){.kind = MWI_AUDIT_SLAVE_STATE, .state = state});
}

/* A task comes back from a slave that is lost, or that says goodbye: the latter is no attempt. */
static void return_task(struct mwi_master_engine *engine, struct mwi_slave *slave,
                        struct mwi_task *task, bool is_attempt, const char *reason, int64_t now_ns)
{
    bool is_runnable = true;
    if (is_attempt) {
        char text[REASON_SIZE];
        task->attempts++;
        is_runnable = !task->no_retry && task->attempts < task->max_attempts;
        snprintf(text, sizeof text, "%s was lost (%s)", mwi_slaves_id(&engine->slaves, slave->sid),
                 reason);
        mwi_tasks_add_history(&engine->tasks, task, text);
    }
    slave->running_count--;
    mwi_tasks_move(&engine->tasks, task, is_runnable ? MWI_TASK_WAITING : MWI_TASK_UNRUNNABLE,
                   NULL);
    audit(engine, slave, now_ns,
          (struct mwi_audit_record){
              .kind = is_runnable ? MWI_AUDIT_TASK_REQUEUED : MWI_AUDIT_TASK_UNRUNNABLE,
              .task = mwi_task_id(task),
              .text = algorithm_name(engine, task),
              .count = task->attempts,
              .reason = is_runnable ? reason : mwi_tasks_history(&engine->tasks, task)});
}

/* From the last to the first, because each goes to the front of the queue. */
static void return_tasks(struct mwi_master_engine *engine, struct mwi_slave *slave, bool is_attempt,
                         const char *reason, int64_t now_ns)
{
    while (!mwi_list_is_empty(&slave->running)) {
        struct mwi_list *last = slave->running.prev;
        return_task(engine, slave, MWI_LIST_ENTRY(last, struct mwi_task, link), is_attempt, reason,
                    now_ns);
    }
}

/* The slave is known no more after this. */
static void part(struct mwi_master_engine *engine, struct mwi_slave *slave, bool is_attempt,
                 const char *reason, int64_t now_ns)
{
    mwi_timers_stop(&engine->timers, &slave->greeting);
    return_tasks(engine, slave, is_attempt, reason, now_ns);
    bool is_expected = slave->state == MWI_SLAVE_SHUTTING_DOWN;
    move_slave(engine, slave, MWI_SLAVE_DISCONNECTED, now_ns);
    audit(engine, slave, now_ns,
          (struct mwi_audit_record){.kind = MWI_AUDIT_EOF,
                                    .transport = slave->transport,
                                    .address = slave->address,
                                    .reason = is_expected ? NULL : reason});
    mwi_effects_lost(&engine->effects, slave->peer, slave->results_count);
}

/* Throws out a peer that misbehaves or does not answer. */
static void drop(struct mwi_master_engine *engine, struct mwi_slave *slave, const char *reason,
                 int64_t now_ns)
{
    bool is_named = slave->sid != MWI_NO_SID;
    audit(engine, slave, now_ns,
          (struct mwi_audit_record){.kind = is_named ? MWI_AUDIT_SLAVE_DROPPED
                                                     : MWI_AUDIT_CLIENT_REFUSED,
                                    .transport = slave->transport,
                                    .address = slave->address,
                                    .reason = reason});
    mwi_effects_drop(&engine->effects, slave->peer);
    part(engine, slave, true, reason, now_ns);
}

static void tell_to_stop(struct mwi_master_engine *engine, struct mwi_slave *slave)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_shutdown(&buffer);
    send_buffer(engine, slave, &buffer);
}

/* A client that has not greeted yet, as the farm ends: a slave that comes now has nothing to do. */
static void turn_away(struct mwi_master_engine *engine, struct mwi_slave *slave, int64_t now_ns)
{
    tell_to_stop(engine, slave);
    drop(engine, slave, "the master is shutting down", now_ns);
}

static void peer_up(struct mwi_master_engine *engine, const struct mwi_event *event)
{
    struct mwi_slave *slave =
        mwi_slaves_add(&engine->slaves, event->peer, event->transport, event->name);
    engine->clients_total++;
    if (slave == NULL || !mwi_timers_start(&engine->timers, &slave->greeting,
                                           event->now_ns + engine->config.client_timeout_ns)) {
        mwi_effects_drop(&engine->effects, event->peer);
        if (slave != NULL)
            mwi_slaves_move(&engine->slaves, slave, MWI_SLAVE_DISCONNECTED);
        return;
    }
    audit(engine, slave, event->now_ns,
          (struct mwi_audit_record){.kind = MWI_AUDIT_NEW_CLIENT,
                                    .transport = slave->transport,
                                    .address = slave->address});
    if (engine->is_shutting_down)
        turn_away(engine, slave, event->now_ns);
}

static void refuse(struct mwi_master_engine *engine, struct mwi_slave *slave, const char *reason,
                   int64_t now_ns)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_reason(&buffer, MWI_MESSAGE_REFUSE, reason);
    send_buffer(engine, slave, &buffer);
    drop(engine, slave, reason, now_ns);
}

static void welcome(struct mwi_master_engine *engine, struct mwi_slave *slave, int64_t now_ns)
{
    struct mwi_buffer buffer;
    if (!mwi_slaves_name(&engine->slaves, slave)) {
        refuse(engine, slave, "the master is out of memory", now_ns);
        return;
    }
    mwi_buffer_init(&buffer);
    mwi_message_write_welcome(&buffer, slave->sid, (uint32_t)engine->config.result_group,
                              engine->config.frame_read_bytes_max, engine->config.algorithms);
    send_buffer(engine, slave, &buffer);
    audit(engine, slave, now_ns,
          (struct mwi_audit_record){.kind = MWI_AUDIT_SLAVE_GREETED,
                                    .transport = slave->transport,
                                    .address = slave->address,
                                    .text = engine->config.member_id,
                                    .state = MWI_SLAVE_CONNECTING,
                                    .group = slave->group});
    move_slave(engine, slave, MWI_SLAVE_IDLE, now_ns);
}

static void take_hello(struct mwi_master_engine *engine, struct mwi_slave *slave,
                       const struct mwi_message *message, int64_t now_ns)
{
    const char *member_id = engine->config.member_id;
    struct mwi_text theirs = message->hello.member_id;
    if (slave->state != MWI_SLAVE_CONNECTING) {
        drop(engine, slave, "it greeted twice", now_ns);
        return;
    }
    mwi_timers_stop(&engine->timers, &slave->greeting);
    if (message->hello.protocol != MW_PROTOCOL_VERSION) {
        refuse(
            engine, slave,
            note(engine,
                 "the master speaks protocol %d (mw %s), the slave %llu: use the same version of "
                 "the library on both sides",
                 MW_PROTOCOL_VERSION, mw_version(), (unsigned long long)message->hello.protocol),
            now_ns);
    } else if (theirs.size != strlen(member_id) ||
               memcmp(theirs.data, member_id, theirs.size) != 0) {
        refuse(engine, slave,
               note(engine,
                    "the slave's --mw-member-id is \"%.*s\", the master's is \"%.40s\": does it "
                    "belong to another farm?",
                    (int)(theirs.size > 40 ? 40 : theirs.size), theirs.data, member_id),
               now_ns);
    } else {
        slave->frame_bytes_max = (size_t)message->hello.frame_bytes_max;
        welcome(engine, slave, now_ns);
    }
}

static void audit_failure(struct mwi_master_engine *engine, const struct mwi_slave *slave,
                          const struct mwi_task *task, const struct mwi_payload *text,
                          int64_t now_ns)
{
    if (!engine->effects.is_audited)
        return;
    struct mwi_text reason = {(const char *)text->data, text->size};
    audit(engine, slave, now_ns,
          (struct mwi_audit_record){.kind = MWI_AUDIT_TASK_FAILED,
                                    .task = mwi_task_id(task),
                                    .text = algorithm_name(engine, task),
                                    .reason = note_text(engine, reason)});
}

/* A running task is finished; `block` gets another reference. */
static bool finish_task(struct mwi_master_engine *engine, struct mwi_slave *slave,
                        struct mwi_task *task, struct mwi_block *block,
                        const struct mwi_message_item *item)
{
    struct mwi_finished finished = {.block = block,
                                    .payload = item->payload,
                                    .tag = task->tag,
                                    .duration_ns = item->duration_ns,
                                    .sid = slave->sid,
                                    .algorithm = task->algorithm,
                                    .is_failed = item->status == MWI_RESULT_FAILED};
    if (!mwi_finished_push(&engine->finished, &finished)) {
        engine->effects.failed = true;
        return false;
    }
    mwi_block_ref(block);
    mwi_tasks_move(&engine->tasks, task, MWI_TASK_FREE, NULL);
    slave->running_count--;
    slave->results_count++;
    return true;
}

/* Takes results until one is not for a task of this slave; returns how many were good. */
static size_t take_items(struct mwi_master_engine *engine, struct mwi_slave *slave,
                         const struct mwi_message *message, struct mwi_block *block,
                         ptrdiff_t moved_by, uint64_t *failed_count, int64_t now_ns)
{
    size_t i;
    for (i = 0; i < message->items_count; i++) {
        struct mwi_message_item item;
        mwi_message_result(message, i, &item);
        if (item.payload.size > 0) /* else it may be NULL */
            item.payload.data += moved_by;
        struct mwi_task *task = mwi_tasks_find(&engine->tasks, item.id);
        if (task == NULL || task->state != MWI_TASK_RUNNING || task->sid != slave->sid)
            break;
        if (item.status == MWI_RESULT_FAILED) {
            audit_failure(engine, slave, task, &item.payload, now_ns);
            (*failed_count)++;
        }
        if (!finish_task(engine, slave, task, block, &item))
            break;
    }
    return i;
}

static void take_results(struct mwi_master_engine *engine, struct mwi_slave *slave,
                         const struct mwi_message *message, const struct mwi_event *event)
{
    unsigned char *before = event->frame->data, *data;
    uint64_t failed_count = 0;
    struct mwi_block *block = mwi_block_keep(event->frame, &data);
    if (block == NULL) {
        drop(engine, slave, "the master is out of memory", event->now_ns);
        return;
    }
    size_t taken_count =
        take_items(engine, slave, message, block, data - before, &failed_count, event->now_ns);
    mwi_block_unref(block);
    audit(engine, slave, event->now_ns,
          (struct mwi_audit_record){
              .kind = MWI_AUDIT_RESULTS_RECEIVED, .count = taken_count, .failed = failed_count});
    if (taken_count < message->items_count)
        drop(engine, slave, "it sent a result of a task that it does not have", event->now_ns);
    else if (slave->running_count == 0 && slave->state == MWI_SLAVE_BUSY)
        move_slave(engine, slave, MWI_SLAVE_IDLE, event->now_ns);
}

static void take_goodbye(struct mwi_master_engine *engine, struct mwi_slave *slave,
                         const struct mwi_message *message, int64_t now_ns)
{
    const char *reason = note_text(engine, message->reason);
    audit(engine, slave, now_ns,
          (struct mwi_audit_record){.kind = MWI_AUDIT_SLAVE_GOODBYE, .reason = reason});
    mwi_effects_drop(&engine->effects, slave->peer);
    part(engine, slave, false, reason, now_ns);
}

static void take_frame(struct mwi_master_engine *engine, const struct mwi_event *event)
{
    struct mwi_message message;
    mw_reason why;
    struct mwi_slave *slave = mwi_slaves_find(&engine->slaves, event->peer);
    if (slave == NULL)
        return;
    mw_error error = mwi_message_decode(&engine->decoder, event->frame->data, event->frame->size,
                                        &message, &why);
    if (error != MW_OK) {
        drop(engine, slave,
             note(engine, "%.150s", error == MW_EPROTOCOL ? why.text : mw_error_text(error)),
             event->now_ns);
        return;
    }
    bool is_greeted = slave->state != MWI_SLAVE_CONNECTING;
    if (message.kind == MWI_MESSAGE_HELLO)
        take_hello(engine, slave, &message, event->now_ns);
    else if (message.kind == MWI_MESSAGE_RESULTS && is_greeted)
        take_results(engine, slave, &message, event);
    else if (message.kind == MWI_MESSAGE_GOODBYE && is_greeted)
        take_goodbye(engine, slave, &message, event->now_ns);
    else
        drop(engine, slave,
             is_greeted ? "it sent a message that only a master sends" : "it did not greet first",
             event->now_ns);
}

/* A task that the slave could not even receive fails as that task. */
static void fail_oversized(struct mwi_master_engine *engine, struct mwi_slave *slave,
                           struct mwi_task *task, int64_t now_ns)
{
    char text[REASON_SIZE];
    int size = snprintf(text, sizeof text,
                        "the task's %u bytes are over the slave's --mw-max-read-buffer-size of %zu",
                        (unsigned)task->size, slave->frame_bytes_max);
    mw_frame frame = {.data = (unsigned char *)text, .size = (size_t)size};
    struct mwi_message_item item = {.status = MWI_RESULT_FAILED};
    struct mwi_block *block = mwi_block_keep(&frame, &item.payload.data);
    if (block == NULL) {
        engine->effects.failed = true;
        return;
    }
    item.payload.size = (uint32_t)size;
    mwi_tasks_move(&engine->tasks, task, MWI_TASK_RUNNING, &slave->running);
    slave->running_count++;
    audit_failure(engine, slave, task, &item.payload, now_ns);
    finish_task(engine, slave, task, block, &item);
    mwi_block_unref(block);
}

static size_t group_bytes(const struct mwi_tasks *tasks, size_t count)
{
    size_t bytes = MWI_MESSAGE_OVERHEAD_BYTES;
    const struct mwi_list *link = tasks->waiting.next;
    for (size_t i = 0; i < count; i++, link = link->next)
        bytes +=
            MWI_LIST_ENTRY(link, const struct mwi_task, link)->size + MWI_MESSAGE_OVERHEAD_BYTES;
    return bytes;
}

static void send_group(struct mwi_master_engine *engine, struct mwi_slave *slave, size_t count,
                       int64_t now_ns)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_buffer_reserve(&buffer, group_bytes(&engine->tasks, count));
    mwi_message_begin_tasks(&buffer, count);
    for (size_t i = 0; i < count; i++) {
        struct mwi_task *task = mwi_tasks_first_waiting(&engine->tasks);
        mwi_message_write_task(&buffer, mwi_task_id(task), task->algorithm,
                               &(struct mwi_payload){task->data, task->size, task->is_bytes});
        task->sid = slave->sid;
        mwi_tasks_move(&engine->tasks, task, MWI_TASK_RUNNING, &slave->running);
    }
    slave->running_count += count;
    send_buffer(engine, slave, &buffer);
    audit(engine, slave, now_ns,
          (struct mwi_audit_record){.kind = MWI_AUDIT_TASKS_SENT, .count = count});
    move_slave(engine, slave, MWI_SLAVE_BUSY, now_ns);
}

static void dispatch(struct mwi_master_engine *engine, int64_t now_ns)
{
    if (engine->is_shutting_down)
        return;
    while (!engine->effects.failed) {
        struct mwi_task *task = mwi_tasks_first_waiting(&engine->tasks);
        struct mwi_slave *slave = mwi_slaves_first(&engine->slaves, MWI_SLAVE_IDLE);
        if (task == NULL || slave == NULL)
            return;
        if (task->size + 2 * MWI_MESSAGE_OVERHEAD_BYTES > slave->frame_bytes_max) {
            fail_oversized(engine, slave, task, now_ns);
            continue;
        }
        size_t bytes_max = slave->frame_bytes_max - MWI_MESSAGE_OVERHEAD_BYTES;
        struct mwi_schedule_limits limits = {
            .task_group = engine->config.task_group,
            .group_bytes_max = bytes_max < GROUP_BYTES_MAX ? bytes_max : GROUP_BYTES_MAX};
        send_group(engine, slave, mwi_schedule_group(&engine->tasks, slave, &limits), now_ns);
    }
}

static void drop_stragglers(struct mwi_master_engine *engine, int64_t now_ns)
{
    struct mwi_slave *slave;
    while ((slave = mwi_slaves_first(&engine->slaves, MWI_SLAVE_SHUTTING_DOWN)) != NULL)
        drop(engine, slave, "it did not stop within --mw-shutdown-timeout", now_ns);
}

static void fire_timers(struct mwi_master_engine *engine, int64_t now_ns)
{
    struct mwi_timer *timer;
    while ((timer = mwi_timers_due(&engine->timers, now_ns)) != NULL) {
        if (timer == &engine->shutdown) {
            drop_stragglers(engine, now_ns);
        } else {
            struct mwi_slave *slave = MWI_LIST_ENTRY(timer, struct mwi_slave, greeting);
            drop(engine, slave, "it did not greet within --mw-client-timeout", now_ns);
        }
    }
}

static void peer_down(struct mwi_master_engine *engine, const struct mwi_event *event)
{
    struct mwi_slave *slave = mwi_slaves_find(&engine->slaves, event->peer);
    if (slave != NULL)
        part(engine, slave, true, event->reason, event->now_ns);
}

void mwi_master_engine_step(struct mwi_master_engine *engine, const struct mwi_event *event)
{
    mwi_slaves_reap(&engine->slaves);
    msgpack_zone_clear(&engine->decoder.zone);
    switch (event->kind) {
    case MWI_EVENT_PEER_UP:
        peer_up(engine, event);
        break;
    case MWI_EVENT_PEER_DOWN:
        peer_down(engine, event);
        break;
    case MWI_EVENT_FRAME:
        take_frame(engine, event);
        break;
    case MWI_EVENT_TICK:
        break;
    }
    fire_timers(engine, event->now_ns);
    dispatch(engine, event->now_ns);
}

int64_t mwi_master_engine_deadline(const struct mwi_master_engine *engine)
{
    bool can_send = !engine->is_shutting_down && engine->tasks.counts[MWI_TASK_WAITING] > 0 &&
                    engine->slaves.counts[MWI_SLAVE_IDLE] > 0;
    return can_send ? INT64_MIN : mwi_timers_deadline(&engine->timers);
}

mw_error mwi_master_engine_init(struct mwi_master_engine *engine,
                                const struct mwi_master_engine_config *config)
{
    size_t count = 0;
    while (config->algorithms[count].name != NULL)
        count++;
    if (count > UINT16_MAX)
        return MW_EINVAL;
    *engine = (struct mwi_master_engine){.config = *config, .algorithms_count = (uint16_t)count};
    if (!mwi_decoder_init(&engine->decoder))
        return MW_ENOMEM;
    mwi_effects_init(&engine->effects);
    mwi_tasks_init(&engine->tasks);
    mwi_slaves_init(&engine->slaves);
    mwi_finished_init(&engine->finished);
    mwi_timers_init(&engine->timers);
    return MW_OK;
}

void mwi_master_engine_fini(struct mwi_master_engine *engine)
{
    mwi_timers_fini(&engine->timers);
    mwi_finished_fini(&engine->finished);
    mwi_slaves_fini(&engine->slaves);
    mwi_tasks_fini(&engine->tasks);
    mwi_effects_fini(&engine->effects);
    mwi_decoder_fini(&engine->decoder);
}

mw_error mwi_master_engine_submit(struct mwi_master_engine *engine,
                                  const struct mwi_submission *submission)
{
    struct mwi_task *task = mwi_tasks_add(&engine->tasks);
    if (task == NULL)
        return MW_ENOMEM;
    task->algorithm = submission->algorithm;
    task->tag = submission->tag;
    task->no_retry = submission->no_retry;
    task->max_attempts = submission->max_attempts;
    task->data = submission->payload.data;
    task->size = submission->payload.size;
    task->is_bytes = submission->payload.is_bytes;
    return MW_OK;
}

size_t mwi_master_engine_payload_bytes_max(const struct mwi_master_engine *engine)
{
    return engine->config.frame_write_bytes_max - 2 * MWI_MESSAGE_OVERHEAD_BYTES;
}

void mwi_master_engine_shutdown(struct mwi_master_engine *engine, int64_t now_ns)
{
    struct mwi_slave *slave;
    mwi_slaves_reap(&engine->slaves);
    engine->is_shutting_down = true;
    while ((slave = mwi_slaves_first(&engine->slaves, MWI_SLAVE_CONNECTING)) != NULL)
        turn_away(engine, slave, now_ns);
    while ((slave = mwi_slaves_first(&engine->slaves, MWI_SLAVE_IDLE)) != NULL ||
           (slave = mwi_slaves_first(&engine->slaves, MWI_SLAVE_BUSY)) != NULL) {
        tell_to_stop(engine, slave);
        audit(engine, slave, now_ns, (struct mwi_audit_record){.kind = MWI_AUDIT_TRY_SHUTDOWN});
        move_slave(engine, slave, MWI_SLAVE_SHUTTING_DOWN, now_ns);
    }
    if (!mwi_timers_start(&engine->timers, &engine->shutdown,
                          now_ns + engine->config.shutdown_timeout_ns))
        engine->effects.failed = true;
}

bool mwi_master_engine_is_over(const struct mwi_master_engine *engine)
{
    return engine->effects.failed || (engine->slaves.counts[MWI_SLAVE_SHUTTING_DOWN] == 0 &&
                                      engine->slaves.counts[MWI_SLAVE_CONNECTING] == 0);
}
