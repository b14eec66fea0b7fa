/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of tasks. The rooms of the engine add tasks and move them; everybody else reads.
 *
 * Invariants: slots lie in chunks that never move, so that a task can be pointed to; a freed slot
 * is reused first. A task is in the index of ids from mwi_tasks_add until it is FREE. The counts
 * by state and by algorithm are kept by mwi_tasks_move alone. Each state has one place for a task:
 * see the union in struct mwi_task_entry.
 *
 * A field that only few tasks need goes into a side table by id, as losses do: a task is 64 bytes,
 * and ten million of them wait.
 */
#include "farm/tasks.h"

#include <assert.h>
#include <stdlib.h>

#define CHUNK_TASKS ((size_t)1024)
/* At how many priorities of a class of sizes a search looks, and at how many tasks of each. */
#define LOOKS_MAX 8
/* How many tasks of a priority may have come back from lost slaves before those behind them are not
 * found any more. */
#define LOST_LOOKS_MAX 256

static struct mwi_task_entry *task_of(struct mwi_list *link)
{
    return MWI_LIST_ENTRY(link, struct mwi_task_entry, link);
}

static void clear(struct mwi_tasks *tasks)
{
    *tasks = (struct mwi_tasks){0};
    mwi_list_init(&tasks->free);
    mwi_list_init(&tasks->unrunnable);
    mwi_pool_init(&tasks->pool);
    mwi_aside_init(&tasks->aside);
    mwi_policies_init(&tasks->policies);
}

bool mwi_tasks_init(struct mwi_tasks *tasks, size_t algorithms_count)
{
    clear(tasks);
    tasks->by_algorithm = calloc(algorithms_count + 1, sizeof *tasks->by_algorithm);
    return tasks->by_algorithm != NULL;
}

static struct mwi_task_entry *slot_task(const struct mwi_tasks *tasks, size_t slot)
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
        free_owned(slot_task(tasks, slot));
    for (size_t i = 0; i < tasks->chunks_count; i++)
        free(tasks->chunks[i]);
    free(tasks->chunks);
    mwi_losses_fini(&tasks->losses);
    mwi_task_index_fini(&tasks->index);
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

/* Sets *slot to a slot without a task; false out of memory. */
static bool take_slot(struct mwi_tasks *tasks, uint32_t *slot)
{
    if (!mwi_list_is_empty(&tasks->free)) {
        struct mwi_task_entry *task = task_of(tasks->free.next);
        mwi_list_remove(&task->link);
        *slot = task->slot;
        return true;
    }
    if (tasks->slots_count == MWI_TASK_INDEX_NONE ||
        (tasks->slots_count == tasks->chunks_count * CHUNK_TASKS && !add_chunk(tasks)))
        return false;
    *slot = (uint32_t)tasks->slots_count++;
    return true;
}

static void put_slot(struct mwi_tasks *tasks, uint32_t slot)
{
    struct mwi_task_entry *task = slot_task(tasks, slot);
    *task = (struct mwi_task_entry){.slot = slot, .state = MWI_TASK_FREE};
    mwi_list_prepend(&tasks->free, &task->link);
}

struct mwi_task_entry *mwi_tasks_add(struct mwi_tasks *tasks, const struct mwi_task_policy *policy)
{
    uint32_t number, slot;
    if (!mwi_policies_take(&tasks->policies, &tasks->pool, policy, &number))
        return NULL;
    if (!take_slot(tasks, &slot))
        goto put_policy;
    if (!mwi_task_index_add(&tasks->index, tasks->last_id + 1, slot))
        goto put_back;
    struct mwi_task_entry *task = slot_task(tasks, slot);
    *task = (struct mwi_task_entry){
        .id = ++tasks->last_id, .sid = MWI_NO_SID, .policy = number, .state = MWI_TASK_FREE};
    mwi_list_init(&task->link);
    return task;

put_back:
    put_slot(tasks, slot);
put_policy:
    mwi_policies_put(&tasks->policies, &tasks->pool, number);
    return NULL;
}

