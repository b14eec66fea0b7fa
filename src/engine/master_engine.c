/* SPDX-License-Identifier: Apache-2.0
 *
 * The step of the master's engine. The loop calls it for each event of a transport and at each
 * turn. Each kind of event has one function below. Timers fire in ticks alone. Every step ends with
 * dispatch, which sends waiting tasks.
 *
 * Invariants: a step runs to its end and calls nothing above the engine; it leaves effects instead,
 * which the loop carries out. Nothing that a peer sends may fail an assertion: a bad message drops
 * the peer.
 *
 * A new message is a kind in wire/message.h, with a check of its fields in message.c, and a case in
 * take_message. A new timer is a purpose in master_state.h and a case in fire_timers.
 */
#include "engine/master_engine.h"

#include <stdio.h>

#include "base/time.h"
#include "engine/dispatch.h"
#include "engine/journaling.h"
#include "engine/lifecycle.h"
#include "engine/membership.h"
#include "engine/misfits.h"
#include "engine/offers.h"
#include "engine/outgoing.h"
#include "engine/probation.h"
#include "engine/receipts.h"
#include "engine/speculation.h"
#include "engine/strangers.h"
#include "engine/task_ends.h"
#include "engine/withheld.h"

/* A greeting may be this large: a later version may add fields. */
#define GREETING_BYTES_MAX 4096
#define GREETING_FIELDS_MAX 16
#define OVERDUE_NS MWI_NS_PER_S
/* The trail tells that slaves waited for the master when they did so for TELL_NS in all, and not
 * again for TELL_PAUSE_NS. */
#define TELL_NS MWI_NS_PER_S
#define TELL_PAUSE_NS (60 * MWI_NS_PER_S)

static void peer_up(struct mwi_master_engine *engine, const struct mwi_event *event)
{
    struct mwi_slave_entry *slave =
        mwi_slaves_add(&engine->slaves, event->peer, event->transport, event->name);
    if (slave == NULL || !mwi_master_state_start_timer(engine, &slave->quiet, MWI_TIMER_QUIET,
                                                       engine->config.client_timeout_ns)) {
        mwi_effects_drop(&engine->effects, event->peer);
        mwi_effects_lost(&engine->effects, event->peer, false, MW_LOSS_CONNECTION);
        if (slave != NULL)
            mwi_slaves_lose(&engine->slaves, slave, MW_LOSS_CONNECTION);
        return;
    }
    mwi_strangers_come(engine, slave);
    if (engine->is_shutting_down)
        mwi_membership_turn_away(engine, slave);
}

static void peer_down(struct mwi_master_engine *engine, const struct mwi_event *event)
{
    struct mwi_slave_entry *slave = mwi_slaves_find(&engine->slaves, event->peer);
    if (slave != NULL)
        mwi_membership_lose(engine, slave, event->reason, event->is_process_end);
    else
        mwi_effects_lost(&engine->effects, event->peer, false, MW_LOSS_CONNECTION);
}

/* How long the tasks of a message ran, as the slave says. */
static int64_t message_ns(const struct mwi_message *message)
{
    int64_t total_ns = 0;
    for (size_t i = 0; i < message->group.count; i++) {
        uint64_t duration_ns = mwi_column_at(&message->group.durations, i);
        if (duration_ns > (uint64_t)(INT64_MAX - total_ns))
            return INT64_MAX;
        total_ns += (int64_t)duration_ns;
    }
    return total_ns;
}

/* A message of results that is being taken. */
struct taking {
    const struct mwi_message *message;
    struct mwi_block *block; /* with the frame's bytes */
    uint64_t failed_count;
    uint64_t ran_ns; /* how long the tasks ran together */
    bool is_proof;   /* one of the results tells that the slave can run tasks */
    const char *why; /* the first result that was not taken is bad */
};

