/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends tasks. master_engine calls it for results that arrive, misfits for tasks that are larger
 * than the messages of the slaves that may run them.
 *
 * Invariants: a task ends with its first result. The result is queued for the user before the
 * stores of tasks, copies and slaves change; if there is no memory for that, they stay as they are,
 * and the engine fails. As long as other slaves have copies of a task that has ended, it stays in
 * the store as CANCELLED. A range ends in one pass over the columns of the message, and changes the
 * same counts as its tasks would one by one.
 *
 * A task ends in finish_copy, finish_range, finish_offered or fail_task: if something more is to
 * happen at its end, add it to all four.
 */
#include "engine/task_ends.h"

#include <assert.h>
#include <string.h>

#include "base/printable.h"
#include "engine/journaling.h"
#include "engine/outgoing.h"

void mwi_task_ends_audit_failure(struct mwi_master_engine *engine,
                                 const struct mwi_slave_entry *slave,
                                 const struct mwi_task_entry *task, const struct mwi_payload *text)
{
    if (!mwi_effects_wants(&engine->effects, MWI_AUDIT_TASK_FAILED))
        return;
    struct mwi_text reason = {(const char *)text->data, text->size};
    MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_TASK_FAILED, .task = task->id,
                       .algorithm = mwi_outgoing_algorithm_name(engine, task),
                       .reason = mwi_outgoing_note_text(engine, reason));
}

/* Takes the task off the slave's load, and learns how long it took. */
static void note_done(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                      const struct mwi_task_entry *task, const struct mwi_message_item *item)
{
    size_t bytes = task->size + MWI_MESSAGE_OVERHEAD_BYTES;
    mwi_load_remove(&slave->load, 1, bytes, mwi_pace_of(&engine->pace, task->algorithm));
    if (slave->load.tasks_count == 0)
        mwi_timers_stop(&engine->timers, &slave->limit);
    if (item->form != MWI_PAYLOAD_FAILED) {
        mwi_pace_learn(&engine->pace, task->algorithm, item->duration_ns, 1);
        mwi_durations_add(&engine->durations, task->algorithm, item->duration_ns);
    }
}

/* Puts a result into the queue for the user; false out of memory. */
static bool push_result(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave,
                        struct mwi_task_entry *task, struct mwi_block *block,
                        const struct mwi_message_item *item)
{
    struct mwi_finished finished = {.task = task->id,
                                    .block = block,
                                    .payload = mwi_message_payload(item),
                                    .duration_ns = item->duration_ns,
                                    .sid = slave == NULL ? MWI_NO_SID : slave->sid,
                                    .algorithm = task->algorithm,
                                    .is_failed = item->form == MWI_PAYLOAD_FAILED,
                                    .has_tag_bytes = task->has_tag_bytes};
    if (task->has_tag_bytes)
        finished.tag_bytes = task->tag_bytes;
    else
        finished.tag = task->tag;
    if (!mwi_finished_push(&engine->finished, &finished)) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return false;
    }
    mwi_block_ref(block);
    task->has_tag_bytes = false;
    return true;
}

/* Records the end of a task, if such records are wanted. A cancelled task has its record already,
 * but the time that it ran still counts: see later_ns. */
static void audit_result(struct mwi_master_engine *engine, const struct mwi_copy *copy,
                         const struct mwi_message_item *item)
{
    uint64_t later_ns = (uint64_t)engine->later_ns;
    const char *outcome = item->form != MWI_PAYLOAD_FAILED ? "done" : "failed";
    engine->later_ns = (int64_t)(item->duration_ns < later_ns ? later_ns - item->duration_ns : 0);
    if (copy->task->state == MWI_TASK_RUNNING)
        mwi_outgoing_audit_end(
            engine, copy->task,
            &(struct mwi_outgoing_end){.outcome = outcome, .copy = copy, .item = item});
}

