/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of tasks. The rooms of the engine add tasks and move them; everybody else reads.
 *
 * Invariants: a task is in a batch or has an entry, never both. Entries lie in chunks that never
 * move, so that a task can be pointed to; a freed one is used again first. An entry is found by its
 * id from mwi_tasks_add or mwi_tasks_take_out until it is FREE. The counts by state and by
 * algorithm cover both kinds. mwi_tasks_move keeps them for entries; append, send, end_sent and
 * cancel_waiting for batches; to be taken out changes none.
 *
 * A field that only few tasks need goes into a side table by id, as losses and savings do: ten
 * million tasks wait.
 */
#include "farm/tasks.h"

#include <assert.h>
#include <stdlib.h>

#define CHUNK_TASKS ((size_t)1024)

static void clear(struct mwi_tasks *tasks)
{
    *tasks = (struct mwi_tasks){0};
    mwi_list_init(&tasks->free);
    mwi_list_init(&tasks->unrunnable);
    mwi_pool_init(&tasks->pool);
    mwi_aside_init(&tasks->aside);
    mwi_policies_init(&tasks->policies);
    mwi_map_init(&tasks->by_id);
}

bool mwi_tasks_init(struct mwi_tasks *tasks, size_t algorithms_count)
{
    clear(tasks);
    tasks->by_algorithm = calloc(algorithms_count + 1, sizeof *tasks->by_algorithm);
    return tasks->by_algorithm != NULL;
}

static struct mwi_task_entry *entry_at(const struct mwi_tasks *tasks, size_t slot)
{
    return &tasks->chunks[slot / CHUNK_TASKS][slot % CHUNK_TASKS];
}

static void free_owned(struct mwi_task_entry *task)
{
    if (task->is_shared)
        mwi_block_unref(task->block);
    else
        free(task->data);
    task->data = NULL;
    task->is_shared = false;
    if (task->has_tag_bytes)
        free(task->tag_bytes);
    task->has_tag_bytes = false;
}

void mwi_tasks_fini(struct mwi_tasks *tasks)
{
    for (size_t slot = 0; slot < tasks->slots_count; slot++)
        free_owned(entry_at(tasks, slot));
    for (size_t i = 0; i < tasks->chunks_count; i++)
        free(tasks->chunks[i]);
    free(tasks->chunks);
    mwi_losses_fini(&tasks->losses);
    mwi_savings_fini(&tasks->savings);
    mwi_map_fini(&tasks->by_id);
    mwi_batches_fini(&tasks->batches);
    mwi_policies_fini(&tasks->policies);
    mwi_pool_fini(&tasks->pool);
    mwi_aside_fini(&tasks->aside);
    free(tasks->by_algorithm);
    clear(tasks);
}

static bool add_chunk(struct mwi_tasks *tasks)
{
    if ((tasks->chunks_count & (tasks->chunks_count - 1)) == 0) {
        size_t capacity = tasks->chunks_count == 0 ? 1 : tasks->chunks_count * 2;
        struct mwi_task_entry **chunks = realloc(tasks->chunks, capacity * sizeof *chunks);
        if (chunks == NULL)
            return false;
        tasks->chunks = chunks;
    }
    struct mwi_task_entry *chunk = malloc(CHUNK_TASKS * sizeof *chunk);
    if (chunk == NULL)
        return false;
    tasks->chunks[tasks->chunks_count++] = chunk;
    return true;
}

/* An entry that is no task's; NULL out of memory. */
static struct mwi_task_entry *take_entry(struct mwi_tasks *tasks)
{
    if (!mwi_list_is_empty(&tasks->free)) {
        struct mwi_task_entry *task = mwi_tasks_of_link(tasks->free.next);
        mwi_list_remove(&task->item.link);
        return task;
    }
    if (tasks->slots_count == tasks->chunks_count * CHUNK_TASKS && !add_chunk(tasks))
        return NULL;
    return entry_at(tasks, tasks->slots_count++);
}

static void put_entry(struct mwi_tasks *tasks, struct mwi_task_entry *task)
{
    *task = (struct mwi_task_entry){.state = MWI_TASK_FREE};
    mwi_list_prepend(&tasks->free, &task->item.link);
}

/* An entry that is found by this id; NULL out of memory. */
static struct mwi_task_entry *make_entry(struct mwi_tasks *tasks, uint64_t id, uint32_t policy)
{
    struct mwi_task_entry *task = take_entry(tasks);
    if (task == NULL)
        return NULL;
    if (!mwi_map_set(&tasks->by_id, id, task)) {
        put_entry(tasks, task);
        return NULL;
    }
    *task = (struct mwi_task_entry){
        .id = id, .sid = MWI_NO_SID, .item.policy = policy, .state = MWI_TASK_FREE};
    mwi_list_init(&task->item.link);
    return task;
}