/* The process in which an isolated slave ran the task has ended. */
static bool take_crash(struct mwi_master_engine *engine, struct mwi_copy *copy,
                       struct taking *taking, const struct mwi_message_item *item)
{
    struct mwi_text how = {(const char *)item->data, item->size};
    if (!copy->slave->is_isolated) {
        taking->why = "it said that the process of a task has ended, and is not isolated";
        return false;
    }
    mwi_membership_take_crash(engine, copy, mwi_outgoing_note_text(engine, how));
    return engine->effects.error == MW_OK;
}

/* Takes one result; false if it is bad. */
static bool take_item(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                      struct taking *taking, struct mwi_message_item *item)
{
    struct mwi_copy *copy = mwi_copies_find(&engine->copies, &engine->tasks, slave, item->id);
    if (copy == NULL && mwi_tasks_take_failure(&engine->tasks)) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return false;
    }
    if (copy == NULL) {
        taking->why = "it sent a result of a task that it does not have";
        return false;
    }
    if (!mwi_message_is_readable(item)) {
        taking->why = "it sent a result whose values are not msgpack";
        return false;
    }
    /* A task cannot have run for longer than the slave has had it. */
    uint64_t had_ns = (uint64_t)(engine->now_ns - copy->sent_ns);
    if (item->duration_ns > had_ns)
        item->duration_ns = had_ns;
    taking->ran_ns += item->duration_ns;
    if (item->form == MWI_PAYLOAD_CRASHED)
        return take_crash(engine, copy, taking, item);
    taking->is_proof = true;
    if (item->form != MWI_PAYLOAD_FAILED)
        return mwi_task_ends_finish_copy(engine, copy, taking->block, item);
    taking->failed_count++;
    return mwi_task_ends_finish_failed(engine, copy, taking->block, item);
}

/* Takes results until one is bad; returns how many were good. */
static size_t take_items(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         struct taking *taking)
{
    struct mwi_message_cursor cursor = {.group = &taking->message->group};
    bool is_told = mwi_effects_wants(&engine->effects, MWI_AUDIT_TASK_ENDED);
    struct mwi_message_item item;
    size_t taken_count = 0;
    while (engine->effects.error == MW_OK) {
        struct mwi_copy *first = is_told ? NULL : mwi_copies_first(slave);
        uint32_t count = 0;
        if (first != NULL && first->task == NULL)
            count =
                mwi_task_ends_finish_range(engine, first, taking->block, &cursor, &taking->ran_ns);
        taking->is_proof = taking->is_proof || count > 0;
        if (count == 0 && engine->effects.error == MW_OK && mwi_message_next(&cursor, &item))
            count = take_item(engine, slave, taking, &item);
        if (count == 0)
            break;
        taken_count += count;
    }
    return taken_count;
}

static void take_results(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         struct mwi_message *message, const struct mwi_event *event)
{
    struct taking taking = {.message = message, .why = mw_error_text(MW_ENOMEM)};
    const unsigned char *received = event->frame->data;
    unsigned char *kept;
    if (message->group.count > slave->load.tasks_count) {
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL,
                            "it sent more results than it has tasks");
        return;
    }
    taking.block = mwi_block_keep(event->frame, &kept);
    if (taking.block == NULL) {
        mwi_membership_drop(engine, slave, MW_LOSS_CONNECTION, "the master is out of memory");
        return;
    }
    mwi_message_rebase(message, received, kept);
    if (mwi_effects_wants(&engine->effects, MWI_AUDIT_TASK_ENDED))
        engine->later_ns = message_ns(message);
    size_t taken_count = take_items(engine, slave, &taking);
    slave->working_since_ns = mwi_master_state_looked(engine);
    if (slave->load.sent_ns != 0)
        mwi_load_measure_trip(&slave->load, engine->now_ns,
                              taking.ran_ns < INT64_MAX ? (int64_t)taking.ran_ns : INT64_MAX);
    mwi_block_unref(taking.block);
    MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_RESULTS_RECEIVED, .count = taken_count,
                       .failed = taking.failed_count);
    if (taking.is_proof && !slave->is_proven)
        mwi_probation_pass(engine, slave);
    if (taken_count > 0 && slave->may_return)
        mwi_receipts_note(engine, slave, taken_count);
    if (taken_count < message->group.count)
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL, taking.why);
    else if (slave->load.tasks_count == 0 && slave->state == MWI_SLAVE_BUSY)
        mwi_membership_make_idle(engine, slave);
    else
        mwi_dispatch_note_room(engine, slave);
}

