/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches the tasks that wait: for one that is small enough for a slave, or one that is too large
 * for all slaves. mwi_tasks_is_precious says which tasks are precious.
 */
#ifndef MWI_TASK_SEARCH_H
#define MWI_TASK_SEARCH_H

#include "farm/tasks.h"

/* The first task that was set aside and has at most `size` bytes, or (over) the first that has
 * more; NULL if none was found. The search is bounded: among tasks of about that size it may miss
 * one that stands behind many others. */
struct mwi_task_entry *mwi_task_search_first_aside(const struct mwi_tasks *tasks, size_t size);
struct mwi_task_entry *mwi_task_search_first_aside_over(const struct mwi_tasks *tasks, size_t size);

/* The first task of the pool that is not precious and has at most `size` bytes; NULL if none was
 * found. The search is bounded. */
struct mwi_task_entry *mwi_task_search_first_carefree(struct mwi_tasks *tasks, size_t size);

/* The task that comes next for a slave that takes tasks of up to `size` bytes: the first of the
 * pool, which may be larger, or one that was set aside. NULL if there is neither. */
struct mwi_task_entry *mwi_task_search_choose_for(struct mwi_tasks *tasks, size_t size);

/* The same, quickly if nothing was set aside. */
static inline struct mwi_task_entry *mwi_task_search_next_for(struct mwi_tasks *tasks, size_t size)
{
    return tasks->counts[MWI_TASK_ASIDE] == 0 ? mwi_tasks_first_waiting(tasks)
                                              : mwi_task_search_choose_for(tasks, size);
}

#endif