struct mwi_task_entry *mwi_tasks_add(struct mwi_tasks *tasks, const struct mwi_task_policy *policy)
{
    uint32_t number;
    if (!mwi_policies_take(&tasks->policies, &tasks->pool, policy, &number))
        return NULL;
    struct mwi_task_entry *task = make_entry(tasks, tasks->last_id + 1, number);
    if (task != NULL)
        tasks->last_id++;
    else
        mwi_policies_put(&tasks->policies, &tasks->pool, number);
    return task;
}

const struct mwi_task_policy *mwi_tasks_policy(const struct mwi_tasks *tasks,
                                               const struct mwi_task_entry *task)
{
    return &mwi_policies_get(&tasks->policies, task->item.policy)->policy;
}

unsigned char *mwi_tasks_data(const struct mwi_task_entry *task)
{
    return task->is_shared ? mwi_block_data(task->block) : task->data;
}

struct mwi_block *mwi_tasks_share(struct mwi_task_entry *task)
{
    struct mwi_block *block = task->is_shared ? task->block : mwi_block_own(task->data);
    if (block == NULL)
        return NULL;
    task->block = block;
    task->is_shared = true;
    return block;
}

struct mwi_task_entry *mwi_tasks_find(const struct mwi_tasks *tasks, uint64_t id)
{
    return mwi_map_get(&tasks->by_id, id);
}

struct mwi_task_entry *mwi_tasks_next(const struct mwi_tasks *tasks, size_t *cursor)
{
    while (*cursor < tasks->slots_count) {
        struct mwi_task_entry *task = entry_at(tasks, (*cursor)++);
        if (task->state != MWI_TASK_FREE)
            return task;
    }
    return NULL;
}

struct mwi_task_entry *mwi_tasks_first_waiting(struct mwi_tasks *tasks)
{
    struct mwi_list *link = mwi_pool_first(&tasks->pool);
    if (link == NULL)
        return NULL;
    struct mwi_batch_entry *batch = mwi_batch_of_link(link);
    return batch == NULL ? mwi_tasks_of_link(link) : mwi_tasks_take_out(tasks, batch, batch->next);
}

struct mwi_batch_entry *mwi_tasks_first_batch(const struct mwi_tasks *tasks)
{
    struct mwi_list *link = mwi_pool_first(&tasks->pool);
    return link == NULL ? NULL : mwi_batch_of_link(link);
}

struct mwi_task_entry *mwi_tasks_first_unrunnable(const struct mwi_tasks *tasks)
{
    const struct mwi_list *list = &tasks->unrunnable;
    return mwi_list_is_empty(list) ? NULL : mwi_tasks_of_link(list->next);
}

static void forget(struct mwi_tasks *tasks, struct mwi_task_entry *task)
{
    if (tasks->losses.by_task.used_count > 0)
        mwi_losses_forget(&tasks->losses, task->id);
    if (tasks->savings.by_task.used_count > 0)
        mwi_savings_forget(&tasks->savings, task->id);
    mwi_policies_put(&tasks->policies, &tasks->pool, task->item.policy);
    free_owned(task);
    mwi_map_remove(&tasks->by_id, task->id);
    put_entry(tasks, task);
}

static struct mwi_pool_level *level_of(const struct mwi_tasks *tasks,
                                       const struct mwi_pool_item *item)
{
    return mwi_policies_get(&tasks->policies, item->policy)->level;
}

static bool is_at_slaves(enum mwi_task_state state)
{
    return state == MWI_TASK_RUNNING || state == MWI_TASK_CANCELLED;
}

int64_t mwi_tasks_submitted_ns(const struct mwi_tasks *tasks, const struct mwi_task_entry *task)
{
    uint32_t ticks_ago = mwi_tasks_tick(tasks) - task->submitted_at;
    return (tasks->now_ns / MWI_TASKS_TICK_NS - ticks_ago) * MWI_TASKS_TICK_NS;
}

static void enter_pool(struct mwi_tasks *tasks, struct mwi_task_entry *task, bool is_new)
{
    if (is_new && tasks->batches.open != NULL)
        mwi_tasks_close_batch(tasks);
    if (is_new)
        mwi_pool_append(&tasks->pool, level_of(tasks, &task->item), &task->item.link);
    else
        mwi_pool_prepend(&tasks->pool, level_of(tasks, &task->item), &task->item.link);
}

