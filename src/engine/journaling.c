/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the life of tasks and record/journal. task_ends and master_engine call it when a result
 * or saved bytes have come, and face/master_submit in place of lifecycle while the journal has
 * something of earlier runs.
 *
 * Invariants: a task is known by the key of its content, which is computed when it is needed, from
 * its arguments; no task keeps it. A result that nobody wants, of a cancelled task for instance, is
 * not recorded: another submission of the same content would get it. A journal that has failed
 * records nothing, and still gives what it has.
 */
#include "engine/journaling.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/outgoing.h"
#include "engine/withheld.h"
#include "farm/savings.h"
#include "record/journal_take.h"
#include "wire/content.h"

/* This many keys of tasks that are sent make a record. */
#define SENT_MAX 256

static uint64_t find_seed(const struct mwi_master_engine *engine, uint64_t scope,
                          uint16_t algorithm, bool is_bytes)
{
    const char *name = engine->config.algorithms[algorithm].name;
    return mwi_content_seed(scope, mwi_content_name(name, strlen(name)), is_bytes);
}

/* Sets *key to that of a task's content; false if the task has none. */
static bool find_key(const struct mwi_master_engine *engine, uint16_t algorithm,
                     const struct mwi_task_policy *policy, const struct mwi_payload *arguments,
                     struct mwi_digest *key)
{
    uint64_t scope = mwi_policies_scope(policy);
    if (scope == MWI_CONTENT_NO_SCOPE)
        return false;
    uint64_t seed = find_seed(engine, scope, algorithm, arguments->is_bytes);
    *key = mwi_content_key(seed, arguments->data, arguments->size);
    return true;
}

static bool find_entry_key(const struct mwi_master_engine *engine,
                           const struct mwi_task_entry *task, struct mwi_digest *key)
{
    const struct mwi_payload arguments = {mwi_tasks_data(task), task->size, task->is_bytes};
    return find_key(engine, task->algorithm, mwi_tasks_policy(&engine->tasks, task), &arguments,
                    key);
}

static struct mwi_journal_result result_of(struct mwi_digest key,
                                           const struct mwi_message_item *item)
{
    return (struct mwi_journal_result){.key = key,
                                       .id = item->id,
                                       .duration_ns = item->duration_ns,
                                       .form = item->form,
                                       .size = item->size,
                                       .data = item->data};
}

static void record(struct mwi_master_engine *engine, uint16_t algorithm, struct mwi_digest key,
                   const struct mwi_message_item *item)
{
    const struct mwi_journal_result result = result_of(key, item);
    mwi_journal_add_result(engine->journal, engine->config.algorithms[algorithm].name, &result);
}

void mwi_journaling_note_task(struct mwi_master_engine *engine, const struct mwi_task_entry *task,
                              const struct mwi_message_item *item)
{
    struct mwi_digest key;
    assert(engine->journal != NULL);
    bool is_kept = item->form < MWI_PAYLOAD_FAILED || engine->config.keeps_failures ||
                   !mwi_tasks_policy(&engine->tasks, task)->is_retried;
    if (is_kept && find_entry_key(engine, task, &key))
        record(engine, task->algorithm, key, item);
}

void mwi_journaling_note_range(struct mwi_master_engine *engine, const struct mwi_copy *range,
                               const struct mwi_message_cursor *cursor, uint32_t count)
{
    const struct mwi_batch_entry *batch = range->batch;
    const struct mwi_batch_task *before = NULL;
    uint64_t scope =
        mwi_policies_scope(&mwi_policies_get(&engine->tasks.policies, batch->item.policy)->policy);
    struct mwi_message_cursor ahead = *cursor;
    struct mwi_message_item item;
    uint64_t seed = 0;
    assert(engine->journal != NULL);
    if (scope == MWI_CONTENT_NO_SCOPE)
        return;
    for (uint32_t place = range->from; place < range->from + count; place++) {
        const struct mwi_batch_task *task = &batch->tasks[place];
        if (!mwi_message_next(&ahead, &item))
            return;
        /* Most tasks are like the one before. */
        if (before == NULL || task->algorithm != before->algorithm ||
            task->is_bytes != before->is_bytes)
            seed = find_seed(engine, scope, task->algorithm, task->is_bytes);
        before = task;
        record(engine, task->algorithm,
               mwi_content_key(seed, mwi_batch_data(batch, place), mwi_batch_size(batch, place)),
               &item);
    }
}