/* Keeps the bytes that a task saves for its next attempt. The task must be the one that the slave
 * runs: a slave then makes the master keep one such frame at most, and not one for each of its
 * tasks. */
static void take_save(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                      struct mwi_message *message, const struct mwi_event *event)
{
    const struct mwi_copy *copy = mwi_copies_first(slave);
    if (copy == NULL || mwi_copies_id(copy) != message->save.id) {
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL,
                            "it saved bytes for a task that it does not run");
        return;
    }
    copy = mwi_copies_find(&engine->copies, &engine->tasks, slave, message->save.id);
    if (copy == NULL) {
        (void)mwi_tasks_take_failure(&engine->tasks);
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return;
    }
    if (copy->task->state != MWI_TASK_RUNNING)
        return;
    const unsigned char *received = event->frame->data;
    unsigned char *kept;
    struct mwi_saved saved = {mwi_block_keep(event->frame, &kept), NULL, message->save.size};
    if (saved.block != NULL) {
        mwi_message_rebase(message, received, kept);
        saved.data = message->save.data;
    }
    if (engine->journal != NULL && saved.block != NULL)
        mwi_journaling_note_saved(engine, copy->task, saved.data, saved.size);
    if (saved.block == NULL || !mwi_savings_set(&engine->tasks.savings, message->save.id, &saved))
        mwi_membership_drop(engine, slave, MW_LOSS_CONNECTION, "the master is out of memory");
    else
        MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_TASK_SAVED, .task = message->save.id,
                           .algorithm = mwi_outgoing_algorithm_name(engine, copy->task),
                           .count = message->save.size);
    mwi_block_unref(saved.block);
}

static void take_goodbye(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         const struct mwi_message *message)
{
    const char *reason = mwi_outgoing_note_text(engine, message->reason);
    MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_SLAVE_GOODBYE, .reason = reason);
    mwi_effects_drop(&engine->effects, slave->peer);
    mwi_membership_part(engine, slave, MW_LOSS_GOODBYE, reason);
}

/* Why a frame is not even decoded, which could cost much more memory than its bytes; NULL if an
 * honest slave may have sent it. */
static const char *why_excessive(const struct mwi_slave_entry *slave, const mw_frame *frame)
{
    if (slave->state == MWI_SLAVE_CONNECTING && frame->size > GREETING_BYTES_MAX)
        return "its first message is larger than a greeting can be";
    if (mwi_message_fields_count(frame->data, frame->size) > GREETING_FIELDS_MAX)
        return "its message has more fields than a slave's messages have";
    return NULL;
}

static void take_message(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         struct mwi_message *message, const struct mwi_event *event)
{
    bool is_greeted = slave->state != MWI_SLAVE_CONNECTING;
    if (!is_greeted || message->kind == MWI_MESSAGE_HELLO)
        mwi_membership_greet(engine, slave, message);
    else if (message->kind == MWI_MESSAGE_RESULTS)
        take_results(engine, slave, message, event);
    else if (message->kind == MWI_MESSAGE_ATTENTIVE)
        mwi_membership_take_attentive(engine, slave);
    else if (message->kind == MWI_MESSAGE_PONG)
        slave->is_pinged = false;
    else if (message->kind == MWI_MESSAGE_BEGUN)
        mwi_membership_take_begun(engine, slave, message->id);
    else if (message->kind == MWI_MESSAGE_SAVE)
        take_save(engine, slave, message, event);
    else if (message->kind == MWI_MESSAGE_LEAVING)
        mwi_membership_take_leaving(engine, slave, mwi_outgoing_note_text(engine, message->reason));
    else if (message->kind == MWI_MESSAGE_RETURNED)
        mwi_membership_take_returned(engine, slave);
    else if (message->kind == MWI_MESSAGE_OFFER)
        mwi_offers_take(engine, slave, message, event);
    else if (message->kind == MWI_MESSAGE_RUNNING)
        mwi_offers_take_running(engine, slave, &message->running);
    else if (message->kind == MWI_MESSAGE_OFFERED)
        mwi_offers_end(engine, slave);
    else if (message->kind == MWI_MESSAGE_GOODBYE)
        take_goodbye(engine, slave, message);
    else
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL,
                            "it sent a message that only a master sends");
}

