/* SPDX-License-Identifier: Apache-2.0
 *
 * Moves tasks between the stores. membership calls it for lost slaves, and the public functions of
 * the master for submitting, cancelling and taking. How tasks end is task_ends.c.
 *
 * Invariants: every task that was submitted ends exactly once, as a result, as unrunnable or as
 * cancelled. The rules for a lost task are those of mw_policy, asked in the order in which CL-MW,
 * mw's predecessor, asks them. They are for tasks with entries: tasks of a batch are taken out
 * first.
 *
 * A new rule that makes a lost task unrunnable goes into why_unrunnable.
 */
#include "engine/lifecycle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/outgoing.h"
#include "engine/probation.h"

/* A task is lost at most this often for each attempt that its policy allows. */
#define LOSSES_PER_ATTEMPT 3

/* The task becomes unrunnable. Its history, which the user is told, ends with the reason. */
static void give_up_task(struct mwi_master_engine *engine, struct mwi_task_entry *task,
                         const char *reason)
{
    mwi_losses_add_history(&engine->tasks.losses, task->id, reason);
    mwi_outgoing_audit_end(engine, task, &(struct mwi_outgoing_end){.outcome = "unrunnable"});
    mwi_tasks_move(&engine->tasks, task, MWI_TASK_UNRUNNABLE, NULL);
    mwi_outgoing_audit_task(engine, MWI_AUDIT_TASK_UNRUNNABLE, NULL, task,
                            mwi_losses_history(&engine->tasks.losses, task->id));
}

/* Why a task whose slave is lost, or takes no ordered tasks any more, cannot be run again; NULL if
 * it can. CL-MW's order: retry is asked before do-it-anyway. */
static const char *why_unrunnable(struct mwi_master_engine *engine,
                                  const struct mwi_task_entry *task, bool is_attempt)
{
    const struct mwi_task_policy *policy = mwi_tasks_policy(&engine->tasks, task);
    if (is_attempt && !policy->is_retried)
        return "its policy allows no retry";
    if (is_attempt && task->attempts >= policy->max_attempts)
        return mwi_outgoing_note(engine, "its policy allows %u attempts", policy->max_attempts);
    if (is_attempt && mwi_losses_count(&engine->tasks.losses, task->id) >=
                          LOSSES_PER_ATTEMPT * (unsigned)policy->max_attempts)
        return mwi_outgoing_note(engine, "its policy allows %u attempts, and %u losses at one host",
                                 policy->max_attempts, LOSSES_PER_ATTEMPT * policy->max_attempts);
    bool is_kept = engine->is_stopping && !is_attempt;
    if (policy->sid != MWI_NO_SID && !policy->is_done_anyway && !is_kept)
        return mwi_outgoing_note(engine, "its policy allows no other slave than SLAVE-%u",
                                 (unsigned)policy->sid);
    return NULL;
}

/* Counts the loss of a task with its slave, and counts it as an attempt unless another host can be
 * asked first, or the loss was to be expected of the slave. */
static void count_loss(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave,
                       struct mwi_task_entry *task)
{
    struct mwi_losses *losses = &engine->tasks.losses;
    bool is_first_there = mwi_losses_add(losses, task->id, slave->host, slave->is_proven);
    bool has_other_hosts =
        engine->hosts.connected_count > mwi_losses_hosts_connected(losses, task->id);
    if (!(has_other_hosts && !is_first_there) && !mwi_probation_excuses(engine, slave))
        task->attempts++;
}

/* Counts the loss with `slave`, if it is one of the task, and says why a task that has come back
 * cannot be run again; NULL if it can, or if its result is not wanted any more. */
static const char *verdict_of(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave,
                              struct mwi_task_entry *task, bool is_attempt, const char *fate)
{
    if (task->state == MWI_TASK_CANCELLED)
        return NULL;
    if (is_attempt) {
        count_loss(engine, slave, task);
        mwi_losses_add_history(&engine->tasks.losses, task->id, fate);
    }
    return why_unrunnable(engine, task, is_attempt);
}

