/* SPDX-License-Identifier: Apache-2.0
 *
 * Which tasks go to a slave next: a pure function of what is known of the slave and the queue.
 */
#ifndef MWI_SCHEDULE_H
#define MWI_SCHEDULE_H

#include "farm/pace.h"
#include "farm/slaves.h"
#include "farm/tasks.h"

struct mwi_schedule_limits {
    size_t task_group;           /* tasks a message; 0: by time, as below */
    size_t group_bytes_max;      /* payload a message; one task may exceed it by itself */
    const struct mwi_pace *pace; /* by time: what tasks take */
    size_t slaves_count;         /* by time: who share the queue */
    size_t ended_count;          /* by time: tasks that ended since there was nothing to do */
};

/* What has been chosen for a message so far. */
struct mwi_schedule_group {
    size_t count;
    size_t bytes;
    int64_t ns;     /* by time: what its tasks take */
    size_t share;   /* by time: how many of the queue's may go into it; set with the first */
    bool is_closed; /* nothing more goes into it, and nothing is sent while the slave has it */
};

/* The next task for the slave's next message, NULL if that is complete or there is nothing for it;
 * the caller moves it to the slave before it asks again. A slave gets its ordered tasks first, and
 * unless it takes only those, then the pool's. A task that was lost with a slave before is sent
 * alone, so that whom it brings down next time is clear; so is one with a time limit, whose clock
 * then starts when it is sent.
 *
 * With a fixed group a slave gets the next when it has returned the last. By time it is to have
 * work for about three milliseconds and the way to it and back ahead of it, but not more than its
 * part of all that is left, or, in the midst of a run of short tasks, than is worth telling another
 * of; it has more as soon as half of that is done, so that it never waits.
 * The first task of an algorithm is sent alone, since nobody knows what it takes; so is one that
 * may not be run twice, since of others that were at a slave that is lost nobody knows whether they
 * were begun. */
struct mwi_task_entry *mwi_schedule_next(const struct mwi_tasks *tasks,
                                         const struct mwi_slave_entry *slave,
                                         const struct mwi_schedule_limits *limits,
                                         struct mwi_schedule_group *group);

/* By time: whether a slave that has tasks should be sent more, if there are more. */
bool mwi_schedule_has_room(const struct mwi_slave_entry *slave);

#endif