void mwi_journaling_note_offered(struct mwi_master_engine *engine, struct mwi_digest key,
                                 uint64_t run, const struct mwi_message_item *item)
{
    assert(engine->journal != NULL && item->algorithm < engine->algorithms_count);
    const struct mwi_journal_result result = result_of(key, item);
    mwi_journal_add_result_of(engine->journal, run, engine->config.algorithms[item->algorithm].name,
                              &result);
}

/* Keys that gather to be recorded. */
struct sent_keys {
    struct mwi_digest keys[SENT_MAX];
    size_t count;
};

static void add_sent(struct mwi_master_engine *engine, struct sent_keys *sent,
                     struct mwi_digest key)
{
    sent->keys[sent->count++] = key;
    if (sent->count < SENT_MAX)
        return;
    mwi_journal_add_sent(engine->journal, sent->keys, sent->count);
    sent->count = 0;
}

static void add_range(struct mwi_master_engine *engine, struct sent_keys *sent,
                      const struct mwi_copy *range)
{
    const struct mwi_batch_entry *batch = range->batch;
    const struct mwi_task_policy *policy =
        &mwi_policies_get(&engine->tasks.policies, batch->item.policy)->policy;
    for (uint32_t place = range->from; place < range->from + range->count; place++) {
        const struct mwi_batch_task *task = &batch->tasks[place];
        const struct mwi_payload arguments = {mwi_batch_data(batch, place),
                                              mwi_batch_size(batch, place), task->is_bytes};
        struct mwi_digest key;
        if (find_key(engine, task->algorithm, policy, &arguments, &key))
            add_sent(engine, sent, key);
    }
}

/* The keys of the tasks, for the master that the slave may come back to. */
static void record_keys(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave,
                        const struct mwi_list *link)
{
    struct sent_keys sent;
    sent.count = 0;
    for (; link != &slave->copies; link = link->next) {
        const struct mwi_copy *copy = MWI_LIST_ENTRY(link, struct mwi_copy, link);
        struct mwi_digest key;
        if (copy->task == NULL)
            add_range(engine, &sent, copy);
        else if (find_entry_key(engine, copy->task, &key))
            add_sent(engine, &sent, key);
    }
    if (sent.count > 0)
        mwi_journal_add_sent(engine->journal, sent.keys, sent.count);
}

/* Whether the copy is of a task that may not run twice, and has a key, which is set then. */
static bool is_once(const struct mwi_master_engine *engine, const struct mwi_copy *copy,
                    struct mwi_digest *key)
{
    return copy->task != NULL && !mwi_tasks_policy(&engine->tasks, copy->task)->is_retried &&
           find_entry_key(engine, copy->task, key);
}

/* Those tasks that may not run twice may run from now on. */
static void record_begun(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                         const struct mwi_list *link)
{
    size_t count = 0;
    for (; link != &slave->copies; link = link->next) {
        const struct mwi_copy *copy = MWI_LIST_ENTRY(link, struct mwi_copy, link);
        struct mwi_digest key;
        if (!is_once(engine, copy, &key))
            continue;
        mwi_journal_add_begun(engine->journal, key, copy->task->id);
        count++;
    }
    if (count > 0)
        mwi_withheld_begin(slave, mwi_journal_hurry(engine->journal), engine->now_ns);
}

void mwi_journaling_note_sent(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                              const struct mwi_list *link)
{
    if (slave->may_return)
        record_keys(engine, slave, link);
    record_begun(engine, slave, link);
}

void mwi_journaling_note_given_back(struct mwi_master_engine *engine,
                                    const struct mwi_slave_entry *slave)
{
    const struct mwi_list *list = &slave->copies;
    if (engine->journal == NULL)
        return;
    for (const struct mwi_list *link = list->next; link != list; link = link->next) {
        const struct mwi_copy *copy = MWI_LIST_ENTRY(link, struct mwi_copy, link);
        struct mwi_digest key;
        if (is_once(engine, copy, &key))
            mwi_journal_add_unbegun(engine->journal, key, copy->task->id);
    }
}

void mwi_journaling_note_saved(struct mwi_master_engine *engine, const struct mwi_task_entry *task,
                               const void *data, size_t size)
{
    struct mwi_digest key;
    if (find_entry_key(engine, task, &key))
        mwi_journal_add_saved(engine->journal, key, task->id, data, size);
}