const struct mwi_task_policy *mwi_tasks_policy(const struct mwi_tasks *tasks,
                                               const struct mwi_task_entry *task)
{
    return &mwi_policies_get(&tasks->policies, task->policy)->policy;
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
    uint32_t slot = mwi_task_index_find(&tasks->index, id);
    return slot == MWI_TASK_INDEX_NONE ? NULL : slot_task(tasks, slot);
}

struct mwi_task_entry *mwi_tasks_first_waiting(const struct mwi_tasks *tasks)
{
    struct mwi_list *link = mwi_pool_first(&tasks->pool);
    return link == NULL ? NULL : task_of(link);
}

struct mwi_task_entry *mwi_tasks_first_unrunnable(const struct mwi_tasks *tasks)
{
    const struct mwi_list *list = &tasks->unrunnable;
    return mwi_list_is_empty(list) ? NULL : task_of(list->next);
}

static void forget(struct mwi_tasks *tasks, struct mwi_task_entry *task)
{
    if (tasks->losses.by_task.used_count > 0)
        mwi_losses_forget(&tasks->losses, task->id);
    mwi_policies_put(&tasks->policies, &tasks->pool, task->policy);
    free_owned(task);
    put_slot(tasks, mwi_task_index_remove(&tasks->index, task->id));
}

static struct mwi_pool_level *level_of(const struct mwi_tasks *tasks,
                                       const struct mwi_task_entry *task)
{
    return mwi_policies_get(&tasks->policies, task->policy)->level;
}

static bool is_at_slaves(enum mwi_task_state state)
{
    return state == MWI_TASK_RUNNING || state == MWI_TASK_CANCELLED;
}

static uint32_t tick_of(const struct mwi_tasks *tasks)
{
    return (uint32_t)(uint64_t)(tasks->now_ns / MWI_TASKS_TICK_NS);
}

int64_t mwi_tasks_submitted_ns(const struct mwi_tasks *tasks, const struct mwi_task_entry *task)
{
    uint32_t ticks_ago = tick_of(tasks) - task->submitted_at;
    return (tasks->now_ns / MWI_TASKS_TICK_NS - ticks_ago) * MWI_TASKS_TICK_NS;
}

static void enter_pool(struct mwi_tasks *tasks, struct mwi_task_entry *task, bool is_new)
{
    if (is_new)
        mwi_pool_append(&tasks->pool, level_of(tasks, task), &task->link);
    else
        mwi_pool_prepend(&tasks->pool, level_of(tasks, task), &task->link);
}