/* Takes the task out of the place that its state gives it. */
static void leave_state(struct mwi_tasks *tasks, struct mwi_task_entry *task,
                        mw_algorithm_stats *stats)
{
    switch ((enum mwi_task_state)task->state) {
    case MWI_TASK_FREE: /* new, and in no list */
        stats->submitted++;
        task->submitted_at = mwi_tasks_tick(tasks);
        return;
    case MWI_TASK_WAITING:
        mwi_pool_remove(&tasks->pool, level_of(tasks, &task->item), &task->item.link);
        stats->waiting--;
        break;
    case MWI_TASK_ORDERED:
        mwi_list_remove(&task->item.link);
        stats->waiting--;
        break;
    case MWI_TASK_ASIDE:
        mwi_aside_remove(&tasks->aside, task->size, mwi_tasks_policy(tasks, task)->priority,
                         &task->item.link);
        stats->waiting--;
        break;
    case MWI_TASK_UNRUNNABLE:
        mwi_list_remove(&task->item.link);
        break;
    case MWI_TASK_RUNNING:
    case MWI_TASK_CANCELLED:
    case MWI_TASK_STATES_COUNT:
        break;
    }
    assert(tasks->counts[task->state] > 0);
    tasks->counts[task->state]--;
}

/* The task is about to be sent; the first time tells how long it waited. */
static void note_sent(struct mwi_tasks *tasks, struct mwi_task_entry *task,
                      mw_algorithm_stats *stats)
{
    task->copies = NULL;
    if (task->was_sent)
        return;
    uint32_t waited = mwi_tasks_tick(tasks) - task->submitted_at;
    mwi_stats_add_time(&stats->wait, (uint64_t)waited * (uint64_t)MWI_TASKS_TICK_NS);
    task->was_sent = true;
}

/* Puts the task into the place that the state gives it. */
static void enter_state(struct mwi_tasks *tasks, struct mwi_task_entry *task,
                        enum mwi_task_state from, struct mwi_list *list, mw_algorithm_stats *stats)
{
    switch ((enum mwi_task_state)task->state) {
    case MWI_TASK_WAITING:
        enter_pool(tasks, task, from == MWI_TASK_FREE);
        stats->waiting++;
        stats->requeued += from == MWI_TASK_RUNNING;
        break;
    case MWI_TASK_ORDERED:
        mwi_list_append(list, &task->item.link);
        stats->waiting++;
        break;
    case MWI_TASK_ASIDE:
        mwi_aside_append(&tasks->aside, task->size, mwi_tasks_policy(tasks, task)->priority,
                         &task->item.link);
        stats->waiting++;
        break;
    case MWI_TASK_RUNNING:
        note_sent(tasks, task, stats);
        break;
    case MWI_TASK_UNRUNNABLE:
        mwi_list_append(&tasks->unrunnable, &task->item.link);
        stats->unrunnable++;
        break;
    case MWI_TASK_CANCELLED:
    case MWI_TASK_FREE:
    case MWI_TASK_STATES_COUNT:
        break;
    }
}

void mwi_tasks_move(struct mwi_tasks *tasks, struct mwi_task_entry *task, enum mwi_task_state state,
                    struct mwi_list *list)
{
    mw_algorithm_stats *stats = &tasks->by_algorithm[task->algorithm];
    enum mwi_task_state from = task->state;
    assert(mwi_state_task_may_move(from, state));
    assert((list != NULL) == (state == MWI_TASK_ORDERED));
    assert(!is_at_slaves(from) || task->copies == NULL || state == MWI_TASK_CANCELLED);
    leave_state(tasks, task, stats);
    task->state = state;
    if (state == MWI_TASK_FREE) {
        forget(tasks, task);
        return;
    }
    tasks->counts[state]++;
    enter_state(tasks, task, from, list, stats);
}

bool mwi_tasks_set_aside(struct mwi_tasks *tasks, struct mwi_task_entry *task)
{
    assert(task->state == MWI_TASK_WAITING);
    if (!mwi_aside_reserve(&tasks->aside, task->size, mwi_tasks_policy(tasks, task)->priority))
        return false;
    mwi_tasks_move(tasks, task, MWI_TASK_ASIDE, NULL);
    return true;
}