/* A task that has come back ends: it is forgotten if it was cancelled, else given up. */
static void end_returned(struct mwi_master_engine *engine, struct mwi_task_entry *task,
                         const char *verdict)
{
    if (task->state == MWI_TASK_CANCELLED)
        mwi_tasks_move(&engine->tasks, task, MWI_TASK_FREE, NULL);
    else
        give_up_task(engine, task, verdict);
}

/* Puts a task at the front of the pool. Tasks of a list are put there from the last to the
 * first. */
static void requeue(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave,
                    struct mwi_task_entry *task, const char *reason)
{
    mwi_tasks_move(&engine->tasks, task, MWI_TASK_WAITING, NULL);
    mwi_outgoing_audit_task(engine, MWI_AUDIT_TASK_REQUEUED, slave, task, reason);
}

void mwi_lifecycle_return_ordered(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                                  const char *reason)
{
    struct mwi_list *list = &slave->ordered;
    for (struct mwi_list *link = list->next, *next; link != list; link = next) {
        struct mwi_task_entry *task = mwi_tasks_of_link(link);
        next = link->next;
        const char *verdict = verdict_of(engine, slave, task, false, NULL);
        if (verdict != NULL)
            give_up_task(engine, task, verdict);
    }
    while (!mwi_list_is_empty(list))
        requeue(engine, slave, mwi_tasks_of_link(list->prev), reason);
}

/* Decides about one copy of a slave that is gone, or at which an attempt has failed. Returns
 * whether its task is to be run again: exactly then the copy stays in the slave's list. A task that
 * another slave has, too, goes on there. */
static bool judge_copy(struct mwi_master_engine *engine, struct mwi_copy *copy, bool is_attempt,
                       const char *fate)
{
    struct mwi_task_entry *task = copy->task;
    bool is_elsewhere = task->copies != copy || copy->next_of_task != NULL;
    if (is_elsewhere) {
        mwi_copies_remove(&engine->copies, copy);
        return false;
    }
    const char *verdict = verdict_of(engine, copy->slave, task, is_attempt, fate);
    if (task->state == MWI_TASK_RUNNING && verdict == NULL)
        return true;
    mwi_copies_remove(&engine->copies, copy);
    end_returned(engine, task, verdict);
    return false;
}

void mwi_lifecycle_crash(struct mwi_master_engine *engine, struct mwi_copy *copy,
                         const char *reason, const char *fate)
{
    struct mwi_task_entry *task = copy->task;
    struct mwi_slave_entry *slave = copy->slave;
    /* That a slave was asked to end costs no attempt, but the task was begun. */
    bool is_attempt = !slave->is_leaving || !mwi_tasks_policy(&engine->tasks, task)->is_retried;
    mwi_load_remove(&slave->load, 1, task->size + MWI_MESSAGE_OVERHEAD_BYTES,
                    mwi_pace_of(&engine->pace, task->algorithm));
    task->is_suspect = true;
    if (!judge_copy(engine, copy, is_attempt, fate))
        return;
    mwi_copies_remove(&engine->copies, copy);
    requeue(engine, slave, task, reason);
}

void mwi_lifecycle_return_copies(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                                 enum mwi_lifecycle_return how, const char *reason,
                                 const char *fate)
{
    struct mwi_list *list = &slave->copies;
    if (!mwi_copies_take_all_out(&engine->copies, &engine->tasks, slave)) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return;
    }
    bool is_loss = how == MWI_RETURN_LOST && slave->has_started;
    /* With groups by time, nobody knows which of several tasks was begun: the first may be done and
     * its result unsent. The one that brought the slave down shows when each is sent alone. */
    bool is_attempt = is_loss && (engine->config.task_group > 0 || list->next == list->prev);
    for (struct mwi_list *link = list->next, *next; link != list; link = next) {
        struct mwi_copy *copy = mwi_copies_of_link(link);
        next = link->next;
        copy->task->is_suspect = copy->task->is_suspect || is_loss;
        /* The word that the slave has begun may have been lost with it. */
        bool may_have_run = how != MWI_RETURN_GIVEN_BACK &&
                            !mwi_tasks_policy(&engine->tasks, copy->task)->is_retried;
        judge_copy(engine, copy, is_attempt || may_have_run, fate);
    }
    while (!mwi_list_is_empty(list)) {
        struct mwi_copy *copy = mwi_copies_of_link(list->prev);
        struct mwi_task_entry *task = copy->task;
        mwi_copies_remove(&engine->copies, copy);
        requeue(engine, slave, task, reason);
    }
}

