/* SPDX-License-Identifier: Apache-2.0
 *
 * Fixed groups: a slave that has nothing gets up to task_group tasks.
 */
#include "schedule.h"

size_t mwi_schedule_group(const struct mwi_tasks *tasks, const struct mwi_slave *slave,
                          const struct mwi_schedule_limits *limits)
{
    size_t count = 0, bytes = 0;
    if (slave->state != MWI_SLAVE_IDLE)
        return 0;
    const struct mwi_list *link = tasks->waiting.next;
    for (; link != &tasks->waiting && count < limits->task_group; link = link->next) {
        const struct mwi_task *task = MWI_LIST_ENTRY(link, const struct mwi_task, link);
        bytes += task->size + MWI_MESSAGE_OVERHEAD_BYTES;
        if (count > 0 && (task->attempts > 0 || bytes > limits->group_bytes_max))
            break;
        count++;
        if (task->attempts > 0)
            break;
    }
    return count;
}