bool mwi_tasks_make_late(struct mwi_tasks *tasks, struct mwi_task_entry *task)
{
    uint32_t before = task->item.policy, late;
    struct mwi_task_policy policy = *mwi_tasks_policy(tasks, task);
    assert(task->state == MWI_TASK_WAITING);
    policy.is_late = true;
    if (!mwi_policies_take(&tasks->policies, &tasks->pool, &policy, &late))
        return false;
    mwi_pool_remove(&tasks->pool, level_of(tasks, &task->item), &task->item.link);
    task->item.policy = late;
    mwi_pool_append(&tasks->pool, level_of(tasks, &task->item), &task->item.link);
    mwi_policies_put(&tasks->policies, &tasks->pool, before);
    return true;
}

bool mwi_tasks_is_precious(const struct mwi_tasks *tasks, const struct mwi_task_entry *task)
{
    const struct mwi_task_policy *policy = mwi_tasks_policy(tasks, task);
    return mwi_tasks_was_lost(task) || !policy->is_retried || policy->max_attempts == 1;
}

/* The task is over for the user; its copies may still be out. */
static void move_to_end(struct mwi_tasks *tasks, struct mwi_task_entry *task)
{
    bool has_copies = is_at_slaves(task->state) && task->copies != NULL;
    if (task->state != MWI_TASK_CANCELLED || !has_copies)
        mwi_tasks_move(tasks, task, has_copies ? MWI_TASK_CANCELLED : MWI_TASK_FREE, NULL);
}

void mwi_tasks_end(struct mwi_tasks *tasks, struct mwi_task_entry *task, bool is_done,
                   uint64_t duration_ns)
{
    mw_algorithm_stats *stats = &tasks->by_algorithm[task->algorithm];
    if (task->state != MWI_TASK_CANCELLED) {
        stats->done += is_done;
        stats->failed += !is_done;
    }
    if (is_at_slaves(task->state))
        mwi_stats_add_time(&stats->run, duration_ns);
    move_to_end(tasks, task);
}

void mwi_tasks_note_replayed(struct mwi_tasks *tasks, uint16_t algorithm, bool is_done)
{
    mw_algorithm_stats *stats = &tasks->by_algorithm[algorithm];
    stats->submitted++;
    stats->done += is_done;
    stats->failed += !is_done;
    stats->replayed++;
}

void mwi_tasks_cancel(struct mwi_tasks *tasks, struct mwi_task_entry *task)
{
    assert(task->state != MWI_TASK_CANCELLED && task->state != MWI_TASK_UNRUNNABLE);
    tasks->by_algorithm[task->algorithm].cancelled++;
    move_to_end(tasks, task);
}

void mwi_tasks_release(struct mwi_tasks *tasks, struct mwi_batch_entry *batch, uint32_t count)
{
    uint32_t policy = batch->item.policy;
    if (mwi_batches_release(&tasks->batches, batch, count))
        mwi_policies_put(&tasks->policies, &tasks->pool, policy);
}

void mwi_tasks_close_batch(struct mwi_tasks *tasks)
{
    uint32_t policy = tasks->batches.open->item.policy;
    if (mwi_batches_close(&tasks->batches))
        mwi_policies_put(&tasks->policies, &tasks->pool, policy);
}

/* Has a batch of the policy open in which there is room. False out of memory. */
static bool open_batch(struct mwi_tasks *tasks, const struct mwi_task_policy *policy, size_t size)
{
    struct mwi_batch_entry *open = tasks->batches.open;
    uint32_t number;
    if (!mwi_policies_take(&tasks->policies, &tasks->pool, policy, &number))
        return false;
    if (open != NULL && open->item.policy == number &&
        mwi_batches_reserve(open, tasks->last_id + 1, size)) {
        mwi_policies_put(&tasks->policies, &tasks->pool, number);
        return true;
    }
    if (open != NULL)
        mwi_tasks_close_batch(tasks);
    if (mwi_batches_open(&tasks->batches, number, tasks->last_id + 1, size) != NULL)
        return true;
    mwi_policies_put(&tasks->policies, &tasks->pool, number);
    return false;
}

bool mwi_tasks_append(struct mwi_tasks *tasks, const struct mwi_task_policy *policy,
                      const struct mwi_batch_task *task, const void *data, size_t size)
{
    assert(mwi_tasks_is_ordinary(policy, size));
    if (!open_batch(tasks, policy, size))
        return false;
    struct mwi_batch_entry *batch = tasks->batches.open;
    mwi_tasks_append_open(tasks, task, data, size);
    if (mwi_list_is_empty(&batch->item.link))
        mwi_pool_append(&tasks->pool, level_of(tasks, &batch->item), &batch->item.link);
    return true;
}