void mwi_lifecycle_unbind_task(struct mwi_master_engine *engine,
                               const struct mwi_slave_entry *slave, struct mwi_task_entry *task,
                               const char *reason)
{
    assert(task->state == MWI_TASK_ORDERED);
    requeue(engine, slave, task, reason);
}

/* An ordered task whose slave is not there, or takes none, is treated at once as if it had been
 * lost before the task was sent. */
static void place_task(struct mwi_master_engine *engine, struct mwi_task_entry *task)
{
    const struct mwi_task_policy *policy = mwi_tasks_policy(&engine->tasks, task);
    unsigned sid = (unsigned)policy->sid;
    struct mwi_slave_entry *slave = mwi_slaves_by_sid(&engine->slaves, policy->sid);
    if (mwi_slaves_takes_ordered(slave)) {
        task->sid = slave->sid;
        mwi_tasks_move(&engine->tasks, task, MWI_TASK_ORDERED, &slave->ordered);
        mwi_slaves_update(&engine->slaves, slave);
    } else if (policy->sid == MWI_NO_SID || policy->is_done_anyway || engine->is_stopping) {
        mwi_tasks_move(&engine->tasks, task, MWI_TASK_WAITING, NULL);
    } else if (slave == NULL) {
        give_up_task(
            engine, task,
            mwi_outgoing_note(engine, "there is no SLAVE-%u, and its policy allows no other", sid));
    } else {
        give_up_task(engine, task,
                     mwi_outgoing_note(
                         engine,
                         "SLAVE-%u takes no ordered tasks, and its policy allows no other slave",
                         sid));
    }
}

/* Makes an entry for a task, in state FREE. Its arguments are copied if they are borrowed, and
 * taken if not. NULL out of memory, with nothing taken. */
static struct mwi_task_entry *add_entry(struct mwi_master_engine *engine,
                                        const struct mwi_lifecycle_task *submission)
{
    size_t size = submission->payload.size;
    unsigned char *copy = NULL;
    if (submission->is_borrowed) {
        copy = malloc(size == 0 ? 1 : size);
        if (copy == NULL)
            return NULL;
        if (size > 0)
            memcpy(copy, submission->payload.data, size);
    }
    struct mwi_task_entry *task = mwi_tasks_add(&engine->tasks, &submission->policy);
    if (task == NULL) {
        free(copy);
        return NULL;
    }
    task->algorithm = submission->algorithm;
    task->has_tag_bytes = submission->tag_bytes != NULL;
    if (task->has_tag_bytes)
        task->tag_bytes = submission->tag_bytes;
    else
        task->tag = submission->tag;
    task->data = submission->is_borrowed ? copy : submission->payload.data;
    task->size = size;
    task->is_bytes = submission->payload.is_bytes;
    return task;
}

/* Enters a task that has an entry of its own. */
static mw_error submit_entry(struct mwi_master_engine *engine,
                             const struct mwi_lifecycle_task *submission)
{
    struct mwi_task_entry *task = add_entry(engine, submission);
    if (task == NULL)
        return MW_ENOMEM;
    place_task(engine, task);
    return MW_OK;
}