/* Takes the task out of the place that its state gives it. */
static void leave_state(struct mwi_tasks *tasks, struct mwi_task_entry *task,
                        mw_algorithm_stats *stats)
{
    switch ((enum mwi_task_state)task->state) {
    case MWI_TASK_FREE: /* new, and in no list */
        stats->submitted++;
        task->submitted_at = tick_of(tasks);
        return;
    case MWI_TASK_WAITING:
        mwi_pool_remove(&tasks->pool, level_of(tasks, task), &task->link);
        stats->waiting--;
        break;
    case MWI_TASK_ORDERED:
        mwi_list_remove(&task->link);
        stats->waiting--;
        break;
    case MWI_TASK_ASIDE:
        mwi_aside_remove(&tasks->aside, task->size, mwi_tasks_policy(tasks, task)->priority,
                         &task->link);
        stats->waiting--;
        break;
    case MWI_TASK_UNRUNNABLE:
        mwi_list_remove(&task->link);
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
    uint32_t waited = tick_of(tasks) - task->submitted_at;
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
        mwi_list_append(list, &task->link);
        stats->waiting++;
        break;
    case MWI_TASK_ASIDE:
        mwi_aside_append(&tasks->aside, task->size, mwi_tasks_policy(tasks, task)->priority,
                         &task->link);
        stats->waiting++;
        break;
    case MWI_TASK_RUNNING:
        note_sent(tasks, task, stats);
        break;
    case MWI_TASK_UNRUNNABLE:
        mwi_list_append(&tasks->unrunnable, &task->link);
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

/* Whether a task comes before another, which may be NULL. */
static bool is_before(const struct mwi_tasks *tasks, const struct mwi_task_entry *task,
                      const struct mwi_task_entry *other)
{
    if (other == NULL)
        return true;
    int32_t priority = mwi_tasks_policy(tasks, task)->priority;
    int32_t other_priority = mwi_tasks_policy(tasks, other)->priority;
    return priority != other_priority ? priority > other_priority : task->id < other->id;
}

/* The first of the next tasks of a level that is over `size`, or that is not. */
static struct mwi_task_entry *search_level(const struct mwi_list *list, size_t size, bool is_over)
{
    struct mwi_list *link = list->next;
    for (int i = 0; i < LOOKS_MAX && link != list; i++, link = link->next)
        if ((task_of(link)->size > size) == is_over)
            return task_of(link);
    return NULL;
}

/* The same among all levels of a class. */
static struct mwi_task_entry *search_class(const struct mwi_tasks *tasks, unsigned size_class,
                                           size_t size, bool is_over)
{
    struct mwi_task_entry *found = NULL;
    const struct mwi_list *list;
    for (size_t i = 0;
         i < LOOKS_MAX && (list = mwi_aside_level(&tasks->aside, size_class, i)) != NULL; i++) {
        struct mwi_task_entry *task = search_level(list, size, is_over);
        if (task != NULL && is_before(tasks, task, found))
            found = task;
    }
    return found;
}

static struct mwi_task_entry *search_aside(const struct mwi_tasks *tasks, uint64_t classes,
                                           size_t size, bool is_over)
{
    struct mwi_task_entry *found = NULL;
    for (classes &= tasks->aside.used; classes != 0; classes &= classes - 1) {
        unsigned size_class = (unsigned)__builtin_ctzll(classes);
        struct mwi_task_entry *task = search_class(tasks, size_class, size, is_over);
        if (task != NULL && is_before(tasks, task, found))
            found = task;
    }
    return found;
}

struct mwi_task_entry *mwi_tasks_first_aside(const struct mwi_tasks *tasks, size_t size)
{
    uint64_t up_to = UINT64_MAX >> (MWI_ASIDE_CLASSES - 1 - mwi_aside_class(size));
    return search_aside(tasks, up_to, size, false);
}

struct mwi_task_entry *mwi_tasks_first_aside_over(const struct mwi_tasks *tasks, size_t size)
{
    return search_aside(tasks, UINT64_MAX << mwi_aside_class(size), size, true);
}

bool mwi_tasks_is_precious(const struct mwi_tasks *tasks, const struct mwi_task_entry *task)
{
    const struct mwi_task_policy *policy = mwi_tasks_policy(tasks, task);
    return mwi_tasks_was_lost(task) || !policy->is_retried || policy->max_attempts == 1;
}

struct mwi_task_entry *mwi_tasks_first_carefree(const struct mwi_tasks *tasks, size_t size)
{
    const struct mwi_list *list;
    for (size_t i = 0; i < LOOKS_MAX && (list = mwi_pool_level(&tasks->pool, i)) != NULL; i++) {
        struct mwi_list *link = list->next;
        for (int looks = 0; looks < LOST_LOOKS_MAX && link != list; looks++, link = link->next)
            if (!mwi_tasks_is_precious(tasks, task_of(link)) && task_of(link)->size <= size)
                return task_of(link);
    }
    return NULL;
}

struct mwi_task_entry *mwi_tasks_choose_for(const struct mwi_tasks *tasks, size_t size)
{
    struct mwi_task_entry *first = mwi_tasks_first_waiting(tasks);
    struct mwi_task_entry *aside = mwi_tasks_first_aside(tasks, size);
    return aside != NULL && is_before(tasks, aside, first) ? aside : first;
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

void mwi_tasks_cancel(struct mwi_tasks *tasks, struct mwi_task_entry *task)
{
    assert(task->state != MWI_TASK_CANCELLED && task->state != MWI_TASK_UNRUNNABLE);
    tasks->by_algorithm[task->algorithm].cancelled++;
    move_to_end(tasks, task);
}