bool mwi_task_ends_finish_copy(struct mwi_master_engine *engine, struct mwi_copy *copy,
                               struct mwi_block *block, const struct mwi_message_item *item)
{
    struct mwi_task_entry *task = copy->task;
    struct mwi_slave_entry *slave = copy->slave;
    if (mwi_effects_wants(&engine->effects, MWI_AUDIT_TASK_ENDED))
        audit_result(engine, copy, item);
    if (task->state == MWI_TASK_RUNNING && engine->journal != NULL)
        mwi_journaling_note_task(engine, task, item);
    if (task->state == MWI_TASK_RUNNING && !push_result(engine, slave, task, block, item))
        return false;
    engine->ended_count++;
    note_done(engine, slave, task, item);
    mwi_copies_remove(&engine->copies, copy);
    if (task->copies != NULL)
        mwi_outgoing_end_task(engine, task);
    slave->host->results_count++;
    slave->done_count += item->form != MWI_PAYLOAD_FAILED;
    slave->failed_count += item->form == MWI_PAYLOAD_FAILED;
    slave->has_started = true;
    mwi_tasks_end(&engine->tasks, task, item->form != MWI_PAYLOAD_FAILED, item->duration_ns);
    return true;
}

bool mwi_task_ends_finish_failed(struct mwi_master_engine *engine, struct mwi_copy *copy,
                                 struct mwi_block *block, const struct mwi_message_item *item)
{
    struct mwi_message_item safe = *item;
    struct mwi_block *escaped = NULL;
    assert(item->form == MWI_PAYLOAD_FAILED);
    safe.size = mwi_printable_size(item->data, item->size);
    if (safe.size > item->size) {
        escaped = mwi_block_make(safe.size, &safe.data);
        if (escaped == NULL) {
            mwi_effects_fail(&engine->effects, MW_ENOMEM);
            return false;
        }
        mwi_printable_write(safe.data, item->data, item->size);
    }
    struct mwi_payload text = mwi_message_payload(&safe);
    mwi_task_ends_audit_failure(engine, copy->slave, copy->task, &text);
    bool has_ended =
        mwi_task_ends_finish_copy(engine, copy, escaped != NULL ? escaped : block, &safe);
    mwi_block_unref(escaped);
    return has_ended;
}

/* Returns what ordinary_count counts, without a look at each result, if the columns show that all
 * results are raw bytes and all ids count up by one; else 0. */
static uint32_t uniform_count(const struct mwi_copy *range, const struct mwi_message_cursor *cursor)
{
    const struct mwi_message_group *results = cursor->group;
    const struct mwi_batch_task *first = &range->batch->tasks[range->from];
    size_t left = results->count - cursor->index;
    uint32_t count = left < range->count ? (uint32_t)left : range->count;
    bool is_one_kind = results->ids.width == 0 && results->forms.width == 0 &&
                       results->forms.first == MWI_PAYLOAD_BYTES && count > 0;
    if (!is_one_kind ||
        mwi_column_at(&results->ids, cursor->index) != mwi_batch_id(range->batch, range->from))
        return 0;
    /* Ids of a batch only grow: if the last is `count - 1` above the first, none is left out. */
    return first[count - 1].id_offset - first->id_offset == count - 1 ? count : 0;
}

/* How many results from the cursor on belong to the range's next tasks, in their order, and are
 * neither failures nor unreadable. */
static uint32_t ordinary_count(const struct mwi_copy *range,
                               const struct mwi_message_cursor *cursor)
{
    struct mwi_message_cursor ahead = *cursor;
    struct mwi_message_item item;
    uint32_t count = uniform_count(range, cursor);
    if (count > 0)
        return count;
    while (count < range->count && mwi_message_next(&ahead, &item) &&
           item.id == mwi_batch_id(range->batch, range->from + count) &&
           item.form < MWI_PAYLOAD_FAILED && mwi_message_is_readable(&item))
        count++;
    return count;
}

/* Queues the results of the range's next tasks for the user; false out of memory. */
static bool push_group(struct mwi_master_engine *engine, const struct mwi_copy *range,
                       struct mwi_block *block, const struct mwi_message_cursor *cursor,
                       uint32_t count)
{
    const struct mwi_finished_group group = {.block = block,
                                             .batch = range->batch,
                                             .place = range->from,
                                             .count = count,
                                             .sid = range->slave->sid,
                                             .had_ns = (uint64_t)(engine->now_ns - range->sent_ns),
                                             .results = *cursor->group,
                                             .cursor = *cursor};
    if (!mwi_finished_push_group(&engine->finished, &group)) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return false;
    }
    mwi_block_ref(block);
    return true;
}

/* Tasks that follow each other in a range, have the same algorithm, and have ended. */
struct run {
    uint16_t algorithm;
    uint32_t count;
    uint64_t ran_ns;
};