mw_error mwi_lifecycle_submit_unrunnable(struct mwi_master_engine *engine,
                                         const struct mwi_lifecycle_task *submission,
                                         const char *history, size_t history_size, uint64_t *id)
{
    struct mwi_task_entry *task = add_entry(engine, submission);
    if (task == NULL)
        return MW_ENOMEM;
    char *text = strndup(history, history_size);
    if (text != NULL)
        mwi_losses_add_history(&engine->tasks.losses, task->id, text);
    free(text);
    mwi_tasks_move(&engine->tasks, task, MWI_TASK_UNRUNNABLE, NULL);
    *id = task->id;
    return MW_OK;
}

/* Enters an ordinary task. */
static mw_error append(struct mwi_master_engine *engine,
                       const struct mwi_lifecycle_task *submission)
{
    const struct mwi_payload *payload = &submission->payload;
    const struct mwi_batch_task task = {
        .tag = submission->tag, .algorithm = submission->algorithm, .is_bytes = payload->is_bytes};
    if (!mwi_tasks_append(&engine->tasks, &submission->policy, &task, payload->data, payload->size))
        return MW_ENOMEM;
    engine->tasks.batches.open->is_usual = submission->is_usual;
    if (!submission->is_borrowed)
        free(payload->data);
    return MW_OK;
}

mw_error mwi_lifecycle_submit(struct mwi_master_engine *engine,
                              const struct mwi_lifecycle_task *submission, uint64_t *id)
{
    const size_t *counts = engine->tasks.counts;
    if (mwi_tasks_waiting_count(&engine->tasks) + counts[MWI_TASK_ORDERED] +
            counts[MWI_TASK_RUNNING] ==
        0)
        engine->ended_count = 0;
    mw_error error;
    if (submission->tag_bytes == NULL &&
        mwi_tasks_is_ordinary(&submission->policy, submission->payload.size))
        error = append(engine, submission);
    else
        error = submit_entry(engine, submission);
    if (error != MW_OK)
        return error;
    *id = engine->tasks.last_id;
    engine->speculation.is_wanted |= submission->policy.is_speculated;
    return MW_OK;
}

mw_error mwi_lifecycle_submit_replayed(struct mwi_master_engine *engine,
                                       const struct mwi_lifecycle_task *submission,
                                       struct mwi_block *block, const struct mwi_message_item *item,
                                       uint64_t *id)
{
    struct mwi_tasks *tasks = &engine->tasks;
    struct mwi_finished finished = {.task = tasks->last_id + 1,
                                    .block = block,
                                    .payload = mwi_message_payload(item),
                                    .duration_ns = item->duration_ns,
                                    .sid = MWI_NO_SID,
                                    .algorithm = submission->algorithm,
                                    .is_failed = item->form == MWI_PAYLOAD_FAILED,
                                    .is_replayed = true,
                                    .has_tag_bytes = submission->tag_bytes != NULL};
    if (finished.has_tag_bytes)
        finished.tag_bytes = submission->tag_bytes;
    else
        finished.tag = submission->tag;
    if (!mwi_finished_push(&engine->finished, &finished))
        return MW_ENOMEM;
    mwi_block_ref(block);
    if (!submission->is_borrowed)
        free(submission->payload.data);
    if (tasks->batches.open != NULL)
        mwi_tasks_close_batch(tasks);
    *id = ++tasks->last_id;
    mwi_tasks_note_replayed(tasks, submission->algorithm, !finished.is_failed);
    return MW_OK;
}

/* Cancels a task that has an entry. */
static mw_error cancel_entry(struct mwi_master_engine *engine, struct mwi_task_entry *task)
{
    if (task->state == MWI_TASK_CANCELLED || task->state == MWI_TASK_UNRUNNABLE)
        return MW_ESTATE;
    bool is_ordered = task->state == MWI_TASK_ORDERED;
    bool is_at_slaves = task->state == MWI_TASK_RUNNING;
    uint32_t sid = task->sid;
    mwi_outgoing_audit_task(engine, MWI_AUDIT_TASK_CANCELLED, NULL, task, NULL);
    mwi_outgoing_audit_end(
        engine, task,
        &(struct mwi_outgoing_end){.outcome = "cancelled",
                                   .copy = task->state == MWI_TASK_RUNNING ? task->copies : NULL});
    mwi_tasks_cancel(&engine->tasks, task);
    if (is_at_slaves)
        mwi_outgoing_end_task(engine, task);
    if (is_ordered)
        mwi_slaves_update(&engine->slaves, mwi_slaves_by_sid(&engine->slaves, sid));
    return MW_OK;
}