static void take_frame(struct mwi_master_engine *engine, const struct mwi_event *event)
{
    struct mwi_message message;
    mw_reason why;
    struct mwi_slave_entry *slave = mwi_slaves_find(&engine->slaves, event->peer);
    if (slave == NULL)
        return;
    slave->heard_ns = engine->now_ns;
    mwi_stats_received(&slave->traffic, event->frame->size);
    mwi_stats_received(&engine->traffic, event->frame->size);
    const char *excess = why_excessive(slave, event->frame);
    if (excess != NULL) {
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL, excess);
        return;
    }
    mw_error error = mwi_message_decode(&engine->decoder, event->frame->data, event->frame->size,
                                        &message, &why);
    if (error != MW_OK) {
        mwi_membership_drop(
            engine, slave, MW_LOSS_PROTOCOL,
            mwi_outgoing_note(engine, "%.150s",
                              error == MW_EPROTOCOL ? why.text : mw_error_text(error)));
        return;
    }
    take_message(engine, slave, &message, event);
}

/* A timer fires only when all messages that had arrived have been read. While messages arrive
 * without a pause, a timer waits for OVERDUE_NS: those that had arrived when it was due have been
 * read by then. */
static void fire_timers(struct mwi_master_engine *engine, bool is_caught_up)
{
    struct mwi_timer_entry *timer;
    int64_t due_ns = mwi_master_state_looked(engine) - (is_caught_up ? 0 : OVERDUE_NS);
    while ((timer = mwi_timers_due(&engine->timers, due_ns)) != NULL) {
        switch ((enum mwi_master_state_timer)timer->kind) {
        case MWI_TIMER_SHUTDOWN:
            mwi_membership_drop_stragglers(engine);
            break;
        case MWI_TIMER_QUIET:
            mwi_membership_check_silence(engine,
                                         MWI_LIST_ENTRY(timer, struct mwi_slave_entry, quiet));
            break;
        case MWI_TIMER_LIMIT:
            mwi_membership_end_overrun(engine,
                                       MWI_LIST_ENTRY(timer, struct mwi_slave_entry, limit));
            break;
        case MWI_TIMER_HOST:
            mwi_probation_try_next(engine, MWI_LIST_ENTRY(timer, struct mwi_host_entry, timer));
            break;
        case MWI_TIMER_FIT:
            mwi_misfits_end_part(engine);
            break;
        case MWI_TIMER_STRANGERS:
            mwi_strangers_sum_up(engine);
            break;
        case MWI_TIMER_SPECULATION:
            mwi_speculation_look(engine);
            break;
        case MWI_TIMER_OFFERS:
            mwi_offers_match(engine);
            break;
        case MWI_TIMER_LATE:
            engine->is_late_over = true;
            mwi_policies_end_lateness(&engine->tasks.policies, &engine->tasks.pool);
            break;
        }
    }
}

static void tick(struct mwi_master_engine *engine, const struct mwi_event *event)
{
    engine->away_ns += event->away_ns;
    engine->gap_ns = event->is_caught_up ? 0 : engine->gap_ns + event->away_ns;
    if (engine->has_late && !engine->is_late_over && !mwi_timers_is_running(&engine->late_timer) &&
        !mwi_master_state_start_timer(engine, &engine->late_timer, MWI_TIMER_LATE,
                                      engine->config.reconnect_ns))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
    mwi_receipts_tell_durable(engine);
    mwi_membership_send_withheld(engine);
    fire_timers(engine, event->is_caught_up);
}

