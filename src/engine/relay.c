/* SPDX-License-Identifier: Apache-2.0
 *
 * Hands on what master and child say to each other. The loop steps it in place of the slave's
 * engine; face/isolation does what it asks for. Rules:
 *
 * - A task stays in the slave's queue until the child has returned it. The child runs the tasks in
 *   their order, and each result leaves it before it begins the next task. So when it has ended, at
 *   most one task was begun and not returned: the first of the queue, if the page counts one more
 *   task begun than were returned.
 * - What the child has sent is heard before its end: its end is acted on when its connection has
 *   ended, too.
 * - If the master is lost and the slave may return, the child runs the task that it has begun to
 *   its end. To the slave's engine this task has begun, so it is out of the queue, and its result
 *   is kept. The search for a master waits for it.
 * - The child runs the user's code, which may write anywhere. So the child is trusted no more than
 *   a stranger: a message that makes no sense ends it.
 *
 * A new message that the child must get is a case in step_master, one that it sends a case in
 * take_message.
 */
#include "engine/relay.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "engine/relay_messages.h"

/* A task that is not wanted is ended when it has been the next one for this long: most end before,
 * and a new process costs more. */
#define DOOM_NS (100 * MWI_NS_PER_MS)
/* How long a child may go on with a task when its slave is to end. */
#define ENDING_NS (500 * MWI_NS_PER_MS)
/* How long a process may take to end after its connection has, and the reverse. */
#define PARTING_NS MWI_NS_PER_S
/* How many children in a row may end before they begin a task. */
#define ENDS_MAX 3
/* No order is larger. take_order leaves larger messages of the master to the slave's engine without
 * decoding them, which would take long for tasks. */
#define ORDER_BYTES_MAX 16

mw_error mwi_relay_init(struct mwi_relay *relay, struct mwi_slave_engine *slave,
                        const struct mwi_relay_page *page)
{
    *relay = (struct mwi_relay){
        .slave = slave, .page = page, .doom_ns = INT64_MAX, .patience_ns = INT64_MAX};
    return mwi_message_decoder_init(&relay->decoder) ? MW_OK : MW_ENOMEM;
}

void mwi_relay_fini(struct mwi_relay *relay)
{
    mwi_doomed_fini(&relay->doomed);
    mwi_saved_outbox_fini(&relay->saving);
    mwi_message_decoder_fini(&relay->decoder);
}

static bool is_ready(const struct mwi_relay *relay)
{
    return relay->slave->phase == MWI_PHASE_READY;
}

/* Whether the first task of the queue was begun, and is not returned. */
static bool has_begun(const struct mwi_relay *relay)
{
    return !relay->is_dismissed && atomic_load(&relay->page->begun_count) > relay->answered_count;
}

static bool is_in_task(const struct mwi_relay *relay)
{
    return atomic_load(&relay->page->begun_count) > atomic_load(&relay->page->ended_count);
}

static void kill_child(struct mwi_relay *relay, const char *why)
{
    if (!relay->has_process || relay->why_killed != NULL)
        return;
    relay->why_killed = why;
    relay->must_kill = true;
}

/* Hears no more of the child. Its process is killed if it does not end within PARTING_NS. */
static void part(struct mwi_relay *relay, int64_t now_ns)
{
    relay->phase = MWI_RELAY_PARTING;
    relay->is_connected = false;
    relay->patience_ns = mwi_time_after(now_ns, PARTING_NS);
}

static void drop_child(struct mwi_relay *relay, int64_t now_ns)
{
    if (relay->is_connected)
        mwi_effects_drop(&relay->slave->effects, relay->child);
    part(relay, now_ns);
}

/* The child has sent what no child of this library sends. */
static void break_off(struct mwi_relay *relay, int64_t now_ns)
{
    kill_child(relay, "was ended: it sent a message that makes no sense, so its memory may have "
                      "been overwritten");
    drop_child(relay, now_ns);
}

/* Looks whether the first task of the queue, which may be a new one, is to be ended. */
static void watch_first(struct mwi_relay *relay, int64_t now_ns)
{
    relay->doom_ns = INT64_MAX;
    if (relay->slave->queue.tasks_count > 0 &&
        mwi_doomed_has(&relay->doomed, mwi_task_queue_next_id(&relay->slave->queue)))
        relay->doom_ns = mwi_time_after(now_ns, DOOM_NS);
}