/* Passes over tasks that are gone. A batch without waiting tasks leaves the pool. */
static void skip_gone(struct mwi_tasks *tasks, struct mwi_batch_entry *batch)
{
    while (batch->next < batch->count && batch->tasks[batch->next].is_gone)
        batch->next++;
    if (batch->next == batch->count && !mwi_list_is_empty(&batch->item.link))
        mwi_pool_remove(&tasks->pool, level_of(tasks, &batch->item), &batch->item.link);
}

/* How many tasks from `from` on, before `end`, are of the same algorithm and time as the first. */
static uint32_t alike_count(const struct mwi_batch_entry *batch, uint32_t from, uint32_t end)
{
    const struct mwi_batch_task *first = &batch->tasks[from];
    uint32_t count = 1;
    while (from + count < end && first[count].algorithm == first->algorithm &&
           first[count].submitted_at == first->submitted_at)
        count++;
    return count;
}

void mwi_tasks_send(struct mwi_tasks *tasks, struct mwi_batch_entry *batch, uint32_t count)
{
    uint32_t end = batch->next + count;
    assert(count > 0 && end <= batch->count);
    while (batch->next < end) {
        const struct mwi_batch_task *first = &batch->tasks[batch->next];
        mw_algorithm_stats *stats = &tasks->by_algorithm[first->algorithm];
        uint32_t alike = alike_count(batch, batch->next, end);
        uint32_t waited = mwi_tasks_tick(tasks) - first->submitted_at;
        mwi_stats_add_times(&stats->wait, (uint64_t)waited * (uint64_t)MWI_TASKS_TICK_NS, alike);
        stats->waiting -= alike;
        batch->next += alike;
    }
    tasks->counts[MWI_TASK_WAITING] -= count;
    tasks->counts[MWI_TASK_RUNNING] += count;
    skip_gone(tasks, batch);
}

void mwi_tasks_end_sent(struct mwi_tasks *tasks, struct mwi_batch_entry *batch, uint16_t algorithm,
                        uint32_t count)
{
    assert(tasks->counts[MWI_TASK_RUNNING] >= count);
    tasks->by_algorithm[algorithm].done += count;
    tasks->counts[MWI_TASK_RUNNING] -= count;
    mwi_batches_end(batch, count);
}

/* A copy of the task's arguments; NULL out of memory. */
static unsigned char *copy_data(const struct mwi_batch_entry *batch, uint32_t place)
{
    size_t size = mwi_batch_size(batch, place);
    unsigned char *data = malloc(size == 0 ? 1 : size);
    if (data != NULL && size > 0)
        memcpy(data, mwi_batch_data(batch, place), size);
    return data;
}

/* The task is in its batch no more. The batch may be gone with it. */
static void leave_batch(struct mwi_tasks *tasks, struct mwi_batch_entry *batch, uint32_t place)
{
    batch->tasks[place].is_gone = true;
    mwi_batches_end(batch, 1);
    skip_gone(tasks, batch);
    mwi_tasks_release(tasks, batch, 1);
}

void mwi_tasks_cancel_waiting(struct mwi_tasks *tasks, struct mwi_batch_entry *batch,
                              uint32_t place)
{
    mw_algorithm_stats *stats = &tasks->by_algorithm[batch->tasks[place].algorithm];
    assert(place >= batch->next && place < batch->count && !batch->tasks[place].is_gone);
    stats->waiting--;
    stats->cancelled++;
    tasks->counts[MWI_TASK_WAITING]--;
    leave_batch(tasks, batch, place);
}

struct mwi_task_entry *mwi_tasks_take_out(struct mwi_tasks *tasks, struct mwi_batch_entry *batch,
                                          uint32_t place)
{
    struct mwi_batch_task *from = &batch->tasks[place];
    bool is_waiting = place >= batch->next;
    assert(place < batch->count && !from->is_gone);
    unsigned char *data = copy_data(batch, place);
    struct mwi_task_entry *task =
        data == NULL ? NULL : make_entry(tasks, mwi_batch_id(batch, place), batch->item.policy);
    if (task == NULL) {
        free(data);
        tasks->has_failed = true;
        return NULL;
    }
    mwi_policies_share(&tasks->policies, batch->item.policy);
    task->data = data;
    task->size = mwi_batch_size(batch, place);
    task->tag = from->tag;
    task->submitted_at = from->submitted_at;
    task->algorithm = from->algorithm;
    task->is_bytes = from->is_bytes;
    task->was_sent = !is_waiting;
    task->state = is_waiting ? MWI_TASK_WAITING : MWI_TASK_RUNNING;
    if (is_waiting)
        mwi_list_insert(&batch->item.link, &task->item.link);
    leave_batch(tasks, batch, place);
    return task;
}
