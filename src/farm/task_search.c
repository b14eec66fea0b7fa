/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches the tasks that wait for one that is not simply the next of the pool. schedule asks for a
 * slave when tasks were set aside, misfits for tasks that are too large for all slaves, probation
 * for one that may be risked.
 *
 * Invariant: every search is bounded, so it may miss a task that stands behind many others. A
 * search changes one thing only: it takes a task that it has found out of its batch. A search for
 * another property is a function here, bounded by LOOKS_MAX or LOST_LOOKS_MAX.
 */
#include "farm/task_search.h"

/* At how many priorities of a class of sizes a search looks, and at how many tasks of each. */
#define LOOKS_MAX 8
/* How many tasks of a priority may have come back from lost slaves before those behind them are not
 * found any more. */
#define LOST_LOOKS_MAX 256

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
        if ((mwi_tasks_of_link(link)->size > size) == is_over)
            return mwi_tasks_of_link(link);
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

struct mwi_task_entry *mwi_task_search_first_aside(const struct mwi_tasks *tasks, size_t size)
{
    uint64_t up_to = UINT64_MAX >> (MWI_ASIDE_CLASSES - 1 - mwi_aside_class(size));
    return search_aside(tasks, up_to, size, false);
}

struct mwi_task_entry *mwi_task_search_first_aside_over(const struct mwi_tasks *tasks, size_t size)
{
    return search_aside(tasks, UINT64_MAX << mwi_aside_class(size), size, true);
}

/* The place of the batch's next task of at most `size` bytes, among the next *looks; the batch's
 * count if there is none. */
static uint32_t find_fitting(const struct mwi_batch_entry *batch, size_t size, int *looks)
{
    for (uint32_t place = batch->next; place != batch->count && *looks > 0; place++, --*looks)
        if (!batch->tasks[place].is_gone && mwi_batch_size(batch, place) <= size)
            return place;
    return batch->count;
}

/* The task of a link in the pool, or one of its batch, that may be lost and is no larger than
 * `size`; NULL if there is none. A task of a batch is never precious. */
static struct mwi_task_entry *find_carefree(struct mwi_tasks *tasks, struct mwi_list *link,
                                            size_t size, int *looks)
{
    struct mwi_batch_entry *batch = mwi_batch_of_link(link);
    if (batch != NULL) {
        uint32_t place = find_fitting(batch, size, looks);
        return place < batch->count ? mwi_tasks_take_out(tasks, batch, place) : NULL;
    }
    struct mwi_task_entry *task = mwi_tasks_of_link(link);
    --*looks;
    return mwi_tasks_is_precious(tasks, task) || task->size > size ? NULL : task;
}

struct mwi_task_entry *mwi_task_search_first_carefree(struct mwi_tasks *tasks, size_t size)
{
    const struct mwi_list *list;
    for (size_t i = 0; i < LOOKS_MAX && (list = mwi_pool_level(&tasks->pool, i)) != NULL; i++) {
        int looks = LOST_LOOKS_MAX;
        for (struct mwi_list *link = list->next; looks > 0 && link != list; link = link->next) {
            struct mwi_task_entry *task = find_carefree(tasks, link, size, &looks);
            if (task != NULL || tasks->has_failed)
                return task;
        }
    }
    return NULL;
}

struct mwi_task_entry *mwi_task_search_choose_for(struct mwi_tasks *tasks, size_t size)
{
    struct mwi_task_entry *first = mwi_tasks_first_waiting(tasks);
    struct mwi_task_entry *aside = mwi_task_search_first_aside(tasks, size);
    return aside != NULL && is_before(tasks, aside, first) ? aside : first;
}