/* The master does not want the task. */
static void doom(struct mwi_relay *relay, uint64_t id, int64_t now_ns)
{
    if (!mwi_task_queue_has(&relay->slave->queue, id))
        return;
    if (!mwi_doomed_add(&relay->doomed, id))
        mwi_effects_fail(&relay->slave->effects, MW_ENOMEM);
    if (relay->doom_ns == INT64_MAX)
        watch_first(relay, now_ns);
}

/* Gives the child the tasks that it does not have yet, one with the bytes that it has saved. */
static void give_tasks(struct mwi_relay *relay)
{
    const struct mwi_task_queue *queue = &relay->slave->queue;
    if (relay->phase != MWI_RELAY_SERVING)
        return;
    while (relay->given_count < queue->messages_count) {
        mwi_relay_messages_send_tasks(&relay->slave->effects, relay->child,
                                      mwi_task_queue_message(queue, relay->given_count));
        relay->given_count++;
    }
}

static void welcome(struct mwi_relay *relay)
{
    const struct mwi_buffer *kept = &relay->slave->welcome;
    assert(kept->size > 0);
    mwi_relay_messages_send_copy(&relay->slave->effects, relay->child, kept);
    relay->phase = MWI_RELAY_SERVING;
    give_tasks(relay);
}

/* Sends the bytes that the first task has saved. Unless they must leave, they wait until those
 * before have left. The master takes them only of the first task whose result it lacks. */
static void send_unsent(struct mwi_relay *relay, bool must_leave, int64_t now_ns)
{
    struct mwi_slave_engine *slave = relay->slave;
    bool is_busy = mwi_saved_outbox_is_sending(&relay->saving);
    if (!mwi_saved_outbox_has_unsent(&relay->saving) || !is_ready(relay) ||
        (is_busy && !must_leave))
        return;
    mwi_results_flush(&slave->results, now_ns);
    mwi_saved_outbox_send(&relay->saving, &slave->effects, slave->peer,
                          mwi_task_queue_next_id(&relay->slave->queue));
}

/* The first task saves bytes. */
static void take_save(struct mwi_relay *relay, struct mwi_message *message,
                      const struct mwi_event *event)
{
    const unsigned char *received = event->frame->data;
    struct mwi_saved saved = {.size = message->save.size};
    unsigned char *kept;
    if (relay->given_count == 0 ||
        message->save.id != mwi_task_queue_next_id(&relay->slave->queue)) {
        break_off(relay, event->now_ns);
        return;
    }
    saved.block = mwi_block_keep(event->frame, &kept);
    if (saved.block == NULL) {
        mwi_effects_fail(&relay->slave->effects, MW_ENOMEM);
        return;
    }
    mwi_message_rebase(message, received, kept);
    saved.data = message->save.data;
    mwi_saved_outbox_put(&relay->saving, &saved);
    send_unsent(relay, false, event->now_ns);
}

/* Takes the first task out of the queue, and begins its result. */
static void take_first(struct mwi_relay *relay)
{
    struct mwi_slave_engine *slave = relay->slave;
    struct mwi_slave_task task;
    size_t before = slave->queue.messages_count;
    bool has_task = mwi_slave_engine_begin_task(slave, &task);
    assert(has_task);
    (void)has_task;
    if (slave->queue.messages_count < before && relay->given_count > 0)
        relay->given_count--;
    mwi_saved_outbox_clear(&relay->saving);
    mwi_doomed_remove(&relay->doomed, task.id);
}

static void end_first(struct mwi_relay *relay, uint64_t duration_ns, int64_t now_ns)
{
    mwi_slave_engine_end_task(relay->slave, duration_ns, now_ns);
    watch_first(relay, now_ns);
}