/* Takes a run off the slave's load and out of the counts, and learns how long its tasks took. */
static void end_run(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                    struct mwi_batch_entry *batch, const struct run *run, size_t bytes)
{
    int64_t work_ns = run->count * mwi_pace_of(&engine->pace, run->algorithm);
    mwi_load_remove(&slave->load, run->count, bytes + run->count * MWI_MESSAGE_OVERHEAD_BYTES,
                    work_ns);
    mwi_pace_learn(&engine->pace, run->algorithm, run->ran_ns, run->count);
    mwi_durations_add(&engine->durations, run->algorithm, run->ran_ns / run->count);
    mwi_tasks_end_sent(&engine->tasks, batch, run->algorithm, run->count);
}

/* Ends the range's next `count` tasks, run by run, and moves the cursor behind their results.
 * Returns how long they ran. */
static uint64_t end_tasks(struct mwi_master_engine *engine, struct mwi_copy *range,
                          struct mwi_message_cursor *cursor, uint32_t count)
{
    struct mwi_batch_entry *batch = range->batch;
    uint64_t had_ns = (uint64_t)(engine->now_ns - range->sent_ns), total_ns = 0;
    uint32_t place = range->from, end = range->from + count;
    while (place < end) {
        struct run run = {.algorithm = batch->tasks[place].algorithm};
        mw_times *times = &engine->tasks.by_algorithm[run.algorithm].run;
        uint32_t begin = mwi_batch_begin(batch, place);
        for (; place < end && batch->tasks[place].algorithm == run.algorithm; place++) {
            uint64_t ran_ns = mwi_column_at(&cursor->group->durations, cursor->index++);
            if (ran_ns > had_ns)
                ran_ns = had_ns;
            cursor->offset += (size_t)mwi_column_at(&cursor->group->sizes, cursor->index - 1);
            mwi_stats_add_time(times, ran_ns);
            batch->tasks[place].is_gone = true;
            run.ran_ns += ran_ns;
            run.count++;
        }
        total_ns += run.ran_ns;
        end_run(engine, range->slave, batch, &run, batch->tasks[place - 1].end - begin);
    }
    return total_ns;
}

uint32_t mwi_task_ends_finish_range(struct mwi_master_engine *engine, struct mwi_copy *range,
                                    struct mwi_block *block, struct mwi_message_cursor *cursor,
                                    uint64_t *ran_ns)
{
    struct mwi_slave_entry *slave = range->slave;
    uint32_t count = ordinary_count(range, cursor);
    assert(range->task == NULL && slave->is_proven);
    if (count == 0 || !push_group(engine, range, block, cursor, count))
        return 0;
    if (engine->journal != NULL)
        mwi_journaling_note_range(engine, range, cursor, count);
    *ran_ns += end_tasks(engine, range, cursor, count);
    mwi_copies_shorten(&engine->copies, range, count);
    engine->ended_count += count;
    slave->host->results_count += count;
    slave->done_count += count;
    return count;
}

bool mwi_task_ends_finish_offered(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                                  struct mwi_task_entry *task, struct mwi_block *block,
                                  const struct mwi_message_item *item)
{
    assert(item->form != MWI_PAYLOAD_FAILED);
    const struct mwi_copy *copy = task->state == MWI_TASK_RUNNING ? task->copies : NULL;
    mwi_outgoing_audit_end(
        engine, task, &(struct mwi_outgoing_end){.outcome = "done", .copy = copy, .item = item});
    if (!push_result(engine, slave, task, block, item))
        return false;
    engine->ended_count++;
    if (copy != NULL)
        mwi_outgoing_end_task(engine, task);
    mwi_tasks_end(&engine->tasks, task, true, item->duration_ns);
    return true;
}

void mwi_task_ends_fail_task(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave,
                             struct mwi_task_entry *task, const char *text)
{
    size_t size = strlen(text);
    struct mwi_message_item item = {.form = MWI_PAYLOAD_FAILED, .size = size};
    struct mwi_block *block = mwi_block_copy(text, size, &item.data);
    if (block == NULL) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return;
    }
    struct mwi_payload payload = mwi_message_payload(&item);
    if (slave == NULL)
        mwi_outgoing_audit_task(engine, MWI_AUDIT_TASK_UNFIT, NULL, task, text);
    else
        mwi_task_ends_audit_failure(engine, slave, task, &payload);
    engine->ended_count++;
    mwi_outgoing_audit_end(engine, task,
                           &(struct mwi_outgoing_end){.outcome = "failed", .item = &item});
    if (push_result(engine, slave, task, block, &item))
        mwi_tasks_end(&engine->tasks, task, false, 0);
    mwi_block_unref(block);
}
