/* SPDX-License-Identifier: Apache-2.0
 *
 * Fixed groups: a slave that has nothing gets up to task_group tasks.
 */
#include "schedule.h"

static struct mwi_task *candidate(const struct mwi_tasks *tasks, const struct mwi_slave *slave)
{
    if (!mwi_list_is_empty(&slave->ordered))
        return MWI_LIST_ENTRY(slave->ordered.next, struct mwi_task, link);
    return slave->group == MWI_GROUP_ORDERED ? NULL : mwi_tasks_first_waiting(tasks);
}

static bool goes_alone(const struct mwi_tasks *tasks, const struct mwi_task *task)
{
    return task->attempts > 0 || mwi_tasks_policy(tasks, task)->time_limit_ns > 0;
}

struct mwi_task *mwi_schedule_next(const struct mwi_tasks *tasks, const struct mwi_slave *slave,
                                   const struct mwi_schedule_limits *limits,
                                   struct mwi_schedule_group *group)
{
    if (slave->state != MWI_SLAVE_IDLE || group->is_closed || group->count == limits->task_group)
        return NULL;
    struct mwi_task *task = candidate(tasks, slave);
    if (task == NULL)
        return NULL;
    size_t bytes = group->bytes + task->size + MWI_MESSAGE_OVERHEAD_BYTES;
    bool is_alone = goes_alone(tasks, task);
    if (group->count > 0 && (is_alone || bytes > limits->group_bytes_max))
        return NULL;
    group->count++;
    group->bytes = bytes;
    group->is_closed = is_alone;
    return task;
}