/* Leaves the payload of a result of the child. */
static void leave_payload(struct mwi_results *results, const struct mwi_message_item *item,
                          struct mwi_block *block)
{
    struct mwi_text text = {(const char *)item->data, item->size};
    mw_reason why;
    switch ((enum mwi_payload_form)item->form) {
    case MWI_PAYLOAD_VALUES:
        mwi_buffer_append(mwi_results_open_values(results), item->data, item->size);
        break;
    case MWI_PAYLOAD_BYTES:
        if (mwi_results_share_bytes(results, block, item->data, item->size, &why) != MW_OK)
            mwi_results_fail(results, "out of memory for the result");
        break;
    default:
        mwi_results_leave_text(results, MWI_RESULTS_FAILURE, text);
        break;
    }
}

/* Takes a result; false if it makes no sense. */
static bool take_result(struct mwi_relay *relay, const struct mwi_message_item *item,
                        struct mwi_block *block, int64_t now_ns)
{
    if (relay->given_count == 0 || item->id != mwi_task_queue_next_id(&relay->slave->queue) ||
        item->form == MWI_PAYLOAD_CRASHED || !mwi_message_is_readable(item))
        return false;
    take_first(relay);
    leave_payload(&relay->slave->results, item, block);
    relay->answered_count++;
    end_first(relay, item->duration_ns, now_ns);
    return true;
}

static void take_results(struct mwi_relay *relay, struct mwi_message *message,
                         const struct mwi_event *event)
{
    const unsigned char *received = event->frame->data;
    unsigned char *kept;
    struct mwi_block *block = mwi_block_keep(event->frame, &kept);
    if (block == NULL) {
        mwi_effects_fail(&relay->slave->effects, MW_ENOMEM);
        return;
    }
    mwi_message_rebase(message, received, kept);
    struct mwi_message_cursor cursor = {.group = &message->group};
    struct mwi_message_item item;
    bool is_sane = true;
    while (is_sane && mwi_message_next(&cursor, &item))
        is_sane = take_result(relay, &item, block, event->now_ns);
    mwi_block_unref(block);
    if (!is_sane)
        break_off(relay, event->now_ns);
}

/* The master is gone, or has told the slave to stop: so does the child hear it. The tasks that it
 * has are forgotten. A slave that looks for its master again gets another child then. */
static void end_child(struct mwi_relay *relay, int64_t now_ns)
{
    relay->doom_ns = INT64_MAX;
    mwi_doomed_clear(&relay->doomed);
    relay->is_recalled = false;
    relay->is_dismissed = true;
    mwi_saved_outbox_clear(&relay->saving);
    if (relay->phase == MWI_RELAY_SERVING && relay->slave->phase == MWI_PHASE_SHUTDOWN) {
        mwi_relay_messages_send_bare(&relay->slave->effects, relay->child, MWI_MESSAGE_SHUTDOWN);
        relay->patience_ns = mwi_time_after(now_ns, ENDING_NS);
    } else if (relay->phase == MWI_RELAY_SERVING) {
        drop_child(relay, now_ns);
        relay->patience_ns = mwi_time_after(now_ns, ENDING_NS);
    } else if (relay->phase == MWI_RELAY_GREETING) {
        kill_child(relay, "was ended");
        drop_child(relay, now_ns);
    }
}

/* Takes the result of the task that the child still runs for a master that is gone. */
static void take_orphan(struct mwi_relay *relay, struct mwi_message *message,
                        const struct mwi_event *event)
{
    struct mwi_slave_engine *slave = relay->slave;
    const unsigned char *received = event->frame->data;
    unsigned char *kept;
    struct mwi_message_item item = mwi_message_item_at(&message->group, 0, 0);
    if (item.id != slave->results.task_id || item.form == MWI_PAYLOAD_CRASHED ||
        !mwi_message_is_readable(&item)) {
        break_off(relay, event->now_ns);
        return;
    }
    struct mwi_block *block = mwi_block_keep(event->frame, &kept);
    if (block == NULL) {
        mwi_effects_fail(&slave->effects, MW_ENOMEM);
        return;
    }
    mwi_message_rebase(message, received, kept);
    item = mwi_message_item_at(&message->group, 0, 0);
    leave_payload(&slave->results, &item, block);
    mwi_slave_engine_end_task(slave, item.duration_ns, event->now_ns);
    mwi_block_unref(block);
    relay->has_orphan = false;
    end_child(relay, event->now_ns);
}