/* Cancels a task of a batch. One that waits needs no entry, unless the trail tells of it. */
static mw_error cancel_of_batch(struct mwi_master_engine *engine, struct mwi_batch_entry *batch,
                                uint32_t place)
{
    struct mwi_tasks *tasks = &engine->tasks;
    bool is_told = mwi_effects_wants(&engine->effects, MWI_AUDIT_TASK_CANCELLED) ||
                   mwi_effects_wants(&engine->effects, MWI_AUDIT_TASK_ENDED);
    if (batch->tasks[place].is_gone)
        return MW_ESTATE;
    if (place < batch->next) {
        struct mwi_copy *copy = mwi_copies_find_in_batch(&engine->copies, tasks, batch, place);
        return mwi_tasks_take_failure(tasks) ? MW_ENOMEM : cancel_entry(engine, copy->task);
    }
    if (!is_told) {
        mwi_tasks_cancel_waiting(tasks, batch, place);
        return MW_OK;
    }
    struct mwi_task_entry *task = mwi_tasks_take_out(tasks, batch, place);
    return mwi_tasks_take_failure(tasks) ? MW_ENOMEM : cancel_entry(engine, task);
}

mw_error mwi_lifecycle_cancel(struct mwi_master_engine *engine, uint64_t id)
{
    uint32_t place;
    struct mwi_batch_entry *batch = mwi_batches_find(&engine->tasks.batches, id, &place);
    struct mwi_task_entry *task = mwi_tasks_find(&engine->tasks, id);
    if (task != NULL)
        return cancel_entry(engine, task);
    return batch == NULL ? MW_ESTATE : cancel_of_batch(engine, batch, place);
}

size_t mwi_lifecycle_pending(const struct mwi_master_engine *engine, size_t algorithm)
{
    const struct mwi_tasks *tasks = &engine->tasks;
    if (algorithm != MWI_TARGET_GENERAL)
        return tasks->by_algorithm[algorithm].waiting;
    return mwi_tasks_waiting_count(tasks) + tasks->counts[MWI_TASK_ORDERED];
}

size_t mwi_lifecycle_payload_bytes_max(const struct mwi_master_engine *engine)
{
    return engine->config.frame_write_bytes_max - 2 * MWI_MESSAGE_OVERHEAD_BYTES;
}

bool mwi_lifecycle_take_result(struct mwi_master_engine *engine, struct mwi_finished *result)
{
    struct mwi_finished_end end;
    if (!mwi_finished_pop(&engine->finished, result, &end))
        return false;
    if (end.batch != NULL)
        mwi_tasks_release(&engine->tasks, end.batch, end.count);
    return true;
}

bool mwi_lifecycle_take_unrunnable(struct mwi_master_engine *engine,
                                   struct mwi_lifecycle_unrunnable *taken)
{
    struct mwi_task_entry *task = mwi_tasks_first_unrunnable(&engine->tasks);
    if (task == NULL)
        return false;
    *taken = (struct mwi_lifecycle_unrunnable){
        .id = task->id,
        .sid = task->sid,
        .algorithm = task->algorithm,
        .payload = {mwi_tasks_data(task), task->size, task->is_bytes},
        .block = task->is_shared ? task->block : NULL,
        .tag = task->has_tag_bytes ? 0 : task->tag,
        .tag_bytes = task->has_tag_bytes ? task->tag_bytes : NULL,
        .history = mwi_losses_take_history(&engine->tasks.losses, task->id)};
    task->data = NULL;
    task->is_shared = false;
    task->has_tag_bytes = false;
    mwi_tasks_move(&engine->tasks, task, MWI_TASK_FREE, NULL);
    return true;
}
