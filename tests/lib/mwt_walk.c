/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks, batches and copies of an engine, one by one, beside the model of its farm. A new list or
 * count of tasks is checked here.
 */
#include "mwt_walk.h"

struct tally {
    size_t states[MWI_TASK_STATES_COUNT];
    size_t waiting[MWT_MODEL_ALGORITHMS_COUNT], running[MWT_MODEL_ALGORITHMS_COUNT];
};

static size_t ranges_with(const struct mwi_batch_entry *batch, uint32_t place)
{
    size_t count = 0;
    for (const struct mwi_copy *range = batch->copies; range != NULL; range = range->next_of_task)
        count += place >= range->from && place < range->from + range->count;
    return count;
}

static void tally_entry(struct mwt_model *farm, const struct mwi_task_entry *task,
                        struct tally *tally)
{
    enum mwi_task_state state = task->state;
    const struct mwt_model_task *model = &farm->tasks[task->id];
    tally->states[state]++;
    tally->waiting[task->algorithm] +=
        state == MWI_TASK_WAITING || state == MWI_TASK_ORDERED || state == MWI_TASK_ASIDE;
    tally->running[task->algorithm] += state == MWI_TASK_RUNNING;
    bool is_at_slave = state == MWI_TASK_RUNNING || state == MWI_TASK_CANCELLED;
    MWT_EXPECT(farm, is_at_slave == (model->holder != 0), task->id);
    MWT_EXPECT(farm, !is_at_slave || task->copies != NULL, task->id);
    MWT_EXPECT(farm, (state == MWI_TASK_CANCELLED) == model->is_cancelled, task->id);
    MWT_EXPECT(farm, model->fate == MWT_FATE_OPEN, task->id);
    MWT_EXPECT(farm, task->size == model->size, task->id);
}

/* A task that a batch has, or had. */
static void tally_place(struct mwt_model *farm, const struct mwi_batch_entry *batch, uint32_t place,
                        struct tally *tally)
{
    uint64_t id = mwi_batch_id(batch, place);
    const struct mwi_batch_task *task = &batch->tasks[place];
    const struct mwt_model_task *model = &farm->tasks[id];
    bool is_waiting = place >= batch->next;
    MWT_EXPECT(farm, ranges_with(batch, place) == (!is_waiting && !task->is_gone ? 1 : 0), id);
    MWT_EXPECT(farm, place != batch->next || !task->is_gone, id);
    if (task->is_gone)
        return;
    tally->states[is_waiting ? MWI_TASK_WAITING : MWI_TASK_RUNNING]++;
    tally->waiting[task->algorithm] += is_waiting;
    tally->running[task->algorithm] += !is_waiting;
    MWT_EXPECT(farm, is_waiting == (model->holder == 0), id);
    MWT_EXPECT(farm, model->fate == MWT_FATE_OPEN && !model->is_cancelled, id);
    MWT_EXPECT(farm, mwi_batch_size(batch, place) == model->size, id);
    MWT_EXPECT(farm, mwi_list_is_empty(&batch->item.link) == (batch->next == batch->count), id);
}

static void check_counts(struct mwt_model *farm, const struct tally *tally)
{
    const struct mwi_tasks *tasks = &farm->engine.tasks;
    for (size_t state = 1; state < MWI_TASK_STATES_COUNT; state++)
        MWT_EXPECT(farm, tasks->counts[state] == tally->states[state], state);
    for (size_t i = 0; i < MWT_MODEL_ALGORITHMS_COUNT; i++) {
        const mw_algorithm_stats *stats = &tasks->by_algorithm[i];
        MWT_EXPECT(farm, stats->waiting == tally->waiting[i], i);
        MWT_EXPECT(farm,
                   stats->submitted == stats->done + stats->failed + stats->unrunnable +
                                           stats->cancelled + tally->waiting[i] + tally->running[i],
                   i);
    }
}

/* Of the first task of each batch: how many of its tasks are not finished. */
static void check_batch(struct mwt_model *farm, const struct mwi_batch_entry *batch)
{
    uint32_t unfinished_count = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        unfinished_count += !batch->tasks[i].is_gone;
    MWT_EXPECT(farm, batch->unfinished_count == unfinished_count, batch->first_id);
    MWT_EXPECT(farm, batch->kept_count >= unfinished_count && batch->kept_count <= batch->count,
               batch->first_id);
    MWT_EXPECT(farm, unfinished_count == 0 || batch->bytes != NULL, batch->first_id);
}

static void check_tasks(struct mwt_model *farm)
{
    const struct mwi_tasks *tasks = &farm->engine.tasks;
    struct tally tally = {{0}, {0}, {0}};
    for (uint64_t id = 1; id <= farm->last_id; id++) {
        uint32_t place;
        const struct mwi_task_entry *task = mwi_tasks_find(tasks, id);
        const struct mwi_batch_entry *batch = mwi_batches_find(&tasks->batches, id, &place);
        MWT_EXPECT(farm, task == NULL || batch == NULL || batch->tasks[place].is_gone, id);
        if (batch != NULL && place == 0)
            check_batch(farm, batch);
        if (task != NULL)
            tally_entry(farm, task, &tally);
        if (batch != NULL)
            tally_place(farm, batch, place, &tally);
    }
    check_counts(farm, &tally);
}

/* The copies of a slave are the tasks that the model's slave holds, in the same order. */
static size_t check_copies(struct mwt_model *farm, size_t index)
{
    const struct mwt_model_peer *peer = &farm->peers[index];
    const struct mwi_slave_entry *slave = mwi_slaves_find(&farm->engine.slaves, index + 1);
    size_t copies_count = 0, held = 0;
    MWT_EXPECT(farm, (slave != NULL) == peer->is_up, index);
    if (slave == NULL)
        return 0;
    for (struct mwi_list *link = slave->copies.next; link != &slave->copies; link = link->next) {
        const struct mwi_copy *copy = mwi_copies_of_link(link);
        uint32_t count = copy->task == NULL ? copy->count : 1;
        copies_count++;
        MWT_EXPECT(farm, copy->slave == slave && held + count <= peer->held_count, index);
        for (uint32_t i = 0; i < count && held < peer->held_count; i++, held++)
            MWT_EXPECT(farm,
                       peer->held[held] == (copy->task != NULL
                                                ? copy->task->id
                                                : mwi_batch_id(copy->batch, copy->from + i)),
                       index);
    }
    MWT_EXPECT(farm, held == peer->held_count, index);
    MWT_EXPECT(farm, slave->load.tasks_count == peer->held_count, index);
    return copies_count;
}

void mwt_walk_check(struct mwt_model *farm)
{
    size_t copies_count = 0;
    check_tasks(farm);
    for (size_t i = 0; i < farm->peers_count; i++)
        copies_count += check_copies(farm, i);
    MWT_EXPECT(farm, farm->engine.copies.count == copies_count, 0);
    MWT_EXPECT(farm, farm->engine.effects.error == MW_OK, 0);
}