/* The child has given back its tasks, since the master wants them or this process ends. */
static void take_returned(struct mwi_relay *relay, int64_t now_ns)
{
    if (relay->is_stopping) {
        drop_child(relay, now_ns);
        return;
    }
    if (!relay->is_recalled) {
        break_off(relay, now_ns);
        return;
    }
    relay->is_recalled = false;
    relay->given_count = 0;
    mwi_doomed_clear(&relay->doomed);
    mwi_slave_engine_give_back(relay->slave, now_ns);
}

/* Takes a message of the child. */
static void take_message(struct mwi_relay *relay, struct mwi_message *message,
                         const struct mwi_event *event)
{
    bool has_greeted = relay->phase == MWI_RELAY_SERVING;
    /* SAVE, RETURNED and GOODBYE of an orphan's child are of no use: its task has left the queue,
     * and the child is ended when it has sent the result. */
    if (relay->has_orphan) {
        if (message->kind == MWI_MESSAGE_RESULTS)
            take_orphan(relay, message, event);
        return;
    }
    if (has_greeted && message->kind == MWI_MESSAGE_RESULTS)
        take_results(relay, message, event);
    else if (has_greeted && message->kind == MWI_MESSAGE_SAVE)
        take_save(relay, message, event);
    else if (has_greeted && message->kind == MWI_MESSAGE_BEGUN)
        mwi_slave_engine_tell_of_task(relay->slave);
    else if (has_greeted && message->kind == MWI_MESSAGE_RETURNED)
        take_returned(relay, event->now_ns);
    else if (has_greeted && message->kind == MWI_MESSAGE_GOODBYE)
        relay->has_left = true;
    else if (!has_greeted && message->kind == MWI_MESSAGE_HELLO)
        welcome(relay);
    else if (!has_greeted ||
             (message->kind != MWI_MESSAGE_ATTENTIVE && message->kind != MWI_MESSAGE_LEAVING))
        break_off(relay, event->now_ns);
}

/* The process and the connection of the child have both ended. */
static void bury(struct mwi_relay *relay, int64_t now_ns)
{
    struct mwi_slave_engine *slave = relay->slave;
    bool had_begun = has_begun(relay);
    if (atomic_load(&relay->page->begun_count) > 0 || relay->answered_count > 0)
        relay->ends_in_row = 0;
    else if (!relay->is_dismissed)
        relay->ends_in_row++;
    relay->phase = MWI_RELAY_ALONE;
    relay->child = 0;
    relay->given_count = 0;
    relay->patience_ns = INT64_MAX;
    if (relay->has_orphan) {
        relay->has_orphan = false;
        mwi_results_leave_text(&slave->results, MWI_RESULTS_CRASH,
                               mwi_message_text(relay->last_end.text));
        mwi_slave_engine_end_task(slave, 0, now_ns);
    }
    if (!is_ready(relay))
        return;
    if (had_begun && slave->queue.tasks_count > 0) {
        send_unsent(relay, true, now_ns);
        take_first(relay);
        mwi_results_leave_text(&slave->results, MWI_RESULTS_CRASH,
                               mwi_message_text(relay->last_end.text));
        end_first(relay, 0, now_ns);
    }
    mwi_results_flush(&slave->results, now_ns);
    if (relay->is_recalled) {
        relay->is_recalled = false;
        mwi_doomed_clear(&relay->doomed);
        mwi_slave_engine_give_back(slave, now_ns);
    }
}

static void child_down(struct mwi_relay *relay, int64_t now_ns)
{
    if (relay->phase != MWI_RELAY_PARTING)
        part(relay, now_ns);
    relay->is_connected = false;
    if (!relay->has_process)
        bury(relay, now_ns);
}

static void take_frame(struct mwi_relay *relay, const struct mwi_event *event)
{
    struct mwi_message message;
    mw_reason why;
    const mw_frame *frame = event->frame;
    if (mwi_message_fields_count(frame->data, frame->size) > MWI_MESSAGE_FIELDS_MAX ||
        mwi_message_decode(&relay->decoder, frame->data, frame->size, &message, &why) != MW_OK)
        break_off(relay, event->now_ns);
    else
        take_message(relay, &message, event);
}