/* Enters a task, which is late if an earlier run has sent it and its slave may come back. */
static mw_error submit_late(struct mwi_master_engine *engine,
                            const struct mwi_lifecycle_task *submission, struct mwi_digest key,
                            uint64_t *id)
{
    struct mwi_lifecycle_task late = *submission;
    bool is_late = mwi_journal_take_sent(engine->earlier, key) && engine->config.reconnect_ns > 0 &&
                   !engine->is_late_over;
    if (!is_late)
        return mwi_lifecycle_submit(engine, submission, id);
    late.policy.is_late = true;
    engine->has_late = true;
    return mwi_lifecycle_submit(engine, &late, id);
}

/* Enters a task that an earlier run has sent, and that may not run twice. */
static mw_error submit_unrunnable(struct mwi_master_engine *engine,
                                  const struct mwi_lifecycle_task *submission,
                                  struct mwi_digest key, uint64_t *id)
{
    static const char history[] = "its policy allows no retry, and it may have run before the "
                                  "master was started again";
    mw_error error =
        mwi_lifecycle_submit_unrunnable(engine, submission, history, sizeof history - 1, id);
    if (error != MW_OK)
        return error;
    const struct mwi_task_entry *task = mwi_tasks_find(&engine->tasks, *id);
    (void)mwi_journal_take_sent(engine->earlier, key);
    mwi_outgoing_audit_end(engine, task, &(struct mwi_outgoing_end){.outcome = "unrunnable"});
    mwi_outgoing_audit_task(engine, MWI_AUDIT_TASK_UNRUNNABLE, NULL, task, history);
    return MW_OK;
}

/* The task ends with a recorded result, or gets saved bytes if it is submitted. */
static mw_error submit_with(struct mwi_master_engine *engine,
                            const struct mwi_lifecycle_task *submission, struct mwi_digest key,
                            uint64_t *id, mw_reason *why)
{
    struct mwi_journal_replay replay;
    mw_error taken = mwi_journal_take(engine->earlier, key, &replay, why), error;
    if (taken == MW_OK) {
        const struct mwi_message_item item = {.duration_ns = replay.duration_ns,
                                              .size = replay.size,
                                              .form = replay.form,
                                              .data = replay.data};
        error = mwi_lifecycle_submit_replayed(engine, submission, replay.block, &item, id);
        mwi_block_unref(replay.block);
        return error;
    }
    struct mwi_message_item spare;
    struct mwi_block *block;
    if (mwi_spares_take(&engine->spares, key, &spare, &block)) {
        error = mwi_lifecycle_submit_replayed(engine, submission, block, &spare, id);
        mwi_block_unref(block);
        mwi_journal_note_used(engine->earlier, key);
        return error;
    }
    /* A result that cannot be read is the trace of a task that has run, too. */
    if (!submission->policy.is_retried &&
        (taken != MW_ESTATE || mwi_journal_take_begun(engine->earlier, key)))
        return submit_unrunnable(engine, submission, key, id);
    bool has_saved = mwi_journal_take_saved(engine->earlier, key, &replay, why) == MW_OK;
    error = submit_late(engine, submission, key, id);
    if (!has_saved)
        return error;
    const struct mwi_saved saved = {replay.block, replay.data, replay.size};
    if (error == MW_OK && !mwi_savings_set(&engine->tasks.savings, *id, &saved))
        error = MW_OK; /* the task begins anew */
    mwi_block_unref(replay.block);
    return error;
}

bool mwi_journaling_has_replays(const struct mwi_master_engine *engine)
{
    return engine->earlier != NULL &&
           (mwi_journal_has_replays(engine->earlier) || mwi_journal_has_sent(engine->earlier) ||
            engine->spares.count > 0);
}

mw_error mwi_journaling_submit(struct mwi_master_engine *engine,
                               const struct mwi_lifecycle_task *submission, uint64_t *id,
                               mw_reason *why)
{
    struct mwi_digest key;
    why->text[0] = '\0';
    if (!find_key(engine, submission->algorithm, &submission->policy, &submission->payload, &key))
        return mwi_lifecycle_submit(engine, submission, id);
    return submit_with(engine, submission, key, id, why);
}
