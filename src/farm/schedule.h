/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides which tasks a slave gets next and how many. The only change that it makes in the stores
 * is to take a task out of its batch. dispatch asks it for one task or for several of a batch after
 * the other, and moves them to the slave.
 */
#ifndef MWI_SCHEDULE_H
#define MWI_SCHEDULE_H

#include "farm/load.h"
#include "farm/pace.h"
#include "farm/slaves.h"
#include "farm/tasks.h"

/* The rules of the farm. The fields from `pace` on are read only if groups are made by time. */
struct mwi_schedule_limits {
    size_t task_group;           /* tasks in a message; 0: groups are made by time, see below */
    size_t group_bytes_max;      /* payload in a message; a single task may exceed it */
    const struct mwi_pace *pace; /* how long tasks take */
    size_t slaves_count;         /* how many slaves share the queue */
    size_t ended_count;          /* how many tasks have ended since the farm had nothing to do */
};

/* The group that is being chosen. All zero at first. */
struct mwi_schedule_group {
    struct mwi_load_group chosen;
    size_t share; /* by time: how many tasks of the pool may go into it; set with the first task */
};

/* Returns the next task for the group, NULL if the group is complete or nothing waits for this
 * slave, and adds the task to `group`. The caller must move the task to the slave before it asks
 * again. A slave gets its ordered tasks first, and then, unless it takes only ordered ones, the
 * pool's.
 *
 * Some tasks are sent alone: one that was at a slave that was lost, so that it is known which task
 * brings the next one down; and one with a time limit, whose beginning the slave tells.
 *
 * With fixed groups (task_group > 0) a slave gets the next group when it has returned the last.
 *
 * By time, a slave has about three milliseconds of work ahead, and the time of a trip on top. It
 * gets more when half of that is done, so that it never waits. It gets no more than its part of
 * all tasks that are left, except in the midst of a run of short tasks, where a part may be too
 * small to be worth a message. The last half millisecond of each slave is one message, so that
 * short steps of a program that waits for each cost few messages. Two more kinds of tasks are sent
 * alone by time: the first task of an algorithm, since nobody knows how long it takes; and a task
 * that may not run twice, since nobody would know whether it was begun when its slave is lost with
 * several. */
struct mwi_task_entry *mwi_schedule_next(struct mwi_tasks *tasks,
                                         const struct mwi_slave_entry *slave,
                                         const struct mwi_schedule_limits *limits,
                                         struct mwi_schedule_group *group);

/* The same for tasks of the batch that is next in the pool: returns how many of its next tasks go
 * into the group, and adds them. Only if mwi_schedule_takes_batch; else its next task must be taken
 * out, since nobody knows how long it takes. */
uint32_t mwi_schedule_next_of_batch(const struct mwi_tasks *tasks,
                                    const struct mwi_batch_entry *batch,
                                    const struct mwi_slave_entry *slave,
                                    const struct mwi_schedule_limits *limits,
                                    struct mwi_schedule_group *group);
bool mwi_schedule_takes_batch(const struct mwi_schedule_limits *limits,
                              const struct mwi_batch_entry *batch);

/* By time: whether a slave that has tasks should be sent more, if there are more. */
bool mwi_schedule_has_room(const struct mwi_load *load);

#endif