static void step_child(struct mwi_relay *relay, const struct mwi_event *event)
{
    bool is_heard = relay->phase != MWI_RELAY_PARTING && (is_ready(relay) || relay->has_orphan);
    if (event->kind == MWI_EVENT_FRAME && is_heard)
        take_frame(relay, event);
    else if (event->kind == MWI_EVENT_PEER_DOWN)
        child_down(relay, event->now_ns);
}

static void take_recall(struct mwi_relay *relay, int64_t now_ns)
{
    if (relay->phase == MWI_RELAY_SERVING && !relay->has_orphan) {
        relay->is_recalled = true;
        mwi_relay_messages_send_bare(&relay->slave->effects, relay->child, MWI_MESSAGE_RECALL);
    } else if (relay->phase == MWI_RELAY_PARTING && !relay->has_orphan) {
        relay->is_recalled = true;
    } else {
        mwi_doomed_clear(&relay->doomed);
        mwi_slave_engine_give_back(relay->slave, now_ns);
    }
}

/* Takes a message of the master that is about tasks which the child has; false if it is another. */
static bool take_order(struct mwi_relay *relay, const struct mwi_event *event)
{
    struct mwi_message message;
    mw_reason why;
    const mw_frame *frame = event->frame;
    if (!is_ready(relay) || frame->size > ORDER_BYTES_MAX ||
        mwi_message_decode(&relay->decoder, frame->data, frame->size, &message, &why) != MW_OK)
        return false;
    if (message.kind == MWI_MESSAGE_RECALL)
        take_recall(relay, event->now_ns);
    else if (message.kind == MWI_MESSAGE_END_TASK)
        doom(relay, message.id, event->now_ns);
    else
        return false;
    return true;
}

/* The master is lost. If the slave may return, the task that the child has begun runs on, and the
 * child gives back those that it has not begun. */
static void keep_running(struct mwi_relay *relay)
{
    bool may_return = relay->slave->results.kept != NULL;
    if (!may_return || !is_ready(relay) || relay->phase != MWI_RELAY_SERVING ||
        relay->given_count == 0 || !has_begun(relay) || relay->is_stopping)
        return;
    take_first(relay);
    relay->has_orphan = true;
    relay->doom_ns = INT64_MAX;
    mwi_doomed_clear(&relay->doomed);
    relay->is_recalled = false;
    relay->given_count = 0;
    mwi_relay_messages_send_bare(&relay->slave->effects, relay->child, MWI_MESSAGE_RECALL);
}

static void step_master(struct mwi_relay *relay, const struct mwi_event *event)
{
    bool was_ready = is_ready(relay);
    if (event->kind == MWI_EVENT_FRAME && take_order(relay, event))
        return;
    if (event->kind == MWI_EVENT_PEER_DOWN && event->peer == relay->slave->peer)
        keep_running(relay);
    mwi_slave_engine_step(relay->slave, event);
    if (is_ready(relay))
        give_tasks(relay);
    else if (was_ready && !relay->has_orphan)
        end_child(relay, event->now_ns);
}

/* Patience with the child is over. While a slave algorithm ends, it has all the time that it needs,
 * as in a slave that is not isolated. */
static void lose_patience(struct mwi_relay *relay, int64_t now_ns)
{
    bool is_late = is_ready(relay) && !relay->has_left;
    if (relay->has_process && (relay->is_stopping || is_late || is_in_task(relay)))
        kill_child(relay, "was ended");
    else if (!relay->has_process)
        drop_child(relay, now_ns);
    relay->patience_ns = INT64_MAX;
    if (!relay->has_process)
        bury(relay, now_ns);
}

static void tick(struct mwi_relay *relay, int64_t now_ns)
{
    if (relay->has_orphan && relay->slave->phase >= MWI_PHASE_SHUTDOWN)
        kill_child(relay, "was ended");
    if (now_ns >= relay->patience_ns)
        lose_patience(relay, now_ns);
    if (now_ns < relay->doom_ns)
        return;
    relay->doom_ns = INT64_MAX;
    if (relay->phase == MWI_RELAY_SERVING && has_begun(relay))
        kill_child(relay, "was ended");
    else
        watch_first(relay, now_ns);
}