/* A slave spoke or came while nobody looked. */
static void tell_of_gap(struct mwi_master_engine *engine)
{
    engine->unheard_ns += engine->gap_ns;
    engine->gap_ns = 0;
    if (engine->unheard_ns < TELL_NS || engine->now_ns < engine->may_tell_ns)
        return;
    MWI_OUTGOING_AUDIT(engine, NULL, .kind = MWI_AUDIT_MASTER_AWAY,
                       .count = (uint64_t)(engine->unheard_ns / MWI_NS_PER_MS));
    engine->unheard_ns = 0;
    engine->may_tell_ns = engine->now_ns + TELL_PAUSE_NS;
}

mw_error mwi_master_engine_step(struct mwi_master_engine *engine, const struct mwi_event *event)
{
    mwi_slaves_reap(&engine->slaves);
    mwi_hosts_reap(&engine->hosts);
    msgpack_zone_clear(&engine->decoder.zone);
    mwi_master_state_set_time(engine, event->now_ns);
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
        tick(engine, event);
        break;
    case MWI_EVENT_STRANGER:
        mwi_strangers_turned_away(engine, event);
        break;
    }
    if (engine->gap_ns > 0 && event->kind != MWI_EVENT_TICK)
        tell_of_gap(engine);
    mwi_dispatch_all(engine);
    mwi_speculation_consider(engine);
    return engine->effects.error;
}

int64_t mwi_master_engine_deadline(const struct mwi_master_engine *engine)
{
    bool can_send = mwi_dispatch_has_work(engine);
    return can_send ? INT64_MIN
                    : mwi_time_after(mwi_timers_deadline(&engine->timers), engine->away_ns);
}

mw_error mwi_master_engine_init(struct mwi_master_engine *engine,
                                const struct mwi_master_engine_config *config)
{
    size_t count = 0;
    while (config->algorithms[count].name != NULL)
        count++;
    if (count > MWI_MESSAGE_ALGORITHMS_MAX)
        return MW_EINVAL;
    *engine = (struct mwi_master_engine){.config = *config, .algorithms_count = (uint16_t)count};
    if (!mwi_message_decoder_init(&engine->decoder))
        return MW_ENOMEM;
    mwi_effects_init(&engine->effects);
    mwi_slaves_init(&engine->slaves);
    mwi_finished_init(&engine->finished);
    mwi_timers_init(&engine->timers);
    mwi_list_init(&engine->unconfirmed);
    mwi_list_init(&engine->withheld);
    mwi_sid_queue_init(&engine->connected);
    mwi_sid_queue_init(&engine->disconnected);
    bool has_tasks = mwi_tasks_init(&engine->tasks, count);
    bool has_targets = mwi_targets_init(&engine->targets, count);
    bool has_pace = mwi_pace_init(&engine->pace, count);
    bool has_durations = mwi_durations_init(&engine->durations, count);
    if (has_tasks && has_targets && has_pace && has_durations)
        return MW_OK;
    mwi_master_engine_fini(engine);
    return MW_ENOMEM;
}

void mwi_master_engine_fini(struct mwi_master_engine *engine)
{
    mwi_pace_fini(&engine->pace);
    mwi_durations_fini(&engine->durations);
    mwi_targets_fini(&engine->targets);
    mwi_sid_queue_fini(&engine->connected);
    mwi_sid_queue_fini(&engine->disconnected);
    mwi_timers_fini(&engine->timers);
    mwi_finished_fini(&engine->finished);
    mwi_withheld_fini(engine);
    mwi_slaves_fini(&engine->slaves);
    mwi_hosts_fini(&engine->hosts);
    mwi_copies_fini(&engine->copies);
    mwi_offers_fini(&engine->offers);
    mwi_spares_fini(&engine->spares);
    mwi_tasks_fini(&engine->tasks);
    mwi_effects_fini(&engine->effects);
    mwi_message_decoder_fini(&engine->decoder);
}