mw_error mwi_relay_step(struct mwi_relay *relay, const struct mwi_event *event)
{
    bool is_of_child = relay->child != 0 && event->peer == relay->child;
    if (event->kind != MWI_EVENT_TICK && is_of_child)
        step_child(relay, event);
    else
        step_master(relay, event);
    if (event->kind == MWI_EVENT_TICK)
        tick(relay, event->now_ns);
    return relay->slave->effects.error;
}

int64_t mwi_relay_deadline(const struct mwi_relay *relay)
{
    int64_t own_ns = mwi_time_earlier(relay->patience_ns, relay->doom_ns);
    return mwi_time_earlier(own_ns, mwi_slave_engine_deadline(relay->slave));
}

bool mwi_relay_wants_child(const struct mwi_relay *relay)
{
    return relay->phase == MWI_RELAY_ALONE && is_ready(relay) && !relay->is_stopping &&
           !relay->has_left && relay->ends_in_row <= ENDS_MAX;
}

void mwi_relay_child_started(struct mwi_relay *relay, mw_peer child)
{
    assert(mwi_relay_wants_child(relay) && child != 0);
    assert(atomic_load(&relay->page->begun_count) == 0);
    relay->phase = MWI_RELAY_GREETING;
    relay->child = child;
    relay->is_connected = true;
    relay->has_process = true;
    relay->must_kill = false;
    relay->why_killed = NULL;
    relay->answered_count = 0;
    relay->is_dismissed = false;
    relay->patience_ns = INT64_MAX;
}

void mwi_relay_cannot_start(struct mwi_relay *relay, const char *reason)
{
    relay->ends_in_row++;
    snprintf(relay->last_end.text, sizeof relay->last_end.text, "could not be started: %s", reason);
}

bool mwi_relay_pop_kill(struct mwi_relay *relay)
{
    bool must_kill = relay->must_kill;
    relay->must_kill = false;
    return must_kill;
}

void mwi_relay_child_ended(struct mwi_relay *relay, const char *how, int64_t now_ns)
{
    assert(relay->has_process);
    relay->has_process = false;
    relay->must_kill = false;
    snprintf(relay->last_end.text, sizeof relay->last_end.text, "%s",
             relay->why_killed != NULL ? relay->why_killed : how);
    if (relay->is_connected)
        relay->patience_ns = mwi_time_after(now_ns, PARTING_NS);
    else
        bury(relay, now_ns);
}

void mwi_relay_flush(struct mwi_relay *relay, int64_t now_ns)
{
    struct mwi_results *results = &relay->slave->results;
    if (results->count > 0 && results->master.group == 0 && !relay->has_orphan)
        mwi_results_flush(results, now_ns);
    send_unsent(relay, false, now_ns);
}

void mwi_relay_stop(struct mwi_relay *relay, int64_t now_ns)
{
    if (relay->is_stopping)
        return;
    relay->is_stopping = true;
    if (is_ready(relay))
        mwi_relay_messages_send_leaving(&relay->slave->effects, relay->slave->peer);
    relay->patience_ns = mwi_time_after(now_ns, ENDING_NS);
    if (relay->phase == MWI_RELAY_SERVING && is_ready(relay))
        mwi_relay_messages_send_bare(&relay->slave->effects, relay->child, MWI_MESSAGE_RECALL);
    else
        kill_child(relay, "was ended");
}

bool mwi_relay_is_over(const struct mwi_relay *relay)
{
    const struct mwi_slave_engine *slave = relay->slave;
    bool is_searching = slave->is_returning && slave->phase < MWI_PHASE_READY;
    return relay->phase == MWI_RELAY_ALONE && !mwi_relay_wants_child(relay) &&
           (!is_searching || relay->is_stopping || relay->has_left);
}

bool mwi_relay_has_given_up(const struct mwi_relay *relay, mw_reason *why)
{
    if (relay->ends_in_row <= ENDS_MAX || relay->has_left || !is_ready(relay))
        return false;
    snprintf(why->text, sizeof why->text,
             "the process for tasks ended %d times in a row before it began one; the last %.300s",
             ENDS_MAX + 1, relay->last_end.text);
    return true;
}
